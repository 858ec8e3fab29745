#include "cli/views.h"

#include <gtest/gtest.h>

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

Json::Value json(std::string_view text) { return parse_json(text).value(); }

TEST(Views, Status) {
    const auto status = json(R"({"name": "host1", "version": "0.1.0", "pid": 12, "uptime_s": 3700,
        "healthy": true, "problems": [],
        "switch": {"bridge": "br-hnv", "state": "connected", "connected": true, "flows": 120,
                   "bundles": 1, "bundle_errors": 0, "last_bundle_us": 812},
        "policy": {"virtual_networks": 2, "subnets": 2, "mappings": 4, "ports": 2,
                   "ports_active": 2, "provider_addresses": 1, "rules": 4, "faults": 0},
        "databases": [{"name": "ms_vtep", "version": "1.1.1", "next_cfg": 3, "cur_cfg": 3},
                      {"name": "hnv_host", "version": "1.0.0", "next_cfg": 2, "cur_cfg": 1}],
        "arp": {"answered": 12, "missed": 1, "malformed": 0, "limited": 0},
        "nd": {"answered": 3, "missed": 0, "malformed": 2, "limited": 4},
        "icmp_errors": {"ttl_expired": 5, "no_route": 6, "host_unknown": 7, "too_big": 8,
                        "suppressed": 9, "malformed": 10, "limited": 11},
        "audit_log": {"written": 12, "suppressed": 13, "dropped": 14, "errors": 15,
                      "malformed": 16}})");
    EXPECT_EQ(
        status_view(status, false),
        "healthy  hnv-agent 0.1.0 on host1, pid 12, up 1 h 1 min\n"
        "  switch      br-hnv: connected, 120 flows, 1 bundle (0 failed, the last took 812 us)\n"
        "  policy      2 virtual networks, 2 subnets, 4 mappings, 2 ports (2 active),\n"
        "              1 provider address, 4 rules, 0 faults\n"
        "  databases   ms_vtep 1.1.1         in force up to 3\n"
        "              hnv_host 1.0.0        in force up to 1, working on 2\n"
        "  ARP         12 answered, 1 missed, 0 malformed, 0 over the limit\n"
        "  ND          3 answered, 0 missed, 2 malformed, 4 over the limit\n"
        "  ICMP        errors sent: 5 TTL expired, 6 no route, 7 host unknown, 8 too big;\n"
        "              not sent: 9 suppressed, 10 malformed, 11 over the limit\n"
        "  audit log   12 written, 13 repeats, 14 dropped, 15 failed, 16 malformed\n");
}

TEST(Views, DropsThatWereMet) {
    const auto drops = json(R"({"ports": [
        {"name": "sql", "ofport": 3, "drops": {"mac-guard": 2, "storm-limit": 0}},
        {"name": "web", "ofport": 4, "drops": {"firewall-inbound": 12345}}],
        "host": {"vsid-mismatch": 1, "no-destination": 0}})");
    EXPECT_EQ(drops_view(drops, false),
              "PORT            REASON            PACKETS\n"
              "sql             mac-guard               2\n"
              "web             firewall-inbound    12345\n"
              "(from tunnels)  vsid-mismatch           1\n");
    EXPECT_EQ(drops_view(json(R"({"ports": [{"name": "a", "drops": {"blocked": 0}}]})"), false),
              "no drops\n");
    EXPECT_EQ(drops_view(json("{}"), false), "no drops\n");
}

TEST(Views, ProblemsComeFirst) {
    const auto status = json(R"({"healthy": false, "problems": ["start ovs-vswitchd"]})");
    const std::string text = status_view(status, false);
    EXPECT_EQ(text.find("NOT HEALTHY"), 0U);
    EXPECT_NE(text.find("\n  problem     start ovs-vswitchd\n"), std::string::npos);
}

TEST(Views, WhatIsNotThereIsADash) {
    EXPECT_NE(status_view(json("{}"), false).find("pid -, up -"), std::string::npos);
    EXPECT_NE(status_view(json("[]"), false).find("NOT HEALTHY"), std::string::npos);
}

TEST(Views, Ports) {
    const auto ports = json(R"([{"name": "contoso-sql", "interface": "veth1", "ofport": 3,
        "bindings": [{"vlan": 0, "vsid": 5001, "cas": ["10.1.1.11", "fd00::11"]}],
        "mac": "00:15:5d:50:01:0b",
        "state": "active", "reason": "", "provider_address": "192.168.1.10", "rules": 2}])");
    EXPECT_EQ(
        ports_view(ports, false),
        "NAME         INTERFACE  OFPORT  VSID  MAC                CA                  STATE   "
        "PROVIDER-ADDRESS  RULES  REASON\n"
        "contoso-sql  veth1           3  5001  00:15:5d:50:01:0b  10.1.1.11,fd00::11  active  "
        "192.168.1.10          2  -\n");
}

TEST(Views, EachVlanOfATrunkingPortIsTold) {
    const auto ports = json(R"([{"name": "edge", "interface": "veth2", "ofport": 4,
        "bindings": [{"vlan": 0, "vsid": 5001, "cas": ["10.1.1.11"]},
                     {"vlan": 20, "vsid": 5002, "cas": ["10.1.2.11"]}],
        "mac": "00:15:5d:50:01:0b", "state": "active", "rules": 2}])");
    EXPECT_EQ(
        ports_view(ports, false),
        "NAME  INTERFACE  OFPORT          VSID  MAC                CA                   STATE   "
        "PROVIDER-ADDRESS  RULES  REASON\n"
        "edge  veth2           4  5001,20:5002  00:15:5d:50:01:0b  10.1.1.11,10.1.2.11  active  "
        "-                     2  -\n");
}

TEST(Views, Mappings) {
    const auto mappings = json(R"([{"vsid": 5001, "ca": "10.1.1.11", "mac": "00:15:5d:50:01:0b",
        "pa": "192.168.1.10", "encapsulation": "vxlan", "type": "default", "local": true}])");
    EXPECT_EQ(mappings_view(mappings, false),
              "VSID  CA         MAC                PA            ENCAPSULATION  TYPE     LOCAL\n"
              "5001  10.1.1.11  00:15:5d:50:01:0b  192.168.1.10  vxlan          default  yes\n");
}

TEST(Views, EmptyTablesAreSentences) {
    const auto none = json("[]");
    EXPECT_EQ(ports_view(none, false), "no ports\n");
    EXPECT_EQ(mappings_view(none, false), "no mappings\n");
    EXPECT_EQ(provider_addresses_view(none, false), "no provider addresses\n");
    EXPECT_EQ(faults_view(none, false), "no faults\n");
}

}  // namespace
}  // namespace hnv::cli
