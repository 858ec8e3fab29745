// What is learned is told in hardware_vtep and remembered in hnv_host, whatever others write there.
#include "northbound/vtep_local_macs.h"

#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kBehind = "02:00:00:00:00:aa";

class VtepLocalMacsTest : public NorthboundTest {
  protected:
    void on_row(std::string_view database, const ovs::RowChange& change) override {
        if (!macs_) {
            macs_.emplace(*server_);
        }
        macs_->on_row(database, change);
        NorthboundTest::on_row(database, change);
    }
    // Port p1, active in VSID 5 and sending from a PA.
    void plug_in() {
        policy_->model.set_interfaces({test::plug("p1", 7, 0x020000000011U)});
        policy_->model.set_carried_addresses({{test::ip("192.168.1.10"), 0, 0}});
        (void)policy_->commit();
    }
    void bind() {
        plug_in();
        hardware(
            {insert("Logical_Switch", R"("name":"ls5","tunnel_key":5)", "ls"),
             insert("Physical_Port",
                    R"("name":"p1","vlan_bindings":["map",[[0,["named-uuid","ls"]]]])", "port"),
             attach("port")});
    }
    void learn(const char* mac, const char* address = nullptr) {
        policy_->model.learn(
            {7, 0, MacAddress::parse(mac).value(),
             address == nullptr ? std::nullopt : std::optional(test::ip(address))});
        (void)policy_->commit();
    }
    void tell() {
        macs_->write(policy_->model, now_, [](const auto&) { return false; });
        run();
        now_ += VtepLocalMacs::kRetryMsec;
    }
    // "MAC address" of each row.
    [[nodiscard]] std::vector<std::string> local() const {
        std::vector<std::string> lines;
        for (const Line& row : rows("hardware_vtep", "Ucast_Macs_Local", {"MAC", "ipaddr"})) {
            lines.push_back(row.strings.at("MAC") + " " + row.strings.at("ipaddr"));
        }
        std::sort(lines.begin(), lines.end());
        return lines;
    }
    [[nodiscard]] std::vector<std::string> strings(const char* database, const char* table,
                                                   const char* column) const {
        std::vector<std::string> texts;
        for (const Line& row : rows(database, table, {column})) {
            texts.push_back(row.strings.at(column));
        }
        return texts;
    }
    [[nodiscard]] std::vector<Uuid> uuids() const {
        std::vector<Uuid> found;
        for (const auto& [database, table] : {std::pair("hardware_vtep", "Ucast_Macs_Local"),
                                              std::pair("hardware_vtep", "Mcast_Macs_Local"),
                                              std::pair("hnv_host", "Learned_MAC")}) {
            for (const Line& row : rows(database, table)) {
                found.push_back(row.uuid);
            }
        }
        return found;
    }

    std::optional<VtepLocalMacs> macs_;
    std::int64_t now_ = 1'000'000;
};

TEST_F(VtepLocalMacsTest, TellsWhatIsLearnedAndWhereUnknownMacsAreLookedFor) {
    bind();
    learn(kBehind, "10.0.0.7");
    learn("02:00:00:00:00:ab");
    tell();
    EXPECT_THAT(local(), ElementsAre("02:00:00:00:00:aa 10.0.0.7", "02:00:00:00:00:ab "));
    EXPECT_THAT(strings("hardware_vtep", "Mcast_Macs_Local", "MAC"), ElementsAre("unknown-dst"));
    EXPECT_THAT(strings("hardware_vtep", "Physical_Locator", "dst_ip"),
                ElementsAre("192.168.1.10"));
    EXPECT_THAT(strings("hnv_host", "Learned_MAC", "port"), ElementsAre("p1", "p1"));
}

TEST_F(VtepLocalMacsTest, WritesNothingThatIsThereAlready) {
    bind();
    learn(kBehind);
    tell();
    const auto before = commits_;
    tell();
    tell();
    EXPECT_EQ(commits_, before);
}

TEST_F(VtepLocalMacsTest, ManyMacsAreOneTransaction) {
    bind();
    tell();
    const auto before = commits_;
    for (unsigned i = 0; i < 100; ++i) {
        learn(test::mac(0x020000001000 + i).to_string().c_str());
    }
    tell();
    EXPECT_THAT(local(), SizeIs(100));
    EXPECT_EQ(commits_["hardware_vtep"], before.at("hardware_vtep") + 1);
    EXPECT_EQ(commits_["hnv_host"], before.at("hnv_host") + 1);
}

TEST_F(VtepLocalMacsTest, WhatIsForgottenGoes) {
    bind();
    learn(kBehind);
    tell();
    policy_->model.set_interfaces({});
    (void)policy_->commit();
    tell();
    EXPECT_THAT(local(), IsEmpty());
    EXPECT_THAT(uuids(), IsEmpty());
}

TEST_F(VtepLocalMacsTest, AChangeOfTheAddressReplacesTheRow) {
    bind();
    learn(kBehind);
    tell();
    learn(kBehind, "10.0.0.7");
    tell();
    EXPECT_THAT(local(), ElementsAre("02:00:00:00:00:aa 10.0.0.7"));
    policy_->model.set_carried_addresses({{test::ip("192.168.1.11"), 0, 0}});
    (void)policy_->commit();
    tell();
    EXPECT_THAT(strings("hardware_vtep", "Physical_Locator", "dst_ip"),
                ElementsAre("192.168.1.11"));
    EXPECT_THAT(strings("hardware_vtep", "Mcast_Macs_Local", "MAC"), SizeIs(1));
}

TEST_F(VtepLocalMacsTest, WhatAControllerWritesThereIsPutRight) {
    bind();
    learn(kBehind, "10.0.0.7");
    tell();
    hardware({update("Ucast_Macs_Local", R"("ipaddr":"10.9.9.9")")});
    tell();
    EXPECT_THAT(local(), ElementsAre("02:00:00:00:00:aa 10.0.0.7"));
    hardware({update("Ucast_Macs_Local", R"("MAC":"02-00-00-00-00-AA")")});
    tell();
    EXPECT_THAT(local(), ElementsAre("02:00:00:00:00:aa 10.0.0.7"));
    hardware({update("Mcast_Macs_Local", R"("MAC":"ff:ff:ff:ff:ff:ff")")});
    tell();
    EXPECT_THAT(strings("hardware_vtep", "Mcast_Macs_Local", "MAC"), ElementsAre("unknown-dst"));
    hardware({erase("Ucast_Macs_Local"), erase("Mcast_Macs_Local")});
    host({update("Learned_MAC", R"("port":"p2")")});
    tell();
    EXPECT_THAT(local(), ElementsAre("02:00:00:00:00:aa 10.0.0.7"));
    EXPECT_THAT(strings("hardware_vtep", "Mcast_Macs_Local", "MAC"), ElementsAre("unknown-dst"));
    EXPECT_THAT(strings("hnv_host", "Learned_MAC", "port"), ElementsAre("p1"));
}

TEST_F(VtepLocalMacsTest, AfterARestartTheRowsAreWhatIsKnown) {
    bind();
    learn(kBehind, "10.0.0.7");
    tell();
    const auto before = uuids();
    macs_.reset();
    start();
    plug_in();
    for (const auto& [key, status] : macs_->remembered()) {
        EXPECT_TRUE(policy_->model.restore(key, status));
    }
    (void)policy_->commit();
    EXPECT_EQ(policy_->model.learned_macs(), 1U);
    tell();
    EXPECT_EQ(uuids(), before);
}

TEST_F(VtepLocalMacsTest, WhatIsToBeLeftIsLeftUntilItIsLookedAtAgain) {
    bind();
    learn(kBehind);
    tell();
    const auto before = uuids();
    macs_.reset();
    start();
    plug_in();
    macs_->write(policy_->model, now_, [](const auto&) { return true; });
    run();
    EXPECT_EQ(uuids(), before);
    for (const auto& [key, status] : macs_->remembered()) {
        macs_->look_again(key);
    }
    now_ += VtepLocalMacs::kRetryMsec;
    tell();
    EXPECT_THAT(local(), IsEmpty());
}

}  // namespace
}  // namespace hnv::northbound
