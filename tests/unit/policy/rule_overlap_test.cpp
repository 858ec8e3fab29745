#include "policy/rule_overlap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::prefix;

TEST(RuleOverlap, ARuleForAllMeetsEveryRule) {
    RuleSpec narrow;
    narrow.sources = {prefix("10.1.1.0/24")};
    narrow.destination_ports = {{80, 80}};
    narrow.protocols = {6};
    EXPECT_TRUE(overlap(RuleSpec{}, RuleSpec{}));
    EXPECT_TRUE(overlap(RuleSpec{}, narrow));
    EXPECT_TRUE(overlap(narrow, RuleSpec{}));
    EXPECT_TRUE(overlap(narrow, narrow));
}

TEST(RuleOverlap, PrefixesMeetWhenOneHoldsTheOther) {
    RuleSpec a;
    RuleSpec b;
    a.sources = {prefix("10.1.0.0/16")};
    b.sources = {prefix("10.1.7.0/24")};
    EXPECT_TRUE(overlap(a, b));
    EXPECT_TRUE(overlap(b, a));
    b.sources = {prefix("10.2.0.0/24")};
    EXPECT_FALSE(overlap(a, b));
    b.sources = {prefix("10.1.255.255"), prefix("10.2.0.0/24")};
    EXPECT_TRUE(overlap(a, b));
    a.sources = {prefix("0.0.0.0/0")};
    EXPECT_TRUE(overlap(a, b));
}

TEST(RuleOverlap, FamiliesDoNotMeet) {
    RuleSpec a;
    RuleSpec b;
    a.destinations = {prefix("10.0.0.0/8")};
    b.destinations = {prefix("2001:db8::/32")};
    EXPECT_FALSE(overlap(a, b));
}

// A source and a destination of one packet are of one family.
TEST(RuleOverlap, FamiliesDoNotMeetAcrossFields) {
    RuleSpec a;
    RuleSpec b;
    a.sources = {prefix("2001:db8::/32")};
    b.destinations = {prefix("10.0.0.0/8")};
    EXPECT_FALSE(overlap(a, b));
    b.destinations = {prefix("10.0.0.0/8"), prefix("2001:db8:1::/48")};
    EXPECT_TRUE(overlap(a, b));
}

TEST(RuleOverlap, APortIsOfNoProtocolThatHasNone) {
    RuleSpec port;
    port.destination_ports = {{445, 445}};
    RuleSpec ping;
    ping.protocols = {1};
    EXPECT_FALSE(overlap(port, ping));
    EXPECT_FALSE(overlap(ping, port));
    ping.protocols = {1, 17};
    EXPECT_TRUE(overlap(port, ping));
}

// By the merged lists as by every pair of their entries.
TEST(RuleOverlap, LongListsMeetWhereAPairOfEntriesDoes) {
    std::mt19937 random(5);
    const auto draw = [&random](std::uint32_t below) {
        return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random);
    };
    int met = 0;
    for (int turn = 0; turn < 3000; ++turn) {
        RuleSpec a;
        RuleSpec b;
        for (RuleSpec* rule : {&a, &b}) {
            for (std::uint32_t i = 1 + draw(5); i > 0; --i) {
                const std::uint32_t length = 26 + draw(7);
                const std::uint32_t mask = ~((1U << (32 - length)) - 1);
                rule->sources.push_back(
                    {IpAddress::from_v4((0x0a000000U + draw(256)) & mask), length});
                const auto first = static_cast<std::uint16_t>(draw(200));
                rule->source_ports.push_back({first, static_cast<std::uint16_t>(first + draw(9))});
            }
            std::ranges::sort(rule->sources);
            std::ranges::sort(rule->source_ports);
        }
        const auto any_pair = [](const auto& x, const auto& y, auto meet) {
            return std::ranges::any_of(x, [&](const auto& one) {
                return std::ranges::any_of(y, [&](const auto& other) { return meet(one, other); });
            });
        };
        const bool expected =
            any_pair(a.sources, b.sources,
                     [](const IpPrefix& x, const IpPrefix& y) {
                         return x.contains(y.address) || y.contains(x.address);
                     }) &&
            any_pair(a.source_ports, b.source_ports, [](const PortRange& x, const PortRange& y) {
                return x.first <= y.last && y.first <= x.last;
            });
        met += expected ? 1 : 0;
        ASSERT_EQ(overlap(a, b), expected);
    }
    EXPECT_GT(met, 300);
}

TEST(RuleOverlap, PortRangesMeetAtTheirEnds) {
    RuleSpec a;
    RuleSpec b;
    a.destination_ports = {{100, 200}};
    b.destination_ports = {{200, 300}};
    EXPECT_TRUE(overlap(a, b));
    b.destination_ports = {{201, 300}};
    EXPECT_FALSE(overlap(a, b));
    b.destination_ports.clear();
    b.source_ports = {{201, 300}};  // Another field: any destination port.
    EXPECT_TRUE(overlap(a, b));
}

TEST(RuleOverlap, EveryFieldMustMeet) {
    RuleSpec a;
    RuleSpec b;
    a.protocols = {6};
    b.protocols = {17};
    EXPECT_FALSE(overlap(a, b));
    b.protocols = {6, 17};
    EXPECT_TRUE(overlap(a, b));
    a.sources = {prefix("10.1.1.1")};
    b.sources = {prefix("10.1.1.2")};
    EXPECT_FALSE(overlap(a, b));
}

TEST(CanMatch, AsksForOneFamilyThatHasAllOfIt) {
    RuleSpec rule;
    EXPECT_TRUE(can_match(rule));
    rule.sources = {prefix("10.0.0.0/8")};
    EXPECT_TRUE(can_match(rule));
    rule.destinations = {prefix("2001:db8::/32")};
    EXPECT_FALSE(can_match(rule));
    rule.destinations.push_back(prefix("10.1.0.0/16"));
    EXPECT_TRUE(can_match(rule));
    rule.protocols = {58};  // ICMPv6
    EXPECT_FALSE(can_match(rule));
    rule.protocols = {58, 1};
    EXPECT_TRUE(can_match(rule));
}

TEST(CanMatch, PortsAskForAProtocolThatHasThem) {
    RuleSpec rule;
    rule.destination_ports = {{80, 80}};
    EXPECT_TRUE(can_match(rule));
    rule.protocols = {1, 47};
    EXPECT_FALSE(can_match(rule));
    rule.protocols = {1, 132};
    EXPECT_TRUE(can_match(rule));
    rule.destination_ports.clear();
    rule.source_ports = {{53, 53}};
    rule.protocols = {17};
    EXPECT_TRUE(can_match(rule));
}

}  // namespace
}  // namespace hnv::policy
