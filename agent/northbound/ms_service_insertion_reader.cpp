#include "northbound/ms_service_insertion_reader.h"

#include <algorithm>

#include "northbound/routing_information.h"
#include "northbound/rule_syntax.h"
#include "policy/port_masks.h"
#include "policy/rule_overlap.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

// As that of the firewall's rules.
constexpr std::int64_t kMaxPriority = 65000;
// A filter becomes a flow for each combination of its items.
constexpr std::size_t kMaxCombinations = 1024;

// Up to a number above kMaxCombinations.
[[nodiscard]] std::size_t combinations(const policy::RuleSpec& filter) {
    const auto masks = [](const std::vector<policy::PortRange>& ranges) {
        std::size_t count = 0;
        for (const policy::PortRange& range : ranges) {
            count += policy::masks_of(range).size();
        }
        return count;
    };
    std::size_t product = 1;
    for (const std::size_t count :
         {filter.protocols.size(), filter.sources.size(), filter.destinations.size(),
          masks(filter.source_ports), masks(filter.destination_ports)}) {
        product *= std::max<std::size_t>(count, 1);
        if (product > kMaxCombinations) {
            break;
        }
    }
    return product;
}

[[nodiscard]] Status parse_filter(const ovs::Row& from, policy::RuleSpec& filter) {
    Status parsed = parse_rule_lists(
        {from.string("src_ip_addresses"), from.string("dst_ip_addresses"), from.string("src_ports"),
         from.string("dst_ports"), from.string("protocols")},
        filter);
    if (!parsed) {
        return parsed;
    }
    if (!policy::can_match(filter)) {
        return Error(
            "no packet can match it: its addresses are of two families, or its protocols have no "
            "ports");
    }
    if (combinations(filter) > kMaxCombinations) {
        return Error("its lists combine to more than " + std::to_string(kMaxCombinations) +
                     " matches; split it into several rules");
    }
    return {};
}

// `spec`'s service, and its filter where the type of rule has one.
[[nodiscard]] Status parse_service(const ovs::Row& from, policy::ServiceRuleSpec& spec) {
    const std::string_view type = from.string("rule_type");
    const std::string_view routing = from.string("routing_information");
    const auto take = [&spec](auto parsed) -> Status {
        if (!parsed) {
            return parsed.error();
        }
        spec.service = std::move(*parsed);
        return {};
    };
    if (type == "MirrorDestinaion") {
        return take(parse_mirror_destination(routing));  // What is copied is the source's affair.
    }
    if (Status filter = parse_filter(from, spec.filter); !filter) {
        return filter;
    }
    return type == "MirrorSource" ? take(parse_mirror_source(routing))
                                  : take(parse_insertion(routing));
}

}  // namespace

void MsServiceInsertionReader::on_row(const ovs::RowChange& change) {
    if (change.table == "SI_Rule") {
        rule(change);
    } else if (change.table == "SI_Global") {
        sequence(database(), "SI_Global", change);
    }
}

void MsServiceInsertionReader::rule(const ovs::RowChange& change) {
    const RowRef row{SourceTable::MsServiceInsertionRule, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    const ovs::Row& from = *change.after;
    policy::ServiceRuleSpec spec;
    spec.port = policy::normalize_port_name(from.string("vnic_id"));
    spec.id = from.string("rule_id");
    const std::int64_t priority = from.integer("priority").value_or(0);
    if (priority < 0 || priority > kMaxPriority) {
        return refuse(row, FaultKey::RulePriority,
                      "priority " + std::to_string(priority) + " of rule " + spec.id +
                          " is not 0 to " + std::to_string(kMaxPriority));
    }
    spec.priority = static_cast<std::uint16_t>(priority);
    if (const Status parsed = parse_service(from, spec); !parsed) {
        return refuse(row, FaultKey::RuleSyntax,
                      parsed.error().with_context("rule " + spec.id).message());
    }
    faults_.set(row, FaultKey::RulePriority, std::nullopt);
    accept(row, FaultKey::RuleSyntax, std::move(spec));
}

}  // namespace hnv::northbound
