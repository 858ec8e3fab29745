// Patches to the uplinks whose VLANs the integration bridge reaches, with a real ovs-vswitchd.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "support/open_vswitch.h"
#include "underlay/underlay.h"

namespace hnv::underlay {
namespace {

class VlanUplinks : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ovs_.emplace();
        ovs_->start_switch();
        ASSERT_EQ(
            test::wait_for_exit(test::start(
                {"ip", "link", "add", "nic", "type", "veth", "peer", "name", "wire"}, "/dev/null")),
            0);
        start_agent();
    }

    void start_agent() {
        underlay_.emplace(Config{ovs_->remote(), "br-hnv", "auto", ovs_->directory()});
    }
    void add_bridge(const std::string& name, const std::string& nic) {
        ovs_->vsctl({"add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "--",
                     "add-port", name, nic});
    }
    void want(std::vector<std::string> uplinks) {
        underlay_->set_provider_addresses({});
        underlay_->set_vlan_uplinks(std::move(uplinks));
    }
    bool run_until(const std::function<bool()>& condition) {
        return test::run_until(*underlay_, condition);
    }
    // Of the first uplink wanted.
    const VlanUplink& first() const { return underlay_->facts().vlan_uplinks.at(0); }
    void make(const std::string& uplink) {
        want({uplink});
        ASSERT_TRUE(run_until([&] { return first().ofport != 0; })) << first().problem;
    }
    std::string get(const std::string& table, const std::string& row, const std::string& column) {
        return ovs_->vsctl({"get", table, row, column});
    }
    std::string ports() { return ovs_->vsctl({"--columns=_uuid,name", "--bare", "list", "port"}); }
    bool has_patches() { return ports().find("hnvt-") != std::string::npos; }

    std::optional<test::OpenVswitch> ovs_;
    std::optional<Underlay> underlay_;
};

TEST_F(VlanUplinks, AreReachedByAPatchFromTheIntegrationBridge) {
    add_bridge("br-ext", "nic");
    make("br-ext");
    const PatchNames names = patch_names("br-ext");
    EXPECT_EQ(first().uplink, "br-ext");
    EXPECT_EQ(first().problem, "");
    EXPECT_EQ(get("interface", names.inner, "ofport"), std::to_string(first().ofport));
    EXPECT_EQ(ovs_->vsctl({"port-to-br", names.inner}), "br-hnv");
    EXPECT_EQ(ovs_->vsctl({"port-to-br", names.outer}), "br-ext");
    EXPECT_EQ(get("interface", names.inner, "options"), "{peer=" + names.outer + "}");
    EXPECT_EQ(get("interface", names.outer, "options"), "{peer=" + names.inner + "}");
    EXPECT_EQ(get("port", names.inner, "external_ids"), "{hnv-vlan-uplink=br-ext}");
    EXPECT_EQ(get("port", names.outer, "external_ids"), "{hnv-vlan-uplink=br-ext}");
    EXPECT_TRUE(underlay_->facts().interfaces.empty());  // It is not a guest.

    int wakeups = 0;  // In a quarter of a second in which nothing happens.
    (void)test::run_until(
        *underlay_, [&] { return ++wakeups < 0; }, 250);
    EXPECT_LT(wakeups, 20);
}

// What the NIC hears on any VLAN gets to the integration bridge with its tag.
TEST_F(VlanUplinks, PassAllVlansWithTheirTags) {
    add_bridge("br-ext", "nic");
    make("br-ext");
    ovs_->vsctl({"set", "port", patch_names("br-ext").outer, "tag=5"});  // It is mended.
    ASSERT_TRUE(run_until([&] { return get("port", patch_names("br-ext").outer, "tag") == "[]"; }));
    const auto heard = [&] {
        const std::string trace = ovs_->appctl(
            {"ofproto/trace", "br-ext",
             "in_port=nic,dl_vlan=207,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff"});
        return trace.find("bridge(\"br-hnv\")") != std::string::npos &&
               trace.find("pop_vlan") == std::string::npos;
    };
    EXPECT_TRUE(run_until(heard));
    const std::string sent = ovs_->appctl(
        {"ofproto/trace-packet-out", "br-hnv", "dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff",
         "mod_vlan_vid:207,output:" + std::to_string(first().ofport)});
    EXPECT_NE(sent.find("bridge(\"br-ext\")"), std::string::npos) << sent;
    EXPECT_NE(sent.find("Datapath actions: push_vlan(vid=207"), std::string::npos) << sent;
}

TEST_F(VlanUplinks, AreReachedAgainWhenTheSwitchStartsAgain) {
    add_bridge("br-ext", "nic");
    make("br-ext");
    const std::string before = ports();
    ovs_->stop_switch();
    ovs_->start_switch();
    ovs_->vsctl({"set", "bridge", "br-ext", "external_ids:test=taken-over"});
    EXPECT_TRUE(run_until([&] {
        return get("interface", patch_names("br-ext").inner, "ofport") ==
               std::to_string(first().ofport);
    }));
    EXPECT_EQ(first().problem, "");
    EXPECT_EQ(ports(), before);
}

TEST_F(VlanUplinks, AreFoundByTheNicOfABridge) {
    add_bridge("br-ext", "nic");
    make("nic");
    EXPECT_EQ(ovs_->vsctl({"port-to-br", patch_names("nic").outer}), "br-ext");
}

TEST_F(VlanUplinks, GoWhenNoLongerWantedAndAnOperatorsPatchStays) {
    add_bridge("br-ext", "nic");
    ovs_->vsctl({"add-port", "br-ext", "hnvv-theirs", "--", "set", "interface", "hnvv-theirs",
                 "type=patch", "options:peer=none"});
    make("br-ext");
    want({});
    EXPECT_TRUE(underlay_->facts().vlan_uplinks.empty());
    EXPECT_TRUE(run_until([&] { return !has_patches(); })) << ports();
    EXPECT_EQ(ovs_->vsctl({"list-ports", "br-ext"}), "hnvv-theirs\nnic");
}

TEST_F(VlanUplinks, AreNotMadeAgainByAnAgentThatStartsAgain) {
    add_bridge("br-ext", "nic");
    make("br-ext");
    const std::string before = ports();
    const VlanUplink made = first();
    underlay_.reset();
    start_agent();
    // It takes nothing away while it does not know which uplinks there shall be, also when it has
    // heard of the provider addresses.
    ASSERT_TRUE(run_until([&] { return underlay_->facts().bridge_ready; }));
    underlay_->set_provider_addresses({});
    (void)test::run_until(
        *underlay_, [] { return false; }, 200);
    EXPECT_EQ(ports(), before);
    make("br-ext");
    EXPECT_EQ(first(), made);
    EXPECT_EQ(ports(), before);
}

TEST_F(VlanUplinks, ThatNobodyWantsAfterARestartGo) {
    add_bridge("br-ext", "nic");
    make("br-ext");
    underlay_.reset();
    start_agent();
    want({});
    EXPECT_TRUE(run_until([&] { return !has_patches(); })) << ports();
}

TEST_F(VlanUplinks, AreRefusedOnTheIntegrationBridgeItself) {
    want({"br-hnv"});
    EXPECT_TRUE(run_until([&] { return !first().problem.empty(); }));
    EXPECT_NE(first().problem.find("guests' bridge"), std::string::npos) << first().problem;
    EXPECT_EQ(first().ofport, 0U);
    EXPECT_FALSE(has_patches());
}

TEST_F(VlanUplinks, GetTheirPatchOnceThereIsABridge) {
    want({"br-ext"});
    ASSERT_TRUE(run_until([&] { return !first().problem.empty(); }));
    EXPECT_NE(first().problem.find("neither a NIC"), std::string::npos) << first().problem;
    add_bridge("br-ext", "nic");
    EXPECT_TRUE(run_until([&] { return first().ofport != 0; })) << first().problem;
    EXPECT_EQ(first().problem, "");
    ovs_->vsctl({"del-br", "br-ext"});
    EXPECT_TRUE(run_until([&] { return first().ofport == 0 && !has_patches(); }));
    EXPECT_NE(first().problem, "");
}

// One bridge serves the VLANs of a NIC and a provider address on it; it goes with the last of them.
TEST_F(VlanUplinks, OfANicInNoBridgeGetTheAgentsOwn) {
    make("nic");
    EXPECT_EQ(ovs_->vsctl({"port-to-br", "nic"}), "hnvu-nic");
    EXPECT_EQ(ovs_->vsctl({"port-to-br", patch_names("nic").outer}), "hnvu-nic");
    const std::string before = get("bridge", "hnvu-nic", "_uuid");

    const ProviderAddressConfig address{
        IpPrefix::parse("10.9.0.11/24").value(), {}, std::uint16_t{11}, {}, "nic"};
    underlay_->set_provider_addresses({address});
    const auto made = [&] { return underlay_->facts().provider_addresses.at(0).made; };
    ASSERT_TRUE(run_until(made)) << underlay_->facts().provider_addresses.at(0).problem;
    underlay_->set_provider_addresses({});
    ASSERT_TRUE(run_until([&] { return ports().find("hnvpa-") == std::string::npos; }));
    EXPECT_EQ(get("bridge", "hnvu-nic", "_uuid"), before);
    EXPECT_NE(first().ofport, 0U);

    want({});
    EXPECT_TRUE(run_until([&] { return ovs_->vsctl({"list-br"}) == "br-hnv"; }));
}

TEST_F(VlanUplinks, DoNotTakeAPortOfAnOperatorsInTheWay) {
    add_bridge("br-ext", "nic");
    const std::string name = patch_names("br-ext").inner;
    ovs_->vsctl({"add-port", "br-ext", name, "--", "set", "interface", name, "type=internal"});
    want({"br-ext"});
    ASSERT_TRUE(run_until([&] { return !first().problem.empty(); }));
    EXPECT_NE(first().problem.find("not the agent's"), std::string::npos) << first().problem;
    EXPECT_EQ(get("interface", name, "type"), "internal");
    ovs_->vsctl({"del-port", "br-ext", name});
    EXPECT_TRUE(run_until([&] { return first().ofport != 0; })) << first().problem;
}

// Uplinks change, and so does the bridge that has a NIC.
TEST_F(VlanUplinks, FollowTheNicToAnotherBridge) {
    add_bridge("br-ext", "nic");
    make("nic");
    ovs_->vsctl({"del-port", "br-ext", "nic", "--", "add-br", "br-two", "--", "set", "bridge",
                 "br-two", "datapath_type=netdev", "--", "add-port", "br-two", "nic"});
    EXPECT_TRUE(run_until([&] {
        return ovs_->vsctl({"list-ports", "br-two"}) == patch_names("nic").outer + "\nnic";
    })) << ports();
    EXPECT_EQ(ovs_->vsctl({"list-ports", "br-ext"}), "");
    EXPECT_EQ(first().problem, "");
}

}  // namespace
}  // namespace hnv::underlay
