// What the databases and the host say, as typed values: the input of the policy model.
//
// A reader of northbound/ (or underlay/) makes them; strings have been parsed by then. A spec
// refers to other rows by their UUID, and the row it refers to may arrive after it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/uuid.h"

namespace hnv::policy {

// The tables that rows of the policy come from; a fault names one of them.
enum class SourceTable : std::uint8_t {
    MsVtepGlobal,
    MsVtepPhysicalSwitch,
    MsVtepPhysicalPort,
    MsVtepLogicalSwitch,
    MsVtepLogicalRouter,
    MsVtepUcastMacsRemote,
    MsVtepMcastMacsRemote,
    MsVtepPhysicalLocatorSet,
    MsVtepPhysicalLocator,
    MsFirewallRules,
    MsServiceInsertionRule,
    HostProviderAddress,
    HostPortSettings,
    VtepPhysicalPort,
    VtepLogicalSwitch,
    VtepLogicalRouter,
    VtepUcastMacsRemote,
    VtepMcastMacsRemote,
    VtepPhysicalLocatorSet,
    VtepPhysicalLocator,
    VtepAcl,
    VtepAclEntry,
    HostNat,
    MsDarvPorts,
    MsDarvAddresses,
    VtepTunnel,
};

struct SourceTableName {
    std::string_view database;
    std::string_view table;
};
[[nodiscard]] SourceTableName name_of(SourceTable table);
// The table of hardware_vtep that says the same as this one of ms_vtep; the table itself if none
// does.
[[nodiscard]] SourceTable vtep_twin(SourceTable table);

struct RowRef {
    SourceTable table{};
    Uuid uuid;
    auto operator<=>(const RowRef&) const = default;
};

enum class Encapsulation : std::uint8_t { Vxlan, Nvgre };
// What it adds to a guest's IP packet: outer IP header, UDP and VXLAN or GRE with its key, and the
// inner Ethernet header (RFC 7348 section 5, RFC 7637 section 3.2).
[[nodiscard]] constexpr unsigned overhead_of(Encapsulation encapsulation, bool over_v4) {
    return (over_v4 ? 20U : 40U) + (encapsulation == Encapsulation::Vxlan ? 8U + 8U : 8U) + 14U;
}
enum class MappingType : std::uint8_t { Default, LearningDisabled, LoadBalanced };

struct StaticRoute {
    IpPrefix prefix;     // Without host bits.
    IpAddress next_hop;  // A CA of the same virtual network.
    auto operator<=>(const StaticRoute&) const = default;
};

// A subnet that is a plain VLAN of the underlay: its frames are not encapsulated.
struct VlanSpec {
    std::uint16_t vlan = 0;
    std::string uplink;  // The NIC or bridge that leads there.
    bool operator==(const VlanSpec&) const = default;
};
// Its VSID, above all those of virtual subnets: only the switch's registers ever see it.
[[nodiscard]] constexpr std::uint32_t vsid_of_vlan(std::uint16_t vlan) { return 0x1000000U | vlan; }

// A virtual subnet (Logical_Switch).
// When the flows of a subnet's remote MACs are made.
enum class Programming : std::uint8_t {
    Auto,       // Proactively while the subnet is small.
    Proactive,  // As soon as they are mapped.
    OnDemand,   // When somebody here speaks to them.
};
// Of Auto: mappings of the subnet from which on it is on demand.
inline constexpr std::size_t kDefaultOnDemandMappings = 10'000;
inline constexpr std::uint32_t kMinOnDemandMappings = 1;
inline constexpr std::uint32_t kMaxOnDemandMappings = 100'000'000;
// How long what nobody uses keeps its flows.
inline constexpr std::uint32_t kDefaultOnDemandIdleSeconds = 60;
inline constexpr std::uint32_t kMinOnDemandIdleSeconds = 2;
inline constexpr std::uint32_t kMaxOnDemandIdleSeconds = 86'400;

struct SubnetSpec {
    std::uint32_t vsid = 0;  // With `vlan`: vsid_of_vlan().
    std::string name;
    std::string rdid;
    std::vector<StaticRoute> static_routes{};
    bool replicate_per_vm = false;  // A broadcast is one copy for each mapping, not for each PA.
    std::optional<VlanSpec> vlan{};
    // Of a group's locators one is a service node that copies for all: it alone is sent to.
    bool service_node = false;
    std::optional<Programming> programming{};  // nullopt: as the host's settings say.
    bool operator==(const SubnetSpec&) const = default;
};

// A virtual network (Logical_Router).
struct RouterSpec {
    struct Binding {
        IpPrefix prefix;  // Host bits zero: the gateway is the lowest address; else they are it.
        Uuid subnet;
        bool operator==(const Binding&) const = default;
    };
    std::string id;
    bool enabled = false;
    std::vector<Binding> bindings;
    std::vector<StaticRoute> static_routes{};
    bool operator==(const RouterSpec&) const = default;
};

// Physical_Locator.
struct LocatorSpec {
    Encapsulation encapsulation{};
    IpAddress pa;
    auto operator<=>(const LocatorSpec&) const = default;
};

// Physical_Locator_Set.
struct LocatorSetSpec {
    std::vector<Uuid> locators;
    bool operator==(const LocatorSetSpec&) const = default;
};

// Where broadcast and multicast of a subnet go instead of to all its PAs (Mcast_Macs_Remote).
struct GroupSpec {
    Uuid subnet;
    Uuid locator_set;
    std::optional<MacAddress> mac;  // Empty ("unknown-dst"): of every group that has no row.
    bool operator==(const GroupSpec&) const = default;
};

// A CA-PA mapping (Ucast_Macs_Remote).
struct MappingSpec {
    Uuid subnet;
    Uuid locator;
    MacAddress mac;
    MappingType type{};
    std::optional<IpAddress> ca;  // Empty: a MAC-only mapping.
    bool operator==(const MappingSpec&) const = default;
};

// Physical_Port. Names of ports are normalized by normalize_port_name().
struct PortSpec {
    std::string name;
    std::map<std::uint16_t, Uuid> vlan_bindings;   // VLAN (0: untagged) → Logical_Switch.
    bool vtep = false;                             // Of hardware_vtep.
    std::map<std::uint16_t, Uuid> acl_bindings{};  // VLAN (0: all of the port) → ACL.
    bool operator==(const PortSpec&) const = default;
};

// Port_Settings.
struct PortSettingsSpec {
    std::string name;
    bool mac_spoofing_allowed = false;
    bool ip_forwarding_allowed = false;
    std::optional<std::uint32_t> arp_limit_pps;
    std::optional<IpAddress> provider_address{};
    bool dhcp_guard = false;
    bool router_guard = false;
    // 0: no limit.
    std::uint32_t storm_limit_pps = 0;
    std::uint32_t flow_limit = 0;
    std::uint32_t outbound_max_mbps = 0;
    std::uint32_t inbound_max_mbps = 0;
    std::optional<std::uint32_t> dhcp_lease_seconds{};
    std::optional<std::uint32_t> learned_macs_limit{};
    bool operator==(const PortSettingsSpec&) const = default;
};

// Host.settings; nullopt: the default.
inline constexpr std::uint64_t kMinAuditLogBytes = std::uint64_t{64} << 10;
inline constexpr std::uint64_t kMaxAuditLogBytes = std::uint64_t{16} << 30;
inline constexpr unsigned kMinAuditLogFiles = 1;
inline constexpr unsigned kMaxAuditLogFiles = 1000;
inline constexpr std::uint32_t kMaxServerClients = 10'000;
inline constexpr std::uint32_t kMaxOfServerClient = 100'000;  // Monitors, waits, locks.
inline constexpr std::uint64_t kMinServerMessageBytes = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kMaxServerMessageBytes = std::uint64_t{16} << 30;
inline constexpr std::uint64_t kMinServerBacklogBytes = std::uint64_t{4} << 10;
inline constexpr std::uint32_t kDefaultStatsIntervalSeconds = 10;
inline constexpr std::uint32_t kMaxStatsIntervalSeconds = 86'400;
struct HostSettingsSpec {
    std::optional<std::uint32_t> audit_limit_pps{};  // Packets a second, 1 at least.
    std::optional<std::uint64_t> audit_log_max_bytes{};
    std::optional<unsigned> audit_log_files{};
    // What clients of the databases may take, see ovs::ServerLimits.
    std::optional<std::uint32_t> server_max_clients{};
    std::optional<std::uint64_t> server_max_message_bytes{};
    std::optional<std::uint32_t> server_max_monitors{};  // Of a client, like the next three.
    std::optional<std::uint32_t> server_max_waits{};
    std::optional<std::uint32_t> server_max_locks{};
    std::optional<std::uint64_t> server_max_backlog_bytes{};
    std::optional<std::uint32_t> mac_aging_seconds{};
    std::optional<std::uint32_t> learned_macs_limit{};      // Of all ports together.
    std::optional<std::uint32_t> stats_interval_seconds{};  // 0: never.
    bool vtep_list_ports = false;                 // Interfaces appear as ports in hardware_vtep.
    Programming programming = Programming::Auto;  // Of subnets that do not say.
    std::optional<std::uint32_t> on_demand_mappings{};
    std::optional<std::uint32_t> on_demand_idle_seconds{};
    bool operator==(const HostSettingsSpec&) const = default;
};

// How many MACs a port of hardware_vtep may show, and all of them together; and how long one is
// remembered without traffic.
inline constexpr std::uint32_t kDefaultLearnedMacs = 1024;
inline constexpr std::uint32_t kDefaultHostLearnedMacs = 32'768;
inline constexpr std::uint32_t kMaxLearnedMacs = 262'144;
inline constexpr std::uint32_t kDefaultMacAgingSeconds = 300;
inline constexpr std::uint32_t kMinMacAgingSeconds = 5;
inline constexpr std::uint32_t kMaxMacAgingSeconds = 1'000'000;

// ms_darv.Ports: a guest's adapter, as the controller knows it.
struct AdapterSpec {
    std::string name;               // The port's, normalized.
    std::optional<MacAddress> mac;  // Empty: the interface's.
    bool ip_forwarding_allowed = false;
    std::vector<Uuid> addresses;  // Rows of IP_Addresses.
    bool operator==(const AdapterSpec&) const = default;
};

// ms_darv.IP_Addresses: a CA, and what the guest is told with it.
struct AdapterAddressSpec {
    IpPrefix address;  // With the length of its mask.
    bool primary = false;
    std::vector<IpAddress> routers{};
    std::vector<IpAddress> dns_servers{};  // Of either family.
    std::string domain{};                  // A valid name, or empty.
    bool operator==(const AdapterAddressSpec&) const = default;
};

// Provider_Address.
struct ProviderAddressSpec {
    IpPrefix address;  // Of full length when the row names no prefix length.
    std::string uplink;
    std::optional<IpAddress> gateway{};
    std::optional<std::uint16_t> vlan{};  // 1..4094
    std::optional<MacAddress> mac{};
    bool operator==(const ProviderAddressSpec&) const = default;
};

enum class RuleLayer : std::uint8_t { Admin, Controller };
enum class RuleAction : std::uint8_t { Allow, Block };
enum class Direction : std::uint8_t { Outbound, Inbound };

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0xffff;
    auto operator<=>(const PortRange&) const = default;
};

// FW_Rules. Lists are ascending; an empty one means any.
struct RuleSpec {
    std::string port;  // vnic_id, normalized.
    std::string id;
    RuleLayer layer{};
    RuleAction action{};
    Direction direction{};
    std::uint16_t priority = 0;
    bool enabled = false;
    bool logged = false;  // Its verdicts go to the audit log.
    std::vector<IpPrefix> sources;
    std::vector<IpPrefix> destinations;
    std::vector<PortRange> source_ports;
    std::vector<PortRange> destination_ports;
    std::vector<std::uint8_t> protocols;

    [[nodiscard]] bool matches_all() const {
        return sources.empty() && destinations.empty() && source_ports.empty() &&
               destination_ports.empty() && protocols.empty();
    }
    auto operator<=>(const RuleSpec&) const = default;
};

// NAT: what leaves the virtual network by a gateway port.
struct NatSpec {
    // The most external addresses that one row has.
    static constexpr std::uint32_t kMaxAddresses = 65'536;
    std::string name;
    std::string port;                // Of the gateway port, normalized.
    std::uint16_t vlan = 0;          // 0: untagged.
    bool is_static = false;          // A pair: one CA, one external address, also from outside.
    std::vector<IpPrefix> internal;  // CAs, ascending, without host bits; one at least.
    // External addresses, first..last, of the same family, and the prefixes that cover just them.
    IpAddress first;
    IpAddress last;
    std::vector<IpPrefix> external;
    std::optional<PortRange> ports{};  // For a pool: the source ports that it gives.
    bool operator==(const NatSpec&) const = default;
};

// SI_Rule, rule_type MirrorSource: what the port sends or is sent is copied.
struct MirrorSourceSpec {
    // A port of another host: the copies' provider address, encapsulation and key (24 bits).
    struct Remote {
        LocatorSpec locator;
        std::uint32_t key = 0;
        bool operator==(const Remote&) const = default;
    };
    bool outbound = true;
    bool inbound = true;
    std::variant<std::string, Remote> analyzer;  // A port of this host, normalized; or elsewhere.
    bool operator==(const MirrorSourceSpec&) const = default;
};

// MirrorDestinaion: copies that come from other hosts go to the port.
struct MirrorDestinationSpec {
    std::uint32_t key = 0;
    std::vector<IpAddress> from;  // Provider addresses.
    bool operator==(const MirrorDestinationSpec&) const = default;
};

// ServiceInsertion: what the port sends goes to an appliance first.
struct InsertionSpec {
    IpAddress next_hop;  // A CA of the port's virtual network.
    bool fail_open = false;
    bool operator==(const InsertionSpec&) const = default;
};

// SI_Rule.
struct ServiceRuleSpec {
    std::string port;  // vnic_id, normalized.
    std::string id;
    std::uint16_t priority = 0;
    RuleSpec filter;  // Its five lists alone.
    std::variant<MirrorSourceSpec, MirrorDestinationSpec, InsertionSpec> service;
    bool operator==(const ServiceRuleSpec&) const = default;
};

// A guest's interface on the integration bridge.
struct InterfaceSpec {
    std::string name;
    std::uint32_t ofport = 0;
    std::string port;  // iface-id, normalized.
    std::string attached_mac;
    std::string vm_name;
    bool operator==(const InterfaceSpec&) const = default;
};

// GUIDs match with or without braces and in either case: the form without, in lower case. Any other
// name is what it is.
[[nodiscard]] std::string normalize_port_name(std::string_view name);

}  // namespace hnv::policy
