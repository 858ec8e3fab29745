// Tables RulesOut* and RulesIn*: the rules themselves, of each direction and layer.
//
// They are called by the tables FirewallOutState and FirewallInState, which say whose rules are
// asked (Reg::RuleGroup for those that a group of ports shares, Reg::Judged for the port's own) and
// whether by the packet or by the first packet of its connection (Reg::Verdict). A Block ends the
// call; an Allow of the admin layer asks the controller layer, and one of that is the verdict.
//
// A rule is a flow for each combination of its lists, as long as that is few. Else it is a
// conjunction: a flow for each entry of its lists, and one that says what becomes of a packet that
// fulfils a clause of each list. Flows that several rules of a rank have in common are one flow.
#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "pipeline/audit_userdata.h"
#include "pipeline/firewall_rule.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;
using policy::RuleSpec;

namespace {

// A conjunction costs each new flow of the datapath more than plain matches do: it must save this
// many flows at least.
constexpr std::size_t kWorthAConjunction = 32;
// Of a rank, for each IP version; a rank has no more rules than that with long lists.
constexpr std::uint32_t kMaxConjunctions = 0x4000;

// Rules of a rank that may share an entry of their long lists, and the combinations that a rule
// beyond may have.
constexpr std::size_t kMaxOfClause = 900;
constexpr std::size_t kMaxProduct = 65'536;

struct RuleTables {
    Table table;
    Table next;  // After an Allow of the admin layer.
};

[[nodiscard]] RuleTables tables_of(const policy::RuleRank& rank) {
    const bool out = rank.direction == Direction::Outbound;
    const Table controller = out ? Table::RulesOutController : Table::RulesInController;
    return {rank.layer == RuleLayer::Controller ? controller
            : out                               ? Table::RulesOutAdmin
                                                : Table::RulesInAdmin,
            controller};
}

class RankOfRules {
  public:
    RankOfRules(const policy::RulesView& view, FlowSet& out)
        : view_(view),
          tables_(tables_of(view.rank)),
          priority_(static_cast<std::uint16_t>(priority::kRuleTop - view.rank.priority)),
          out_(out) {}

    void add(const RuleSpec& rule) {
        cookie_ = rule_cookie(view_.shared, rule.id);
        for (const Verdict by : {Verdict::ByPacket, Verdict::ByConnection}) {
            for (const RuleDimensions& dimensions : dimensions_of(rule, by)) {
                const bool many = dimensions.product() >= dimensions.sum() + kWorthAConjunction;
                if (many && conjunctions_ < kMaxConjunctions && has_room(by, dimensions)) {
                    conjunction(rule, by, dimensions);
                } else if (dimensions.product() > kMaxProduct) {
                    out_.shortfall = "rule " + rule.id + " has no effect: more than " +
                                     std::to_string(kMaxOfClause) +
                                     " rules of its priority have entries of their lists in "
                                     "common; give some of them another priority";
                } else {
                    for (const RuleMatch& match : combine(dimensions)) {
                        judge(rule, by, [&](StageFlow& flow) { apply(by, match, flow); });
                    }
                }
            }
        }
    }

    // What the conjunctions of the rank share. A rule with just the match of a clause decides all
    // that the clause could: rules of a rank that overlap have one action.
    void end() {
        // By what the switch sees of them: two matches may be one and the same flow.
        std::map<ovs::Bytes, std::vector<const Clauses::value_type*>> by_key;
        for (const auto& entry : clauses_) {
            by_key[clause_flow(entry)->build().key()].push_back(&entry);
        }
        for (const auto& [key, entries] : by_key) {
            StageFlow flow = clause_flow(*entries.front());
            for (const auto* entry : entries) {
                for (const Clause& each : entry->second) {
                    flow->conjunction(each.id, each.number, each.count);
                }
            }
            add_once(flow, rule_cookie(view_.shared, ""));
        }
    }

  private:
    struct Clause {
        std::uint32_t id;
        std::uint8_t number;
        std::uint8_t count;
        bool operator==(const Clause&) const = default;
    };
    using Clauses = std::map<std::pair<Verdict, RuleMatch>, std::vector<Clause>>;

    [[nodiscard]] StageFlow clause_flow(const Clauses::value_type& entry) const {
        StageFlow flow = of_set(entry.first.first);
        apply(entry.first.first, entry.first.second, flow);
        return flow;
    }

    // A flow has 64 KiB, and each conjunction takes 16 bytes of it.
    [[nodiscard]] bool has_room(Verdict by, const RuleDimensions& dimensions) const {
        return std::ranges::all_of(dimensions.dimensions, [&](const auto& alternatives) {
            return std::ranges::all_of(alternatives, [&](const RuleMatch& match) {
                const auto known = clauses_.find({by, match});
                return known == clauses_.end() || known->second.size() < kMaxOfClause;
            });
        });
    }

    [[nodiscard]] StageFlow of_set(Verdict by) const {
        StageFlow flow(tables_.table, priority_);
        flow.match(view_.shared ? Reg::RuleGroup : Reg::Judged, view_.set)
            .match(Reg::Verdict, static_cast<std::uint32_t>(by));
        return flow;
    }

    static void apply(Verdict by, const RuleMatch& match, StageFlow& flow) {
        if (by == Verdict::ByPacket) {
            pipeline::apply(match, flow);
        } else {
            using ovs::CtState;
            flow->match_ct_state(static_cast<std::uint32_t>(CtState::Tracked),
                                 static_cast<std::uint32_t>(CtState::Tracked) |
                                     static_cast<std::uint32_t>(CtState::Invalid));
            apply_to_connection(match, flow);
        }
    }

    // Ids are told apart within all rules that one packet is judged by: those of one table, of a
    // group and of a port. One is never 0.
    [[nodiscard]] std::uint32_t next_id() {
        return static_cast<std::uint32_t>(view_.rank.priority + 1) << 16 |
               (view_.shared ? 0U : 0x8000U) | conjunctions_++;
    }

    void conjunction(const RuleSpec& rule, Verdict by, const RuleDimensions& dimensions) {
        const std::uint32_t id = next_id();
        const auto count = static_cast<std::uint8_t>(dimensions.dimensions.size());
        std::uint8_t number = 0;
        for (const auto& alternatives : dimensions.dimensions) {
            ++number;
            for (const RuleMatch& match : alternatives) {
                auto& of = clauses_[{by, match}];
                const Clause clause{id, number, count};
                if (of.empty() || of.back() != clause) {
                    of.push_back(clause);
                }
            }
        }
        judge(rule, by, [&](StageFlow& flow) { flow->match_conj_id(id); });
    }

    // With logging, the packets that begin a connection go to the audit log too.
    template <typename Match>
    void judge(const RuleSpec& rule, Verdict by, const Match& match) {
        using ovs::CtState;
        constexpr auto kTracked = static_cast<std::uint32_t>(CtState::Tracked);
        constexpr auto kNew = static_cast<std::uint32_t>(CtState::New);
        constexpr auto kInvalid = static_cast<std::uint32_t>(CtState::Invalid);
        const auto flow_for = [&](std::optional<std::uint32_t> state, bool log) {
            StageFlow flow = of_set(by);
            match(flow);
            if (state) {
                flow->match_ct_state(*state, kTracked | kNew | kInvalid);
            }
            if (log) {
                add_audit({rule.direction, rule.action, rule.layer, rule.id}, flow);
            }
            if (rule.action == RuleAction::Allow) {
                if (rule.layer == RuleLayer::Admin) {
                    flow->goto_table(static_cast<std::uint8_t>(tables_.next));
                } else {
                    flow.set(Reg::Verdict, static_cast<std::uint32_t>(Verdict::Allowed));
                }
            }
            add_once(flow, cookie_);
        };
        if (rule.logged) {
            flow_for(kTracked | kNew, true);
            flow_for(kTracked, false);
        } else {
            flow_for(std::nullopt, false);
        }
    }

    void add_once(StageFlow& flow, std::uint64_t cookie) {
        flow.end(out_, cookie);
        if (!keys_.insert(out_.flows.back().key()).second) {
            out_.flows.pop_back();
        }
    }

    const policy::RulesView& view_;
    const RuleTables tables_;
    const std::uint16_t priority_;
    FlowSet& out_;
    std::uint64_t cookie_ = 0;
    std::uint32_t conjunctions_ = 0;
    Clauses clauses_;
    std::set<std::string> keys_;
};

}  // namespace

std::uint64_t rule_cookie(bool shared, std::string_view rule_id) {
    return cookie_of(shared ? policy::ObjectKind::GroupRules : policy::ObjectKind::PortRules,
                     tell_of(rule_id));
}

void firewall_rules(const policy::RulesView& view, FlowSet& out) {
    RankOfRules rank(view, out);
    for (const auto& rule : view.rules) {
        rank.add(*rule);
    }
    rank.end();
}

}  // namespace hnv::pipeline
