#include "cli/port_flows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/flow_set.h"
#include "sample_host.h"

namespace hnv::cli {
namespace {

using pipeline::Reg;
using pipeline::Table;
using test::sample_host;
using test::sample_ports;
using testing::ElementsAre;

PortFlow flow(Table table, std::uint16_t priority, std::uint64_t cookie, std::string match,
              std::string actions, std::uint64_t packets = 0) {
    return {static_cast<unsigned>(table),           priority, cookie,
            {std::move(match), std::move(actions)}, packets,  packets * 100};
}

std::uint64_t of_port(const char* name) {
    return pipeline::cookie_of(policy::ObjectKind::Port, pipeline::tell_of(name));
}
std::uint64_t of_rule(const char* id) {
    return pipeline::cookie_of(policy::ObjectKind::GroupRules, pipeline::tell_of(id));
}

std::vector<PortFlow> flows() {
    return {flow(Table::Classify, 100, of_port("cache"), "in_port=4", "goto_table:2", 5),
            flow(Table::Guard, 100, of_port("cache"), "ip,reg1=0x4", "goto_table:5", 5),
            flow(Table::Guard, 50, of_port("cache"), "reg1=0x4", "drop", 2),
            flow(Table::FirewallInState, 200, of_port("cache"), "ip,reg2=0x4",
                 "set_field:0x384c54e6->reg15,resubmit(,38),goto_table:26", 9),
            flow(Table::FirewallInState, 200, of_port("app"), "ip,reg2=0x3", "goto_table:26", 9),
            flow(Table::RulesInController, 65150, of_rule("no-81"),
                 "tcp,reg15=0x384c54e6,tp_dst=81", "drop", 3),
            flow(Table::RulesInController, 65150, of_rule("no-81"),
                 "tcp6,reg15=0x384c54e6,tp_dst=81", "drop", 1),
            flow(Table::RulesInController, 65150, of_rule("no-81"),
                 "tcp,reg15=0x384c54e6,tp_src=81", "drop", 4),
            flow(Table::RulesInController, 1, of_port("cache"), "reg14=0x4", "drop", 7),
            flow(Table::RulesInController, 1, of_port("app"), "reg14=0x3", "drop", 8)};
}

class PortFlowsTest : public testing::Test {
  protected:
    const LocalPort& cache() { return *facts_.port_named("cache"); }
    const Json::Value& layer(const Json::Value& list, const std::string& name) {
        for (const Json::Value& one : list) {
            if (one["name"] == name) {
                return one;
            }
        }
        return Json::Value::nullSingleton();
    }

    HostFacts facts_ = sample_host();
    SwitchPorts ports_ = sample_ports();
    Names names_ = names_of(facts_, ports_);
};

TEST_F(PortFlowsTest, FlowsOfOtherPortsAreLeftOut) {
    EXPECT_EQ(flows_of(cache(), flows()).size(), flows().size() - 2);
}

TEST_F(PortFlowsTest, TheGroupsOfRulesAreNamedByThePortsOwnFlows) {
    EXPECT_THAT(rule_groups_in(flows()), ElementsAre(0x384c54e6U));
    EXPECT_THAT(rule_groups_in({}), ElementsAre());
}

TEST_F(PortFlowsTest, LayersCountRulesPacketsAndBytesByGroup) {
    const Json::Value layers = layers_json(cache(), flows_of(cache(), flows()));
    const Json::Value& guard = layer(layers["directions"]["out"], "guard");
    EXPECT_EQ(guard["rules"].asUInt(), 2U);
    EXPECT_EQ(guard["packets"].asUInt(), 7U);
    ASSERT_EQ(guard["groups"].size(), 2U);
    EXPECT_EQ(guard["groups"][0]["family"], "IPv4");
    EXPECT_EQ(guard["groups"][1]["family"], "any");
    EXPECT_EQ(guard["groups"][1]["bytes"].asUInt(), 200U);
    const Json::Value& rules = layer(layers["directions"]["in"], "firewall-in-controller");
    EXPECT_EQ(rules["rules"].asUInt(), 4U);
    EXPECT_EQ(rules["groups"].size(), 3U);  // IPv4, IPv6, and the default.
    EXPECT_TRUE(layer(layers["directions"]["in"], "guard").isNull());
    EXPECT_EQ(layer(layers["directions"]["out"], "port")["rules"].asUInt(), 1U);
    EXPECT_EQ(layer(layers["directions"]["in"], "port")["rules"].asUInt(), 0U);
}

TEST_F(PortFlowsTest, FlowsOfOneRuleAreOneLine) {
    const Json::Value rules = rules_json(cache(), flows_of(cache(), flows()), facts_, names_,
                                         pipeline::Layer::FirewallInController);
    ASSERT_EQ(rules["layers"].size(), 1U);
    const Json::Value& v4 = rules["layers"][0]["groups"][0];
    EXPECT_EQ(v4["family"], "IPv4");
    ASSERT_EQ(v4["rules"].size(), 1U);
    EXPECT_EQ(v4["rules"][0]["id"], "no-81");
    EXPECT_EQ(v4["rules"][0]["priority"], 50);
    EXPECT_EQ(v4["rules"][0]["condition"], "TCP, from any, to any port 81");
    EXPECT_EQ(v4["rules"][0]["action"], "block");
    EXPECT_EQ(v4["rules"][0]["flows"].asUInt(), 2U);
    EXPECT_EQ(v4["rules"][0]["packets"].asUInt(), 7U);
}

TEST_F(PortFlowsTest, RulesWithoutALayerAreThoseOfAll) {
    const Json::Value rules =
        rules_json(cache(), flows_of(cache(), flows()), facts_, names_, std::nullopt);
    EXPECT_EQ(rules["layers"].size(), pipeline::layers().size());
}

TEST_F(PortFlowsTest, TheSwitchIsAskedForWhatNamesThePort) {
    const auto filters = filters_of(cache(), facts_);
    const auto asks = [&](Reg reg, std::uint32_t value) {
        return std::ranges::any_of(filters, [&](const ovs::FlowFilter& filter) {
            return filter.reg == std::pair(static_cast<unsigned>(reg), value);
        });
    };
    EXPECT_TRUE(asks(Reg::Source, 4));
    EXPECT_TRUE(asks(Reg::Destination, 4));
    EXPECT_TRUE(asks(Reg::Judged, 4));
    EXPECT_TRUE(asks(Reg::Vsid, 5002));
    EXPECT_FALSE(asks(Reg::Source, 3));
    EXPECT_EQ(filters_of(std::vector<std::uint32_t>{7}).at(0).reg,
              std::pair(static_cast<unsigned>(Reg::RuleGroup), 7U));
}

}  // namespace
}  // namespace hnv::cli
