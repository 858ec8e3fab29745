// The counters of single tables, as a real ovs-vswitchd tells them.
#include "southbound/table_counters.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "pipeline/stages.h"
#include "support/switch_fixture.h"

namespace hnv::southbound {
namespace {

using pipeline::StageFlow;
using pipeline::Table;
using Answer = std::optional<Result<std::vector<ovs::FlowRecord>>>;

class TableCountersTest : public test::SwitchFixture {
  protected:
    // `flows` flows in the table, told apart by their VSID.
    void program(Table table, std::uint32_t flows) {
        const policy::ObjectId id{policy::ObjectKind::Subnet, static_cast<std::uint32_t>(table), 0};
        for (std::uint32_t vsid = 1; vsid <= flows; ++vsid) {
            StageFlow flow(table, pipeline::priority::kNormal);
            flow.match(pipeline::Reg::Vsid, vsid);
            flow.drop(desired_[id], 0);
        }
    }
    static TableCounters::Reply into(Answer& answer) {
        return [&answer](Result<std::vector<ovs::FlowRecord>> flows) {
            EXPECT_FALSE(answer) << "answered twice";
            answer.emplace(std::move(flows));
        };
    }
};

TEST_F(TableCountersTest, TellsAllFlowsOfTheTablesThatAreAskedForAndNoOthers) {
    program(Table::Local, 3);
    program(Table::Mapping, 5000);  // Several replies.
    program(Table::Deliver, 7);
    ASSERT_TRUE(confirm_all());

    TableCounters counters(management(), "counters");
    Answer both;
    Answer none;
    Answer one;
    counters.ask({Table::Local, Table::Mapping}, into(both));
    counters.ask({}, into(none));
    counters.ask({Table::Deliver}, into(one));
    ASSERT_TRUE(test::run_until(counters, [&] { return counters.waiting() == 0; }));
    ASSERT_TRUE(both && *both && none && *none && one && *one);
    EXPECT_EQ((*both)->size(), 5003U);
    EXPECT_EQ((*none)->size(), 0U);
    EXPECT_EQ((*one)->size(), 7U);
    EXPECT_EQ((*one)->front().flow.table, static_cast<std::uint8_t>(Table::Deliver));
}

TEST_F(TableCountersTest, AsksAgainOverTheSameConnection) {
    program(Table::Local, 3);
    ASSERT_TRUE(confirm_all());
    TableCounters counters(management(), "counters");
    const auto ask = [&] {
        Answer answer;
        counters.ask({Table::Local}, into(answer));
        return test::run_until(counters, [&] { return counters.waiting() == 0; }) && answer &&
               *answer && (*answer)->size() == 3;
    };
    ASSERT_TRUE(ask());
    const std::uint64_t connected = counters.connections();
    program(Table::Deliver, 2);  // Something happens between the questions.
    ASSERT_TRUE(confirm_all());
    EXPECT_TRUE(ask());
    EXPECT_TRUE(ask());
    EXPECT_EQ(counters.connections(), connected);
}

TEST_F(TableCountersTest, TellsTheFlowsOfOneOwnerInATable) {
    const auto program_for = [this](std::uint64_t cookie, std::uint32_t vsid) {
        StageFlow flow(Table::Local, pipeline::priority::kNormal);
        flow.match(pipeline::Reg::Vsid, vsid);
        flow.drop(desired_[{policy::ObjectKind::Subnet, 1, 0}], cookie);
    };
    program_for(7, 1);
    program_for(8, 2);
    program(Table::Mapping, 3);
    ASSERT_TRUE(confirm_all());

    TableCounters counters(management(), "counters");
    Answer one;
    counters.ask_flows({{.table = static_cast<std::uint8_t>(Table::Local), .cookie = 8},
                        {.table = static_cast<std::uint8_t>(Table::Mapping), .cookie = 8}},
                       into(one));
    ASSERT_TRUE(test::run_until(counters, [&] { return counters.waiting() == 0; }));
    ASSERT_TRUE(one && *one);
    ASSERT_EQ((*one)->size(), 1U);
    EXPECT_EQ((*one)->front().flow.cookie, 8U);
}

TEST_F(TableCountersTest, CountsPackets) {
    const policy::ObjectId id{policy::ObjectKind::Host, 0, 0};
    StageFlow(Table::Classify, pipeline::priority::kMiss).drop(desired_[id], 0);
    ASSERT_TRUE(confirm_all());
    ofctl({"packet-out", management(),
           "in_port=local,packet=020000000011020000000012080045000014000040004011"
           "00000a01010c0a01010b,actions=table"});
    TableCounters counters(management(), "counters");
    std::uint64_t packets = 0;
    // The switch's own count runs behind.
    ASSERT_TRUE(test::run_until(counters, [&] {
        if (counters.waiting() == 0) {
            counters.ask({Table::Classify}, [&](Result<std::vector<ovs::FlowRecord>> flows) {
                packets = flows.ok() && flows->size() == 1 ? flows->front().packets : 0;
            });
        }
        return packets == 1;
    }));
}

TEST_F(TableCountersTest, AsksAgainWhenTheSwitchComesBack) {
    ovs_->stop_switch();
    TableCounters counters(management(), "counters");
    Answer answer;
    counters.ask({Table::Local}, into(answer));
    counters.run();
    EXPECT_FALSE(answer);
    ovs_->start_switch();
    ASSERT_TRUE(test::run_until(counters, [&] { return answer.has_value(); }));
    EXPECT_TRUE(answer->ok());
}

}  // namespace
}  // namespace hnv::southbound
