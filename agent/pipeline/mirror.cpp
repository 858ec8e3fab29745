// Tables MirrorOut and MirrorIn: copies of what a port sends, and is sent.
//
//   MirrorOut, MirrorIn ─┬▶ the packet itself, unchanged
//                        └▶ its copy ─▶ out of the analyzer's port, or ─▶ Tunnel ─▶ Encapsulate
//   tunnel ▶ Classify ─▶ TunnelGuard ─▶ out of the analyzer's port
//
// A copy never comes to MirrorOut or MirrorIn, to the firewall, to the router or to the agent: so
// it is never copied again, also when two ports, or two hosts, mirror to each other.
#include "pipeline/filter.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// One of the two tables, and how it knows the port.
struct Side {
    Table table;
    Reg port;
    Table next;
};
constexpr Side kOut{Table::MirrorOut, Reg::Source, Table::Dnat};
constexpr Side kIn{Table::MirrorIn, Reg::Destination, Table::Deliver};

// As the port's guest sent it, or is to get it, VLAN tag included; also back to an analyzer that
// sent the packet itself.
void to_port(std::uint32_t analyzer, const Side& side, StageFlow& flow) {
    flow->clear_in_port();
    if (side.table == Table::MirrorOut) {
        flow->move_reg_to_vlan_tci(static_cast<unsigned>(Reg::SourceVlan)).output(analyzer);
    } else {
        // Of no subnet: what the analyzer's own subnet delivers is counted without the copies.
        flow.set(Reg::Vsid, 0).set(Reg::Destination, analyzer).resubmit(Table::Deliver);
    }
}

// Without its tag (RFC 7348 section 6.1, RFC 7637 section 3.2). Of the tunnel that the packet may
// have come by nothing is to stay; it may go out of the same one.
void to_host(const policy::ServiceView& service, const policy::MirrorSourceSpec::Remote& remote,
             StageFlow& flow) {
    const bool v4 = remote.locator.pa.is_v4();
    flow->clear_in_port().set_tun_dst(v4 ? IpAddress{} : IpAddress::from_v4(0)).clear_tun_id();
    flow.set(Reg::Vsid, remote.key)
        .set(Reg::Source, 0)  // Nobody is told of a copy that is too long: see mirror_host().
        .set(Reg::MarkV4, service.mark_v4)
        .set(Reg::MarkV6, service.mark_v6);
    towards(remote.locator, flow);
    flow.resubmit(Table::Tunnel);
}

void copy(const policy::ServiceView& service, const policy::ServiceView::Mirror& mirror,
          const Side& side, std::uint16_t flow_priority, std::uint64_t cookie, FlowSet& out) {
    for (const FilterMatch& match : matches_of(mirror.filter)) {
        StageFlow flow(side.table, flow_priority);
        flow.match(side.port, service.ofport);
        apply(match, flow);
        flow.copy([&] {
            if (mirror.ofport != 0) {
                to_port(mirror.ofport, side, flow);
            } else {
                to_host(service, mirror.remote, flow);
            }
        });
        flow.go(side.next, out, cookie);
    }
}

// The key is no VSID of this host, so that neither the metadata nor a flow is a subnet's.
void arrive(const policy::ServiceView& service, const policy::MirrorDestinationSpec& arrival,
            std::uint64_t cookie, FlowSet& out) {
    const auto out_of = [&](std::uint32_t tunnel, std::uint64_t key, std::uint64_t mask) {
        if (tunnel != 0) {
            StageFlow flow(Table::Classify, priority::kHigh);
            flow->match_in_port(tunnel).match_tun_id(key, mask).set_metadata(arrival.key);
            flow.go(Table::TunnelGuard, out, cookie);
        }
    };
    out_of(service.tunnels.vxlan_ofport, arrival.key, ~0ULL);
    out_of(service.tunnels.nvgre_ofport, static_cast<std::uint64_t>(arrival.key) << 8, 0xffffff00U);
    for (const IpAddress& pa : arrival.from) {
        // Above the drop of neighbour discovery: a copy speaks for nobody.
        StageFlow flow(Table::TunnelGuard, priority::kSolicitation);
        flow->match_metadata(arrival.key).match_tun_src(pa).output(service.ofport);
        flow.end(out, cookie);
    }
}

}  // namespace

// By their order, not by their numbers: rules of equal priority must not meet in one flow.
void mirror_service(const policy::ServiceView& service, std::uint64_t cookie, FlowSet& out) {
    std::uint16_t flow_priority = priority::kRuleTop;
    for (const policy::ServiceView::Mirror& mirror : service.mirrors) {
        if (flow_priority == priority::kMiss) {
            break;
        }
        if (mirror.outbound) {
            copy(service, mirror, kOut, flow_priority, cookie, out);
        }
        if (mirror.inbound) {
            copy(service, mirror, kIn, flow_priority, cookie, out);
        }
        --flow_priority;
    }
    for (const policy::MirrorDestinationSpec& arrival : service.arrivals) {
        arrive(service, arrival, cookie, out);
    }
}

void mirror_host(std::uint64_t cookie, FlowSet& out) {
    for (const Side& side : {kOut, kIn}) {
        StageFlow(side.table, priority::kMiss).go(side.next, out, cookie);
    }
    // A copy that the underlay has no room for. The counter has every copy that was measured: Open
    // vSwitch counts a flow on either way of check_pkt_larger().
    StageFlow too_long(Table::IcmpError, priority::kLow);
    too_long.match(Reg::Source, 0).drop(out, cookie);
}

}  // namespace hnv::pipeline
