#include "cli/policy_export.h"

#include <algorithm>
#include <map>
#include <set>

#include "cli/row_values.h"

namespace hnv::cli {
namespace {

class PolicyExporter {
  public:
    PolicyExporter(const HostRows& host, const FirewallRows& firewall, const VtepRows& vtep)
        : host_(host), firewall_(firewall), vtep_(vtep) {}

    ExportedPolicy run() &&;

  private:
    void omit(std::string_view table, const std::string& name, const std::string& why) {
        exported_.omitted.push_back(std::string(table) + " '" + name + "': " + why);
    }
    void provider_addresses();
    void find_vsids();
    void virtual_networks();
    void mappings();
    void ports();
    void acls();

    const HostRows& host_;
    const FirewallRows& firewall_;
    const VtepRows& vtep_;
    ExportedPolicy exported_;
    std::map<std::string, const LogicalSwitchRow*> switches_;  // Those with a good VSID, by uuid.
};

ExportedPolicy PolicyExporter::run() && {
    Policy& policy = exported_.policy;
    policy.distributed_router_mac = MacAddress::parse(vtep_.chassis.distributed_router_mac);
    if (!policy.distributed_router_mac && !vtep_.chassis.distributed_router_mac.empty()) {
        omit("Physical_Switch", "distributed_router_mac", "is not a MAC address");
    }
    provider_addresses();
    find_vsids();
    virtual_networks();
    mappings();
    ports();
    acls();
    return std::move(exported_);
}

void PolicyExporter::provider_addresses() {
    std::map<IpPrefix, ProviderAddress> sorted;
    for (const ProviderAddressRow& row : host_.provider_addresses) {
        const auto value = value_of(row);
        if (!value) {
            omit("Provider_Address", row.address, value.error().message());
        } else if (!sorted.emplace(value->address, *value).second) {
            omit("Provider_Address", row.address, "is there twice");
        }
    }
    for (const auto& [address, value] : sorted) {
        exported_.policy.provider_addresses.push_back(value);
    }
}

void PolicyExporter::find_vsids() {
    std::set<std::int64_t> vsids;
    for (const LogicalSwitchRow& row : vtep_.switches) {
        const std::int64_t vsid = row.tunnel_key.value_or(0);
        if (vsid < kMinVsid || vsid > kMaxVsid) {
            omit("Logical_Switch", row.name, "tunnel_key is not a VSID");
        } else if (!vsids.insert(vsid).second) {
            omit("Logical_Switch", row.name, "its VSID is there twice");
        } else {
            switches_.emplace(row.uuid, &row);
        }
    }
}

// A router is a virtual network. A subnet that hangs on no router is in the network that its
// description names, be there a router for that or not.
void PolicyExporter::virtual_networks() {
    std::map<std::string, VirtualNetwork> networks;
    std::map<std::string, Subnet> subnets;          // By the switch's uuid.
    std::map<std::string, std::string> network_of;  // The same.
    for (const auto& [uuid, row] : switches_) {
        subnets.emplace(uuid, Subnet{*row->tunnel_key, row->name, {}});
        network_of.emplace(uuid, row->description);
    }
    for (const LogicalRouterRow& router : vtep_.routers) {
        networks.emplace(router.name,
                         VirtualNetwork{router.name, router.description, router.enabled, {}});
        for (const auto& [cidr, uuid] : router.switch_binding) {
            const auto binding = binding_of(cidr);
            const auto subnet = subnets.find(uuid);
            if (!binding || subnet == subnets.end()) {
                omit("Logical_Router", router.name, "switch_binding '" + cidr + "' is not usable");
            } else if (!subnet->second.bindings.empty() && network_of[uuid] != router.name) {
                omit("Logical_Router", router.name,
                     "switch_binding '" + cidr + "' is of a subnet of another router");
            } else {
                subnet->second.bindings.push_back(*binding);
                network_of[uuid] = router.name;
            }
        }
    }
    std::map<std::int64_t, const std::pair<const std::string, Subnet>*> by_vsid;
    for (const auto& subnet : subnets) {
        by_vsid.emplace(subnet.second.vsid, &subnet);
    }
    for (const auto& [vsid, subnet] : by_vsid) {
        const std::string& id = network_of[subnet->first];
        if (id.empty()) {
            omit("Logical_Switch", subnet->second.name, "names no virtual network (description)");
            switches_.erase(subnet->first);
            continue;
        }
        auto& network = networks.try_emplace(id, VirtualNetwork{id, "", false, {}}).first->second;
        network.subnets.push_back(subnet->second);
    }
    for (auto& [id, network] : networks) {
        exported_.policy.virtual_networks.push_back(std::move(network));
    }
}

void PolicyExporter::mappings() {
    std::map<std::string, const LocatorRow*> locators;
    for (const LocatorRow& row : vtep_.locators) {
        locators.emplace(row.uuid, &row);
    }
    std::set<Mapping> sorted;
    for (const MappingRow& row : vtep_.mappings) {
        const auto logical_switch = switches_.find(row.logical_switch);
        if (logical_switch == switches_.end()) {
            omit("Ucast_Macs_Remote", row.mac, "its subnet is omitted");
            continue;
        }
        const auto locator = locators.find(row.locator);
        const auto value = value_of(row, locator == locators.end() ? nullptr : locator->second,
                                    *logical_switch->second->tunnel_key);
        if (!value) {
            omit("Ucast_Macs_Remote", row.mac, value.error().message());
        } else if (!sorted.insert(*value).second) {
            omit("Ucast_Macs_Remote", row.mac, "is there twice");
        }
    }
    exported_.policy.mappings.assign(sorted.begin(), sorted.end());
}

void PolicyExporter::ports() {
    std::map<std::string, Port> sorted;
    for (const PortRow& row : vtep_.ports) {
        if (row.vlan_bindings.empty()) {
            continue;  // The agent's, or not in use.
        }
        Port port{row.name, std::nullopt, {}, std::nullopt};
        if (!row.description.empty()) {
            port.description = row.description;
        }
        for (const auto& [vlan, uuid] : row.vlan_bindings) {
            if (const auto found = switches_.find(uuid); found != switches_.end()) {
                port.vlan_to_vsid.emplace(vlan, *found->second->tunnel_key);
            } else {
                omit("Physical_Port", row.name, "is bound to a subnet that is omitted");
            }
        }
        if (!sorted.emplace(port_key(row.name), std::move(port)).second) {
            omit("Physical_Port", row.name, "is there twice");
        }
    }
    for (const PortSettingsRow& row : host_.port_settings) {
        const auto [found, added] = sorted.try_emplace(port_key(row.name));
        if (added) {
            found->second.name = row.name;
        }
        found->second.settings = value_of(row);
    }
    for (auto& [key, port] : sorted) {
        exported_.policy.ports.push_back(std::move(port));
    }
}

void PolicyExporter::acls() {
    std::vector<Acl>& acls = exported_.policy.acls;
    for (const RuleRow& row : firewall_.rules) {
        if (row.vnic_id.empty() || row.rule_id.empty()) {
            omit("FW_Rules", row.rule_id, "has no rule_id or no vnic_id");
        } else {
            acls.push_back(value_of(row));
        }
    }
    std::sort(acls.begin(), acls.end(), [](const Acl& a, const Acl& b) {
        return std::tie(a.port, a.layer, a.direction, a.priority, a.id) <
               std::tie(b.port, b.layer, b.direction, b.priority, b.id);
    });
}

}  // namespace

ExportedPolicy export_policy(const HostRows& host, const FirewallRows& firewall,
                             const VtepRows& vtep) {
    return PolicyExporter(host, firewall, vtep).run();
}

}  // namespace hnv::cli
