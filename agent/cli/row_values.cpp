#include "cli/row_values.h"

#include "cli/ovsdb_json.h"
#include "cli/policy_names.h"

namespace hnv::cli {
namespace {

// An empty firewall string means any, as "*" does.
std::string any_if_empty(const std::string& text) { return text.empty() ? "*" : text; }

template <typename T>
Result<T> parse_column(std::string_view column, std::string_view text, std::string_view what) {
    auto value = T::parse(text);
    if (!value) {
        return Error(std::string(column) + ": '" + std::string(text) + "' is not " +
                     std::string(what));
    }
    return *value;
}

template <typename T>
std::optional<std::string> text_of(const std::optional<T>& value) {
    return value ? std::optional(value->to_string()) : std::nullopt;
}

std::optional<Json::Int64> number_of(const std::optional<std::int64_t>& value) {
    return value ? std::optional<Json::Int64>(*value) : std::nullopt;
}

}  // namespace

Result<ProviderAddress> value_of(const ProviderAddressRow& row) {
    ProviderAddress value;
    auto address = parse_column<IpPrefix>("address", row.address, "an address with its length");
    if (!address) {
        return address.error();
    }
    value.address = *address;
    if (row.gateway) {
        auto gateway = parse_column<IpAddress>("gateway", *row.gateway, "an IP address");
        if (!gateway) {
            return gateway.error();
        }
        value.gateway = *gateway;
    }
    if (row.mac) {
        auto mac = parse_column<MacAddress>("mac", *row.mac, "a MAC address");
        if (!mac) {
            return mac.error();
        }
        value.mac = *mac;
    }
    value.uplink = row.uplink;
    value.vlan = row.vlan;
    return value;
}

Json::Value row_json(const ProviderAddress& value) {
    Json::Value row(Json::objectValue);
    row["address"] = value.address.to_string();
    row["gateway"] = optional_json(text_of(value.gateway));
    row["uplink"] = value.uplink;
    row["vlan"] = optional_json(number_of(value.vlan));
    row["mac"] = optional_json(text_of(value.mac));
    return row;
}

PortSettings value_of(const PortSettingsRow& row) {
    return {row.mac_spoofing_allowed, row.ip_forwarding_allowed, row.dhcp_guard,
            row.router_guard,         row.storm_limit_pps,       row.flow_limit,
            row.outbound_max_mbps,    row.inbound_max_mbps,      row.provider_address,
            row.other_config};
}

Json::Value row_json(const PortSettings& value) {
    Json::Value row(Json::objectValue);
    row["mac_spoofing_allowed"] = value.mac_spoofing_allowed;
    row["ip_forwarding_allowed"] = value.ip_forwarding_allowed;
    row["dhcp_guard"] = value.dhcp_guard;
    row["router_guard"] = value.router_guard;
    row["storm_limit_pps"] = integer_json(value.storm_limit_pps);
    row["flow_limit"] = integer_json(value.flow_limit);
    row["outbound_max_mbps"] = optional_json(number_of(value.outbound_max_mbps));
    row["inbound_max_mbps"] = optional_json(number_of(value.inbound_max_mbps));
    row["provider_address"] = optional_json(value.provider_address);
    row["other_config"] = map_json(value.other_config);
    return row;
}

Acl value_of(const RuleRow& row) {
    Acl value;
    value.port = row.vnic_id;
    value.id = row.rule_id;
    value.layer = row.rule_type == "RuleWithAdminPriority" ? AclLayer::Admin : AclLayer::Controller;
    value.direction = row.direction == "Inbound" ? AclDirection::Inbound : AclDirection::Outbound;
    value.action = row.action == "Allow" ? AclAction::Allow : AclAction::Block;
    value.priority = row.priority;
    value.protocols = any_if_empty(row.protocols);
    value.source_addresses = any_if_empty(row.src_ip_addresses);
    value.destination_addresses = any_if_empty(row.dst_ip_addresses);
    value.source_ports = any_if_empty(row.src_ports);
    value.destination_ports = any_if_empty(row.dst_ports);
    value.enabled = row.rule_state == "Enabled";
    value.logging = row.logging_state == "Enabled";
    return value;
}

Json::Value row_json(const Acl& value) {
    Json::Value row(Json::objectValue);
    row["vnic_id"] = value.port;
    row["rule_id"] = value.id;
    row["rule_type"] =
        value.layer == AclLayer::Admin ? "RuleWithAdminPriority" : "RuleWithControllerPriority";
    row["direction"] = value.direction == AclDirection::Inbound ? "Inbound" : "Outbound";
    row["action"] = value.action == AclAction::Allow ? "Allow" : "Block";
    row["priority"] = integer_json(value.priority);
    row["protocols"] = any_if_empty(value.protocols);
    row["src_ip_addresses"] = any_if_empty(value.source_addresses);
    row["dst_ip_addresses"] = any_if_empty(value.destination_addresses);
    row["src_ports"] = any_if_empty(value.source_ports);
    row["dst_ports"] = any_if_empty(value.destination_ports);
    row["rule_state"] = value.enabled ? "Enabled" : "Disabled";
    row["logging_state"] = value.logging ? "Enabled" : "Disabled";
    return row;
}

Result<RouterBinding> binding_of(std::string_view cidr) {
    const auto prefix = IpPrefix::parse(cidr);
    if (!prefix) {
        return Error("switch_binding: '" + std::string(cidr) + "' is not an IP prefix");
    }
    RouterBinding binding{{prefix->network(), prefix->length}, std::nullopt};
    if (prefix->has_host_bits()) {
        binding.gateway = prefix->address;
    }
    return binding;
}

std::string cidr_of(const RouterBinding& binding) {
    return IpPrefix{binding.gateway.value_or(binding.prefix.address), binding.prefix.length}
        .to_string();
}

std::string encapsulation_type_of(Encapsulation encapsulation, const IpAddress& pa) {
    return std::string(name_of(encapsulation, kEncapsulationNames)) +
           (pa.is_v4() ? "_over_ipv4" : "_over_ipv6");
}

Result<Mapping> value_of(const MappingRow& row, const LocatorRow* locator, std::int64_t vsid) {
    Mapping value;
    value.vsid = vsid;
    auto mac = parse_column<MacAddress>("MAC", row.mac, "a MAC address");
    if (!mac) {
        return mac.error();
    }
    value.mac = *mac;
    if (!row.ipaddr.empty()) {
        auto ca = parse_column<IpAddress>("ipaddr", row.ipaddr, "an IP address");
        if (!ca) {
            return ca.error();
        }
        value.ca = *ca;
    }
    if (locator == nullptr) {
        return Error("locator: refers to no row");
    }
    auto pa = parse_column<IpAddress>("locator's dst_ip", locator->dst_ip, "an IP address");
    if (!pa) {
        return pa.error();
    }
    value.pa = *pa;
    value.encapsulation = locator->encapsulation_type.starts_with("nvgre") ? Encapsulation::Nvgre
                                                                           : Encapsulation::Vxlan;
    if (locator->encapsulation_type != encapsulation_type_of(value.encapsulation, value.pa)) {
        return Error("locator: " + locator->encapsulation_type + " cannot reach " +
                     value.pa.to_string());
    }
    for (const auto& [name, type] : kMappingTypeNames) {
        if (row.mapping_type == name) {
            value.type = type;
        }
    }
    return value;
}

}  // namespace hnv::cli
