#include "cli/host_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/ovsdb_json.h"
#include "sample_host.h"

namespace hnv::cli {
namespace {

using test::ip;

TEST(HostFacts, PortsOfTheAgentsReport) {
    const auto ports = read_ports(*parse_json(R"([{"name": "app", "interface": "veth1",
        "ofport": 3, "mac": "00:15:5d:50:01:0b", "state": "active", "reason": "",
        "provider_address": "192.168.1.10",
        "bindings": [{"vlan": 20, "vsid": 5001, "cas": ["10.1.1.11", "fd00::11", "nonsense"]}]},
        {"name": "bare"}, 7])"));
    ASSERT_EQ(ports.size(), 3U);
    EXPECT_EQ(ports[0].interface, "veth1");
    EXPECT_EQ(ports[0].pa, ip("192.168.1.10"));
    ASSERT_EQ(ports[0].subnets.size(), 1U);
    EXPECT_EQ(ports[0].subnets[0].vlan, 20);
    EXPECT_EQ(ports[0].subnets[0].cas.size(), 2U);
    EXPECT_EQ(ports[1].ofport, 0U);
    EXPECT_EQ(ports[1].mac, std::nullopt);
}

VtepRows rows() {
    VtepRows rows;
    rows.switches = {{"s1", "5001", "contoso", 5001},
                     {"s2", "5002", "contoso", 5002},
                     {"s3", "lonely", "x", 7000},
                     {"s4", "none", "x", std::nullopt}};
    rows.routers = {{"r1",
                     "contoso",
                     "",
                     true,
                     {{"10.1.1.0/24", "s1"}, {"10.1.2.254/24", "s2"}, {"nonsense", "s2"}}}};
    return rows;
}

TEST(HostFacts, SubnetsWithTheirRouterAndGateways) {
    const auto subnets = read_subnets(rows());
    ASSERT_EQ(subnets.size(), 3U);
    EXPECT_EQ(subnets[0].network, 5001U);
    EXPECT_EQ(subnets[1].network, 5001U) << "the lowest VSID of the router's subnets";
    EXPECT_EQ(subnets[1].router, "contoso");
    EXPECT_TRUE(subnets[1].routed);
    ASSERT_EQ(subnets[1].prefixes.size(), 1U);
    EXPECT_EQ(subnets[0].prefixes.at(0).gateway, ip("10.1.1.1"));
    EXPECT_EQ(subnets[1].prefixes[0].gateway, ip("10.1.2.254"));
    EXPECT_EQ(subnets[2].network, 7000U);
    EXPECT_TRUE(subnets[2].router.empty());
}

TEST(HostFacts, ARouterThatIsSwitchedOffJoinsNothing) {
    VtepRows off = rows();
    off.routers[0].enabled = false;
    const auto subnets = read_subnets(off);
    EXPECT_EQ(subnets[1].network, 5002U);
    EXPECT_FALSE(subnets[1].routed);
}

TEST(HostFacts, MappingsOfTheDatabasesRows) {
    VtepRows vtep = rows();
    vtep.locators = {{"l1", "nvgre_over_ipv4", "192.168.2.20"},
                     {"l2", "vxlan_over_ipv4", "192.168.1.10"}};
    vtep.mappings = {{"m1", "00-15-5D-50-01-0C", "10.1.1.12", "s1", "l1", "default"},
                     {"m2", "00:15:5d:50:02:0d", "", "s2", "l2", "default"},
                     {"m3", "nonsense", "10.1.1.13", "s1", "l1", "default"},
                     {"m4", "00:15:5d:50:01:0c", "10.1.1.14", "s1", "gone", "default"}};
    const std::vector<std::string> own{"192.168.1.10/24"};
    const auto mappings = read_mappings(vtep, own);
    ASSERT_EQ(mappings.size(), 2U);
    EXPECT_EQ(mappings[0].vsid, 5001U);
    EXPECT_EQ(mappings[0].encapsulation, "nvgre");
    EXPECT_EQ(mappings[0].pa, ip("192.168.2.20"));
    EXPECT_FALSE(mappings[0].local);
    EXPECT_EQ(mappings[1].ca, std::nullopt);
    EXPECT_TRUE(mappings[1].local);
}

TEST(HostFacts, RulesThatAreSwitchedOffAreNone) {
    HostFacts facts;
    RuleRow off = test::rule("off", "admin", "Allow", "Inbound", 1);
    off.rule_state = "Disabled";
    facts.add_rule(off);
    facts.add_rule(test::rule("on", "admin", "Allow", "Inbound", 1));
    EXPECT_EQ(facts.rules.size(), 1U);
}

TEST(HostFacts, PortsAreFoundInAnySpelling) {
    HostFacts facts = test::sample_host();
    facts.ports[0].name = "0b1c4a5e-1111-2222-3333-444455556666";
    EXPECT_NE(facts.port_named("{0B1C4A5E-1111-2222-3333-444455556666}"), nullptr);
    EXPECT_EQ(facts.port_named("nope"), nullptr);
    EXPECT_EQ(facts.port_numbered(0), nullptr);
}

TEST(HostFacts, WithoutARunDirectoryTheSwitchIsNotFound) {
    HostFacts facts = test::sample_host();
    EXPECT_FALSE(SwitchControl::open(facts));
    facts.ovs_run_dir = "/nonexistent";
    const auto control = SwitchControl::open(facts);
    ASSERT_FALSE(control);
    EXPECT_NE(control.error().message().find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace hnv::cli
