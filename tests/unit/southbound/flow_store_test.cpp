#include "southbound/flow_store.h"

#include <gtest/gtest.h>

#include <map>

namespace hnv::southbound {
namespace {

using policy::ObjectId;
using policy::ObjectKind;
using Kind = FlowChange::Kind;

constexpr ObjectId kFirst{ObjectKind::Port, 1, 0};
constexpr ObjectId kSecond{ObjectKind::Port, 2, 0};

ovs::Flow flow(std::uint32_t in_port, std::uint32_t output, std::uint64_t cookie = 1) {
    ovs::FlowBuilder builder(0, 100);
    builder.match_in_port(in_port).output(output);
    return builder.build(cookie);
}

class FlowStoreTest : public testing::Test {
  protected:
    // What it changes, by key.
    std::map<std::string, Kind> set(const ObjectId& owner, const std::vector<ovs::Flow>& flows) {
        std::vector<FlowChange> changes;
        store_.set(owner, flows, changes);
        std::map<std::string, Kind> kinds;
        for (const FlowChange& change : changes) {
            EXPECT_EQ(change.owner, owner);
            EXPECT_TRUE(kinds.emplace(change.flow.key(), change.kind).second) << "told twice";
        }
        return kinds;
    }
    FlowStore store_;
};

TEST_F(FlowStoreTest, TellsWhatIsNewChangedAndGone) {
    EXPECT_EQ(set(kFirst, {flow(1, 10), flow(2, 20), flow(3, 30)}).size(), 3U);
    EXPECT_EQ(store_.size(), 3U);
    const auto changes = set(kFirst, {flow(2, 20), flow(3, 31), flow(4, 40)});
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_EQ(changes.at(flow(1, 0).key()), Kind::Delete);
    EXPECT_EQ(changes.at(flow(3, 0).key()), Kind::Modify);
    EXPECT_EQ(changes.at(flow(4, 0).key()), Kind::Add);
    EXPECT_EQ(store_.size(), 3U);
}

TEST_F(FlowStoreTest, TheSameSetInAnyOrderChangesNothing) {
    set(kFirst, {flow(1, 10), flow(2, 20)});
    EXPECT_TRUE(set(kFirst, {flow(2, 20), flow(1, 10)}).empty());
    EXPECT_EQ(store_.size(), 2U);
}

TEST_F(FlowStoreTest, AnotherCookieIsAChange) {
    set(kFirst, {flow(1, 10, 1)});
    EXPECT_EQ(set(kFirst, {flow(1, 10, 2)}).at(flow(1, 0).key()), Kind::Modify);
}

TEST_F(FlowStoreTest, OwnersAreApart) {
    set(kFirst, {flow(1, 10)});
    set(kSecond, {flow(2, 20)});
    EXPECT_EQ(store_.size(), 2U);
    const auto changes = set(kFirst, {});
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes.begin()->second, Kind::Delete);
    EXPECT_EQ(store_.size(), 1U);
    EXPECT_TRUE(set(kFirst, {}).empty());
}

TEST_F(FlowStoreTest, AFlowGivenTwiceCountsOnce) {
    EXPECT_EQ(set(kFirst, {flow(1, 10), flow(1, 10)}).size(), 1U);
    EXPECT_EQ(store_.size(), 1U);
    EXPECT_TRUE(set(kFirst, {flow(1, 10)}).empty());
}

TEST_F(FlowStoreTest, VisitsEveryFlowWithItsFingerprint) {
    set(kFirst, {flow(1, 10), flow(2, 20)});
    set(kSecond, {flow(3, 30)});
    std::map<std::string, std::pair<ObjectId, std::uint64_t>> seen;
    store_.for_each([&](const ObjectId& owner, std::string_view key, std::uint64_t print) {
        seen.emplace(key, std::pair(owner, print));
    });
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen.at(flow(1, 0).key()), std::pair(kFirst, fingerprint(flow(1, 10))));
    EXPECT_EQ(seen.at(flow(3, 0).key()), std::pair(kSecond, fingerprint(flow(3, 30))));
}

TEST_F(FlowStoreTest, AKeyHoldsTableAndPriorityAndMatch) {
    ovs::FlowBuilder builder(7, 65000);
    builder.match_reg(0, 5001).match_eth_dst(*MacAddress::parse("00:15:5d:00:00:01"));
    const ovs::Flow original = builder.build(3);
    const ovs::Flow again = flow_of_key(original.key());
    EXPECT_EQ(again.table, 7);
    EXPECT_EQ(again.priority, 65000);
    EXPECT_EQ(again.match, original.match);
}

}  // namespace
}  // namespace hnv::southbound
