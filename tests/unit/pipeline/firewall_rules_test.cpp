// A rank of rules as flows: what bounds a conjunction.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "pipeline/compile.h"
#include "support/policy_builder.h"

namespace hnv::pipeline {
namespace {

using policy::Direction;
using policy::RuleAction;
using policy::RuleSpec;

// Rules of one rank whose lists are the same, and so long that no plain matches can stand for them.
policy::RulesView alike(std::size_t count) {
    RuleSpec rule = test::rule("", Direction::Inbound, RuleAction::Block, 100);
    for (std::uint32_t i = 0; i < 300; ++i) {
        rule.sources.push_back({IpAddress::from_v4(0x0a000000U + i), 32});
        rule.destinations.push_back({IpAddress::from_v4(0x0b000000U + i), 32});
    }
    policy::RulesView view{true, 7, {rule.layer, rule.direction, rule.priority}, {}};
    for (std::size_t i = 0; i < count; ++i) {
        rule.id = "rule-" + std::to_string(i);
        view.rules.push_back(std::make_shared<const RuleSpec>(rule));
    }
    return view;
}

std::size_t longest(const FlowSet& set) {
    return std::ranges::max_element(set.flows, {},
                                    [](const ovs::Flow& flow) { return flow.instructions.size(); })
        ->instructions.size();
}

TEST(FirewallRules, FlowsOfLongListsGrowWithTheirSum) {
    const FlowSet set = compile(alike(1));
    EXPECT_EQ(set.flows.size(), 2U * (300U + 300U + 1U));
    EXPECT_TRUE(set.shortfall.empty());
}

TEST(FirewallRules, ARuleTooManyOfASharedListIsTold) {
    EXPECT_TRUE(compile(alike(900)).shortfall.empty());
    const FlowSet set = compile(alike(901));
    EXPECT_EQ(set.shortfall.rfind("rule rule-900 has no effect: more than 900 rules", 0), 0U)
        << set.shortfall;
    EXPECT_LT(longest(set), 0x8000U);  // A flow_mod's length has 16 bits.
}

}  // namespace
}  // namespace hnv::pipeline
