// Which MACs have flows in a subnet that is programmed on demand.
#include <gtest/gtest.h>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::mac;
using test::uuid;

constexpr std::uint64_t kMac = 0x020000000100;

class ModelDemand : public testing::Test, public test::PolicyBuilder {
  protected:
    void SetUp() override {
        subnet(1, 5001);
        locator(2, "192.168.2.20");
    }
    void map(std::uint32_t first, std::uint32_t last) {
        for (std::uint32_t number = first; number < last; ++number) {
            mapping(100 + number, 1, 2, kMac + number,
                    "10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250));
        }
        (void)model.commit();
    }
    void unmap(std::uint32_t first, std::uint32_t last) {
        for (std::uint32_t number = first; number < last; ++number) {
            model.remove({SourceTable::MsVtepUcastMacsRemote, uuid(100 + number)});
        }
        (void)model.commit();
    }
    void set(Programming programming, std::optional<std::uint32_t> mappings = {}) {
        HostSettingsSpec settings;
        settings.programming = programming;
        settings.on_demand_mappings = mappings;
        model.set_host_settings(settings);
        (void)model.commit();
    }
    // Of the mappings, how many have flows.
    [[nodiscard]] std::size_t programmed() const {
        std::size_t count = 0;
        model.for_each_object([&](const ObjectId& id) {
            count += id.kind == ObjectKind::Mac && model.mac(id) ? 1 : 0;
        });
        return count;
    }
    [[nodiscard]] std::optional<ObjectId> object(std::uint32_t number) const {
        return model.demandable(5001, mac(kMac + number));
    }
};

TEST_F(ModelDemand, AMacHasFlowsFromItsDemandToItsRelease) {
    set(Programming::OnDemand);
    map(0, 3);
    EXPECT_EQ(programmed(), 0U);
    const auto id = object(1);
    ASSERT_TRUE(id);
    EXPECT_EQ(model.demandable(5001, ip("10.1.0.1")), id);
    EXPECT_TRUE(model.demand(*id));
    EXPECT_FALSE(model.demand(*id));
    EXPECT_EQ(model.commit(), std::vector{*id});
    EXPECT_EQ(programmed(), 1U);
    EXPECT_TRUE(model.mac(*id));
    model.release(*id);
    EXPECT_EQ(model.commit(), std::vector{*id});
    EXPECT_EQ(programmed(), 0U);
}

TEST_F(ModelDemand, WhatNobodyHasIsNotDemandable) {
    set(Programming::OnDemand);
    map(0, 3);
    EXPECT_FALSE(object(3));
    EXPECT_FALSE(model.demandable(5001, ip("10.1.0.99")));
    EXPECT_FALSE(model.demandable(5002, ip("10.1.0.1")));
}

TEST_F(ModelDemand, AMappingThatGoesTakesItsDemandAlong) {
    set(Programming::OnDemand);
    map(0, 3);
    model.demand(*object(1));
    (void)model.commit();
    unmap(1, 2);
    EXPECT_EQ(model.demanded(), 0U);
    map(1, 2);
    EXPECT_EQ(programmed(), 0U);
}

TEST_F(ModelDemand, AMappingThatIsReplacedInOneCommitKeepsIt) {
    set(Programming::OnDemand);
    map(0, 3);
    model.demand(*object(1));
    (void)model.commit();
    model.remove({SourceTable::MsVtepUcastMacsRemote, uuid(101)});
    mapping(201, 1, 2, kMac + 1, "10.1.0.1");
    (void)model.commit();
    EXPECT_EQ(programmed(), 1U);
}

TEST_F(ModelDemand, AutoFollowsTheSubnetsSizeAndKeepsWhatHasFlows) {
    set(Programming::Auto, 10);
    map(0, 9);
    EXPECT_EQ(programmed(), 9U);
    EXPECT_FALSE(object(0)) << "proactive";
    map(9, 12);
    EXPECT_EQ(programmed(), 9U) << "those that had flows, and none that came";
    EXPECT_EQ(model.demanded(), 9U);
    unmap(6, 12);
    EXPECT_TRUE(object(0)) << "no more changes at the limit";
    unmap(4, 6);
    EXPECT_FALSE(object(0));
    EXPECT_EQ(programmed(), 4U);
    EXPECT_EQ(model.demanded(), 0U);
}

TEST_F(ModelDemand, ASubnetThatIsLargeFromTheBeginningHasNoFlows) {
    HostSettingsSpec settings;
    settings.on_demand_mappings = 10;
    model.set_host_settings(settings);
    map(0, 12);
    EXPECT_EQ(programmed(), 0U);
}

TEST_F(ModelDemand, ASubnetSaysForItself) {
    set(Programming::OnDemand);
    map(0, 3);
    SubnetSpec spec{5001, "subnet-1", "rdid"};
    spec.programming = Programming::Proactive;
    model.put(uuid(1), spec);
    (void)model.commit();
    EXPECT_EQ(programmed(), 3U);
}

TEST_F(ModelDemand, ThoseWhoWatchAreToldOfChanges) {
    set(Programming::OnDemand);
    map(0, 3);
    EXPECT_TRUE(model.take_programming_changes());
    EXPECT_FALSE(model.take_programming_changes());
    std::vector<std::uint32_t> vsids;
    model.for_each_on_demand_subnet(
        [&](std::uint32_t vsid, std::size_t) { vsids.push_back(vsid); });
    EXPECT_EQ(vsids, std::vector<std::uint32_t>{5001});
    unmap(0, 3);
    model.remove({SourceTable::MsVtepLogicalSwitch, uuid(1)});
    (void)model.commit();
    EXPECT_TRUE(model.take_programming_changes());
}

}  // namespace
}  // namespace hnv::policy
