// Random sequences of changes: what was reached step by step is what one would have made at once.
#include <gtest/gtest.h>

#include <map>

#include "ovs-integration/event_loop.h"
#include "pipeline/compile.h"
#include "random_policy.h"
#include "southbound/flow_store.h"

namespace hnv::test {
namespace {

using southbound::FlowStore;

constexpr std::int64_t kLimitMsec = 8000;
constexpr int kSequences = 300;
constexpr int kCommits = 25;

// Key → fingerprint; no two objects may own one key.
using FlowTable = std::map<std::string, std::uint64_t>;

FlowTable table_of(const FlowStore& store) {
    FlowTable table;
    std::map<std::string, policy::ObjectId> owners;
    store.for_each([&](const policy::ObjectId& owner, std::string_view key, std::uint64_t print) {
        table.emplace(key, print);
        const auto [entry, fresh] = owners.emplace(key, owner);
        EXPECT_TRUE(fresh) << "two objects own " << ovs::to_text(southbound::flow_of_key(key));
    });
    return table;
}

FlowTable compiled_at_once(const policy::Model& model) {
    FlowStore store;
    std::vector<southbound::FlowChange> changes;
    model.for_each_object([&](const policy::ObjectId& id) {
        store.set(id, pipeline::compile(model, id).flows, changes);
    });
    return table_of(store);
}

// For a message that a person can use.
std::string difference(const FlowTable& actual, const FlowTable& expected) {
    std::string text;
    for (const auto& [key, print] : actual) {
        const auto other = expected.find(key);
        if (other == expected.end() || other->second != print) {
            text += (other == expected.end() ? "not wanted: " : "other actions: ") +
                    ovs::to_text(southbound::flow_of_key(key)) + "\n";
        }
    }
    for (const auto& [key, print] : expected) {
        if (!actual.contains(key)) {
            text += "missing: " + ovs::to_text(southbound::flow_of_key(key)) + "\n";
        }
    }
    return text;
}

// A model whose flows are kept up to date with what commit() names, and nothing else.
class Incremental {
  public:
    policy::NeighbourTable neighbours;
    policy::Faults faults;
    policy::Model model{neighbours, faults};

    void commit() {
        std::vector<southbound::FlowChange> changes;
        for (const policy::ObjectId& id : model.commit()) {
            store_.set(id, pipeline::compile(model, id).flows, changes);
        }
    }
    [[nodiscard]] FlowTable flows() const { return table_of(store_); }

  private:
    FlowStore store_;
};

// Runs `check` after each commit of many sequences, within the time limit.
void for_many_sequences(Collisions collisions,
                        const std::function<void(RandomPolicy&, Incremental&)>& check_commit,
                        const std::function<void(RandomPolicy&, Incremental&)>& check_end) {
    const std::uint64_t first = seed();
    const std::int64_t deadline = ovs::now_msec() + kLimitMsec;
    int sequences = 0;
    for (; sequences < kSequences && ovs::now_msec() < deadline; ++sequences) {
        const std::uint64_t number = first + static_cast<std::uint64_t>(sequences);
        SCOPED_TRACE("HNV_SEED=" + std::to_string(number));
        RandomPolicy random(number, collisions);
        Incremental incremental;
        for (int i = 0; i < kCommits; ++i) {
            SCOPED_TRACE("commit " + std::to_string(i));
            for (std::uint32_t changes = 1 + random.below(6); changes > 0; --changes) {
                random.change(incremental.model);
            }
            incremental.commit();
            check_commit(random, incremental);
            if (testing::Test::HasFailure()) {
                return;
            }
        }
        check_end(random, incremental);
        if (testing::Test::HasFailure()) {
            return;
        }
    }
    EXPECT_GT(sequences, 0);
}

void expect_incremental_is_full(const Incremental& incremental) {
    const FlowTable step_by_step = incremental.flows();
    const FlowTable at_once = compiled_at_once(incremental.model);
    EXPECT_EQ(difference(step_by_step, at_once), "");
}

void expect_empty(const Incremental& incremental) {
    const policy::ModelCounts counts = incremental.model.counts();
    EXPECT_EQ(counts.networks + counts.subnets + counts.mappings + counts.ports +
                  counts.ports_active + counts.provider_addresses + counts.rules,
              0U);
    EXPECT_EQ(incremental.neighbours.size(), 0U);
    EXPECT_TRUE(incremental.model.leases().advertised().empty());
    for (const auto& [id, message] : incremental.faults.all()) {
        ADD_FAILURE() << policy::to_string(id.second) << " is left: " << message;
    }
    std::size_t objects = 0;
    incremental.model.for_each_object([&](const policy::ObjectId&) { ++objects; });
    EXPECT_EQ(objects, 1U);  // The host.
    expect_incremental_is_full(incremental);
}

TEST(ModelProperty, WhatACommitNamesIsAllThatChanged) {
    for_many_sequences(
        Collisions::Allowed,
        [](RandomPolicy&, Incremental& incremental) { expect_incremental_is_full(incremental); },
        [](RandomPolicy& random, Incremental& incremental) {
            random.clear(incremental.model);
            incremental.commit();
            expect_empty(incremental);
        });
}

TEST(ModelProperty, WithoutCollisionsTheOrderOfArrivalDoesNotMatter) {
    for_many_sequences(
        Collisions::None,
        [](RandomPolicy& random, Incremental& incremental) {
            expect_incremental_is_full(incremental);
            const auto answers = random.neighbours();
            EXPECT_EQ(incremental.neighbours.size(), answers.size());
            for (const auto& [where, mac] : answers) {
                EXPECT_EQ(incremental.neighbours.find(where.first, where.second), mac)
                    << where.first << " " << where.second.to_string();
            }
        },
        [](RandomPolicy& random, Incremental& incremental) {
            Incremental fresh;
            random.build(fresh.model);
            fresh.commit();
            EXPECT_EQ(difference(incremental.flows(), fresh.flows()), "");
            EXPECT_EQ(incremental.faults.all(), fresh.faults.all());
            EXPECT_EQ(incremental.neighbours.size(), fresh.neighbours.size());
        });
}

}  // namespace
}  // namespace hnv::test
