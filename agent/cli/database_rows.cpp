#include "cli/database_rows.h"

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

const Json::Value& rows_of(const Json::Value& results, Json::ArrayIndex index) {
    static const Json::Value none(Json::arrayValue);
    if (!results.isArray() || !results.isValidIndex(index) || !results[index].isObject() ||
        !results[index]["rows"].isArray()) {
        return none;
    }
    return results[index]["rows"];
}

std::optional<std::string> optional_string(const Json::Value& value) {
    const auto elements = as_set(value);
    return elements.empty() ? std::nullopt : std::optional(as_string(elements.front()));
}

std::optional<std::int64_t> optional_integer(const Json::Value& value) {
    const auto elements = as_set(value);
    return elements.empty() ? std::nullopt : std::optional(as_integer(elements.front()));
}

Result<SequenceRow> read_sequence(const Json::Value& rows, std::string_view table) {
    if (rows.empty()) {
        return Error(std::string(table) + " has no row yet; the agent makes it when it starts");
    }
    const Json::Value& row = rows[0];
    return SequenceRow{std::string(table), as_uuid(row["_uuid"]), as_integer(row["next_cfg"]),
                       as_integer(row["cur_cfg"])};
}

PortSettingsRow read_port_settings(const Json::Value& row) {
    PortSettingsRow settings;
    settings.uuid = as_uuid(row["_uuid"]);
    settings.name = as_string(row["name"]);
    settings.mac_spoofing_allowed = as_boolean(row["mac_spoofing_allowed"]);
    settings.ip_forwarding_allowed = as_boolean(row["ip_forwarding_allowed"]);
    settings.dhcp_guard = as_boolean(row["dhcp_guard"]);
    settings.router_guard = as_boolean(row["router_guard"]);
    settings.storm_limit_pps = as_integer(row["storm_limit_pps"]);
    settings.flow_limit = as_integer(row["flow_limit"]);
    settings.outbound_max_mbps = optional_integer(row["outbound_max_mbps"]);
    settings.inbound_max_mbps = optional_integer(row["inbound_max_mbps"]);
    settings.provider_address = optional_string(row["provider_address"]);
    settings.other_config = as_string_map(row["other_config"]);
    return settings;
}

RuleRow read_rule(const Json::Value& row) {
    RuleRow rule;
    rule.uuid = as_uuid(row["_uuid"]);
    rule.rule_id = as_string(row["rule_id"]);
    rule.vnic_id = as_string(row["vnic_id"]);
    rule.rule_type = as_string(row["rule_type"]);
    rule.action = as_string(row["action"]);
    rule.direction = as_string(row["direction"]);
    rule.protocols = as_string(row["protocols"]);
    rule.src_ip_addresses = as_string(row["src_ip_addresses"]);
    rule.dst_ip_addresses = as_string(row["dst_ip_addresses"]);
    rule.src_ports = as_string(row["src_ports"]);
    rule.dst_ports = as_string(row["dst_ports"]);
    rule.priority = as_integer(row["priority"]);
    rule.logging_state = as_string(row["logging_state"]);
    rule.rule_state = as_string(row["rule_state"]);
    return rule;
}

LogicalRouterRow read_router(const Json::Value& row) {
    LogicalRouterRow router{as_uuid(row["_uuid"]),
                            as_string(row["name"]),
                            as_string(row["description"]),
                            as_boolean(row["enable_logical_router"]),
                            {}};
    for (const auto& [cidr, logical_switch] : as_map(row["switch_binding"])) {
        router.switch_binding.emplace_back(as_string(cidr), as_uuid(logical_switch));
    }
    return router;
}

PortRow read_port(const Json::Value& row) {
    PortRow port;
    port.uuid = as_uuid(row["_uuid"]);
    port.name = as_string(row["name"]);
    port.description = as_string(row["description"]);
    for (const auto& [vlan, logical_switch] : as_map(row["vlan_bindings"])) {
        port.vlan_bindings.emplace(as_integer(vlan), as_uuid(logical_switch));
    }
    const auto status = as_string_map(row["status"]);
    if (const auto state = status.find("state"); state != status.end()) {
        port.state = state->second;
    }
    return port;
}

MappingRow read_mapping(const Json::Value& row) {
    return {as_uuid(row["_uuid"]),    as_string(row["MAC"]),
            as_string(row["ipaddr"]), as_uuid(row["logical_switch"]),
            as_uuid(row["locator"]),  as_string(row["mapping_type"])};
}

}  // namespace

Operations host_select() {
    return {select_operation("Host", {"_uuid", "next_cfg", "cur_cfg"}),
            select_operation("Provider_Address",
                             {"_uuid", "address", "gateway", "vlan", "mac", "uplink"}),
            select_operation(
                "Port_Settings",
                {"_uuid", "name", "mac_spoofing_allowed", "ip_forwarding_allowed", "dhcp_guard",
                 "router_guard", "storm_limit_pps", "flow_limit", "outbound_max_mbps",
                 "inbound_max_mbps", "provider_address", "other_config"})};
}

Operations firewall_select() {
    return {select_operation("FW_Global", {"_uuid", "next_cfg", "cur_cfg"}),
            select_operation("FW_Rules",
                             {"_uuid", "rule_id", "vnic_id", "rule_type", "action", "direction",
                              "protocols", "src_ip_addresses", "dst_ip_addresses", "src_ports",
                              "dst_ports", "priority", "logging_state", "rule_state"})};
}

Operations vtep_select() {
    return {select_operation("Global", {"_uuid", "next_cfg", "cur_cfg"}),
            select_operation("Physical_Switch", {"_uuid", "distributed_router_mac"}),
            select_operation("Logical_Switch", {"_uuid", "name", "description", "tunnel_key"}),
            select_operation("Logical_Router", {"_uuid", "name", "description",
                                                "enable_logical_router", "switch_binding"}),
            select_operation("Physical_Locator", {"_uuid", "encapsulation_type", "dst_ip"}),
            select_operation("Ucast_Macs_Remote", {"_uuid", "MAC", "ipaddr", "logical_switch",
                                                   "locator", "mapping_type"}),
            select_operation("Physical_Port",
                             {"_uuid", "name", "description", "vlan_bindings", "status"})};
}

Result<HostRows> read_host_rows(const Json::Value& results) {
    auto sequence = read_sequence(rows_of(results, 0), "Host");
    if (!sequence) {
        return sequence.error().with_context(kHostDatabase);
    }
    HostRows rows{std::move(*sequence), {}, {}};
    for (const Json::Value& row : rows_of(results, 1)) {
        rows.provider_addresses.push_back(
            {as_uuid(row["_uuid"]), as_string(row["address"]), optional_string(row["gateway"]),
             optional_integer(row["vlan"]), optional_string(row["mac"]), as_string(row["uplink"])});
    }
    for (const Json::Value& row : rows_of(results, 2)) {
        rows.port_settings.push_back(read_port_settings(row));
    }
    return rows;
}

Result<FirewallRows> read_firewall_rows(const Json::Value& results) {
    auto sequence = read_sequence(rows_of(results, 0), "FW_Global");
    if (!sequence) {
        return sequence.error().with_context(kFirewallDatabase);
    }
    FirewallRows rows{std::move(*sequence), {}};
    for (const Json::Value& row : rows_of(results, 1)) {
        rows.rules.push_back(read_rule(row));
    }
    return rows;
}

Result<VtepRows> read_vtep_rows(const Json::Value& results) {
    auto sequence = read_sequence(rows_of(results, 0), "Global");
    if (!sequence) {
        return sequence.error().with_context(kVtepDatabase);
    }
    VtepRows rows{std::move(*sequence), {}, {}, {}, {}, {}, {}};
    const Json::Value& chassis = rows_of(results, 1);
    if (chassis.empty()) {
        return Error("ms_vtep: Physical_Switch has no row yet; the agent makes it when it starts");
    }
    rows.chassis = {as_uuid(chassis[0]["_uuid"]), as_string(chassis[0]["distributed_router_mac"])};
    for (const Json::Value& row : rows_of(results, 2)) {
        rows.switches.push_back({as_uuid(row["_uuid"]), as_string(row["name"]),
                                 as_string(row["description"]),
                                 optional_integer(row["tunnel_key"])});
    }
    for (const Json::Value& row : rows_of(results, 3)) {
        rows.routers.push_back(read_router(row));
    }
    for (const Json::Value& row : rows_of(results, 4)) {
        rows.locators.push_back({as_uuid(row["_uuid"]), as_string(row["encapsulation_type"]),
                                 as_string(row["dst_ip"])});
    }
    for (const Json::Value& row : rows_of(results, 5)) {
        rows.mappings.push_back(read_mapping(row));
    }
    for (const Json::Value& row : rows_of(results, 6)) {
        rows.ports.push_back(read_port(row));
    }
    return rows;
}

}  // namespace hnv::cli
