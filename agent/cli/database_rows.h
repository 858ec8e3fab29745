// The rows of the databases that a policy file speaks about, as read: only the columns that the
// file knows, in the databases' own words. Which rows a database needs is asked for by the
// operations of *_select(), whose results the reading functions take in the same order.
#pragma once

#include <json/value.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/result.h"

namespace hnv::cli {

inline constexpr std::string_view kHostDatabase = "hnv_host";
inline constexpr std::string_view kFirewallDatabase = "ms_firewall";
inline constexpr std::string_view kVtepDatabase = "ms_vtep";

// The row with the sequence numbers: Host, FW_Global or Global.
struct SequenceRow {
    std::string table;
    std::string uuid;
    std::int64_t next_cfg = 0;
    std::int64_t cur_cfg = 0;
};

struct ProviderAddressRow {
    std::string uuid;
    std::string address;
    std::optional<std::string> gateway;
    std::optional<std::int64_t> vlan;
    std::optional<std::string> mac;
    std::string uplink;
};

struct PortSettingsRow {
    std::string uuid;
    std::string name;
    bool mac_spoofing_allowed = false;
    bool ip_forwarding_allowed = false;
    bool dhcp_guard = false;
    bool router_guard = false;
    std::int64_t storm_limit_pps = 0;
    std::int64_t flow_limit = 0;
    std::optional<std::int64_t> outbound_max_mbps;
    std::optional<std::int64_t> inbound_max_mbps;
    std::optional<std::string> provider_address;
    std::map<std::string, std::string> other_config;
};

struct HostRows {
    SequenceRow sequence;
    std::vector<ProviderAddressRow> provider_addresses;
    std::vector<PortSettingsRow> port_settings;
};

struct RuleRow {
    std::string uuid;
    std::string rule_id, vnic_id, rule_type, action, direction;
    std::string protocols, src_ip_addresses, dst_ip_addresses, src_ports, dst_ports;
    std::int64_t priority = 0;
    std::string logging_state, rule_state;
};

struct FirewallRows {
    SequenceRow sequence;
    std::vector<RuleRow> rules;
};

struct ChassisRow {  // Physical_Switch
    std::string uuid;
    std::string distributed_router_mac;
};

struct LogicalSwitchRow {
    std::string uuid;
    std::string name;
    std::string description;
    std::optional<std::int64_t> tunnel_key;
};

struct LogicalRouterRow {
    std::string uuid;
    std::string name;
    std::string description;
    bool enabled = false;
    std::vector<std::pair<std::string, std::string>> switch_binding;  // CIDR → switch's uuid.
};

struct LocatorRow {
    std::string uuid;
    std::string encapsulation_type;
    std::string dst_ip;
};

struct MappingRow {  // Ucast_Macs_Remote
    std::string uuid;
    std::string mac;
    std::string ipaddr;
    std::string logical_switch;  // uuid
    std::string locator;         // uuid
    std::string mapping_type;
};

struct PortRow {
    std::string uuid;
    std::string name;
    std::string description;
    std::map<std::int64_t, std::string> vlan_bindings;  // VLAN → switch's uuid.
    std::string state;                                  // status:state, the agent's.
};

struct VtepRows {
    SequenceRow sequence;
    ChassisRow chassis;
    std::vector<LogicalSwitchRow> switches;
    std::vector<LogicalRouterRow> routers;
    std::vector<LocatorRow> locators;
    std::vector<MappingRow> mappings;
    std::vector<PortRow> ports;
};

using Operations = std::vector<Json::Value>;

[[nodiscard]] Operations host_select();
[[nodiscard]] Operations firewall_select();
[[nodiscard]] Operations vtep_select();

// `results`: the array that "transact" gave for the operations above. An error if a row that the
// agent makes when it starts is not there.
[[nodiscard]] Result<HostRows> read_host_rows(const Json::Value& results);
[[nodiscard]] Result<FirewallRows> read_firewall_rows(const Json::Value& results);
[[nodiscard]] Result<VtepRows> read_vtep_rows(const Json::Value& results);

}  // namespace hnv::cli
