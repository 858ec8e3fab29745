// MACs that ports of hardware_vtep have shown.
#include <gtest/gtest.h>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::mac;
using test::plug;
using test::prefix;
using test::uuid;
using Standing = SightingStatus::Standing;

constexpr std::uint64_t kOwn = 0x020000000001;
constexpr std::uint64_t kOther = 0x020000000002;
constexpr std::uint64_t kBehind = 0x0200000000aa;

// Ports "one" (OpenFlow port 5) and "two" (6) of hardware_vtep in subnet 1, VSID 42; "one" is in
// subnet 2, VSID 43, by VLAN 10.
class ModelLearning : public testing::Test, public test::PolicyBuilder {
  protected:
    void SetUp() override {
        model.note_vtep(uuid(1));
        model.note_vtep(uuid(2));
        subnet(1, 42);
        subnet(2, 43);
        vtep_port(11, "one", {{0, uuid(1)}, {10, uuid(2)}});
        vtep_port(12, "two", {{0, uuid(1)}});
        model.set_interfaces({plug("one", 5, kOwn), plug("two", 6, kOther)});
        model.set_carried_addresses({{ip("192.168.1.10")}});
        commit();
        ASSERT_EQ(status("one").state, PortState::Active) << status("one").reason;
        (void)model.take_learned_changes();
        (void)model.take_flood_endpoint_changes();
    }
    void vtep_port(std::uint32_t row, const std::string& name,
                   std::map<std::uint16_t, Uuid> bindings) {
        model.note_vtep(uuid(row));
        model.put(uuid(row), PortSpec{name, std::move(bindings), true});
    }
    void learn(std::uint32_t ofport, std::uint64_t bits, const char* address = nullptr,
               std::uint16_t vlan = 0) {
        model.learn({ofport, vlan, mac(bits),
                     address == nullptr ? std::nullopt : std::optional(ip(address))});
        commit();
    }
    [[nodiscard]] std::optional<LearnedStatus> known(std::uint64_t bits,
                                                     std::uint32_t subnet = 1) const {
        return model.learned(LearnedKey{uuid(subnet), mac(bits)});
    }
    [[nodiscard]] std::optional<LearnedView> view(std::uint64_t bits) const {
        for (const ObjectId& id : objects(ObjectKind::Learned)) {
            if (id.detail == bits) {
                return model.learned(id);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] Standing standing(std::uint32_t ofport, std::uint64_t bits,
                                    std::uint16_t vlan = 0) const {
        return model.look_at({ofport, vlan, mac(bits), std::nullopt}).standing;
    }
};

TEST_F(ModelLearning, AMacIsBehindThePortThatShowedIt) {
    EXPECT_EQ(standing(5, kBehind), Standing::New);
    learn(5, kBehind, "10.0.0.7");
    EXPECT_EQ(standing(5, kBehind), Standing::Here);
    EXPECT_EQ(standing(6, kBehind), Standing::Elsewhere);
    EXPECT_EQ(known(kBehind)->port, "one");
    EXPECT_EQ(known(kBehind)->pa, ip("192.168.1.10"));
    EXPECT_EQ(view(kBehind)->ofport, 5U);
    EXPECT_EQ(view(kBehind)->v4, ip("10.0.0.7"));
    EXPECT_EQ(view(kBehind)->vsid, 42U);
    EXPECT_EQ(model.take_learned_changes(), (std::set<LearnedKey>{{uuid(1), mac(kBehind)}}));
    EXPECT_TRUE(model.take_learned_changes().empty());
    EXPECT_EQ(model.row_of({ObjectKind::Learned, objects(ObjectKind::Learned)[0].owner, kBehind}),
              (RowRef{SourceTable::VtepPhysicalPort, uuid(11)}));
}

TEST_F(ModelLearning, TheSameMacInTwoVlansIsTwoMacs) {
    learn(5, kBehind);
    learn(5, kBehind, nullptr, 10);
    EXPECT_TRUE(known(kBehind, 1));
    EXPECT_EQ(known(kBehind, 2)->vlan, 10);
    EXPECT_EQ(model.counts().learned_macs, 2U);
}

TEST_F(ModelLearning, AMacMovesToThePortThatShowsItNow) {
    learn(5, kBehind, "10.0.0.7");
    learn(6, kBehind);
    EXPECT_EQ(known(kBehind)->port, "two");
    EXPECT_EQ(known(kBehind)->v4, ip("10.0.0.7"));
    EXPECT_EQ(view(kBehind)->ofport, 6U);
    EXPECT_EQ(model.counts().learned_macs, 1U);
}

TEST_F(ModelLearning, AnAddressBelongsToTheMacThatSaidItLast) {
    learn(5, kBehind, "10.0.0.7");
    learn(6, kBehind + 1, "10.0.0.7");
    EXPECT_EQ(known(kBehind)->v4, std::nullopt);
    EXPECT_EQ(known(kBehind + 1)->v4, ip("10.0.0.7"));
    learn(6, kBehind + 1, "10.0.0.8");
    learn(6, kBehind + 1, "fd00::8");
    EXPECT_EQ(known(kBehind + 1)->v4, ip("10.0.0.8"));
    EXPECT_EQ(known(kBehind + 1)->v6, ip("fd00::8"));
}

TEST_F(ModelLearning, TheMacOfAnotherPortAndOfTheRouterAreReserved) {
    EXPECT_EQ(standing(5, kOther), Standing::Reserved);
    EXPECT_EQ(standing(5, kOwn), Standing::New);
    EXPECT_EQ(standing(5, Model::kDefaultRouterMac.bits()), Standing::Reserved);
    learn(5, kOther);
    EXPECT_FALSE(known(kOther));
}

TEST_F(ModelLearning, APortThatComesTakesItsOwnMac) {
    learn(5, kBehind);
    model.set_interfaces({plug("one", 5, kOwn), plug("two", 6, kBehind)});
    commit();
    EXPECT_FALSE(known(kBehind));
    EXPECT_EQ(model.counts().learned_macs, 0U);
}

TEST_F(ModelLearning, NothingIsLearnedOfAPortThatIsNotOfHardwareVtep) {
    EXPECT_EQ(standing(7, kBehind), Standing::NoPort);
    EXPECT_EQ(standing(5, kBehind, 11), Standing::NoPort);
    subnet(3, 5001);
    locator(3, "192.168.1.10");
    provider_address(3, "192.168.1.10/24");
    mapping(3, 3, 3, 0x00155d500001, "10.1.1.11");
    port(13, "sql", 3);
    allow_all(13, "sql");
    model.set_interfaces({plug("sql", 9, 0x00155d500001)});
    commit();
    ASSERT_EQ(status("sql").state, PortState::Active) << status("sql").reason;
    EXPECT_EQ(standing(9, kBehind), Standing::NoPort);
    learn(9, kBehind);
    EXPECT_TRUE(objects(ObjectKind::Learned).empty());
}

TEST_F(ModelLearning, WhatWasLearnedGoesWithThePort) {
    learn(5, kBehind);
    learn(5, kBehind, nullptr, 10);
    learn(6, kBehind + 1);
    vtep_port(11, "one", {{0, uuid(1)}});  // Out of VLAN 10.
    commit();
    EXPECT_TRUE(known(kBehind, 1));
    EXPECT_FALSE(known(kBehind, 2));
    model.set_interfaces({plug("two", 6, kOther)});
    commit();
    EXPECT_FALSE(known(kBehind, 1));
    vtep_port(12, "two", {{0, uuid(2)}});
    commit();
    EXPECT_FALSE(known(kBehind + 1, 1));
    EXPECT_EQ(model.counts().learned_macs, 0U);
    EXPECT_TRUE(objects(ObjectKind::Learned).empty());
}

TEST_F(ModelLearning, APortWithAnotherNumberKeepsItsMacs) {
    learn(5, kBehind);
    model.set_interfaces({plug("one", 8, kOwn), plug("two", 6, kOther)});
    commit();
    EXPECT_EQ(view(kBehind)->ofport, 8U);
    EXPECT_EQ(standing(5, kBehind), Standing::NoPort);
    EXPECT_EQ(standing(8, kBehind), Standing::Here);
}

TEST_F(ModelLearning, IsRestoredOnceThePortIsThere) {
    const LearnedKey key{uuid(2), mac(kBehind)};
    const LearnedStatus before{"one", 10, 43, ip("10.0.0.7"), ip("fd00::7"), std::nullopt};
    EXPECT_TRUE(model.restore(key, before));
    EXPECT_EQ(known(kBehind, 2)->v4, ip("10.0.0.7"));
    EXPECT_EQ(known(kBehind, 2)->v6, ip("fd00::7"));
    EXPECT_FALSE(model.restore(key, {"one", 11, 43, {}, {}, {}}));
    EXPECT_FALSE(model.restore({uuid(1), mac(kBehind)}, before));
    EXPECT_FALSE(model.restore(key, {"nobody", 10, 43, {}, {}, {}}));
}

TEST_F(ModelLearning, AStaticRouteLeadsToAnAddressThatWasLearned) {
    model.note_vtep(uuid(21));
    RouterSpec spec;
    spec.id = "vn";
    spec.enabled = true;
    spec.bindings = {{prefix("10.0.0.0/24"), uuid(1)}};
    spec.static_routes = {{prefix("0.0.0.0/0"), ip("10.0.0.7")}};
    model.put(uuid(21), spec);
    commit();
    const auto routes = [this] {
        const auto ids = objects(ObjectKind::Router);
        return ids.empty() ? std::vector<RouterView::Route>{} : model.router(*ids.begin())->routes;
    };
    EXPECT_TRUE(routes().empty());
    learn(5, kBehind, "10.0.0.7");
    ASSERT_EQ(routes().size(), 1U);
    EXPECT_EQ(routes().front().mac, mac(kBehind));
    learn(5, kBehind + 1, "10.0.0.7");
    ASSERT_EQ(routes().size(), 1U);
    EXPECT_EQ(routes().front().mac, mac(kBehind + 1));
    model.set_interfaces({plug("two", 6, kOther)});
    commit();
    EXPECT_TRUE(routes().empty());
}

// Whoever claims an address in a subnet that it does not belong to gets nothing of what is sent
// there.
TEST_F(ModelLearning, AStaticRouteIsNotDrawnAwayByAClaimInAnotherSubnet) {
    model.note_vtep(uuid(21));
    RouterSpec spec;
    spec.id = "vn";
    spec.enabled = true;
    spec.bindings = {{prefix("10.0.0.0/24"), uuid(1)}, {prefix("10.0.1.0/24"), uuid(2)}};
    spec.static_routes = {{prefix("0.0.0.0/0"), ip("10.0.1.254")}};
    model.put(uuid(21), spec);
    locator(31, "192.168.2.20");
    mapping(31, 2, 31, kBehind + 9, "10.0.1.254");
    learn(5, kBehind, "10.0.1.254");
    const auto view = model.router(*objects(ObjectKind::Router).begin());
    ASSERT_EQ(view->routes.size(), 1U);
    EXPECT_EQ(view->routes.front().mac, mac(kBehind + 9));
    remove(SourceTable::MsVtepUcastMacsRemote, 31);
    commit();
    EXPECT_TRUE(model.router(*objects(ObjectKind::Router).begin())->routes.empty());
}

TEST_F(ModelLearning, TheRouterResolvesAnAddressInItsSubnet) {
    model.note_vtep(uuid(21));
    router(21, {{"10.0.0.0/24", 1}});
    learn(5, kBehind, "10.0.0.7");
    EXPECT_EQ(view(kBehind)->routed_cas, std::vector{ip("10.0.0.7")});
    learn(5, kBehind, "10.9.9.9");
    EXPECT_TRUE(view(kBehind)->routed_cas.empty());
    learn(5, kBehind, "10.0.0.1");  // The gateway's.
    EXPECT_TRUE(view(kBehind)->routed_cas.empty());
    learn(5, kBehind, "10.0.0.7");
    locator(31, "192.168.2.20");
    mapping(31, 1, 31, kBehind + 9, "10.0.0.7");
    commit();
    EXPECT_TRUE(view(kBehind)->routed_cas.empty()) << "a controller's row says whose it is";
    remove(SourceTable::MsVtepUcastMacsRemote, 31);
    commit();
    EXPECT_EQ(view(kBehind)->routed_cas, std::vector{ip("10.0.0.7")});
    remove(SourceTable::MsVtepLogicalRouter, 21);
    commit();
    EXPECT_TRUE(view(kBehind)->routed_cas.empty());
}

TEST_F(ModelLearning, LimitsAreThePortsOwn) {
    EXPECT_EQ(model.look_at({5, 0, mac(kBehind), {}}).limit, kDefaultLearnedMacs);
    PortSettingsSpec settings;
    settings.name = "one";
    settings.learned_macs_limit = 3;
    model.put(uuid(41), settings);
    commit();
    learn(5, kBehind);
    const SightingStatus status = model.look_at({5, 0, mac(kBehind + 1), {}});
    EXPECT_EQ(status.limit, 3U);
    EXPECT_EQ(status.of_port, 1U);
    EXPECT_EQ(status.row, (RowRef{SourceTable::VtepPhysicalPort, uuid(11)}));
}

TEST_F(ModelLearning, UnknownMacsAreFloodedAndElsewhereIfThereIsUnknownDst) {
    EXPECT_EQ(port_view("two")->attachments[0].flood, Flood::Here);
    EXPECT_EQ(subnet_view(42)->flood, Flood::Here);
    locator(31, "192.168.2.20");
    model.put(uuid(32), LocatorSetSpec{{uuid(31)}});
    model.put(uuid(33), GroupSpec{uuid(1), uuid(32), std::nullopt});
    commit();
    EXPECT_EQ(port_view("two")->attachments[0].flood, Flood::Everywhere);
    EXPECT_EQ(subnet_view(42)->flood, Flood::Everywhere);
    EXPECT_EQ(subnet_view(43)->flood, Flood::Here);
    remove(SourceTable::MsVtepMcastMacsRemote, 33);
    commit();
    EXPECT_EQ(port_view("two")->attachments[0].flood, Flood::Here);
    model.set_interfaces({});
    commit();
    EXPECT_EQ(subnet_view(42)->flood, Flood::Nowhere);
}

TEST_F(ModelLearning, AFloodEndpointIsWhereAPortIsActive) {
    EXPECT_EQ(model.flood_endpoint(uuid(1)), ip("192.168.1.10"));
    EXPECT_EQ(model.flood_endpoint(uuid(2)), ip("192.168.1.10"));
    model.set_interfaces({plug("two", 6, kOther)});
    commit();
    EXPECT_EQ(model.flood_endpoint(uuid(1)), ip("192.168.1.10"));
    EXPECT_EQ(model.flood_endpoint(uuid(2)), std::nullopt);
    EXPECT_EQ(model.take_flood_endpoint_changes(), (std::set<Uuid>{uuid(1), uuid(2)}));
}

}  // namespace
}  // namespace hnv::policy
