// A whole host policy as a person writes it: the content of a policy file, version 1.
//
// Plain values, compared by value. Names follow the file's keys; the databases' form of the same
// facts is in database_rows.h. Invariants that policy_file.h's parser establishes and the diff
// relies on: VSIDs are unique over all subnets; every VSID that a mapping or a port names is a
// subnet of the policy; names, ids and addresses that identify an item are unique; a gateway lies
// in its prefix and a prefix has no host bits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::cli {

inline constexpr std::int64_t kMinVsid = 4096;
inline constexpr std::int64_t kMaxVsid = 16777214;

struct ProviderAddress {
    IpPrefix address;  // Host bits are the address, the length that of its subnet.
    std::optional<IpAddress> gateway;
    std::string uplink;
    std::optional<std::int64_t> vlan;  // 1 .. 4094
    std::optional<MacAddress> mac;

    bool operator==(const ProviderAddress&) const = default;
};

// A prefix of a virtual subnet and its gateway in the virtual network's router.
struct RouterBinding {
    IpPrefix prefix;                   // No host bits.
    std::optional<IpAddress> gateway;  // Absent: the lowest address of the prefix.

    bool operator==(const RouterBinding&) const = default;
};

struct Subnet {
    std::int64_t vsid = 0;
    std::string name;                     // By default the VSID as text.
    std::vector<RouterBinding> bindings;  // None: the subnet hangs on no router.

    bool operator==(const Subnet&) const = default;
};

struct VirtualNetwork {
    std::string id;  // The RDID.
    std::string description;
    bool routed = true;
    std::vector<Subnet> subnets;

    bool operator==(const VirtualNetwork&) const = default;
};

enum class Encapsulation { Vxlan, Nvgre };
enum class MappingType { Default, LearningDisabled, LoadBalanced };

struct Mapping {
    std::int64_t vsid = 0;
    std::optional<IpAddress> ca;  // Absent: a MAC-only mapping.
    MacAddress mac;
    IpAddress pa;
    Encapsulation encapsulation = Encapsulation::Vxlan;
    MappingType type = MappingType::Default;

    auto operator<=>(const Mapping&) const = default;
};

struct PortSettings {
    bool mac_spoofing_allowed = false;
    bool ip_forwarding_allowed = false;
    bool dhcp_guard = false;
    bool router_guard = false;
    std::int64_t storm_limit_pps = 0;  // 0: none.
    std::int64_t flow_limit = 0;       // 0: none.
    std::optional<std::int64_t> outbound_max_mbps;
    std::optional<std::int64_t> inbound_max_mbps;
    std::optional<std::string> provider_address;
    std::map<std::string, std::string> other_config;  // The file's arp_limit_pps among them.

    bool operator==(const PortSettings&) const = default;
};

struct Port {
    std::string name;
    std::optional<std::string> description;             // Absent: left as it is.
    std::map<std::int64_t, std::int64_t> vlan_to_vsid;  // VLAN 0: untagged. None: unbound.
    std::optional<PortSettings> settings;               // Absent: all defaults, no row.

    bool operator==(const Port&) const = default;
};

enum class AclLayer { Controller, Admin };
enum class AclDirection { Inbound, Outbound };
enum class AclAction { Allow, Block };

// The five strings are in the syntax of the contract's firewall section; the agent judges them.
struct Acl {
    std::string port;
    std::string id;
    AclLayer layer = AclLayer::Controller;
    AclDirection direction = AclDirection::Inbound;
    AclAction action = AclAction::Allow;
    std::int64_t priority = 0;
    std::string protocols = "*";
    std::string source_addresses = "*";
    std::string destination_addresses = "*";
    std::string source_ports = "*";
    std::string destination_ports = "*";
    bool enabled = true;
    bool logging = false;

    bool operator==(const Acl&) const = default;
};

struct Policy {
    std::optional<MacAddress> distributed_router_mac;  // Absent: left as it is.
    std::vector<ProviderAddress> provider_addresses;
    std::vector<VirtualNetwork> virtual_networks;
    std::vector<Mapping> mappings;
    std::vector<Port> ports;
    std::vector<Acl> acls;

    bool operator==(const Policy&) const = default;
};

// What identifies a port: its name, but a GUID without braces and in lower case.
[[nodiscard]] std::string port_key(const std::string& name);

}  // namespace hnv::cli
