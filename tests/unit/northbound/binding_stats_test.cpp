// vlan_stats and Logical_Binding_Stats on the real schemas of both databases.
#include "northbound/binding_stats.h"

#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::BindingTotals;
using policy::SourceTable;
using testing::ElementsAre;
using testing::IsEmpty;

class BindingStatsTest : public NorthboundTest {
  protected:
    void SetUp() override {
        for (const char* database : {"ms_vtep", "hardware_vtep"}) {
            write(database, {insert("Physical_Port", R"("name":"p1")", "port"), attach("port")});
        }
    }
    [[nodiscard]] policy::RowRef port(SourceTable table) const {
        const auto name = policy::name_of(table);
        return {table, rows(std::string(name.database), std::string(name.table)).at(0).uuid};
    }
    [[nodiscard]] BindingTotals two_of_each() const {
        const auto ms = port(SourceTable::MsVtepPhysicalPort);
        const auto hardware = port(SourceTable::VtepPhysicalPort);
        return {{{ms, 0}, {{1, 100}, {2, 200}}},
                {{ms, 10}, {{3, 300}, {4, 400}}},
                {{hardware, 0}, {{5, 500}, {6, 600}}},
                {{hardware, 10}, {{7, 700}, {8, 800}}}};
    }
    void tell(const BindingTotals& totals) {
        write_binding_stats(*server_, totals);
        run();
    }
    [[nodiscard]] std::vector<Uuid> stats_rows(const std::string& database) const {
        std::vector<Uuid> uuids;
        for (const Line& line : rows(database, "Logical_Binding_Stats")) {
            uuids.push_back(line.uuid);
        }
        std::sort(uuids.begin(), uuids.end());
        return uuids;
    }
};

TEST_F(BindingStatsTest, EachBindingHasARowAndKeepsIt) {
    BindingTotals totals = two_of_each();
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    const auto before = stats_rows("ms_vtep");
    EXPECT_EQ(before.size(), 2U);
    totals.begin()->second.to_local = {99, 9900};
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    EXPECT_EQ(stats_rows("ms_vtep"), before);
}

TEST_F(BindingStatsTest, WhatIsThereAlreadyIsNotWritten) {
    tell(two_of_each());
    const auto commits = commits_;
    tell(two_of_each());
    EXPECT_EQ(commits_, commits);
}

TEST_F(BindingStatsTest, RowsGoWithTheirBindings) {
    BindingTotals totals = two_of_each();
    tell(totals);
    std::erase_if(totals, [](const auto& each) { return each.first.vlan == 10; });
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    EXPECT_EQ(stats_rows("ms_vtep").size(), 1U);
    EXPECT_EQ(stats_rows("hardware_vtep").size(), 1U);
    tell({});
    EXPECT_THAT(stats_rows("ms_vtep"), IsEmpty());
    EXPECT_THAT(stats_rows("hardware_vtep"), IsEmpty());
}

TEST_F(BindingStatsTest, WhatAControllerWritesIsPutRight) {
    const BindingTotals totals = two_of_each();
    tell(totals);
    vtep({update("Logical_Binding_Stats", R"("packets_to_local":-1)")});
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    // Rows that it made, one of them for two bindings.
    vtep({insert("Logical_Binding_Stats", R"("packets_to_local":77)", "own"),
          update("Physical_Port",
                 R"("vlan_stats":["map",[[0,["named-uuid","own"]],[10,["named-uuid","own"]],)"
                 R"([20,["named-uuid","own"]]]])")});
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    EXPECT_EQ(stats_rows("ms_vtep").size(), 2U);
}

// The references are on disk whatever the schema says: a strong one always is.
TEST_F(BindingStatsTest, OfHardwareVtepTheCountersStartAtZeroAfterARestart) {
    const BindingTotals totals = two_of_each();
    tell(totals);
    start();
    BindingTotals kept = totals;
    for (auto& [key, traffic] : kept) {
        if (key.port.table == SourceTable::VtepPhysicalPort) {
            traffic = {};
        }
    }
    EXPECT_EQ(read_binding_stats(*server_), kept);
    tell(totals);
    EXPECT_EQ(read_binding_stats(*server_), totals);
    EXPECT_EQ(stats_rows("hardware_vtep").size(), 2U);
}

}  // namespace
}  // namespace hnv::northbound
