// Random batches of changes into a real switch: it has what the policy wants, no more and no less.
#include <gtest/gtest.h>

#include "pipeline/compile.h"
#include "random_policy.h"
#include "support/switch_fixture.h"

namespace hnv::test {
namespace {

constexpr int kBatches = 40;
constexpr std::int64_t kLimitMsec = 12000;

class SouthboundProperty : public SwitchFixture {
  protected:
    // Takes over what the commit changed.
    std::vector<policy::ObjectId> commit() {
        const auto changed = policy_.model.commit();
        for (const policy::ObjectId& id : changed) {
            desired_.insert_or_assign(id, pipeline::compile(policy_.model, id));
        }
        return changed;
    }
    // A line for each flow that is in the switch alone, or in the policy alone.
    std::string difference() {
        const std::set<std::string> there = installed_texts();
        const std::set<std::string> wanted = desired_texts();
        std::string lines;
        for (const std::string& flow : there) {
            lines += wanted.contains(flow) ? "" : "stray: " + flow + "\n";
        }
        for (const std::string& flow : wanted) {
            lines += there.contains(flow) ? "" : "missing: " + flow + "\n";
        }
        return lines;
    }
    PolicyBuilder policy_;
};

TEST_F(SouthboundProperty, TheSwitchHasWhatThePolicyWants) {
    const std::uint64_t number = seed();
    SCOPED_TRACE("HNV_SEED=" + std::to_string(number));
    RandomPolicy random(number, Collisions::Allowed);
    const std::int64_t deadline = ovs::now_msec() + kLimitMsec;
    for (int batch = 0; batch < kBatches && ovs::now_msec() < deadline; ++batch) {
        SCOPED_TRACE("batch " + std::to_string(batch));
        // Several commits without waiting, so that changes also meet a bundle under way.
        for (std::uint32_t commits = 1 + random.below(3); commits > 0; --commits) {
            for (std::uint32_t changes = 1 + random.below(8); changes > 0; --changes) {
                random.change(policy_.model);
            }
            southbound_->apply(commit());
            southbound_->run();
        }
        if (random.below(8) == 0) {
            southbound_->audit();
        }
        ASSERT_TRUE(confirm({}));
        ASSERT_EQ(difference(), "");
        ASSERT_TRUE(southbound_->take_verdicts().empty());
    }

    const std::size_t flows = southbound_->flows();
    restart();
    ASSERT_TRUE(confirm_all());
    EXPECT_EQ(southbound_->counters().kept, flows);
    EXPECT_EQ(southbound_->counters().repaired, 0U);
    EXPECT_EQ(southbound_->counters().stray, 0U);
    EXPECT_EQ(southbound_->counters().flow_mods, 0U);

    random.clear(policy_.model);
    ASSERT_TRUE(confirm(commit()));
    EXPECT_EQ(difference(), "");
}

}  // namespace
}  // namespace hnv::test
