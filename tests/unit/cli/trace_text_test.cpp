#include "cli/trace_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recorded_text.h"

namespace hnv::cli {
namespace {

using test::recorded;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

Trace trace_of(const std::string& name) { return parse_trace(recorded(name)).value(); }

std::vector<unsigned> tables(const TraceSection& section) {
    std::vector<unsigned> list;
    for (const TraceStep& step : section.steps) {
        list.push_back(step.table);
    }
    return list;
}

TEST(TraceText, StepsHaveTableMatchPriorityAndCookie) {
    const Trace trace = trace_of("trace_delivered");
    ASSERT_EQ(trace.sections.size(), 2U);
    const TraceStep& first = trace.sections[0].steps.at(0);
    EXPECT_EQ(first.bridge, "br-hnv");
    EXPECT_EQ(first.table, 0U);
    EXPECT_EQ(first.match, "in_port=3,vlan_tci=0x0000/0x1fff");
    EXPECT_EQ(first.priority, 100);
    EXPECT_EQ(first.cookie, 0x6801a719056a838cU);
    EXPECT_THAT(first.actions, ElementsAre("set_field:0x1389->metadata", "set_field:0x1389->reg0",
                                           "set_field:0x3->reg1", "goto_table:2"));
    const TraceStep& storm = trace.sections[0].steps.at(2);
    EXPECT_EQ(storm.match, "");
    EXPECT_EQ(storm.priority, 0);
}

TEST(TraceText, APacketGoesOnWhereItIsRecirculatedTo) {
    const Trace trace = trace_of("trace_delivered");
    EXPECT_EQ(trace.sections[0].recirculation, std::nullopt);
    EXPECT_TRUE(trace.sections[1].recirculation);
    EXPECT_NE(trace.sections[0].datapath_actions.find("recirc("), std::string::npos);
    EXPECT_EQ(field_of(trace.sections[1].flow, "reg2"), "0x4");
    EXPECT_EQ(field_of(trace.sections[1].flow, "reg"), std::nullopt);
}

TEST(TraceText, ActionsBehindACallAreTheCallers) {
    const Trace trace = trace_of("trace_blocked_by_rule");
    const auto& steps = trace.sections.at(1).steps;
    EXPECT_THAT(tables(trace.sections[1]), ElementsAre(25, 38, 39, 26));
    EXPECT_THAT(steps[0].actions, Contains("goto_table:26"));
    EXPECT_EQ(steps[1].depth, 1U);
    EXPECT_THAT(steps[1].actions, ElementsAre("goto_table:39"));
    EXPECT_THAT(steps[2].actions, ElementsAre("drop"));
    EXPECT_THAT(steps[3].actions, ElementsAre("drop"));
    EXPECT_EQ(trace.sections[1].datapath_actions, "drop");
}

TEST(TraceText, TheWayOfALongerPacketIsMarked) {
    const Trace trace = trace_of("trace_nvgre");
    std::vector<unsigned> longer;
    std::vector<unsigned> others;
    for (const TraceStep& step : trace.sections.at(0).steps) {
        (step.if_longer ? longer : others).push_back(step.table);
    }
    EXPECT_THAT(longer, ElementsAre(34, 35));
    EXPECT_THAT(others, Contains(34U));
    EXPECT_EQ(trace.sections[0].steps.back().bridge, "br-pa");
}

TEST(TraceText, WhatIsSaidOfTheDatapathIsNoAction) {
    const Trace trace = trace_of("trace_gateway_ping");
    EXPECT_EQ(trace.sections.at(0).steps.back().actions.back(), "IN_PORT");
}

TEST(TraceText, ATableWithoutAMatchIsAStepToo) {
    const auto trace = parse_trace(
        "Flow: ip\n\nbridge(\"b\")\n 7. No match.\n            drop\n\nDatapath actions: drop\n");
    ASSERT_TRUE(trace);
    ASSERT_EQ(trace->sections.at(0).steps.size(), 1U);
    EXPECT_FALSE(trace->sections[0].steps[0].matched);
    EXPECT_EQ(trace->sections[0].steps[0].table, 7U);
}

TEST(TraceText, UnknownTextIsLeftOut) {
    const auto trace = parse_trace(
        "a new heading\nFlow: ip\n 0. x, priority 5\n    goto_table:1\nsomething\n 999. y, "
        "priority "
        "1\n 1. z, cookie 0x1\nDatapath actions: 7\n");
    ASSERT_TRUE(trace);
    EXPECT_THAT(tables(trace->sections.at(0)), ElementsAre(0));
    EXPECT_EQ(trace->sections[0].datapath_actions, "7");
}

TEST(TraceText, ATextOfWhichNothingIsUnderstoodIsAnError) {
    EXPECT_FALSE(parse_trace(""));
    EXPECT_FALSE(parse_trace("no such thing\n"));
    EXPECT_FALSE(parse_trace("recirc(0x1)\n    drop\n"));
}

}  // namespace
}  // namespace hnv::cli
