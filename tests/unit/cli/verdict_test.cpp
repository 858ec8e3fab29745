#include "cli/verdict.h"

#include <gtest/gtest.h>

#include "sample_host.h"

namespace hnv::cli {
namespace {

using test::recorded;
using test::sample_host;
using test::sample_ports;

class VerdictTest : public testing::Test {
  protected:
    Json::Value explained(const std::string& text) {
        return explain(parse_trace(text).value(), {facts_, ports_, names_});
    }

    HostFacts facts_ = sample_host();
    SwitchPorts ports_ = sample_ports();
    Names names_ = names_of(facts_, ports_);
};

TEST_F(VerdictTest, DeliveredToAPort) {
    const Json::Value result = explained(recorded("trace_delivered"));
    EXPECT_EQ(result["verdict"], "delivered");
    EXPECT_EQ(result["sentence"], "delivered to port cache");
    EXPECT_EQ(result["outcomes"][0]["port"], "cache");
}

TEST_F(VerdictTest, BlockedByARuleOfTheControllerLayer) {
    const Json::Value result = explained(recorded("trace_blocked_by_rule"));
    EXPECT_EQ(result["verdict"], "dropped");
    EXPECT_EQ(result["sentence"],
              "dropped by firewall inbound, rule no-81 of the controller layer, port cache");
    ASSERT_EQ(result["outcomes"].size(), 1U);
    const Json::Value& rule = result["outcomes"][0]["rule"];
    EXPECT_EQ(rule["id"], "no-81");
    EXPECT_EQ(rule["layer"], "controller");
    EXPECT_EQ(rule["direction"], "inbound");
    EXPECT_EQ(rule["port"], "cache");
    EXPECT_EQ(rule["priority"].asUInt(), 50U);
}

TEST_F(VerdictTest, EachLayersRuleIsTold) {
    const Json::Value result = explained(recorded("trace_blocked_by_rule"));
    std::string rules;
    for (const Json::Value& step : result["steps"]) {
        if (step.isMember("rule")) {
            rules += step["layer"].asString() + ":" + step["rule"]["id"].asString() + ":" +
                     step["rule"]["action"].asString() + " ";
        }
    }
    EXPECT_EQ(rules, "firewall-in-admin:admin-web:allow firewall-in-controller:no-81:block ");
}

TEST_F(VerdictTest, EncapsulatedToAnotherHost) {
    const Json::Value result = explained(recorded("trace_nvgre"));
    EXPECT_EQ(result["verdict"], "encapsulated");
    EXPECT_EQ(result["sentence"],
              "encapsulated NVGRE VSID 5002 from PA 192.168.1.10 to PA 192.168.2.20 (frames of up "
              "to 1572 bytes)");
    EXPECT_EQ(result["outcomes"][0]["vsid"].asUInt(), 5002U);
    EXPECT_EQ(result["outcomes"][0]["encapsulation"], "nvgre");
}

TEST_F(VerdictTest, WithoutARouteTheRouterSaysSo) {
    const Json::Value result = explained(recorded("trace_no_route"));
    EXPECT_EQ(result["verdict"], "refused");
    EXPECT_EQ(result["sentence"],
              "not sent on: no route to the destination; the router tells the sender by ICMP");
}

TEST_F(VerdictTest, TheGatewayAnswers) {
    EXPECT_EQ(explained(recorded("trace_gateway_ping"))["sentence"], "delivered to port app");
}

TEST_F(VerdictTest, ABroadcastHasAnOutcomeForEachCopy) {
    const Json::Value result = explained(recorded("trace_broadcast"));
    EXPECT_EQ(result["verdict"], "encapsulated");
    EXPECT_EQ(result["outcomes"].size(), 1U);
    EXPECT_NE(result["sentence"].asString().find("VXLAN VNI 5001"), std::string::npos);
}

TEST_F(VerdictTest, WhereNoRuleDecidesTheTableSaysWhy) {
    const Json::Value result = explained(
        "Flow: ip,in_port=3\n\nbridge(\"br-hnv\")\n 0. in_port=3, priority 100, cookie 0x0\n"
        "    set_field:0x3->reg1\n    goto_table:2\n 2. reg1=0x3, priority 50, cookie 0x0\n"
        "    drop\n\nDatapath actions: drop\n");
    EXPECT_EQ(result["verdict"], "dropped");
    EXPECT_NE(result["sentence"].asString().find("dropped by guard: spoofed"), std::string::npos);
    EXPECT_EQ(result["outcomes"][0]["layer"], "guard");
}

TEST_F(VerdictTest, ACopyForTheAuditLogIsNoOutcome) {
    const Json::Value result = explained(
        "Flow: ip,reg2=0x4\n\nbridge(\"br-hnv\")\n39. reg14=0x4, priority 65150, cookie 0x0\n"
        "    controller(id=26689,userdata=41.01.01.01,meter_id=393216)\n26. reg2=0x4, priority 1\n"
        "    drop\nDatapath actions: userspace(pid=0,controller(reason=1))\n");
    EXPECT_EQ(result["verdict"], "dropped");
}

TEST_F(VerdictTest, ACopyOfAPacketThatIsDroppedDoesNotSaveIt) {
    const Json::Value result = explained(
        "Flow: ip,reg1=0x3\nbridge(\"br-hnv\")\n 7. reg1=0x3, priority 100\n    clone(output:4)\n"
        "    goto_table:22\n22. priority 0\n    drop\nDatapath actions: cache\n");
    EXPECT_EQ(result["verdict"], "dropped");
    ASSERT_EQ(result["outcomes"].size(), 2U);
    EXPECT_EQ(result["outcomes"][0]["sentence"], "a copy delivered to port cache");
    EXPECT_EQ(result["sentence"].asString().find("dropped by mapping"), 0U);
}

TEST_F(VerdictTest, AnUnknownTableIsToldByItsNumber) {
    const Json::Value result = explained(
        "Flow: ip\nbridge(\"br-hnv\")\n99. priority 7\n    drop\nDatapath actions: drop\n");
    EXPECT_EQ(result["outcomes"][0]["layer"], "table 99");
}

TEST_F(VerdictTest, ATraceThatSaysNothingIsUnknown) {
    EXPECT_EQ(explained("Datapath actions: drop\n")["verdict"], "unknown");
    EXPECT_EQ(explained("Flow: ip\nDatapath actions: recirc(0x9)\n")["verdict"], "unknown");
}

}  // namespace
}  // namespace hnv::cli
