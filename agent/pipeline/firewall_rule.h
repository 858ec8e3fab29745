// A firewall rule as the matches that OpenFlow can express.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/flow_set.h"
#include "policy/port_masks.h"
#include "policy/specs.h"

namespace hnv::pipeline {

using policy::masks_of;
using policy::PortMask;

struct RuleMatch {
    std::uint16_t eth_type = 0;  // 0: any.
    std::optional<std::uint8_t> protocol;
    std::optional<IpPrefix> source;
    std::optional<IpPrefix> destination;
    std::optional<PortMask> source_port;
    std::optional<PortMask> destination_port;
    // Of a packet with ports that are no longer in it.
    bool later_fragment = false;

    [[nodiscard]] bool has_ports() const { return source_port || destination_port; }
    auto operator<=>(const RuleMatch&) const = default;
};

// What a rule asks of the packets of one IP version: of each dimension (sources, destinations,
// services) one of its alternatives. A rule for all packets has no dimension and no version.
struct RuleDimensions {
    std::uint16_t eth_type = 0;
    std::vector<std::vector<RuleMatch>> dimensions;

    // How many matches there are in all combinations, and how many alternatives.
    [[nodiscard]] std::size_t product() const;
    [[nodiscard]] std::size_t sum() const;
};

// One for each IP version that a packet of the rule can have: families agree, and ports belong to
// TCP, UDP or SCTP.
//
// By connection: only the first fragment of a packet has ports to be judged by; without it the
// others are worth nothing to the receiver. So a rule with ports that allows lets pass the later
// fragments of all that its addresses and protocols allow, and one that blocks leaves them to the
// next rule.
[[nodiscard]] std::vector<RuleDimensions> dimensions_of(const policy::RuleSpec& rule, Verdict by);
// Every combination.
[[nodiscard]] std::vector<RuleMatch> combine(const RuleDimensions& dimensions);
// Every combination of the rule's lists that a whole packet can have.
[[nodiscard]] std::vector<RuleMatch> expand(const policy::RuleSpec& rule);

// To the packet itself; of a rule with ports, to packets that are no fragments. Not for
// later_fragment.
void apply(const RuleMatch& match, StageFlow& flow);
// To the first packet of the connection that the packet belongs to.
void apply_to_connection(const RuleMatch& match, StageFlow& flow);

}  // namespace hnv::pipeline
