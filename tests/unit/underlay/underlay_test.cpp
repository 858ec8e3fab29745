#include "underlay/underlay.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "support/open_vswitch.h"

namespace hnv::underlay {
namespace {

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

TEST(ProviderAddressStates, ToldFromTheHostsAddresses) {
    Facts facts;
    facts.addresses = {{"eth0", address("192.168.1.10"), 24, false},
                       {"eth1", address("192.168.1.10"), 24, true},
                       {"eth2", address("192.168.1.11"), 24, false}};
    const std::array wanted{address("192.168.1.10"), address("192.168.1.11"),
                            address("192.168.1.12")};

    const std::vector<ProviderAddressState> states = provider_address_states(facts, wanted);
    ASSERT_EQ(states.size(), 3U);
    EXPECT_EQ(states[0], (ProviderAddressState{wanted[0], "eth1", true}));
    EXPECT_EQ(states[1], (ProviderAddressState{wanted[1], "", false}));  // Its link is down.
    EXPECT_EQ(states[2], (ProviderAddressState{wanted[2], "", false}));
}

TEST(Underlay, GathersSwitchAndHost) {
    if (!test::enter_new_network_namespace()) {
        GTEST_SKIP() << "needs the right to make a network namespace";
    }
    test::OpenVswitch ovs;
    ovs.start_switch();
    Underlay underlay({ovs.remote(), "br-hnv", "auto"});
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

    ASSERT_EQ(test::wait_for_exit(test::start({"ip", "link", "set", "lo", "up"}, "/dev/null")), 0);
    const std::array wanted{address("127.0.0.1")};
    EXPECT_TRUE(test::run_until(underlay,
                                [&] { return provider_address_states(facts, wanted)[0].present; }));
}

}  // namespace
}  // namespace hnv::underlay
