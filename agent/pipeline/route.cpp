// Table::Route: the routes of a virtual network, on the sending host.
//
// The metadata field says which network: two networks never share a flow, whatever their addresses.
// A packet to a connected subnet goes on to Resolve with that subnet's VSID; one with a static
// route goes to the next hop's MAC.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kEchoRequest = 8;
constexpr std::uint8_t kTtlOfReplies = 64;

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

// The gateway answers ping by turning the request round (RFC 792).
void echo(const policy::RouterView& router, const IpAddress& gateway, std::uint64_t cookie,
          FlowSet& out) {
    StageFlow flow = in_network(router, priority::kEcho);
    flow->match_ip_dst({gateway, 32})
        .match_ip_proto(wire::kIcmp)
        .match_icmp_type(kEchoRequest)
        .move_eth_src_to_dst()
        .set_eth_src(router.mac)
        .move_ip_src_to_dst()
        .set_ip_src(gateway)
        .set_icmp_type(kEchoReply)
        .set_ttl(kTtlOfReplies)
        .output_in_port();
    flow.end(out, cookie);
}

}  // namespace

void route_router(const policy::RouterView& router, std::uint64_t cookie, FlowSet& out) {
    for (const IpAddress& gateway : router.gateways) {
        if (gateway.is_v4()) {
            echo(router, gateway, cookie, out);
        }
    }
    for (const auto& connected : router.connected) {
        StageFlow flow = in_network(router, priority_of(connected.prefix, Rank::Connected));
        flow->match_ip_dst(connected.prefix).set_eth_src(router.mac).dec_ttl();
        flow.set(Reg::Vsid, connected.vsid);
        flow.go(Table::Resolve, out, cookie);
    }
    for (const auto& route : router.routes) {
        const Rank rank = route.from_vsid ? Rank::SubnetTable : Rank::RouterTable;
        StageFlow flow = in_network(router, priority_of(route.prefix, rank));
        if (route.from_vsid) {
            flow.match(Reg::Vsid, *route.from_vsid);
        }
        flow->match_ip_dst(route.prefix).set_eth_src(router.mac).set_eth_dst(route.mac).dec_ttl();
        flow.set(Reg::Vsid, route.vsid);
        flow.go(Table::Local, out, cookie);
    }
}

void route_host(std::uint64_t cookie, FlowSet& out) {
    // What can't be passed on ends before it gets to dec_ttl.
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
            StageFlow expired(Table::Route, priority::kTtl);
            expired->match_eth_type(family).match_ttl(ttl);
            expired.drop(out, cookie);
        }
    }
    StageFlow(Table::Route, priority::kMiss).drop(out, cookie);  // No route.
}

}  // namespace hnv::pipeline
