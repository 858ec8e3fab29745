// Ports: what the host has, what the controller says of it, and whether it may speak.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

PortRecord& Model::port_record(std::string_view name) {
    auto& record = ports_[std::string(name)];
    if (!record) {
        record = std::make_unique<PortRecord>();
        record->name = name;
        record->number = next_number_++;
        ports_by_number_[record->number] = record.get();
    }
    return *record;
}

void Model::touch_port(PortRecord& port) { touched_ports_.insert(&port); }

void Model::put(const Uuid& row, PortSpec spec) {
    const auto known = port_rows_.find(row);
    if (known != port_rows_.end() && known->second != spec.name) {
        remove_port(row);
    }
    PortRecord& port = port_record(spec.name);
    port_rows_.insert_or_assign(row, spec.name);
    port.specs.put(row, std::move(spec));
    // The agent makes an unbound row for an interface that has none; the controller's comes first.
    port.specs.prefer([](const PortSpec& each) { return !each.vlan_bindings.empty(); });
    touch_port(port);
}

void Model::remove_port(const Uuid& row) {
    const auto known = port_rows_.find(row);
    if (known == port_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    port_rows_.erase(known);
    port.specs.remove(row);
    clear_faults(ref(SourceTable::MsVtepPhysicalPort, row));
    touch_port(port);
}

void Model::put(const Uuid& row, PortSettingsSpec spec) {
    const auto known = settings_rows_.find(row);
    if (known != settings_rows_.end() && known->second != spec.name) {
        remove_settings(row);
    }
    PortRecord& port = port_record(spec.name);
    settings_rows_.insert_or_assign(row, spec.name);
    port.settings.put(row, std::move(spec));
    touch_port(port);
}

void Model::remove_settings(const Uuid& row) {
    const auto known = settings_rows_.find(row);
    if (known == settings_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    settings_rows_.erase(known);
    port.settings.remove(row);
    touch_port(port);
}

void Model::set_interfaces(const std::vector<InterfaceSpec>& interfaces) {
    std::unordered_map<std::string, const InterfaceSpec*> now;
    for (const InterfaceSpec& interface : interfaces) {
        now.try_emplace(interface.port, &interface);  // One iface-id twice: the first counts.
    }
    for (const auto& [name, port] : ports_) {
        if (port->interface && !now.contains(name)) {
            port->interface.reset();
            note_mac(*port);
            rules_.plug(name, 0);
            touch_port(*port);
        }
    }
    for (const auto& [name, interface] : now) {
        PortRecord& port = port_record(name);
        if (port.interface != *interface) {
            port.interface = *interface;
            note_mac(port);
            rules_.plug(name, interface->ofport);
            touch_port(port);
        }
    }
}

void Model::bind_port(PortRecord& port) {
    bind_acls(port);
    std::map<std::uint16_t, SubnetRecord*> wanted;
    if (const PortSpec* spec = port.specs.spec()) {
        for (const auto& [vlan, subnet_row] : spec->vlan_bindings) {
            wanted.emplace(vlan, &subnet_record(subnet_row));
        }
    }
    if (port.subnets != wanted || port.bound_mac != port.attached_mac) {
        for (const auto& [vlan, subnet] : port.subnets) {
            subnet->ports.erase(&port);
            touch_flood_endpoint(*subnet);
            touch_ports_of(*subnet, port.bound_mac);
            touch(ObjectKind::Subnet, subnet->number);
            if (!subnet->spec) {
                touched_subnets_.insert(subnet);  // commit() releases it.
            }
        }
        for (const auto& [vlan, subnet] : wanted) {
            touch_ports_of(*subnet, port.attached_mac);
            subnet->ports.insert(&port);
        }
    }
    port.subnets = std::move(wanted);
    port.bound_mac = port.attached_mac;
    for (const auto& [vlan, subnet] : port.subnets) {
        touch(ObjectKind::Subnet, subnet->number);
    }
    claim_addresses(port);
}

// Those whose interface has the MAC.
void Model::touch_ports_of(SubnetRecord& subnet, const std::optional<MacAddress>& mac) {
    for (PortRecord* port : subnet.ports) {
        if (mac && port->attached_mac == mac) {
            touch_port(*port);
        }
    }
}

// The port's MAC and CAs in a subnet in force; when they are not known, or not its own, a sentence
// that says why.
std::string Model::find_addresses(const PortRecord& port, const SubnetRecord& subnet,
                                  Attachment& attachment) {
    const bool vtep = port.specs.spec()->vtep;
    if (vtep && !port.attached_mac) {
        return "";  // It may speak; who it is nobody knows.
    }
    if (!port.attached_mac) {
        return "its MAC is unknown: set external_ids:attached-mac of the interface";
    }
    // A MAC has one place in a subnet: of several ports that claim it the oldest has it.
    for (const PortRecord* other : subnet.ports) {
        if (other->attached_mac == port.attached_mac && other->number < port.number) {
            return "its MAC " + port.attached_mac->to_string() + " is already that of port " +
                   other->name + ": give one of them another";
        }
    }
    attachment.mac = *port.attached_mac;
    if (vtep) {
        return "";
    }
    if (const auto own = adapter_cas_of(port, subnet)) {
        for (const AdapterAddressSpec* each : *own) {
            attachment.cas.push_back(each->address.address);
        }
        return own->empty() ? "its CA is unknown: none of its addresses in ms_darv has effect in "
                              "VSID " +
                                  std::to_string(attachment.vsid) + ", see their faults"
                            : "";
    }
    const auto of_mac = subnet.by_mac.find(*port.attached_mac);
    if (of_mac == subnet.by_mac.end()) {
        return "its CA is unknown: no mapping in VSID " + std::to_string(attachment.vsid) +
               " has MAC " + port.attached_mac->to_string();
    }
    attachment.cas = cas_of(*of_mac->second);
    return "";
}

// What the distributed router is to a guest of the subnet.
std::optional<Attachment::Router> Model::gateways_of(const SubnetRecord& subnet) const {
    if (subnet.gateways.empty()) {
        return std::nullopt;
    }
    Attachment::Router router{router_mac_};
    for (const IpAddress& gateway : subnet.gateways) {
        auto& of_family = gateway.is_v4() ? router.v4 : router.v6;
        if (!of_family) {
            of_family = gateway;
        }
    }
    return router;
}

std::vector<IpAddress> Model::router_addresses_of(const SubnetRecord& subnet) {
    std::set<IpAddress> addresses = subnet.gateways;
    if (subnet.link_local) {
        addresses.insert(*subnet.link_local);
    }
    return {addresses.begin(), addresses.end()};
}

// The subnets that the port is in, those with an address into `view`, and what keeps it out of the
// others.
Model::Trouble Model::attach(const PortRecord& port, PortView& view,
                             std::vector<PortStatus::Binding>& bindings) const {
    Trouble trouble;
    const auto add = [](std::string& text, std::uint16_t vlan, const std::string& reason) {
        text += (text.empty() ? "" : "; ") +
                (vlan == 0 ? "" : "in VLAN " + std::to_string(vlan) + ": ") + reason;
    };
    std::set<const SubnetRecord*> seen;
    for (const auto& [vlan, subnet] : port.subnets) {
        if (!subnet->in_force) {
            add(trouble.unbound, vlan,
                "not bound to a virtual subnet: its Logical_Switch has no effect, see that row's "
                "fault");
            continue;
        }
        if (!seen.insert(subnet).second) {
            add(trouble.unbound, vlan, "another of its vlan_bindings leads to the same subnet");
            continue;
        }
        Attachment attachment{vlan, subnet->spec->vsid,   network_of(*subnet),           {},
                              {},   gateways_of(*subnet), subnet->spec->vlan.has_value()};
        const std::string reason = find_addresses(port, *subnet, attachment);
        bindings.push_back({vlan, attachment.vsid, attachment.cas, subnet->row});
        attachment.acl = acl_of(port, vlan);
        attachment.flood = view.vtep ? flood_of(*subnet) : Flood::Nowhere;
        if (view.vtep) {
            attachment.router_addresses = router_addresses_of(*subnet);
        }
        if (reason.empty()) {
            view.attachments.push_back(std::move(attachment));
        } else {
            add(trouble.unknown, vlan, reason);
        }
    }
    if (port.subnets.empty()) {
        trouble.unbound =
            "not bound to a virtual subnet: set vlan_bindings key 0 of its Physical_Port";
    }
    return trouble;
}

// A sentence for status:reason when the port, or one of its VLANs, may not speak. Whether any may
// is view.active.
std::string Model::why_blocked(PortRecord& port, PortView& view,
                               std::vector<PortStatus::Binding>& bindings) {
    const PortSpec* const spec = port.specs.spec();
    view.vtep = spec != nullptr && spec->vtep;
    Trouble trouble = attach(port, view, bindings);
    if (port.interface && port.interface->ofport > kMaxGuestOfport) {
        view.attachments.clear();
        trouble.unbound = "its OpenFlow port number is above " + std::to_string(kMaxGuestOfport) +
                          ": remove ofport_request of its interface";
    }
    view.acl = rules_.acl(port.name);
    std::string no_acl;
    if (!view.vtep && !bindings.empty() && !view.acl.any) {
        no_acl = "no ACL: add an enabled FW_Rules row with vnic_id " + port.name;
    }
    view.active = !view.attachments.empty() && no_acl.empty();
    const std::string what = view.active ? " is kept out of a subnet, " : " is blocked, ";
    report_port(port, FaultKey::PortUnbound, what, trouble.unbound);
    report_port(port, FaultKey::PortAddressUnknown, what, trouble.unknown);
    report_port(port, FaultKey::PortNoAcl, what, no_acl);
    report_port(port, FaultKey::AclBinding, ": ", unused_acls(port));
    return !trouble.unbound.empty()   ? trouble.unbound
           : !trouble.unknown.empty() ? trouble.unknown
                                      : no_acl;
}

// Faults about a port are faults of its Physical_Port row; without one there is nobody to tell. A
// port that is not plugged is not blocked either.
void Model::report_port(const PortRecord& port, FaultKey key, const std::string& what,
                        const std::string& reason) {
    if (const auto row = port.specs.row()) {
        faults_.set(
            ref(SourceTable::MsVtepPhysicalPort, *row), key,
            reason.empty() || !port.interface ? std::nullopt
                                              : std::optional("port " + port.name + what + reason));
    }
}

void Model::check_port_rows(const PortRecord& port) {
    for (const auto& [row, spec] : port.specs.all()) {
        const bool in_force = row == port.specs.row();
        if (!in_force) {
            // What the port lacks is told at the row in force (report_port()).
            for (const FaultKey key : {FaultKey::PortNoAcl, FaultKey::PortUnbound,
                                       FaultKey::PortAddressUnknown, FaultKey::AclBinding}) {
                faults_.set(ref(SourceTable::MsVtepPhysicalPort, row), key, std::nullopt);
            }
        }
        const bool beaten = !in_force && !spec.vlan_bindings.empty();
        faults_.set(ref(SourceTable::MsVtepPhysicalPort, row), FaultKey::PortDuplicate,
                    beaten ? std::optional("another Physical_Port is named " + port.name +
                                           " and is in force; delete one of the two")
                           : std::nullopt);
    }
}

// Precondition: all touched ports are bound.
void Model::resolve_port(PortRecord& port) {
    PortView view;
    view.name = port.name;
    if (const PortSettingsSpec* settings = port.settings.spec()) {
        view.mac_spoofing_allowed = settings->mac_spoofing_allowed;
        view.ip_forwarding_allowed = settings->ip_forwarding_allowed;
        view.dhcp_guard = settings->dhcp_guard;
        view.router_guard = settings->router_guard;
        view.storm_limit_pps = settings->storm_limit_pps;
        view.flow_limit = settings->flow_limit;
        view.outbound_max_mbps = settings->outbound_max_mbps;
        view.inbound_max_mbps = settings->inbound_max_mbps;
        view.arp_limit_pps = settings->arp_limit_pps;
    }
    for (const auto& [row, settings] : port.settings.all()) {
        faults_.set({SourceTable::HostPortSettings, row}, FaultKey::PortDuplicate,
                    row == port.settings.row()
                        ? std::nullopt
                        : std::optional("another Port_Settings is of port " + port.name +
                                        " and is in force; delete one of the two"));
    }
    if (const AdapterSpec* adapter = port.adapters.spec()) {
        view.ip_forwarding_allowed |= adapter->ip_forwarding_allowed;
    }
    PortStatus status;
    const std::string reason = why_blocked(port, view, status.bindings);
    check_port_rows(port);
    check_adapters(port);
    send_from(port, view, status);
    resolve_nat(port, view);

    status.name = port.name;
    status.rules = port.rules;
    status.row = port.specs.row();
    port.view.reset();
    if (port.interface) {
        status.interface = port.interface->name;
        status.ofport = port.interface->ofport;
        status.mac = port.attached_mac ? port.attached_mac->to_string() : "";
        status.vm_name = port.interface->vm_name;
        status.state = view.active ? PortState::Active : PortState::Blocked;
        status.reason = reason;
        view.ofport = port.interface->ofport;
        view.may_demand = !on_demand_subnets_.empty();
        publish_leases(port, view);
        port.view = std::move(view);
    } else {
        leases_.set(key_of_port(port.name), {});
    }
    port.status = status;
    changed_ports_.insert_or_assign(port.name, std::move(status));
    resolve_learned(port);
    touch(ObjectKind::Port, port.number);
    touch_services(port);
    if (port.unused()) {
        nat_ports_.erase(&port);
        ports_by_number_.erase(port.number);
        ports_.erase(std::string(port.name));
    }
}

void Model::resolve_ports() {
    // Binding one port may touch others, those with its MAC.
    std::set<PortRecord*> bound;
    while (!touched_ports_.empty()) {
        for (PortRecord* port : std::exchange(touched_ports_, {})) {
            bind_port(*port);
            bound.insert(port);
        }
    }
    for (PortRecord* port : bound) {
        resolve_port(*port);
    }
    check_adapter_addresses();
}

void Model::for_each_binding(const std::function<void(const BindingStatus&)>& visit) const {
    for (const auto& [name, port] : ports_) {
        const PortSpec* const spec = port->specs.spec();
        if (spec == nullptr) {
            continue;
        }
        const PortView* const view = port->view && port->view->active ? &*port->view : nullptr;
        for (const auto& [vlan, subnet] : spec->vlan_bindings) {
            BindingStatus binding{{ref(SourceTable::MsVtepPhysicalPort, *port->specs.row()), vlan},
                                  subnet};
            for (std::size_t i = 0; view != nullptr && i < view->attachments.size(); ++i) {
                if (view->attachments[i].vlan == vlan) {
                    binding.port = view;
                    binding.attachment = &view->attachments[i];
                }
            }
            visit(binding);
        }
    }
}

std::optional<PortView> Model::port(const ObjectId& id) const {
    const auto entry = ports_by_number_.find(id.owner);
    return entry == ports_by_number_.end() ? std::nullopt : entry->second->view;
}

}  // namespace hnv::policy
