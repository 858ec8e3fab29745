// What `ofproto/trace` of ovs-vswitchd prints, as values (ovs-vswitchd(8), "OFPROTO COMMANDS"; the
// form is that of Open vSwitch 3.1).
//
// Pure. The text is another program's and may change: a line that is not understood is left out,
// and never an error; only a text in which nothing is understood is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/result.h"

namespace hnv::cli {

// A table that the packet was looked up in.
struct TraceStep {
    std::string bridge;
    unsigned table = 0;
    unsigned depth = 0;  // Of resubmits around it.
    bool matched = false;
    std::string match;  // Of the flow, in ovs-ofctl's words; empty: it takes every packet.
    std::uint16_t priority = 0;
    std::uint64_t cookie = 0;
    std::vector<std::string> actions;  // As they were done, in ovs-ofctl's words.
    std::vector<std::string> notes;    // What Open vSwitch says about them.
    bool if_longer = false;            // Only a packet that is too long for check_pkt_larger().
};

// From a lookup in the datapath to its actions: the first one, or one after recirc().
struct TraceSection {
    std::optional<std::uint32_t> recirculation;
    std::string flow;  // The packet and its metadata at the begin.
    std::vector<TraceStep> steps;
    std::string final_flow;  // At the end; empty: as at the begin.
    std::string datapath_actions;
};

struct Trace {
    std::vector<TraceSection> sections;
};

[[nodiscard]] Result<Trace> parse_trace(std::string_view text);

// The value of a field in a flow's text: "0x3" of "reg1" in "tcp,reg1=0x3,…".
[[nodiscard]] std::optional<std::string_view> field_of(std::string_view flow,
                                                       std::string_view name);

}  // namespace hnv::cli
