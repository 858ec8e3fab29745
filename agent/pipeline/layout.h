// Every number of the pipeline in one place: tables, registers, priorities, cookies, meters and the
// userdata of packet-ins. Nothing else in the agent spells one out.
//
//   guest ─▶ Classify ─▶ Guard ─┬▶ Neighbour, Dhcp ─▶ agent
//                               └▶ Storm ─▶ QosOut ─▶ MirrorOut ─▶ Dnat ─▶ FirewallOut* ─▶
//                               Insertion ─▶ Router ─┬▶ Route ─▶ Resolve ─┐
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
//   Resolve, Mapping ─▶ Demand and back, of subnets that are programmed on demand ─▶ agent:
//   programs FirewallOutTrack ─▶ Learn and back, of what ports of hardware_vtep may send ─▶ agent:
//   new MACs FirewallIn* ─▶ Snat ─▶ Snatted ─▶ QosIn ─▶ MirrorIn ─▶ Deliver Route, Resolve,
//   Encapsulate ─▶ IcmpError ─▶ agent: what the router tells the sender
//
// A packet goes to higher table numbers only, but for detours by ct(): NAT sends what it has
// committed a connection for through Dnat, or Snatted, once more, and QosIn a broadcast's copy
// through itself. A table's miss is a drop, except where its stage says otherwise; each drop is a
// flow of its own, so that it has a counter.
#pragma once

#include <cstdint>

#include "policy/objects.h"

namespace hnv::pipeline {

enum class Table : std::uint8_t {
    Classify = 0,       // Which port or tunnel, which virtual subnet.
    TunnelGuard,        // Which provider addresses may send into a virtual network.
    Guard,              // Anti-spoofing of what a guest sends.
    Neighbour,          // ARP requests and neighbour solicitations to the agent.
    Dhcp,               // DHCP, DHCPv6 and router solicitations to the agent.
    Storm,              // How much broadcast and multicast a port may send.
    QosOut,             // How much a port may send.
    MirrorOut,          // Copies of what a port sends.
    Dnat,               // From a gateway port: external addresses to customer addresses.
    FirewallOutTrack,   // Connection state of what leaves a port; ports that need none pass by.
    FirewallOutState,   // Whose rules a packet is judged by, and its verdict.
    FirewallOutCommit,  // Remembers an allowed new connection.
    FirewallOutLimit,   // Whether connection tracking had room for it.
    Insertion,          // What goes through an appliance first.
    Router,             // Packets for the distributed router; all others are bridged.
    Route,              // (network, destination) → subnet or next hop.
    Resolve,            // (VSID, CA) → MAC, for what was routed.
    Balance,            // Which of several backends: what the connection is known by.
    Affinity,           // A known connection goes on to its backend.
    Select,             // A new one gets a backend.
    Returning,          // What comes back from a balanced address.
    Local,              // (VSID, destination MAC) → a port of this host.
    Mapping,            // (VSID, destination MAC) → provider address.
    Replicate,          // Broadcast and multicast of a subnet.
    FirewallInTrack,
    FirewallInState,
    FirewallInCommit,
    FirewallInLimit,
    Snat,         // To a gateway port: customer addresses to external addresses.
    Snatted,      // Whether there was an external address for it.
    QosIn,        // How much a port may be sent.
    MirrorIn,     // Copies of what a port is sent.
    Deliver,      // Out of the port in Reg::Destination.
    Tunnel,       // What the underlay has room for.
    Encapsulate,  // Out of a tunnel port.
    IcmpError,    // What could not be passed on, to the agent that tells the sender.
    // Called by resubmit from FirewallOutState and FirewallInState; they come back with a verdict.
    RulesOutAdmin,       // Outbound rules of RuleWithAdminPriority.
    RulesOutController,  // Outbound rules of RuleWithControllerPriority.
    RulesInAdmin,        // Inbound rules.
    RulesInController,
    // Called by resubmit from Guard for ports of hardware_vtep; it decides nothing.
    Learn,  // (port, VLAN, source MAC) → known; what is not known is told to the agent.
    // From Resolve and Mapping, and back there when the agent has had its say.
    Demand,  // What is for a destination that is not programmed: the agent is asked, once.
};
inline constexpr unsigned kTableCount = static_cast<unsigned>(Table::Demand) + 1;

// Registers; zero at the start of the pipeline.
enum class Reg : unsigned {
    Vsid = 0,             // The virtual subnet that the packet is in, 24 bits.
    Source = 1,           // OpenFlow port of the guest that sent it; 0: it came by a tunnel.
    Destination = 2,      // OpenFlow port of the guest that is to have it.
    Verdict = 3,          // Of the firewall, a Verdict.
    Encapsulation = 4,    // How it leaves, an EncapsulationCode.
    Part = 5,             // Which part of a replication list comes next.
    SourceVlan = 6,       // The tag, as a TCI with its CFI bit, that the sender's guest used; or 0.
    DestinationVlan = 7,  // The same of the guest that is to have it.
    Reason = 8,           // Why the router sends an ICMP error, an IcmpReason.
    Mtu = 9,              // With IcmpReason::TooBig: the longest IP packet that would pass.
    Routed = 10,          // 1: by the distributed router, whose MAC it is to leave with.
    MarkV4 = 11,          // The sender's routing compartments in the underlay (pkt_mark), by the
    MarkV6 = 12,          // version of IP that carries the tunnel.
    Backend = 13,         // Which of the backends of a balanced address is to have it. Outside of
                          // Balance to Select: how far NAT has come with the packet.
    Judged = 14,          // OpenFlow port whose rules are asked.
    RuleGroup = 15,       // The group of ports that it shares rules with.
};

// In Reg::Verdict: how the rules are to look at the packet, then what they said.
enum class Verdict : std::uint32_t {
    None = 0,
    ByPacket = 1,  // By the packet's own fields: it is whole, and of the direction of the rules.
    ByConnection = 2,  // By the first packet of its connection: a reply, or a fragment.
    Allowed = 3,
};
enum class EncapsulationCode : std::uint32_t {
    VxlanOverIpv4 = 0,
    VxlanOverIpv6 = 1,
    NvgreOverIpv4 = 2,
    NvgreOverIpv6 = 3,
};

// In Reg::Part: the copies for the ports of this host alone.
inline constexpr std::uint32_t kLocalCopies = 0xffff;
// In Reg::Part: what came by a tunnel, or from a VLAN, which goes to ports of this host alone.
inline constexpr std::uint32_t kTunnelCopies = 0xfffe;
// In Reg::Part, of unicast: the agent has been asked for its MAC, or for the MAC of its address.
inline constexpr std::uint32_t kAskedMac = 0xfffd;
inline constexpr std::uint32_t kAskedAddress = 0xfffc;

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
// What Table::Guard drops, a priority for each reason (drop_reason.h): below what passes…
inline constexpr std::uint16_t kMacGuard = 40;
inline constexpr std::uint16_t kProtocolGuard = 41;
inline constexpr std::uint16_t kArpGuard = 42;
inline constexpr std::uint16_t kIpv4Guard = 43;
inline constexpr std::uint16_t kIpv6Guard = 44;
// … and above it; between, whatever a port of hardware_vtep sends.
inline constexpr std::uint16_t kAnySender = 240;
inline constexpr std::uint16_t kSourceGuard = 241;  // … but from no station's address.
inline constexpr std::uint16_t kDhcpGuard = 250;
inline constexpr std::uint16_t kRouterGuard = 260;
inline constexpr std::uint16_t kDiscoveryGuard = 261;
// Of IPv6, what is not filtered: above the firewall's tracking, below what a port is not sent back.
inline constexpr std::uint16_t kUnfiltered = 150;
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

// Connection tracking zones. A port's own is the number of its OpenFlow port, which is why a
// guest's port has none above kMaxGuestOfport; trunk VLANs, balanced addresses and gateway ports
// share what is above it by hashes, and ct_mark tells the users of a zone apart.
inline constexpr std::uint32_t kMaxGuestOfport = policy::kMaxGuestOfport;
inline constexpr std::uint16_t kTrunkZones = 0x8000;  // 14 bits of hash.
inline constexpr std::uint16_t kVipZones = 0xc000;    // 13 bits of hash.
inline constexpr std::uint16_t kNatZones =
    0xe000;  // 13 bits: the gateway port's number, or a hash.

// Meters: what they limit, above the OpenFlow port's number.
enum class MeterKind : std::uint32_t {
    Neighbour = 0,  // ARP requests and neighbour solicitations to the agent.
    IcmpError,      // RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f).
    Dhcp,           // DHCP, DHCPv6 and router solicitations to the agent.
    Storm,          // Broadcast and multicast that a guest sends.
    QosOut,         // What a guest sends.
    QosIn,          // What a guest is sent.
    Audit,          // Of the host, port 0: packets whose verdict is logged.
    Learn,          // Frames of MACs that are not known, to the agent.
    Demand,         // Packets for what is not programmed, to the agent.
};
[[nodiscard]] constexpr std::uint32_t meter_id(MeterKind kind, std::uint32_t ofport) {
    return static_cast<std::uint32_t>(kind) << 16 | ofport;
}
inline constexpr std::uint32_t kDefaultArpLimitPps = 40'000;
inline constexpr std::uint32_t kIcmpErrorLimitPps = 200;
inline constexpr std::uint32_t kDhcpLimitPps = 50;
inline constexpr std::uint32_t kDefaultAuditLimitPps = 1000;
inline constexpr std::uint32_t kLearnLimitPps = 1000;
inline constexpr std::uint32_t kDemandLimitPps = 5000;
// Meters hold this much of a second's packets as burst.
inline constexpr std::uint32_t kMeterBurstDivisor = 4;
// Those of Mbit/s, this much of a second's bits: TCP sends in bursts, and takes each loss for a
// congestion. Measured: see the schema's page, Port_Settings.
inline constexpr std::uint32_t kQosBurstMsec = 300;

// controller() actions name this id; the responder's connection claims it.
inline constexpr std::uint16_t kResponderControllerId = 0x684e;
// The same of the audit log's connection, which is to see nothing but PacketInKind::Audit.
inline constexpr std::uint16_t kAuditControllerId = 0x6841;
// And of what learns MACs, which is to see nothing but PacketInKind::Learn.
inline constexpr std::uint16_t kLearningControllerId = 0x684c;
// And of on-demand programming, which is to see nothing but PacketInKind::Demand.
inline constexpr std::uint16_t kDemandControllerId = 0x6844;

// The first byte of a packet-in's userdata: what the agent is asked for. Behind it:
//   ArpRequest: nothing; or the MAC that has whatever address is asked for (6 bytes)
//   NeighbourSolicitation: the distributed router's MAC (6 bytes; zeros in a subnet without one);
//              behind it nothing, or the MAC that has whatever address is asked for (6 bytes)
//   IcmpError: the router's MAC, then the address that the error comes from (4 or 16 bytes; zeros:
//              the subnet has no gateway of the family, the packet's destination is to speak)
//   Dhcp, Dhcpv6, RouterSolicitation: the port's policy::PortKey (8 bytes)
//   Audit: audit_userdata.h has its form
//   Learn, Demand: nothing
// What the agent sends back goes out of the port in Reg::Source, with the tag in Reg::SourceVlan.
enum class PacketInKind : std::uint8_t {
    ArpRequest = 1,
    NeighbourSolicitation = 2,
    IcmpError = 3,
    Dhcp = 4,
    Dhcpv6 = 5,
    RouterSolicitation = 6,
    Audit = 0x41,   // Nothing is sent back: what a firewall rule decided is to be logged.
    Demand = 0x44,  // The packet waits: what it is for is to be programmed, then it is resumed.
    Learn =
        0x4c,  // Nothing here, too: the port, its VLAN and the frame's source are to be learned.
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
