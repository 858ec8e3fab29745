// A trace of the switch as layers, rules and a verdict.
//
// Pure.
#pragma once

#include <json/value.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/host_facts.h"
#include "cli/trace_text.h"

namespace hnv::cli {

// What it takes to read a trace.
struct TraceContext {
    const HostFacts& facts;
    const SwitchPorts& ports;
    const Names& names;
};

// The steps of a section in the integration bridge, each an object:
//   layer, table, priority, cookie, match   as in the switch
//   owner       what the flow belongs to
//   rule        the firewall rule that it is of, if it is one: id, layer, priority, action
//   condition, action    for a person
//   passes      it is only the way to the next table
//   if_longer   only for a packet that is too long for the underlay
[[nodiscard]] Json::Value steps_of(const TraceSection& section, const TraceContext& context);

// What becomes of the packet, one object for each copy of it:
//   kind        "delivered", "encapsulated", "sent", "refused", "agent", "dropped", "unknown"
//   sentence    for a person
//   copy        it is one of a packet that itself is dropped, such as a mirror's
//   and by kind: port, vsid, source, destination, encapsulation, layer, rule, reason
[[nodiscard]] Json::Value outcomes_of(const Trace& trace, const TraceContext& context);

// {"steps": …, "outcomes": …, "verdict": one kind for all, "sentence": …} of a whole trace.
[[nodiscard]] Json::Value explain(const Trace& trace, const TraceContext& context);

// The ports whose firewall rules the packet met, by name: those whose rules explain() wants.
[[nodiscard]] std::vector<std::string> judged_ports(const Trace& trace, const HostFacts& facts);

// The policy's enabled rules of a port that a flow of a rules' table is of.
[[nodiscard]] std::vector<const RuleRow*> rules_of_flow(const HostFacts& facts,
                                                        const std::string& port, unsigned table,
                                                        std::uint64_t cookie);

}  // namespace hnv::cli
