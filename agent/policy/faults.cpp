#include "policy/faults.h"

namespace hnv::policy {

SourceTableName name_of(SourceTable table) {
    switch (table) {
        case SourceTable::MsVtepGlobal:
            return {"ms_vtep", "Global"};
        case SourceTable::MsVtepPhysicalSwitch:
            return {"ms_vtep", "Physical_Switch"};
        case SourceTable::MsVtepPhysicalPort:
            return {"ms_vtep", "Physical_Port"};
        case SourceTable::MsVtepLogicalSwitch:
            return {"ms_vtep", "Logical_Switch"};
        case SourceTable::MsVtepLogicalRouter:
            return {"ms_vtep", "Logical_Router"};
        case SourceTable::MsVtepUcastMacsRemote:
            return {"ms_vtep", "Ucast_Macs_Remote"};
        case SourceTable::MsVtepMcastMacsRemote:
            return {"ms_vtep", "Mcast_Macs_Remote"};
        case SourceTable::MsVtepPhysicalLocatorSet:
            return {"ms_vtep", "Physical_Locator_Set"};
        case SourceTable::MsVtepPhysicalLocator:
            return {"ms_vtep", "Physical_Locator"};
        case SourceTable::MsFirewallRules:
            return {"ms_firewall", "FW_Rules"};
        case SourceTable::MsServiceInsertionRule:
            return {"ms_service_insertion", "SI_Rule"};
        case SourceTable::HostProviderAddress:
            return {"hnv_host", "Provider_Address"};
        case SourceTable::HostPortSettings:
            return {"hnv_host", "Port_Settings"};
        case SourceTable::VtepPhysicalPort:
            return {"hardware_vtep", "Physical_Port"};
        case SourceTable::VtepLogicalSwitch:
            return {"hardware_vtep", "Logical_Switch"};
        case SourceTable::VtepLogicalRouter:
            return {"hardware_vtep", "Logical_Router"};
        case SourceTable::VtepUcastMacsRemote:
            return {"hardware_vtep", "Ucast_Macs_Remote"};
        case SourceTable::VtepMcastMacsRemote:
            return {"hardware_vtep", "Mcast_Macs_Remote"};
        case SourceTable::VtepPhysicalLocatorSet:
            return {"hardware_vtep", "Physical_Locator_Set"};
        case SourceTable::VtepPhysicalLocator:
            return {"hardware_vtep", "Physical_Locator"};
        case SourceTable::VtepAcl:
            return {"hardware_vtep", "ACL"};
        case SourceTable::VtepAclEntry:
            return {"hardware_vtep", "ACL_entry"};
        case SourceTable::HostNat:
            return {"hnv_host", "NAT"};
        case SourceTable::MsDarvPorts:
            return {"ms_darv", "Ports"};
        case SourceTable::MsDarvAddresses:
            return {"ms_darv", "IP_Addresses"};
        case SourceTable::VtepTunnel:
            return {"hardware_vtep", "Tunnel"};
    }
    return {"", ""};
}

SourceTable vtep_twin(SourceTable table) {
    switch (table) {
        case SourceTable::MsVtepPhysicalPort:
            return SourceTable::VtepPhysicalPort;
        case SourceTable::MsVtepLogicalSwitch:
            return SourceTable::VtepLogicalSwitch;
        case SourceTable::MsVtepLogicalRouter:
            return SourceTable::VtepLogicalRouter;
        case SourceTable::MsVtepUcastMacsRemote:
            return SourceTable::VtepUcastMacsRemote;
        case SourceTable::MsVtepMcastMacsRemote:
            return SourceTable::VtepMcastMacsRemote;
        case SourceTable::MsVtepPhysicalLocatorSet:
            return SourceTable::VtepPhysicalLocatorSet;
        case SourceTable::MsVtepPhysicalLocator:
            return SourceTable::VtepPhysicalLocator;
        default:
            return table;
    }
}

const char* to_string(FaultKey key) {
    // In the order of the keys.
    constexpr std::array kNames{
        "bad-address",
        "vsid-range",
        "vsid-duplicate",
        "mapping-conflict",
        "ca-conflict",
        "encapsulation-unsupported",
        "pa-missing",
        "port-no-acl",
        "port-unbound",
        "port-duplicate",
        "port-address-unknown",
        "rule-syntax",
        "rule-priority",
        "subnet-two-routers",
        "subnet-vlan",
        "router-key",
        "next-hop-unmapped",
        "replication-limit",
        "underlay-mtu",
        "acl-entry",
        "acl-incomplete",
        "acl-binding",
        "bad-setting",
        "switch-rejected",
        "nat-port",
        "nat-conflict",
        "mirror-target",
        "port-mac-mismatch",
        "ca-outside",
        "rule-limit",
        "tunnel-key",
        "tunnel-limit",
        "mac-limit",
        "mac-flap",
    };
    static_assert(kNames.size() == kFaultKeys.size());
    return kNames.at(static_cast<std::size_t>(key));
}

bool is_conflict(FaultKey key) {
    return key == FaultKey::VsidDuplicate || key == FaultKey::MappingConflict ||
           key == FaultKey::CaConflict || key == FaultKey::SubnetTwoRouters ||
           key == FaultKey::PortDuplicate || key == FaultKey::NatConflict;
}

void Faults::set(const RowRef& row, FaultKey key, std::optional<std::string> message) {
    const Id id{row, key};
    const auto known = faults_.find(id);
    if (!message) {
        if (known != faults_.end()) {
            faults_.erase(known);
            changed_.insert(id);
        }
        return;
    }
    if (known != faults_.end() && known->second == *message) {
        return;
    }
    faults_.insert_or_assign(id, *std::move(message));
    changed_.insert(id);
}

void Faults::clear_row(const RowRef& row) {
    auto fault = faults_.lower_bound({row, FaultKey{}});
    while (fault != faults_.end() && fault->first.first == row) {
        changed_.insert(fault->first);
        fault = faults_.erase(fault);
    }
}

std::vector<Faults::Id> Faults::take_changes() {
    std::vector<Id> ids(changed_.begin(), changed_.end());
    changed_.clear();
    return ids;
}

}  // namespace hnv::policy
