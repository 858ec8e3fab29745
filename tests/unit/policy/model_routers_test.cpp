// Routes: which network a subnet is in, where its packets may go, and what next hops are known.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/policy_builder.h"

namespace hnv::policy {

namespace {

constexpr std::uint64_t kSqlMac = 0x00155d50010b;
constexpr std::uint64_t kGatewayMac = 0x00155d5001fe;
constexpr auto kRouter = SourceTable::MsVtepLogicalRouter;
constexpr auto kMapping = SourceTable::MsVtepUcastMacsRemote;

class ModelRouters : public ::testing::Test, protected test::PolicyBuilder {
  protected:
    void SetUp() override {
        locator(1, "192.168.2.20");
        subnet(1, 5002);
        subnet(2, 5001);
        router(1, {{"10.1.1.0/24", 1}, {"10.1.2.0/24", 2}});
    }

    [[nodiscard]] std::vector<RouterView> routers() const {
        std::vector<RouterView> views;
        model.for_each_object([&](const ObjectId& id) {
            if (id.kind != ObjectKind::Router) {
                return;
            }
            if (auto view = model.router(id)) {
                views.push_back(*std::move(view));
            }
        });
        return views;
    }

    void default_route_to(std::string_view next_hop) {
        RouterSpec spec{"router-1", true, {{test::prefix("10.1.1.0/24"), test::uuid(1)}}};
        spec.static_routes = {{test::prefix("0.0.0.0/0"), test::ip(next_hop)}};
        model.put(test::uuid(1), std::move(spec));
    }

    [[nodiscard]] bool has_next_hop_fault() const {
        return faults.all().contains({{kRouter, test::uuid(1)}, FaultKey::NextHopUnmapped});
    }
};

TEST_F(ModelRouters, ANetworkIsKnownByTheLowestVsidOfItsSubnets) {
    commit();
    ASSERT_EQ(routers().size(), 1U);
    EXPECT_EQ(routers()[0].network, 5001U);
    EXPECT_EQ(routers()[0].connected.size(), 2U);
}

TEST_F(ModelRouters, ARouterOfOneDatabaseHasNoSubnetOfTheOther) {
    model.note_vtep(test::uuid(7));
    subnet(7, 42);
    router(2, {{"10.1.7.0/24", 7}});
    commit();
    EXPECT_FALSE(subnet_view(42)->router);
    EXPECT_EQ(routers().size(), 1U);
    model.note_vtep(test::uuid(8));
    router(8, {{"10.1.8.0/24", 2}, {"10.1.7.0/24", 7}});
    remove(kRouter, 2);
    commit();
    EXPECT_EQ(subnet_view(42)->router->network, 42U);
    EXPECT_EQ(subnet_view(5001)->router->network, 5001U);
}

TEST_F(ModelRouters, TwoNetworksWithTheSameAddressesAreTwo) {
    subnet(3, 6001);
    router(2, {{"10.1.1.0/24", 3}});
    commit();
    ASSERT_EQ(routers().size(), 2U);
    EXPECT_NE(routers()[0].network, routers()[1].network);
}

TEST_F(ModelRouters, AllProviderAddressesOfTheNetworkMaySendIntoIt) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_EQ(routers()[0].peers, std::vector{test::ip("192.168.2.20")});
    remove(kMapping, 1);
    commit();
    EXPECT_TRUE(routers()[0].peers.empty());
}

TEST_F(ModelRouters, AStaticRouteFollowsItsNextHop) {
    default_route_to("10.1.1.254");
    commit();
    EXPECT_TRUE(routers()[0].routes.empty());
    EXPECT_TRUE(has_next_hop_fault());

    mapping(1, 1, 1, kGatewayMac, "10.1.1.254");
    commit();
    ASSERT_EQ(routers()[0].routes.size(), 1U);
    EXPECT_EQ(routers()[0].routes[0].mac, test::mac(kGatewayMac));
    EXPECT_EQ(routers()[0].routes[0].vsid, 5002U);
    EXPECT_FALSE(has_next_hop_fault());

    remove(kMapping, 1);
    commit();
    EXPECT_TRUE(routers()[0].routes.empty());
    EXPECT_TRUE(has_next_hop_fault());
}

TEST_F(ModelRouters, ANextHopOfAnotherNetworkIsNone) {
    subnet(3, 6001);
    router(2, {{"10.1.1.0/24", 3}});
    mapping(1, 3, 1, kGatewayMac, "10.1.1.254");
    default_route_to("10.1.1.254");
    commit();
    EXPECT_TRUE(has_next_hop_fault());
}

TEST_F(ModelRouters, ARouterThatGoesTakesItsFaultsAndRoutesAlong) {
    default_route_to("10.1.1.254");
    commit();
    remove(kRouter, 1);
    commit();
    EXPECT_TRUE(routers().empty());
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelRouters, OnlyRoutedSubnetsHaveTheirAddressesResolved) {
    subnet(3, 7001);
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 3, 1, kSqlMac, "10.1.1.11");
    commit();
    std::size_t routed = 0;
    model.for_each_object([&](const ObjectId& id) {
        const auto view = id.kind == ObjectKind::Mac ? model.mac(id) : std::nullopt;
        routed += view ? view->routed_cas.size() : 0;
    });
    EXPECT_EQ(routed, 1U);
}

}  // namespace

}  // namespace hnv::policy
