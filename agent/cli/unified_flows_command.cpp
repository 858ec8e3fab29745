// hnvctl unified-flows: what the datapath does, and which layers and rules made it so.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "cli/operator_commands.h"
#include "cli/text_list.h"
#include "cli/verdict.h"
#include "ovs-integration/wire.h"

namespace hnv::cli {
namespace {

constexpr unsigned kDefaultTraces = 100;

// "10.1.1.11/0.0.0.0" → nothing: the flow takes any; "10.1.1.11/255.255.255.0" stays.
std::string_view told(std::string_view value) {
    const auto [exact, mask] = masked(value);
    if (mask.empty()) {
        return exact;
    }
    const bool zero = mask.find_first_not_of("0.:x") == std::string_view::npos;
    return zero ? std::string_view{} : value;
}

std::string_view member(std::string_view list, std::string_view name) {
    for (const std::string_view item : split_list(list)) {
        const auto [key, value] = pair_of(item);
        if (key == name) {
            return told(value);
        }
    }
    return {};
}

std::string or_any(std::string_view text) { return std::string(text.empty() ? "any" : text); }

std::string ct_words(std::string_view state) {
    struct Bit {
        std::uint64_t bit;
        std::string_view word;
    };
    constexpr std::array kBits{Bit{0x20, "tracked"}, Bit{0x01, "new"},   Bit{0x02, "established"},
                               Bit{0x04, "related"}, Bit{0x08, "reply"}, Bit{0x10, "invalid"}};
    const auto [value_text, mask_text] = masked(state);
    const auto value = number_in(value_text);
    const auto mask =
        mask_text.empty() ? std::optional<std::uint64_t>(~0ULL) : number_in(mask_text);
    if (!value || !mask || (*value & *mask) == 0) {
        return {};
    }
    std::string words;
    for (const auto& [bit, word] : kBits) {
        if ((*value & *mask & bit) != 0) {
            words += (words.empty() ? "" : ",") + std::string(word);
        }
    }
    return words;
}

std::string protocol_words(std::string_view number) {
    struct Protocol {
        std::string_view number;
        std::string_view name;
    };
    constexpr std::array kNames{Protocol{"1", "ICMP"}, Protocol{"6", "TCP"}, Protocol{"17", "UDP"},
                                Protocol{"58", "ICMPv6"}, Protocol{"132", "SCTP"}};
    for (const auto& [value, name] : kNames) {
        if (value == number) {
            return std::string(name);
        }
    }
    return number.empty() ? "IP" : "protocol " + std::string(number);
}

// "TCP 10.1.1.11:any -> 10.1.2.13:80"; what the flow takes any of is "any".
std::string packet_words(const DatapathFlow& flow) {
    if (const auto arp = flow.field("arp"); !arp.empty()) {
        return "ARP " + or_any(member(arp, "sip")) + " asks for " + or_any(member(arp, "tip"));
    }
    std::string_view ip = flow.field("ipv4");
    ip = ip.empty() ? flow.field("ipv6") : ip;
    if (ip.empty()) {
        const auto eth = flow.field("eth");
        return "type " + or_any(told(flow.field("eth_type"))) + " " + or_any(member(eth, "src")) +
               " -> " + or_any(member(eth, "dst"));
    }
    std::string text = protocol_words(member(ip, "proto"));
    const std::string source = or_any(member(ip, "src"));
    const std::string destination = or_any(member(ip, "dst"));
    for (const char* transport : {"tcp", "udp", "sctp"}) {
        if (const auto ports = flow.field(transport); !ports.empty()) {
            return text + " " + source + ":" + or_any(member(ports, "src")) + " -> " + destination +
                   ":" + or_any(member(ports, "dst"));
        }
    }
    for (const char* kind : {"icmp", "icmpv6"}) {
        if (const auto icmp = flow.field(kind); !icmp.empty()) {
            const auto type = member(icmp, "type");
            text += type.empty() ? "" : " type " + std::string(type);
        }
    }
    return text + " " + source + " -> " + destination;
}

class Collector {
  public:
    Collector(const HostFacts& facts, const SwitchPorts& ports, const Names& names)
        : facts_(facts), ports_(ports), names_(names) {}

    [[nodiscard]] Json::Value describe(const DatapathFlow& flow) const {
        Json::Value one;
        one["ufid"] = flow.ufid;
        one["in_port"] = name_of(flow.field("in_port"));
        one["packet"] = packet_words(flow);
        one["ct_state"] = ct_words(flow.field("ct_state"));
        one["recirculation"] = std::string(flow.field("recirc_id"));
        one["packets"] = Json::UInt64{flow.packets};
        one["bytes"] = Json::UInt64{flow.bytes};
        one["used"] = flow.used;
        if (const auto tunnel = flow.field("tunnel"); !tunnel.empty()) {
            one["tunnel"] = tunnel_of(tunnel, flow.field("in_port"));
        }
        one["actions"] = Json::Value(Json::arrayValue);
        for (const std::string& word :
             action_words(flow.actions, [this](std::string_view port) { return name_of(port); })) {
            one["actions"].append(word);
        }
        return one;
    }

    // The layers and rules that decided something, of a trace of the flow's own key.
    [[nodiscard]] Json::Value made_by(const TraceSection& section) const {
        Json::Value rules(Json::arrayValue);
        for (const Json::Value& step : steps_of(section, {facts_, ports_, names_})) {
            if (!step["passes"].asBool() && !step["if_longer"].asBool()) {
                rules.append(step);
            }
        }
        return rules;
    }

  private:
    [[nodiscard]] std::string name_of(std::string_view port) const {
        const SwitchPort* found = ports_.by_datapath(port);
        if (found == nullptr) {
            return std::string(port);
        }
        const LocalPort* local =
            found->bridge == facts_.bridge ? facts_.port_numbered(found->ofport) : nullptr;
        return local != nullptr ? local->name : found->name;
    }

    [[nodiscard]] Json::Value tunnel_of(std::string_view tunnel, std::string_view in_port) const {
        const auto key = number_in(member(tunnel, "tun_id")).value_or(0);
        const SwitchPort* port = ports_.by_datapath(in_port);
        const bool nvgre = in_port.starts_with("gre") || (port != nullptr && port->type == "gre");
        const auto either = [&](const char* v4, const char* v6) {
            const auto text = member(tunnel, v4);
            return std::string(text.empty() ? member(tunnel, v6) : text);
        };
        Json::Value one;
        one["encapsulation"] = nvgre ? "nvgre" : "vxlan";
        one["vsid"] = Json::UInt64{nvgre ? key >> 8 : key};
        one["source"] = either("src", "ipv6_src");
        one["destination"] = either("dst", "ipv6_dst");
        return one;
    }

    const HostFacts& facts_;
    const SwitchPorts& ports_;
    const Names& names_;
};

// A trace by the flow's own key; of what comes after recirc() there are flows of their own. Nothing
// if the switch can't tell, as of a recirculation that has gone since.
std::optional<TraceSection> trace_of(const DatapathFlow& flow, const SwitchPorts& ports,
                                     const SwitchControl& control) {
    const std::string type = ports.datapath.substr(0, ports.datapath.find('@'));
    const std::vector<std::string> words{type, flow.key};
    const auto text = control.call("ofproto/trace", words);
    auto trace = text ? parse_trace(*text) : Result<Trace>(text.error());
    if (!trace || trace->sections.empty()) {
        return std::nullopt;
    }
    return std::move(trace->sections.front());
}

// Of the port: in by it, out by it, or on its way to it.
bool concerns(const DatapathFlow& flow, const LocalPort& port, const SwitchPorts& ports) {
    if (flow.field("in_port") == port.interface) {
        return true;
    }
    for (const Emission& emission : emissions(flow.actions)) {
        const SwitchPort* out =
            emission.kind == Emission::Kind::Port ? ports.by_datapath(emission.port) : nullptr;
        if (out != nullptr && out->name == port.interface) {
            return true;
        }
    }
    return port.mac && member(flow.field("eth"), "dst") == port.mac->to_string();
}

// The first flows of the list, traced.
struct Traced {
    std::vector<std::optional<TraceSection>> sections;
    std::vector<std::string> judged;  // Ports whose rules were met.
};
Traced trace_all(std::span<const DatapathFlow> flows, const HostFacts& facts,
                 const SwitchPorts& ports, const SwitchControl& control) {
    Traced traced;
    std::set<std::string> judged;
    for (const DatapathFlow& flow : flows) {
        traced.sections.push_back(trace_of(flow, ports, control));
        if (const auto& section = traced.sections.back()) {
            for (std::string& name : judged_ports({{*section}}, facts)) {
                judged.insert(std::move(name));
            }
        }
    }
    traced.judged.assign(judged.begin(), judged.end());
    return traced;
}

}  // namespace

Result<Json::Value> unified_flows(const Arguments& arguments) {
    auto facts = gather(arguments);
    if (!facts) {
        return facts.error();
    }
    const LocalPort* port = nullptr;
    if (!arguments.operands.empty()) {
        port = facts->port_named(arguments.operands.front());
        if (port == nullptr) {
            return Error("no port '" + arguments.operands.front() +
                         "' on this host: see hnvctl ports");
        }
    }
    const auto control = SwitchControl::open(*facts);
    if (!control) {
        return control.error();
    }
    const auto ports = control->ports();
    if (!ports) {
        return ports.error();
    }
    const std::vector<std::string> words{"-m", ports->datapath};
    const auto text = control->call("dpctl/dump-flows", words);
    if (!text) {
        return text.error();
    }
    auto flows = parse_datapath_flows(*text);
    if (port != nullptr) {
        std::erase_if(flows,
                      [&](const DatapathFlow& flow) { return !concerns(flow, *port, *ports); });
    }
    const std::size_t limit = arguments.max_traces.value_or(kDefaultTraces);
    const Traced traced =
        trace_all(std::span(flows).first(std::min(limit, flows.size())), *facts, *ports, *control);
    if (Status rules = fetch_rules(arguments, traced.judged, *facts); !rules) {
        return rules.error();
    }
    const Names names = names_of(*facts, *ports);
    const Collector collector(*facts, *ports, names);
    Json::Value result;
    result["datapath"] = ports->datapath;
    result["traced"] = Json::UInt64{traced.sections.size()};
    result["flows"] = Json::Value(Json::arrayValue);
    for (std::size_t i = 0; i < flows.size(); ++i) {
        Json::Value one = collector.describe(flows[i]);
        if (i < traced.sections.size() && traced.sections[i]) {
            one["rules"] = collector.made_by(*traced.sections[i]);
        }
        result["flows"].append(std::move(one));
    }
    return result;
}

}  // namespace hnv::cli
