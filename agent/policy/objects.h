// What the model makes of the specs: the objects that own flows, each with all that its flows
// depend on, as plain values. The pipeline sees nothing else of the policy.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/acl.h"
#include "policy/specs.h"

namespace hnv::policy {

enum class ObjectKind : std::uint8_t {
    Host,        // What every packet meets.
    Port,        // A guest's adapter: classification, guards, firewall, local delivery.
    Subnet,      // Gateway and replication of one virtual subnet.
    Peer,        // A provider address that may send into a subnet.
    Mac,         // A MAC of a subnet, and its customer addresses.
    Router,      // The routes of a virtual network.
    Vip,         // An address that several MACs share (load_balanced).
    GroupRules,  // Firewall rules of one rank that a group of ports shares.
    PortRules,   // Those that one port has for itself.
    Service,     // Mirroring and service insertion of a port.
    Learned,     // A MAC that a port of hardware_vtep has shown.
};

// Tells objects apart within one life of the agent; never part of a flow.
//   Host:   0, 0
//   Port:   the port's number in the model, 0
//   Subnet: the subnet's number in the model, 0
//   Peer:   the subnet's number, the locator's number
//   Mac:    the subnet's number, the MAC's 48 bits
//   Router: the router's number, 0
//   Vip:    the subnet's number, the address's number in the model
//   GroupRules: the group's number, the rank
//   PortRules:  the port's number in the rule book, the rank
//   Service: the port's number, 0
//   Learned: the subnet's number, the MAC's 48 bits
struct ObjectId {
    ObjectKind kind{};
    std::uint32_t owner = 0;
    std::uint64_t detail = 0;
    auto operator<=>(const ObjectId&) const = default;
};

// A virtual network in the switch: the lowest VSID of its subnets, since a VSID belongs to one
// network.
using NetworkKey = std::uint32_t;

// OpenFlow numbers of the tunnel ports; 0: there is no such port yet.
struct TunnelPorts {
    std::uint32_t vxlan_ofport = 0;
    std::uint32_t nvgre_ofport = 0;
    bool operator==(const TunnelPorts&) const = default;
};

struct HostView {
    std::uint32_t vxlan_ofport = 0;  // 0: there is no such port yet.
    std::uint32_t nvgre_ofport = 0;
    MacAddress router_mac{};  // Of the distributed router.
    // Of the underlay: the longest IP packet, by its version; 0: not known.
    unsigned mtu_v4 = 0;
    unsigned mtu_v6 = 0;
    std::optional<std::uint32_t> audit_limit_pps{};
    std::vector<std::uint32_t> bfd_ofports{};  // Of ports that carry BFD alone; ascending.
};

// What customer addresses become beyond a gateway port.
struct Translation {
    IpPrefix internal;  // Without host bits.
    bool is_static = false;
    IpAddress first;  // External addresses, first..last.
    IpAddress last;
    std::vector<IpPrefix> external;  // The prefixes that cover just them.
    std::optional<PortRange> ports{};
    bool operator==(const Translation&) const = default;
};

// Where a unicast frame goes whose MAC nobody has been told of, or learned.
enum class Flood : std::uint8_t {
    Nowhere,
    Here,        // To the other ports of the subnet on this host.
    Everywhere,  // And to the locators of its unknown-dst.
};

// A port in one virtual subnet: untagged, or in a VLAN of a trunking guest.
struct Attachment {
    // The subnet's gateways, one of each family at most.
    struct Router {
        MacAddress mac;
        std::optional<IpAddress> v4{};
        std::optional<IpAddress> v6{};
    };
    std::uint16_t vlan = 0;  // 0: untagged.
    std::uint32_t vsid = 0;
    NetworkKey network = 0;
    MacAddress mac;
    std::vector<IpAddress> cas;
    std::optional<Router> router{};   // nullopt: nothing routes the subnet.
    bool bridged = false;             // The subnet is a VLAN, where others answer ARP and ND too.
    std::vector<AclEntrySpec> acl{};  // Of a port of hardware_vtep, in the order of matching.
    // Of such a port: all addresses that the router has in the subnet, its link-local one too;
    // ascending.
    std::vector<IpAddress> router_addresses{};
    // Of a gateway port, ascending by their customer addresses; those of a pair after those of a
    // pool.
    std::vector<Translation> translations{};
    // What the agent tells the guest, of what ms_darv says; the rest is in the LeaseTable.
    std::optional<IpAddress> dhcp_server{};  // It answers DHCP, by this address.
    bool dhcpv6 = false;                     // It answers DHCPv6.
    bool advertised = false;                 // It answers router solicitations.
    Flood flood = Flood::Nowhere;            // Of what the port sends to an unknown MAC.
};

// A port has a connection tracking zone of its own number; above this there are other zones.
inline constexpr std::uint32_t kMaxGuestOfport = 0x7fff;

// All firewall rules of a layer, a direction and a priority.
struct RuleRank {
    RuleLayer layer{};
    Direction direction{};
    std::uint16_t priority = 0;

    [[nodiscard]] std::uint64_t packed() const {
        return static_cast<std::uint64_t>(layer) << 17 |
               static_cast<std::uint64_t>(direction) << 16 | priority;
    }
    [[nodiscard]] static RuleRank unpacked(std::uint64_t bits) {
        return {static_cast<RuleLayer>(bits >> 17 & 1), static_cast<Direction>(bits >> 16 & 1),
                static_cast<std::uint16_t>(bits)};
    }
    auto operator<=>(const RuleRank&) const = default;
};

// Rules that hold together with all others of the port (see rule_book.h).
struct RulesView {
    bool shared = false;    // By the ports of a group; else one port's own.
    std::uint32_t set = 0;  // The group's number, or the port's OpenFlow number.
    RuleRank rank;
    std::vector<std::shared_ptr<const RuleSpec>> rules;  // In force; ascending.
};

// What a port's rules mean as a whole.
struct Acl {
    bool any = false;                 // Whether a rule is in force.
    std::array<bool, 2> has_layer{};  // By RuleLayer: whether one of the layer is.
    std::optional<RuleAction> all{};  // What becomes of every packet in both directions, if that
                                      // is one thing: no connection state is needed then.
    std::uint32_t group = 0;          // Of ports that share rules; 0: none are asked.
    bool operator==(const Acl&) const = default;
};

struct PortView {
    std::string name;
    std::uint32_t ofport = 0;
    // Of hardware_vtep: any source, ARP as all frames, the attachments' ACLs instead of `rules`.
    // The MAC of an attachment may be unknown (zero), it has no CAs.
    bool vtep = false;
    bool active = false;  // Not active: plugged, but nothing passes. The rest is then not set.
    std::vector<Attachment> attachments;  // By VLAN; each in a subnet of its own.
    // The routing compartments (pkt_mark) of the provider addresses that the port sends from.
    std::uint32_t mark_v4 = 0;
    std::uint32_t mark_v6 = 0;
    bool mac_spoofing_allowed = false;
    bool ip_forwarding_allowed = false;
    bool dhcp_guard = false;    // What only a DHCP server sends is dropped.
    bool router_guard = false;  // So are router advertisements, even of a port that may forward.
    // 0: no limit.
    std::uint32_t storm_limit_pps = 0;  // Broadcast and multicast that the port sends.
    std::uint32_t flow_limit = 0;       // Connections at the same time, in each of its zones.
    std::uint32_t outbound_max_mbps = 0;
    std::uint32_t inbound_max_mbps = 0;
    std::optional<std::uint32_t> arp_limit_pps;
    bool may_demand = false;  // Some subnet of the host is programmed on demand.
    Acl acl{};
};

struct RouterView {
    struct Connected {
        IpPrefix prefix;  // Without host bits.
        std::uint32_t vsid = 0;
    };
    struct Route {
        IpPrefix prefix;
        std::optional<std::uint32_t> from_vsid;  // Of a subnet's own table: only for its packets.
        std::uint32_t vsid = 0;                  // The next hop's.
        MacAddress mac;
    };
    NetworkKey network = 0;
    MacAddress mac;
    std::vector<IpAddress> gateways;
    std::vector<Connected> connected;
    std::vector<Route> routes;     // Those whose next hop is known.
    std::vector<IpAddress> peers;  // Distinct remote PAs of its subnets, ascending.
};

struct SubnetView {
    // Of its router.
    struct Router {
        MacAddress mac;
        NetworkKey network = 0;
    };
    // Of a subnet that is a VLAN of the underlay.
    struct Vlan {
        std::uint16_t vlan = 0;
        std::uint32_t ofport = 0;  // Of the port that leads there; 0: there is none yet.
    };
    std::uint32_t vsid = 0;
    HostView tunnels;
    std::optional<Router> router;
    std::optional<Vlan> vlan{};
    struct LocalPort {
        std::uint32_t ofport = 0;
        std::uint16_t vlan = 0;
        IpAddress pa{};  // Of its mapping, if that is one of this host's; else unspecified.
        auto operator<=>(const LocalPort&) const = default;
    };
    std::vector<LocalPort> local_ports;  // Its active ports, ascending.
    std::vector<LocatorSpec> peers;      // Distinct remote PAs, ascending.
    // This host's PAs to which other hosts send their copies, ascending: with several of them a
    // broadcast comes several times.
    std::vector<IpAddress> arrivals{};
    // Groups with destinations of their own, by MAC.
    struct Group {
        MacAddress mac;
        std::vector<LocatorSpec> peers;
        std::vector<IpAddress> arrivals{};
    };
    std::vector<Group> groups{};
    // With replicate_per_vm: every remote mapping, by MAC; instead of `peers`.
    struct Member {
        MacAddress mac;
        LocatorSpec locator;
    };
    std::vector<Member> members{};
    bool on_demand = false;  // The agent is asked for a MAC that has no flow.
    // Of a subnet with a port of hardware_vtep. What comes by a tunnel goes to ports here at most.
    Flood flood = Flood::Nowhere;
};

struct PeerView {
    NetworkKey network = 0;
    IpAddress pa;
    bool vtep = false;  // A subnet of hardware_vtep: neighbour discovery crosses its tunnels.
};

struct MacView {
    std::uint32_t vsid = 0;
    MacAddress mac;
    LocatorSpec locator;
    bool local_pa = false;  // The mapping says "here"; a port here is served before it is asked.
    std::vector<IpAddress> routed_cas{};  // Its addresses, in a subnet that has a router.
};

// A MAC that is behind a port of this host, whatever a mapping says of it.
struct LearnedView {
    std::uint32_t vsid = 0;
    MacAddress mac;
    std::uint32_t ofport = 0;
    std::uint16_t vlan = 0;         // 0: untagged.
    std::optional<IpAddress> v4{};  // The addresses that it was seen to have.
    std::optional<IpAddress> v6{};
    std::vector<IpAddress> routed_cas{};  // Those of them that the subnet's router resolves to it.
};

struct VipView {
    std::uint32_t vsid = 0;
    NetworkKey network = 0;
    IpAddress address;
    std::vector<MacAddress> backends;  // Ascending; one at least.
    // Should two subnets of the network share it, what comes back is the first one's.
    bool first_of_network = true;
};

// What SI_Rule says of a port that is plugged. Lists are in the order of the rules' priorities; the
// first that matches a packet decides.
struct ServiceView {
    struct Mirror {
        RuleSpec filter;
        bool outbound = false;
        bool inbound = false;
        std::uint32_t ofport = 0;  // Of the analyzer; 0: it is on another host.
        MirrorSourceSpec::Remote remote{};
    };
    struct Insertion {
        // In one of the subnets that the port is in.
        struct Hop {
            std::uint16_t vlan = 0;
            std::uint32_t vsid = 0;         // Of the appliance.
            std::optional<MacAddress> mac;  // nullopt: its address is not known.
        };
        RuleSpec filter;
        std::vector<Hop> hops;
        bool fail_open = false;
    };
    std::string port;
    std::uint32_t ofport = 0;
    TunnelPorts tunnels;
    // The routing compartments that the port's copies are sent from, as those of its own packets.
    std::uint32_t mark_v4 = 0;
    std::uint32_t mark_v6 = 0;
    std::vector<Mirror> mirrors;
    std::vector<MirrorDestinationSpec> arrivals;  // Those in force; of any order.
    std::vector<Insertion> insertions;
};

enum class PortState : std::uint8_t { Unplugged, Blocked, Active };

// A row of NAT as a person sees it.
struct NatStatus {
    NatSpec spec;
    std::uint32_t ofport = 0;  // Of its gateway port; 0: that is not here.
    std::string problem;       // Why it is not in force.
};

// A port as a person sees it.
struct PortStatus {
    std::string name;
    std::string interface;
    std::uint32_t ofport = 0;
    std::string mac;
    std::string vm_name;
    // A subnet in force that it is bound to.
    struct Binding {
        std::uint16_t vlan = 0;
        std::uint32_t vsid = 0;
        std::vector<IpAddress> cas;  // Empty: not known, nothing passes.
        Uuid subnet_row;             // Its Logical_Switch.
    };
    std::vector<Binding> bindings;  // By VLAN.
    std::optional<IpAddress> pa;    // What it sends from.
    PortState state{};
    std::string reason;  // When blocked, in part or as a whole.
    std::size_t rules = 0;
    std::optional<Uuid> row;  // Its Physical_Port, if there is one.
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
