#include "pipeline/filter.h"

#include <algorithm>

#include "ovs-integration/wire.h"

namespace hnv::pipeline {

namespace {

// Those fragments of packets that match which `match` itself does not get.
[[nodiscard]] std::vector<FilterMatch> fragments_of(const RuleMatch& match) {
    std::vector<FilterMatch> fragments;
    const bool hides_protocol = match.eth_type == wire::kIpv6 && match.protocol.has_value();
    RuleMatch rest = match;
    rest.source_port.reset();
    rest.destination_port.reset();
    if (match.has_ports()) {
        fragments.push_back({rest, ovs::Fragment::First});
    }
    if (hides_protocol) {
        rest.protocol.reset();
    }
    if (match.has_ports() || hides_protocol) {
        fragments.push_back({rest, ovs::Fragment::Later});
    }
    return fragments;
}

}  // namespace

std::vector<FilterMatch> matches_of(const policy::RuleSpec& filter) {
    std::vector<FilterMatch> matches;
    std::vector<FilterMatch> fragments;
    for (const RuleMatch& match : expand(filter)) {
        matches.push_back({match});
        for (const FilterMatch& fragment : fragments_of(match)) {
            // Ports vary fastest in expand(): equal ones are near the end.
            if (std::find(fragments.rbegin(), fragments.rend(), fragment) == fragments.rend()) {
                fragments.push_back(fragment);
            }
        }
    }
    matches.insert(matches.end(), fragments.begin(), fragments.end());
    return matches;
}

void apply(const FilterMatch& match, StageFlow& flow) {
    apply(match.match, flow);
    if (match.fragment) {
        flow->match_fragment(*match.fragment);
    }
}

}  // namespace hnv::pipeline
