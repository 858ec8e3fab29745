// next_cfg and cur_cfg, and the rows that the agent makes once.
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class SequenceTest : public NorthboundTest {
  protected:
    void ask(const std::string& database, const std::string& table, std::int64_t next) {
        write(database, {update(table, R"("next_cfg":)" + std::to_string(next))});
    }
    // The switch has acknowledged every change up to the number.
    void confirm(std::uint64_t number) {
        sequences_->on_confirmed(number);
        run();
    }
    std::int64_t current(const std::string& database, const std::string& table) const {
        return integer(database, table, "cur_cfg");
    }
};

TEST_F(SequenceTest, ANumberIsConfirmedWhenTheSwitchHasTheChangeAndNotBefore) {
    ask("ms_vtep", "Global", 5);
    const std::uint64_t change = applied_;
    EXPECT_EQ(sequences_->status("ms_vtep").next, 5);
    EXPECT_EQ(sequences_->status("ms_vtep").current, 0);
    confirm(change - 1);
    EXPECT_EQ(current("ms_vtep", "Global"), 0);
    confirm(change);
    EXPECT_EQ(current("ms_vtep", "Global"), 5);
    EXPECT_EQ(sequences_->status("ms_vtep").current, 5);
}

TEST_F(SequenceTest, LaterTransactionsDontPutItOff) {
    ask("ms_vtep", "Global", 5);
    const std::uint64_t change = applied_;
    vtep({insert("Logical_Switch", R"("name":"a","tunnel_key":5001)")});
    vtep({update("Global", R"("other_config":["map",[["a","b"]]])")});
    EXPECT_GT(applied_, change);
    confirm(change);
    EXPECT_EQ(current("ms_vtep", "Global"), 5);
}

TEST_F(SequenceTest, ANewerNumberWaitsForItsOwnChange) {
    ask("ms_vtep", "Global", 5);
    const std::uint64_t fifth = applied_;
    ask("ms_vtep", "Global", 6);
    const std::uint64_t sixth = applied_;
    confirm(fifth);
    EXPECT_EQ(current("ms_vtep", "Global"), 0);
    confirm(sixth);
    EXPECT_EQ(current("ms_vtep", "Global"), 6);
    ask("ms_vtep", "Global", 2);  // A controller that starts again.
    confirm(applied_);
    EXPECT_EQ(current("ms_vtep", "Global"), 2);
}

TEST_F(SequenceTest, NothingIsWrittenThatIsNotAsked) {
    ask("ms_vtep", "Global", 5);
    confirm(applied_);
    const auto before = commits_;
    confirm(applied_ + 1);
    EXPECT_EQ(commits_, before);
}

TEST_F(SequenceTest, ACurrentNumberThatAControllerWroteIsPutRight) {
    ask("ms_vtep", "Global", 5);
    confirm(applied_);
    vtep({update("Global", R"("cur_cfg":99)")});
    confirm(applied_);
    EXPECT_EQ(current("ms_vtep", "Global"), 5);
}

TEST_F(SequenceTest, EachDatabaseHasItsOwn) {
    ask("ms_vtep", "Global", 5);
    const std::uint64_t vtep_change = applied_;
    ask("ms_firewall", "FW_Global", 7);
    const std::uint64_t firewall_change = applied_;
    ask("hnv_host", "Host", 9);
    confirm(vtep_change);
    EXPECT_EQ(current("ms_vtep", "Global"), 5);
    EXPECT_EQ(current("ms_firewall", "FW_Global"), 0);
    confirm(firewall_change);
    EXPECT_EQ(current("ms_firewall", "FW_Global"), 7);
    EXPECT_EQ(current("hnv_host", "Host"), 0);
    confirm(applied_);
    EXPECT_EQ(current("hnv_host", "Host"), 9);
}

TEST_F(SequenceTest, WhatWasAskedBeforeARestartIsConfirmedAfterIt) {
    ask("ms_vtep", "Global", 5);
    ask("hnv_host", "Host", 9);
    start();
    EXPECT_EQ(current("ms_vtep", "Global"), 0);
    EXPECT_EQ(sequences_->status("ms_vtep").next, 5);
    confirm(applied_);
    EXPECT_EQ(current("ms_vtep", "Global"), 5);
    EXPECT_EQ(current("hnv_host", "Host"), 9);
}

using OwnRowsTest = NorthboundTest;

TEST_F(OwnRowsTest, AreMadeOnceAndKept) {
    const auto uuids = [this] {
        std::vector<Uuid> all;
        for (const auto& [database, table] :
             {std::pair("ms_vtep", "Global"), std::pair("ms_vtep", "Physical_Switch"),
              std::pair("ms_firewall", "FW_Global"), std::pair("hnv_host", "Host")}) {
            for (const Line& line : rows(database, table)) {
                all.push_back(line.uuid);
            }
        }
        return all;
    };
    const auto made = uuids();
    EXPECT_THAT(made, SizeIs(4));
    ensure_own_rows(*server_, "host1");
    run();
    EXPECT_EQ(uuids(), made);
    start();
    EXPECT_EQ(uuids(), made);
}

TEST_F(OwnRowsTest, ANewHostNameRenamesTheSwitchAndKeepsItsPorts) {
    vtep({insert("Physical_Port", R"("name":"p1")", "port"), attach("port")});
    ensure_own_rows(*server_, "host2");
    run();
    const auto switches = rows("ms_vtep", "Physical_Switch", {"name"});
    ASSERT_THAT(switches, SizeIs(1));
    EXPECT_EQ(switches.front().strings.at("name"), "host2");
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), SizeIs(1));
}

TEST_F(OwnRowsTest, ASwitchThatWasTakenOutComesBack) {
    vtep({update("Global", R"("switches":["set",[]])")});
    EXPECT_THAT(rows("ms_vtep", "Physical_Switch"), SizeIs(0));
    ensure_own_rows(*server_, "host1");
    run();
    EXPECT_THAT(rows("ms_vtep", "Physical_Switch"), SizeIs(1));
}

}  // namespace
}  // namespace hnv::northbound
