// What the model makes of the specs: the objects that own flows, each with all that its flows
// depend on, as plain values. The pipeline sees nothing else of the policy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/specs.h"

namespace hnv::policy {

enum class ObjectKind : std::uint8_t {
    Host,    // What every packet meets.
    Port,    // A guest's adapter: classification, guards, firewall, local delivery.
    Subnet,  // Gateway and replication of one virtual subnet.
    Peer,    // A provider address that may send into a subnet.
    Mac,     // A remote MAC of a subnet.
};

// Tells objects apart within one life of the agent; never part of a flow.
//   Host:   0, 0
//   Port:   the port's number in the model, 0
//   Subnet: the subnet's number in the model, 0
//   Peer:   the subnet's number, the locator's number
//   Mac:    the subnet's number, the MAC's 48 bits
struct ObjectId {
    ObjectKind kind{};
    std::uint32_t owner = 0;
    std::uint64_t detail = 0;
    auto operator<=>(const ObjectId&) const = default;
};

struct HostView {
    std::uint32_t vxlan_ofport = 0;  // 0: there is no such port yet.
    std::uint32_t nvgre_ofport = 0;
};

struct PortView {
    std::string name;
    std::uint32_t ofport = 0;
    bool active = false;  // Not active: plugged, but nothing passes. The rest is then not set.
    std::uint32_t vsid = 0;
    MacAddress mac;
    std::vector<IpAddress> cas;
    bool mac_spoofing_allowed = false;
    bool ip_forwarding_allowed = false;
    std::optional<std::uint32_t> arp_limit_pps;
    std::vector<RuleSpec> rules;  // Enabled and valid ones, by layer, direction, priority, id.
};

struct SubnetView {
    std::uint32_t vsid = 0;
    std::optional<MacAddress> router_mac;    // Set when a router is bound.
    std::vector<std::uint32_t> local_ports;  // OpenFlow ports of its active ports, ascending.
    std::vector<LocatorSpec> peers;          // Distinct remote PAs, ascending.
};

struct PeerView {
    std::uint32_t vsid = 0;
    LocatorSpec locator;
    std::uint32_t tunnel_ofport = 0;
};

struct MacView {
    std::uint32_t vsid = 0;
    MacAddress mac;
    LocatorSpec locator;
    bool local_pa = false;  // The mapping says "here"; a port here is served before it is asked.
};

enum class PortState : std::uint8_t { Unplugged, Blocked, Active };

// A port as a person sees it.
struct PortStatus {
    std::string name;
    std::string interface;
    std::uint32_t ofport = 0;
    std::uint32_t vsid = 0;
    std::string mac;
    std::string vm_name;
    std::vector<IpAddress> cas;
    PortState state{};
    std::string reason;  // When blocked.
    std::size_t rules = 0;
    std::optional<Uuid> row;         // Its Physical_Port, if there is one.
    std::optional<Uuid> subnet_row;  // The Logical_Switch that it is bound to, if in force.
};

}  // namespace hnv::policy

template <>
struct std::hash<hnv::policy::ObjectId> {
    std::size_t operator()(const hnv::policy::ObjectId& id) const noexcept {
        const std::uint64_t head =
            static_cast<std::uint64_t>(id.owner) << 8 | static_cast<std::uint64_t>(id.kind);
        return (id.detail ^ (head * 0xff51afd7ed558ccdU)) * 0x9e3779b97f4a7c15U;
    }
};
