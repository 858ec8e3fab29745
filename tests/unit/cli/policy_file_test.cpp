#include "cli/policy_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace hnv::cli {
namespace {

// The first line of the error that a file with this member gives.
std::string refusal(const std::string& member) {
    const auto result = parse_policy(R"({"version": 1, )" + member + "}");
    if (result) {
        return "accepted";
    }
    const std::string& text = result.error().message();
    return text.substr(0, text.find('\n'));
}

const std::string kNetwork =
    R"("virtual_networks": [{"id": "n", "subnets": [{"vsid": 5001, "prefix": "10.1.1.0/24"}]}], )";

TEST(PolicyFile, DefaultsAreFilledIn) {
    const auto result = parse_policy(R"({"version": 1, )" + kNetwork + R"(
        "mappings": [{"vsid": 5001, "ca": "10.1.1.11", "mac": "00-15-5D-01-01-0B",
                      "pa": "192.168.1.10"}],
        "ports": [{"name": "p", "vsid": 5001, "settings": {"arp_limit_pps": 50000}}],
        "acls": [{"port": "p", "id": "in", "direction": "inbound", "action": "allow",
                  "priority": 1}]})");
    ASSERT_TRUE(result) << result.error().message();
    const Policy& policy = result->policy;
    EXPECT_TRUE(policy.virtual_networks[0].routed);
    EXPECT_EQ(policy.virtual_networks[0].subnets[0].name, "5001");
    EXPECT_EQ(policy.mappings[0].mac.to_string(), "00:15:5d:01:01:0b");
    EXPECT_EQ(policy.mappings[0].encapsulation, Encapsulation::Vxlan);
    EXPECT_EQ(policy.mappings[0].type, MappingType::Default);
    EXPECT_EQ(policy.ports[0].vlan_to_vsid, (std::map<std::int64_t, std::int64_t>{{0, 5001}}));
    EXPECT_EQ(policy.ports[0].settings->other_config.at("arp_limit_pps"), "50000");
    EXPECT_EQ(policy.acls[0].protocols, "*");
    EXPECT_TRUE(policy.acls[0].enabled);
    EXPECT_TRUE(result->warnings.empty());
}

TEST(PolicyFile, ErrorsNameThePath) {
    EXPECT_EQ(refusal(R"("mapping": [])"), "mapping: is not a known key");
    EXPECT_EQ(refusal(R"("mappings": {})"), "mappings: must be an array, not an object");
    EXPECT_EQ(refusal(R"("mappings": [1])"), "mappings[0]: must be an object, not a number");
    EXPECT_EQ(refusal(R"("distributed_router_mac": "00:15")"),
              "distributed_router_mac: '00:15' is not a MAC address");
    EXPECT_EQ(
        refusal(kNetwork + R"("mappings": [{"vsid": 5001, "mac": "00:15", "pa": "1.2.3.4"}])"),
        "mappings[0].mac: '00:15' is not a MAC address");
    EXPECT_EQ(refusal(R"("ports": [{"name": "p", "settings": {"flow_limit": -1}}])"),
              "ports[0].settings.flow_limit: -1 is not in 0 .. 9223372036854775807");
    EXPECT_EQ(refusal(R"("ports": [{"name": "p", "settings": {"flow_limit": 1.5}}])"),
              "ports[0].settings.flow_limit: must be a whole number");
    EXPECT_EQ(refusal(R"("acls": [{"port": "p", "id": "x", "direction": "in",
                         "action": "allow", "priority": 1}])"),
              "acls[0].direction: 'in' is none of: inbound, outbound");
}

TEST(PolicyFile, MissingMembersAreNamed) {
    EXPECT_EQ(refusal(R"("provider_addresses": [{}])"),
              "provider_addresses[0].address: is missing");
    EXPECT_EQ(refusal(R"("ports": [{"vsid": 5001}])"), "ports[0].name: is missing");
    const auto no_version = parse_policy("{}");
    ASSERT_FALSE(no_version);
    EXPECT_EQ(no_version.error().message(), "version: is missing");
}

TEST(PolicyFile, VsidsAreInRangeAndDefined) {
    EXPECT_EQ(refusal(R"("virtual_networks": [{"id": "n", "subnets": [{"vsid": 4095}]}])"),
              "virtual_networks[0].subnets[0].vsid: 4095 is not in 4096 .. 16777214");
    EXPECT_EQ(refusal(R"("ports": [{"name": "p", "vsid": 5001}])"),
              "ports[0].vsid: 5001 is in no virtual network of this file");
}

TEST(PolicyFile, NothingIsThereTwice) {
    const std::string subnet = R"({"vsid": 5001, "prefix": "10.1.1.0/24"})";
    EXPECT_EQ(
        refusal(R"("virtual_networks": [{"id": "n", "subnets": [)" + subnet + "," + subnet + "]}]"),
        "virtual_networks[0].subnets[1].vsid: 5001 is there twice");
    EXPECT_EQ(refusal(R"("ports": [{"name": "p"}, {"name": "p"}])"),
              "ports[1].name: 'p' is there twice");
    const std::string mapping = R"({"vsid": 5001, "mac": "02:00:00:00:00:01", "pa": "1.2.3.4"})";
    EXPECT_EQ(refusal(kNetwork + R"("mappings": [)" + mapping + "," + mapping + "]"),
              "mappings[1]: is there twice");
    EXPECT_NE(refusal(R"("mappings": [], "mappings": [])"), "accepted");
}

TEST(PolicyFile, GatewaysLieInTheirPrefix) {
    const auto with = [](const std::string& subnet) {
        return refusal(R"("virtual_networks": [{"id": "n", "subnets": [{"vsid": 5001, )" + subnet +
                       "}]}]");
    };
    EXPECT_EQ(with(R"("prefix": "10.1.1.0/24", "gateway": "10.1.2.1")"),
              "virtual_networks[0].subnets[0].gateway: '10.1.2.1' is not in 10.1.1.0/24");
    EXPECT_EQ(with(R"("gateway": "10.1.1.1")"),
              "virtual_networks[0].subnets[0].prefix: is missing");
    EXPECT_EQ(with(R"("prefix": "10.1.1.1/24")"),
              "virtual_networks[0].subnets[0].prefix: '10.1.1.1/24' has host bits; the gateway has "
              "a key of its own");
}

TEST(PolicyFile, AllProblemsAreNamedUpToALimit) {
    std::string ports;
    for (int i = 0; i < 50; ++i) {
        ports += std::string(ports.empty() ? "" : ",") + "{}";
    }
    const auto result = parse_policy(R"({"version": 1, "ports": [)" + ports + "]}");
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("ports[19].name: is missing"), std::string::npos);
    EXPECT_NE(result.error().message().find("\nand 30 more"), std::string::npos);
}

TEST(PolicyFile, WhatIsNotJsonIsRefused) {
    EXPECT_FALSE(parse_policy(""));
    EXPECT_FALSE(parse_policy("{\"version\": 1"));
    EXPECT_FALSE(parse_policy("{\"version\": 1} x"));
    EXPECT_FALSE(parse_policy("[]"));
    EXPECT_FALSE(parse_policy(std::string(100'000, '[')));
}

TEST(PolicyFile, AnUnknownPortOfARuleIsAWarning) {
    const auto result = parse_policy(R"({"version": 1, "acls": [{"port": "p", "id": "in",
        "direction": "inbound", "action": "allow", "priority": 1}]})");
    ASSERT_TRUE(result);
    ASSERT_EQ(result->warnings.size(), 1U);
    EXPECT_EQ(result->warnings[0], "acls[0].port: 'p' is not a port of this file");
}

TEST(PolicyFile, EveryMemberSurvivesWriting) {
    const auto first = parse_policy(R"({"version": 1, "distributed_router_mac": "02:00:00:00:00:01",
        "provider_addresses": [{"address": "2001:db8::1/64", "gateway": "2001:db8::ffff",
            "uplink": "eth1", "vlan": 11, "mac": "02:00:00:00:00:02"}],
        "virtual_networks": [{"id": "n\"1", "description": "d\u00e9", "routed": false, "subnets": [
            {"vsid": 5001, "name": "web", "prefix": "10.1.1.0/24", "gateway": "10.1.1.254",
             "additional_prefixes": [{"prefix": "fd00::/64"}]},
            {"vsid": 5002}]}],
        "mappings": [{"vsid": 5001, "ca": "fd00::1", "mac": "02:00:00:00:00:03", "pa": "2001:db8::2",
                      "encapsulation": "nvgre", "type": "load_balanced"},
                     {"vsid": 5001, "mac": "02:00:00:00:00:04", "pa": "10.0.0.1"}],
        "ports": [{"name": "p", "vsid": 5001, "vlan": 7, "description": "",
                   "trunk": [{"vlan": 8, "vsid": 5002}],
                   "settings": {"mac_spoofing_allowed": true, "ip_forwarding_allowed": true,
                       "dhcp_guard": true, "router_guard": true, "storm_limit_pps": 1,
                       "flow_limit": 2, "outbound_max_mbps": 3, "inbound_max_mbps": 0,
                       "provider_address": "10.0.0.1", "arp_limit_pps": 4,
                       "other_config": {"k": "v"}}},
                  {"name": "q", "settings": {}}],
        "acls": [{"port": "p", "id": "x", "layer": "admin", "direction": "outbound",
                  "action": "block", "priority": -1, "protocols": "TCP",
                  "source_addresses": "10.0.0.0/8", "destination_addresses": "1.1.1.1",
                  "source_ports": "1-2", "destination_ports": "80", "enabled": false,
                  "logging": true}]})");
    ASSERT_TRUE(first) << first.error().message();
    const auto second = parse_policy(write_policy(first->policy));
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(first->policy, second->policy);
}

TEST(PolicyFile, TheExamplesAreGood) {
    for (const char* name : {"two-tenants-host1.json", "two-tenants-host2.json"}) {
        std::ifstream file(std::string(HNV_SOURCE_DIR) + "/packaging/policies/" + name);
        ASSERT_TRUE(file) << name;
        const std::string text{std::istreambuf_iterator<char>(file),
                               std::istreambuf_iterator<char>()};
        const auto result = parse_policy(text);
        ASSERT_TRUE(result) << name << ": " << result.error().message();
        EXPECT_TRUE(result->warnings.empty());
        EXPECT_EQ(write_policy(result->policy), text);
    }
}

TEST(PolicyFile, GuidsOfPortsAreComparedWithoutBracesAndCase) {
    EXPECT_EQ(port_key("{0B0A6A8C-7A0B-4F0E-9C8B-2F1D5C3E4A01}"),
              "0b0a6a8c-7a0b-4f0e-9c8b-2f1d5c3e4a01");
    EXPECT_EQ(port_key("Contoso-SQL"), "Contoso-SQL");
    EXPECT_EQ(port_key("{contoso}"), "{contoso}");
}

}  // namespace
}  // namespace hnv::cli
