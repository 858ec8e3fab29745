// Groups: where broadcast and multicast of a subnet go when the controller says so.
#include <algorithm>
#include <iterator>

#include "policy/model.h"

namespace hnv::policy {

void Model::put(const Uuid& row, LocatorSetSpec spec) {
    LocatorSetRecord& set = locator_sets_[row];
    if (set.spec != spec) {
        set.spec = std::move(spec);
        touch_users(set);
    }
}

void Model::remove_locator_set(const Uuid& row) {
    const auto known = locator_sets_.find(row);
    if (known != locator_sets_.end()) {
        known->second.spec.reset();
        touch_users(known->second);
        release_locator_set(row);
    }
}

void Model::release_locator_set(const Uuid& row) {
    const auto known = locator_sets_.find(row);
    if (known != locator_sets_.end() && !known->second.spec && known->second.users.empty()) {
        locator_sets_.erase(known);
    }
}

void Model::touch_users(const LocatorSetRecord& set) {
    touched_groups_.insert(set.users.begin(), set.users.end());
}

void Model::put(const Uuid& row, const GroupSpec& spec) {
    const auto known = groups_.find(row);
    if (known != groups_.end() && known->second == spec) {
        return;
    }
    if (known != groups_.end() &&
        (known->second.subnet != spec.subnet || known->second.mac != spec.mac)) {
        remove_group(row);
    }
    groups_.insert_or_assign(row, spec);
    SubnetRecord& subnet = subnet_record(spec.subnet);
    subnet.groups[spec.mac].put(row, spec.locator_set);
    touched_groups_.insert(&subnet);
}

void Model::remove_group(const Uuid& row) {
    const auto known = groups_.find(row);
    if (known == groups_.end()) {
        return;
    }
    SubnetRecord& subnet = subnet_record(known->second.subnet);
    const auto claims = subnet.groups.find(known->second.mac);
    claims->second.remove(row);
    if (claims->second.empty()) {
        subnet.groups.erase(claims);
    }
    groups_.erase(known);
    touched_groups_.insert(&subnet);
}

// The locators of the groups in force count as the subnet's: they may send into it.
void Model::resolve_groups() {
    for (SubnetRecord* subnet : std::exchange(touched_groups_, {})) {
        const auto locators_before = std::exchange(subnet->group_locators, {});
        const auto sets_before = std::exchange(subnet->group_sets, {});
        for (const auto& [mac, claims] : subnet->groups) {
            check_group(mac, claims);
            LocatorSetRecord& set = locator_sets_[*claims.spec()];
            subnet->group_sets.push_back(*claims.spec());
            set.users.insert(subnet);
            for (const Uuid& row : set.spec ? set.spec->locators : std::vector<Uuid>{}) {
                LocatorRecord& locator = locator_record(row);
                subnet->group_locators.push_back(&locator);
                count_locator(*subnet, locator, &LocatorUse::groups, true);
            }
        }
        for (LocatorRecord* locator : locators_before) {
            count_locator(*subnet, *locator, &LocatorUse::groups, false);
        }
        for (const Uuid& row : sets_before) {
            auto& users = locator_sets_.at(row).users;
            users.erase(users.find(subnet));
            release_locator_set(row);
        }
        touch(ObjectKind::Subnet, subnet->number);
        for (PortRecord* port : subnet->ports) {
            if (port->specs.spec() != nullptr && port->specs.spec()->vtep) {
                touch_port(*port);  // Where it sends what is for unknown MACs.
            }
        }
        if (!subnet->spec) {
            touched_subnets_.insert(subnet);  // commit() releases it.
        }
    }
}

void Model::check_group(const std::optional<MacAddress>& mac, const Claims<Uuid>& claims) {
    for (const auto& [row, set] : claims.all()) {
        faults_.set(ref(SourceTable::MsVtepMcastMacsRemote, row), FaultKey::MappingConflict,
                    row == claims.row()
                        ? std::nullopt
                        : std::optional("another row of this subnet already says where " +
                                        (mac ? mac->to_string() : "unknown-dst") +
                                        " goes; delete one of the two"));
    }
}

namespace {

// Distinct PAs, ascending; by VXLAN if there is a choice.
void sort_unique(std::vector<LocatorSpec>& locators) {
    std::sort(locators.begin(), locators.end(), [](const auto& a, const auto& b) {
        return std::tie(a.pa, a.encapsulation) < std::tie(b.pa, b.encapsulation);
    });
    const auto same_pa = [](const auto& a, const auto& b) { return a.pa == b.pa; };
    locators.erase(std::unique(locators.begin(), locators.end(), same_pa), locators.end());
}

}  // namespace

// Those of other hosts are where copies go, this host's own where they come.
Model::Spread Model::spread_of(std::vector<LocatorSpec> locators) const {
    sort_unique(locators);
    Spread spread;
    for (const LocatorSpec& locator : locators) {
        if (is_local_pa(locator.pa)) {
            spread.arrivals.push_back(locator.pa);
        } else {
            spread.peers.push_back(locator);
        }
    }
    return spread;
}

Model::Spread Model::spread_of_set(const SubnetRecord& subnet, const Uuid& set) const {
    std::vector<LocatorSpec> locators;
    const auto known = locator_sets_.find(set);
    if (known != locator_sets_.end() && known->second.spec) {
        for (const Uuid& row : known->second.spec->locators) {
            const auto locator = locators_.find(row);
            if (locator != locators_.end() && locator->second->spec) {
                locators.push_back(*locator->second->spec);
            }
        }
    }
    Spread spread = spread_of(std::move(locators));
    if (subnet.spec->service_node) {
        choose_service_node(subnet.spec->vsid, spread.peers);
    }
    return spread;
}

// Of the service nodes that can be reached the one with the highest score for the subnet
// (rendezvous hashing): the subnets spread over them, and when one goes only its own move. If none
// can be reached, the one that would serve if all could.
void Model::choose_service_node(std::uint32_t vsid, std::vector<LocatorSpec>& peers) const {
    if (peers.empty()) {
        return;
    }
    const auto score = [&](const LocatorSpec& peer) {
        std::uint64_t hash = 0xcbf29ce484222325ULL ^ vsid;
        for (const std::uint8_t byte : peer.pa.bytes()) {
            hash = (hash ^ byte) * 0x100000001b3ULL;
        }
        hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
        return std::pair(!unreachable_.contains(peer.pa), hash ^ hash >> 29);
    };
    peers = {*std::ranges::max_element(peers, {}, score)};
}

void Model::set_unreachable(const std::set<IpAddress>& addresses) {
    if (addresses == unreachable_) {
        return;
    }
    std::set<IpAddress> changed;
    std::ranges::set_symmetric_difference(addresses, unreachable_,
                                          std::inserter(changed, changed.end()));
    unreachable_ = addresses;
    for (const auto& [row, subnet] : subnets_) {
        const bool concerned =
            subnet->spec && subnet->spec->service_node &&
            std::ranges::any_of(subnet->group_locators, [&](const LocatorRecord* locator) {
                return locator->spec && changed.contains(locator->spec->pa);
            });
        if (concerned) {
            touch(ObjectKind::Subnet, subnet->number);
        }
    }
}

Model::Spread Model::spread_of_mappings(const SubnetRecord& subnet) const {
    std::vector<LocatorSpec> locators;
    for (const auto& [number, use] : subnet.locators) {
        const auto& locator = locators_by_number_.at(number)->spec;
        if (locator && use.mappings > 0) {
            locators.push_back(*locator);
        }
    }
    return spread_of(std::move(locators));
}

// Where the subnet's broadcast and multicast go, other than to its ports here.
void Model::view_replication(const SubnetRecord& subnet, SubnetView& view) const {
    const auto others = subnet.groups.find(std::nullopt);
    const bool per_vm = others == subnet.groups.end() && subnet.spec->replicate_per_vm;
    Spread spread = others == subnet.groups.end() ? spread_of_mappings(subnet)
                                                  : spread_of_set(subnet, *others->second.spec());
    view.arrivals = std::move(spread.arrivals);
    if (!per_vm) {
        view.peers = std::move(spread.peers);
    } else {
        for (const auto& [mac, first] : subnet.by_mac) {
            const auto& locator = first->locator->spec;
            if (locator && !is_local_pa(locator->pa) && any_in_force(*first)) {
                view.members.push_back({mac, *locator});
            }
        }
        std::ranges::sort(view.members, {}, &SubnetView::Member::mac);
    }
    for (const auto& [mac, claims] : subnet.groups) {
        if (mac) {
            Spread own = spread_of_set(subnet, *claims.spec());
            view.groups.push_back({*mac, std::move(own.peers), std::move(own.arrivals)});
        }
    }
}

// The local PA of the port's mapping in the subnet; unspecified if that is (still) another host's.
IpAddress Model::arrival_of(const SubnetRecord& subnet, const PortRecord& port) const {
    const auto of_mac =
        port.attached_mac ? subnet.by_mac.find(*port.attached_mac) : subnet.by_mac.end();
    if (of_mac == subnet.by_mac.end() || !of_mac->second->locator->spec ||
        !is_local_pa(of_mac->second->locator->spec->pa)) {
        return {};
    }
    return of_mac->second->locator->spec->pa;
}

}  // namespace hnv::policy
