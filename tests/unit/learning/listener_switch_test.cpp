// Learning with a real ovs-vswitchd and a port's own flows: what is not known is heard, what is
// known is not, and packets pass as if nobody had listened.
//
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "learning/listener.h"
#include "pipeline/compile.h"
#include "pipeline/stages.h"
#include "support/policy_builder.h"
#include "support/switch_fixture.h"

namespace hnv::learning {
namespace {

using pipeline::Reg;
using pipeline::StageFlow;
using pipeline::Table;
using test::ip;
using test::mac;

constexpr std::uint32_t kGuest = 7;
constexpr std::uint64_t kMac = 0x0200000000aa;
const policy::ObjectId kHost{policy::ObjectKind::Host, 0, 0};
const policy::ObjectId kPort{policy::ObjectKind::Port, 1, 0};
const policy::ObjectId kKnown{policy::ObjectKind::Learned, 1, kMac};

class ListenerSwitchTest : public test::SwitchFixture {
  protected:
    void SetUp() override {
        SwitchFixture::SetUp();
        if (IsSkipped()) {
            return;
        }
        // All is the port's; what has been through Table::Learn is counted.
        StageFlow arrived(Table::Classify, pipeline::priority::kNormal);
        arrived.set(Reg::Source, kGuest)
            .resubmit(Table::Learn)
            .go(Table::Storm, desired_[kHost], 0);
        StageFlow(Table::Storm, pipeline::priority::kMiss).drop(desired_[kHost], 0);
        policy::PortView port;
        port.ofport = kGuest;
        pipeline::learn_port(port, 0, desired_[kPort]);
        ASSERT_TRUE(confirm_all());
        listener_.emplace(management());
        listener_->start();
        ASSERT_TRUE(eventually([&] { return listener_->connected(); }));
    }
    // An ARP request of the MAC.
    void speak(std::uint64_t source, const std::string& sender_ip = "0a000007") {
        std::string text = mac(source).to_string();
        std::erase(text, ':');
        ofctl({"packet-out", management(),
               "in_port=local,packet=ffffffffffff" + text + "08060001080006040001" + text +
                   sender_ip + "0000000000000a000008,actions=table"});
    }
    [[nodiscard]] bool hears(const std::vector<policy::Sighting>& expected) {
        return eventually([&] {
            const auto some = listener_->take();
            heard_.insert(heard_.end(), some.begin(), some.end());
            return heard_ == expected;
        });
    }
    static bool eventually(const std::function<bool()>& condition) {
        const std::int64_t deadline = ovs::now_msec() + 10000;
        while (!condition()) {
            if (ovs::now_msec() >= deadline) {
                return false;
            }
            ovs::wake_at(ovs::now_msec() + 5);
            ovs::block();
        }
        return true;
    }

    std::optional<Listener> listener_;
    std::vector<policy::Sighting> heard_;
};

TEST_F(ListenerSwitchTest, HearsOfAMacUntilItIsKnown) {
    speak(kMac);
    ASSERT_TRUE(hears({{kGuest, 0, mac(kMac), ip("10.0.0.7")}}));
    policy::LearnedView known;
    known.vsid = 42;
    known.mac = mac(kMac);
    known.ofport = kGuest;
    known.v4 = ip("10.0.0.7");
    pipeline::learned_mac(known, 0, desired_[kKnown]);
    ASSERT_TRUE(confirm({kKnown}));
    speak(kMac);
    speak(kMac, "0a000009");  // It has another address now.
    EXPECT_TRUE(
        hears({{kGuest, 0, mac(kMac), ip("10.0.0.7")}, {kGuest, 0, mac(kMac), ip("10.0.0.9")}}));
}

TEST_F(ListenerSwitchTest, WhatWaitsDoesNotWaitTwice) {
    EXPECT_EQ(listener_->counters(), ListenerCounters{});
    constexpr unsigned kMacs = 20;
    for (unsigned i = 0; i < kMacs; ++i) {
        speak(kMac + i);
        speak(kMac + i);  // Waits once.
    }
    ASSERT_TRUE(eventually([&] { return listener_->counters().heard == 2 * kMacs; }));
    EXPECT_EQ(listener_->take().size(), kMacs);
    EXPECT_TRUE(listener_->take().empty());
}

TEST_F(ListenerSwitchTest, FollowsASwitchThatRestarts) {
    ovs_->stop_switch();
    ASSERT_TRUE(eventually([&] { return !listener_->connected(); }));
    ovs_->start_switch();
    ASSERT_TRUE(eventually([&] { return listener_->connected(); }));
    ASSERT_TRUE(audit());
    speak(kMac);
    EXPECT_TRUE(hears({{kGuest, 0, mac(kMac), ip("10.0.0.7")}}));
}

}  // namespace
}  // namespace hnv::learning
