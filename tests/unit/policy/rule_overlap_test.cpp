#include "policy/rule_overlap.h"

#include <gtest/gtest.h>

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
    b.sources = {prefix("10.2.0.0/24"), prefix("10.1.255.255")};
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
    b.protocols = {17, 6};
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
