#include "northbound/ms_firewall_reader.h"

#include "northbound/rule_syntax.h"
#include "policy/port_masks.h"
#include "policy/rule_overlap.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

// What the priorities of the switch have room for.
constexpr std::int64_t kMaxPriority = 65000;
// More than this in one rule is refused: it would fill the switch by one row.
constexpr std::size_t kMaxCombinations = 4096;

[[nodiscard]] std::size_t at_least_one(std::size_t count) { return count == 0 ? 1 : count; }

[[nodiscard]] std::size_t count_masks(const std::vector<policy::PortRange>& ranges) {
    std::size_t count = 0;
    for (const policy::PortRange& range : ranges) {
        count += policy::masks_of(range).size();
    }
    return at_least_one(count);
}

// How many matches the rule becomes, for each IP version that it applies to. Of rules that are far
// beyond kMaxCombinations only a lower bound.
[[nodiscard]] std::size_t combinations(const policy::RuleSpec& rule) {
    std::size_t product = 1;
    for (const std::size_t count :
         {rule.protocols.size(), rule.sources.size(), rule.destinations.size(),
          count_masks(rule.source_ports), count_masks(rule.destination_ports)}) {
        product *= at_least_one(count);
        if (product > kMaxCombinations) {
            break;  // One list is bounded, all of them together could overflow.
        }
    }
    return product;
}

}  // namespace

void MsFirewallReader::on_row(const ovs::RowChange& change) {
    if (change.table == "FW_Rules") {
        rule(change);
    } else if (change.table == "FW_Global") {
        sequence(database(), "FW_Global", change);
    }
}

void MsFirewallReader::rule(const ovs::RowChange& change) {
    const RowRef row{SourceTable::MsFirewallRules, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    const ovs::Row& from = *change.after;
    policy::RuleSpec spec;
    spec.port = policy::normalize_port_name(from.string("vnic_id"));
    spec.id = from.string("rule_id");
    spec.layer = from.string("rule_type") == "RuleWithAdminPriority"
                     ? policy::RuleLayer::Admin
                     : policy::RuleLayer::Controller;
    spec.action =
        from.string("action") == "Allow" ? policy::RuleAction::Allow : policy::RuleAction::Block;
    spec.direction = from.string("direction") == "Outbound" ? policy::Direction::Outbound
                                                            : policy::Direction::Inbound;
    spec.enabled = from.string("rule_state") == "Enabled";
    spec.logged = from.string("logging_state") == "Enabled";
    const std::int64_t priority = from.integer("priority").value_or(0);
    if (priority < 0 || priority > kMaxPriority) {
        return refuse(row, FaultKey::RulePriority,
                      "priority " + std::to_string(priority) + " of rule " + spec.id +
                          " is not 0 to " + std::to_string(kMaxPriority));
    }
    spec.priority = static_cast<std::uint16_t>(priority);
    const Status parsed = parse_rule_lists(
        {from.string("src_ip_addresses"), from.string("dst_ip_addresses"), from.string("src_ports"),
         from.string("dst_ports"), from.string("protocols")},
        spec);
    if (!parsed) {
        return refuse(row, FaultKey::RuleSyntax,
                      parsed.error().with_context("rule " + spec.id).message());
    }
    if (!policy::can_match(spec)) {
        return refuse(row, FaultKey::RuleSyntax,
                      "no packet can match rule " + spec.id +
                          ": its addresses are of two families, or its protocols have no ports");
    }
    if (combinations(spec) > kMaxCombinations) {
        return refuse(row, FaultKey::RuleSyntax,
                      "rule " + spec.id + " combines its lists to at least " +
                          std::to_string(combinations(spec)) + " matches; split it into rules of " +
                          std::to_string(kMaxCombinations) + " at most");
    }
    faults_.set(row, FaultKey::RulePriority, std::nullopt);
    accept(row, FaultKey::RuleSyntax, std::move(spec));
}

}  // namespace hnv::northbound
