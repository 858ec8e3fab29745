// Provider addresses of this host: what is local, and which of them a port sends from.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

namespace {

// Which of the addresses a port takes (rendezvous hashing, FNV-1a): the one with the highest score.
// When one comes or goes, only the ports that it serves move.
[[nodiscard]] std::uint64_t score(std::string_view port, const IpAddress& address) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    const auto mix = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3ULL; };
    std::for_each(port.begin(), port.end(), [&mix](char c) { mix(static_cast<unsigned char>(c)); });
    std::for_each(address.bytes().begin(), address.bytes().end(), mix);
    // The last bytes differ most, and have been multiplied least.
    return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

// Whatever was decided by "is this PA ours?" or by the locator's contents.
void Model::touch_pa(const IpAddress& pa) {
    for (const auto& [row, subnet] : subnets_) {
        bool concerned = false;
        for (const auto& [number, count] : subnet->locators) {
            const auto& spec = locators_by_number_.at(number)->spec;
            if (spec && spec->pa == pa) {
                concerned = true;
                touch(ObjectKind::Peer, subnet->number, number);
            }
        }
        if (!concerned) {
            continue;
        }
        touch(ObjectKind::Subnet, subnet->number);
        if (const RouterRecord* router = router_of(*subnet)) {
            touch(ObjectKind::Router, router->number);
        }
        for (const auto& [mac, first] : subnet->by_mac) {
            if (first->locator->spec && first->locator->spec->pa == pa) {
                touch(ObjectKind::Mac, subnet->number, mac.bits());
            }
        }
    }
}

bool Model::is_local_pa(const IpAddress& pa) const {
    return std::any_of(provider_addresses_.begin(), provider_addresses_.end(),
                       [&pa](const auto& entry) { return entry.second.address.address == pa; });
}

void Model::put(const Uuid& row, ProviderAddressSpec spec) {
    const auto known = provider_addresses_.find(row);
    if (known != provider_addresses_.end()) {
        if (known->second == spec) {
            return;
        }
        touch_pa(known->second.address.address);
    }
    touch_pa(spec.address.address);
    provider_addresses_.insert_or_assign(row, std::move(spec));
    touch_services();  // Copies don't go to one of this host's own.
}

void Model::remove_provider_address(const Uuid& row) {
    const auto known = provider_addresses_.find(row);
    if (known != provider_addresses_.end()) {
        touch_pa(known->second.address.address);
        provider_addresses_.erase(known);
        touch_services();
    }
}

void Model::set_carried_addresses(std::vector<CarriedAddress> carried) {
    std::sort(carried.begin(), carried.end());
    if (carried == carried_) {
        return;
    }
    carried_ = std::move(carried);
    touch(ObjectKind::Host, 0);
    for (const auto& [name, port] : ports_) {
        touch_port(*port);
    }
}

// The address that the port is given by its settings, if it is here, else its own of them all.
const CarriedAddress* Model::source_of(const PortRecord& port, bool v4) const {
    const CarriedAddress* best = nullptr;
    const PortSettingsSpec* settings = port.settings.spec();
    for (const CarriedAddress& each : carried_) {
        if (each.address.is_v4() != v4) {
            continue;
        }
        if (settings != nullptr && settings->provider_address == each.address) {
            return &each;
        }
        if (best == nullptr || score(port.name, each.address) > score(port.name, best->address)) {
            best = &each;
        }
    }
    return best;
}

void Model::send_from(const PortRecord& port, PortView& view, PortStatus& status) {
    const CarriedAddress* v4 = source_of(port, true);
    const CarriedAddress* v6 = source_of(port, false);
    view.mark_v4 = v4 != nullptr ? v4->mark : 0;
    view.mark_v6 = v6 != nullptr ? v6->mark : 0;
    const PortSettingsSpec* settings = port.settings.spec();
    const auto wanted = settings != nullptr ? settings->provider_address : std::nullopt;
    const bool prefers_v6 = wanted && !wanted->is_v4();
    if (const CarriedAddress* source = v4 == nullptr || (prefers_v6 && v6 != nullptr) ? v6 : v4) {
        status.pa = source->address;
    }
    for (const auto& [row, spec] : port.settings.all()) {
        const auto& address = spec.provider_address;
        const bool carried =
            !address || std::any_of(carried_.begin(), carried_.end(), [&address](const auto& each) {
                return each.address == *address;
            });
        faults_.set({SourceTable::HostPortSettings, row}, FaultKey::PaMissing,
                    carried ? std::nullopt
                            : std::optional("provider_address " + address->to_string() +
                                            " is not carried by this host; port " + port.name +
                                            " sends from another until it is"));
    }
}

HostView Model::host() const {
    HostView view{tunnels_.vxlan_ofport,          tunnels_.nvgre_ofport, router_mac_, 0, 0,
                  host_settings_.audit_limit_pps, bfd_ofports_};
    for (const CarriedAddress& each : carried_) {
        unsigned& mtu = each.address.is_v4() ? view.mtu_v4 : view.mtu_v6;
        if (each.mtu != 0 && (mtu == 0 || each.mtu < mtu)) {
            mtu = each.mtu;
        }
    }
    return view;
}

}  // namespace hnv::policy
