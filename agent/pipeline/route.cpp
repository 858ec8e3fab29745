// Table::Route: the routes of a virtual network, on the sending host.
//
// The metadata field says which network: two networks never share a flow, whatever their addresses.
// A packet to a connected subnet goes on to Resolve with that subnet's VSID; one with a static
// route goes to the next hop's MAC. The router's own MAC is put on where the packet leaves the
// switch: until then an ICMP error must find the sender's.
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr std::uint8_t kTtlOfReplies = 64;

// Multicast and broadcast stay in their subnet; loopback and link-local addresses are nobody's
// (RFC 1812 sections 5.3.4, 5.3.5 and 5.3.7, RFC 4291 section 2.5).
constexpr std::array kNeverRouted{"224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8",
                                  "ff00::/8",    "fe80::/10",          "::1/128"};

// Which of equally long prefixes wins.
enum class Rank : std::uint16_t { RouterTable = 0, SubnetTable = 1, Connected = 2 };

[[nodiscard]] std::uint16_t priority_of(const IpPrefix& prefix, Rank rank) {
    return static_cast<std::uint16_t>(priority::kRouteBase + prefix.length * priority::kRouteStep +
                                      static_cast<std::uint16_t>(rank));
}

[[nodiscard]] StageFlow in_network(const policy::RouterView& router, std::uint16_t flow_priority) {
    StageFlow flow(Table::Route, flow_priority);
    flow->match_metadata(router.network);
    return flow;
}

// The gateway answers ping by turning the request round (RFC 792, RFC 4443 section 4.2), and takes
// nothing else.
void gateway_flows(const policy::RouterView& router, const IpAddress& gateway, std::uint64_t cookie,
                   FlowSet& out) {
    const bool v4 = gateway.is_v4();
    const IpPrefix address{gateway, v4 ? 32U : 128U};
    StageFlow echo = in_network(router, priority::kEcho);
    echo->match_ip_dst(address)
        .match_ip_proto(v4 ? wire::kIcmp : wire::kIcmpv6)
        .match_icmp_type(v4 ? wire::kEchoRequest : wire::kEchoRequestV6)
        .move_eth_src_to_dst()
        .set_eth_src(router.mac)
        .move_ip_src_to_dst()
        .set_ip_src(gateway)
        .set_icmp_type(v4 ? wire::kEchoReply : wire::kEchoReplyV6)
        .set_ttl(kTtlOfReplies)
        .move_reg_to_vlan_tci(static_cast<unsigned>(Reg::SourceVlan))
        .output_in_port();
    echo.end(out, cookie);
    StageFlow other = in_network(router, priority::kGateway);
    other->match_ip_dst(address);
    other.drop(out, cookie);
}

// One hop of the router. Of a trunking guest the packet may go back to the port that it came from,
// in another VLAN.
void pass_on(StageFlow& flow, std::uint32_t vsid) {
    flow->dec_ttl().clear_in_port();
    flow.set(Reg::Routed, 1).set(Reg::Vsid, vsid);
}

void complain(StageFlow& flow, IcmpReason reason, std::uint64_t cookie, FlowSet& out) {
    flow.set(Reg::Reason, static_cast<std::uint32_t>(reason)).go(Table::IcmpError, out, cookie);
}

}  // namespace

void route_router(const policy::RouterView& router, std::uint64_t cookie, FlowSet& out) {
    for (const IpAddress& gateway : router.gateways) {
        gateway_flows(router, gateway, cookie, out);
    }
    for (const auto& connected : router.connected) {
        StageFlow flow = in_network(router, priority_of(connected.prefix, Rank::Connected));
        flow->match_ip_dst(connected.prefix);
        pass_on(flow, connected.vsid);
        flow.go(Table::Resolve, out, cookie);
    }
    for (const auto& route : router.routes) {
        const Rank rank = route.from_vsid ? Rank::SubnetTable : Rank::RouterTable;
        StageFlow flow = in_network(router, priority_of(route.prefix, rank));
        if (route.from_vsid) {
            flow.match(Reg::Vsid, *route.from_vsid);
        }
        flow->match_ip_dst(route.prefix).set_eth_dst(route.mac);
        pass_on(flow, route.vsid);
        flow.go(Table::Returning, out, cookie);
    }
}

void route_host(std::uint64_t cookie, FlowSet& out) {
    // What can't be passed on ends before it gets to dec_ttl.
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
            StageFlow expired(Table::Route, priority::kTtl);
            expired->match_eth_type(family).match_ttl(ttl);
            complain(expired, IcmpReason::TtlExpired, cookie, out);
        }
    }
    for (const char* text : kNeverRouted) {
        StageFlow never(Table::Route, priority::kGateway);
        never->match_ip_dst(IpPrefix::parse(text).value());
        never.drop(out, cookie);
    }
    StageFlow no_route(Table::Route, priority::kMiss);
    complain(no_route, IcmpReason::NoRoute, cookie, out);
}

}  // namespace hnv::pipeline
