#include "pipeline/layers.h"

#include <gtest/gtest.h>

#include <set>

#include "pipeline/flow_set.h"

namespace hnv::pipeline {
namespace {

constexpr std::string_view kUnknown = "a table that is not known here";

TEST(Layers, EveryTableIsInALayer) {
    for (unsigned table = 0; table < kTableCount; ++table) {
        EXPECT_TRUE(layer_of(table)) << "table " << table;
    }
    EXPECT_EQ(layer_of(kTableCount + 100), std::nullopt);
    EXPECT_EQ(layer_name(200), "table 200");
}

TEST(Layers, EveryLayerHasATableAndANameOfItsOwn) {
    std::set<Layer> used;
    for (unsigned table = 0; table < kTableCount; ++table) {
        used.insert(layer_of(table).value());
    }
    std::set<std::string_view> names;
    unsigned number = 0;
    for (const LayerInfo& info : layers()) {
        EXPECT_EQ(static_cast<unsigned>(info.layer), number++) << "in order";
        EXPECT_TRUE(used.contains(info.layer)) << info.name;
        EXPECT_TRUE(names.insert(info.name).second) << info.name;
        EXPECT_EQ(layer_named(info.name), info.layer);
        EXPECT_TRUE(info.out || info.in) << info.name;
        EXPECT_FALSE(info.title.empty());
    }
    EXPECT_EQ(used.size(), layers().size());
    EXPECT_EQ(layer_named("nonsense"), std::nullopt);
}

TEST(Layers, EveryTableSaysWhyItDropsAtAnyPriority) {
    for (unsigned table = 0; table < kTableCount; ++table) {
        for (const unsigned flow_priority : {0U, 1U, 50U, 100U, 200U, 3000U, 65200U, 65500U}) {
            EXPECT_NE(why_dropped(table, static_cast<std::uint16_t>(flow_priority)), kUnknown)
                << "table " << table << ", priority " << flow_priority;
        }
    }
    EXPECT_EQ(why_dropped(200, 0), kUnknown);
}

TEST(Layers, TheNearestPriorityGivesTheReason) {
    const auto mapping = static_cast<unsigned>(Table::Mapping);
    EXPECT_NE(why_dropped(mapping, priority::kNormal), why_dropped(mapping, priority::kMiss));
    const auto guard = static_cast<unsigned>(Table::Guard);
    EXPECT_NE(why_dropped(guard, priority::kLow).find("spoofed"), std::string_view::npos);
}

TEST(Layers, RulesOfTheFirewallAreInFourLayers) {
    unsigned count = 0;
    for (const LayerInfo& info : layers()) {
        if (const auto rules = rules_in(info.layer)) {
            ++count;
            EXPECT_EQ(rules->direction == policy::Direction::Outbound, info.out) << info.name;
        }
    }
    EXPECT_EQ(count, 4U);
}

TEST(Layers, PriorityClassesAreTheBandsOfTheLayout) {
    const auto admin = static_cast<unsigned>(Table::RulesInAdmin);
    const auto state = static_cast<unsigned>(Table::FirewallInState);
    EXPECT_EQ(priority_class(state, priority::kInvalid), "state");
    EXPECT_EQ(priority_class(admin, priority::kRuleTop), "rules");
    EXPECT_EQ(priority_class(admin, priority::kDefault), "default");
    const auto route = static_cast<unsigned>(Table::Route);
    EXPECT_EQ(priority_class(route, priority::kEcho), "gateway");
    EXPECT_EQ(priority_class(route, priority::kTtl), "ttl");
    EXPECT_EQ(priority_class(route, priority::kRouteBase), "routes");
    EXPECT_EQ(priority_class(route, priority::kMiss), "default");
}

TEST(Layers, OwnersAreToldByTheCookie) {
    using policy::ObjectKind;
    EXPECT_EQ(owner_kind(cookie_of(ObjectKind::Host, 0)), "host");
    EXPECT_EQ(owner_kind(cookie_of(ObjectKind::Port, 7)), "port");
    EXPECT_EQ(owner_kind(cookie_of(ObjectKind::Vip, 7)), "vip");
    EXPECT_EQ(owner_kind(cookie_of(ObjectKind::PortRules, 7)), "port-rules");
    EXPECT_TRUE(owned_by_rule(cookie_of(ObjectKind::GroupRules, 7)));
    EXPECT_FALSE(owned_by_rule(cookie_of(ObjectKind::Port, 7)));
    EXPECT_FALSE(owned_by_rule(7ULL << 48));
    EXPECT_EQ(owner_kind(0x1234), "");
    EXPECT_EQ(owner_kind(kCookieMark | 0xffULL << 48), "object");
    EXPECT_EQ(tell_in(cookie_of(ObjectKind::Mac, 0x00155d50010bULL)), 0x00155d50010bULL);
}

}  // namespace
}  // namespace hnv::pipeline
