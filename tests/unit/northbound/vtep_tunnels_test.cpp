// Tunnel rows: whose they are, which sessions they ask for, and what is written back.
#include "northbound/vtep_tunnels.h"

#include "northbound/vtep_fault_writer.h"
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const char* const kEnable = R"("bfd_params":["map",[["enable","true"]]])";

class VtepTunnelsTest : public NorthboundTest {
  protected:
    VtepTunnelsTest() {
        renew();
        host({insert("Provider_Address", R"("address":"192.168.1.10/24")")});
        tell();
    }

    // As an agent that starts.
    void renew() {
        tunnels_ = std::make_unique<VtepTunnels>(*server_, policy_->model, policy_->faults);
        const auto read = [this](const char* database, const char* table) {
            server_->for_each_row(database, table, [&](const ovs::Row& row) {
                tunnels_->on_row(database, {table, row.uuid(), std::nullopt, row});
            });
        };
        read("hardware_vtep", "Tunnel");
        read("hardware_vtep", "Physical_Locator");
        read("ms_vtep", "Physical_Locator");
    }
    void on_row(std::string_view database, const ovs::RowChange& change) override {
        NorthboundTest::on_row(database, change);
        if (tunnels_) {
            tunnels_->on_row(database, change);
        }
    }
    // Turns as the agent makes them, until nothing is written any more.
    void tell() {
        for (int turn = 0; turn < 4; ++turn) {
            tunnels_->look_at_addresses();
            if (tunnels_->sessions_due()) {
                (void)tunnels_->sessions();
            }
            tunnels_->write(states_, policy_->model.take_locator_changes(), now_ += 1000);
            run();
        }
    }
    static std::string pl(const std::string& address) {
        return insert("Physical_Locator",
                      R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":")" + address + '"', "pl");
    }
    // A mapping to that address, in a transaction of its own.
    void map_to(const std::string& address, const std::string& mac) {
        hardware(
            {insert("Logical_Switch",
                    R"("name":"ls)" + mac + R"(","tunnel_key":)" + std::to_string(++vni_), "ls"),
             pl(address),
             insert("Ucast_Macs_Remote", R"("MAC":"02:00:00:00:00:)" + mac +
                                             R"(","ipaddr":"","locator":["named-uuid","pl"],)"
                                             R"("logical_switch":["named-uuid","ls"])")});
        tell();
    }

    struct Seen {
        Uuid uuid;
        std::map<std::string, std::string> status;
        std::map<std::string, std::string> config_local;
    };
    // By "LOCAL>REMOTE".
    std::multimap<std::string, Seen> tunnels() const {
        std::map<Uuid, std::string> ends;
        server_->for_each_row("hardware_vtep", "Physical_Locator", [&](const ovs::Row& row) {
            ends.emplace(row.uuid(), row.string("dst_ip"));
        });
        std::multimap<std::string, Seen> found;
        server_->for_each_row("hardware_vtep", "Tunnel", [&](const ovs::Row& row) {
            Seen seen{row.uuid(), {}, {}};
            for (const auto& [key, value] : row.string_map("bfd_status")) {
                seen.status.emplace(key, value);
            }
            for (const auto& [key, value] : row.string_map("bfd_config_local")) {
                seen.config_local.emplace(key, value);
            }
            found.emplace(ends[*row.reference("local")] + ">" + ends[*row.reference("remote")],
                          std::move(seen));
        });
        return found;
    }
    std::vector<std::string> pairs() const {
        std::vector<std::string> found;
        for (const auto& [pair, seen] : tunnels()) {
            found.push_back(pair);
        }
        return found;
    }
    Uuid locator(const std::string& address) const {
        Uuid found;
        server_->for_each_row("hardware_vtep", "Physical_Locator", [&](const ovs::Row& row) {
            if (row.string("dst_ip") == address) {
                found = row.uuid();
            }
        });
        return found;
    }
    // A row of the controller's for these ends, which are there.
    void own_row(const std::string& local, const std::string& remote, const std::string& more) {
        const auto end = [this](const std::string& address) {
            return R"(["uuid",")" + locator(address).to_string() + R"("])";
        };
        hardware(
            {insert("Tunnel",
                    R"("local":)" + end(local) + R"(,"remote":)" + end(remote) + "," + more, "own"),
             R"({"op":"mutate","table":"Physical_Switch","where":[],"mutations":)"
             R"([["tunnels","insert",["named-uuid","own"]]]})"});
        tell();
    }

    std::unique_ptr<VtepTunnels> tunnels_;
    std::vector<policy::BfdState> states_;
    std::int64_t now_ = 0;
    int vni_ = 100;
};

TEST_F(VtepTunnelsTest, OneForEachEndThatIsNamed) {
    map_to("192.168.2.20", "01");
    map_to("192.168.3.30", "02");
    EXPECT_THAT(pairs(), ElementsAre("192.168.1.10>192.168.2.20", "192.168.1.10>192.168.3.30"));
    EXPECT_THAT(tunnels().begin()->second.config_local,
                UnorderedElementsAre(Pair("bfd_dst_ip", "169.254.1.0"),
                                     Pair("bfd_dst_mac", "00:23:20:00:00:01")));
    const auto commits = commits_["hardware_vtep"];
    renew();
    tell();
    EXPECT_EQ(commits_["hardware_vtep"], commits);  // All of it is there already.
    hardware({erase("Ucast_Macs_Remote")});
    tell();
    EXPECT_THAT(pairs(), IsEmpty());
    EXPECT_THAT(rows("hardware_vtep", "Physical_Locator"), IsEmpty());
}

TEST_F(VtepTunnelsTest, NoneToThisHostAndNoneWithoutAnAddressOfItsOwn) {
    map_to("192.168.1.10", "01");
    EXPECT_THAT(pairs(), IsEmpty());
    map_to("192.168.2.20", "02");
    EXPECT_THAT(pairs(), SizeIs(1));
    host({erase("Provider_Address")});
    tell();
    EXPECT_THAT(pairs(), IsEmpty());
    host({insert("Provider_Address", R"("address":"192.168.1.11/24")")});
    tell();
    EXPECT_THAT(pairs(), ElementsAre("192.168.1.11>192.168.1.10", "192.168.1.11>192.168.2.20"));
}

TEST_F(VtepTunnelsTest, TheLocalEndStaysWhenALowerAddressComes) {
    map_to("192.168.2.20", "01");
    host({insert("Provider_Address", R"("address":"192.168.1.5/24")")});
    tell();
    EXPECT_THAT(pairs(), ElementsAre("192.168.1.10>192.168.2.20"));
}

TEST_F(VtepTunnelsTest, AControllersOwnRowIsKeptAndUsed) {
    map_to("192.168.2.20", "01");
    const Uuid ours = tunnels().begin()->second.uuid;
    own_row("192.168.1.10", "192.168.2.20", kEnable);
    ASSERT_THAT(pairs(), ElementsAre("192.168.1.10>192.168.2.20"));
    EXPECT_NE(tunnels().begin()->second.uuid, ours);
    EXPECT_THAT(tunnels_->sessions(), SizeIs(1));
    hardware({erase("Ucast_Macs_Remote")});
    tell();
    EXPECT_THAT(pairs(), SizeIs(1));  // It is the controller's to delete.
}

TEST_F(VtepTunnelsTest, OfTwoThatAControllerHasSetNoneIsTakenAway) {
    map_to("192.168.2.20", "01");
    hardware({update("Tunnel", kEnable)});
    own_row("192.168.1.10", "192.168.2.20", kEnable);
    EXPECT_THAT(pairs(), SizeIs(2));
    EXPECT_THAT(tunnels_->sessions(), SizeIs(1));
}

TEST_F(VtepTunnelsTest, SessionsAreWhatTheRowsAskFor) {
    map_to("192.168.2.20", "01");
    EXPECT_THAT(tunnels_->sessions(), IsEmpty());
    hardware({update("Tunnel", R"("bfd_params":["map",[["enable","true"],["min_rx","300"]]],)"
                               R"("bfd_config_remote":["map",[["bfd_dst_ip","169.254.9.9"]]])")});
    EXPECT_TRUE(tunnels_->sessions_due());
    ASSERT_THAT(tunnels_->sessions(), SizeIs(1));
    const policy::BfdSession& session = tunnels_->sessions()[0];
    EXPECT_EQ(session.remote.to_string(), "192.168.2.20");
    EXPECT_EQ(session.local.to_string(), "192.168.1.10");
    EXPECT_THAT(session.settings, Contains(Pair("min_rx", "300")));
    EXPECT_THAT(session.settings, Contains(Pair("bfd_dst_ip", "169.254.9.9")));
}

TEST_F(VtepTunnelsTest, TheStateIsWrittenWhenItChangesAndClearedWhenDisabled) {
    map_to("192.168.2.20", "01");
    hardware({update("Tunnel", kEnable)});
    tell();
    EXPECT_THAT(tunnels().begin()->second.status, IsEmpty());
    states_ = {{test::ip("192.168.2.20"), 7, {{"state", "up"}, {"forwarding", "true"}}}};
    tell();
    const auto up = UnorderedElementsAre(Pair("enabled", "true"), Pair("state", "up"),
                                         Pair("forwarding", "true"));
    EXPECT_THAT(tunnels().begin()->second.status, up);
    EXPECT_FALSE(tunnels_->sessions_due());  // The agent's own columns ask for nothing.
    const auto commits = commits_["hardware_vtep"];
    tell();
    EXPECT_EQ(commits_["hardware_vtep"], commits);
    // What a client writes there is put right.
    hardware({update("Tunnel", R"("bfd_status":["map",[["state","down"]]])")});
    tell();
    EXPECT_THAT(tunnels().begin()->second.status, up);
    hardware({update("Tunnel", R"("bfd_params":["map",[]])")});
    states_.clear();
    tell();
    EXPECT_THAT(tunnels().begin()->second.status, IsEmpty());
}

TEST_F(VtepTunnelsTest, WritesAreBoundedInTime) {
    map_to("192.168.2.20", "01");
    hardware({update("Tunnel", kEnable)});
    tell();
    const auto commits = commits_["hardware_vtep"];
    for (int change = 0; change < 10; ++change) {
        states_ = {{test::ip("192.168.2.20"), 7, {{"state", change % 2 == 0 ? "up" : "down"}}}};
        tunnels_->write(states_, false, now_ + 1);
        run();
    }
    EXPECT_LE(commits_["hardware_vtep"], commits + 1);
    EXPECT_TRUE(tunnels_->next_write());
    tell();
    EXPECT_THAT(tunnels().begin()->second.status, Contains(Pair("state", "down")));
    EXPECT_FALSE(tunnels_->next_write());
}

TEST_F(VtepTunnelsTest, ATunnelThatIsNotFromHereHasAFault) {
    map_to("192.168.2.20", "01");
    map_to("192.168.3.30", "02");
    own_row("192.168.3.30", "192.168.2.20", kEnable);
    EXPECT_THAT(fault(FaultKey::PaMissing), HasSubstr("192.168.3.30 to 192.168.2.20"));
    EXPECT_THAT(tunnels_->sessions(), IsEmpty());
    for (const auto& [pair, seen] : tunnels()) {
        if (pair == "192.168.3.30>192.168.2.20") {
            EXPECT_THAT(seen.status, Contains(Pair("enabled", "false")));
        }
    }
    hardware({R"({"op":"update","table":"Physical_Switch","where":[],)"
              R"("row":{"tunnels":["set",[]]}})"});
    tell();
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_THAT(pairs(), SizeIs(2));  // Those that are needed are made again.
}

TEST_F(VtepTunnelsTest, ThereIsRoomForSoManyAndThoseThatRunGoOn) {
    std::vector<std::string> rows{insert("Logical_Switch", R"("name":"ls","tunnel_key":5)", "ls")};
    constexpr int kMore = static_cast<int>(policy::kMaxBfdSessions) + 2;
    const auto name = [](int each) { return "pl" + std::to_string(each); };
    const auto address = [](int each) {
        return "10.2." + std::to_string(each / 200) + "." + std::to_string(each % 200 + 1);
    };
    for (int each = 0; each < kMore; ++each) {
        rows.push_back(
            insert("Physical_Locator",
                   R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":")" + address(each) + '"',
                   name(each)));
        rows.push_back(insert("Ucast_Macs_Remote",
                              R"("MAC":"02:00:00:00:00:)" + std::to_string(10 + each % 80) +
                                  R"(","ipaddr":"","locator":["named-uuid",")" + name(each) +
                                  R"("],"logical_switch":["named-uuid","ls"])"));
    }
    hardware(rows);
    tell();
    ASSERT_THAT(pairs(), SizeIs(kMore));
    policy_->faults = {};
    hardware({update("Tunnel", kEnable)});
    tell();
    const std::vector<policy::BfdSession> sessions = tunnels_->sessions();
    EXPECT_THAT(sessions, SizeIs(policy::kMaxBfdSessions));
    EXPECT_THAT(fault_keys(), Contains("tunnel-limit").Times(2));
    VtepFaultWriter(*server_).write(policy_->faults);
    run();
    std::vector<std::string> words;
    server_->for_each_row("hardware_vtep", "Physical_Switch", [&](const ovs::Row& row) {
        for (const std::string_view word : row.strings("switch_fault_status")) {
            words.emplace_back(word);
        }
    });
    EXPECT_THAT(words, ElementsAre("tunnel_exhaustion"));
    map_to("10.1.1.1", "99");
    hardware({update("Tunnel", kEnable)});
    tell();
    EXPECT_EQ(tunnels_->sessions(), sessions);
}

TEST_F(VtepTunnelsTest, ALocatorOfMsVtepMayAskAsWell) {
    map("00:15:5d:00:00:01", "10.0.0.1");
    vtep({update("Physical_Locator", R"("bfd":["map",[["enable","true"],["min_tx","200"]]])")});
    tell();
    ASSERT_THAT(tunnels_->sessions(), SizeIs(1));
    EXPECT_EQ(tunnels_->sessions()[0].remote.to_string(), "192.168.2.20");
    EXPECT_THAT(tunnels_->sessions()[0].settings, Contains(Pair("min_tx", "200")));
    states_ = {{test::ip("192.168.2.20"), 7, {{"state", "up"}}}};
    tell();
    const auto status = [this] {
        std::map<std::string, std::string> found;
        server_->for_each_row("ms_vtep", "Physical_Locator", [&](const ovs::Row& row) {
            for (const auto& [key, value] : row.string_map("bfd_status")) {
                found.emplace(key, value);
            }
        });
        return found;
    };
    EXPECT_THAT(status(), UnorderedElementsAre(Pair("enabled", "true"), Pair("state", "up")));
    vtep({update("Physical_Locator", R"("bfd":["map",[]])")});
    tell();
    EXPECT_THAT(tunnels_->sessions(), IsEmpty());
    EXPECT_THAT(status(), IsEmpty());
}

TEST_F(VtepTunnelsTest, APortThatTheSwitchCanNotMakeIsAFaultUntilItCan) {
    map_to("192.168.2.20", "01");
    hardware({update("Tunnel", kEnable)});
    tell();
    states_ = {{test::ip("192.168.2.20"), 0, {}, "interface hnvb-c0a80214: no"}};
    tell();
    EXPECT_THAT(fault(FaultKey::SwitchRejected), HasSubstr("hnvb-c0a80214"));
    EXPECT_THAT(tunnels().begin()->second.status,
                UnorderedElementsAre(Pair("enabled", "false"),
                                     Pair("info", "interface hnvb-c0a80214: no")));
    states_ = {{test::ip("192.168.2.20"), 7, {{"state", "down"}}}};
    tell();
    EXPECT_THAT(fault_keys(), IsEmpty());
}

}  // namespace
}  // namespace hnv::northbound
