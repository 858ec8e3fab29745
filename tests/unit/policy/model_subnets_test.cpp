// Virtual subnets, routers and the answers that follow from them.
#include <gtest/gtest.h>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::mac;
constexpr auto kSubnet = SourceTable::MsVtepLogicalSwitch;
constexpr auto kRouter = SourceTable::MsVtepLogicalRouter;
constexpr auto kMapping = SourceTable::MsVtepUcastMacsRemote;
constexpr auto kLocator = SourceTable::MsVtepPhysicalLocator;
constexpr std::uint64_t kSqlMac = 0x00155d50010b;
constexpr std::uint64_t kWebMac = 0x00155d50010c;

class ModelSubnets : public testing::Test, public test::PolicyBuilder {
  protected:
    std::string duplicate(std::uint32_t row) const {
        return fault(kSubnet, row, FaultKey::VsidDuplicate);
    }
    std::string two_routers(std::uint32_t row) const {
        return fault(kRouter, row, FaultKey::SubnetTwoRouters);
    }
};

TEST_F(ModelSubnets, TheFirstOfTwoRowsWithOneVsidStaysInForce) {
    subnet(1, 5001);
    commit();
    subnet(2, 5001);
    locator(1, "192.168.2.20");
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 2, 1, kWebMac, "10.1.1.12");
    commit();

    EXPECT_EQ(duplicate(1), "");
    EXPECT_NE(duplicate(2).find("5001"), std::string::npos);
    EXPECT_NE(duplicate(2).find("subnet-1"), std::string::npos) << duplicate(2);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), mac(kSqlMac));
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), std::nullopt);
    EXPECT_TRUE(mac_view(5001, kSqlMac));
    EXPECT_FALSE(mac_view(5001, kWebMac));
}

TEST_F(ModelSubnets, WhenTheFirstGoesTheSecondComesIntoForce) {
    subnet(1, 5001);
    subnet(2, 5001);
    locator(1, "192.168.2.20");
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 2, 1, kWebMac, "10.1.1.12");
    commit();
    remove(kSubnet, 1);
    commit();

    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), std::nullopt);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), mac(kWebMac));
    EXPECT_FALSE(mac_view(5001, kSqlMac));
    EXPECT_TRUE(mac_view(5001, kWebMac));
}

TEST_F(ModelSubnets, ADuplicateHealsWithAnotherVsid) {
    subnet(1, 5001);
    subnet(2, 5001);
    commit();
    EXPECT_NE(duplicate(2), "");
    subnet(2, 5002);
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_TRUE(subnet_view(5002));
}

TEST_F(ModelSubnets, ARemovedDuplicateTakesItsFaultAlong) {
    subnet(1, 5001);
    subnet(2, 5001);
    commit();
    remove(kSubnet, 2);
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelSubnets, AnotherVsidMovesFlowsAndAnswers) {
    subnet(1, 5001);
    locator(1, "192.168.2.20");
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    subnet(1, 5002);
    commit();

    EXPECT_EQ(neighbours.size(), 2U);
    EXPECT_EQ(neighbours.find(5002, ip("10.1.1.11")), mac(kSqlMac));
    EXPECT_EQ(neighbours.find(5002, ip("10.1.1.1")), Model::kDefaultRouterMac);
    EXPECT_FALSE(subnet_view(5001));
    EXPECT_EQ(mac_view(5002, kSqlMac)->locator.pa, ip("192.168.2.20"));
}

TEST_F(ModelSubnets, AnotherNameChangesNoObject) {
    subnet(1, 5001);
    commit();
    model.put(test::uuid(1), SubnetSpec{5001, "renamed", "other"});
    EXPECT_TRUE(commit().empty());
}

TEST_F(ModelSubnets, TheGatewayIsTheLowestAddressOrTheOneGiven) {
    subnet(1, 5001);
    subnet(2, 5002);
    subnet(3, 5003);
    router(1, {{"10.1.1.0/24", 1}, {"10.1.2.254/24", 2}, {"2001:db8::/64", 3}});
    commit();

    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), Model::kDefaultRouterMac);
    EXPECT_EQ(neighbours.find(5002, ip("10.1.2.254")), Model::kDefaultRouterMac);
    EXPECT_EQ(neighbours.find(5003, ip("2001:db8::1")), Model::kDefaultRouterMac);
    EXPECT_EQ(neighbours.find(5003, link_local_of(Model::kDefaultRouterMac)),
              Model::kDefaultRouterMac);
    EXPECT_EQ(neighbours.size(), 4U);
    EXPECT_EQ(subnet_view(5001)->router->mac, Model::kDefaultRouterMac);
}

TEST_F(ModelSubnets, AHostPrefixIsItsOwnGateway) {
    subnet(1, 5001);
    router(1, {{"10.1.1.255/32", 1}});
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.255")), Model::kDefaultRouterMac);
}

TEST_F(ModelSubnets, TheRouterMacCanBeSet) {
    subnet(1, 5001);
    subnet(2, 5002);
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    model.set_router_mac(mac(0x020000000001));
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), mac(0x020000000001));
    EXPECT_EQ(subnet_view(5001)->router->mac, mac(0x020000000001));
    EXPECT_FALSE(subnet_view(5002)->router);
}

TEST_F(ModelSubnets, ADisabledRouterRoutesNothing) {
    subnet(1, 5001);
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    router(1, {{"10.1.1.0/24", 1}}, false);
    commit();
    EXPECT_EQ(neighbours.size(), 0U);
    EXPECT_FALSE(subnet_view(5001)->router);
}

TEST_F(ModelSubnets, TheGatewayHidesAMappingOfItsAddressWhileItIsThere) {
    subnet(1, 5001);
    locator(1, "192.168.2.20");
    mapping(1, 1, 1, kSqlMac, "10.1.1.1");
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), Model::kDefaultRouterMac);
    remove(kRouter, 1);
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), mac(kSqlMac));
}

TEST_F(ModelSubnets, ASubnetBelongsToTheFirstRouterThatBindsIt) {
    subnet(1, 5001);
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    router(2, {{"10.1.1.254/24", 1}});
    commit();
    EXPECT_EQ(two_routers(1), "");
    EXPECT_NE(two_routers(2).find("10.1.1.254/24"), std::string::npos) << two_routers(2);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.254")), std::nullopt);

    remove(kRouter, 1);
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), std::nullopt);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.254")), Model::kDefaultRouterMac);
}

TEST_F(ModelSubnets, AChangedRouterKeepsItsSubnets) {
    subnet(1, 5001);
    router(1, {{"10.1.1.0/24", 1}});
    router(2, {{"10.1.1.254/24", 1}});
    commit();
    RouterSpec renamed{"renamed", true, {{test::prefix("10.1.1.9/24"), test::uuid(1)}}};
    model.put(test::uuid(1), renamed);
    commit();
    EXPECT_EQ(two_routers(1), "");
    EXPECT_NE(two_routers(2), "");
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.9")), Model::kDefaultRouterMac);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), std::nullopt);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.254")), std::nullopt);

    router(1, {{"10.1.1.0/24", 1}}, false);  // Switched off, it keeps them unrouted.
    commit();
    EXPECT_NE(two_routers(2), "");
    EXPECT_FALSE(subnet_view(5001)->router);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.254")), std::nullopt);
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_EQ(two_routers(1), "");
    EXPECT_TRUE(subnet_view(5001)->router);
    remove(SourceTable::MsVtepLogicalRouter, 1);
    commit();
    EXPECT_EQ(two_routers(2), "");
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.254")), Model::kDefaultRouterMac);
}

TEST_F(ModelSubnets, EachPrefixOfASubnetHasAGateway) {
    subnet(1, 5001);
    router(1, {{"10.1.1.0/24", 1}, {"10.1.2.254/24", 1}, {"2001:db8::/64", 1}});
    commit();
    for (const char* gateway : {"10.1.1.1", "10.1.2.254", "2001:db8::1"}) {
        EXPECT_EQ(neighbours.find(5001, ip(gateway)), Model::kDefaultRouterMac) << gateway;
    }
    EXPECT_TRUE(faults.all().empty());
    router(1, {{"10.1.1.0/24", 1}, {"10.1.3.0/24", 1}});
    commit();
    EXPECT_EQ(neighbours.size(), 2U);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.3.1")), Model::kDefaultRouterMac);
    subnet(1, 5002);
    commit();
    EXPECT_EQ(neighbours.size(), 2U);
    EXPECT_EQ(neighbours.find(5002, ip("10.1.1.1")), Model::kDefaultRouterMac);
    remove(kRouter, 1);
    commit();
    EXPECT_EQ(neighbours.size(), 0U);
}

// One that is switched off stands in line all the same, and its fault tells after a restart where.
TEST_F(ModelSubnets, ASecondRouterHealsByBindingNothing) {
    subnet(1, 5001);
    router(1, {{"10.1.1.0/24", 1}});
    router(2, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_NE(two_routers(2), "");
    router(2, {{"10.1.1.0/24", 1}}, false);
    commit();
    EXPECT_NE(two_routers(2), "");
    router(2, {});
    commit();
    EXPECT_EQ(two_routers(2), "");
}

TEST_F(ModelSubnets, ARowMayArriveAfterThoseThatReferToIt) {
    port(1, "sql", 1);
    allow_all(1, "sql");
    router(1, {{"10.1.1.0/24", 1}});
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    locator(1, "192.168.1.10");
    commit();
    EXPECT_EQ(neighbours.size(), 0U);
    model.set_interfaces({test::plug("sql", 5, kSqlMac)});
    commit();
    EXPECT_EQ(status("sql").state, PortState::Blocked);

    subnet(1, 5001);
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), mac(kSqlMac));
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.1")), Model::kDefaultRouterMac);
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(subnet_view(5001)->local_ports, (std::vector<SubnetView::LocalPort>{{5, 0, {}}}));
}

// A controller deletes a virtual network in one transaction, in whatever order.
TEST_F(ModelSubnets, ANetworkDeletedAtOnceLeavesNothing) {
    const auto make = [this] {
        subnet(1, 5001);
        locator(1, "192.168.2.20");
        mapping(1, 1, 1, kSqlMac, "10.1.1.11");
        router(1, {{"10.1.1.0/24", 1}});
        commit();
        EXPECT_EQ(neighbours.size(), 2U);
    };
    const auto expect_nothing = [this] {
        commit();
        EXPECT_EQ(neighbours.size(), 0U);
        EXPECT_EQ(model.counts().subnets, 0U);
        EXPECT_EQ(model.counts().mappings, 0U);
        EXPECT_EQ(model.counts().networks, 0U);
        std::size_t objects = 0;
        model.for_each_object([&](const ObjectId&) { ++objects; });
        EXPECT_EQ(objects, 1U);  // The host.
    };
    make();
    remove(kMapping, 1);
    remove(kLocator, 1);
    remove(kRouter, 1);
    remove(kSubnet, 1);
    expect_nothing();
    make();
    remove(kSubnet, 1);
    remove(kRouter, 1);
    remove(kMapping, 1);
    remove(kLocator, 1);
    expect_nothing();
}

TEST_F(ModelSubnets, RemovingAnUnknownRowDoesNothing) {
    subnet(1, 5001);
    commit();
    for (const SourceTable table :
         {kSubnet, kRouter, kMapping, kLocator, SourceTable::MsVtepPhysicalPort,
          SourceTable::MsFirewallRules, SourceTable::HostProviderAddress,
          SourceTable::HostPortSettings}) {
        remove(table, 77);
    }
    EXPECT_TRUE(commit().empty());
    EXPECT_TRUE(subnet_view(5001));
}

// --- subnets that are a VLAN of the underlay ---

class ModelVlans : public ModelSubnets {
  protected:
    void vlan(std::uint32_t row, std::uint16_t number, const std::string& uplink) {
        SubnetSpec spec;
        spec.vsid = vsid_of_vlan(number);
        spec.name = "vlan-" + std::to_string(number);
        spec.vlan = VlanSpec{number, uplink};
        model.put(test::uuid(row), spec);
    }
    std::string vlan_fault(std::uint32_t row) const {
        return fault(SourceTable::MsVtepLogicalSwitch, row, FaultKey::SubnetVlan);
    }
};

TEST_F(ModelVlans, LeadToTheirUplinkWithoutTunnels) {
    vlan(1, 100, "br-ex");
    mapping(1, 1, 1, 0x11, "10.1.1.11");
    locator(1, "192.168.2.20");
    model.set_tunnel_ports({1, 2});
    commit();
    EXPECT_EQ(model.vlan_uplinks(), std::vector<std::string>{"br-ex"});
    EXPECT_EQ(subnet_view(vsid_of_vlan(100))->vlan->ofport, 0U);
    model.set_vlan_uplinks({{"br-ex", {9, ""}}});
    commit();
    const auto view = subnet_view(vsid_of_vlan(100));
    EXPECT_EQ(view->vlan->ofport, 9U);
    EXPECT_EQ(view->vlan->vlan, 100);
    EXPECT_EQ(view->tunnels.vxlan_ofport, 0U);
    EXPECT_TRUE(view->peers.empty());
    EXPECT_TRUE(peer_views().empty());
    EXPECT_FALSE(mac_view(vsid_of_vlan(100), 0x11));
    remove(SourceTable::MsVtepLogicalSwitch, 1);
    commit();
    EXPECT_TRUE(model.vlan_uplinks().empty());
}

TEST_F(ModelVlans, SayWhenTheirUplinkCantBeReached) {
    vlan(1, 100, "br-ex");
    model.set_vlan_uplinks({{"br-ex", {0, "there is no br-ex"}}});
    vlan(2, 200, "br-ex");
    commit();
    EXPECT_EQ(vlan_fault(1), "there is no br-ex");
    EXPECT_EQ(vlan_fault(2), "there is no br-ex");
    model.set_vlan_uplinks({{"br-ex", {9, ""}}});
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelVlans, AreNotRouted) {
    vlan(1, 100, "br-ex");
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_FALSE(subnet_view(vsid_of_vlan(100))->router);
    EXPECT_NE(fault(SourceTable::MsVtepLogicalRouter, 1, FaultKey::SubnetVlan), "");
    EXPECT_EQ(neighbours.find(vsid_of_vlan(100), ip("10.1.1.1")), std::nullopt);
    subnet(1, 5001);
    commit();
    EXPECT_EQ(fault(SourceTable::MsVtepLogicalRouter, 1, FaultKey::SubnetVlan), "");
    EXPECT_TRUE(subnet_view(5001)->router);
}

TEST_F(ModelVlans, OneVlanTwiceIsAFault) {
    vlan(1, 100, "br-ex");
    vlan(2, 100, "eth1");
    commit();
    EXPECT_NE(fault(SourceTable::MsVtepLogicalSwitch, 2, FaultKey::VsidDuplicate).find("VLAN 100"),
              std::string::npos);
}

}  // namespace
}  // namespace hnv::policy
