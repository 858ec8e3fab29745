// CA-PA mappings: who is where.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

namespace {

using NextMapping = MappingRecord* MappingRecord::*;

void append(MappingRecord*& first, MappingRecord& mapping, NextMapping next) {
    MappingRecord** link = &first;
    while (*link != nullptr) {
        link = &((*link)->*next);
    }
    *link = &mapping;
}

// Returns true when the list is empty now.
[[nodiscard]] bool take_out(MappingRecord*& first, MappingRecord& mapping, NextMapping next) {
    MappingRecord** link = &first;
    while (*link != &mapping) {
        link = &((*link)->*next);
    }
    *link = mapping.*next;
    mapping.*next = nullptr;
    return first == nullptr;
}

}  // namespace

LocatorRecord& Model::locator_record(const Uuid& row) {
    auto& record = locators_[row];
    if (!record) {
        record = std::make_unique<LocatorRecord>();
        record->row = row;
        record->number = next_number_++;
        locators_by_number_[record->number] = record.get();
    }
    return *record;
}

void Model::hold(LocatorRecord& locator) { locators_changed_ |= locator.uses++ == 0; }

void Model::release(LocatorRecord& locator) {
    locators_changed_ |= locator.uses == 0;
    if (!locator.spec && locator.uses == 0) {
        locators_by_number_.erase(locator.number);
        locators_.erase(Uuid(locator.row));
    }
}

// References are strong: a mapping that names a locator comes with it in one transaction, and goes
// before it. So a locator that appears or goes has no mappings that this commit does not see
// anyway; only others of the same value have to be looked at again.
void Model::put(const Uuid& row, LocatorSpec spec) {
    LocatorRecord& locator = locator_record(row);
    if (locator.spec == spec) {
        return;
    }
    if (locator.spec) {
        touch_pa(locator.spec->pa);
        unlist(locator);
    }
    locator.spec = spec;
    locators_changed_ = true;
    locators_by_pa_[spec.pa].insert(locator.number);
    if (locators_by_pa_[spec.pa].size() > 1) {
        touch_twins(spec.pa);
    }
}

void Model::remove_locator(const Uuid& row) {
    const auto entry = locators_.find(row);
    if (entry != locators_.end() && entry->second->spec) {
        unlist(*entry->second);
        entry->second->spec.reset();
        locators_changed_ = true;
        release(*entry->second);
    }
}

void Model::unlist(LocatorRecord& locator) {
    const auto twins = locators_by_pa_.find(locator.spec->pa);
    twins->second.erase(locator.number);
    if (twins->second.empty()) {
        locators_by_pa_.erase(twins);
    } else {
        touch_twins(locator.spec->pa);
    }
}

// Locators of one address (by VXLAN and by NVGRE, or an IPv6 address in two spellings): one of them
// owns the peer's flows.
void Model::touch_twins(const IpAddress& pa) {
    const auto twins = locators_by_pa_.find(pa);
    if (twins == locators_by_pa_.end()) {
        return;
    }
    for (const auto& [row, subnet] : subnets_) {
        touch_twins(*subnet, pa);
    }
}

void Model::touch_twins(const SubnetRecord& subnet, const IpAddress& pa) {
    for (const std::uint32_t number : locators_by_pa_.at(pa)) {
        if (subnet.locators.contains(number)) {
            touch(ObjectKind::Peer, subnet.number, number);
        }
    }
}

void Model::put(const Uuid& row, const MappingSpec& spec) {
    const auto known = mappings_.find(row);
    if (known != mappings_.end()) {
        MappingRecord& mapping = known->second;
        const bool same_place =
            mapping.subnet->row == spec.subnet && mapping.mac == spec.mac && mapping.ca == spec.ca;
        if (!same_place) {
            remove_mapping(row);
            faults_.set(ref(SourceTable::MsVtepUcastMacsRemote, row), FaultKey::CaConflict,
                        std::nullopt);  // It may have no CA now.
        } else {
            if (mapping.locator->row != spec.locator) {
                LocatorRecord& before = *mapping.locator;
                mapping.locator = &locator_record(spec.locator);
                hold(*mapping.locator);
                --before.uses;
                release(before);
            }
            if (mapping.ca && mapping.type != spec.type) {
                touch_ca(*mapping.subnet, *mapping.ca);  // Whether it may share its CA.
            }
            mapping.type = spec.type;
            touch_mac(*mapping.subnet, mapping.mac);
            return;
        }
    }
    MappingRecord& mapping = mappings_[row];
    mapping.row = row;
    mapping.mac = spec.mac;
    mapping.type = spec.type;
    mapping.ca = spec.ca;
    mapping.subnet = &subnet_record(spec.subnet);
    mapping.locator = &locator_record(spec.locator);
    link(mapping);
}

void Model::link(MappingRecord& mapping) {
    SubnetRecord& subnet = *mapping.subnet;
    ++subnet.mappings;
    touched_programming_.insert(&subnet);
    append(subnet.by_mac[mapping.mac], mapping, &MappingRecord::next_of_mac);
    touch_mac(subnet, mapping.mac);
    if (mapping.ca) {
        append(subnet.by_ca[*mapping.ca], mapping, &MappingRecord::next_of_ca);
        touch_ca(subnet, *mapping.ca);
    }
    hold(*mapping.locator);
}

void Model::unlink(MappingRecord& mapping) {
    SubnetRecord& subnet = *mapping.subnet;
    --subnet.mappings;
    touched_programming_.insert(&subnet);
    const auto of_mac = subnet.by_mac.find(mapping.mac);
    if (take_out(of_mac->second, mapping, &MappingRecord::next_of_mac)) {
        subnet.by_mac.erase(of_mac);
    }
    touch_mac(subnet, mapping.mac);
    if (mapping.ca) {
        const auto of_ca = subnet.by_ca.find(*mapping.ca);
        if (take_out(of_ca->second, mapping, &MappingRecord::next_of_ca)) {
            subnet.by_ca.erase(of_ca);
        }
        touch_ca(subnet, *mapping.ca);
    }
    count(mapping, nullptr);
    --mapping.locator->uses;
    release(*mapping.locator);
    if (subnet.mappings == 0 && !subnet.spec) {
        touched_subnets_.insert(&subnet);  // commit() releases it.
    }
}

void Model::remove_mapping(const Uuid& row) {
    const auto known = mappings_.find(row);
    if (known != mappings_.end()) {
        unlink(known->second);
        mappings_.erase(known);
    }
}

// What a mapping in force says of its PA: that it is one of the subnet's. nullptr: nothing.
void Model::count(MappingRecord& mapping, LocatorRecord* locator) {
    LocatorRecord* before = std::exchange(mapping.counted, locator);
    if (before == locator) {
        return;
    }
    if (locator != nullptr) {
        count_locator(*mapping.subnet, *locator, &LocatorUse::mappings, true);
    }
    if (before != nullptr) {
        count_locator(*mapping.subnet, *before, &LocatorUse::mappings, false);
    }
}

void Model::count_locator(SubnetRecord& subnet, LocatorRecord& locator,
                          std::size_t LocatorUse::*kind, bool added) {
    LocatorUse& use = subnet.locators[locator.number];
    const bool changed = added ? (use.*kind)++ == 0 : --(use.*kind) == 0;
    if (changed) {
        touch(ObjectKind::Peer, subnet.number, locator.number);
        touch(ObjectKind::Subnet, subnet.number);
        if (const RouterRecord* router = router_of(subnet)) {
            touch(ObjectKind::Router, router->number);
        }
        if (locator.spec) {
            touch_twins(subnet, locator.spec->pa);
        }
    }
    if (use.none()) {
        subnet.locators.erase(locator.number);
    }
    if (added) {
        hold(locator);
    } else {
        --locator.uses;
        release(locator);
    }
}

void Model::touch_mac(SubnetRecord& subnet, const MacAddress& mac) {
    touch(ObjectKind::Mac, subnet.number, mac.bits());
    touch_ports_of(subnet, mac);  // A port takes its CAs from the mappings of its attached MAC.
    if (subnet.spec && subnet.spec->replicate_per_vm) {
        touch(ObjectKind::Subnet, subnet.number);
    }
}

void Model::touch_ca(SubnetRecord& subnet, const IpAddress& ca) {
    touched_cas_[&subnet].insert(ca);
}

// A row is in force unless it is in conflict with one that was there before it: of a MAC the first
// row says where it is; of a CA the first of those that are right about their MAC says whose it is.
bool Model::agrees_on_mac(const MappingRecord& mapping) {
    const MappingRecord& first = *mapping.subnet->by_mac.at(mapping.mac);
    return mapping.locator->spec == first.locator->spec;
}

const MappingRecord* Model::owner_of(const SubnetRecord& subnet, const IpAddress& ca) {
    const auto entry = subnet.by_ca.find(ca);
    const MappingRecord* each = entry == subnet.by_ca.end() ? nullptr : entry->second;
    while (each != nullptr && !agrees_on_mac(*each)) {
        each = each->next_of_ca;
    }
    return each;
}

bool Model::share(const MappingRecord& a, const MappingRecord& b) {
    return a.type == MappingType::LoadBalanced && b.type == MappingType::LoadBalanced;
}

bool Model::in_force(const MappingRecord& mapping) {
    if (!agrees_on_mac(mapping)) {
        return false;
    }
    if (!mapping.ca) {
        return true;
    }
    const MappingRecord& owner = *owner_of(*mapping.subnet, *mapping.ca);  // It, if no other.
    return owner.mac == mapping.mac || share(mapping, owner);
}

// Whether any of the MAC's mappings is. `first`: of them.
bool Model::any_in_force(const MappingRecord& first) {
    const MappingRecord* each = &first;
    while (each != nullptr && !in_force(*each)) {
        each = each->next_of_mac;
    }
    return each != nullptr;
}

// The addresses that are the MAC's, ascending. `first`: of the MAC's mappings.
std::vector<IpAddress> Model::cas_of(const MappingRecord& first) {
    std::vector<IpAddress> cas;
    for (const MappingRecord* each = &first; each != nullptr; each = each->next_of_mac) {
        if (each->ca && in_force(*each) && !each->subnet->gateways.contains(*each->ca)) {
            cas.push_back(*each->ca);
        }
    }
    std::sort(cas.begin(), cas.end());
    cas.erase(std::unique(cas.begin(), cas.end()), cas.end());
    return cas;
}

void Model::check_mac(MappingRecord& first) {
    for (MappingRecord* each = &first; each != nullptr; each = each->next_of_mac) {
        faults_.set(ref(SourceTable::MsVtepUcastMacsRemote, each->row), FaultKey::MappingConflict,
                    agrees_on_mac(*each)
                        ? std::nullopt
                        : std::optional(each->mac.to_string() +
                                        " in this subnet is already mapped to another provider "
                                        "address; delete the old row to move it"));
        if (each->ca) {
            touch_ca(*each->subnet, *each->ca);  // The row may have, or lose, a claim to it.
        } else {
            count(*each, in_force(*each) ? each->locator : nullptr);
        }
    }
}

void Model::check_ca(MappingRecord& first, const MappingRecord* owner) {
    for (MappingRecord* each = &first; each != nullptr; each = each->next_of_ca) {
        const bool valid = in_force(*each);
        faults_.set(
            ref(SourceTable::MsVtepUcastMacsRemote, each->row), FaultKey::CaConflict,
            valid || !agrees_on_mac(*each)
                ? std::nullopt
                : std::optional(each->ca->to_string() + " in this subnet is already mapped to " +
                                owner->mac.to_string() + "; delete one of the two rows"));
        count(*each, valid ? each->locator : nullptr);
        touch_mac(*each->subnet, each->mac);  // Whose address it is.
    }
}

void Model::resolve_macs() {
    std::vector<ObjectId> macs;
    std::ranges::copy_if(touched_, std::back_inserter(macs),
                         [](const ObjectId& id) { return id.kind == ObjectKind::Mac; });
    for (const ObjectId& id : macs) {
        const auto subnet = subnets_by_number_.find(id.owner);
        if (subnet == subnets_by_number_.end()) {
            continue;
        }
        const auto first = subnet->second->by_mac.find(MacAddress::from_bits(id.detail));
        if (first != subnet->second->by_mac.end()) {
            check_mac(*first->second);
        } else if (subnet->second->demanded.erase(MacAddress::from_bits(id.detail)) != 0) {
            --demanded_;
        }
    }
}

void Model::resolve_cas() {
    for (const auto& [subnet, cas] : std::exchange(touched_cas_, {})) {
        for (const IpAddress& ca : cas) {
            resolve_ca(*subnet, ca);
        }
    }
}

void Model::resolve_ca(SubnetRecord& subnet, const IpAddress& ca) {
    const auto entry = subnet.by_ca.find(ca);
    const MappingRecord* owner = owner_of(subnet, ca);
    resolve_vip(subnet, ca, owner);
    if (entry != subnet.by_ca.end()) {
        check_ca(*entry->second, owner);
    }
    touch_services_with_next_hop(ca);
    if (const auto learned = subnet.learned_cas.find(ca); learned != subnet.learned_cas.end()) {
        touch_learned(subnet, learned->second);  // Whether the router resolves it.
    }
    touch_routes_to(subnet, ca);
    touch_claimants(subnet, ca);
    if (!subnet.in_force || subnet.gateways.contains(ca) || subnet.link_local == ca) {
        return;
    }
    if (owner == nullptr) {
        neighbours_.erase(subnet.spec->vsid, ca);
    } else {
        neighbours_.set(subnet.spec->vsid, ca, owner->mac);
    }
}

// An address whose first mapping is load_balanced is shared by all that are, even while there is
// but one: its connections must be known when the second comes.
void Model::resolve_vip(SubnetRecord& subnet, const IpAddress& ca, const MappingRecord* owner) {
    const auto known = subnet.vips.find(ca);
    const bool shared = owner != nullptr && owner->type == MappingType::LoadBalanced &&
                        !subnet.gateways.contains(ca);
    if (!shared && known == subnet.vips.end()) {
        return;
    }
    if (const RouterRecord* router = router_of(subnet)) {
        for (const SubnetRecord* sibling : subnets_of(*router)) {
            const auto same = sibling->vips.find(ca);
            if (same != sibling->vips.end()) {
                touch(ObjectKind::Vip, sibling->number, same->second);
            }
        }
    }
    if (known != subnet.vips.end()) {
        touch(ObjectKind::Vip, subnet.number, known->second);
        if (!shared) {
            subnet.vips_by_number.erase(known->second);
            subnet.vips.erase(known);
        }
    } else if (shared) {
        const std::uint32_t number = next_number_++;
        subnet.vips.emplace(ca, number);
        subnet.vips_by_number.emplace(number, ca);
        touch(ObjectKind::Vip, subnet.number, number);
    }
}

std::optional<VipView> Model::vip(const ObjectId& id) const {
    const auto entry = subnets_by_number_.find(id.owner);
    if (entry == subnets_by_number_.end() || !entry->second->in_force) {
        return std::nullopt;
    }
    const SubnetRecord& subnet = *entry->second;
    const auto known = subnet.vips_by_number.find(static_cast<std::uint32_t>(id.detail));
    if (known == subnet.vips_by_number.end()) {
        return std::nullopt;
    }
    VipView view{subnet.spec->vsid, network_of(subnet), known->second, {}, true};
    if (const RouterRecord* router = router_of(subnet)) {
        const auto siblings = subnets_of(*router);
        view.first_of_network = std::ranges::none_of(siblings, [&](const SubnetRecord* other) {
            return other->spec->vsid < view.vsid && other->vips.contains(view.address);
        });
    }
    for (const MappingRecord* each = subnet.by_ca.at(known->second); each != nullptr;
         each = each->next_of_ca) {
        if (each->type == MappingType::LoadBalanced && in_force(*each)) {
            view.backends.push_back(each->mac);
        }
    }
    std::ranges::sort(view.backends);
    view.backends.erase(std::unique(view.backends.begin(), view.backends.end()),
                        view.backends.end());
    return view;
}

void Model::for_each_vtep_locator(
    const std::function<void(const Uuid&, const LocatorSpec&)>& visit) const {
    for (const auto& [row, locator] : locators_) {
        if (locator->spec && locator->uses > 0 && vtep_rows_.contains(row)) {
            visit(row, *locator->spec);
        }
    }
}

std::optional<PeerView> Model::peer(const ObjectId& id) const {
    const auto entry = subnets_by_number_.find(id.owner);
    if (entry == subnets_by_number_.end() || !entry->second->in_force) {
        return std::nullopt;
    }
    const auto number = static_cast<std::uint32_t>(id.detail);
    const auto locator = locators_by_number_.find(number);
    if (locator == locators_by_number_.end() || !locator->second->spec ||
        !entry->second->locators.contains(number) || is_local_pa(locator->second->spec->pa)) {
        return std::nullopt;
    }
    // Of a routed subnet all provider addresses of the network may send into it: its router's
    // flows. Into a VLAN none does.
    if (router_of(*entry->second) != nullptr || entry->second->spec->vlan) {
        return std::nullopt;
    }
    const IpAddress& pa = locator->second->spec->pa;
    for (const std::uint32_t twin : locators_by_pa_.at(pa)) {
        if (twin < number && entry->second->locators.contains(twin)) {
            return std::nullopt;
        }
    }
    return PeerView{entry->second->spec->vsid, pa, vtep_rows_.contains(entry->second->row)};
}

std::optional<MacView> Model::mac(const ObjectId& id) const {
    const auto entry = subnets_by_number_.find(id.owner);
    if (entry == subnets_by_number_.end() || !entry->second->in_force) {
        return std::nullopt;
    }
    const auto mac = MacAddress::from_bits(id.detail);
    const auto of_mac = entry->second->by_mac.find(mac);
    if (of_mac == entry->second->by_mac.end() || entry->second->spec->vlan ||
        !of_mac->second->locator->spec || !any_in_force(*of_mac->second)) {
        return std::nullopt;
    }
    const LocatorSpec& locator = *of_mac->second->locator->spec;
    if (entry->second->on_demand && !is_local_pa(locator.pa) &&
        !entry->second->demanded.contains(mac)) {
        return std::nullopt;
    }
    MacView view{entry->second->spec->vsid, mac, locator, is_local_pa(locator.pa), {}};
    if (router_of(*entry->second) != nullptr) {
        view.routed_cas = cas_of(*of_mac->second);
        std::erase_if(view.routed_cas,
                      [&](const IpAddress& ca) { return entry->second->vips.contains(ca); });
    }
    return view;
}

}  // namespace hnv::policy
