#include "cli/views.h"

#include <algorithm>

#include "cli/table.h"

namespace hnv::cli {
namespace {

const Json::Value& member(const Json::Value& object, const char* key) {
    return object.isObject() && object.isMember(key) ? object[key] : Json::Value::nullSingleton();
}

// A scalar as text, an array as its elements with commas, anything else as nothing.
std::string text_of(const Json::Value& value) {
    if (value.isArray()) {
        std::string text;
        for (const Json::Value& element : value) {
            text += (text.empty() ? "" : ",") + text_of(element);
        }
        return text;
    }
    if (value.isBool()) {
        return value.asBool() ? "yes" : "no";
    }
    return value.isString() || value.isNumeric() ? value.asString() : std::string();
}

std::string text_of(const Json::Value& object, const char* key) {
    return text_of(member(object, key));
}

std::string shown(const Json::Value& object, const char* key) {
    const std::string text = text_of(object, key);
    return text.empty() ? "-" : printable(text);
}

// "1 port", "2 ports".
std::string counted(const Json::Value& object, const char* key, const std::string& singular,
                    const std::string& plural) {
    const std::string number = shown(object, key);
    return number + " " + (number == "1" ? singular : plural);
}

Style state_style(const std::string& state) {
    if (state == "active" || state == "connected" || state == "up" || state == "adopted" ||
        state == "ready") {
        return Style::Good;
    }
    return state == "unplugged" ? Style::Faint : Style::Bad;
}

std::string duration_text(const Json::Value& seconds_value) {
    if (!seconds_value.isNumeric()) {
        return "-";
    }
    const auto seconds = seconds_value.asInt64();
    const std::string minutes = std::to_string(seconds / 60 % 60) + " min";
    if (seconds < 60) {
        return std::to_string(seconds) + " s";
    }
    if (seconds < 3'600) {
        return minutes + " " + std::to_string(seconds % 60) + " s";
    }
    const std::string hours = std::to_string(seconds / 3'600 % 24) + " h";
    return seconds < 86'400 ? hours + " " + minutes
                            : std::to_string(seconds / 86'400) + " d " + hours;
}

std::string heading(std::string_view name) {
    constexpr std::size_t kWidth = 10;
    std::string text = "  " + std::string(name);
    text.resize(2 + kWidth + 2, ' ');
    return text;
}

std::string switch_line(const Json::Value& sw, bool colour) {
    const bool connected = member(sw, "connected").isBool() && member(sw, "connected").asBool();
    return heading("switch") + shown(sw, "bridge") + ": " +
           styled(shown(sw, "state"), connected ? Style::Good : Style::Bad, colour) + ", " +
           counted(sw, "flows", "flow", "flows") + ", " +
           counted(sw, "bundles", "bundle", "bundles") + " (" + shown(sw, "bundle_errors") +
           " failed, the last took " + shown(sw, "last_bundle_us") + " us)\n";
}

std::string policy_line(const Json::Value& policy) {
    return heading("policy") +
           counted(policy, "virtual_networks", "virtual network", "virtual networks") + ", " +
           counted(policy, "subnets", "subnet", "subnets") + ", " +
           counted(policy, "mappings", "mapping", "mappings") + ", " +
           counted(policy, "ports", "port", "ports") + " (" + shown(policy, "ports_active") +
           " active),\n" + heading("") +
           counted(policy, "provider_addresses", "provider address", "provider addresses") + ", " +
           counted(policy, "rules", "rule", "rules") + ", " +
           counted(policy, "faults", "fault", "faults") + "\n";
}

std::string database_lines(const Json::Value& databases, bool colour) {
    std::string text;
    for (const Json::Value& database : databases) {
        const std::string next = shown(database, "next_cfg");
        const std::string current = shown(database, "cur_cfg");
        std::string name = shown(database, "name") + " " + shown(database, "version");
        name.resize(std::max<std::size_t>(name.size(), 22), ' ');
        text += heading(text.empty() ? "databases" : "");
        text += name;
        text += "in force up to ";
        std::string waiting = current;
        waiting += ", working on ";
        waiting += next;
        text += next == current ? next : styled(waiting, Style::Bad, colour);
        text += "\n";
    }
    return text;
}

std::string question_line(std::string_view protocol, const Json::Value& counters) {
    return heading(protocol) + shown(counters, "answered") + " answered, " +
           shown(counters, "missed") + " missed, " + shown(counters, "malformed") + " malformed, " +
           shown(counters, "limited") + " over the limit\n";
}

std::string icmp_error_lines(const Json::Value& counters) {
    return heading("ICMP") + "errors sent: " + shown(counters, "ttl_expired") + " TTL expired, " +
           shown(counters, "no_route") + " no route, " + shown(counters, "host_unknown") +
           " host unknown, " + shown(counters, "too_big") + " too big;\n" + heading("") +
           "not sent: " + shown(counters, "suppressed") + " suppressed, " +
           shown(counters, "malformed") + " malformed, " + shown(counters, "limited") +
           " over the limit\n";
}

std::string audit_line(const Json::Value& counters) {
    return heading("audit log") + shown(counters, "written") + " written, " +
           shown(counters, "suppressed") + " repeats, " + shown(counters, "dropped") +
           " dropped, " + shown(counters, "errors") + " failed, " + shown(counters, "malformed") +
           " malformed\n";
}

}  // namespace

std::string status_view(const Json::Value& status, bool colour) {
    const bool healthy = member(status, "healthy").isBool() && member(status, "healthy").asBool();
    std::string text =
        styled(healthy ? "healthy" : "NOT HEALTHY", healthy ? Style::Good : Style::Bad, colour) +
        "  hnv-agent " + shown(status, "version") + " on " + shown(status, "name") + ", pid " +
        shown(status, "pid") + ", up " + duration_text(member(status, "uptime_s")) + "\n";
    for (const Json::Value& problem : member(status, "problems")) {
        text += heading("problem") + styled(printable(text_of(problem)), Style::Bad, colour) + "\n";
    }
    text += switch_line(member(status, "switch"), colour);
    text += policy_line(member(status, "policy"));
    text += database_lines(member(status, "databases"), colour);
    text += question_line("ARP", member(status, "arp"));
    text += question_line("ND", member(status, "nd"));
    text += icmp_error_lines(member(status, "icmp_errors"));
    text += audit_line(member(status, "audit_log"));
    return text;
}

namespace {

// The virtual subnets of a port and its addresses in them: "5001", and for a trunking guest
// "5001,20:5002", the VLAN before the VSID.
struct Bindings {
    std::string vsids;
    std::string cas;
};

Bindings bindings_of(const Json::Value& port) {
    Bindings text;
    const auto add = [](std::string& list, const std::string& item) {
        list += (list.empty() ? "" : ",") + item;
    };
    for (const Json::Value& binding : member(port, "bindings")) {
        const std::string vlan = text_of(binding, "vlan");
        add(text.vsids, (vlan == "0" ? "" : vlan + ":") + text_of(binding, "vsid"));
        for (const Json::Value& ca : member(binding, "cas")) {
            add(text.cas, text_of(ca));
        }
    }
    return text;
}

}  // namespace

std::string ports_view(const Json::Value& ports, bool colour) {
    Table table({{"NAME"},
                 {"INTERFACE"},
                 {"OFPORT", Align::Right},
                 {"VSID", Align::Right},
                 {"MAC"},
                 {"CA"},
                 {"STATE"},
                 {"PROVIDER-ADDRESS"},
                 {"RULES", Align::Right},
                 {"REASON"}});
    for (const Json::Value& port : ports) {
        const std::string state = text_of(port, "state");
        const Bindings bindings = bindings_of(port);
        table.add_row({{text_of(port, "name")},
                       {text_of(port, "interface")},
                       {text_of(port, "ofport")},
                       {bindings.vsids},
                       {text_of(port, "mac")},
                       {bindings.cas},
                       {state, state_style(state)},
                       {text_of(port, "provider_address")},
                       {text_of(port, "rules")},
                       {text_of(port, "reason")}});
    }
    return table.empty() ? "no ports\n" : table.text(colour);
}

std::string mappings_view(const Json::Value& mappings, bool colour) {
    Table table(
        {{"VSID", Align::Right}, {"CA"}, {"MAC"}, {"PA"}, {"ENCAPSULATION"}, {"TYPE"}, {"LOCAL"}});
    for (const Json::Value& mapping : mappings) {
        table.add_row({{text_of(mapping, "vsid")},
                       {text_of(mapping, "ca")},
                       {text_of(mapping, "mac")},
                       {text_of(mapping, "pa")},
                       {text_of(mapping, "encapsulation")},
                       {text_of(mapping, "type")},
                       {text_of(mapping, "local")}});
    }
    return table.empty() ? "no mappings\n" : table.text(colour);
}

std::string provider_addresses_view(const Json::Value& addresses, bool colour) {
    Table table({{"ADDRESS"}, {"INTERFACE"}, {"STATE"}, {"PORTS", Align::Right}});
    for (const Json::Value& address : addresses) {
        const std::string state = text_of(address, "state");
        table.add_row({{text_of(address, "address")},
                       {text_of(address, "interface")},
                       {state, state_style(state)},
                       {text_of(address, "ports")}});
    }
    return table.empty() ? "no provider addresses\n" : table.text(colour);
}

std::string faults_view(const Json::Value& faults, bool colour) {
    Table table({{"DATABASE"}, {"TABLE"}, {"ROW"}, {"SINCE"}, {"KEY"}, {"MESSAGE"}});
    for (const Json::Value& fault : faults) {
        table.add_row({{text_of(fault, "database")},
                       {text_of(fault, "table")},
                       {text_of(fault, "row")},
                       {text_of(fault, "since")},
                       {text_of(fault, "key"), Style::Bad},
                       {text_of(fault, "message")}});
    }
    return table.empty() ? "no faults\n" : table.text(colour);
}

std::string drops_view(const Json::Value& drops, bool colour) {
    Table table({{"PORT"}, {"REASON"}, {"PACKETS", Align::Right}});
    const auto add = [&table](const std::string& port, const Json::Value& counts) {
        if (!counts.isObject()) {
            return;
        }
        for (const std::string& reason : counts.getMemberNames()) {
            const std::string packets = text_of(counts, reason.c_str());
            if (packets != "0") {
                table.add_row({{port}, {reason}, {packets}});
            }
        }
    };
    for (const Json::Value& port : member(drops, "ports")) {
        add(text_of(port, "name"), member(port, "drops"));
    }
    add("(from tunnels)", member(drops, "host"));
    return table.empty() ? "no drops\n" : table.text(colour);
}

}  // namespace hnv::cli
