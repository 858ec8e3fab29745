// Fault rows: one for each fault that stands, whoever wrote what before.
#include "northbound/fault_writer.h"

#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;
using testing::IsEmpty;
using testing::SizeIs;

class FaultWriterTest : public NorthboundTest {
  protected:
    static constexpr const char* kLongAgo = "2001-02-03T04:05:06Z";

    // What the agent does with the rows that it hears of.
    void on_row(std::string_view database, const ovs::RowChange& change) override {
        NorthboundTest::on_row(database, change);
        if (writer_ && change.table == "Fault") {
            writer_->on_row(change);
        }
    }
    void restart() {
        writer_.reset();
        start();
    }
    // As the agent does after each turn; then the turn in which it hears of what it wrote.
    void tell() {
        if (!writer_) {
            writer_.emplace(*server_);
        }
        writer_->write(policy_->faults);
        run();
    }
    void raise(const RowRef& row, FaultKey key, const std::string& message) {
        policy_->faults.set(row, key, message);
    }
    void clear(const RowRef& row, FaultKey key) { policy_->faults.set(row, key, std::nullopt); }
    // By message; every row is there once.
    std::map<std::string, std::map<std::string, std::string>> faults() const {
        std::map<std::string, std::map<std::string, std::string>> found;
        for (const Line& line :
             rows("hnv_host", "Fault", {"database", "table", "key", "message", "since"})) {
            EXPECT_TRUE(found.emplace(line.strings.at("message"), line.strings).second);
        }
        return found;
    }
    void age() { host({update("Fault", R"("since":")" + std::string(kLongAgo) + '"')}); }

    const RowRef subnet_{SourceTable::MsVtepLogicalSwitch, test::uuid(1)};
    const RowRef rule_{SourceTable::MsFirewallRules, test::uuid(2)};
    std::optional<FaultWriter> writer_;
};

TEST_F(FaultWriterTest, TheRowsAreTheFaults) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    raise(rule_, FaultKey::RuleSyntax, "eh");
    tell();
    ASSERT_THAT(faults(), SizeIs(2));
    const auto fault = faults().at("too low");
    EXPECT_EQ(fault.at("database"), "ms_vtep");
    EXPECT_EQ(fault.at("table"), "Logical_Switch");
    EXPECT_EQ(fault.at("key"), "vsid-range");
    EXPECT_THAT(fault.at("since"), testing::MatchesRegex("[0-9-]+T[0-9:]+Z"));
    EXPECT_EQ(fault.at("since").size(), std::string(kLongAgo).size());
    server_->for_each_row("hnv_host", "Fault", [](const ovs::Row& row) {
        const bool first = row.string("message") == "too low";
        EXPECT_EQ(row.reference("row"), test::uuid(first ? 1 : 2));
    });
    raise(subnet_, FaultKey::VsidRange, "too high");
    tell();
    EXPECT_EQ(faults().count("too low"), 0U);
    EXPECT_EQ(faults().count("too high"), 1U);
    clear(subnet_, FaultKey::VsidRange);
    tell();
    ASSERT_THAT(faults(), SizeIs(1));
    policy_->faults.clear_row(rule_);
    tell();
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FaultWriterTest, NothingIsWrittenWhenNothingChanged) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    const auto before = commits_;
    tell();
    raise(subnet_, FaultKey::VsidRange, "too low");
    raise(rule_, FaultKey::RuleSyntax, "for a moment");
    clear(rule_, FaultKey::RuleSyntax);
    tell();
    EXPECT_EQ(commits_, before);
}

TEST_F(FaultWriterTest, OneRowMayHaveSeveralFaults) {
    raise(subnet_, FaultKey::VsidDuplicate, "twice");
    raise(subnet_, FaultKey::ReplicationLimit, "too many");
    tell();
    EXPECT_THAT(faults(), SizeIs(2));
    clear(subnet_, FaultKey::VsidDuplicate);
    tell();
    EXPECT_EQ(faults().count("too many"), 1U);
}

TEST_F(FaultWriterTest, AFaultThatStaysKeepsItsTime) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    age();
    tell();
    raise(rule_, FaultKey::RuleSyntax, "eh");
    tell();
    EXPECT_EQ(faults().at("too low").at("since"), kLongAgo);
    EXPECT_NE(faults().at("eh").at("since"), kLongAgo);
}

// Taken back and raised again in one turn, as when a row was touched that stays as wrong as it was.
TEST_F(FaultWriterTest, AFaultThatIsRaisedAnewInOneTurnKeepsItsTime) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    age();
    tell();
    policy_->faults.clear_row(subnet_);
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    EXPECT_EQ(faults().at("too low").at("since"), kLongAgo);
}

TEST_F(FaultWriterTest, AfterARestartTheSameFaultKeepsItsTimeAndTheOthersGo) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    raise(rule_, FaultKey::RuleSyntax, "eh");
    tell();
    age();
    restart();
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    ASSERT_THAT(faults(), SizeIs(1));
    EXPECT_EQ(faults().at("too low").at("since"), kLongAgo);
    policy_->faults.clear_row(subnet_);
    tell();
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FaultWriterTest, RowsOfAnEarlierLifeGoWhenThereIsNoFaultAtAll) {
    raise(subnet_, FaultKey::SwitchRejected, "refused");
    tell();
    restart();
    tell();
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FaultWriterTest, WhatAControllerWroteIsPutRight) {
    raise(subnet_, FaultKey::VsidRange, "too low");
    tell();
    const std::string copy = R"("database":"ms_vtep","table":"Logical_Switch",)"
                             R"("key":"vsid-range","message":"too low","row":["uuid",")" +
                             test::uuid(1).to_string() + R"("])";
    for (const std::string& operation :
         {insert("Fault", R"("key":"mine","message":"mine")"),
          update("Fault", R"("message":"all is well")"), update("Fault", R"("key":"mine")"),
          update("Fault", R"("table":"mine")"),
          update("Fault", R"("row":["uuid",")" + test::uuid(9).to_string() + R"("])"),
          insert("Fault", copy), erase("Fault")}) {
        host({operation});
        tell();
        ASSERT_THAT(faults(), SizeIs(1)) << operation;
        const auto fault = faults().at("too low");
        EXPECT_EQ(fault.at("key"), "vsid-range") << operation;
        EXPECT_EQ(fault.at("table"), "Logical_Switch") << operation;
        server_->for_each_row("hnv_host", "Fault", [&](const ovs::Row& row) {
            EXPECT_EQ(row.reference("row"), test::uuid(1)) << operation;
        });
        const auto before = commits_;
        tell();
        EXPECT_EQ(commits_, before) << operation;
    }
}

}  // namespace
}  // namespace hnv::northbound
