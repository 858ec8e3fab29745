#include "cli/operator_views.h"

#include <algorithm>

#include "cli/table.h"

namespace hnv::cli {
namespace {

const Json::Value& member(const Json::Value& object, const char* key) {
    return object.isObject() && object.isMember(key) ? object[key] : Json::Value::nullSingleton();
}

std::string text_of(const Json::Value& value) {
    if (value.isBool()) {
        return value.asBool() ? "yes" : "no";
    }
    return value.isString() || value.isNumeric() ? value.asString() : std::string();
}

std::string text_of(const Json::Value& object, const char* key) {
    return text_of(member(object, key));
}

std::string list_of(const Json::Value& array, const char* separator = ", ") {
    std::string text;
    for (const Json::Value& element : array) {
        text += (text.empty() ? "" : separator) + text_of(element);
    }
    return text;
}

std::string heading(const std::string& text, bool colour) {
    return styled(printable(text), Style::Heading, colour) + "\n";
}

// A state that lets packets pass needs no word.
std::string port_line(const Json::Value& answer, bool colour) {
    const std::string state = text_of(answer, "state");
    const Style style = state == "active" ? Style::Good : Style::Bad;
    return "port " + printable(text_of(answer, "port")) + ", " + styled(state, style, colour) +
           "\n";
}

std::string indented(const std::string& text) {
    std::string result;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size() - 1);
        result += "  " + text.substr(begin, end - begin + 1);
        begin = end + 1;
    }
    return result;
}

// The firewall's rule or else the flow's owner.
std::string decided_by(const Json::Value& step) {
    const Json::Value& rule = member(step, "rule");
    if (rule.isNull()) {
        return text_of(step, "owner");
    }
    const std::string id = text_of(rule, "id");
    return id == "default" ? "default of port " + text_of(rule, "port")
                           : "rule " + id + " of port " + text_of(rule, "port");
}

std::string direction_view(const Json::Value& layers, bool colour) {
    Table table({{"LAYER"},
                 {"FAMILY"},
                 {"CLASS"},
                 {"RULES", Align::Right},
                 {"PACKETS", Align::Right},
                 {"BYTES", Align::Right}});
    for (const Json::Value& layer : layers) {
        std::string name = text_of(layer, "name");
        const Json::Value& groups = member(layer, "groups");
        if (groups.empty()) {
            table.add_row({{name, Style::Faint}, {""}, {""}, {"0"}, {""}, {""}});
        }
        for (const Json::Value& group : groups) {
            table.add_row({{name},
                           {text_of(group, "family")},
                           {text_of(group, "class")},
                           {text_of(group, "rules")},
                           {text_of(group, "packets")},
                           {text_of(group, "bytes")}});
            name = "\"";
        }
    }
    return table.text(colour);
}

}  // namespace

std::string layers_view(const Json::Value& layers, bool colour) {
    const Json::Value& directions = member(layers, "directions");
    return port_line(layers, colour) + "\n" + heading("what it sends", colour) +
           direction_view(member(directions, "out"), colour) + "\n" +
           heading("what it is sent", colour) + direction_view(member(directions, "in"), colour);
}

std::string rules_view(const Json::Value& rules, bool colour) {
    std::string text = port_line(rules, colour);
    for (const Json::Value& layer : member(rules, "layers")) {
        const Json::Value& groups = member(layer, "groups");
        if (groups.empty()) {
            continue;
        }
        text += "\n" +
                heading("layer " + text_of(layer, "name") + ": " + text_of(layer, "title"), colour);
        for (const Json::Value& group : groups) {
            text += "  group " + text_of(group, "family") + ", " + text_of(group, "class") + "\n";
            Table table({{"PRIORITY", Align::Right},
                         {"OF"},
                         {"CONDITION"},
                         {"ACTION"},
                         {"FLOWS", Align::Right},
                         {"PACKETS", Align::Right},
                         {"BYTES", Align::Right}});
            for (const Json::Value& rule : member(group, "rules")) {
                table.add_row({{text_of(rule, "priority")},
                               {text_of(rule, "id")},
                               {text_of(rule, "condition")},
                               {text_of(rule, "action")},
                               {text_of(rule, "flows")},
                               {text_of(rule, "packets")},
                               {text_of(rule, "bytes")}});
            }
            text += indented(indented(table.text(colour)));
        }
    }
    return text;
}

std::string spaces_view(const Json::Value& spaces, bool colour) {
    std::string text;
    for (const Json::Value& network : member(spaces, "virtual_networks")) {
        const std::string rdid = text_of(network, "rdid");
        const std::string router = text_of(network, "router");
        std::string line = "virtual network " + (rdid.empty() ? "(no id)" : rdid);
        line += router.empty() ? ", no router"
                               : ", router " + router +
                                     (member(network, "routed") == true ? "" : " (switched off)");
        text += heading(line, colour);
        Table table({{"VSID", Align::Right},
                     {"NAME"},
                     {"PREFIX"},
                     {"GATEWAY"},
                     {"MAPPINGS", Align::Right},
                     {"PORTS-HERE"}});
        for (const Json::Value& subnet : member(network, "subnets")) {
            std::string prefixes;
            std::string gateways;
            for (const Json::Value& one : member(subnet, "prefixes")) {
                prefixes += (prefixes.empty() ? "" : ",") + text_of(one, "prefix");
                gateways += (gateways.empty() ? "" : ",") + text_of(one, "gateway");
            }
            table.add_row({{text_of(subnet, "vsid")},
                           {text_of(subnet, "name")},
                           {prefixes},
                           {gateways},
                           {text_of(subnet, "mappings")},
                           {list_of(member(subnet, "ports"), ",")}});
        }
        text += indented(table.text(colour)) + "\n";
    }
    const Json::Value& provider = member(spaces, "provider_space");
    text += heading("provider space", colour);
    Table addresses({{"ADDRESS"}, {"INTERFACE"}, {"STATE"}});
    for (const Json::Value& one : member(provider, "addresses")) {
        addresses.add_row(
            {{text_of(one, "address")}, {text_of(one, "interface")}, {text_of(one, "state")}});
    }
    text += indented(addresses.empty() ? "no provider addresses\n" : addresses.text(colour));
    Table peers({{"PEER"}, {"ENCAPSULATIONS"}, {"MAPPINGS", Align::Right}, {"VSIDS"}});
    for (const Json::Value& one : member(provider, "peers")) {
        peers.add_row({{text_of(one, "address")},
                       {list_of(member(one, "encapsulations"), ",")},
                       {text_of(one, "mappings")},
                       {list_of(member(one, "vsids"), ",")}});
    }
    return text + indented(peers.empty() ? "no peers\n" : peers.text(colour));
}

std::string unified_flows_view(const Json::Value& flows, bool colour) {
    const Json::Value& list = member(flows, "flows");
    std::string text;
    for (const Json::Value& flow : list) {
        std::string line = text_of(flow, "packet") + ", in by " + text_of(flow, "in_port");
        if (const Json::Value& tunnel = member(flow, "tunnel"); !tunnel.isNull()) {
            line += ", " + text_of(tunnel, "encapsulation") + " VSID " + text_of(tunnel, "vsid") +
                    " from PA " + text_of(tunnel, "source") + " to PA " +
                    text_of(tunnel, "destination");
        }
        const std::string state = text_of(flow, "ct_state");
        const std::string recirculation = text_of(flow, "recirculation");
        line += state.empty() ? "" : ", connection " + state;
        line +=
            recirculation.empty() || recirculation == "0" ? "" : ", recirculation " + recirculation;
        text += heading(line, colour);
        text += "  " + text_of(flow, "packets") + " packets, " + text_of(flow, "bytes") +
                " bytes, used " + text_of(flow, "used") + "\n";
        text += "  does: " + printable(list_of(member(flow, "actions"))) + "\n";
        for (const Json::Value& step : member(flow, "rules")) {
            text += "  by " + printable(text_of(step, "layer")) + ": " +
                    printable(decided_by(step)) + ": " + printable(text_of(step, "condition")) +
                    "\n";
        }
    }
    if (list.empty()) {
        return "no flows in the datapath\n";
    }
    return text + std::to_string(list.size()) + " flows, " + text_of(flows, "traced") +
           " of them traced\n";
}

std::string process_tuples_view(const Json::Value& result, bool colour) {
    std::string text = printable(text_of(result, "tuple")) + ", sent by " +
                       printable(text_of(result, "sender")) + "\n";
    for (const Json::Value& note : member(result, "notes")) {
        text += "note: " + printable(text_of(note)) + "\n";
    }
    Table table({{"LAYER"}, {"BY"}, {"CONDITION"}, {"ACTION"}});
    for (const Json::Value& step : member(result, "steps")) {
        if (member(step, "passes") == true || member(step, "if_longer") == true) {
            continue;
        }
        const Json::Value& rule = member(step, "rule");
        const bool blocks = text_of(rule, "action") == "block";
        table.add_row({{text_of(step, "layer")},
                       {decided_by(step)},
                       {text_of(step, "condition")},
                       {rule.isNull() ? text_of(step, "action") : text_of(rule, "action"),
                        blocks || text_of(step, "action") == "drop" ? Style::Bad : Style::Plain}});
    }
    const std::string verdict = text_of(result, "verdict");
    const bool good = verdict == "delivered" || verdict == "encapsulated" || verdict == "sent" ||
                      verdict == "agent";
    return text + table.text(colour) + "verdict: " +
           styled(printable(text_of(result, "sentence")), good ? Style::Good : Style::Bad, colour) +
           "\n";
}

}  // namespace hnv::cli
