#include "cli/nat_command.h"

#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <vector>

#include "cli/table.h"
#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_query.h"
#include "ovs-integration/unixctl_client.h"

namespace hnv::cli {
namespace {

constexpr std::array kCounters{"exhausted", "unsolicited", "broken"};

// Packets by flow, as text, of the tables.
using Packets = std::map<std::string, std::uint64_t>;

Result<Packets> ask_switch(const std::string& target, const std::set<std::uint8_t>& tables,
                           std::chrono::milliseconds patience) {
    std::vector<ovs::FlowFilter> filters;
    filters.reserve(tables.size());
    for (const std::uint8_t table : tables) {
        filters.push_back({.table = table});
    }
    const auto flows = ovs::query_flows(target, filters, patience);
    if (!flows) {
        return flows.error();
    }
    Packets packets;
    for (const ovs::FlowRecord& record : *flows) {
        packets[ovs::to_text(record.flow)] = record.packets;
    }
    return packets;
}

std::string text_of(const Json::Value& value) { return value.isNull() ? "-" : value.asString(); }

std::string list_of(const Json::Value& values) {
    std::string text;
    for (const Json::Value& value : values) {
        text += (text.empty() ? "" : ",") + value.asString();
    }
    return text;
}

// "gw", or "gw, VLAN 10".
std::string port_of(const Json::Value& entry) {
    const std::string vlan = entry["vlan"].asString();
    return entry["port"].asString() + (vlan == "0" ? "" : ", VLAN " + vlan);
}

}  // namespace

Json::Value connections_in(const std::string& text) {
    constexpr std::string_view kTotal = "Total: ";
    const std::size_t at = text.find(kTotal);
    std::uint64_t count = 0;
    if (at == std::string::npos ||
        std::from_chars(text.data() + at + kTotal.size(), text.data() + text.size(), count).ec !=
            std::errc()) {
        return {};
    }
    return Json::UInt64{count};
}

Status count_nat(Json::Value& nat, std::chrono::milliseconds patience) {
    if (nat["ports"].empty()) {
        return {};
    }
    std::set<std::uint8_t> tables;
    for (Json::Value& port : nat["ports"]) {
        port["connections"] = Json::Value();
        for (const char* name : kCounters) {
            port[name] = Json::Value();
            tables.insert(static_cast<std::uint8_t>(port["flows"][name]["table"].asUInt()));
        }
    }
    const auto packets = ask_switch(nat["switch"].asString(), tables, patience);
    if (!packets) {
        return packets.error();
    }
    const std::string control = nat["switch_control"].asString();
    for (Json::Value& port : nat["ports"]) {
        for (const char* name : kCounters) {
            const auto flow = packets->find(port["flows"][name]["flow"].asString());
            if (flow != packets->end()) {
                port[name] = Json::UInt64{flow->second};
            }
        }
        const std::array<std::string, 1> zone{"zone=" + port["zone"].asString()};
        const auto stats = ovs::unixctl_call(control, "dpctl/ct-stats-show", zone, patience);
        if (!stats) {
            return stats.error();
        }
        port["connections"] = connections_in(*stats);
    }
    return {};
}

std::string nat_view(const Json::Value& nat, bool colour) {
    Table rows({{"NAME"},
                {"PORT"},
                {"TYPE"},
                {"INTERNAL"},
                {"EXTERNAL"},
                {"PORTS"},
                {"STATE"},
                {"REASON"}});
    for (const Json::Value& row : nat["rows"]) {
        const bool in_force = row["in_force"].asBool();
        rows.add_row({{row["name"].asString()},
                      {port_of(row)},
                      {row["type"].asString()},
                      {list_of(row["internal"])},
                      {row["external"].asString()},
                      {row["ports"].asString()},
                      {in_force ? "in force" : "no effect", in_force ? Style::Good : Style::Bad},
                      {row["reason"].asString()}});
    }
    if (rows.empty()) {
        return "no NAT\n";
    }
    Table ports({{"GATEWAY-PORT"},
                 {"CONNECTIONS", Align::Right},
                 {"EXHAUSTED", Align::Right},
                 {"UNSOLICITED", Align::Right},
                 {"BROKEN", Align::Right}});
    for (const Json::Value& port : nat["ports"]) {
        ports.add_row({{port_of(port)},
                       {text_of(port["connections"])},
                       {text_of(port["exhausted"])},
                       {text_of(port["unsolicited"])},
                       {text_of(port["broken"])}});
    }
    return rows.text(colour) + (ports.empty() ? "" : "\n" + ports.text(colour));
}

}  // namespace hnv::cli
