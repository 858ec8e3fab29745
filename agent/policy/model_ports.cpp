// Ports: what the host has, what the controller says of it, and whether it may speak.
#include <algorithm>
#include <tuple>

#include "policy/model.h"
#include "policy/rule_overlap.h"

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
    clear_faults({SourceTable::MsVtepPhysicalPort, row});
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

void Model::put(const Uuid& row, RuleSpec spec) {
    const auto known = rule_rows_.find(row);
    if (known != rule_rows_.end() && known->second != spec.port) {
        remove_rule(row);
    }
    PortRecord& port = port_record(spec.port);
    rule_rows_.insert_or_assign(row, spec.port);
    port.rules.insert_or_assign(row, std::move(spec));
    touch_port(port);
}

void Model::remove_rule(const Uuid& row) {
    const auto known = rule_rows_.find(row);
    if (known == rule_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    rule_rows_.erase(known);
    port.rules.erase(row);
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
            port->attached_mac.reset();
            touch_port(*port);
        }
    }
    for (const auto& [name, interface] : now) {
        PortRecord& port = port_record(name);
        if (port.interface != *interface) {
            port.interface = *interface;
            port.attached_mac = MacAddress::parse(interface->attached_mac);
            touch_port(port);
        }
    }
}

void Model::bind_port(PortRecord& port) {
    SubnetRecord* wanted = nullptr;
    if (const PortSpec* spec = port.specs.spec()) {
        const auto untagged = spec->vlan_bindings.find(0);
        if (untagged != spec->vlan_bindings.end()) {
            wanted = &subnet_record(untagged->second);
        }
    }
    const bool moved = port.subnet != wanted || port.bound_mac != port.attached_mac;
    if (moved && port.subnet != nullptr) {
        port.subnet->ports.erase(&port);
        touch_ports_of(*port.subnet, port.bound_mac);
        touch(ObjectKind::Subnet, port.subnet->number);
        if (!port.subnet->spec) {
            touched_subnets_.insert(port.subnet);  // commit() releases it.
        }
    }
    if (moved && wanted != nullptr) {
        touch_ports_of(*wanted, port.attached_mac);
        wanted->ports.insert(&port);
    }
    port.subnet = wanted;
    port.bound_mac = port.attached_mac;
    if (wanted != nullptr) {
        touch(ObjectKind::Subnet, wanted->number);
    }
}

// Those whose interface has the MAC.
void Model::touch_ports_of(SubnetRecord& subnet, const std::optional<MacAddress>& mac) {
    for (PortRecord* port : subnet.ports) {
        if (mac && port->attached_mac == mac) {
            touch_port(*port);
        }
    }
}

// The port's MAC and CAs; when they are not known, or not its own, a sentence that says why.
// Precondition: it is bound to a subnet in force.
std::string Model::find_addresses(const PortRecord& port, PortView& view) const {
    if (!port.attached_mac) {
        return "its MAC is unknown: set external_ids:attached-mac of the interface";
    }
    // A MAC has one place in a subnet: of several ports that claim it the oldest has it.
    for (const PortRecord* other : port.subnet->ports) {
        if (other->attached_mac == port.attached_mac && other->number < port.number) {
            return "its MAC " + port.attached_mac->to_string() + " is already that of port " +
                   other->name + ": give one of them another";
        }
    }
    const auto of_mac = port.subnet->by_mac.find(*port.attached_mac);
    if (of_mac == port.subnet->by_mac.end()) {
        return "its CA is unknown: no mapping in VSID " + std::to_string(view.vsid) + " has MAC " +
               port.attached_mac->to_string();
    }
    view.mac = *port.attached_mac;
    view.cas = cas_of(*of_mac->second);
    return "";
}

// Empty when the port may speak; then `view` is complete. Otherwise a sentence for status:reason.
std::string Model::why_blocked(PortRecord& port, PortView& view) {
    const bool bound = port.subnet != nullptr && port.subnet->in_force;
    std::string unbound;
    std::string unknown;
    if (bound) {
        view.vsid = port.subnet->spec->vsid;
        unknown = find_addresses(port, view);
    } else {
        unbound = "not bound to a virtual subnet: set vlan_bindings key 0 of its Physical_Port";
    }
    collect_rules(port, view);
    std::string no_acl;
    if (bound && view.rules.empty()) {
        no_acl = "no ACL: add an enabled FW_Rules row with vnic_id " + port.name;
    }
    report_port(port, FaultKey::PortUnbound, unbound);
    report_port(port, FaultKey::PortAddressUnknown, unknown);
    report_port(port, FaultKey::PortNoAcl, no_acl);
    return !unbound.empty() ? unbound : !unknown.empty() ? unknown : no_acl;
}

// Faults about a port are faults of its Physical_Port row; without one there is nobody to tell. A
// port that is not plugged is not blocked either.
void Model::report_port(const PortRecord& port, FaultKey key, const std::string& reason) {
    if (const auto row = port.specs.row()) {
        faults_.set({SourceTable::MsVtepPhysicalPort, *row}, key,
                    reason.empty() || !port.interface ? std::nullopt
                                                      : std::optional("port " + port.name +
                                                                      " is blocked, " + reason));
    }
}

void Model::check_port_rows(const PortRecord& port) {
    for (const auto& [row, spec] : port.specs.all()) {
        const bool in_force = row == port.specs.row();
        if (!in_force) {
            // What the port lacks is told at the row in force (report_port()).
            for (const FaultKey key :
                 {FaultKey::PortNoAcl, FaultKey::PortUnbound, FaultKey::PortAddressUnknown}) {
                faults_.set({SourceTable::MsVtepPhysicalPort, row}, key, std::nullopt);
            }
        }
        const bool beaten = !in_force && !spec.vlan_bindings.empty();
        faults_.set({SourceTable::MsVtepPhysicalPort, row}, FaultKey::PortDuplicate,
                    beaten ? std::optional("another Physical_Port is named " + port.name +
                                           " and is in force; delete one of the two")
                           : std::nullopt);
    }
}

void Model::collect_rules(PortRecord& port, PortView& view) {
    std::vector<std::pair<const RuleSpec*, Uuid>> enabled;
    for (const auto& [row, rule] : port.rules) {
        if (rule.enabled) {
            enabled.emplace_back(&rule, row);
        } else {
            faults_.set({SourceTable::MsFirewallRules, row}, FaultKey::RulePriority, std::nullopt);
        }
    }
    const auto order = [](const auto& entry) {
        const RuleSpec& rule = *entry.first;
        return std::tie(rule.layer, rule.direction, rule.priority, rule.id, entry.second);
    };
    std::sort(enabled.begin(), enabled.end(),
              [&order](const auto& a, const auto& b) { return order(a) < order(b); });
    std::size_t group = 0;
    for (std::size_t i = 0; i < enabled.size(); ++i) {
        const RuleSpec& rule = *enabled[i].first;
        const auto same_rank = [&rule](const RuleSpec& other) {
            return rule.layer == other.layer && rule.direction == other.direction &&
                   rule.priority == other.priority;
        };
        while (!same_rank(*enabled[group].first)) {
            ++group;
        }
        // Among rules of equal priority no order is given: a Block that overlaps an Allow wins.
        std::optional<std::string> beaten;
        for (std::size_t other = group; rule.action == RuleAction::Allow &&
                                        other < enabled.size() && same_rank(*enabled[other].first);
             ++other) {
            const RuleSpec& block = *enabled[other].first;
            if (block.action == RuleAction::Block && overlap(rule, block)) {
                beaten = "rule " + rule.id + " allows what rule " + block.id +
                         " blocks at the same priority; give one of them another priority (until "
                         "then this one has no effect)";
            }
        }
        faults_.set({SourceTable::MsFirewallRules, enabled[i].second}, FaultKey::RulePriority,
                    beaten);
        if (!beaten) {
            view.rules.push_back(rule);
        }
    }
}

// Precondition: all touched ports are bound.
void Model::resolve_port(PortRecord& port) {
    PortView view;
    view.name = port.name;
    if (const PortSettingsSpec* settings = port.settings.spec()) {
        view.mac_spoofing_allowed = settings->mac_spoofing_allowed;
        view.ip_forwarding_allowed = settings->ip_forwarding_allowed;
        view.arp_limit_pps = settings->arp_limit_pps;
    }
    const std::string reason = why_blocked(port, view);
    check_port_rows(port);

    PortStatus status;
    status.name = port.name;
    status.vsid = view.vsid;
    status.cas = view.cas;
    status.rules = port.rules.size();
    status.row = port.specs.row();
    if (port.subnet != nullptr && port.subnet->in_force) {
        status.subnet_row = port.subnet->row;
    }
    port.view.reset();
    if (port.interface) {
        status.interface = port.interface->name;
        status.ofport = port.interface->ofport;
        status.mac = port.attached_mac ? port.attached_mac->to_string() : "";
        status.vm_name = port.interface->vm_name;
        status.state = reason.empty() ? PortState::Active : PortState::Blocked;
        status.reason = reason;
        view.ofport = port.interface->ofport;
        view.active = reason.empty();
        port.view = std::move(view);
    }
    port.status = status;
    changed_ports_.insert_or_assign(port.name, std::move(status));
    touch(ObjectKind::Port, port.number);
    if (port.unused()) {
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
}

std::optional<PortView> Model::port(const ObjectId& id) const {
    const auto entry = ports_by_number_.find(id.owner);
    return entry == ports_by_number_.end() ? std::nullopt : entry->second->view;
}

}  // namespace hnv::policy
