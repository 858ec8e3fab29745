// The ACL of a port: which of its rules are in force.
#include <algorithm>
#include <tuple>

#include "policy/model.h"
#include "policy/rule_overlap.h"

namespace hnv::policy {

void Model::put(const Uuid& row, RuleSpec spec) {
    const auto known = rule_rows_.find(row);
    if (known != rule_rows_.end() && known->second != spec.port) {
        remove_rule(row);
    }
    PortRecord& port = port_record(spec.port);
    rule_rows_.insert_or_assign(row, spec.port);
    port.rules.insert_or_assign(row, std::move(spec));
    touch_port(port);
}

void Model::remove_rule(const Uuid& row) {
    const auto known = rule_rows_.find(row);
    if (known == rule_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    rule_rows_.erase(known);
    port.rules.erase(row);
    touch_port(port);
}

// The enabled ones that are in force, by layer, direction, priority and id.
std::vector<RuleSpec> Model::rules_of(const PortRecord& port) {
    std::vector<RuleSpec> rules;
    std::vector<std::pair<const RuleSpec*, Uuid>> enabled;
    for (const auto& [row, rule] : port.rules) {
        if (rule.enabled) {
            enabled.emplace_back(&rule, row);
        } else {
            faults_.set({SourceTable::MsFirewallRules, row}, FaultKey::RulePriority, std::nullopt);
        }
    }
    const auto order = [](const auto& entry) {
        const RuleSpec& rule = *entry.first;
        return std::tie(rule.layer, rule.direction, rule.priority, rule.id, entry.second);
    };
    std::sort(enabled.begin(), enabled.end(),
              [&order](const auto& a, const auto& b) { return order(a) < order(b); });
    std::size_t group = 0;
    for (std::size_t i = 0; i < enabled.size(); ++i) {
        const RuleSpec& rule = *enabled[i].first;
        const auto same_rank = [&rule](const RuleSpec& other) {
            return rule.layer == other.layer && rule.direction == other.direction &&
                   rule.priority == other.priority;
        };
        while (!same_rank(*enabled[group].first)) {
            ++group;
        }
        // Among rules of equal priority no order is given: a Block that overlaps an Allow wins.
        std::optional<std::string> beaten;
        for (std::size_t other = group; rule.action == RuleAction::Allow &&
                                        other < enabled.size() && same_rank(*enabled[other].first);
             ++other) {
            const RuleSpec& block = *enabled[other].first;
            if (block.action == RuleAction::Block && overlap(rule, block)) {
                beaten = "rule " + rule.id + " allows what rule " + block.id +
                         " blocks at the same priority; give one of them another priority (until "
                         "then this one has no effect)";
            }
        }
        faults_.set({SourceTable::MsFirewallRules, enabled[i].second}, FaultKey::RulePriority,
                    beaten);
        if (!beaten) {
            rules.push_back(rule);
        }
    }
    return rules;
}

}  // namespace hnv::policy
