#include "northbound/ms_firewall_reader.h"

#include <algorithm>

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
// A rule costs a flow for each entry of its lists, or less: one row must not fill the switch.
constexpr std::size_t kMaxEntries = 4096;

[[nodiscard]] std::size_t count_masks(const std::vector<policy::PortRange>& ranges) {
    std::size_t count = 0;
    for (const policy::PortRange& range : ranges) {
        count += policy::masks_of(range).size();
    }
    return count;
}

// Addresses as prefixes, ports as masks, and the latter for each protocol.
[[nodiscard]] std::size_t entries(const policy::RuleSpec& rule) {
    const std::size_t ports = count_masks(rule.source_ports) + count_masks(rule.destination_ports);
    return rule.sources.size() + rule.destinations.size() +
           std::max<std::size_t>(rule.protocols.size(), 1) * std::max<std::size_t>(ports, 1);
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
    if (entries(spec) > kMaxEntries) {
        return refuse(row, FaultKey::RuleSyntax,
                      "the lists of rule " + spec.id + " have " + std::to_string(entries(spec)) +
                          " entries (addresses as prefixes, ports as masks for each protocol); "
                          "split it into rules of " +
                          std::to_string(kMaxEntries) + " at most");
    }
    faults_.set(row, FaultKey::RulePriority, std::nullopt);
    accept(row, FaultKey::RuleSyntax, std::move(spec));
}

}  // namespace hnv::northbound
