#include "ovs-integration/vswitch_db.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "support/open_vswitch.h"

namespace hnv::ovs {
namespace {

class VswitchDbTest : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ovs_.emplace();
    }

    // The bridge's client, and the bridge made by it and realised by ovs-vswitchd.
    void make_ready() {
        ovs_->start_switch();
        open();
        ASSERT_TRUE(run_until([&] { return db_->bridge_ready(); })) << db_->problem();
    }

    void open(const std::string& datapath_type = "auto") {
        db_.emplace(ovs_->remote(), BridgeConfig{"br-hnv", datapath_type},
                    std::vector<TunnelPortConfig>{
                        {"hnv-vxlan",
                         "vxlan",
                         {{"remote_ip", "flow"}, {"key", "flow"}, {"dst_port", "4789"}}},
                        {"hnv-nvgre", "gre", {{"remote_ip", "flow"}, {"key", "flow"}}}});
    }

    bool run_until(const std::function<bool()>& condition) {
        return test::run_until(*db_, condition);
    }

    // How often the loop wakes in a quarter of a second in which nothing happens.
    int idle_wakeups() {
        int wakeups = 0;
        const auto count = [&] {
            ++wakeups;
            return false;
        };
        (void)test::run_until(*db_, count, 250);
        return wakeups;
    }

    bool has_interface(std::string_view name) const { return db_->tunnel_ofport(name).has_value(); }

    std::optional<test::OpenVswitch> ovs_;
    std::optional<VswitchDb> db_;
};

TEST_F(VswitchDbTest, MakesTheBridgeAndItsTunnelPorts) {
    make_ready();

    EXPECT_TRUE(db_->connected());
    EXPECT_EQ(db_->problem(), "");
    EXPECT_EQ(db_->datapath_type(), "netdev");  // ovs-vswitchd runs without the kernel's.
    ASSERT_TRUE(db_->tunnel_ofport("hnv-vxlan"));
    ASSERT_TRUE(db_->tunnel_ofport("hnv-nvgre"));
    EXPECT_NE(db_->tunnel_ofport("hnv-vxlan"), db_->tunnel_ofport("hnv-nvgre"));
    EXPECT_LT(idle_wakeups(), 20);
    EXPECT_EQ(db_->tunnel_ofport("br-hnv"), std::nullopt);  // The local port is no one's.

    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "fail_mode"}), "secure");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "protocols"}),
              "[OpenFlow10, OpenFlow13, OpenFlow14, OpenFlow15]");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "external_ids"}), "{hnv-agent=\"true\"}");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "other_config"}),
              "{disable-in-band=\"true\"}");
    EXPECT_EQ(ovs_->vsctl({"get", "interface", "hnv-vxlan", "options"}),
              "{dst_port=\"4789\", key=flow, remote_ip=flow}");
    EXPECT_EQ(ovs_->vsctl({"get", "port", "hnv-nvgre", "external_ids"}), "{hnv-agent=\"true\"}");
}

TEST_F(VswitchDbTest, TellsOfGuestInterfacesAsTheyComeAndGo) {
    make_ready();
    ovs_->vsctl({"add-port", "br-hnv", "guest", "--", "set", "interface", "guest", "type=internal",
                 "external_ids:iface-id=port-1", "external_ids:attached-mac=00:15:5d:00:00:01",
                 "external_ids:vm-name=sql"});

    ASSERT_TRUE(run_until([&] { return has_interface("guest"); }));
    const auto& interfaces = db_->interfaces();
    ASSERT_EQ(interfaces.size(), 3U);
    EXPECT_EQ(interfaces[0].name, "guest");  // By name.
    EXPECT_EQ(interfaces[0].type, "internal");
    EXPECT_EQ(interfaces[0].iface_id, "port-1");
    EXPECT_EQ(interfaces[0].attached_mac, "00:15:5d:00:00:01");
    EXPECT_EQ(interfaces[0].vm_name, "sql");
    EXPECT_GT(interfaces[0].ofport, 0U);

    ovs_->vsctl({"del-port", "br-hnv", "guest"});
    EXPECT_TRUE(run_until([&] { return !has_interface("guest"); }));
    EXPECT_TRUE(db_->bridge_ready());
}

TEST_F(VswitchDbTest, CorrectsWhatDiffersAndNothingElse) {
    make_ready();
    ovs_->vsctl({"set", "interface", "hnv-vxlan", "options:key=7", "options:csum=true"});
    ovs_->vsctl({"set", "bridge", "br-hnv", "fail_mode=standalone", "protocols=OpenFlow12"});
    ovs_->vsctl({"del-port", "br-hnv", "hnv-nvgre"});

    const auto mended = [&] {
        return has_interface("hnv-nvgre") &&
               ovs_->vsctl({"get", "bridge", "br-hnv", "fail_mode"}) == "secure" &&
               ovs_->vsctl({"get", "interface", "hnv-vxlan", "options:key"}) == "flow";
    };
    ASSERT_TRUE(run_until(mended));
    EXPECT_EQ(ovs_->vsctl({"get", "interface", "hnv-vxlan", "options:csum"}), "\"true\"");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "protocols"}),
              "[OpenFlow10, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15]");
}

TEST_F(VswitchDbTest, KeepsBfdPortsAndTellsTheirStatus) {
    make_ready();
    const BfdPortConfig port{
        "hnvb-1", "vxlan", {{"remote_ip", "192.0.2.1"}, {"key", "0"}}, {{"enable", "true"}}};
    const auto known = [&] { return db_->bfd_ports().contains("hnvb-1"); };
    db_->set_bfd_ports({{port}, {}});
    ASSERT_TRUE(run_until([&] { return known() && !db_->bfd_ports().at("hnvb-1").status.empty(); }))
        << db_->problem();
    EXPECT_NE(db_->bfd_ports().at("hnvb-1").ofport, 0U);
    EXPECT_EQ(db_->bfd_ports().at("hnvb-1").status.at("state"), "down");
    EXPECT_EQ(ovs_->vsctl({"get", "interface", "hnvb-1", "bfd"}), "{enable=\"true\"}");
    const std::string uuid = ovs_->vsctl({"get", "interface", "hnvb-1", "_uuid"});

    // An agent after this one leaves it alone until it is told, and then what is right.
    db_.reset();
    open();
    ASSERT_TRUE(run_until([&] { return db_->bridge_ready() && known(); }));
    db_->set_bfd_ports({{port}, {}});
    EXPECT_LT(idle_wakeups(), 20);
    EXPECT_EQ(ovs_->vsctl({"get", "interface", "hnvb-1", "_uuid"}), uuid);

    BfdPortConfig other = port;
    other.options[0].second = "192.0.2.2";
    other.bfd.emplace_back("min_rx", "500");
    ovs_->vsctl({"set", "interface", "hnvb-1", "bfd:cpath_down=true"});
    db_->set_bfd_ports({{other}, {}});
    ASSERT_TRUE(run_until([&] {
        return ovs_->vsctl({"get", "interface", "hnvb-1", "bfd"}) ==
               "{enable=\"true\", min_rx=\"500\"}";
    }));
    EXPECT_EQ(ovs_->vsctl({"get", "interface", "hnvb-1", "options:remote_ip"}), "\"192.0.2.2\"");

    db_->set_bfd_ports({{}, {"hnvb-1"}});
    EXPECT_LT(idle_wakeups(), 20);
    EXPECT_TRUE(known());
    ovs_->vsctl({"add-port", "br-hnv", "hnvb-2"});  // Somebody else's.
    db_->set_bfd_ports({});
    ASSERT_TRUE(run_until([&] { return !known(); }));
    EXPECT_EQ(ovs_->vsctl({"list-ports", "br-hnv"}), "hnv-nvgre\nhnv-vxlan\nhnvb-2");
}

TEST_F(VswitchDbTest, ABfdPortThatTheSwitchCanNotMakeIsNoProblemOfTheBridge) {
    make_ready();
    const BfdPortConfig port{"hnvb-1", "vxlan", {{"key", "0"}}, {{"enable", "true"}}};
    db_->set_bfd_ports({{port}, {}});
    ASSERT_TRUE(run_until([&] {
        const auto found = db_->bfd_ports().find("hnvb-1");
        return found != db_->bfd_ports().end() && !found->second.problem.empty();
    }));
    EXPECT_TRUE(db_->bridge_ready());
    EXPECT_EQ(db_->problem(), "");
}

TEST_F(VswitchDbTest, MakesADeletedBridgeAgain) {
    make_ready();
    const std::string before = ovs_->vsctl({"get", "bridge", "br-hnv", "_uuid"});
    ovs_->vsctl({"del-br", "br-hnv"});

    ASSERT_TRUE(run_until([&] { return !db_->bridge_ready(); }));
    ASSERT_TRUE(run_until([&] { return db_->bridge_ready(); })) << db_->problem();
    EXPECT_NE(ovs_->vsctl({"get", "bridge", "br-hnv", "_uuid"}), before);
}

TEST_F(VswitchDbTest, KeepsWhatItKnowsWhileTheDatabaseIsAway) {
    make_ready();
    const std::vector<InterfaceFacts> before = db_->interfaces();
    ovs_->stop_database();
    ASSERT_TRUE(run_until([&] { return !db_->connected(); }));
    EXPECT_TRUE(db_->bridge_ready());
    EXPECT_EQ(db_->interfaces(), before);
    EXPECT_LT(idle_wakeups(), 20);

    ovs_->start_database();
    ASSERT_TRUE(run_until([&] { return db_->connected(); }));
    EXPECT_EQ(db_->interfaces(), before);
    ovs_->vsctl({"--no-wait", "del-port", "br-hnv", "hnv-vxlan"});
    ASSERT_TRUE(run_until([&] { return !has_interface("hnv-vxlan"); }));
    EXPECT_TRUE(run_until([&] { return has_interface("hnv-vxlan"); })) << db_->problem();
}

TEST_F(VswitchDbTest, SaysWhyItCanNotAndMendsItWhenItCan) {
    ovs_->start_switch();
    ovs_->vsctl({"add-br", "br-other", "--", "set", "bridge", "br-other", "datapath_type=netdev"});
    ovs_->vsctl({"add-port", "br-other", "hnv-vxlan", "--", "set", "interface", "hnv-vxlan",
                 "type=internal"});
    open();
    ASSERT_TRUE(run_until([&] {
        return db_->problem().find("configure bridge br-hnv") != std::string::npos;
    })) << db_->problem();
    EXPECT_FALSE(db_->bridge_ready());
    EXPECT_LT(idle_wakeups(), 20);

    ovs_->vsctl({"del-port", "br-other", "hnv-vxlan"});
    ASSERT_TRUE(run_until([&] { return db_->bridge_ready(); })) << db_->problem();
    EXPECT_EQ(db_->problem(), "");
}

TEST_F(VswitchDbTest, AutoWaitsUntilTheSwitchSaysWhatItOffers) {
    open();
    ASSERT_TRUE(run_until([&] { return db_->connected(); }));
    EXPECT_NE(db_->problem().find("datapath types"), std::string::npos) << db_->problem();
    EXPECT_EQ(ovs_->vsctl({"list-br"}), "");

    ovs_->vsctl({"--no-wait", "set", "open_vswitch", ".", "datapath_types=[netdev,system]"});
    ASSERT_TRUE(run_until([&] { return db_->datapath_type() == "system"; })) << db_->problem();
}

TEST_F(VswitchDbTest, LeavesTheDatapathTypeOfABridgeThatExists) {
    ovs_->vsctl({"--no-wait", "add-br", "br-hnv"});
    ovs_->vsctl({"--no-wait", "set", "open_vswitch", ".", "datapath_types=netdev"});
    open("netdev");
    ASSERT_TRUE(run_until([&] {
        return ovs_->vsctl({"get", "bridge", "br-hnv", "fail_mode"}) == "secure";
    }));
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "datapath_type"}), "\"\"");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "br-hnv", "external_ids"}), "{}");
    EXPECT_EQ(db_->datapath_type(), "system");
    EXPECT_NE(db_->problem().find("does not offer"), std::string::npos) << db_->problem();
}

}  // namespace
}  // namespace hnv::ovs
