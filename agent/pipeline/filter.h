// The 5-tuple filter of a mirror or a service insertion as matches of flows.
//
// Unlike a firewall's rule it must not part the fragments of one packet: an analyzer wants the
// whole of it, and an appliance can do nothing with a half. No fragment shows its ports, and the
// later ones of IPv6 don't show the protocol either; so the fragments of all that the rest of the
// filter matches are taken.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/firewall_rule.h"

namespace hnv::pipeline {

struct FilterMatch {
    RuleMatch match;
    std::optional<ovs::Fragment> fragment{};  // Of fragments alone; `match` has no ports then.
    bool operator==(const FilterMatch&) const = default;
};

// Only the five lists of `filter` are looked at. No two matches are the same.
[[nodiscard]] std::vector<FilterMatch> matches_of(const policy::RuleSpec& filter);
void apply(const FilterMatch& match, StageFlow& flow);

}  // namespace hnv::pipeline
