#include "pipeline/layers.h"

#include <algorithm>
#include <array>

namespace hnv::pipeline {

namespace {

constexpr std::array<LayerInfo, kLayerCount> kLayers{{
    {Layer::Port, "port", "whose packet it is, and in which virtual subnet", true, true},
    {Layer::TunnelGuard, "tunnel-guard", "which provider addresses may send here", false, true},
    {Layer::Guard, "guard", "the guest's own MAC and addresses only", true, false},
    {Layer::Learning, "learning", "source MACs of ports of hardware_vtep", true, false},
    {Layer::Neighbour, "arp", "ARP and neighbour solicitations to the agent", true, false},
    {Layer::Dhcp, "dhcp", "DHCP and router solicitations to the agent", true, false},
    {Layer::Storm, "storm", "how much broadcast and multicast it may send", true, false},
    {Layer::QosOut, "qos-out", "how much it may send", true, false},
    {Layer::MirrorOut, "mirror-out", "copies of what it sends", true, false},
    {Layer::Dnat, "dnat", "external addresses to customer addresses", true, false},
    {Layer::FirewallOut, "firewall-out", "outbound: state of connections", true, false},
    {Layer::FirewallOutAdmin, "firewall-out-admin", "outbound rules of the admin", true, false},
    {Layer::FirewallOutController, "firewall-out-controller", "outbound rules of the controller",
     true, false},
    {Layer::Insertion, "service-insertion", "what goes through an appliance first", true, false},
    {Layer::Router, "router", "the distributed router: routes and next hops", true, false},
    {Layer::Balance, "load-balancer", "addresses that several backends share", true, true},
    {Layer::Switch, "switch", "destinations on this host", true, true},
    {Layer::Mapping, "mapping", "customer address to provider address", true, false},
    {Layer::Replication, "replication", "broadcast and multicast", true, true},
    {Layer::FirewallIn, "firewall-in", "inbound: state of connections", false, true},
    {Layer::FirewallInAdmin, "firewall-in-admin", "inbound rules of the admin", false, true},
    {Layer::FirewallInController, "firewall-in-controller", "inbound rules of the controller",
     false, true},
    {Layer::Snat, "snat", "customer addresses to external addresses", false, true},
    {Layer::QosIn, "qos-in", "how much it may be sent", false, true},
    {Layer::MirrorIn, "mirror-in", "copies of what it is sent", false, true},
    {Layer::Deliver, "deliver", "out of the guest's port", false, true},
    {Layer::Tunnel, "tunnel", "encapsulation, and what the underlay has room for", true, false},
    {Layer::IcmpError, "icmp-error", "what the router tells the sender", true, false},
}};

// By the table's number.
constexpr std::array kLayerOfTable{
    Layer::Port,                   // Classify
    Layer::TunnelGuard,            // TunnelGuard
    Layer::Guard,                  // Guard
    Layer::Neighbour,              // Neighbour
    Layer::Dhcp,                   // Dhcp
    Layer::Storm,                  // Storm
    Layer::QosOut,                 // QosOut
    Layer::MirrorOut,              // MirrorOut
    Layer::Dnat,                   // Dnat
    Layer::FirewallOut,            // FirewallOutTrack
    Layer::FirewallOut,            // FirewallOutState
    Layer::FirewallOut,            // FirewallOutCommit
    Layer::FirewallOut,            // FirewallOutLimit
    Layer::Insertion,              // Insertion
    Layer::Router,                 // Router
    Layer::Router,                 // Route
    Layer::Router,                 // Resolve
    Layer::Balance,                // Balance
    Layer::Balance,                // Affinity
    Layer::Balance,                // Select
    Layer::Balance,                // Returning
    Layer::Switch,                 // Local
    Layer::Mapping,                // Mapping
    Layer::Replication,            // Replicate
    Layer::FirewallIn,             // FirewallInTrack
    Layer::FirewallIn,             // FirewallInState
    Layer::FirewallIn,             // FirewallInCommit
    Layer::FirewallIn,             // FirewallInLimit
    Layer::Snat,                   // Snat
    Layer::Snat,                   // Snatted
    Layer::QosIn,                  // QosIn
    Layer::MirrorIn,               // MirrorIn
    Layer::Deliver,                // Deliver
    Layer::Tunnel,                 // Tunnel
    Layer::Tunnel,                 // Encapsulate
    Layer::IcmpError,              // IcmpError
    Layer::FirewallOutAdmin,       // RulesOutAdmin
    Layer::FirewallOutController,  // RulesOutController
    Layer::FirewallInAdmin,        // RulesInAdmin
    Layer::FirewallInController,   // RulesInController
    Layer::Learning,               // Learn
    Layer::Mapping,                // Demand
};

[[nodiscard]] constexpr unsigned number_of(Table table) { return static_cast<unsigned>(table); }

// A table's drops at this priority and above, by the highest that fits.
struct Drop {
    Table table;
    std::uint16_t from;
    std::string_view why;
};
constexpr std::array kDrops{
    Drop{Table::Classify, priority::kNormal, "not BFD, by a port that is for BFD alone"},
    Drop{Table::Classify, priority::kLow,
         "the port is blocked, or is not bound to this VLAN (see hnvctl ports)"},
    Drop{Table::Classify, priority::kMiss,
         "neither of a guest's port nor of a virtual subnet that is known here"},
    Drop{Table::TunnelGuard, priority::kHigh,
         "router and neighbour discovery does not cross tunnels"},
    Drop{Table::TunnelGuard, priority::kMiss,
         "its outer source is no provider address that the policy knows for this virtual network"},
    Drop{Table::Guard, priority::kDiscoveryGuard, "neighbour discovery that a guest may not send"},
    Drop{Table::Guard, priority::kRouterGuard,
         "a router's advertisement or redirect, by the port's router guard"},
    Drop{Table::Guard, priority::kDhcpGuard, "a DHCP server's message, by the port's DHCP guard"},
    Drop{Table::Guard, priority::kSourceGuard, "its source is no station's MAC"},
    Drop{Table::Guard, priority::kHigh, "router and neighbour discovery of a guest"},
    Drop{Table::Guard, priority::kIpv6Guard, "spoofed: not an IPv6 address of this port"},
    Drop{Table::Guard, priority::kIpv4Guard, "spoofed: not an IPv4 address of this port"},
    Drop{Table::Guard, priority::kArpGuard, "spoofed: ARP from an address that is not this port's"},
    Drop{Table::Guard, priority::kProtocolGuard, "neither IP nor ARP"},
    Drop{Table::Guard, priority::kMacGuard, "spoofed: not the MAC of this port"},
    Drop{Table::Guard, priority::kMiss, "the port has no guard's leave to send it"},
    Drop{Table::Learn, priority::kMiss, "nothing: what is known needs no learning"},
    Drop{Table::Neighbour, priority::kMiss, "an ARP or ND message that is no question"},
    Drop{Table::Dhcp, priority::kMiss, "a DHCP message that is no question to a server"},
    Drop{Table::Storm, priority::kMiss, "the port's storm limit"},
    Drop{Table::QosOut, priority::kMiss, "the port's outbound limit"},
    Drop{Table::MirrorOut, priority::kMiss, "a copy that has no destination"},
    Drop{Table::Dnat, priority::kMiss, "for an external address that nobody here has"},
    Drop{Table::FirewallOutTrack, priority::kMiss, "the port's rules block everything"},
    Drop{Table::FirewallOutState, priority::kInvalid, "it fits no connection that is known"},
    Drop{Table::FirewallOutState, priority::kMiss,
         "a reply to no connection that the port has made in this virtual subnet"},
    Drop{Table::FirewallOutCommit, priority::kMiss, "the port's outbound rules"},
    Drop{Table::FirewallOutLimit, priority::kMiss,
         "the port's flow limit: there is no room for one more connection"},
    Drop{Table::RulesOutAdmin, priority::kDefault + 1, "a rule of the admin layer, outbound"},
    Drop{Table::RulesOutAdmin, priority::kMiss, "no rule of the admin layer allows it, outbound"},
    Drop{Table::RulesOutController, priority::kDefault + 1,
         "a rule of the controller layer, outbound"},
    Drop{Table::RulesOutController, priority::kMiss,
         "no rule of the controller layer allows it, outbound"},
    Drop{Table::Insertion, priority::kMiss, "the appliance that it should go through is unknown"},
    Drop{Table::Router, priority::kMiss, "not for the distributed router"},
    Drop{Table::Route, priority::kGateway,
         "for the gateway itself, which answers ping only, or an address that is never routed"},
    Drop{Table::Route, priority::kMiss, "no route"},
    Drop{Table::Resolve, priority::kMiss, "nobody has the address in its subnet"},
    Drop{Table::Balance, priority::kMiss, "the shared address is gone"},
    Drop{Table::Affinity, priority::kMiss, "the shared address is gone"},
    Drop{Table::Select, priority::kMiss, "the shared address has no such backend"},
    Drop{Table::Returning, priority::kMiss, "the shared address is gone"},
    Drop{Table::Local, priority::kMiss,
         "it came by a tunnel, and no active port of this host has the destination's MAC"},
    Drop{Table::Mapping, priority::kLow,
         "the destination is mapped to this host, and no active port here has its MAC"},
    Drop{Table::Mapping, priority::kMiss,
         "unknown destination: its MAC is not mapped in this virtual subnet"},
    Drop{Table::Demand, priority::kMiss,
         "its destination is not programmed, and its sender is gone"},
    Drop{Table::Replicate, priority::kMiss, "broadcast in a virtual subnet that is not known"},
    Drop{Table::FirewallInTrack, priority::kHigh, "a copy of what the port itself has sent"},
    Drop{Table::FirewallInTrack, priority::kMiss, "the port's rules block everything"},
    Drop{Table::FirewallInState, priority::kInvalid, "it fits no connection that is known"},
    Drop{Table::FirewallInState, priority::kMiss,
         "a reply to no connection that the port has made in this virtual subnet"},
    Drop{Table::FirewallInCommit, priority::kMiss, "the port's inbound rules"},
    Drop{Table::FirewallInLimit, priority::kMiss,
         "the port's flow limit: there is no room for one more connection"},
    Drop{Table::RulesInAdmin, priority::kDefault + 1, "a rule of the admin layer, inbound"},
    Drop{Table::RulesInAdmin, priority::kMiss, "no rule of the admin layer allows it, inbound"},
    Drop{Table::RulesInController, priority::kDefault + 1,
         "a rule of the controller layer, inbound"},
    Drop{Table::RulesInController, priority::kMiss,
         "no rule of the controller layer allows it, inbound"},
    Drop{Table::Snat, priority::kMiss, "it may not leave by this gateway port"},
    Drop{Table::Snatted, priority::kMiss, "no external address or port is left for it"},
    Drop{Table::QosIn, priority::kMiss, "the port's inbound limit"},
    Drop{Table::MirrorIn, priority::kMiss, "a copy that has no destination"},
    Drop{Table::Deliver, priority::kMiss, "its port is gone"},
    Drop{Table::Tunnel, priority::kMiss, "there is no tunnel port for its encapsulation"},
    Drop{Table::Encapsulate, priority::kMiss, "there is no tunnel port for its encapsulation"},
    Drop{Table::IcmpError, priority::kMiss, "it can't be sent on, and its sender is not here"},
};

// policy::ObjectKind in order.
constexpr std::array<std::string_view, 11> kOwnerKinds{
    "host", "port",        "subnet",     "peer",    "mac",    "router",
    "vip",  "group-rules", "port-rules", "service", "learned"};
static_assert(kOwnerKinds.size() == static_cast<std::size_t>(policy::ObjectKind::Learned) + 1);

}  // namespace

std::span<const LayerInfo> layers() { return kLayers; }

const LayerInfo& info_of(Layer layer) { return kLayers.at(static_cast<std::size_t>(layer)); }

std::optional<Layer> layer_named(std::string_view name) {
    const auto* const found = std::ranges::find(kLayers, name, &LayerInfo::name);
    return found == kLayers.end() ? std::nullopt : std::optional(found->layer);
}

std::optional<Layer> layer_of(unsigned table) {
    return table < kLayerOfTable.size() ? std::optional(kLayerOfTable.at(table)) : std::nullopt;
}

std::string layer_name(unsigned table) {
    const auto layer = layer_of(table);
    return layer ? std::string(info_of(*layer).name) : "table " + std::to_string(table);
}

std::optional<RuleGroup> rules_in(Layer layer) {
    using policy::Direction;
    using policy::RuleLayer;
    switch (layer) {
        case Layer::FirewallOutAdmin:
            return RuleGroup{Direction::Outbound, RuleLayer::Admin};
        case Layer::FirewallOutController:
            return RuleGroup{Direction::Outbound, RuleLayer::Controller};
        case Layer::FirewallInAdmin:
            return RuleGroup{Direction::Inbound, RuleLayer::Admin};
        case Layer::FirewallInController:
            return RuleGroup{Direction::Inbound, RuleLayer::Controller};
        default:
            return std::nullopt;
    }
}

bool judges_without_rules(unsigned table) {
    return table == number_of(Table::FirewallOutTrack) ||
           table == number_of(Table::FirewallInTrack);
}

std::string_view priority_class(unsigned table, std::uint16_t flow_priority) {
    const auto layer = layer_of(table);
    if (layer && rules_in(*layer)) {
        return flow_priority > priority::kDefault ? "rules" : "default";
    }
    if (flow_priority >= priority::kState) {
        return "state";
    }
    if (table == number_of(Table::Route)) {
        return flow_priority >= priority::kGateway     ? "gateway"
               : flow_priority >= priority::kTtl       ? "ttl"
               : flow_priority >= priority::kRouteBase ? "routes"
                                                       : "default";
    }
    return flow_priority > priority::kNormal    ? "exceptions"
           : flow_priority > priority::kDefault ? "rules"
                                                : "default";
}

std::string_view why_dropped(unsigned table, std::uint16_t flow_priority) {
    const Drop* best = nullptr;
    for (const Drop& drop : kDrops) {
        if (number_of(drop.table) == table && flow_priority >= drop.from &&
            (best == nullptr || drop.from > best->from)) {
            best = &drop;
        }
    }
    return best != nullptr ? best->why : "a table that is not known here";
}

std::string_view why_icmp_error(std::uint32_t reason) {
    switch (static_cast<IcmpReason>(reason)) {
        case IcmpReason::None:
            break;
        case IcmpReason::TtlExpired:
            return "its TTL runs out at the distributed router";
        case IcmpReason::NoRoute:
            return "no route to the destination";
        case IcmpReason::HostUnknown:
            return "nobody has the address in the destination's subnet";
        case IcmpReason::TooBig:
            return "it is longer than the underlay can carry";
    }
    return "it can't be sent on";
}

std::string_view what_is_asked(unsigned packet_in_kind) {
    switch (static_cast<PacketInKind>(packet_in_kind)) {
        case PacketInKind::ArpRequest:
            return "an ARP request, for the agent to answer";
        case PacketInKind::NeighbourSolicitation:
            return "a neighbour solicitation, for the agent to answer";
        case PacketInKind::IcmpError:
            return "an ICMP error of the distributed router, by the agent";
        case PacketInKind::Audit:
            return "to the audit log";
        case PacketInKind::Learn:
            return "a MAC that is not known yet, for the agent to learn";
        case PacketInKind::Demand:
            return "the first packet to a destination, which the agent now programs";
        case PacketInKind::Dhcp:
        case PacketInKind::Dhcpv6:
            return "a DHCP message, for the agent to answer";
        case PacketInKind::RouterSolicitation:
            return "a router solicitation, for the agent to answer";
        default:
            return "to the agent";
    }
}

bool owned_by_rule(std::uint64_t cookie) {
    using policy::ObjectKind;
    const auto kind = static_cast<ObjectKind>(cookie >> 48 & 0xff);
    return (cookie & kCookieMarkMask) == kCookieMark &&
           (kind == ObjectKind::GroupRules || kind == ObjectKind::PortRules);
}

std::string_view owner_kind(std::uint64_t cookie) {
    if ((cookie & kCookieMarkMask) != kCookieMark) {
        return {};
    }
    const auto kind = static_cast<std::size_t>(cookie >> 48 & 0xff);
    return kind < kOwnerKinds.size() ? kOwnerKinds.at(kind) : "object";
}

}  // namespace hnv::pipeline
