// Where broadcast and multicast of a subnet go.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::mac;
using test::plug;
using test::uuid;

constexpr std::uint64_t kAllHosts = 0x01005e000001;

class ModelGroups : public testing::Test, public test::PolicyBuilder {
  protected:
    void SetUp() override {
        subnet(1, 5001);
        provider_address(1, "192.168.1.10/24");
        locator(1, "192.168.1.10");
        locator(2, "192.168.2.20");
        locator(3, "192.168.3.30", Encapsulation::Nvgre);
        locator(4, "192.168.4.40");
        mapping(1, 1, 1, 0x11, "10.1.1.11");
        mapping(2, 1, 2, 0x12, "10.1.1.12");
        mapping(3, 1, 2, 0x13, "10.1.1.13");
        mapping(4, 1, 3, 0x14, "10.1.1.14");
        commit();
    }
    void set(std::uint32_t row, const std::vector<std::uint32_t>& locators) {
        LocatorSetSpec spec;
        for (const std::uint32_t each : locators) {
            spec.locators.push_back(uuid(each));
        }
        model.put(uuid(row), std::move(spec));
    }
    void group(std::uint32_t row, std::uint32_t set_row, std::optional<std::uint64_t> bits) {
        model.put(uuid(row), GroupSpec{uuid(1), uuid(set_row),
                                       bits ? std::optional(mac(*bits)) : std::nullopt});
    }
    [[nodiscard]] static std::vector<std::string> texts(const std::vector<LocatorSpec>& peers) {
        std::vector<std::string> result;
        for (const LocatorSpec& peer : peers) {
            result.push_back(peer.pa.to_string());
        }
        return result;
    }
    [[nodiscard]] std::vector<std::string> peers() const { return texts(subnet_view(5001)->peers); }
};

TEST_F(ModelGroups, ByDefaultAreEachRemotePaOnce) {
    EXPECT_EQ(peers(), (std::vector<std::string>{"192.168.2.20", "192.168.3.30"}));
    EXPECT_TRUE(subnet_view(5001)->groups.empty());
}

TEST_F(ModelGroups, UnknownDstSaysWhereAllGo) {
    set(1, {4, 1});
    group(1, 1, std::nullopt);
    commit();
    EXPECT_EQ(peers(), std::vector<std::string>{"192.168.4.40"});  // Not to this host itself.
    remove(SourceTable::MsVtepMcastMacsRemote, 1);
    commit();
    EXPECT_EQ(peers(), (std::vector<std::string>{"192.168.2.20", "192.168.3.30"}));
}

TEST_F(ModelGroups, ARowForAMacSaysWhereThatGroupGoes) {
    set(1, {2, 4});
    group(1, 1, kAllHosts);
    commit();
    EXPECT_EQ(peers(), (std::vector<std::string>{"192.168.2.20", "192.168.3.30"}));
    const auto view = subnet_view(5001);
    ASSERT_EQ(view->groups.size(), 1U);
    EXPECT_EQ(view->groups[0].mac, mac(kAllHosts));
    EXPECT_EQ(texts(view->groups[0].peers),
              (std::vector<std::string>{"192.168.2.20", "192.168.4.40"}));
}

TEST_F(ModelGroups, AMemberOfASetMaySendIntoTheSubnet) {
    set(1, {4});
    group(1, 1, kAllHosts);
    commit();
    EXPECT_EQ(peer_views().size(), 3U);
    remove(SourceTable::MsVtepMcastMacsRemote, 1);
    commit();
    EXPECT_EQ(peer_views().size(), 2U);
}

TEST_F(ModelGroups, OfTwoRowsForOneGroupTheFirstIsInForce) {
    set(1, {2});
    set(2, {4});
    group(1, 1, kAllHosts);
    group(2, 2, kAllHosts);
    commit();
    EXPECT_EQ(texts(subnet_view(5001)->groups[0].peers), std::vector<std::string>{"192.168.2.20"});
    EXPECT_EQ(fault(SourceTable::MsVtepMcastMacsRemote, 1, FaultKey::MappingConflict), "");
    EXPECT_NE(fault(SourceTable::MsVtepMcastMacsRemote, 2, FaultKey::MappingConflict), "");
    remove(SourceTable::MsVtepMcastMacsRemote, 1);
    commit();
    EXPECT_EQ(texts(subnet_view(5001)->groups[0].peers), std::vector<std::string>{"192.168.4.40"});
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelGroups, PerVmIsOneCopyForEachRemoteMapping) {
    model.put(uuid(1), SubnetSpec{5001, "subnet-1", "rdid", {}, true});
    commit();
    const auto members = subnet_view(5001)->members;
    EXPECT_TRUE(peers().empty());
    ASSERT_EQ(members.size(), 3U);
    EXPECT_EQ(members[0].mac, mac(0x12));
    EXPECT_EQ(members[2].locator.encapsulation, Encapsulation::Nvgre);
    mapping(5, 1, 3, 0x15, "10.1.1.15");
    const auto changed = commit();
    EXPECT_TRUE(std::ranges::any_of(
        changed, [](const ObjectId& id) { return id.kind == ObjectKind::Subnet; }));
    EXPECT_EQ(subnet_view(5001)->members.size(), 4U);
}

// A sender makes a copy for each PA of the subnet; with two of them here, two arrive.
TEST_F(ModelGroups, APortHasTheCopiesForThePaOfItsMapping) {
    provider_address(2, "192.168.1.11/24");
    locator(5, "192.168.1.11");
    mapping(5, 1, 5, 0x15, "10.1.1.15");
    model.set_interfaces({plug("first", 5, 0x11), plug("second", 6, 0x15), plug("moved", 7, 0x12)});
    std::uint32_t row = 1;
    for (const char* name : {"first", "second", "moved"}) {
        port(row, name, 1);
        allow_all(row * 10, name);
        ++row;
    }
    commit();
    const auto ports = subnet_view(5001)->local_ports;
    ASSERT_EQ(ports.size(), 3U);
    EXPECT_EQ(ports[0].pa, ip("192.168.1.10"));
    EXPECT_EQ(ports[1].pa, ip("192.168.1.11"));
    EXPECT_EQ(ports[2].pa, IpAddress{});  // Its mapping is another host's still.
    EXPECT_EQ(subnet_view(5001)->arrivals, (std::vector{ip("192.168.1.10"), ip("192.168.1.11")}));
    set(1, {5, 2});
    group(1, 1, kAllHosts);
    commit();
    EXPECT_EQ(subnet_view(5001)->groups.at(0).arrivals, std::vector{ip("192.168.1.11")});
}

TEST_F(ModelGroups, OfServiceNodesOneIsSentToAndAnotherWhenItIsDown) {
    const auto serve = [this](bool by_one) {
        SubnetSpec spec{5001, "subnet-1", "rdid"};
        spec.service_node = by_one;
        model.put(uuid(1), spec);
        commit();
    };
    set(1, {1, 2, 3, 4});
    group(1, 1, std::nullopt);
    serve(false);
    EXPECT_EQ(peers().size(), 3U);
    serve(true);
    ASSERT_EQ(peers().size(), 1U);
    const std::string first = peers()[0];
    // All may send into it: which of them serves may change.
    EXPECT_EQ(peer_views().size(), 3U);

    model.set_unreachable({ip(first)});
    EXPECT_EQ(commit().size(), 1U);
    ASSERT_EQ(peers().size(), 1U);
    const std::string second = peers()[0];
    EXPECT_NE(second, first);
    model.set_unreachable({ip("192.168.2.20"), ip("192.168.3.30"), ip("192.168.4.40")});
    commit();
    EXPECT_EQ(peers(), std::vector<std::string>{first});  // None is better than it.
    model.set_unreachable({ip("10.9.9.9")});
    commit();
    EXPECT_EQ(peers(), std::vector<std::string>{first});
    model.set_unreachable({});
    EXPECT_EQ(commit().size(), 0U);  // Nobody's concern.
    serve(false);
    EXPECT_EQ(peers().size(), 3U);
}

TEST_F(ModelGroups, ServiceNodesShareTheSubnets) {
    std::set<std::string> chosen;
    set(1, {2, 3, 4});
    for (std::uint32_t row = 10; row < 40; ++row) {
        SubnetSpec spec{6000 + row, "s", "rdid"};
        spec.service_node = true;
        model.put(uuid(row), spec);
        model.put(uuid(100 + row), GroupSpec{uuid(row), uuid(1), std::nullopt});
        commit();
        const auto view = subnet_view(6000 + row);
        ASSERT_EQ(view->peers.size(), 1U);
        chosen.insert(view->peers[0].pa.to_string());
    }
    EXPECT_EQ(chosen.size(), 3U);
}

TEST_F(ModelGroups, LocatorsInUseAreThoseOfHardwareVtepThatARowNames) {
    const auto in_use = [this] {
        std::set<std::string> found;
        model.for_each_vtep_locator(
            [&](const Uuid&, const LocatorSpec& locator) { found.insert(locator.pa.to_string()); });
        return found;
    };
    EXPECT_TRUE(in_use().empty());  // They are ms_vtep's.
    for (const std::uint32_t row : {11, 12, 13}) {
        model.note_vtep(uuid(row));
    }
    (void)model.take_locator_changes();
    EXPECT_FALSE(model.take_locator_changes());
    locator(11, "192.168.11.1");
    locator(12, "192.168.12.1");
    locator(13, "192.168.13.1");
    mapping(21, 1, 11, 0x21, "10.1.1.21");
    set(2, {12});
    group(2, 2, std::nullopt);
    commit();
    EXPECT_TRUE(model.take_locator_changes());
    EXPECT_EQ(in_use(), (std::set<std::string>{"192.168.11.1", "192.168.12.1"}));
    mapping(22, 1, 11, 0x22, "10.1.1.22");
    commit();
    EXPECT_FALSE(model.take_locator_changes());
    remove(SourceTable::VtepUcastMacsRemote, 21);
    remove(SourceTable::VtepUcastMacsRemote, 22);
    commit();
    EXPECT_TRUE(model.take_locator_changes());
    EXPECT_EQ(in_use(), std::set<std::string>{"192.168.12.1"});
}

}  // namespace
}  // namespace hnv::policy
