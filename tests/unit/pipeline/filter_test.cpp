#include "pipeline/filter.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/policy_builder.h"

namespace hnv::pipeline {
namespace {

using policy::RuleSpec;
using test::prefix;
using Texts = std::set<std::string>;

// The matches as the switch would show them, without what all have; each once.
Texts texts(const RuleSpec& filter) {
    const std::string head = "table=31, priority=7";
    const std::string tail = " actions=drop";
    Texts all;
    for (const FilterMatch& match : matches_of(filter)) {
        StageFlow flow(static_cast<Table>(31), 7);
        apply(match, flow);
        FlowSet out;
        flow.drop(out, 0);
        const std::string text = ovs::to_text(out.flows.front());
        EXPECT_EQ(text.substr(0, head.size()), head);
        EXPECT_TRUE(
            all.insert(text.substr(head.size(), text.size() - head.size() - tail.size())).second)
            << text;
    }
    return all;
}

TEST(Filter, WithoutListsMatchesEverything) { EXPECT_EQ(texts({}), Texts{""}); }

TEST(Filter, OfAddressesMatchesFragmentsAsItMatchesAllElse) {
    RuleSpec filter;
    filter.sources = {prefix("10.1.1.0/24"), prefix("2001:db8::/64")};
    EXPECT_EQ(texts(filter), (Texts{",ip,nw_src=10.1.1.0/24", ",ipv6,ipv6_src=2001:db8::/64"}));
}

TEST(Filter, OfAProtocolTakesTheLaterFragmentsOfIpv6ThatDoNotShowIt) {
    RuleSpec filter;
    filter.protocols = {17};
    EXPECT_EQ(texts(filter), (Texts{",udp", ",udp6", ",ipv6,nw_frag=later"}));
}

TEST(Filter, OfPortsTakesAllFragmentsOfWhatTheRestMatches) {
    RuleSpec filter;
    filter.protocols = {17};
    filter.sources = {prefix("10.1.1.0/24")};
    filter.destination_ports = {{53, 53}, {67, 68}};
    EXPECT_EQ(texts(filter), (Texts{",udp,nw_src=10.1.1.0/24,nw_frag=no,tp_dst=53",
                                    ",udp,nw_src=10.1.1.0/24,nw_frag=no,tp_dst=67",
                                    ",udp,nw_src=10.1.1.0/24,nw_frag=no,tp_dst=68",
                                    ",udp,nw_src=10.1.1.0/24,nw_frag=first",
                                    ",udp,nw_src=10.1.1.0/24,nw_frag=later"}));
    filter.sources = {prefix("2001:db8::/64")};
    filter.destination_ports = {{53, 53}};
    EXPECT_EQ(texts(filter), (Texts{",udp6,ipv6_src=2001:db8::/64,nw_frag=no,tp_dst=53",
                                    ",udp6,ipv6_src=2001:db8::/64,nw_frag=first",
                                    ",ipv6,ipv6_src=2001:db8::/64,nw_frag=later"}));
}

TEST(Filter, WhateverTheActionOfTheRuleItIsTakenFrom) {
    RuleSpec filter;
    filter.destination_ports = {{80, 80}};
    const Texts allow = texts(filter);
    filter.action = policy::RuleAction::Block;
    EXPECT_EQ(texts(filter), allow);
}

}  // namespace
}  // namespace hnv::pipeline
