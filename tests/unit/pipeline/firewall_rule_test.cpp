#include "pipeline/firewall_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "policy/rule_overlap.h"
#include "support/policy_builder.h"

namespace hnv::pipeline {
namespace {

using policy::PortRange;
using policy::RuleSpec;
using test::prefix;

constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kIpv6 = 0x86dd;

bool matched(const std::vector<PortMask>& masks, std::uint16_t port) {
    return std::any_of(masks.begin(), masks.end(),
                       [port](const PortMask& mask) { return (port & mask.mask) == mask.value; });
}

// Exactly the range, and no value bit outside a mask.
void expect_covers(const PortRange& range) {
    const auto masks = masks_of(range);
    for (const PortMask& mask : masks) {
        EXPECT_EQ(mask.value & ~mask.mask, 0);
    }
    std::uint32_t covered = 0;
    for (const PortMask& mask : masks) {
        covered += 0x10000U - mask.mask;
    }
    // Disjoint and of the right size, and the ends are in it: so it is the range.
    EXPECT_EQ(covered, static_cast<std::uint32_t>(range.last - range.first) + 1);
    EXPECT_TRUE(matched(masks, range.first));
    EXPECT_TRUE(matched(masks, range.last));
    EXPECT_TRUE(range.first == 0 || !matched(masks, static_cast<std::uint16_t>(range.first - 1)));
    EXPECT_TRUE(range.last == 0xffff ||
                !matched(masks, static_cast<std::uint16_t>(range.last + 1)));
    EXPECT_LE(masks.size(), 30U);
}

TEST(MasksOf, CoverEveryRangeOfASmallDomainExactly) {
    for (std::uint16_t first = 0; first < 64; ++first) {
        for (std::uint16_t last = first; last < 64; ++last) {
            const auto masks = masks_of({first, last});
            for (std::uint16_t port = 0; port < 256; ++port) {
                ASSERT_EQ(matched(masks, port), first <= port && port <= last)
                    << first << "-" << last << " at " << port;
            }
        }
    }
}

TEST(MasksOf, CoverRandomRangesExactly) {
    std::mt19937 random(1);
    std::uniform_int_distribution<std::uint32_t> any(0, 0xffff);
    for (int i = 0; i < 5000; ++i) {
        const auto a = static_cast<std::uint16_t>(any(random));
        const auto b = static_cast<std::uint16_t>(any(random));
        expect_covers({std::min(a, b), std::max(a, b)});
    }
}

TEST(MasksOf, AreTheFewest) {
    EXPECT_EQ(masks_of({0, 0xffff}), (std::vector<PortMask>{{0, 0}}));
    EXPECT_EQ(masks_of({80, 80}), (std::vector<PortMask>{{80, 0xffff}}));
    EXPECT_EQ(masks_of({1024, 65535}).size(), 6U);
    EXPECT_EQ(masks_of({1, 65534}).size(), 30U);
    EXPECT_EQ(masks_of({65535, 65535}), (std::vector<PortMask>{{65535, 0xffff}}));
}

TEST(Expand, ARuleForAllIsOneMatchOfAll) {
    const auto matches = expand(RuleSpec{});
    ASSERT_EQ(matches.size(), 1U);
    EXPECT_EQ(matches[0].eth_type, 0);
    EXPECT_FALSE(matches[0].protocol);
}

TEST(Expand, AProtocolHoldsForBothFamilies) {
    RuleSpec rule;
    rule.protocols = {6};
    const auto matches = expand(rule);
    ASSERT_EQ(matches.size(), 2U);
    EXPECT_EQ(matches[0].eth_type, kIpv4);
    EXPECT_EQ(matches[1].eth_type, kIpv6);
}

TEST(Expand, IcmpIsOfItsFamily) {
    RuleSpec rule;
    rule.protocols = {1};
    ASSERT_EQ(expand(rule).size(), 1U);
    EXPECT_EQ(expand(rule)[0].eth_type, kIpv4);
    rule.protocols = {58};
    ASSERT_EQ(expand(rule).size(), 1U);
    EXPECT_EQ(expand(rule)[0].eth_type, kIpv6);
}

TEST(Expand, AddressesDecideTheFamily) {
    RuleSpec rule;
    rule.sources = {prefix("10.1.1.0/24"), prefix("2001:db8::/64")};
    rule.destinations = {prefix("10.1.2.0/24")};
    const auto matches = expand(rule);
    ASSERT_EQ(matches.size(), 1U);  // No packet goes from an IPv6 source to an IPv4 destination.
    EXPECT_EQ(matches[0].eth_type, kIpv4);
    EXPECT_EQ(matches[0].source, prefix("10.1.1.0/24"));
}

TEST(Expand, PortsNeedAProtocolThatHasThem) {
    RuleSpec rule;
    rule.action = policy::RuleAction::Block;
    rule.destination_ports = {{80, 80}};
    EXPECT_EQ(expand(rule).size(), 6U);  // TCP, UDP, SCTP, twice.
    rule.protocols = {6, 1};
    const auto matches = expand(rule);
    ASSERT_EQ(matches.size(), 2U);
    EXPECT_EQ(matches[0].protocol, 6);
    rule.protocols = {1};
    EXPECT_TRUE(expand(rule).empty());  // ICMP to port 80: no such packet.
}

TEST(Expand, CombinesTheLists) {
    RuleSpec rule;
    rule.action = policy::RuleAction::Block;
    rule.protocols = {6, 17};
    rule.sources = {prefix("10.1.1.1"), prefix("10.1.1.2"), prefix("10.1.1.3")};
    rule.source_ports = {{1024, 65535}};  // Six masks.
    rule.destination_ports = {{80, 80}, {443, 443}};
    EXPECT_EQ(expand(rule).size(), 2U * 3U * 6U * 2U);
}

TEST(Dimensions, OfARuleWithPortsLaterFragmentsPassWhatTheRestOfItAllows) {
    RuleSpec rule;
    rule.protocols = {17};
    rule.sources = {prefix("10.1.1.0/24")};
    rule.destination_ports = {{80, 80}, {443, 443}};
    const auto by_connection = dimensions_of(rule, Verdict::ByConnection);
    ASSERT_EQ(by_connection.size(), 1U);
    const auto matches = combine(by_connection[0]);
    ASSERT_EQ(matches.size(), 3U);
    EXPECT_TRUE(matches[0].later_fragment);
    EXPECT_FALSE(matches[0].has_ports());
    EXPECT_EQ(matches[0].protocol, 17);
    EXPECT_EQ(matches[0].source, prefix("10.1.1.0/24"));
    EXPECT_TRUE(matches[1].has_ports());
    EXPECT_TRUE(matches[2].has_ports());
    EXPECT_EQ(expand(rule).size(), 2U);  // A whole packet is no fragment.
    rule.action = policy::RuleAction::Block;
    // Blocks no fragment whose port it does not know.
    EXPECT_EQ(dimensions_of(rule, Verdict::ByConnection)[0].product(), 2U);
}

TEST(Dimensions, ManyServicesAreTwoOfThem) {
    RuleSpec rule;
    rule.protocols = {6, 17};
    rule.source_ports = {{1, 65534}};       // 30 masks.
    rule.destination_ports = {{1, 65534}};  // 30 masks.
    const auto dimensions = dimensions_of(rule, Verdict::ByConnection);
    ASSERT_EQ(dimensions.size(), 2U);
    ASSERT_EQ(dimensions[0].dimensions.size(), 2U);
    EXPECT_EQ(dimensions[0].sum(), 2U * 2U * 31U);
    // Of one protocol, and whole or not, in both.
    EXPECT_EQ(combine(dimensions[0]).size(), 2U * (30U * 30U + 1U));
}

// A rule that the model takes has a flow, and one that has none is refused.
TEST(Expand, HasAMatchIfAPacketCanMatch) {
    std::mt19937 random(7);
    const auto chance = [&random] { return std::bernoulli_distribution(0.4)(random); };
    for (int i = 0; i < 2000; ++i) {
        RuleSpec rule;
        for (const int protocol : {1, 6, 17, 47, 58, 132}) {
            if (chance()) {
                rule.protocols.push_back(static_cast<std::uint8_t>(protocol));
            }
        }
        for (const char* text : {"10.0.0.0/8", "2001:db8::/32"}) {
            if (chance()) {
                rule.sources.push_back(prefix(text));
            }
            if (chance()) {
                rule.destinations.push_back(prefix(text));
            }
        }
        if (chance()) {
            rule.destination_ports = {{80, 81}};
        }
        if (chance()) {
            rule.source_ports = {{1024, 65535}};
        }
        EXPECT_EQ(policy::can_match(rule), !expand(rule).empty());
    }
}

// What is asked of a connection's first packet is what was asked of it when it came.
TEST(Apply, ToAConnectionMatchesTheSameFieldsOfItsFirstPacket) {
    RuleSpec rule;
    rule.action = policy::RuleAction::Block;
    rule.protocols = {6};
    rule.sources = {prefix("10.1.1.0/24")};
    rule.destinations = {prefix("10.1.2.11")};
    rule.source_ports = {{1024, 2047}};
    rule.destination_ports = {{443, 443}};
    const auto matches = expand(rule);
    ASSERT_EQ(matches.size(), 1U);
    FlowSet out;
    StageFlow packet(Table::FirewallOutState, 100);
    apply(matches[0], packet);
    packet.drop(out, 0);
    StageFlow connection(Table::FirewallOutState, 100);
    constexpr std::uint32_t kReply = static_cast<std::uint32_t>(ovs::CtState::Tracked) |
                                     static_cast<std::uint32_t>(ovs::CtState::Reply);
    connection->match_ct_state(kReply, kReply);
    apply_to_connection(matches[0], connection);
    connection.drop(out, 0);
    EXPECT_EQ(ovs::to_text(out.flows[0]),
              "table=10, priority=100,tcp,nw_src=10.1.1.0/24,nw_dst=10.1.2.11,nw_frag=no,"
              "tp_src=0x400/0xfc00,tp_dst=443 actions=drop");
    EXPECT_EQ(ovs::to_text(out.flows[1]),
              "table=10, priority=100,ct_state=+rpl+trk,ct_nw_src=10.1.1.0/24,"
              "ct_nw_dst=10.1.2.11,ct_nw_proto=6,ct_tp_src=0x400/0xfc00,ct_tp_dst=443,ip,"
              "nw_frag=not_later actions=drop");
}

}  // namespace
}  // namespace hnv::pipeline
