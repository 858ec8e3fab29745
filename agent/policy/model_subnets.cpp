// Virtual subnets and the virtual networks that join them.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

namespace {

[[nodiscard]] IpAddress gateway_of(const IpPrefix& prefix) {
    const unsigned full_length = prefix.address.is_v4() ? 32 : 128;
    if (prefix.has_host_bits() || prefix.length == full_length) {
        return prefix.address;
    }
    auto bytes = prefix.address.bytes();
    bytes.back() = static_cast<std::uint8_t>(bytes.back() + 1);  // Host bits are zero: no carry.
    return IpAddress::from_v6(bytes);
}

}  // namespace

SubnetRecord& Model::subnet_record(const Uuid& row) {
    auto& record = subnets_[row];
    if (!record) {
        record = std::make_unique<SubnetRecord>();
        record->row = row;
        record->number = next_number_++;
        subnets_by_number_[record->number] = record.get();
    }
    return *record;
}

void Model::release(SubnetRecord& subnet) {
    if (subnet.spec || subnet.mappings > 0 || !subnet.ports.empty() || !subnet.bindings.empty() ||
        !subnet.groups.empty()) {
        return;
    }
    subnets_by_number_.erase(subnet.number);
    subnets_.erase(Uuid(subnet.row));
}

void Model::put(const Uuid& row, SubnetSpec spec) {
    SubnetRecord& subnet = subnet_record(row);
    if (subnet.spec == spec) {
        return;
    }
    if (subnet.spec && subnet.spec->vsid == spec.vsid && subnet.spec->vlan == spec.vlan) {
        if (subnet.spec->static_routes != spec.static_routes) {
            touched_subnets_.insert(&subnet);
        }
        touched_programming_.insert(&subnet);
        if (subnet.spec->replicate_per_vm != spec.replicate_per_vm ||
            subnet.spec->service_node != spec.service_node) {
            touch(ObjectKind::Subnet, subnet.number);
        }
        subnet.spec = std::move(spec);  // A name or a description no flow knows.
        return;
    }
    if (subnet.spec) {
        remove_subnet(row);
    }
    SubnetRecord& fresh = subnet_record(row);
    subnets_by_vsid_[spec.vsid].push_back(&fresh);
    fresh.spec = std::move(spec);
    touched_programming_.insert(&fresh);
    if (fresh.spec->vlan) {
        vlans_by_uplink_.emplace(fresh.spec->vlan->uplink, row);
        check_vlan(fresh);
    }
    elect(fresh.spec->vsid);
}

void Model::remove_subnet(const Uuid& row) {
    const auto entry = subnets_.find(row);
    if (entry == subnets_.end() || !entry->second->spec) {
        return;
    }
    SubnetRecord& subnet = *entry->second;
    const std::uint32_t vsid = subnet.spec->vsid;
    touched_programming_.insert(&subnet);
    if (subnet.in_force) {
        retract_neighbours(subnet);
        subnet.in_force = false;
        touch_all_of(subnet);
    }
    std::erase(subnets_by_vsid_[vsid], &subnet);
    if (subnet.spec->vlan) {
        vlans_by_uplink_.erase({subnet.spec->vlan->uplink, row});
        faults_.set(ref(SourceTable::MsVtepLogicalSwitch, row), FaultKey::SubnetVlan, std::nullopt);
    }
    subnet.spec.reset();
    touched_subnets_.insert(&subnet);
    elect(vsid);
}

// The first row with a VSID is in force; the others have a fault and no effect until it goes.
void Model::elect(std::uint32_t vsid) {
    touch_services_with_key(vsid);
    const auto entry = subnets_by_vsid_.find(vsid);
    if (entry == subnets_by_vsid_.end()) {
        return;
    }
    if (entry->second.empty()) {
        subnets_by_vsid_.erase(entry);
        return;
    }
    bool first = true;
    programming_changed_ = true;
    for (SubnetRecord* subnet : entry->second) {
        const RowRef row = ref(SourceTable::MsVtepLogicalSwitch, subnet->row);
        if (first && !subnet->in_force) {
            subnet->in_force = true;
            touch_all_of(*subnet);
        }
        faults_.set(
            row, FaultKey::VsidDuplicate,
            first ? std::nullopt
                  : std::optional(
                        (subnet->spec->vlan ? "VLAN " + std::to_string(subnet->spec->vlan->vlan)
                                            : "VSID " + std::to_string(vsid)) +
                        " is already that of Logical_Switch " + entry->second.front()->spec->name +
                        "; give this one another or delete it"));
        first = false;
    }
}

// Everything whose flows or answers depend on the subnet being in force, or on its VSID.
void Model::touch_all_of(SubnetRecord& subnet) {
    touched_subnets_.insert(&subnet);
    touch(ObjectKind::Subnet, subnet.number);
    for (const auto& [mac, first] : subnet.by_mac) {
        touch(ObjectKind::Mac, subnet.number, mac.bits());
    }
    for (const auto& [ca, first] : subnet.by_ca) {
        touch_ca(subnet, ca);
    }
    for (const auto& [locator, count] : subnet.locators) {
        touch(ObjectKind::Peer, subnet.number, locator);
    }
    for (const auto& [ca, number] : subnet.vips) {
        touch(ObjectKind::Vip, subnet.number, number);
    }
    for (PortRecord* port : subnet.ports) {
        touch_port(*port);
    }
}

// Must be called while the subnet still has the VSID under which the answers were published.
void Model::retract_neighbours(SubnetRecord& subnet) {
    for (const auto& [ca, first] : subnet.by_ca) {
        neighbours_.erase(subnet.spec->vsid, ca);
    }
    // Mappings that went in the same transaction are in no list any more; their answers still are.
    if (const auto gone = touched_cas_.find(&subnet); gone != touched_cas_.end()) {
        for (const IpAddress& ca : gone->second) {
            neighbours_.erase(subnet.spec->vsid, ca);
        }
    }
    for (const IpAddress& gateway : subnet.gateways) {
        neighbours_.erase(subnet.spec->vsid, gateway);
    }
    subnet.gateways.clear();
    if (subnet.link_local) {
        neighbours_.erase(subnet.spec->vsid, *subnet.link_local);
        subnet.link_local.reset();
    }
}

// A guest's default route of IPv6 is by the router's link-local address (RFC 4861 section 6.3.4).
void Model::publish_link_local(SubnetRecord& subnet, const std::set<IpAddress>& gateways) {
    const bool routes_v6 =
        std::ranges::any_of(gateways, [](const auto& ca) { return !ca.is_v4(); });
    const auto now = routes_v6 ? std::optional(link_local_of(router_mac_)) : std::nullopt;
    const auto before = std::exchange(subnet.link_local, now);
    if (!subnet.spec) {
        return;
    }
    if (before && before != now) {
        neighbours_.erase(subnet.spec->vsid, *before);
        touch_ca(subnet, *before);
    }
    if (now) {
        neighbours_.set(subnet.spec->vsid, *now, router_mac_);
        if (before != now) {
            touch_ca(subnet, *now);
        }
    }
}

// One gateway for each prefix of the subnet's router. Returns whether they have changed.
bool Model::publish_gateways(SubnetRecord& subnet) {
    std::set<IpAddress> gateways;
    if (router_of(subnet) != nullptr) {
        for (const IpPrefix& prefix : *subnet.bindings.spec()) {
            gateways.insert(gateway_of(prefix));
        }
    }
    publish_link_local(subnet, gateways);
    if (subnet.spec) {
        for (const IpAddress& gone : subnet.gateways) {
            if (!gateways.contains(gone)) {
                neighbours_.erase(subnet.spec->vsid, gone);
                touch_ca(subnet, gone);
            }
        }
        for (const IpAddress& gateway : gateways) {
            neighbours_.set(subnet.spec->vsid, gateway, router_mac_);
            if (!subnet.gateways.contains(gateway)) {
                touch_ca(subnet, gateway);
            }
        }
    }
    return std::exchange(subnet.gateways, gateways) != gateways;
}

// Each router once, however many of its subnets have changed: it looks at all of them.
void Model::resolve_subnets(const std::unordered_set<SubnetRecord*>& touched) {
    std::set<Uuid> routers;
    for (SubnetRecord* subnet : touched) {
        touch(ObjectKind::Subnet, subnet->number);
        if (publish_gateways(*subnet)) {
            for (PortRecord* port : subnet->ports) {
                touch_port(*port);  // Whom the router's errors come from.
            }
        } else {
            touch_adapters_of(*subnet);  // Which of their addresses its prefixes contain.
        }
        note_routed(*subnet);
        touch_learned(*subnet);  // Which addresses the router resolves.
        for (const auto& [row, prefixes] : subnet->bindings.all()) {
            routers.insert(row);
        }
    }
    for (const Uuid& row : routers) {
        check_router(row);
        touch_router(routers_.at(row));
    }
}

void Model::set_vlan_uplinks(std::map<std::string, VlanUplink> uplinks) {
    if (uplinks == vlan_uplinks_) {
        return;
    }
    vlan_uplinks_ = std::move(uplinks);
    for (const auto& [uplink, row] : vlans_by_uplink_) {
        touch(ObjectKind::Subnet, subnets_.at(row)->number);
        check_vlan(*subnets_.at(row));
    }
}

void Model::check_vlan(const SubnetRecord& subnet) {
    const auto uplink = vlan_uplinks_.find(subnet.spec->vlan->uplink);
    const std::string problem = uplink == vlan_uplinks_.end() ? "" : uplink->second.problem;
    faults_.set(ref(SourceTable::MsVtepLogicalSwitch, subnet.row), FaultKey::SubnetVlan,
                problem.empty() ? std::nullopt : std::optional(problem));
}

std::vector<std::string> Model::vlan_uplinks() const {
    std::vector<std::string> uplinks;
    for (const auto& [uplink, row] : vlans_by_uplink_) {
        if (uplinks.empty() || uplinks.back() != uplink) {
            uplinks.push_back(uplink);
        }
    }
    return uplinks;
}

std::optional<SubnetView> Model::subnet(const ObjectId& id) const {
    const auto entry = subnets_by_number_.find(id.owner);
    if (entry == subnets_by_number_.end() || !entry->second->in_force) {
        return std::nullopt;
    }
    const SubnetRecord& subnet = *entry->second;
    SubnetView view;
    view.vsid = subnet.spec->vsid;
    if (subnet.spec->vlan) {
        const auto uplink = vlan_uplinks_.find(subnet.spec->vlan->uplink);
        view.vlan = SubnetView::Vlan{subnet.spec->vlan->vlan,
                                     uplink == vlan_uplinks_.end() ? 0 : uplink->second.ofport};
    } else {
        view.tunnels = host();
    }
    if (router_of(subnet) != nullptr) {
        view.router = SubnetView::Router{router_mac_, subnet.network};
    }
    for (const PortRecord* port : subnet.ports) {
        if (port->view && port->view->active) {
            for (const Attachment& attachment : port->view->attachments) {
                if (attachment.vsid == view.vsid) {
                    view.local_ports.push_back(
                        {port->view->ofport, attachment.vlan, arrival_of(subnet, *port)});
                }
            }
        }
    }
    std::sort(view.local_ports.begin(), view.local_ports.end());
    const bool vtep = std::ranges::any_of(subnet.ports, [](const PortRecord* port) {
        return port->view && port->view->active && port->view->vtep;
    });
    view.flood = vtep ? flood_of(subnet) : Flood::Nowhere;
    view.on_demand = subnet.on_demand;
    if (!view.vlan) {
        view_replication(subnet, view);
    }
    return view;
}

}  // namespace hnv::policy
