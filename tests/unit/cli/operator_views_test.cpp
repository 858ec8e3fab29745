#include "cli/operator_views.h"

#include <gtest/gtest.h>

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

Json::Value json(std::string_view text) { return parse_json(text).value(); }

TEST(OperatorViews, ProcessTuplesEndsWithTheVerdict) {
    const auto result = json(R"({"tuple": "TCP a -> b", "sender": "port app", "notes": ["mind"],
        "verdict": "dropped", "sentence": "dropped by x",
        "steps": [{"layer": "storm", "passes": true, "condition": "any", "action": "to y"},
                  {"layer": "icmp-error", "if_longer": true, "condition": "z", "action": "z"},
                  {"layer": "guard", "owner": "port app", "condition": "IPv4", "action": "to storm"},
                  {"layer": "firewall-in-admin", "condition": "TCP", "action": "drop",
                   "rule": {"id": "r1", "port": "app", "action": "block"}}]})");
    EXPECT_EQ(process_tuples_view(result, false),
              "TCP a -> b, sent by port app\n"
              "note: mind\n"
              "LAYER              BY                   CONDITION  ACTION\n"
              "guard              port app             IPv4       to storm\n"
              "firewall-in-admin  rule r1 of port app  TCP        block\n"
              "verdict: dropped by x\n");
}

TEST(OperatorViews, LayersHaveALineForEachGroup) {
    const auto layers = json(R"({"port": "app", "state": "active", "directions": {
        "out": [{"name": "guard", "groups": [
                    {"family": "IPv4", "class": "rules", "rules": 2, "packets": 5, "bytes": 500},
                    {"family": "any", "class": "default", "rules": 1, "packets": 0, "bytes": 0}]},
                {"name": "dhcp", "groups": []}],
        "in": []}})");
    EXPECT_EQ(layers_view(layers, false),
              "port app, active\n\nwhat it sends\n"
              "LAYER  FAMILY  CLASS    RULES  PACKETS  BYTES\n"
              "guard  IPv4    rules        2        5    500\n"
              "\"      any     default      1        0      0\n"
              "dhcp   -       -            0        -      -\n"
              "\nwhat it is sent\nLAYER  FAMILY  CLASS  RULES  PACKETS  BYTES\n");
}

TEST(OperatorViews, RulesStandUnderTheirGroup) {
    const auto rules = json(R"({"port": "app", "state": "blocked", "layers": [
        {"name": "empty", "groups": []},
        {"name": "guard", "title": "its own", "groups": [{"family": "IPv4", "class": "rules",
            "rules": [{"id": "port app", "priority": 100, "condition": "IPv4", "action": "to storm",
                       "flows": 1, "packets": 5, "bytes": 500}]}]}]})");
    EXPECT_EQ(rules_view(rules, false),
              "port app, blocked\n\nlayer guard: its own\n  group IPv4, rules\n"
              "    PRIORITY  OF        CONDITION  ACTION    FLOWS  PACKETS  BYTES\n"
              "         100  port app  IPv4       to storm      1        5    500\n");
}

TEST(OperatorViews, SpacesOfTenantsAndProvider) {
    const auto spaces = json(R"({"virtual_networks": [{"rdid": "n1", "router": "r1",
            "routed": true, "subnets": [{"vsid": 5001, "name": "5001", "mappings": 2,
                "prefixes": [{"prefix": "10.1.1.0/24", "gateway": "10.1.1.1"}],
                "ports": ["app", "web"]}]}],
        "provider_space": {"addresses": [], "peers": [{"address": "192.168.2.20", "mappings": 3,
            "encapsulations": ["vxlan"], "vsids": [5001]}]}})");
    EXPECT_EQ(spaces_view(spaces, false),
              "virtual network n1, router r1\n"
              "  VSID  NAME  PREFIX       GATEWAY   MAPPINGS  PORTS-HERE\n"
              "  5001  5001  10.1.1.0/24  10.1.1.1         2  app,web\n\n"
              "provider space\n  no provider addresses\n"
              "  PEER          ENCAPSULATIONS  MAPPINGS  VSIDS\n"
              "  192.168.2.20  vxlan                  3  5001\n");
}

TEST(OperatorViews, UnifiedFlowsNameWhatMadeThem) {
    const auto flows = json(R"({"traced": 1, "flows": [{"packet": "TCP a -> b", "in_port": "app",
        "ct_state": "tracked,new", "recirculation": "0x2", "packets": 1, "bytes": 60,
        "used": "1s", "actions": ["output to cache"],
        "rules": [{"layer": "guard", "owner": "port app", "condition": "IPv4"}]}]})");
    EXPECT_EQ(unified_flows_view(flows, false),
              "TCP a -> b, in by app, connection tracked,new, recirculation 0x2\n"
              "  1 packets, 60 bytes, used 1s\n"
              "  does: output to cache\n"
              "  by guard: port app: IPv4\n"
              "1 flows, 1 of them traced\n");
    EXPECT_EQ(unified_flows_view(json("{}"), false), "no flows in the datapath\n");
}

TEST(OperatorViews, WhatIsNotThereIsNoTrouble) {
    for (const char* text : {"{}", "[]", "7", R"({"steps": 7, "layers": {"a": 1}})"}) {
        const auto value = json(text);
        EXPECT_FALSE(process_tuples_view(value, true).empty());
        EXPECT_FALSE(layers_view(value, true).empty());
        EXPECT_FALSE(rules_view(value, true).empty());
        EXPECT_FALSE(spaces_view(value, true).empty());
    }
}

}  // namespace
}  // namespace hnv::cli
