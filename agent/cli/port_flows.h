// The flows of the switch that a port's packets meet, layer by layer and rule by rule.
//
// Pure; which flows to ask the switch for is said here too.
#pragma once

#include <json/value.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/flow_words.h"
#include "cli/host_facts.h"
#include "pipeline/layers.h"

namespace hnv::cli {

enum class Way : std::uint8_t { Out, In };

struct PortFlow {
    unsigned table = 0;
    std::uint16_t priority = 0;
    std::uint64_t cookie = 0;
    FlowText text;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};
[[nodiscard]] std::vector<PortFlow> read_flows(std::span<const ovs::FlowRecord> records);

// The groups of ports that the port shares firewall rules with, as its own flows name them.
[[nodiscard]] std::vector<std::uint32_t> rule_groups_in(std::span<const PortFlow> flows);

// What to ask the switch for: the flows that name the port, its virtual subnets or their network,
// those that are for every packet; and the rules of its groups.
[[nodiscard]] std::vector<ovs::FlowFilter> filters_of(const LocalPort& port,
                                                      const HostFacts& facts);
[[nodiscard]] std::vector<ovs::FlowFilter> filters_of(std::span<const std::uint32_t> rule_groups);

// Those that a packet of the port can meet. Counters of flows that other ports share are the sum
// of all of them.
[[nodiscard]] std::vector<PortFlow> flows_of(const LocalPort& port, std::vector<PortFlow> flows);

[[nodiscard]] Json::Value layers_json(const LocalPort& port, std::span<const PortFlow> flows);
// `only`: that layer alone.
[[nodiscard]] Json::Value rules_json(const LocalPort& port, std::span<const PortFlow> flows,
                                     const HostFacts& facts, const Names& names,
                                     std::optional<pipeline::Layer> only);

// A rule of ms_firewall as a person writes it: "TCP from 10.0.0.0/8 to any, port 80-89".
[[nodiscard]] std::string condition_of(const RuleRow& rule);

}  // namespace hnv::cli
