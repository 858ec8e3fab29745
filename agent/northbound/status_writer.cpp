#include "northbound/status_writer.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "northbound/operations.h"

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

}  // namespace

void StatusWriter::ensure_physical_switch() {
    if (!physical_switch_) {
        server_.for_each_row("ms_vtep", "Physical_Switch",
                             [this](const ovs::Row& row) { physical_switch_ = row.uuid(); });
    }
}

void StatusWriter::write_ports(const std::vector<policy::PortStatus>& changed) {
    if (changed.empty()) {
        return;
    }
    ensure_physical_switch();
    std::map<Uuid, StringMap> present;
    server_.for_each_row("ms_vtep", "Physical_Port", [&present](const ovs::Row& row) {
        present.emplace(row.uuid(), map_of(row, "status"));
    });
    Operations operations;
    for (const policy::PortStatus& port : changed) {
        const StringMap status = status_of(port);
        Json::Value row;
        row["status"] = json_map(status);
        if (port.row) {
            const auto before = present.find(*port.row);
            if (before != present.end() && before->second != status) {
                operations.update("Physical_Port", *port.row, row);
            }
        } else if (port.state != policy::PortState::Unplugged && physical_switch_) {
            row["name"] = port.name;
            operations.add_to_set("Physical_Switch", *physical_switch_, "ports",
                                  json_named_uuid(operations.insert("Physical_Port", row)));
        }
    }
    if (!operations.empty()) {
        operations.commit(server_, "ms_vtep", "port status");
    }
}

void StatusWriter::write_endpoints(const policy::Model& model, const std::optional<IpAddress>& pa) {
    using Endpoint = std::tuple<std::string, std::string, Uuid>;  // MAC, CA, subnet.
    std::set<Endpoint> wanted;
    if (pa) {
        model.for_each_port([&wanted](const policy::PortStatus& port) {
            for (const IpAddress& ca : port.cas) {
                if (port.state == policy::PortState::Active && port.subnet_row) {
                    wanted.emplace(port.mac, ca.to_string(), *port.subnet_row);
                }
            }
        });
    }
    std::optional<Uuid> locator;
    const std::string pa_text = pa ? pa->to_string() : "";
    const char* type = !pa || pa->is_v4() ? "vxlan_over_ipv4" : "vxlan_over_ipv6";
    Operations operations;
    if (!wanted.empty()) {
        server_.for_each_row("ms_vtep", "Physical_Locator", [&](const ovs::Row& row) {
            if (row.string("dst_ip") == pa_text && row.string("encapsulation_type") == type) {
                locator = row.uuid();
            }
        });
    }
    server_.for_each_row("ms_vtep", "Ucast_Macs_Local", [&](const ovs::Row& row) {
        const Endpoint found{row.string("MAC"), row.string("ipaddr"),
                             row.reference("logical_switch").value_or(Uuid{})};
        const auto same = wanted.find(found);
        if (same != wanted.end() && locator && row.reference("locator") == locator) {
            wanted.erase(same);
        } else {
            operations.remove("Ucast_Macs_Local", row.uuid());
        }
    });
    Json::Value locator_json;
    if (locator) {
        locator_json = json_uuid(*locator);
    } else if (!wanted.empty()) {
        Json::Value row;
        row["dst_ip"] = pa_text;
        row["encapsulation_type"] = type;
        locator_json = json_named_uuid(operations.insert("Physical_Locator", row));
    }
    for (const auto& [mac, ca, subnet] : wanted) {
        Json::Value row;
        row["MAC"] = mac;
        row["ipaddr"] = ca;
        row["logical_switch"] = json_uuid(subnet);
        row["locator"] = locator_json;
        operations.insert("Ucast_Macs_Local", row);
    }
    if (!operations.empty()) {
        operations.commit(server_, "ms_vtep", "local endpoints");
    }
}

void StatusWriter::write_provider_addresses(const std::vector<ProviderAddressStatus>& addresses) {
    ensure_physical_switch();
    std::vector<std::string> present;
    Operations host;
    std::map<Uuid, StringMap> wanted;
    for (const ProviderAddressStatus& address : addresses) {
        if (address.present) {
            present.push_back(address.address.to_string());
        }
        wanted.emplace(address.row, StringMap{{"interface", address.interface},
                                              {"ports", std::to_string(address.ports)},
                                              {"state", address.present ? "present" : "missing"}});
    }
    server_.for_each_row("hnv_host", "Provider_Address", [&](const ovs::Row& row) {
        const auto status = wanted.find(row.uuid());
        if (status != wanted.end() && map_of(row, "status") != status->second) {
            Json::Value values;
            values["status"] = json_map(status->second);
            host.update("Provider_Address", row.uuid(), values);
        }
    });
    if (!host.empty()) {
        host.commit(server_, "hnv_host", "provider address status");
    }
    std::sort(present.begin(), present.end());
    Operations vtep;
    server_.for_each_row("ms_vtep", "Physical_Switch", [&](const ovs::Row& row) {
        const auto before = row.strings("tunnel_ips");
        if (std::vector<std::string>(before.begin(), before.end()) != present) {
            Json::Value values;
            values["tunnel_ips"] = json_set({present.begin(), present.end()});
            vtep.update("Physical_Switch", row.uuid(), values);
        }
    });
    if (!vtep.empty()) {
        vtep.commit(server_, "ms_vtep", "tunnel_ips");
    }
}

void StatusWriter::write_host(const StringMap& status) {
    std::map<std::string, std::string> sorted(status.begin(), status.end());
    if (sorted == last_host_status_) {
        return;
    }
    if (!host_) {
        server_.for_each_row("hnv_host", "Host",
                             [this](const ovs::Row& row) { host_ = row.uuid(); });
    }
    if (host_) {
        Operations operations;
        Json::Value values;
        values["status"] = json_map({sorted.begin(), sorted.end()});
        operations.update("Host", *host_, values);
        operations.commit(server_, "hnv_host", "host status");
    }
    last_host_status_ = std::move(sorted);
}

}  // namespace hnv::northbound
