// What bindings have carried, from what the switch says of their flows.
#include "southbound/binding_counters.h"

#include <gtest/gtest.h>

#include "pipeline/compile.h"
#include "pipeline/stages.h"
#include "support/policy_builder.h"

namespace hnv::southbound {
namespace {

using pipeline::Table;
using policy::BindingKey;
using policy::BindingTraffic;
using policy::SourceTable;
using policy::Traffic;

constexpr std::uint64_t kMac = 0x00155d50010b;

class BindingTotalizerTest : public ::testing::Test, protected test::PolicyBuilder {
  protected:
    void SetUp() override {
        locator(1, "192.168.2.20");
        for (const std::uint32_t row : {1U, 2U}) {
            subnet(row, 5000 + row);
            mapping(row, row, 1, kMac, "10.1." + std::to_string(row) + ".11");
        }
        bind({{0, 1}, {20, 2}});
        allow_all(30, "p1");
        model.set_interfaces({test::plug("p1", 7, kMac)});
        commit();
    }

    void bind(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& bindings) {
        policy::PortSpec spec{"p1", {}};
        for (const auto& [vlan, row] : bindings) {
            spec.vlan_bindings.emplace(vlan, test::uuid(row));
        }
        model.put(test::uuid(20), std::move(spec));
        commit();
    }

    // Every flow of the port in that table: so many packets of a hundred bytes, for each flow.
    std::vector<ovs::FlowRecord> counted(Table table, std::uint64_t packets,
                                         std::uint32_t age = 100) const {
        std::vector<ovs::FlowRecord> records;
        for (ovs::Flow& flow : pipeline::compile(*port_view("p1")).flows) {
            if (flow.table == static_cast<std::uint8_t>(table)) {
                records.push_back({std::move(flow), packets, packets * 100, age});
            }
        }
        return records;
    }

    [[nodiscard]] static BindingKey key(std::uint16_t vlan) {
        return {{SourceTable::MsVtepPhysicalPort, test::uuid(20)}, vlan};
    }
    [[nodiscard]] static Traffic packets(std::uint64_t count) { return {count, count * 100}; }
};

TEST_F(BindingTotalizerTest, EachBindingHasTheCountersOfItsOwnFlows) {
    BindingTotalizer totals;
    // Of the untagged binding two flows (priority tags), of the tagged one a flow; Deliver has one
    // for each, and the port's drop in Classify is nobody's.
    totals.take(model, counted(Table::Classify, 5));
    EXPECT_EQ(totals.totals(),
              (policy::BindingTotals{{key(0), {packets(10), {}}}, {key(20), {packets(5), {}}}}));
    totals.take(model, counted(Table::Deliver, 3));
    EXPECT_EQ(totals.totals().at(key(20)), (BindingTraffic{packets(5), packets(3)}));
}

TEST_F(BindingTotalizerTest, ATotalGrowsByWhatIsNew) {
    BindingTotalizer totals;
    totals.take(model, counted(Table::Deliver, 4, 10));
    totals.take(model, counted(Table::Deliver, 9, 20));
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(9));
}

TEST_F(BindingTotalizerTest, AFlowThatWasMadeAnewTakesNothingBack) {
    BindingTotalizer totals;
    totals.take(model, counted(Table::Deliver, 4, 100));
    totals.take(model, counted(Table::Deliver, 1, 110));  // Fewer than it had.
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(5));
    totals.take(model, counted(Table::Deliver, 7, 3));  // More, but younger.
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(12));
    totals.take(model, {});  // Not there: as after a restart of the switch.
    totals.take(model, counted(Table::Deliver, 2, 5));
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(14));
}

TEST_F(BindingTotalizerTest, AfterARestartATotalGoesOnFromTheGreaterOfTwo) {
    BindingTotalizer behind({{key(0), {packets(3), packets(8)}}});
    behind.take(model, counted(Table::Deliver, 9));  // One more while the agent was away.
    EXPECT_EQ(behind.totals().at(key(0)), (BindingTraffic{packets(3), packets(9)}));
    behind.take(model, counted(Table::Deliver, 10));
    EXPECT_EQ(behind.totals().at(key(0)).to_local, packets(10));

    BindingTotalizer ahead({{key(0), {packets(3), packets(8)}}});
    ahead.take(model, counted(Table::Deliver, 2));  // The flow is younger than the binding.
    EXPECT_EQ(ahead.totals().at(key(0)).to_local, packets(8));
    ahead.take(model, counted(Table::Deliver, 4));
    EXPECT_EQ(ahead.totals().at(key(0)).to_local, packets(10));
}

TEST_F(BindingTotalizerTest, AnotherSubnetStartsAtZero) {
    BindingTotalizer totals;
    auto flows = counted(Table::Classify, 5);
    totals.take(model, flows);
    bind({{0, 2}});
    totals.take(model, counted(Table::Classify, 6, 110));  // The same flow in Classify.
    EXPECT_EQ(totals.totals(), (policy::BindingTotals{{key(0), {packets(2), {}}}}));
}

TEST_F(BindingTotalizerTest, ABindingIsThereWhileItsPortIsNot) {
    BindingTotalizer totals;
    totals.take(model, counted(Table::Deliver, 4));
    model.set_interfaces({});
    commit();
    totals.take(model, {});
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(4));
    model.set_interfaces({test::plug("p1", 9, kMac)});
    commit();
    totals.take(model, counted(Table::Deliver, 2, 1));
    EXPECT_EQ(totals.totals().at(key(0)).to_local, packets(6));
    remove(SourceTable::MsVtepPhysicalPort, 20);
    commit();
    totals.take(model, {});
    EXPECT_TRUE(totals.totals().empty());
}

}  // namespace
}  // namespace hnv::southbound
