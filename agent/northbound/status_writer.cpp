#include "northbound/status_writer.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "northbound/operations.h"
#include "northbound/own_rows.h"

namespace hnv::northbound {

namespace {

using StringMap = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] StringMap status_of(const policy::PortStatus& port) {
    // In key order, as a row's map is read.
    StringMap status;
    if (port.state == policy::PortState::Blocked) {
        status.emplace_back("reason", port.reason);
    }
    const char* state = port.state == policy::PortState::Active    ? "active"
                        : port.state == policy::PortState::Blocked ? "blocked"
                                                                   : "unplugged";
    status.emplace_back("state", state);
    if (port.state != policy::PortState::Unplugged) {
        status.emplace_back("vm_nic_macaddress", port.mac);
        status.emplace_back("vm_nic_port_id", port.name);
        status.emplace_back("vm_nic_vm_name", port.vm_name);
    }
    return status;
}

[[nodiscard]] StringMap map_of(const ovs::Row& row, const char* column) {
    StringMap copy;
    for (const auto& [key, value] : row.string_map(column)) {
        copy.emplace_back(key, value);
    }
    return copy;
}

[[nodiscard]] const char* vxlan_over(const IpAddress& pa) {
    return pa.is_v4() ? "vxlan_over_ipv4" : "vxlan_over_ipv6";
}

// Physical_Port.other_config of a row that the agent made for an interface without one. A
// controller that takes the row over may leave it there: what counts then is that it is bound.
[[nodiscard]] StringMap placeholder_mark() { return {{"made-by", "hnv-agent"}}; }

}  // namespace

void StatusWriter::write_ports(const std::vector<policy::PortStatus>& changed) {
    if (changed.empty()) {
        return;
    }
    const auto physical_switch = first_row(server_, "ms_vtep", "Physical_Switch");
    std::map<Uuid, StringMap> present;
    std::multimap<std::string, Uuid> placeholders;  // Rows that the agent made, still unbound.
    server_.for_each_row("ms_vtep", "Physical_Port", [&](const ovs::Row& row) {
        present.emplace(row.uuid(), map_of(row, "status"));
        if (map_of(row, "other_config") == placeholder_mark() &&
            row.integer_reference_map("vlan_bindings").empty()) {
            placeholders.emplace(policy::normalize_port_name(row.string("name")), row.uuid());
        }
    });
    Operations operations;
    for (const policy::PortStatus& port : changed) {
        const bool plugged = port.state != policy::PortState::Unplugged;
        const StringMap status = status_of(port);
        Json::Value row;
        row["status"] = json_map(status);
        const auto [first, last] = placeholders.equal_range(port.name);
        for (auto each = first; each != last && physical_switch; ++each) {
            if (!plugged || port.row != each->second) {  // The controller has made one, or it left.
                operations.remove_from_set("Physical_Switch", *physical_switch, "ports",
                                           json_uuid(each->second));
                present.erase(each->second);
            }
        }
        if (port.row) {
            const auto before = present.find(*port.row);
            if (before != present.end() && before->second != status) {
                operations.update("Physical_Port", *port.row, row);
            }
        } else if (plugged && physical_switch) {
            row["name"] = port.name;
            row["other_config"] = json_map(placeholder_mark());
            operations.add_to_set("Physical_Switch", *physical_switch, "ports",
                                  json_named_uuid(operations.insert("Physical_Port", row)));
        }
    }
    if (!operations.empty()) {
        operations.commit(server_, "ms_vtep", "port status");
    }
}

void StatusWriter::write_endpoints(const policy::Model& model) {
    using Endpoint = std::tuple<std::string, std::string, Uuid, IpAddress>;  // MAC, CA, subnet, PA.
    std::set<Endpoint> wanted;
    model.for_each_port([&wanted](const policy::PortStatus& port) {
        if (port.state != policy::PortState::Active || !port.pa) {
            return;
        }
        for (const auto& binding : port.bindings) {
            for (const IpAddress& ca : binding.cas) {
                wanted.emplace(port.mac, ca.to_string(), binding.subnet_row, *port.pa);
            }
        }
    });
    // Locators of these addresses: there, or to be made once.
    std::map<IpAddress, Json::Value> locators;
    std::map<Uuid, IpAddress> pa_of;
    if (!wanted.empty()) {
        server_.for_each_row("ms_vtep", "Physical_Locator", [&](const ovs::Row& row) {
            const auto pa = IpAddress::parse(row.string("dst_ip"));
            if (pa && row.string("encapsulation_type") == vxlan_over(*pa)) {
                locators.emplace(*pa, json_uuid(row.uuid()));
                pa_of.emplace(row.uuid(), *pa);
            }
        });
    }
    Operations operations;
    server_.for_each_row("ms_vtep", "Ucast_Macs_Local", [&](const ovs::Row& row) {
        const auto pa = pa_of.find(row.reference("locator").value_or(Uuid{}));
        if (pa == pa_of.end() ||
            wanted.erase({std::string(row.string("MAC")), std::string(row.string("ipaddr")),
                          row.reference("logical_switch").value_or(Uuid{}), pa->second}) == 0) {
            operations.remove("Ucast_Macs_Local", row.uuid());
        }
    });
    for (const auto& [mac, ca, subnet, pa] : wanted) {
        Json::Value& locator = locators[pa];
        if (locator.isNull()) {
            Json::Value row;
            row["dst_ip"] = pa.to_string();
            row["encapsulation_type"] = vxlan_over(pa);
            locator = json_named_uuid(operations.insert("Physical_Locator", row));
        }
        Json::Value row;
        row["MAC"] = mac;
        row["ipaddr"] = ca;
        row["logical_switch"] = json_uuid(subnet);
        row["locator"] = locator;
        operations.insert("Ucast_Macs_Local", row);
    }
    if (!operations.empty()) {
        operations.commit(server_, "ms_vtep", "local endpoints");
    }
}

void StatusWriter::write_provider_addresses(const std::vector<ProviderAddressStatus>& addresses) {
    std::vector<std::string> present;
    Operations host;
    std::map<Uuid, StringMap> wanted;
    for (const ProviderAddressStatus& address : addresses) {
        if (address.present) {
            present.push_back(address.address.to_string());
        }
        StringMap status{{"interface", address.interface}};
        if (address.present) {
            status.emplace_back("made", address.made ? "true" : "false");
        }
        if (address.mark != 0) {
            status.emplace_back("mark", std::to_string(address.mark));
        }
        if (address.mtu != 0) {
            status.emplace_back("mtu", std::to_string(address.mtu));
        }
        status.emplace_back("ports", std::to_string(address.ports));
        status.emplace_back("state", address.present ? "present" : "missing");
        wanted.emplace(address.row, std::move(status));
    }
    server_.for_each_row("hnv_host", "Provider_Address", [&](const ovs::Row& row) {
        const StringMap status = wanted[row.uuid()];  // None for an address that can't be read.
        if (map_of(row, "status") != status) {
            Json::Value values;
            values["status"] = json_map(status);
            host.update("Provider_Address", row.uuid(), values);
        }
    });
    if (!host.empty()) {
        host.commit(server_, "hnv_host", "provider address status");
    }
    std::sort(present.begin(), present.end());
    for (const char* database : {"ms_vtep", "hardware_vtep"}) {
        Operations vtep;
        server_.for_each_row(database, "Physical_Switch", [&](const ovs::Row& row) {
            const auto before = row.strings("tunnel_ips");
            if (std::vector<std::string>(before.begin(), before.end()) != present) {
                Json::Value values;
                values["tunnel_ips"] = json_set({present.begin(), present.end()});
                vtep.update("Physical_Switch", row.uuid(), values);
            }
        });
        if (!vtep.empty()) {
            vtep.commit(server_, database, "tunnel_ips");
        }
    }
}

void StatusWriter::write_host(const StringMap& status) {
    const std::map<std::string, std::string> sorted(status.begin(), status.end());
    const StringMap wanted(sorted.begin(), sorted.end());
    Operations operations;
    server_.for_each_row("hnv_host", "Host", [&](const ovs::Row& row) {
        if (map_of(row, "status") != wanted) {
            Json::Value values;
            values["status"] = json_map(wanted);
            operations.update("Host", row.uuid(), values);
        }
    });
    if (!operations.empty()) {
        operations.commit(server_, "hnv_host", "host status");
    }
}

}  // namespace hnv::northbound
