// Tables FirewallOut* and FirewallIn*: a port's ACL, in two layers and for each direction.
//
//   Track ──▶ Admin ──▶ Controller ──▶ Commit ──▶ the next stage
//     │  replies of allowed connections ──────────▲
//     └─ a port that needs no connection state ───┘
//
// A packet passes if each layer that has an enabled rule for the port lets it pass: the first rule
// that matches decides, else Outbound passes and Inbound is blocked. What belongs to a connection
// that was allowed in the other direction passes without asking the rules; packets of a
// connection's own direction ask them every time, so that a rule taken away stops its connections.
//
// A port whose rules allow all, or block all, in both directions pays for no connection state.
#include <array>
#include <optional>

#include "pipeline/firewall_rule.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;
using policy::RuleSpec;

namespace {

constexpr std::array<std::uint16_t, 2> kIpFamilies{0x0800, 0x86dd};

constexpr std::uint32_t bits(ovs::CtState a) { return static_cast<std::uint32_t>(a); }
template <typename... More>
constexpr std::uint32_t bits(ovs::CtState a, More... more) {
    return bits(a) | bits(more...);
}

// The tables and the register of one direction.
struct Path {
    Direction direction;
    Reg port;
    Table track;
    Table admin;
    Table controller;
    Table commit;
    Table next;
};
constexpr Path kOutbound{Direction::Outbound,
                         Reg::Source,
                         Table::FirewallOutTrack,
                         Table::FirewallOutAdmin,
                         Table::FirewallOutController,
                         Table::FirewallOutCommit,
                         Table::Router};
constexpr Path kInbound{Direction::Inbound,
                        Reg::Destination,
                        Table::FirewallInTrack,
                        Table::FirewallInAdmin,
                        Table::FirewallInController,
                        Table::FirewallInCommit,
                        Table::Deliver};

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

class PortFirewall {
  public:
    PortFirewall(const policy::PortView& port, std::uint64_t cookie, FlowSet& out)
        : port_(port), cookie_(cookie), out_(out), zone_(static_cast<std::uint16_t>(port.ofport)) {}

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
            flow->match_eth_type(family).ct({zone_, false, static_cast<std::uint8_t>(path.admin)});
            flow.end(out_, cookie_);
        }
        connections(path);
        layer(path, RuleLayer::Admin, path.admin, path.controller);
        layer(path, RuleLayer::Controller, path.controller, path.commit);
        commit(path);
    }

    // A copy of what the port itself sent: never back to the sender.
    void no_echo() {
        StageFlow flow(Table::FirewallInTrack, priority::kHigh);
        flow.match(Reg::Source, port_.ofport).match(Reg::Destination, port_.ofport);
        flow.drop(out_, cookie_);
    }

  private:
    StageFlow of_port(const Path& path, Table table, std::uint16_t flow_priority) {
        StageFlow flow(table, flow_priority);
        flow.match(path.port, port_.ofport);
        return flow;
    }

    void finish(StageFlow& flow, RuleAction action, Table next) {
        if (action == RuleAction::Allow) {
            flow.go(next, out_, cookie_);
        } else {
            flow.drop(out_, cookie_);
        }
    }

    void connections(const Path& path) {
        using ovs::CtState;
        StageFlow invalid = of_port(path, path.admin, priority::kInvalid);
        invalid->match_ct_state(bits(CtState::Tracked, CtState::Invalid),
                                bits(CtState::Tracked, CtState::Invalid));
        invalid.drop(out_, cookie_);
        StageFlow reply = of_port(path, path.admin, priority::kState);
        reply->match_ct_state(
            bits(CtState::Tracked, CtState::Established, CtState::Reply),
            bits(CtState::Tracked, CtState::Established, CtState::Reply, CtState::New));
        reply.go(path.next, out_, cookie_);
        StageFlow related = of_port(path, path.admin, priority::kState);
        related->match_ct_state(bits(CtState::Tracked, CtState::Related),
                                bits(CtState::Tracked, CtState::Related, CtState::Established));
        related.go(path.next, out_, cookie_);
    }

    void layer(const Path& path, RuleLayer layer, Table table, Table next) {
        for (const RuleSpec& rule : port_.rules) {
            if (rule.layer != layer || rule.direction != path.direction) {
                continue;
            }
            const auto rule_priority =
                static_cast<std::uint16_t>(priority::kRuleTop - rule.priority);
            for (const RuleMatch& match : expand(rule)) {
                StageFlow flow = of_port(path, table, rule_priority);
                apply(match, flow);
                finish(flow, rule.action, next);
            }
        }
        StageFlow otherwise = of_port(path, table, priority::kDefault);
        finish(otherwise,
               layer_enabled(port_, layer) ? default_action(path.direction) : RuleAction::Allow,
               next);
    }

    void commit(const Path& path) {
        using ovs::CtState;
        for (const std::uint16_t family : kIpFamilies) {
            StageFlow fresh = of_port(path, path.commit, priority::kNormal);
            fresh->match_eth_type(family)
                .match_ct_state(bits(CtState::Tracked, CtState::New),
                                bits(CtState::Tracked, CtState::New))
                .ct({zone_, true, std::nullopt});
            fresh.go(path.next, out_, cookie_);
        }
        of_port(path, path.commit, priority::kDefault).go(path.next, out_, cookie_);
    }

    const policy::PortView& port_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint16_t zone_;
};

}  // namespace

void firewall_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    PortFirewall firewall(port, cookie, out);
    firewall.no_echo();
    const auto outbound = constant(port, Direction::Outbound);
    const auto inbound = constant(port, Direction::Inbound);
    const bool needs_state = !outbound || !inbound || outbound != inbound;
    for (const Path& path : {kOutbound, kInbound}) {
        if (needs_state) {
            firewall.stateful(path);
        } else {
            firewall.stateless(path, *outbound);
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
