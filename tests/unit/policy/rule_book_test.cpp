// Which rules are in force, and which of them ports share.
#include "policy/rule_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::uuid;

class RuleBookTest : public testing::Test {
  protected:
    Faults faults_;
    RuleBook book_{faults_};

    static RuleSpec tcp(const std::string& port, std::uint16_t number) {
        RuleSpec spec = test::rule(port, Direction::Inbound, RuleAction::Allow, number);
        spec.protocols = {6};
        spec.destination_ports = {{number, number}};
        return spec;
    }
    std::vector<ObjectId> resolve() {
        std::set<std::string> ports;
        return book_.resolve(ports);
    }
    // Rules in force by what states them: "shared" or the port's OpenFlow number, and their ids.
    std::map<std::string, std::set<std::string>> stated() const {
        std::map<std::string, std::set<std::string>> stated;
        book_.for_each_object([&](const ObjectId& id) {
            if (const auto view = book_.view(id)) {
                for (const auto& rule : view->rules) {
                    stated[view->shared ? "shared" : std::to_string(view->set)].insert(rule->id);
                }
            }
        });
        return stated;
    }
    void give(const std::string& port, std::uint32_t first_row,
              const std::vector<std::uint16_t>& numbers) {
        for (const std::uint16_t number : numbers) {
            book_.put(uuid(first_row++), tcp(port, number));
        }
    }
};

using Stated = std::map<std::string, std::set<std::string>>;

TEST_F(RuleBookTest, PortsWithTheSameRulesShareThem) {
    give("a", 10, {1, 2, 3});
    give("b", 20, {1, 2, 3});
    book_.plug("a", 5);
    book_.plug("b", 6);
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1", "rule-2", "rule-3"}}}));
    EXPECT_EQ(book_.acl("a").group, book_.acl("b").group);
    EXPECT_NE(book_.acl("a").group, 0U);
}

TEST_F(RuleBookTest, WhatNotAllHaveIsStatedByThoseThatDo) {
    give("a", 10, {1, 2, 3});
    give("b", 20, {1, 2, 3});
    book_.plug("a", 5);
    book_.plug("b", 6);
    std::ignore = resolve();
    const std::uint32_t group = book_.acl("a").group;
    // A change of content, not of id: the group stays whichever rule it is.
    RuleSpec changed = tcp("a", 2);
    changed.action = RuleAction::Block;
    book_.put(uuid(11), changed);
    std::ignore = resolve();
    EXPECT_EQ(book_.acl("a").group, group);
    EXPECT_EQ(stated(),
              (Stated{{"shared", {"rule-1", "rule-3"}}, {"5", {"rule-2"}}, {"6", {"rule-2"}}}));
    changed.port = "b";
    book_.put(uuid(21), changed);
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1", "rule-2", "rule-3"}}}));
}

TEST_F(RuleBookTest, APortThatIsNotPluggedStatesNothing) {
    give("a", 10, {1});
    std::ignore = resolve();
    EXPECT_TRUE(stated().empty());
    EXPECT_TRUE(book_.acl("a").any);
    book_.plug("a", 5);
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1"}}}));
    book_.plug("a", 0);
    std::ignore = resolve();
    EXPECT_TRUE(stated().empty());
}

TEST_F(RuleBookTest, AChangedRuleTouchesItsRanksOnly) {
    give("a", 10, {1, 2, 3, 4, 5, 6, 7, 8});
    book_.plug("a", 5);
    std::ignore = resolve();
    RuleSpec moved = tcp("a", 3);
    moved.priority = 9;
    book_.put(uuid(12), moved);
    std::set<std::uint64_t> ranks;
    for (const ObjectId& id : resolve()) {
        ranks.insert(id.detail & 0xffff);
    }
    EXPECT_EQ(ranks, (std::set<std::uint64_t>{3, 9}));
    EXPECT_TRUE(resolve().empty());
    book_.put(uuid(12), moved);
    EXPECT_TRUE(resolve().empty());  // The same again.
}

TEST_F(RuleBookTest, ARowThatIsWrittenAgainKeepsItsFault) {
    RuleSpec block = tcp("a", 5);
    block.action = RuleAction::Block;
    book_.put(uuid(1), tcp("a", 5));
    book_.put(uuid(2), block);
    std::ignore = resolve();
    ASSERT_EQ(faults_.all().size(), 1U);
    faults_.clear_row({SourceTable::MsFirewallRules, uuid(1)});  // As its reader does.
    book_.put(uuid(1), tcp("a", 5));
    std::ignore = resolve();
    EXPECT_EQ(faults_.all().size(), 1U);
}

TEST_F(RuleBookTest, APortThatAllowsAllAsksNoRules) {
    book_.put(uuid(1), test::rule("a", Direction::Inbound));
    book_.put(uuid(2), test::rule("a", Direction::Outbound));
    book_.plug("a", 5);
    std::ignore = resolve();
    EXPECT_EQ(book_.acl("a").all, RuleAction::Allow);
    EXPECT_TRUE(stated().empty());
    // To be logged a connection must be known.
    RuleSpec logged = test::rule("a", Direction::Inbound);
    logged.logged = true;
    book_.put(uuid(1), logged);
    std::ignore = resolve();
    EXPECT_EQ(book_.acl("a").all, std::nullopt);
    EXPECT_FALSE(stated().empty());
}

TEST_F(RuleBookTest, TheSameRuleTwiceAtAPortCountsOnce) {
    give("a", 10, {1});
    give("a", 20, {1});
    give("b", 30, {1});
    book_.plug("a", 5);
    book_.plug("b", 6);
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1"}}}));
    book_.remove(uuid(10));
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1"}}}));
    book_.remove(uuid(20));
    std::ignore = resolve();
    EXPECT_EQ(stated(), (Stated{{"shared", {"rule-1"}}}));  // b's.
    EXPECT_FALSE(book_.acl("a").any);
}

// Whatever the order of changes: as a book that is read at once, and each port's rules are those
// that are shared with it and its own, together.
TEST_F(RuleBookTest, IncrementalIsFull) {
    std::mt19937 random(11);
    const auto draw = [&random](std::uint32_t below) {
        return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random);
    };
    std::map<std::uint32_t, RuleSpec> rows;
    std::map<std::string, std::uint32_t> plugged;
    for (int step = 0; step < 1500; ++step) {
        for (std::uint32_t changes = 1 + draw(4); changes > 0; --changes) {
            const std::string port(1, static_cast<char>('a' + draw(5)));
            const std::uint32_t row = 1 + draw(40);
            switch (draw(5)) {
                case 0:
                    rows.erase(row);
                    book_.remove(uuid(row));
                    faults_.clear_row({SourceTable::MsFirewallRules, uuid(row)});
                    break;
                case 1:
                    plugged[port] = draw(3) == 0 ? 0 : 1 + static_cast<std::uint32_t>(port[0]);
                    book_.plug(port, plugged[port]);
                    break;
                default: {
                    RuleSpec spec = tcp(port, static_cast<std::uint16_t>(1 + draw(6)));
                    spec.priority = static_cast<std::uint16_t>(draw(3));
                    spec.direction = draw(2) == 0 ? Direction::Inbound : Direction::Outbound;
                    spec.layer = draw(3) == 0 ? RuleLayer::Admin : RuleLayer::Controller;
                    spec.action = draw(3) == 0 ? RuleAction::Block : RuleAction::Allow;
                    spec.enabled = draw(6) != 0;
                    if (draw(8) == 0) {
                        spec.protocols.clear();
                        spec.destination_ports.clear();
                    }
                    rows[row] = spec;
                    book_.put(uuid(row), spec);
                }
            }
        }
        std::ignore = resolve();
        Faults faults;
        RuleBook full(faults);
        for (const auto& [row, spec] : rows) {
            full.put(uuid(row), spec);
        }
        for (const auto& [port, ofport] : plugged) {
            full.plug(port, ofport);
        }
        std::set<std::string> ports;
        std::ignore = full.resolve(ports);
        ASSERT_EQ(faults_.all(), faults.all()) << "step " << step;
        const auto views = [](const RuleBook& book) {
            std::map<std::tuple<bool, std::uint32_t, RuleRank>, std::vector<RuleSpec>> views;
            book.for_each_object([&](const ObjectId& id) {
                if (const auto view = book.view(id)) {
                    auto& rules = views[{view->shared, view->set, view->rank}];
                    for (const auto& rule : view->rules) {
                        rules.push_back(*rule);
                    }
                }
            });
            return views;
        };
        const auto stated = views(book_);
        ASSERT_EQ(stated, views(full)) << "step " << step;
        for (const auto& [port, ofport] : plugged) {
            const Acl acl = book_.acl(port);
            ASSERT_EQ(acl, full.acl(port)) << "step " << step;
            if (acl.group == 0) {
                continue;
            }
            std::vector<RuleSpec> together;
            for (const auto& [key, rules] : stated) {
                const auto& [shared, set, rank] = key;
                if (set == (shared ? acl.group : ofport)) {
                    together.insert(together.end(), rules.begin(), rules.end());
                }
            }
            std::vector<RuleSpec> wanted = book_.in_force(port);
            for (RuleSpec& each : wanted) {
                each.port.clear();
            }
            std::ranges::sort(together);
            std::ranges::sort(wanted);
            ASSERT_EQ(together, wanted) << "step " << step << ", port " << port;
        }
    }
}

}  // namespace
}  // namespace hnv::policy
