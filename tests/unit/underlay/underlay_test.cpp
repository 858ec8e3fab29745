#include "underlay/underlay.h"

#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "ovs-integration/host_network.h"
#include "support/open_vswitch.h"

namespace hnv::underlay {
namespace {

IpPrefix prefix(const char* text) { return IpPrefix::parse(text).value(); }

void ip(const std::string& arguments) {
    std::vector<std::string> command{"ip"};
    std::istringstream words(arguments);
    for (std::string word; words >> word;) {
        command.push_back(word);
    }
    ASSERT_EQ(test::wait_for_exit(test::start(command, "/dev/null")), 0) << arguments;
}

TEST(Underlay, GathersSwitchAndHost) {
    if (!test::enter_new_network_namespace()) {
        GTEST_SKIP() << "needs the right to make a network namespace";
    }
    test::OpenVswitch ovs;
    ovs.start_switch();
    Underlay underlay({ovs.remote(), "br-hnv", "auto", ovs.directory()});
    const Facts& facts = underlay.facts();

    ASSERT_TRUE(test::run_until(underlay, [&] { return facts.bridge_ready; })) << facts.problem;
    EXPECT_TRUE(facts.switch_db_connected);
    EXPECT_NE(facts.vxlan_ofport, 0U);
    EXPECT_NE(facts.nvgre_ofport, 0U);
    EXPECT_TRUE(facts.interfaces.empty());  // The tunnels are not guests.

    ovs.vsctl({"add-port", "br-hnv", "nic", "--", "set", "interface", "nic", "type=internal", "--",
               "add-port", "br-hnv", "guest", "--", "set", "interface", "guest", "type=internal",
               "external_ids:iface-id=port-1"});
    ASSERT_TRUE(test::run_until(underlay, [&] { return !facts.interfaces.empty(); }));
    ASSERT_EQ(facts.interfaces.size(), 1U);
    EXPECT_EQ(facts.interfaces[0].iface_id, "port-1");

    ip("link set lo up");
    underlay.set_provider_addresses({{prefix("127.0.0.1"), {}, {}, {}, ""}});
    EXPECT_TRUE(test::run_until(underlay, [&] {
        return !facts.provider_addresses.empty() && facts.provider_addresses[0].present;
    }));
    EXPECT_FALSE(facts.provider_addresses[0].made);
    EXPECT_EQ(facts.provider_addresses[0].interface, "lo");
}

class MadeAddress : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ovs_.emplace();
        ovs_->start_switch();
        ip("link add nic mtu 1600 type veth peer name wire");
        ip("link set wire mtu 1600 up");
        start_agent();
    }

    void start_agent() {
        underlay_.emplace(Config{ovs_->remote(), "br-hnv", "auto", ovs_->directory()});
    }
    bool run_until(const std::function<bool()>& condition) {
        return test::run_until(*underlay_, condition);
    }
    // Of the one address wanted.
    ProviderAddressState state() const {
        const auto& states = underlay_->facts().provider_addresses;
        return states.empty() ? ProviderAddressState{} : states[0];
    }
    static std::vector<ProviderAddressConfig> wanted(std::optional<std::uint16_t> vlan = 11) {
        return {{prefix("10.9.0.11/24"), IpAddress::parse("10.9.0.1"), vlan, {}, "nic"}};
    }
    bool routed() {
        const std::string shown = ovs_->appctl({"ovs/route/show"});
        return shown.find("User: 0.0.0.0/0 MARK " + std::to_string(state().mark) + " dev " +
                          state().interface + " GW 10.9.0.1 SRC 10.9.0.11") != std::string::npos;
    }
    void make() {
        underlay_->set_provider_addresses(wanted());
        ASSERT_TRUE(run_until([&] { return state().present && routed(); })) << state().problem;
    }

    std::optional<test::OpenVswitch> ovs_;
    std::optional<Underlay> underlay_;
};

TEST_F(MadeAddress, HasAPortOnABridgeAroundItsNicAndACompartment) {
    make();
    const ProviderAddressState made = state();
    EXPECT_TRUE(made.made);
    EXPECT_EQ(made.mtu, 1600U);
    EXPECT_EQ(made.problem, "");
    EXPECT_EQ(made.interface, interface_name(made.mark));
    EXPECT_EQ(ovs_->vsctl({"port-to-br", made.interface}), "hnvu-nic");
    EXPECT_EQ(ovs_->vsctl({"port-to-br", "nic"}), "hnvu-nic");
    EXPECT_EQ(ovs_->vsctl({"get", "port", made.interface, "tag"}), "11");
    EXPECT_EQ(ovs_->vsctl({"get", "port", made.interface, "external_ids"}),
              "{hnv-provider-address=\"10.9.0.11/24\"}");
    EXPECT_EQ(ovs_->vsctl({"get", "bridge", "hnvu-nic", "external_ids"}), "{hnv-uplink=nic}");
    EXPECT_EQ(ovs::read_sysctl("net/ipv4/conf/nic/arp_ignore"), "8");
    EXPECT_EQ(ovs::read_sysctl("net/ipv4/conf/" + made.interface + "/arp_ignore"), "1");
    EXPECT_EQ(ovs::read_sysctl("net/ipv4/conf/" + made.interface + "/arp_announce"), "2");
    const auto fdb = [&] { return ovs_->appctl({"fdb/show", "hnvu-nic"}); };
    EXPECT_NE(fdb().find("11  02:48:0a:09:00:0b  static"), std::string::npos) << fdb();
}

TEST_F(MadeAddress, IsTheSameForAnAgentThatStartsAgain) {
    make();
    const ProviderAddressState before = state();
    const auto ports = [&] { return ovs_->vsctl({"--columns=_uuid", "--bare", "list", "port"}); };
    const std::string ports_before = ports();
    underlay_.reset();
    start_agent();
    // Until it knows the rows it takes nothing away.
    ASSERT_TRUE(run_until([&] { return underlay_->facts().bridge_ready; }));
    (void)test::run_until(
        *underlay_, [] { return false; }, 200);
    EXPECT_EQ(ports(), ports_before);
    make();
    EXPECT_EQ(state(), before);
    EXPECT_EQ(ports(), ports_before);
}

TEST_F(MadeAddress, GoesWithItsRowAndItsBridgeWithIt) {
    make();
    underlay_->set_provider_addresses({});
    EXPECT_TRUE(run_until([&] {
        return ovs_->vsctl({"list-br"}) == "br-hnv" &&
               ovs_->appctl({"ovs/route/show"}).find("User:") == std::string::npos;
    }));
    EXPECT_TRUE(underlay_->facts().provider_addresses.empty());
}

TEST_F(MadeAddress, LeavesABridgeThatHasGotAPortOfTheOperators) {
    make();
    ovs_->vsctl(
        {"add-port", "hnvu-nic", "theirs", "--", "set", "interface", "theirs", "type=internal"});
    underlay_->set_provider_addresses({});
    EXPECT_TRUE(run_until([&] {
        return ovs_->vsctl({"list-ports", "hnvu-nic"}) == "nic\ntheirs";
    })) << ovs_->vsctl({"list-ports", "hnvu-nic"});
}

TEST_F(MadeAddress, FollowsItsRow) {
    make();
    underlay_->set_provider_addresses(wanted(std::nullopt));
    EXPECT_TRUE(run_until([&] {
        return ovs_->vsctl({"get", "port", state().interface, "tag"}) == "[]";
    }));
    std::vector<ProviderAddressConfig> shorter = wanted();
    shorter[0].address.length = 16;
    underlay_->set_provider_addresses(shorter);
    EXPECT_TRUE(run_until([&] {
        return ovs_->appctl({"ovs/route/show"}).find("User: 10.9.0.0/16") != std::string::npos;
    })) << ovs_->appctl({"ovs/route/show"});
    EXPECT_EQ(ovs_->appctl({"ovs/route/show"}).find("User: 10.9.0.0/24"), std::string::npos);
}

// Somebody flushes what the switch has in memory, as a restart of it does.
TEST_F(MadeAddress, GetsItsRoutesBack) {
    make();
    const std::string mark = "pkt_mark=" + std::to_string(state().mark);
    ovs_->appctl({"ovs/route/del", "0.0.0.0/0", mark});
    ASSERT_FALSE(routed());
    EXPECT_TRUE(run_until([&] { return routed(); }));
}

// A bridge's name that is the operator's, and one of another's name in the way.
TEST_F(MadeAddress, IsNotMadeOverAnOperatorsPort) {
    const std::string name = interface_name(marks_of(wanted()).begin()->second);
    ovs_->vsctl({"add-br", "br-op", "--", "set", "bridge", "br-op", "datapath_type=netdev", "--",
                 "add-port", "br-op", name, "--", "set", "interface", name, "type=internal"});
    underlay_->set_provider_addresses(wanted());
    EXPECT_TRUE(run_until([&] {
        return state().problem.find("provider addresses") != std::string::npos ||
               state().problem.find("not the agent's") != std::string::npos;
    })) << state().problem;
    EXPECT_FALSE(state().present);
    EXPECT_EQ(ovs_->vsctl({"port-to-br", name}), "br-op");
}

}  // namespace
}  // namespace hnv::underlay
