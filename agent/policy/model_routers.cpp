// Virtual networks: which router has a subnet, and its routes.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

// A router that is changed keeps its place among those that bind a subnet.
void Model::put(const Uuid& row, RouterSpec spec) {
    const auto known = routers_.find(row);
    if (known != routers_.end() && known->second.spec == spec) {
        return;
    }
    std::map<Uuid, std::vector<IpPrefix>> wanted;
    for (const RouterSpec::Binding& binding : spec.bindings) {
        wanted[binding.subnet].push_back(binding.prefix);
    }
    if (known != routers_.end()) {
        for (const RouterSpec::Binding& binding : known->second.spec.bindings) {
            if (!wanted.contains(binding.subnet)) {
                unbind(row, binding.subnet);
            }
        }
        // Raised again by check_router() if it still binds a subnet of another router.
        faults_.set(ref(SourceTable::MsVtepLogicalRouter, row), FaultKey::SubnetTwoRouters,
                    std::nullopt);
    }
    for (auto& [subnet_row, prefixes] : wanted) {
        SubnetRecord& subnet = subnet_record(subnet_row);
        subnet.bindings.put(row, std::move(prefixes));
        touched_subnets_.insert(&subnet);
    }
    RouterRecord& router = routers_[row];
    if (router.number == 0) {
        router.number = next_number_++;
        router.row = row;
        routers_by_number_[router.number] = row;
    }
    router.spec = std::move(spec);
    touch_router(router);
}

void Model::unbind(const Uuid& router, const Uuid& subnet) {
    const auto entry = subnets_.find(subnet);
    if (entry != subnets_.end()) {
        entry->second->bindings.remove(router);
        touched_subnets_.insert(entry->second.get());
        for (const auto& [other, prefixes] : entry->second->bindings.all()) {
            check_router(other);
        }
    }
}

void Model::remove_router(const Uuid& row) {
    const auto known = routers_.find(row);
    if (known == routers_.end()) {
        return;
    }
    for (const RouterSpec::Binding& binding : known->second.spec.bindings) {
        unbind(row, binding.subnet);
    }
    touch(ObjectKind::Router, known->second.number);
    routers_by_number_.erase(known->second.number);
    faults_.set(ref(SourceTable::MsVtepLogicalRouter, row), FaultKey::SubnetTwoRouters,
                std::nullopt);
    routers_.erase(known);
}

void Model::set_router_mac(const MacAddress& mac) {
    if (mac == router_mac_) {
        return;
    }
    router_mac_ = mac;
    touch(ObjectKind::Host, 0);
    for (const auto& [row, subnet] : subnets_) {
        if (!subnet->bindings.empty()) {
            touched_subnets_.insert(subnet.get());
            for (PortRecord* port : subnet->ports) {
                touch_port(*port);
            }
        } else {
            touch_adapters_of(*subnet);  // DHCP speaks with the router's MAC in any subnet.
        }
    }
}

// A subnet belongs to the first router that binds it; the others have a fault.
void Model::check_router(const Uuid& row) {
    const auto known = routers_.find(row);
    if (known == routers_.end()) {
        return;
    }
    std::optional<std::string> message;
    std::optional<std::string> vlan;
    for (const RouterSpec::Binding& binding : known->second.spec.bindings) {
        const auto entry = subnets_.find(binding.subnet);
        if (entry != subnets_.end() && entry->second->in_force && entry->second->spec->vlan) {
            vlan = "the subnet of switch_binding " + binding.prefix.to_string() + " is VLAN " +
                   std::to_string(entry->second->spec->vlan->vlan) +
                   " of the underlay, which has a router of its own; take it out";
        }
        if (entry != subnets_.end() && entry->second->bindings.row() != row) {
            message = "the subnet of switch_binding " + binding.prefix.to_string() +
                      " already belongs to another Logical_Router; take it out of one of them";
        }
    }
    faults_.set(ref(SourceTable::MsVtepLogicalRouter, row), FaultKey::SubnetTwoRouters, message);
    faults_.set(ref(SourceTable::MsVtepLogicalRouter, row), FaultKey::SubnetVlan, vlan);
}

// The router that the subnet belongs to; null when nothing routes it. A router that is switched off
// keeps its subnets, and leaves them unrouted. Both are rows of one database: what a client gave
// the UUID of a row of the other is not that row.
const RouterRecord* Model::router_of(const SubnetRecord& subnet) const {
    const auto row = subnet.bindings.row();
    const bool may_be_routed = subnet.in_force && !subnet.spec->vlan;
    const auto router = row && may_be_routed ? routers_.find(*row) : routers_.end();
    return router != routers_.end() && router->second.spec.enabled &&
                   vtep_rows_.contains(subnet.row) == vtep_rows_.contains(*row)
               ? &router->second
               : nullptr;
}

// Its subnets in force, each once.
std::vector<SubnetRecord*> Model::subnets_of(const RouterRecord& router) const {
    std::vector<SubnetRecord*> subnets;
    std::unordered_set<const SubnetRecord*> seen;
    for (const RouterSpec::Binding& binding : router.spec.bindings) {
        const auto entry = subnets_.find(binding.subnet);
        if (entry != subnets_.end() && router_of(*entry->second) == &router &&
            seen.insert(entry->second.get()).second) {
            subnets.push_back(entry->second.get());
        }
    }
    return subnets;
}

std::optional<NetworkKey> Model::network_of(const RouterRecord& router) const {
    std::optional<NetworkKey> lowest;
    for (const SubnetRecord* subnet : subnets_of(router)) {
        lowest = std::min(lowest.value_or(subnet->spec->vsid), subnet->spec->vsid);
    }
    return lowest;
}

// A subnet that nothing routes is a network of its own. Precondition: the subnet is in force.
NetworkKey Model::network_of(const SubnetRecord& subnet) const {
    const RouterRecord* router = router_of(subnet);
    return router != nullptr ? *network_of(*router) : subnet.spec->vsid;
}

// Its routes, and what leads there from its subnets.
void Model::touch_router(RouterRecord& router) {
    touch(ObjectKind::Router, router.number);
    const auto network = network_of(router);
    for (SubnetRecord* subnet : subnets_of(router)) {
        touch(ObjectKind::Subnet, subnet->number);
        note_network(*subnet, *network);
        if (!services_.next_hops.empty()) {  // They may lead to another subnet now.
            for (const PortRecord* port : subnet->ports) {
                touch_services(*port);
            }
        }
        for (const auto& [ca, number] : subnet->vips) {
            touch(ObjectKind::Vip, subnet->number, number);
        }
    }
}

// Who has the address may be another one now.
void Model::touch_routes_to(const SubnetRecord& subnet, const IpAddress& ca) {
    if (const RouterRecord* router = router_of(subnet);
        router != nullptr && router->next_hops.contains(ca)) {
        touch(ObjectKind::Router, router->number);
    }
}

void Model::note_network(SubnetRecord& subnet, NetworkKey network) {
    if (std::exchange(subnet.network, network) == network) {
        return;
    }
    for (PortRecord* port : subnet.ports) {
        touch_port(*port);
    }
    for (const auto& [ca, number] : subnet.vips) {
        touch(ObjectKind::Vip, subnet.number, number);
    }
}

// Only a routed subnet's addresses are resolved to MACs in the switch.
// The network of one that is routed its router tells to all of its subnets at once.
void Model::note_routed(SubnetRecord& subnet) {
    const bool routed = router_of(subnet) != nullptr;
    if (subnet.in_force && !routed) {
        note_network(subnet, subnet.spec->vsid);
    }
    if (!routed) {
        faults_.set(ref(SourceTable::MsVtepLogicalSwitch, subnet.row), FaultKey::NextHopUnmapped,
                    std::nullopt);
    }
    if (routed != subnet.routed) {
        subnet.routed = routed;
        for (const auto& [mac, first] : subnet.by_mac) {
            touch(ObjectKind::Mac, subnet.number, mac.bits());
        }
        for (const auto& [locator, count] : subnet.locators) {
            touch(ObjectKind::Peer, subnet.number, locator);
        }
    }
}

// Where a static route leads: to a CA of one of the router's own subnets.
// A controller's mapping says who has the next hop; else whoever was seen with it, in the subnet
// that it belongs to: a guest must not draw another subnet's address to itself.
std::optional<RouterView::Route> Model::resolve(const RouterRecord& router,
                                                const StaticRoute& route) const {
    const auto subnets = subnets_of(router);
    for (const SubnetRecord* subnet : subnets) {
        const MappingRecord* owner = owner_of(*subnet, route.next_hop);
        if (owner != nullptr && !subnet->gateways.contains(route.next_hop)) {
            return RouterView::Route{route.prefix, std::nullopt, subnet->spec->vsid, owner->mac};
        }
    }
    for (const SubnetRecord* subnet : subnets) {
        const auto learned = subnet->learned_cas.find(route.next_hop);
        if (learned != subnet->learned_cas.end() && may_have(*subnet, route.next_hop)) {
            return RouterView::Route{route.prefix, std::nullopt, subnet->spec->vsid,
                                     learned->second};
        }
    }
    return std::nullopt;
}

void Model::check_routes(RouterRecord& router) {
    router.next_hops.clear();
    const auto unresolved = [&](const std::vector<StaticRoute>& routes) {
        std::optional<std::string> problem;
        for (const StaticRoute& route : routes) {
            router.next_hops.insert(route.next_hop);
            if (!resolve(router, route)) {
                problem =
                    "next hop " + route.next_hop.to_string() + " of static route " +
                    route.prefix.to_string() +
                    " is not mapped in this virtual network; the route has no effect until it "
                    "is";
            }
        }
        return problem;
    };
    faults_.set(ref(SourceTable::MsVtepLogicalRouter, router.row), FaultKey::NextHopUnmapped,
                router.spec.enabled ? unresolved(router.spec.static_routes) : std::nullopt);
    for (const SubnetRecord* subnet : subnets_of(router)) {
        faults_.set(ref(SourceTable::MsVtepLogicalSwitch, subnet->row), FaultKey::NextHopUnmapped,
                    unresolved(subnet->spec->static_routes));
    }
}

std::optional<MacAddress> Model::vtep_router_mac() const {
    const bool any = std::ranges::any_of(
        routers_, [this](const auto& each) { return vtep_rows_.contains(each.first); });
    return any ? std::optional(router_mac_) : std::nullopt;
}

std::optional<RouterView> Model::router(const ObjectId& id) const {
    const auto row = routers_by_number_.find(id.owner);
    if (row == routers_by_number_.end()) {
        return std::nullopt;
    }
    const RouterRecord& router = routers_.at(row->second);
    const auto network = network_of(router);
    if (!network) {
        return std::nullopt;
    }
    RouterView view;
    view.network = *network;
    view.mac = router_mac_;
    // Of two that say where one prefix is, the first counts.
    std::set<IpPrefix> connected;
    std::set<std::pair<std::optional<std::uint32_t>, IpPrefix>> routed;
    const auto add = [&](const std::vector<StaticRoute>& routes,
                         std::optional<std::uint32_t> from_vsid) {
        for (const StaticRoute& route : routes) {
            auto resolved = resolve(router, route);
            if (resolved && routed.emplace(from_vsid, route.prefix).second) {
                resolved->from_vsid = from_vsid;
                view.routes.push_back(*resolved);
            }
        }
    };
    add(router.spec.static_routes, std::nullopt);
    for (const SubnetRecord* subnet : subnets_of(router)) {
        view.gateways.insert(view.gateways.end(), subnet->gateways.begin(), subnet->gateways.end());
        for (const IpPrefix& prefix : *subnet->bindings.spec()) {
            const IpPrefix network_prefix{prefix.network(), prefix.length};
            if (connected.insert(network_prefix).second) {
                view.connected.push_back({network_prefix, subnet->spec->vsid});
            }
        }
        add(subnet->spec->static_routes, subnet->spec->vsid);
        for (const auto& [number, count] : subnet->locators) {
            const auto& locator = locators_by_number_.at(number)->spec;
            if (locator && !is_local_pa(locator->pa)) {
                view.peers.push_back(locator->pa);
            }
        }
    }
    std::sort(view.peers.begin(), view.peers.end());
    view.peers.erase(std::unique(view.peers.begin(), view.peers.end()), view.peers.end());
    return view;
}

}  // namespace hnv::policy
