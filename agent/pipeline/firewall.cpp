// Tables FirewallOut* and FirewallIn*: whose rules a packet is judged by, and what follows.
//
//   Track ──▶ State ──▶ Commit ──▶ (Limit) ──▶ the next stage
//     │         └─ calls Rules* (firewall_rules.cpp)    ▲
//     └─ a port that needs no connection state ─────────┘
//
// A packet passes if each layer that has an enabled rule for the port lets it pass: the first rule
// that matches decides, else Outbound passes and Inbound is blocked. A packet of a connection that
// was begun in the other direction (a reply) is judged by that direction's rules, applied to the
// connection's first packet: so it passes exactly as long as the rules allow the connection. What a
// fragment does not show is taken from its connection, too.
//
// Replies must belong to a connection that this port made in its present subnet (ct_mark): the zone
// outlives the port.
//
// A port whose rules allow all, or block all, in both directions pays for no connection state.
#include "pipeline/firewall.h"

#include <array>
#include <optional>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::RuleAction;
using policy::RuleLayer;

namespace {

constexpr std::array<std::uint16_t, 2> kIpFamilies{wire::kIpv4, wire::kIpv6};

constexpr std::uint32_t bits(ovs::CtState a) { return static_cast<std::uint32_t>(a); }
template <typename... More>
constexpr std::uint32_t bits(ovs::CtState a, More... more) {
    return bits(a) | bits(more...);
}

// The tables and the registers of one direction.
struct Path {
    Reg port;
    Reg vlan;
    Table track;
    Table state;
    Table commit;
    Table limit;
    Table next;
    Table rules;          // For what is begun in this direction: of the admin layer.
    Table replies_rules;  // For the replies to what was begun in the other.
};
constexpr Path kOutbound{Reg::Source,
                         Reg::SourceVlan,
                         Table::FirewallOutTrack,
                         Table::FirewallOutState,
                         Table::FirewallOutCommit,
                         Table::FirewallOutLimit,
                         Table::Insertion,
                         Table::RulesOutAdmin,
                         Table::RulesInAdmin};
constexpr Path kInbound{Reg::Destination,
                        Reg::DestinationVlan,
                        Table::FirewallInTrack,
                        Table::FirewallInState,
                        Table::FirewallInCommit,
                        Table::FirewallInLimit,
                        Table::Snat,
                        Table::RulesInAdmin,
                        Table::RulesOutAdmin};

class PortFirewall {
  public:
    PortFirewall(const policy::PortView& port, const policy::Attachment& attachment,
                 std::uint64_t cookie, FlowSet& out)
        : port_(port),
          attachment_(attachment),
          cookie_(cookie),
          out_(out),
          zone_(zone_of(port, attachment)),
          mark_(ct_mark_of(port, attachment)) {}

    void stateless(const Path& path, RuleAction action) {
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow flow = of_port(path, path.track, priority::kNormal);
            flow->match_eth_type(family);
            if (action == RuleAction::Allow) {
                flow.go(path.next, out_, cookie_);
            } else {
                flow.drop(out_, cookie_);
            }
        }
    }

    void stateful(const Path& path) {
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow flow = of_port(path, path.track, priority::kNormal);
            flow->match_eth_type(family).ct(
                {zone_, false, static_cast<std::uint8_t>(path.state), std::nullopt});
            flow.end(out_, cookie_);
        }
        state(path);
        commit(path);
        if (port_.flow_limit != 0) {
            limit(path);
        }
    }

    // A copy of what the port itself sent: never back to the sender.
    void no_echo() {
        StageFlow flow(Table::FirewallInTrack, priority::kHigh);
        flow.match(Reg::Source, port_.ofport)
            .match_vlan_of(Reg::SourceVlan, port_, attachment_)
            .match(Reg::Destination, port_.ofport)
            .match_vlan_of(Reg::DestinationVlan, port_, attachment_);
        flow.drop(out_, cookie_);
    }

    // ARP and neighbour discovery come in by a VLAN.
    void unfiltered() {
        StageFlow arp = of_port(kInbound, kInbound.track, priority::kNormal);
        arp->match_eth_type(wire::kArp);
        arp.go(kInbound.next, out_, cookie_);
        for (std::uint8_t type = wire::kFirstDiscovery; type <= wire::kLastDiscovery; ++type) {
            StageFlow discovery =
                of_port(kInbound, kInbound.track, priority::kLow + priority::kNormal);
            discovery->match_eth_type(wire::kIpv6)
                .match_ip_proto(wire::kIcmpv6)
                .match_icmp_type(type);
            discovery.go(kInbound.next, out_, cookie_);
        }
    }

  private:
    StageFlow of_port(const Path& path, Table table, std::uint16_t flow_priority) {
        StageFlow flow(table, flow_priority);
        flow.match(path.port, port_.ofport).match_vlan_of(path.vlan, port_, attachment_);
        return flow;
    }

    void state(const Path& path) {
        using ovs::CtState;
        StageFlow invalid = of_port(path, path.state, priority::kInvalid);
        invalid->match_ct_state(bits(CtState::Tracked, CtState::Invalid),
                                bits(CtState::Tracked, CtState::Invalid));
        invalid.drop(out_, cookie_);
        // An ICMP error about a connection of this port.
        StageFlow related = of_port(path, path.state, priority::kState);
        related
            ->match_ct_state(bits(CtState::Tracked, CtState::Related),
                             bits(CtState::Tracked, CtState::Related, CtState::Invalid))
            .match_ct_mark(mark_);
        related.go(path.next, out_, cookie_);

        for (const std::uint16_t family : kIpFamilies) {
            StageFlow whole = of_port(path, path.state, priority::kHigh);
            whole->match_eth_type(family)
                .match_fragment(ovs::Fragment::No)
                .match_ct_state(bits(CtState::Tracked), bits(CtState::Tracked, CtState::Reply));
            ask(whole, Verdict::ByPacket, path.rules, path.commit);
        }
        StageFlow fragment = of_port(path, path.state, priority::kNormal);
        fragment->match_ct_state(bits(CtState::Tracked), bits(CtState::Tracked, CtState::Reply));
        ask(fragment, Verdict::ByConnection, path.rules, path.commit);
        StageFlow reply = of_port(path, path.state, priority::kNormal);
        reply
            ->match_ct_state(bits(CtState::Tracked, CtState::Reply),
                             bits(CtState::Tracked, CtState::Reply))
            .match_ct_mark(mark_);
        ask(reply, Verdict::ByConnection, path.replies_rules, path.commit);
        of_port(path, path.state, priority::kDefault).drop(out_, cookie_);
    }

    void ask(StageFlow& flow, Verdict by, Table rules, Table then) {
        flow.set(Reg::Verdict, static_cast<std::uint32_t>(by))
            .set(Reg::Judged, port_.ofport)
            .set(Reg::RuleGroup, port_.acl.group)
            .resubmit(rules);
        flow.go(then, out_, cookie_);
    }

    void commit(const Path& path) {
        using ovs::CtState;
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow fresh = allowed(path, priority::kHigh);
            fresh->match_eth_type(family).match_ct_state(bits(CtState::Tracked, CtState::New),
                                                         bits(CtState::Tracked, CtState::New));
            if (port_.flow_limit != 0) {
                fresh->ct({zone_, true, static_cast<std::uint8_t>(path.limit), mark_});
                fresh.end(out_, cookie_);
            } else {
                fresh->ct({zone_, true, std::nullopt, mark_});
                fresh.go(path.next, out_, cookie_);
            }
        }
        allowed(path, priority::kNormal).go(path.next, out_, cookie_);
        of_port(path, path.commit, priority::kDefault).drop(out_, cookie_);
    }

    StageFlow allowed(const Path& path, std::uint16_t flow_priority) {
        StageFlow flow = of_port(path, path.commit, flow_priority);
        flow.match(Reg::Verdict, static_cast<std::uint32_t>(Verdict::Allowed));
        return flow;
    }

    // Beyond the limit of a zone connection tracking makes no entry and says nothing, but for the
    // mark that is not there.
    void limit(const Path& path) {
        using ovs::CtState;
        StageFlow over = of_port(path, path.limit, priority::kHigh);
        over->match_ct_state(bits(CtState::Tracked, CtState::New),
                             bits(CtState::Tracked, CtState::New))
            .match_ct_mark(0);
        over.drop(out_, cookie_);
        of_port(path, path.limit, priority::kNormal).go(path.next, out_, cookie_);
    }

    const policy::PortView& port_;
    const policy::Attachment& attachment_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint16_t zone_;
    std::uint32_t mark_;
};

// What no rule of a layer decides, for each direction.
void defaults(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const auto decide = [&](Table table, bool allow, std::optional<Table> next) {
        StageFlow flow(table, priority::kDefault);
        flow.match(Reg::Judged, port.ofport);
        if (!allow) {
            return flow.drop(out, cookie);
        }
        if (next) {
            return flow.go(*next, out, cookie);
        }
        flow.set(Reg::Verdict, static_cast<std::uint32_t>(Verdict::Allowed)).end(out, cookie);
    };
    const auto decides = [&port](RuleLayer layer) {
        return !port.acl.all && port.acl.has_layer[static_cast<std::size_t>(layer)];
    };
    const bool admin = decides(RuleLayer::Admin);
    const bool controller = decides(RuleLayer::Controller);
    decide(Table::RulesOutAdmin, true, Table::RulesOutController);
    decide(Table::RulesOutController, true, std::nullopt);
    decide(Table::RulesInAdmin, !admin, Table::RulesInController);
    decide(Table::RulesInController, !controller, std::nullopt);
}

}  // namespace

// Untagged, the zone of the port's number. Another subnet of a trunking guest, where the same
// addresses may be others', has a zone from above the numbers of guests' ports; should two meet in
// one, ct_mark still tells their connections apart.
std::uint16_t zone_of(const policy::PortView& port, const policy::Attachment& attachment) {
    if (attachment.vlan == 0) {
        return static_cast<std::uint16_t>(port.ofport);
    }
    const std::uint32_t both = port.ofport << 12 | attachment.vlan;
    return static_cast<std::uint16_t>(kTrunkZones | (both * 0x9e3779b1U) >> 18);
}

std::uint32_t ct_mark_of(const policy::PortView& port, const policy::Attachment& attachment) {
    const std::uint32_t mark = static_cast<std::uint32_t>(tell_of(port.name)) ^ attachment.vsid;
    return mark == 0 ? 1 : mark;
}

void firewall_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    // A limit of connections is a limit of what is tracked.
    const bool stateless =
        port.acl.all && (port.flow_limit == 0 || port.acl.all == RuleAction::Block);
    for (const policy::Attachment& attachment : port.attachments) {
        PortFirewall firewall(port, attachment, cookie, out);
        out.zones.push_back({zone_of(port, attachment), ct_mark_of(port, attachment)});
        firewall.no_echo();
        if (attachment.bridged) {
            firewall.unfiltered();
        }
        for (const Path& path : {kOutbound, kInbound}) {
            if (stateless) {
                firewall.stateless(path, *port.acl.all);
            } else {
                firewall.stateful(path);
            }
        }
    }
    if (!stateless) {
        defaults(port, cookie, out);
    }
}

void firewall_host(std::uint64_t cookie, FlowSet& out) {
    for (const Path& path : {kOutbound, kInbound}) {
        for (const Table table : {path.track, path.state, path.commit, path.limit}) {
            StageFlow(table, priority::kMiss).drop(out, cookie);
        }
    }
    for (const Table table : {Table::RulesOutAdmin, Table::RulesOutController, Table::RulesInAdmin,
                              Table::RulesInController}) {
        StageFlow(table, priority::kMiss).drop(out, cookie);
    }
}

}  // namespace hnv::pipeline
