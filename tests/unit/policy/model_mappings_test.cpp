// CA-PA mappings: conflicts, local and remote provider addresses, cost.
#include <gtest/gtest.h>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::mac;
constexpr auto kMapping = SourceTable::MsVtepUcastMacsRemote;
constexpr auto kProvider = SourceTable::HostProviderAddress;
constexpr std::uint64_t kSqlMac = 0x00155d50010b;
constexpr std::uint64_t kWebMac = 0x00155d50010c;

class ModelMappings : public testing::Test, public test::PolicyBuilder {
  protected:
    void SetUp() override {
        subnet(1, 5001);
        locator(1, "192.168.1.10");
        locator(2, "192.168.2.20");
        commit();
    }
    std::string mapping_conflict(std::uint32_t row) const {
        return fault(kMapping, row, FaultKey::MappingConflict);
    }
    std::string ca_conflict(std::uint32_t row) const {
        return fault(kMapping, row, FaultKey::CaConflict);
    }
    IpAddress pa_of(std::uint64_t bits) const { return mac_view(5001, bits)->locator.pa; }
};

TEST_F(ModelMappings, AMacMappedTwiceStaysWhereItWas) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    mapping(2, 1, 2, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_EQ(mapping_conflict(1), "");
    EXPECT_NE(mapping_conflict(2).find("00:15:5d:50:01:0b"), std::string::npos);
    EXPECT_EQ(pa_of(kSqlMac), ip("192.168.1.10"));

    remove(kMapping, 1);
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(pa_of(kSqlMac), ip("192.168.2.20"));
}

TEST_F(ModelMappings, AMappingConflictHealsWhenTheSecondAgrees) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 1, 2, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_NE(mapping_conflict(2), "");
    mapping(2, 1, 1, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelMappings, SeveralAddressesOfOneMacAreNoConflict) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 1, 1, kSqlMac, "10.1.1.12");
    mapping(3, 1, 1, kSqlMac, "2001:db8::11");
    mapping(4, 1, 1, kSqlMac, "");
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(neighbours.size(), 3U);
    EXPECT_EQ(objects(ObjectKind::Mac).size(), 1U);
}

TEST_F(ModelMappings, ACaMappedTwiceStaysWithItsMac) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    mapping(2, 1, 1, kWebMac, "10.1.1.11");
    commit();
    EXPECT_EQ(ca_conflict(1), "");
    EXPECT_NE(ca_conflict(2).find("10.1.1.11"), std::string::npos);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), mac(kSqlMac));

    remove(kMapping, 1);
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), mac(kWebMac));
}

TEST_F(ModelMappings, ACaConflictHealsWhenTheSecondGivesTheAddressUp) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 1, 1, kWebMac, "10.1.1.11");
    commit();
    EXPECT_NE(ca_conflict(2), "");
    mapping(2, 1, 1, kWebMac, "");
    commit();
    EXPECT_TRUE(faults.all().empty());

    mapping(2, 1, 1, kWebMac, "10.1.1.11");
    commit();
    EXPECT_NE(ca_conflict(2), "");
    remove(kMapping, 2);
    commit();
    EXPECT_TRUE(faults.all().empty());
}

// What is not in force has no effect at all: no address, no MAC, no peer.
TEST_F(ModelMappings, ARowThatLosesItsMacGivesNoAddressAndNoPeer) {
    provider_address(1, "192.168.1.10/24");
    locator(3, "192.168.3.30");
    mapping(1, 1, 2, kSqlMac, "10.1.1.11");
    mapping(2, 1, 3, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_NE(mapping_conflict(2), "");
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), std::nullopt);
    ASSERT_EQ(peer_views().size(), 1U);
    EXPECT_EQ(peer_views()[0].pa, ip("192.168.2.20"));
    EXPECT_EQ(subnet_view(5001)->peers.size(), 1U);
    // Nor does it keep another from the address.
    mapping(3, 1, 2, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(ca_conflict(3), "");
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), mac(kWebMac));

    remove(kMapping, 1);
    commit();
    EXPECT_EQ(mapping_conflict(2), "");
    EXPECT_NE(ca_conflict(3), "");  // The second row was there before it.
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), mac(kSqlMac));
    ASSERT_EQ(peer_views().size(), 1U);
    EXPECT_EQ(peer_views()[0].pa, ip("192.168.3.30"));
}

TEST_F(ModelMappings, ARowThatLosesItsCaGivesNoMacAndNoPeer) {
    locator(3, "192.168.3.30");
    mapping(1, 1, 2, kSqlMac, "10.1.1.11");
    mapping(2, 1, 3, kWebMac, "10.1.1.11");
    commit();
    EXPECT_NE(ca_conflict(2), "");
    EXPECT_FALSE(mac_view(5001, kWebMac));
    EXPECT_EQ(peer_views().size(), 1U);
    mapping(2, 1, 3, kWebMac, "10.1.1.12");
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_TRUE(mac_view(5001, kWebMac));
    EXPECT_EQ(peer_views().size(), 2U);
}

TEST_F(ModelMappings, LoadBalancedMappingsShareAnAddress) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11", MappingType::LoadBalanced);
    mapping(2, 1, 2, kWebMac, "10.1.1.11", MappingType::LoadBalanced);
    commit();
    EXPECT_TRUE(faults.all().empty());
    mapping(2, 1, 2, kWebMac, "10.1.1.11", MappingType::Default);
    commit();
    EXPECT_NE(ca_conflict(2), "");
}

TEST_F(ModelMappings, ALoadBalancedMacStillHasOnePlace) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11", MappingType::LoadBalanced);
    mapping(2, 1, 2, kSqlMac, "10.1.1.12", MappingType::LoadBalanced);
    commit();
    EXPECT_NE(mapping_conflict(2), "");
    EXPECT_EQ(pa_of(kSqlMac), ip("192.168.1.10"));
}

TEST_F(ModelMappings, SubnetsDoNotConflict) {
    subnet(2, 6001);
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 2, 2, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(neighbours.size(), 2U);
}

TEST_F(ModelMappings, AMappingMovesToAnotherLocator) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    mapping(1, 1, 2, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_EQ(pa_of(kSqlMac), ip("192.168.2.20"));
    ASSERT_EQ(peer_views().size(), 1U);
    EXPECT_EQ(peer_views()[0].pa, ip("192.168.2.20"));
}

TEST_F(ModelMappings, AMappingMovesToAnotherAddressMacAndSubnet) {
    subnet(2, 6001);
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    mapping(1, 1, 1, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.11")), std::nullopt);
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), mac(kSqlMac));
    mapping(1, 1, 1, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(neighbours.find(5001, ip("10.1.1.12")), mac(kWebMac));
    EXPECT_FALSE(mac_view(5001, kSqlMac));
    mapping(1, 2, 1, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(neighbours.size(), 1U);
    EXPECT_TRUE(mac_view(6001, kWebMac));
    EXPECT_TRUE(subnet_view(5001)->peers.empty());
}

TEST_F(ModelMappings, AProviderAddressOfThisHostNeedsNoTunnel) {
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 1, 2, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(peer_views().size(), 2U);
    EXPECT_EQ(subnet_view(5001)->peers.size(), 2U);

    provider_address(1, "192.168.1.10/24");
    commit();
    EXPECT_TRUE(mac_view(5001, kSqlMac)->local_pa);
    EXPECT_FALSE(mac_view(5001, kWebMac)->local_pa);
    ASSERT_EQ(peer_views().size(), 1U);
    EXPECT_EQ(peer_views()[0].pa, ip("192.168.2.20"));
    ASSERT_EQ(subnet_view(5001)->peers.size(), 1U);
    EXPECT_EQ(subnet_view(5001)->peers[0].pa, ip("192.168.2.20"));

    provider_address(1, "192.168.2.20/24");
    commit();
    EXPECT_FALSE(mac_view(5001, kSqlMac)->local_pa);
    EXPECT_TRUE(mac_view(5001, kWebMac)->local_pa);
    remove(kProvider, 1);
    commit();
    EXPECT_EQ(peer_views().size(), 2U);
}

TEST_F(ModelMappings, AProviderAddressConcernsOnlyTheMappingsToIt) {
    subnet(2, 6001);
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 2, 2, kWebMac, "10.1.1.12");
    commit();
    provider_address(1, "192.168.1.10/24");
    const auto changed = commit();
    EXPECT_EQ(changed.size(), 3U);  // Subnet 1, its peer, its MAC.
    for (const ObjectId& id : changed) {
        EXPECT_NE(model.row_of(id)->uuid, test::uuid(2));
    }
}

TEST_F(ModelMappings, AProviderAddressIsOnePeerWhateverTheEncapsulation) {
    locator(3, "192.168.2.20", Encapsulation::Nvgre);
    mapping(1, 1, 2, kSqlMac, "10.1.1.11");
    mapping(2, 1, 3, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
    remove(kMapping, 1);
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
}

TEST_F(ModelMappings, NewTunnelPortsTouchTheHostAndTheSubnets) {
    commit();
    model.set_tunnel_ports({7, 8});
    EXPECT_EQ(commit().size(), 2U);
    model.set_tunnel_ports({7, 8});
    EXPECT_TRUE(commit().empty());
}

TEST_F(ModelMappings, APeerGoesWithItsLastMapping) {
    mapping(1, 1, 2, kSqlMac, "10.1.1.11");
    mapping(2, 1, 2, kWebMac, "10.1.1.12");
    commit();
    remove(kMapping, 1);
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
    remove(kMapping, 2);
    commit();
    EXPECT_TRUE(peer_views().empty());
    EXPECT_TRUE(subnet_view(5001)->peers.empty());
}

// Physical_Locator's index is by text, so one address may have several rows.
TEST_F(ModelMappings, AProviderAddressInTwoSpellingsIsOnePeer) {
    locator(3, "2001:db8::20");
    locator(4, "2001:DB8:0:0::20");
    mapping(1, 1, 3, kSqlMac, "10.1.1.11");
    mapping(2, 1, 4, kWebMac, "10.1.1.12");
    commit();
    ASSERT_EQ(peer_views().size(), 1U);
    EXPECT_EQ(peer_views()[0].pa, ip("2001:db8::20"));
    EXPECT_EQ(subnet_view(5001)->peers.size(), 1U);

    remove(kMapping, 1);  // That of the row that owns the peer.
    remove(SourceTable::MsVtepPhysicalLocator, 3);
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
    locator(3, "2001:db8::20");
    mapping(1, 1, 3, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
    remove(kMapping, 2);
    commit();
    EXPECT_EQ(peer_views().size(), 1U);
    remove(kMapping, 1);
    commit();
    EXPECT_TRUE(peer_views().empty());
}

TEST_F(ModelMappings, AMacAtOneAddressInTwoSpellingsIsNoConflict) {
    locator(3, "2001:db8::20");
    locator(4, "2001:DB8:0:0::20");
    mapping(1, 1, 3, kSqlMac, "10.1.1.11");
    mapping(2, 1, 4, kSqlMac, "10.1.1.12");
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelMappings, AProviderAddressOfTwoEncapsulationsGetsOneCopyOfABroadcast) {
    locator(3, "192.168.2.20", Encapsulation::Nvgre);
    mapping(1, 1, 3, kSqlMac, "10.1.1.11");
    mapping(2, 1, 2, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(peer_views().size(), 1U);  // Heard by both.
    ASSERT_EQ(subnet_view(5001)->peers.size(), 1U);
    EXPECT_EQ(subnet_view(5001)->peers[0].encapsulation, Encapsulation::Vxlan);
    remove(kMapping, 2);
    commit();
    ASSERT_EQ(subnet_view(5001)->peers.size(), 1U);
    EXPECT_EQ(subnet_view(5001)->peers[0].encapsulation, Encapsulation::Nvgre);
}

TEST_F(ModelMappings, OneOfTenThousandCostsWhatItTouches) {
    constexpr std::uint32_t kMappings = 10'000;
    for (std::uint32_t i = 0; i < kMappings; ++i) {
        mapping(i + 1, 1, 2, kSqlMac + i,
                "10.2." + std::to_string(i / 256) + "." + std::to_string(i % 256));
    }
    EXPECT_GE(commit().size(), kMappings);
    EXPECT_EQ(model.counts().mappings, kMappings);

    mapping(kMappings + 1, 1, 2, kSqlMac + kMappings, "10.3.0.1");
    EXPECT_EQ(commit().size(), 1U);  // Its MAC.
    mapping(kMappings + 1, 1, 1, kSqlMac + kMappings, "10.3.0.1");
    EXPECT_LE(commit().size(), 4U);  // And a new peer, and the subnet that has it.
    remove(kMapping, kMappings + 1);
    EXPECT_LE(commit().size(), 3U);
    EXPECT_TRUE(commit().empty());
}

TEST_F(ModelMappings, AreToldWithWhereTheyAre) {
    provider_address(1, "192.168.1.10/24");
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    mapping(2, 1, 2, kWebMac, "", MappingType::LearningDisabled);
    commit();
    std::size_t seen = 0;
    model.for_each_mapping([&](const MappingStatus& status) {
        ++seen;
        EXPECT_EQ(status.vsid, 5001U);
        EXPECT_EQ(status.local, status.mac == mac(kSqlMac));
        EXPECT_EQ(status.ca.has_value(), status.local);
    });
    EXPECT_EQ(seen, 2U);
}

}  // namespace
}  // namespace hnv::policy
