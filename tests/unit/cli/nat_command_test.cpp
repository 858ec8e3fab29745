#include "cli/nat_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

using testing::HasSubstr;

Json::Value json(std::string_view text) { return parse_json(text).value(); }

TEST(Nat, ConnectionsAreTheTotalOfTheSwitchsAnswer) {
    EXPECT_EQ(connections_in("Connections Stats:\n    Total: 12\n\tTCP: 10\n"), 12U);
    EXPECT_TRUE(connections_in("Connections Stats:\n").isNull());
    EXPECT_TRUE(connections_in("Total: many").isNull());
    EXPECT_TRUE(connections_in("").isNull());
}

TEST(Nat, TheViewHasRowsAndPorts) {
    const Json::Value nat = json(R"({
        "rows": [{"name": "pool", "port": "gw", "vlan": 0, "type": "dynamic",
                  "internal": ["10.1.1.0/24", "10.1.2.0/24"], "external": "203.0.113.1",
                  "ports": "", "in_force": true, "reason": ""},
                 {"name": "twin", "port": "gw", "vlan": 10, "type": "static",
                  "internal": ["10.1.1.9"], "external": "203.0.113.9", "ports": "",
                  "in_force": false, "reason": "taken"}],
        "ports": [{"port": "gw", "vlan": 0, "connections": 3, "exhausted": 2, "unsolicited": null,
                   "broken": 0}]})");
    EXPECT_EQ(nat_view(nat, false),
              "NAME  PORT         TYPE     INTERNAL                 EXTERNAL     PORTS  STATE      "
              "REASON\n"
              "pool  gw           dynamic  10.1.1.0/24,10.1.2.0/24  203.0.113.1  -      in force   "
              "-\n"
              "twin  gw, VLAN 10  static   10.1.1.9                 203.0.113.9  -      no effect  "
              "taken\n"
              "\n"
              "GATEWAY-PORT  CONNECTIONS  EXHAUSTED  UNSOLICITED  BROKEN\n"
              "gw                      3          2            -       0\n");
    EXPECT_EQ(nat_view(json(R"({"rows": [], "ports": []})"), false), "no NAT\n");
}

TEST(Nat, WhatCanNotBeCountedIsNull) {
    Json::Value nat = json(R"({"switch": "unix:/no/such.mgmt", "switch_control": "/no/such.ctl",
        "rows": [], "ports": [{"port": "gw", "vlan": 0, "zone": 57349, "flows": {
            "exhausted": {"table": 29, "flow": ""}, "unsolicited": {"table": 8, "flow": ""},
            "broken": {"table": 29, "flow": ""}}}]})");
    const Status counted = count_nat(nat, std::chrono::milliseconds(50));
    ASSERT_FALSE(counted);
    EXPECT_THAT(counted.error().message(), HasSubstr("/no/such.mgmt"));
    EXPECT_TRUE(nat["ports"][0]["exhausted"].isNull());
    EXPECT_TRUE(nat["ports"][0]["connections"].isNull());
}

}  // namespace
}  // namespace hnv::cli
