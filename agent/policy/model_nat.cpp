// NAT at a gateway port: which rows are in force, and for which of the port's subnets.
//
// Rows are looked at in order of arrival: one that contradicts an earlier one that is in force has
// no effect until that one goes. Nothing else of the policy depends on them.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

namespace {

[[nodiscard]] bool overlap(const NatSpec& a, const NatSpec& b) {
    return a.first <= b.last && b.first <= a.last;
}

[[nodiscard]] std::string addresses_of(const NatSpec& spec) {
    return spec.first.to_string() + (spec.first == spec.last ? "" : "-" + spec.last.to_string());
}

[[nodiscard]] IpAddress next(const IpAddress& address) {
    auto bytes = address.bytes();
    for (std::size_t i = bytes.size(); i-- > 0 && ++bytes[i] == 0;) {
    }
    return IpAddress::from_v6(bytes);
}

// The rows of a port that are in force so far.
class InForce {
  public:
    // What the row and one of these can't both say; empty: they go together. An address of a pair
    // belongs to it alone: a packet from outside can't be for two. Pools may share external
    // addresses, since connection tracking gives each connection a port of its own.
    [[nodiscard]] std::string contradicts(const NatSpec& spec) const {
        const auto pair = pairs_.lower_bound({spec.vlan, spec.first});
        if (pair != pairs_.end() && pair->first.first == spec.vlan &&
            pair->first.second <= spec.last) {
            return taken(*pair->second, spec);
        }
        for (const NatSpec* pool : pools_) {
            if (spec.is_static && pool->vlan == spec.vlan && overlap(*pool, spec)) {
                return taken(*pool, spec);
            }
        }
        for (const IpPrefix& prefix : spec.internal) {
            const auto known = internal_.find({spec.vlan, spec.is_static, prefix});
            if (known != internal_.end()) {
                return "internal " + prefix.to_string() + " is already in row " +
                       known->second->name;
            }
        }
        return "";
    }

    // Precondition: it contradicts none of these. The row outlives this.
    void add(const NatSpec& spec) {
        if (spec.is_static) {
            pairs_.emplace(std::pair(spec.vlan, spec.first), &spec);
        } else {
            pools_.push_back(&spec);
        }
        for (const IpPrefix& prefix : spec.internal) {
            internal_.emplace(std::tuple(spec.vlan, spec.is_static, prefix), &spec);
        }
    }

  private:
    static std::string taken(const NatSpec& by, const NatSpec& spec) {
        return "external address " + addresses_of(spec) + " is already that of row " + by.name;
    }

    std::map<std::pair<std::uint16_t, IpAddress>, const NatSpec*> pairs_;  // By VLAN, external.
    std::vector<const NatSpec*> pools_;
    std::map<std::tuple<std::uint16_t, bool, IpPrefix>, const NatSpec*> internal_;
};

}  // namespace

void Model::put(const Uuid& row, NatSpec spec) {
    const auto known = nat_rows_.find(row);
    if (known != nat_rows_.end() && known->second != spec.port) {
        remove_nat(row);
    }
    PortRecord& port = port_record(spec.port);
    nat_rows_.insert_or_assign(row, spec.port);
    port.nats.put(row, std::move(spec));
    nat_ports_.insert(&port);
    touch_port(port);
}

void Model::remove_nat(const Uuid& row) {
    const auto known = nat_rows_.find(row);
    if (known == nat_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    nat_rows_.erase(known);
    port.nats.remove(row);
    port.nat_problems.erase(row);
    if (port.nats.empty()) {
        nat_ports_.erase(&port);
    }
    clear_faults({SourceTable::HostNat, row});
    touch_port(port);
}

// Ports with an external address that came to be a customer address, or no longer is one. Few of a
// large change are: most customer addresses are outside of the span of all external ones.
void Model::touch_nat_ports() {
    if (nat_ports_.empty() || touched_cas_.empty()) {
        return;
    }
    std::optional<std::pair<IpAddress, IpAddress>> span;
    for (const PortRecord* port : nat_ports_) {
        for (const auto& [row, spec] : port->nats.all()) {
            span = span ? std::pair(std::min(span->first, spec.first),
                                    std::max(span->second, spec.last))
                        : std::pair(spec.first, spec.last);
        }
    }
    for (const auto& [subnet, cas] : touched_cas_) {
        for (const IpAddress& ca : cas) {
            if (span && span->first <= ca && ca <= span->second) {
                touch_nat_ports_of(ca);
            }
        }
    }
}

void Model::touch_nat_ports_of(const IpAddress& external) {
    for (PortRecord* port : nat_ports_) {
        const auto has = [&external](const auto& claim) {
            return claim.second.first <= external && external <= claim.second.last;
        };
        if (std::ranges::any_of(port->nats.all(), has)) {
            touch_port(*port);
        }
    }
}

// Whether the port can translate for the row; if not, a sentence that says why.
std::string Model::nat_port_problem(const PortRecord& port, const PortView& view,
                                    const NatSpec& spec) const {
    if (!port.interface) {
        return "port " + port.name +
               " is not plugged into this host: name a port of it in column port";
    }
    const auto attachment = std::ranges::find(view.attachments, spec.vlan, &Attachment::vlan);
    if (attachment == view.attachments.end()) {
        return "port " + port.name + " is in no virtual subnet" +
               (spec.vlan == 0 ? "" : " in VLAN " + std::to_string(spec.vlan)) +
               ": see vlan_bindings and the faults of its Physical_Port";
    }
    if (attachment->bridged || !attachment->router) {
        return "nothing routes VSID " + std::to_string(attachment->vsid) + " of port " + port.name +
               ": bind the subnet to a Logical_Router";
    }
    if (!view.ip_forwarding_allowed) {
        return "port " + port.name +
               " may not send for others, so nothing comes in by it: set ip_forwarding_allowed of "
               "its Port_Settings";
    }
    return "";
}

bool Model::has_ca_among(const SubnetRecord& subnet, const NatSpec& spec, IpAddress& found) const {
    const auto is_external = [&spec](const IpAddress& ca) {
        return spec.first <= ca && ca <= spec.last;
    };
    for (const IpAddress& gateway : subnet.gateways) {
        if (is_external(gateway)) {
            found = gateway;
            return true;
        }
    }
    // Whichever are fewer: its addresses, or the subnet's.
    std::size_t looked_at = 0;
    for (found = spec.first; looked_at <= subnet.by_ca.size(); found = next(found), ++looked_at) {
        if (subnet.by_ca.contains(found)) {
            return true;
        }
        if (found == spec.last) {
            return false;
        }
    }
    for (const auto& [ca, first] : subnet.by_ca) {
        if (is_external(ca)) {
            found = ca;
            return true;
        }
    }
    return false;
}

// Whether somebody of the virtual network has one of the row's external addresses.
std::string Model::nat_ca_problem(const PortRecord& port, const NatSpec& spec) const {
    const auto own = port.subnets.find(spec.vlan);
    const RouterRecord* router = own == port.subnets.end() ? nullptr : router_of(*own->second);
    if (router == nullptr) {
        return "";
    }
    for (const SubnetRecord* subnet : subnets_of(*router)) {
        IpAddress found;
        if (has_ca_among(*subnet, spec, found)) {
            return "external address " + found.to_string() + " is a CA of VSID " +
                   std::to_string(subnet->spec->vsid) + " in the same virtual network";
        }
    }
    return "";
}

// The translations of the view's attachments. Precondition: the port is bound, and its view has its
// attachments.
void Model::resolve_nat(PortRecord& port, PortView& view) {
    InForce in_force;
    port.nat_problems.clear();
    for (const auto& [row, spec] : port.nats.all()) {
        const RowRef source{SourceTable::HostNat, row};
        const std::string unusable = nat_port_problem(port, view, spec);
        std::string conflict;
        if (unusable.empty()) {
            conflict = nat_ca_problem(port, spec);
            conflict = conflict.empty() ? in_force.contradicts(spec) : conflict;
        }
        const auto sentence = [&spec = spec](const std::string& why) {
            return why.empty() ? std::nullopt
                               : std::optional("NAT row " + spec.name + " has no effect: " + why);
        };
        faults_.set(source, FaultKey::NatPort, sentence(unusable));
        faults_.set(
            source, FaultKey::NatConflict,
            sentence(conflict.empty() ? "" : conflict + "; change or delete one of the two"));
        if (!unusable.empty() || !conflict.empty()) {
            port.nat_problems.emplace(row, unusable + conflict);
            continue;
        }
        in_force.add(spec);
        const auto attachment = std::ranges::find(view.attachments, spec.vlan, &Attachment::vlan);
        for (const IpPrefix& prefix : spec.internal) {
            attachment->translations.push_back(
                {prefix, spec.is_static, spec.first, spec.last, spec.external, spec.ports});
        }
    }
    for (Attachment& attachment : view.attachments) {
        std::ranges::sort(attachment.translations, {}, [](const Translation& each) {
            return std::tie(each.internal, each.is_static);
        });
    }
}

void Model::for_each_nat(const std::function<void(const NatStatus&)>& visit) const {
    std::vector<NatStatus> all;
    for (const PortRecord* port : nat_ports_) {
        for (const auto& [row, spec] : port->nats.all()) {
            const auto problem = port->nat_problems.find(row);
            all.push_back({spec, port->interface ? port->interface->ofport : 0,
                           problem == port->nat_problems.end() ? "" : problem->second});
        }
    }
    std::ranges::sort(all, {}, [](const NatStatus& each) { return each.spec.name; });
    for (const NatStatus& status : all) {
        visit(status);
    }
}

void Model::for_each_nat_port(const std::function<void(const PortView&)>& visit) const {
    std::map<std::string_view, const PortView*> views;
    for (const PortRecord* port : nat_ports_) {
        if (port->view) {
            views.emplace(port->name, &*port->view);
        }
    }
    for (const auto& [name, view] : views) {
        visit(*view);
    }
}

}  // namespace hnv::policy
