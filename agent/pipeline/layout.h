// Every number of the pipeline in one place: tables, registers, priorities, cookies, meters and the
// userdata of packet-ins. Nothing else in the agent spells one out.
//
//   guest ─▶ Classify ─▶ Guard ─┬▶ Neighbour ─▶ agent
//                               └▶ FirewallOut* ─▶ Router ─┬▶ Route ─▶ Resolve ─┐
//   tunnel ▶ Classify ─▶ TunnelGuard ──────────────────────┤                    │
//                                                          ▼◀───────────────────┘
//                                                      Returning      (Balance ─▶ Affinity ─▶
//                                                      Select
//                                                          ▼           before it, if balanced)
//                    ┌────────────────────────────────── Local ─▶ FirewallIn* ─▶ Deliver ─▶ guest
//                    │ (multicast)                         │ ▲
//                    ▼                                     ▼ │ (not a local MAC)
//                Replicate ─▶ each of FirewallIn*, Tunnel  Mapping ─▶ Tunnel ─▶ Encapsulate ─▶
//                tunnel
//
//   Route, Resolve, Encapsulate ─▶ IcmpError ─▶ agent: what the router tells the sender
//
// A packet goes to higher table numbers only. A table's miss is a drop, except where its stage says
// otherwise; each drop is a flow of its own, so that it has a counter.
#pragma once

#include <cstdint>

namespace hnv::pipeline {

enum class Table : std::uint8_t {
    Classify = 0,           // Which port or tunnel, which virtual subnet.
    TunnelGuard,            // Which provider addresses may send into a virtual network.
    Guard,                  // Anti-spoofing of what a guest sends.
    Neighbour,              // ARP requests and neighbour solicitations to the agent.
    FirewallOutTrack,       // Connection state of what leaves a port; ports that need none pass by.
    FirewallOutAdmin,       // Rules of RuleWithAdminPriority.
    FirewallOutController,  // Rules of RuleWithControllerPriority.
    FirewallOutCommit,      // Remembers an allowed new connection.
    Router,                 // Packets for the distributed router; all others are bridged.
    Route,                  // (network, destination) → subnet or next hop.
    Resolve,                // (VSID, CA) → MAC, for what was routed.
    Balance,                // Which of several backends: what the connection is known by.
    Affinity,               // A known connection goes on to its backend.
    Select,                 // A new one gets a backend.
    Returning,              // What comes back from a balanced address.
    Local,                  // (VSID, destination MAC) → a port of this host.
    Mapping,                // (VSID, destination MAC) → provider address.
    Replicate,              // Broadcast and multicast of a subnet.
    FirewallInTrack,
    FirewallInAdmin,
    FirewallInController,
    FirewallInCommit,
    Deliver,      // Out of the port in Reg::Destination.
    Tunnel,       // What the underlay has room for.
    Encapsulate,  // Out of a tunnel port.
    IcmpError,    // What could not be passed on, to the agent that tells the sender.
};
inline constexpr unsigned kTableCount = static_cast<unsigned>(Table::IcmpError) + 1;

// Registers; zero at the start of the pipeline.
enum class Reg : unsigned {
    Vsid = 0,             // The virtual subnet that the packet is in, 24 bits.
    Source = 1,           // OpenFlow port of the guest that sent it; 0: it came by a tunnel.
    Destination = 2,      // OpenFlow port of the guest that is to have it.
    Origin = 3,           // Where it came from, an Origin.
    Encapsulation = 4,    // How it leaves, an EncapsulationCode.
    Part = 5,             // Which part of a replication list comes next.
    SourceVlan = 6,       // The tag, as a TCI with its CFI bit, that the sender's guest used; or 0.
    DestinationVlan = 7,  // The same of the guest that is to have it.
    Reason = 8,           // Why the router sends an ICMP error, an IcmpReason.
    Mtu = 9,              // With IcmpReason::TooBig: the longest IP packet that would pass.
    Routed = 10,          // 1: by the distributed router, whose MAC it is to leave with.
    MarkV4 = 11,          // The sender's routing compartments in the underlay (pkt_mark), by the
    MarkV6 = 12,          // version of IP that carries the tunnel.
    Backend = 13,         // Which of the backends of a balanced address is to have it.
};

enum class Origin : std::uint32_t { Guest = 0, Tunnel = 1 };
enum class EncapsulationCode : std::uint32_t {
    VxlanOverIpv4 = 0,
    VxlanOverIpv6 = 1,
    NvgreOverIpv4 = 2,
    NvgreOverIpv6 = 3,
};

// In Reg::SourceVlan and Reg::DestinationVlan: a VLAN as an 802.1Q TCI with its CFI bit, as Open
// vSwitch tells a tagged frame from an untagged one; 0 is untagged.
[[nodiscard]] constexpr std::uint32_t tci_of(std::uint16_t vlan) {
    return vlan == 0 ? 0 : 0x1000U | vlan;
}

// Priorities. Within a firewall layer a rule has kRuleTop − its own priority number.
namespace priority {
inline constexpr std::uint16_t kMiss = 0;
inline constexpr std::uint16_t kDefault = 1;
inline constexpr std::uint16_t kLow = 50;
inline constexpr std::uint16_t kMulticast = 90;
inline constexpr std::uint16_t kNormal = 100;
inline constexpr std::uint16_t kHigh = 200;
inline constexpr std::uint16_t kSolicitation = 300;  // Above the drop of all neighbour discovery.
// Routes: three for each bit of the prefix, so that the longest wins; on a tie what is connected,
// then the subnet's own table, then the router's.
inline constexpr std::uint16_t kRouteBase = 1000;
inline constexpr std::uint16_t kRouteStep = 3;
inline constexpr std::uint16_t kTtl = 2000;       // Above every route.
inline constexpr std::uint16_t kGateway = 2900;   // What is for the gateway itself goes no further.
inline constexpr std::uint16_t kEcho = 3000;      // The gateway is reached by any TTL.
inline constexpr std::uint16_t kRuleTop = 65200;  // For a rule of priority 0.
inline constexpr std::uint16_t kState = 65400;    // Replies of allowed connections.
inline constexpr std::uint16_t kInvalid = 65500;  // Packets that fit no connection.
}  // namespace priority

// Cookies: 8 bits that say "hnv-agent's", 8 bits of the kind of object that owns the flow
// (policy::ObjectKind), 48 bits that tell the object within its kind to a person (its MAC, VSID or
// a hash of its name). What a flow does is not in the cookie: flows are compared by their bytes.
inline constexpr std::uint64_t kCookieMark = 0x68ULL << 56;
inline constexpr std::uint64_t kCookieMarkMask = 0xffULL << 56;

// A port's packet-ins are limited by the meter whose id is the port's OpenFlow number, and its
// connections live in the connection tracking zone of the same number.
inline constexpr std::uint32_t kDefaultArpLimitPps = 40'000;
// ICMP errors of a port have a meter of their own, above all OpenFlow port numbers (RFC 1812
// section 4.3.2.8, RFC 4443 section 2.4 (f)).
inline constexpr std::uint32_t kIcmpErrorMeters = 0x10000;
inline constexpr std::uint32_t kIcmpErrorLimitPps = 200;
// Meters hold this much of a second's packets as burst.
inline constexpr std::uint32_t kMeterBurstDivisor = 4;

// controller() actions name this id; the responder's connection claims it.
inline constexpr std::uint16_t kResponderControllerId = 0x684e;

// The first byte of a packet-in's userdata: what the agent is asked for. Behind it:
//   NeighbourSolicitation: the distributed router's MAC (6 bytes; zeros in a subnet without one)
//   IcmpError: the router's MAC, then the address that the error comes from (4 or 16 bytes; zeros:
//              the subnet has no gateway of the family, the packet's destination is to speak)
// What the agent sends back goes out of the port in Reg::Source, with the tag in Reg::SourceVlan.
enum class PacketInKind : std::uint8_t {
    ArpRequest = 1,
    NeighbourSolicitation = 2,
    IcmpError = 3,
};

// In Reg::Reason.
enum class IcmpReason : std::uint32_t {
    None = 0,
    TtlExpired = 1,
    NoRoute = 2,      // No route to the destination.
    HostUnknown = 3,  // Nobody has the address.
    TooBig = 4,       // Longer than Reg::Mtu.
};

}  // namespace hnv::pipeline
