// Who is called down, and for how long.
#include "policy/peer_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using testing::ElementsAre;
using testing::IsEmpty;

BfdState state(std::string_view remote, const char* forwarding) {
    return {ip(remote), 7, {{"forwarding", forwarding}}};
}

class PeerHealthTest : public testing::Test {
  protected:
    void at(std::int64_t now, const std::vector<BfdState>& states) { health_.update(states, now); }
    void at(std::int64_t now, const char* forwarding) { at(now, {state("10.0.0.1", forwarding)}); }

    PeerHealth health_;
};

TEST_F(PeerHealthTest, WhatHasToldNothingIsNotDown) {
    at(0, {{ip("10.0.0.1"), 0}, {ip("10.0.0.2"), 0, {}, "no room"}});
    EXPECT_THAT(health_.down(), IsEmpty());
    EXPECT_EQ(health_.next(), std::nullopt);
}

TEST_F(PeerHealthTest, DownAtOnceAndTheFirstUpIsBelievedAtOnce) {
    at(0, "false");
    EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
    at(1, "true");
    EXPECT_THAT(health_.down(), IsEmpty());
    EXPECT_EQ(health_.next(), std::nullopt);
    at(2, "false");
    EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
}

TEST_F(PeerHealthTest, UpAgainOnlyAfterAWhile) {
    at(0, "true");
    at(1000, "false");
    at(2000, "true");
    EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
    EXPECT_EQ(health_.next(), 2000 + PeerHealth::kHoldMsec);
    at(1999 + PeerHealth::kHoldMsec, "true");
    EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
    at(2000 + PeerHealth::kHoldMsec, "true");
    EXPECT_THAT(health_.down(), IsEmpty());
    EXPECT_EQ(health_.next(), std::nullopt);
}

TEST_F(PeerHealthTest, OneThatFlapsStaysDown) {
    at(0, "true");
    std::int64_t now = 0;
    for (int flap = 0; flap < 10; ++flap) {
        at(now += 1000, "false");
        at(now += 1000, "true");
        EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
    }
    at(now + PeerHealth::kHoldMsec, "true");
    EXPECT_THAT(health_.down(), IsEmpty());
}

TEST_F(PeerHealthTest, EachForItself) {
    at(0, {state("10.0.0.1", "true"), state("10.0.0.2", "true")});
    at(1, {state("10.0.0.1", "false"), state("10.0.0.2", "true")});
    EXPECT_THAT(health_.down(), ElementsAre(ip("10.0.0.1")));
    at(2, {state("10.0.0.2", "true")});  // Its session is no more.
    EXPECT_THAT(health_.down(), IsEmpty());
}

}  // namespace
}  // namespace hnv::policy
