#include "audit/repeat_filter.h"

#include <gtest/gtest.h>

#include <chrono>

#include "support/policy_builder.h"

namespace hnv::audit {
namespace {

using namespace std::chrono_literals;
using test::ip;

constexpr auto kWindow = 60s;

class RepeatFilterTest : public ::testing::Test {
  protected:
    static RepeatFilter::Key key(std::uint16_t source_port) {
        FlowTuple flow{ip("10.1.1.12"), ip("10.1.1.11"), 6};
        flow.ports = {source_port, 80};
        return {1, 7, flow};
    }
    std::optional<std::uint64_t> admit(const RepeatFilter::Key& each) {
        return filter_.admit(each, now_);
    }

    RepeatFilter filter_{3, kWindow};
    RepeatFilter::Clock::time_point now_{};
};

TEST_F(RepeatFilterTest, AFlowIsLetThroughOnceInAWindowAndItsRepeatsAreCounted) {
    EXPECT_EQ(admit(key(1)), 0U);
    now_ += kWindow - 1ms;
    EXPECT_EQ(admit(key(1)), std::nullopt);
    EXPECT_EQ(admit(key(1)), std::nullopt);
    now_ += 1ms;
    EXPECT_EQ(admit(key(1)), 2U);
    // The window begins anew.
    now_ += kWindow - 1ms;
    EXPECT_EQ(admit(key(1)), std::nullopt);
    now_ += kWindow;
    EXPECT_EQ(admit(key(1)), 1U);
}

TEST_F(RepeatFilterTest, FlowsAreToldApartByEachPartOfTheirKey) {
    RepeatFilter filter(100, kWindow);
    const RepeatFilter::Key first = key(1);
    std::vector<RepeatFilter::Key> keys(10, first);
    keys[1].rule = 2;
    keys[2].port = 8;
    keys[3].flow.source = ip("10.1.1.13");
    keys[4].flow.destination = ip("10.1.1.13");
    keys[5].flow.protocol = 17;
    keys[6].flow.ports->source = 2;
    keys[7].flow.ports->destination = 2;
    keys[8].flow.ports.reset();
    keys[9].flow.ports.reset();
    keys[9].flow.icmp = {8, 0};
    for (const auto& each : keys) {
        EXPECT_EQ(filter.admit(each, now_), 0U);
    }
    for (const auto& each : keys) {
        EXPECT_EQ(filter.admit(each, now_), std::nullopt);
    }
}

TEST_F(RepeatFilterTest, TheOneLetThroughLongestAgoIsForgottenWhenThereAreTooMany) {
    for (std::uint16_t port = 1; port <= 3; ++port) {
        EXPECT_EQ(admit(key(port)), 0U);
        now_ += 1s;
    }
    now_ += kWindow - 3s;
    EXPECT_EQ(admit(key(1)), 0U);  // Now the youngest.
    EXPECT_EQ(admit(key(4)), 0U);  // Instead of 2.
    EXPECT_EQ(filter_.size(), 3U);
    EXPECT_EQ(admit(key(1)), std::nullopt);
    EXPECT_EQ(admit(key(3)), std::nullopt);
    EXPECT_EQ(admit(key(2)), 0U);
    EXPECT_EQ(filter_.size(), 3U);
}

}  // namespace
}  // namespace hnv::audit
