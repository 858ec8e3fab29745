// Tables FirewallOut* and FirewallIn*: a port's ACL, in two layers and for each direction.
//
//   Track ──▶ Admin ──▶ Controller ──▶ Commit ──▶ the next stage
//     └─ a port that needs no connection state ───────▲
//
// A packet passes if each layer that has an enabled rule for the port lets it pass: the first rule
// that matches decides, else Outbound passes and Inbound is blocked. A packet of a connection that
// was begun in the other direction (a reply) is judged by that direction's rules, applied to the
// connection's first packet: so it passes exactly as long as the rules allow the connection.
//
// Replies must belong to a connection that this port made in its present subnet (ct_mark): the zone
// outlives the port.
//
// A port whose rules allow all, or block all, in both directions pays for no connection state.
#include <array>
#include <optional>

#include "ovs-integration/wire.h"
#include "pipeline/firewall_rule.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;
using policy::RuleSpec;

namespace {

constexpr std::array<std::uint16_t, 2> kIpFamilies{wire::kIpv4, wire::kIpv6};

constexpr std::uint32_t bits(ovs::CtState a) { return static_cast<std::uint32_t>(a); }
template <typename... More>
constexpr std::uint32_t bits(ovs::CtState a, More... more) {
    return bits(a) | bits(more...);
}

// The tables and the register of one direction.
struct Path {
    Direction direction;
    Reg port;
    Reg vlan;
    Table track;
    Table admin;
    Table controller;
    Table commit;
    Table next;
};
constexpr Path kOutbound{Direction::Outbound,      Reg::Source,
                         Reg::SourceVlan,          Table::FirewallOutTrack,
                         Table::FirewallOutAdmin,  Table::FirewallOutController,
                         Table::FirewallOutCommit, Table::Insertion};
constexpr Path kInbound{Direction::Inbound,      Reg::Destination,
                        Reg::DestinationVlan,    Table::FirewallInTrack,
                        Table::FirewallInAdmin,  Table::FirewallInController,
                        Table::FirewallInCommit, Table::Snat};

[[nodiscard]] bool layer_enabled(const policy::PortView& port, RuleLayer layer) {
    for (const RuleSpec& rule : port.rules) {
        if (rule.layer == layer) {
            return true;
        }
    }
    return false;
}

[[nodiscard]] RuleAction default_action(Direction direction) {
    return direction == Direction::Outbound ? RuleAction::Allow : RuleAction::Block;
}

// What a layer does with every packet of a direction, if that is one and the same thing.
[[nodiscard]] std::optional<RuleAction> constant(const policy::PortView& port, RuleLayer layer,
                                                 Direction direction) {
    if (!layer_enabled(port, layer)) {
        return RuleAction::Allow;
    }
    for (const RuleSpec& rule : port.rules) {
        if (rule.layer == layer && rule.direction == direction) {
            return rule.matches_all() ? std::optional(rule.action) : std::nullopt;
        }
    }
    return default_action(direction);
}

[[nodiscard]] std::optional<RuleAction> constant(const policy::PortView& port,
                                                 Direction direction) {
    const auto admin = constant(port, RuleLayer::Admin, direction);
    const auto controller = constant(port, RuleLayer::Controller, direction);
    if (admin == RuleAction::Block || controller == RuleAction::Block) {
        return RuleAction::Block;
    }
    return admin && controller ? std::optional(RuleAction::Allow) : std::nullopt;
}

// Untagged, the zone of the port's number. Another subnet of a trunking guest, where the same
// addresses may be others', has a zone from above the numbers that Open vSwitch gives to ports by
// itself; should two meet in one, ct_mark still tells their connections apart.
[[nodiscard]] std::uint16_t zone_of(const policy::PortView& port,
                                    const policy::Attachment& attachment) {
    if (attachment.vlan == 0) {
        return static_cast<std::uint16_t>(port.ofport);
    }
    const std::uint32_t both = port.ofport << 12 | attachment.vlan;
    return static_cast<std::uint16_t>(kTrunkZones | (both * 0x9e3779b1U) >> 18);
}

class PortFirewall {
  public:
    PortFirewall(const policy::PortView& port, const policy::Attachment& attachment,
                 std::uint64_t cookie, FlowSet& out)
        : port_(port),
          attachment_(attachment),
          cookie_(cookie),
          out_(out),
          zone_(zone_of(port, attachment)),
          mark_(static_cast<std::uint32_t>(tell_of(port.name)) ^ attachment.vsid) {}

    void stateless(const Path& path, RuleAction action) {
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow flow = of_port(path, path.track, priority::kNormal);
            flow->match_eth_type(family);
            finish(flow, action, path.next);
        }
    }

    void stateful(const Path& path) {
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow flow = of_port(path, path.track, priority::kNormal);
            flow->match_eth_type(family).ct(
                {zone_, false, static_cast<std::uint8_t>(path.admin), std::nullopt});
            flow.end(out_, cookie_);
        }
        invalid(path);
        related(path);
        forward(path, RuleLayer::Admin, path.admin, path.controller);
        reply(path, RuleLayer::Admin, path.admin, path.controller);
        forward(path, RuleLayer::Controller, path.controller, path.commit);
        reply(path, RuleLayer::Controller, path.controller, path.commit);
        commit(path);
    }

    [[nodiscard]] ZoneUse zone() const { return {zone_, mark_}; }

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

    void finish(StageFlow& flow, RuleAction action, Table next) {
        if (action == RuleAction::Allow) {
            flow.go(next, out_, cookie_);
        } else {
            flow.drop(out_, cookie_);
        }
    }

    void invalid(const Path& path) {
        using ovs::CtState;
        StageFlow flow = of_port(path, path.admin, priority::kInvalid);
        flow->match_ct_state(bits(CtState::Tracked, CtState::Invalid),
                             bits(CtState::Tracked, CtState::Invalid));
        flow.drop(out_, cookie_);
    }

    // An ICMP error about a connection of this port.
    void related(const Path& path) {
        using ovs::CtState;
        StageFlow flow = of_port(path, path.admin, priority::kState);
        flow->match_ct_state(bits(CtState::Tracked, CtState::Related),
                             bits(CtState::Tracked, CtState::Related, CtState::Invalid))
            .match_ct_mark(mark_);
        flow.go(path.next, out_, cookie_);
    }

    // A layer's rules for the packets that begin or continue a connection in the path's direction.
    // What a fragment does not show is taken from its connection.
    void forward(const Path& path, RuleLayer layer, Table table, Table next) {
        using ovs::CtState;
        const auto judge = [&](std::uint16_t flow_priority, const RuleMatch& match,
                               RuleAction action) {
            const auto fragment = [&](ovs::Fragment which) {
                StageFlow flow = of_port(path, table, flow_priority);
                flow->match_ct_state(bits(CtState::Tracked),
                                     bits(CtState::Tracked, CtState::Reply, CtState::Invalid));
                apply_to_connection(match, flow);
                flow->match_fragment(which);
                finish(flow, action, next);
            };
            if (match.later_fragment) {
                return fragment(ovs::Fragment::Later);
            }
            StageFlow flow = of_port(path, table, flow_priority);
            flow->match_ct_state(bits(CtState::Tracked), bits(CtState::Tracked, CtState::Reply));
            apply(match, flow);
            finish(flow, action, next);
            if (match.has_ports()) {
                fragment(ovs::Fragment::First);
            } else if (match.protocol && match.eth_type == wire::kIpv6) {
                // The protocol of a later fragment is "fragment" (44) there.
                fragment(ovs::Fragment::Later);
            }
        };
        each_rule(layer, path.direction, judge);
    }

    // A layer's rules for the replies of connections that were begun against the path's direction.
    void reply(const Path& path, RuleLayer layer, Table table, Table next) {
        using ovs::CtState;
        const Direction begun =
            path.direction == Direction::Outbound ? Direction::Inbound : Direction::Outbound;
        const auto judge = [&](std::uint16_t flow_priority, const RuleMatch& match,
                               RuleAction action) {
            StageFlow flow = of_port(path, table, flow_priority);
            flow->match_ct_state(bits(CtState::Tracked, CtState::Reply),
                                 bits(CtState::Tracked, CtState::Reply))
                .match_ct_mark(mark_);
            apply_to_connection(match, flow);
            finish(flow, action, next);
        };
        each_rule(layer, begun, judge);
    }

    // Calls `judge` for each match of the layer's rules of a direction, and for its default.
    template <typename Judge>
    void each_rule(RuleLayer layer, Direction direction, const Judge& judge) {
        for (const RuleSpec& rule : port_.rules) {
            if (rule.layer != layer || rule.direction != direction) {
                continue;
            }
            for (const RuleMatch& match : expand(rule)) {
                judge(static_cast<std::uint16_t>(priority::kRuleTop - rule.priority), match,
                      rule.action);
            }
        }
        judge(priority::kDefault, RuleMatch{},
              layer_enabled(port_, layer) ? default_action(direction) : RuleAction::Allow);
    }

    void commit(const Path& path) {
        using ovs::CtState;
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow fresh = of_port(path, path.commit, priority::kNormal);
            fresh->match_eth_type(family)
                .match_ct_state(bits(CtState::Tracked, CtState::New),
                                bits(CtState::Tracked, CtState::New))
                .ct({zone_, true, std::nullopt, mark_});
            fresh.go(path.next, out_, cookie_);
        }
        of_port(path, path.commit, priority::kDefault).go(path.next, out_, cookie_);
    }

    const policy::PortView& port_;
    const policy::Attachment& attachment_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint16_t zone_;
    std::uint32_t mark_;  // Of the connections that the port makes in its present subnet.
};

}  // namespace

void firewall_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const auto outbound = constant(port, Direction::Outbound);
    const auto inbound = constant(port, Direction::Inbound);
    const bool needs_state = !outbound || !inbound || outbound != inbound;
    for (const policy::Attachment& attachment : port.attachments) {
        PortFirewall firewall(port, attachment, cookie, out);
        out.zones.push_back(firewall.zone());
        firewall.no_echo();
        if (attachment.bridged) {
            firewall.unfiltered();
        }
        for (const Path& path : {kOutbound, kInbound}) {
            if (needs_state) {
                firewall.stateful(path);
            } else {
                firewall.stateless(path, *outbound);
            }
        }
    }
}

void firewall_host(std::uint64_t cookie, FlowSet& out) {
    for (const Path& path : {kOutbound, kInbound}) {
        for (const Table table : {path.track, path.admin, path.controller, path.commit}) {
            StageFlow(table, priority::kMiss).drop(out, cookie);
        }
    }
}

}  // namespace hnv::pipeline
