// hnvctl process-tuples: a packet that was never sent, through the switch's own tables.
#include <vector>

#include "cli/operator_commands.h"
#include "cli/text_list.h"
#include "cli/tuple.h"
#include "cli/verdict.h"
#include "pipeline/flow_set.h"

namespace hnv::cli {
namespace {

// A packet meets a handful of zones: of two ports, a shared address, a gateway port.
constexpr int kMaxRecirculations = 8;

// The mark that a port gives to its connections, from the flow that remembers them. Zero of a port
// that needs no connection state.
std::uint32_t mark_of(const SwitchControl& control, const std::string& port) {
    const ovs::FlowFilter owned{
        std::nullopt,
        pipeline::cookie_of(policy::ObjectKind::Port, pipeline::tell_of(port)),
        {},
        {},
        {}};
    const auto flows = control.flows({&owned, 1});
    if (!flows) {
        return 0;
    }
    for (const ovs::FlowRecord& record : *flows) {
        const std::string actions = text_of(record.flow).actions;
        constexpr std::string_view kSet = "exec(set_field:";
        const auto mark = number_in(between(actions, kSet, "->ct_mark").value_or(""));
        if (mark) {
            return static_cast<std::uint32_t>(*mark);
        }
    }
    return 0;
}

// A trace knows the connection of a later packet up to the first zone that it is looked up in: the
// fields are those of the first port that keeps connections.
std::uint32_t first_mark(const SwitchControl& control, const std::vector<std::string>& judges) {
    for (const std::string& judge : judges) {
        if (const std::uint32_t mark = mark_of(control, judge); mark != 0) {
            return mark;
        }
    }
    return 0;
}

}  // namespace

Result<Json::Value> process_tuple(const Arguments& arguments) {
    const auto tuple = parse_tuple(arguments);
    if (!tuple) {
        return tuple.error();
    }
    const std::vector<std::string> cas{arguments.operands[2], arguments.operands[4]};
    auto facts = gather(arguments, cas);
    if (!facts) {
        return facts.error();
    }
    const auto control = SwitchControl::open(*facts);
    if (!control) {
        return control.error();
    }
    const auto ports = control->ports();
    if (!ports) {
        return ports.error();
    }
    const auto packet = plan_packet(*tuple, *facts, *ports);
    if (!packet) {
        return packet.error();
    }
    std::vector<std::string> words;
    std::string flow = flow_text(*tuple, *packet);
    if (tuple->established) {
        flow += connection_text(*tuple, first_mark(*control, packet->judges));
        for (int i = 0; i < kMaxRecirculations; ++i) {
            words.emplace_back("--ct-next");
            words.emplace_back(tuple->reply ? "trk,est,rpl" : "trk,est");
        }
    }
    words.push_back(facts->bridge);
    words.push_back(flow);
    const auto text = control->call("ofproto/trace", words);
    if (!text) {
        return text.error();
    }
    const auto trace = parse_trace(*text);
    if (!trace) {
        return trace.error();
    }
    const auto judged = judged_ports(*trace, *facts);
    if (Status rules = fetch_rules(arguments, judged, *facts); !rules) {
        return rules.error();
    }
    const Names names = names_of(*facts, *ports);
    Json::Value result = explain(*trace, {*facts, *ports, names});
    result["tuple"] = tuple_words(*tuple);
    result["flow"] = flow;
    result["sender"] = packet->sender;
    result["notes"] = Json::Value(Json::arrayValue);
    for (const std::string& note : packet->notes) {
        result["notes"].append(note);
    }
    if (const LocalPort* port = facts->port_named(tuple->port); port->state != "active") {
        result["notes"].append("port " + port->name + " is " + port->state +
                               (port->reason.empty() ? "" : ": " + port->reason));
    }
    return result;
}

}  // namespace hnv::cli
