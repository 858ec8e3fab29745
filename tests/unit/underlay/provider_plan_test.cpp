// What is adopted, what is made and how, what is refused: from rows and the state of host and
// switch alone.
#include "underlay/provider_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hnv::underlay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
MacAddress mac(const char* text) { return MacAddress::parse(text).value(); }

ProviderAddressConfig row(const char* address, const char* uplink, const char* gateway = nullptr) {
    ProviderAddressConfig config;
    config.address = IpPrefix::parse(address).value();
    config.uplink = uplink;
    if (gateway != nullptr) {
        config.gateway = ip(gateway);
    }
    return config;
}

class ProviderPlan : public testing::Test {
  protected:
    ProviderPlan() {
        link("eth0", 1500, "02:00:00:00:00:e0");
        link("eth1", 1600, "02:00:00:00:00:e1");
        carry("eth0", "198.51.100.5", 24);
        bridge("br-hnv", {port("hnv-vxlan", "vxlan")});
    }

    void link(const char* name, unsigned mtu, const char* address, const char* master = "") {
        links_.push_back(
            {name, static_cast<int>(links_.size()) + 1, mac(address), mtu, true, master});
    }
    void carry(const char* interface, const char* address, unsigned length, bool up = true) {
        addresses_.push_back({interface, ip(address), length, up});
    }
    static ovs::SwitchPort port(const std::string& name, const char* type = "") {
        return {name, {name}, type, false, true, ""};
    }
    ovs::SwitchBridge& bridge(const char* name, std::vector<ovs::SwitchPort> ports,
                              const char* type = "netdev") {
        return bridges_.emplace_back(ovs::SwitchBridge{name, type, false, std::move(ports)});
    }
    Plan plan(std::vector<ProviderAddressConfig> rows) {
        return make_plan(rows, uplinks_, {"br-hnv", datapath_type_, bridges_, addresses_, links_});
    }
    // The sentence for the one row.
    std::string refusal(ProviderAddressConfig config) {
        const Plan made = plan({std::move(config)});
        EXPECT_EQ(made.addresses.at(0).means, Means::Refused);
        EXPECT_EQ(made.addresses.at(0).mark, 0U);
        EXPECT_THAT(made.ports, IsEmpty());
        EXPECT_THAT(made.bridges, IsEmpty());
        return made.addresses.at(0).problem;
    }

    std::string datapath_type_ = "netdev";
    std::vector<std::string> uplinks_;
    std::vector<ovs::SwitchBridge> bridges_;
    std::vector<ovs::HostAddress> addresses_;
    std::vector<ovs::HostLink> links_;
};

TEST_F(ProviderPlan, AdoptsWhatTheHostCarries) {
    carry("br-pa", "192.168.1.10", 24);
    const Plan made = plan({row("192.168.1.10/24", "br-pa", "192.168.1.1")});
    ASSERT_THAT(made.addresses, SizeIs(1));
    EXPECT_EQ(made.addresses[0].means, Means::Adopted);
    EXPECT_EQ(made.addresses[0].interface, "br-pa");
    EXPECT_EQ(made.addresses[0].mark, 0U);  // The only one: the host's own routes serve it.
    EXPECT_THAT(made.ports, IsEmpty());
    EXPECT_THAT(made.bridges, IsEmpty());
    EXPECT_THAT(made.quiet, IsEmpty());
    // With no prefix length, no uplink and no switch, too.
    datapath_type_.clear();
    EXPECT_EQ(plan({row("192.168.1.10", "")}).addresses[0].means, Means::Adopted);
}

TEST_F(ProviderPlan, AdoptsAnAddressWhoseLinkIsDownRatherThanMakeASecond) {
    carry("br-pa", "192.168.1.10", 24, false);
    EXPECT_EQ(plan({row("192.168.1.10/24", "eth1")}).addresses[0].interface, "br-pa");
    carry("br-up", "192.168.1.10", 24);
    EXPECT_EQ(plan({row("192.168.1.10/24", "eth1")}).addresses[0].interface, "br-up");
}

TEST_F(ProviderPlan, OfSeveralAdoptedOnesThoseWithAGatewayGetACompartment) {
    carry("br-pa", "192.168.1.10", 24);
    carry("br-pb", "192.168.2.10", 25);
    const Plan made = plan({row("192.168.1.10/24", "", "192.168.1.1"), row("192.168.2.10", "")});
    EXPECT_GE(made.addresses[0].mark, kFirstMark);
    EXPECT_EQ(made.addresses[1].mark, 0U);
    EXPECT_EQ(made.addresses[1].neighbours.to_string(), "192.168.2.0/25");  // As the host has it.
}

TEST_F(ProviderPlan, MakesABridgeAroundANic) {
    ProviderAddressConfig config = row("192.168.1.10/24", "eth1", "192.168.1.1");
    config.vlan = 11;
    const Plan made = plan({config, row("192.168.1.11/24", "eth1")});
    EXPECT_THAT(made.bridges, ElementsAre(ovs::OwnBridge{"hnvu-eth1", "netdev", "eth1",
                                                         bridge_mac(mac("02:00:00:00:00:e1"))}));
    EXPECT_THAT(made.quiet, ElementsAre(QuietDevice{"eth1", 8}));
    ASSERT_THAT(made.ports, SizeIs(2));
    const PlannedAddress& first = made.addresses[0];
    EXPECT_EQ(first.means, Means::Made);
    EXPECT_EQ(first.interface, interface_name(first.mark));
    EXPECT_EQ(made.ports[0], (ovs::OwnPort{first.interface, "hnvu-eth1", 11,
                                           mac("02:48:c0:a8:01:0a"), 1600, "192.168.1.10/24"}));
    EXPECT_EQ(made.ports[1].vlan, std::nullopt);
    EXPECT_NE(made.addresses[1].mark, first.mark);
}

TEST_F(ProviderPlan, GoesOnWithItsOwnBridgeWhenTheNicIsAway) {
    ovs::SwitchBridge& own = bridge("hnvu-eth7", {port("eth7"), port("hnvu-eth7", "internal")});
    own.own = true;
    const Plan made = plan({row("192.168.1.10/24", "eth7")});
    EXPECT_EQ(made.addresses[0].bridge, "hnvu-eth7");
    EXPECT_THAT(made.bridges, SizeIs(1));
}

TEST_F(ProviderPlan, UsesABridgeOfTheOperatorByItsNameOrItsNic) {
    link("br-pa", 1500, "02:00:00:00:00:b0");
    bridge("br-pa", {port("br-pa", "internal"), port("eth1")});
    for (const char* uplink : {"br-pa", "eth1"}) {
        const Plan made = plan({row("192.168.1.10/24", uplink)});
        EXPECT_EQ(made.addresses[0].bridge, "br-pa") << made.addresses[0].problem;
        EXPECT_THAT(made.bridges, IsEmpty());
        EXPECT_EQ(made.ports.at(0).mtu, 1600U);  // The NIC's; the bridge's own says nothing.
        EXPECT_THAT(made.quiet, ElementsAre(QuietDevice{"br-pa", 1}, QuietDevice{"eth1", 1}));
    }
}

TEST_F(ProviderPlan, RefusesWhatItCanNotOrMustNotTake) {
    link("eth2", 1500, "02:00:00:00:00:e2", "bond0");
    bridge("br-kernel", {port("eth3")}, "system");
    bridge("hnvu-eth1", {port("hnvu-eth1", "internal")});
    EXPECT_THAT(refusal(row("192.168.1.10/24", "")), HasSubstr("uplink"));
    EXPECT_THAT(refusal(row("192.168.1.10", "eth1")), HasSubstr("192.168.1.10/24"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth9")), HasSubstr("neither a NIC"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth0")), HasSubstr("cut off"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth2")), HasSubstr("member of bond0"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "br-hnv")), HasSubstr("guests' bridge"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth3")), HasSubstr("datapath type system"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth1", "192.168.2.1")), HasSubstr("not in"));
    EXPECT_THAT(refusal(row("192.168.1.10/24", "eth1")), HasSubstr("not the agent's"));
}

// The agent makes it itself, so it may not be there at first, or be a mere internal device.
TEST_F(ProviderPlan, RefusesTheIntegrationBridgeBeforeItIsThere) {
    bridges_.clear();
    link("br-hnv", 1500, "02:00:00:00:00:b1");
    EXPECT_THAT(refusal(row("192.168.1.10/24", "br-hnv")), HasSubstr("guests' bridge"));
    uplinks_ = {"br-hnv"};
    EXPECT_THAT(plan({}).uplinks.at(0).problem, HasSubstr("guests' bridge"));
}

TEST_F(ProviderPlan, RefusesTheMacAddressOfTheNic) {
    ProviderAddressConfig config = row("192.168.1.10/24", "eth1");
    config.mac = mac("02:00:00:00:00:e1");
    EXPECT_THAT(refusal(config), HasSubstr("choose another"));
    config.mac = mac("02:00:00:00:00:aa");
    EXPECT_EQ(plan({config}).ports.at(0).mac, config.mac);
}

TEST_F(ProviderPlan, ASecondRowOfOneAddressIsRefused) {
    const Plan made = plan({row("192.168.1.10/24", "eth1"), row("192.168.1.10/25", "eth1")});
    EXPECT_EQ(made.addresses[0].means, Means::Made);
    EXPECT_THAT(made.addresses[1].problem, HasSubstr("another row"));
    EXPECT_THAT(made.ports, SizeIs(1));
}

TEST_F(ProviderPlan, DecidesNothingNewBeforeTheSwitchIsKnown) {
    datapath_type_.clear();
    const Plan made = plan({row("192.168.1.10/24", "eth1")});
    EXPECT_EQ(made.addresses[0].means, Means::Undecided);
    EXPECT_NE(made.addresses[0].mark, 0U);  // The flows are the same before and after.
}

// What an agent's own interface carries is no reason to adopt it.
TEST_F(ProviderPlan, KnowsItsOwnInterfaces) {
    const std::string own = plan({row("192.168.1.10/24", "eth1")}).addresses[0].interface;
    carry(own.c_str(), "192.168.1.10", 24);
    EXPECT_EQ(plan({row("192.168.1.10/24", "eth1")}).addresses[0].means, Means::Made);
}

TEST(ProviderAddressNames, AreStableAndFit) {
    EXPECT_EQ(bridge_name("eth1"), "hnvu-eth1");
    EXPECT_EQ(bridge_name("enp65s0f0"), "hnvu-enp65s0f0");
    EXPECT_EQ(bridge_name("enp65s0f0np"), bridge_name("enp65s0f0np"));
    EXPECT_NE(bridge_name("enp65s0f0np0"), bridge_name("enp65s0f0np1"));
    EXPECT_EQ(bridge_name("enp65s0f0np0").size(), 15U);
    EXPECT_EQ(interface_name(0x480000ab), "hnvpa-0000ab");
    EXPECT_TRUE(is_interface_name(interface_name(kLastMark)));
    EXPECT_EQ(interface_mac(ip("10.9.0.11")).to_string(), "02:48:0a:09:00:0b");
    EXPECT_NE(interface_mac(ip("2001:db8::1")), interface_mac(ip("2001:db8::2")));
    EXPECT_FALSE(interface_mac(ip("2001:db8::1")).is_multicast());
}

// The numbers are in flows and on disk: they must not change with a version.
TEST_F(ProviderPlan, LeadsToTheVlansOfABridgeAndOfABridgesNic) {
    bridge("br-ext", {port("eth1")});
    uplinks_ = {"br-ext", "eth1"};
    const Plan made = plan({});
    const PatchNames one = patch_names("br-ext");
    const PatchNames two = patch_names("eth1");
    EXPECT_THAT(made.patches, ElementsAre(ovs::OwnPatch{one.inner, "br-hnv", one.outer, "br-ext"},
                                          ovs::OwnPatch{one.outer, "br-ext", one.inner, "br-ext"},
                                          ovs::OwnPatch{two.inner, "br-hnv", two.outer, "eth1"},
                                          ovs::OwnPatch{two.outer, "br-ext", two.inner, "eth1"}));
    EXPECT_THAT(made.uplinks, ElementsAre(PlannedUplink{"br-ext", one.inner, ""},
                                          PlannedUplink{"eth1", two.inner, ""}));
    EXPECT_THAT(made.bridges, IsEmpty());
    EXPECT_THAT(made.quiet, IsEmpty());  // The bridge's devices are as they were.
}

TEST_F(ProviderPlan, OneBridgeAroundANicServesAddressesAndVlans) {
    uplinks_ = {"eth1"};
    Plan made = plan({row("192.168.1.10/24", "eth1")});
    EXPECT_THAT(made.bridges, SizeIs(1));
    EXPECT_THAT(made.quiet, ElementsAre(QuietDevice{"eth1", 8}));
    ASSERT_THAT(made.patches, SizeIs(2));
    EXPECT_EQ(made.patches[1].bridge, "hnvu-eth1");
    // It is there by now, and the address's row goes.
    bridge("hnvu-eth1", {port("eth1")}).own = true;
    made = plan({});
    EXPECT_THAT(made.bridges, SizeIs(1));
    EXPECT_EQ(made.patches[1].bridge, "hnvu-eth1");
}

TEST_F(ProviderPlan, SaysWhyAnUplinksVlansCanNotBeReached) {
    bridge("br-kernel", {}, "system");
    bridge("hnvu-eth1", {port("eth1")}).own = true;
    bridge("br-op", {port(patch_names("eth2").outer, "patch")});
    link("slave", 1500, "02:00:00:00:00:e3", "bond0");
    const std::vector<std::pair<const char*, const char*>> expected{
        {"br-hnv", "guests' bridge"},
        {"br-kernel", "datapath type system"},
        {"eth0", "put it into a bridge of Open vSwitch yourself"},
        {"eth2", "is not the agent's: delete it"},
        {"hnvu-eth1", "name its NIC"},
        {"nowhere", "neither a NIC"},
        {"slave", "member of bond0"},
    };
    for (const auto& [uplink, sentence] : expected) {
        uplinks_ = {uplink};
        const Plan made = plan({});
        ASSERT_THAT(made.uplinks, SizeIs(1));
        EXPECT_THAT(made.uplinks[0].problem, HasSubstr(sentence));
        EXPECT_EQ(made.uplinks[0].port, "");
        EXPECT_THAT(made.patches, IsEmpty());
        EXPECT_THAT(made.bridges, IsEmpty());
    }
    datapath_type_.clear();  // Before the switch is known, nothing is.
    uplinks_ = {"nowhere"};
    EXPECT_EQ(plan({}).uplinks.at(0), (PlannedUplink{"nowhere", "", ""}));
}

// The names are those of ports in the switch: an agent that starts has to find them.
TEST(VlanUplinkPatch, HasNamesThatFollowFromTheUplink) {
    EXPECT_EQ(patch_names("br-ext").inner, "hnvt-24b647");
    EXPECT_EQ(patch_names("br-ext").outer, "hnvv-24b647");
}

TEST_F(ProviderPlan, OfTwoUplinksWithTheSameHashTheSecondIsRefused) {
    std::map<std::string, std::string> seen;  // By the name of the port.
    for (int i = 0; uplinks_.empty(); ++i) {
        const std::string uplink = "br-" + std::to_string(i);
        const auto [first, fresh] = seen.emplace(patch_names(uplink).inner, uplink);
        if (!fresh) {
            uplinks_ = {first->second, uplink};
        }
    }
    bridge(uplinks_[0].c_str(), {});
    bridge(uplinks_[1].c_str(), {});
    const Plan made = plan({});
    EXPECT_EQ(made.uplinks[0].problem, "");
    EXPECT_THAT(made.uplinks[1].problem, HasSubstr("rename one of the two"));
    EXPECT_THAT(made.patches, SizeIs(2));
}

TEST(ProviderAddressMarks, AreAFunctionOfTheAddress) {
    const auto rows = [](std::initializer_list<const char*> addresses) {
        std::vector<ProviderAddressConfig> configs;
        for (const char* address : addresses) {
            configs.push_back(row(address, ""));
        }
        return configs;
    };
    const auto marks = marks_of(rows({"10.9.0.11/24", "2001:db8::11/64"}));
    EXPECT_EQ(marks.at(ip("10.9.0.11")), 1212795164U);
    EXPECT_EQ(marks.at(ip("2001:db8::11")), 1221546323U);
    EXPECT_EQ(marks_of(rows({"10.9.0.12/24", "10.9.0.11/25"})).at(ip("10.9.0.11")), 1212795164U);
}

TEST(ProviderAddressMarks, AreDifferentForTheAddressesOfAHost) {
    std::vector<ProviderAddressConfig> configs;
    for (std::uint32_t i = 0; i < 20000; ++i) {  // Among so many, some have the same hash.
        configs.push_back({{IpAddress::from_v4(0x0a000000 + i), 24}, {}, {}, {}, ""});
    }
    std::set<std::uint32_t> distinct;
    for (const auto& [address, mark] : marks_of(configs)) {
        EXPECT_GE(mark, kFirstMark);
        EXPECT_LE(mark, kLastMark);
        distinct.insert(mark);
    }
    EXPECT_EQ(distinct.size(), configs.size());
}

}  // namespace
}  // namespace hnv::underlay
