// Southbound against a real ovs-vswitchd; ovs-ofctl is the witness.
#include "southbound/southbound.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>

#include "support/fake_switch.h"
#include "support/switch_fixture.h"

namespace hnv::southbound {
namespace {

using policy::ObjectId;
using policy::ObjectKind;

constexpr ObjectId kFirst{ObjectKind::Port, 1, 0};
constexpr ObjectId kSecond{ObjectKind::Port, 2, 0};

ovs::Flow flow(std::uint32_t in_port, std::uint32_t reg_value, std::uint8_t table = 0) {
    ovs::FlowBuilder builder(table, 100);
    builder.match_in_port(in_port).set_reg(0, reg_value);
    return builder.build(pipeline::kCookieMark);
}

// The switch refuses it: a packet may go to higher tables only. Its key is flow(in_port, ..., 5)'s.
ovs::Flow refused_flow(std::uint32_t in_port) {
    ovs::FlowBuilder builder(5, 100);
    builder.match_in_port(in_port).goto_table(3);
    return builder.build(pipeline::kCookieMark);
}

class SouthboundTest : public test::SwitchFixture {
  protected:
    // Runs until all flows are so old that a new one would be told from them.
    void let_flows_age(double seconds = 0.3) {
        ASSERT_TRUE(until([&] {
            const auto flows = installed();
            ovs::wake_at(ovs::now_msec() + 20);
            return std::all_of(flows.begin(), flows.end(),
                               [&](const auto& entry) { return entry.second.duration >= seconds; });
        }));
    }
    double youngest() {
        double duration = 1e9;
        for (const auto& [text, flow] : installed()) {
            duration = std::min(duration, flow.duration);
        }
        return duration;
    }
    std::optional<std::string> last_error_of(const ObjectId& owner,
                                             const std::vector<Verdict>& verdicts) {
        std::optional<std::string> error;
        for (const Verdict& verdict : verdicts) {
            if (verdict.owner == owner) {
                error = verdict.error;
            }
        }
        return error;
    }
};

TEST_F(SouthboundTest, WhatIsAppliedIsInTheSwitchWhenItIsConfirmed) {
    desired_[kFirst].flows = {flow(1, 10), flow(2, 20)};
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_EQ(southbound_->flows(), 2U);
    EXPECT_EQ(southbound_->state(), State::Idle);
    EXPECT_EQ(southbound_->counters().bundles, 1U);

    desired_[kFirst].flows = {flow(2, 21), flow(3, 30)};
    desired_[kSecond].flows = {flow(4, 40)};
    ASSERT_TRUE(confirm({kFirst, kSecond}));
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_EQ(southbound_->counters().bundles, 2U);

    desired_.clear();
    ASSERT_TRUE(confirm({kFirst, kSecond}));
    EXPECT_TRUE(installed().empty());
    EXPECT_TRUE(southbound_->take_verdicts().empty());
}

TEST_F(SouthboundTest, NothingIsTouchedBeforeStart) {
    ofctl({"add-flow", management(), "table=3,priority=7,in_port=9,actions=drop"});
    desired_[kFirst].flows = {flow(1, 10)};
    southbound_->apply({kFirst});
    ASSERT_TRUE(until([&] { return connection_->connected(); }));
    EXPECT_EQ(southbound_->state(), State::Offline);
    EXPECT_EQ(installed().size(), 1U);
    EXPECT_EQ(southbound_->confirmed(), 0U);
}

TEST_F(SouthboundTest, AChangeOfNothingIsConfirmedWithoutABundle) {
    desired_[kFirst].flows = {flow(1, 10)};
    ASSERT_TRUE(confirm({kFirst}));
    ASSERT_TRUE(confirm({kFirst, kSecond}));
    ASSERT_TRUE(confirm({}));
    EXPECT_EQ(southbound_->counters().bundles, 1U);
}

TEST_F(SouthboundTest, AChangeOfActionsKeepsTheFlowsHistory) {
    desired_[kFirst].flows = {flow(1, 10)};
    ASSERT_TRUE(confirm({kFirst}));
    ofctl({"packet-out", management(),
           "in_port=1 packet=ffffffffffff00155d50010b08060000 actions=table"});
    ASSERT_TRUE(until([&] {
        ovs::wake_at(ovs::now_msec() + 20);
        return installed()[ovs::to_text(flow(1, 10))].packets == 1;
    }));
    let_flows_age();

    desired_[kFirst].flows = {flow(1, 11)};
    ASSERT_TRUE(confirm({kFirst}));
    ASSERT_EQ(installed_texts(), desired_texts());
    EXPECT_EQ(installed().begin()->second.packets, 1U);
    EXPECT_GE(installed().begin()->second.duration, 0.3);
}

TEST_F(SouthboundTest, ARestartChangesNothing) {
    for (std::uint32_t port = 1; port <= 500; ++port) {
        desired_[kFirst].flows.push_back(flow(port, port));
    }
    desired_[kSecond].meters = {{7, 1000, 250}};
    ASSERT_TRUE(confirm_all());
    let_flows_age();
    restart();
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->counters().kept, 500U);
    EXPECT_EQ(southbound_->counters().repaired, 0U);
    EXPECT_EQ(southbound_->counters().stray, 0U);
    EXPECT_EQ(southbound_->counters().flow_mods, 0U);
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_GE(youngest(), 0.3);
}

TEST_F(SouthboundTest, ARestartWithAnotherPolicyChangesWhatDiffers) {
    desired_[kFirst].flows = {flow(1, 10), flow(2, 20), flow(3, 30)};
    ASSERT_TRUE(confirm_all());
    restart();
    desired_[kFirst].flows = {flow(2, 20), flow(3, 31), flow(4, 40)};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->counters().kept, 1U);
    EXPECT_EQ(southbound_->counters().repaired, 2U);
    EXPECT_EQ(southbound_->counters().stray, 1U);
    EXPECT_EQ(installed_texts(), desired_texts());
}

TEST_F(SouthboundTest, AnAuditRemovesWhatIsStrayAndRestoresWhatIsMissing) {
    desired_[kFirst].flows = {flow(1, 10), flow(2, 20), flow(3, 30)};
    ASSERT_TRUE(confirm_all());
    ofctl({"add-flow", management(), "table=3,priority=7,in_port=9,actions=drop"});
    ofctl({"--strict", "del-flows", management(), "table=0,priority=100,in_port=1"});
    ofctl({"--strict", "mod-flows", management(), "table=0,priority=100,in_port=2,actions=drop"});
    EXPECT_NE(installed_texts(), desired_texts());

    ASSERT_TRUE(audit());
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_EQ(southbound_->counters().kept, 1U);
    EXPECT_EQ(southbound_->counters().repaired, 2U);
    EXPECT_EQ(southbound_->counters().stray, 1U);
    ASSERT_TRUE(audit());
    EXPECT_EQ(southbound_->counters().kept, 3U);
    EXPECT_EQ(southbound_->counters().repaired + southbound_->counters().stray, 0U);
}

TEST_F(SouthboundTest, ChangesDuringAReadBackAreNotLost) {
    desired_[kFirst].flows = {flow(1, 10), flow(2, 20)};
    ASSERT_TRUE(confirm_all());
    southbound_->audit();
    ASSERT_EQ(southbound_->state(), State::ReadingBack);
    desired_[kFirst].flows = {flow(2, 21), flow(3, 30)};
    const std::uint64_t number = southbound_->apply({kFirst});
    EXPECT_LT(southbound_->confirmed(), number);
    ASSERT_TRUE(until([&] { return southbound_->confirmed() >= number; }));
    EXPECT_EQ(installed_texts(), desired_texts());
}

TEST_F(SouthboundTest, AfterASwitchRestartAllIsBack) {
    desired_[kFirst].flows = {flow(1, 10), flow(2, 20)};
    desired_[kFirst].meters = {{1, 1000, 250}};
    ASSERT_TRUE(confirm_all());
    ovs_->stop_switch();
    ASSERT_TRUE(until([&] { return southbound_->state() == State::Offline; }));
    desired_[kSecond].flows = {flow(3, 30)};  // The policy goes on meanwhile.
    const std::uint64_t number = southbound_->apply({kSecond});
    EXPECT_LT(southbound_->confirmed(), number);
    ovs_->start_switch();
    ASSERT_TRUE(until([&] { return southbound_->confirmed() >= number; }));
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_NE(ofctl({"dump-meters", management()}).find("meter=1 "), std::string::npos);
}

TEST_F(SouthboundTest, MetersAreMadeChangedAndRemovedWithTheirFlows) {
    const auto punt = [](std::uint32_t meter) {
        ovs::FlowBuilder builder(0, 100);
        builder.match_in_port(meter).controller({1, meter, {}});
        return builder.build();
    };
    desired_[kFirst] = {{punt(5)}, {{5, 1000, 250}}, ""};
    desired_[kSecond] = {{punt(6)}, {{6, 2000, 500}}, ""};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(installed_texts(), desired_texts());
    std::string meters = ofctl({"dump-meters", management()});
    EXPECT_NE(meters.find("meter=5 pktps"), std::string::npos) << meters;
    EXPECT_NE(meters.find("rate=1000 burst_size=250"), std::string::npos) << meters;
    EXPECT_NE(meters.find("meter=6 "), std::string::npos) << meters;

    desired_[kFirst].meters = {{5, 77, 19}};  // And no flow changes.
    ASSERT_TRUE(confirm({kFirst}));
    meters = ofctl({"dump-meters", management()});
    EXPECT_NE(meters.find("rate=77 burst_size=19"), std::string::npos) << meters;

    desired_.erase(kFirst);
    ASSERT_TRUE(confirm({kFirst}));
    meters = ofctl({"dump-meters", management()});
    EXPECT_EQ(meters.find("meter=5 "), std::string::npos) << meters;
    EXPECT_NE(meters.find("meter=6 "), std::string::npos) << meters;
}

// A rate that changes modifies its meter: the flow that uses it stays, and so do its packets.
TEST_F(SouthboundTest, AMeterOfKilobitsIsModifiedInPlaceAndReadBack) {
    const auto limited = [](std::uint32_t meter) {
        ovs::FlowBuilder builder(0, 100);
        builder.match_in_port(meter).meter(meter).goto_table(1);
        return builder.build(pipeline::kCookieMark);
    };
    desired_[kFirst] = {{limited(5)}, {{5, 10'000, 3000, ovs::MeterUnit::Kilobits}}, ""};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(installed_texts(), desired_texts());
    std::string meters = ofctl({"dump-meters", management()});
    EXPECT_NE(meters.find("meter=5 kbps burst stats"), std::string::npos) << meters;
    EXPECT_NE(meters.find("rate=10000 burst_size=3000"), std::string::npos) << meters;

    const std::uint64_t flow_mods = southbound_->counters().flow_mods;
    desired_[kFirst].meters = {{5, 20'000, 6000, ovs::MeterUnit::Kilobits}};
    ASSERT_TRUE(confirm({kFirst}));
    meters = ofctl({"dump-meters", management()});
    EXPECT_NE(meters.find("rate=20000 burst_size=6000"), std::string::npos) << meters;
    EXPECT_EQ(southbound_->counters().flow_mods, flow_mods);

    ofctl({"mod-meter", management(),
           "meter=5,pktps,burst,stats,band=type=drop,rate=20000,"
           "burst_size=6000"});
    ASSERT_TRUE(audit());
    meters = ofctl({"dump-meters", management()});
    EXPECT_NE(meters.find("meter=5 kbps burst stats"), std::string::npos) << meters;
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_TRUE(southbound_->take_verdicts().empty());
}

// The switch deletes what uses a meter together with it.
TEST_F(SouthboundTest, AMeterStaysUntilTheBundleThatTakesItOutOfItsFlowsHasEnded) {
    ovs::FlowBuilder limited(0, 100);
    limited.match_in_port(1).meter(5).goto_table(1);
    ovs::FlowBuilder unlimited(0, 100);
    unlimited.match_in_port(1).goto_table(1);
    desired_[kFirst] = {{std::move(limited).build()}, {{5, 1000, 250}}, ""};
    ASSERT_TRUE(confirm({kFirst}));

    desired_[kSecond].flows = {flow(2, 20)};
    southbound_->apply({kSecond});
    southbound_->run();
    ASSERT_EQ(southbound_->state(), southbound::State::Committing);
    desired_[kFirst] = {{std::move(unlimited).build()}, {}, ""};
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_EQ(ofctl({"dump-meters", management()}).find("meter=5 "), std::string::npos);
}

TEST_F(SouthboundTest, AFlowAndAMeterPassFromOneOwnerToAnother) {
    const auto hand_over = [this](const std::vector<ObjectId>& order) {
        desired_.clear();
        desired_[kFirst] = {{flow(1, 10)}, {{5, 1000, 250}}, ""};
        ASSERT_TRUE(confirm({kFirst, kSecond}));
        desired_.clear();
        desired_[kSecond] = {{flow(1, 20)}, {{5, 2000, 500}}, ""};
        ASSERT_TRUE(confirm(order));
        EXPECT_EQ(installed_texts(), desired_texts());
        const std::string meters = ofctl({"dump-meters", management()});
        EXPECT_NE(meters.find("rate=2000 burst_size=500"), std::string::npos) << meters;
    };
    hand_over({kFirst, kSecond});
    hand_over({kSecond, kFirst});
}

TEST_F(SouthboundTest, ARefusedFlowIsToldAndHindersNoOther) {
    desired_[kFirst].flows = {refused_flow(1), flow(2, 20)};
    desired_[kSecond].flows = {flow(3, 30)};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(installed_texts(), (std::set{ovs::to_text(flow(2, 20)), ovs::to_text(flow(3, 30))}));
    const auto verdicts = southbound_->take_verdicts();
    ASSERT_TRUE(last_error_of(kFirst, verdicts));
    EXPECT_NE(last_error_of(kFirst, verdicts)->find("OFP"), std::string::npos);
    EXPECT_NE(last_error_of(kFirst, verdicts)->find("in_port=1"), std::string::npos);
    EXPECT_FALSE(last_error_of(kSecond, verdicts));

    // Other flows of that object are taken; that mends nothing.
    desired_[kFirst].flows = {refused_flow(1), flow(2, 21)};
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_TRUE(southbound_->take_verdicts().empty());

    desired_[kFirst].flows = {flow(1, 10, 5), flow(2, 21)};
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_EQ(installed_texts(), desired_texts());
    const auto later = southbound_->take_verdicts();
    ASSERT_EQ(later.size(), 1U);
    EXPECT_EQ(later[0].owner, kFirst);
    EXPECT_EQ(later[0].error, std::nullopt);
}

TEST_F(SouthboundTest, ARefusalEndsWhenTheFlowIsNoLongerWanted) {
    desired_[kFirst].flows = {refused_flow(1), flow(2, 20)};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->take_verdicts().size(), 1U);
    desired_[kFirst].flows = {flow(2, 20)};
    ASSERT_TRUE(confirm({kFirst}));
    const auto verdicts = southbound_->take_verdicts();
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].error, std::nullopt);
}

TEST_F(SouthboundTest, AChangeThatCrossesWithARefusalIsInstalled) {
    ASSERT_TRUE(confirm({}));
    desired_[kFirst].flows = {refused_flow(1)};
    southbound_->apply({kFirst});
    southbound_->run();
    ASSERT_EQ(southbound_->state(), State::Committing);
    desired_[kFirst].flows = {flow(1, 10, 5)};
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_EQ(installed_texts(), desired_texts());
    EXPECT_FALSE(last_error_of(kFirst, southbound_->take_verdicts()));
}

// This error comes when the bundle is committed, and fails it as a whole.
TEST_F(SouthboundTest, AFullTableFailsOnlyTheFlowsThatDoNotFit) {
    ovs_->vsctl({"--", "--id=@t", "create", "Flow_Table", "flow_limit=2", "overflow_policy=refuse",
                 "--", "set", "bridge", "br-hnv", "flow_tables:5=@t"});
    desired_[kFirst].flows = {flow(1, 10, 5), flow(2, 20, 5), flow(3, 30, 5), flow(4, 40)};
    desired_[kSecond].flows = {flow(5, 50)};
    ASSERT_TRUE(confirm_all());
    const auto texts = installed_texts();
    EXPECT_EQ(texts.size(), 4U);
    EXPECT_TRUE(texts.contains(ovs::to_text(flow(4, 40))));
    EXPECT_TRUE(texts.contains(ovs::to_text(flow(5, 50))));
    EXPECT_NE(last_error_of(kFirst, southbound_->take_verdicts())->find("TABLE_FULL"),
              std::string::npos);

    ovs_->vsctl({"clear", "bridge", "br-hnv", "flow_tables"});
    ASSERT_TRUE(audit());
    EXPECT_EQ(installed_texts(), desired_texts());
    const auto verdicts = southbound_->take_verdicts();
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].error, std::nullopt);
}

// The next user of a zone, whose number is a port's, must not inherit connections.
TEST_F(SouthboundTest, AZoneIsFlushedWhenItChangesHands) {
    const auto connect = [this](std::uint16_t zone) {
        // UDP 10.1.1.11:4000 to 10.1.1.12:5000.
        ofctl({"packet-out", management(),
               "in_port=local packet=00155d50010c00155d50010b08004500001c00010000401164b8"
               "0a01010b0a01010c0fa0138800080000 actions=ct(commit,zone=" +
                   std::to_string(zone) + ")"});
        return connections(zone).size();
    };
    desired_[kFirst] = {{flow(1, 10)}, {}, {}, {{7, 0xaaaa}}};
    desired_[kSecond] = {{flow(2, 20)}, {}, {}, {{8, 0xbbbb}}};
    ASSERT_TRUE(confirm_all());
    ASSERT_EQ(connect(7), 1U);
    ASSERT_EQ(connect(8), 1U);

    desired_[kFirst].flows = {flow(1, 11)};  // The same user: its connections stay.
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_EQ(connections(7).size(), 1U);

    desired_[kFirst].zones[0].user = 0xcccc;  // And no flow changes.
    ASSERT_TRUE(confirm({kFirst}));
    EXPECT_TRUE(until([&] { return connections(7).empty(); }));
    EXPECT_EQ(connections(8).size(), 1U);

    desired_.erase(kSecond);
    ASSERT_TRUE(confirm({kSecond}));
    EXPECT_TRUE(until([&] { return connections(8).empty(); }));
}

TEST_F(SouthboundTest, ARefusedMeterIsToldAtItsOwner) {
    constexpr std::uint32_t kBeyondOfpmMax = 0xffff0001U;  // ONF TS-012 section 7.3.4.4
    desired_[kFirst] = {{flow(1, 10)}, {{kBeyondOfpmMax, 1000, 250}}, {}, {}};
    desired_[kSecond] = {{flow(2, 20)}, {{6, 1000, 250}}, {}, {}};
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(installed_texts(), desired_texts());
    const auto verdicts = southbound_->take_verdicts();
    ASSERT_TRUE(last_error_of(kFirst, verdicts));
    EXPECT_NE(last_error_of(kFirst, verdicts)->find("OFPMMFC_"), std::string::npos);
    EXPECT_FALSE(last_error_of(kSecond, verdicts));
    EXPECT_EQ(southbound_->counters().bundle_errors, 1U);
}

// A switch that can't tell what it has is asked again, on another connection.
TEST(SouthboundReadBack, BeginsAnewOnAnotherConnectionWhenItIsRefused) {
    constexpr std::uint8_t kError = 1;
    constexpr std::uint8_t kMultipartRequest = 18;
    test::FakeSwitch fake;
    auto peer = std::async(std::launch::async, [&fake] {
        for (int connection = 0; connection < 2; ++connection) {
            fake.accept();
            const test::Octets request = fake.receive();
            if (request[1] != kMultipartRequest) {
                throw std::runtime_error("not a request: " + std::to_string(request[1]));
            }
            test::Octets body;
            test::put_number(body, 1, 2);  // OFPET_BAD_REQUEST,
            test::put_number(body, 2, 2);  // OFPBRC_BAD_MULTIPART; then the request.
            body.insert(body.end(), request.begin(), request.end());
            const auto xid = static_cast<std::uint32_t>(test::get_number(request, 4, 4));
            fake.send(test::openflow_message(kError, xid, body));
            fake.wait_for_end();
        }
    });
    ovs::OpenFlowConnection connection(fake.target(), "test");
    Southbound southbound(connection, [](const ObjectId&) { return pipeline::FlowSet{}; });
    southbound.start();
    EXPECT_TRUE(test::run_until(southbound, [&] {
        ovs::wake_at(ovs::now_msec() + 20);
        return peer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }));
    EXPECT_NO_THROW(peer.get());
    EXPECT_GE(southbound.counters().read_backs, 2U);
}

TEST_F(SouthboundTest, ALargeLoadTakesSeveralBundles) {
    constexpr std::uint32_t kFlows = 60'000;
    for (std::uint32_t i = 0; i < kFlows; ++i) {
        ovs::FlowBuilder builder(1, 100);
        builder.match_reg(0, i).goto_table(2);
        desired_[ObjectId{ObjectKind::Mac, 1, i}].flows.push_back(builder.build());
    }
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->flows(), kFlows);
    EXPECT_EQ(southbound_->counters().flow_mods, kFlows);
    EXPECT_GE(southbound_->counters().bundles, 2U);
    const std::string summary = ofctl({"dump-aggregate", management()});
    EXPECT_NE(summary.find("flow_count=" + std::to_string(kFlows)), std::string::npos) << summary;

    restart();
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->counters().kept, kFlows);
    EXPECT_EQ(southbound_->counters().flow_mods, 0U);
}

TEST_F(SouthboundTest, WhenIdleItSleeps) {
    desired_[kFirst].flows = {flow(1, 10)};
    ASSERT_TRUE(confirm_all());
    int wakeups = 0;
    EXPECT_FALSE(until(
        [&] {
            ++wakeups;
            return false;
        },
        250));
    EXPECT_LT(wakeups, 20);
}

}  // namespace
}  // namespace hnv::southbound
