// Ports: when a guest may speak, and why not.
#include <gtest/gtest.h>

#include "model_ports_fixture.h"

namespace hnv::policy {
namespace {

TEST(NormalizePortName, MatchesGuidsWithOrWithoutBracesInEitherCase) {
    EXPECT_EQ(normalize_port_name("{A1B2C3D4-0000-0000-0000-00000000000F}"),
              "a1b2c3d4-0000-0000-0000-00000000000f");
    EXPECT_EQ(normalize_port_name("A1B2c3d4-0000-0000-0000-00000000000f"),
              "a1b2c3d4-0000-0000-0000-00000000000f");
}

TEST(NormalizePortName, LeavesEveryOtherNameAsItIs) {
    for (const char* name : {"Contoso-SQL", "{", "{}", "{open", "", "{tap0}"}) {
        EXPECT_EQ(normalize_port_name(name), name);
    }
}

TEST_F(ModelPorts, IsActiveWithBindingAddressAndRule) {
    make_active();
    const PortStatus now = status("sql");
    EXPECT_EQ(now.interface, "if-sql");
    EXPECT_EQ(now.ofport, 5U);
    ASSERT_EQ(now.bindings.size(), 1U);
    EXPECT_EQ(now.bindings[0].vsid, 5001U);
    EXPECT_EQ(now.mac, "00:15:5d:50:01:0b");
    EXPECT_EQ(now.vm_name, "vm-sql");
    EXPECT_EQ(now.bindings[0].cas, std::vector{ip("10.1.1.11")});
    EXPECT_EQ(now.reason, "");
    EXPECT_EQ(now.rules, 2U);
    EXPECT_EQ(now.row, uuid(1));
    EXPECT_TRUE(faults.all().empty());

    const auto view = port_view("sql");
    EXPECT_TRUE(view->active);
    EXPECT_EQ(view->attachments.at(0).vsid, 5001U);
    EXPECT_EQ(view->attachments.at(0).mac, mac(kSqlMac));
    EXPECT_EQ(view->attachments.at(0).cas, std::vector{ip("10.1.1.11")});
    EXPECT_EQ(subnet_view(5001)->local_ports,
              (std::vector<SubnetView::LocalPort>{{5, 0, ip("192.168.1.10")}}));
    EXPECT_EQ(model.counts().ports_active, 1U);
}

TEST_F(ModelPorts, WithoutABindingIsBlocked) {
    make_active();
    model.put(uuid(1), PortSpec{"sql", {}});
    commit();
    expect_blocked(FaultKey::PortUnbound, "not bound");
    port(1, "sql", 1);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelPorts, OfASubnetThatIsNotThereIsBlocked) {
    make_active();
    remove(SourceTable::MsVtepLogicalSwitch, 1);
    commit();
    expect_blocked(FaultKey::PortUnbound, "not bound");
}

TEST_F(ModelPorts, WithoutAnInterfaceRowOfItsOwnIsBlockedWithoutAFault) {
    plug_sql();
    commit();
    EXPECT_EQ(status("sql").state, PortState::Blocked);
    EXPECT_NE(status("sql").reason, "");
    EXPECT_TRUE(faults.all().empty());  // There is no row to name.
}

TEST_F(ModelPorts, WithoutAnAttachedMacIsBlocked) {
    make_active();
    InterfaceSpec interface = plug("sql", 5, kSqlMac);
    interface.attached_mac = "";
    model.set_interfaces({interface});
    commit();
    expect_blocked(FaultKey::PortAddressUnknown, "attached-mac");
    plug_sql();
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelPorts, WhoseMacNoMappingKnowsIsBlocked) {
    make_active();
    remove(kMapping, 1);
    commit();
    expect_blocked(FaultKey::PortAddressUnknown, "00:15:5d:50:01:0b");
    map_sql();
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
}

TEST_F(ModelPorts, WithoutAnEnabledRuleIsBlocked) {
    make_active();
    remove(kRule, 1);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);  // One is enough.
    remove(kRule, 2);
    commit();
    expect_blocked(FaultKey::PortNoAcl, "vnic_id sql");
    RuleSpec disabled = test::rule("sql", Direction::Inbound);
    disabled.enabled = false;
    model.put(uuid(1), disabled);
    commit();
    expect_blocked(FaultKey::PortNoAcl, "no ACL");
    disabled.enabled = true;
    model.put(uuid(1), disabled);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelPorts, IsUnpluggedWhenItsInterfaceGoes) {
    make_active();
    model.set_interfaces({});
    commit();
    EXPECT_EQ(status("sql").state, PortState::Unplugged);
    EXPECT_EQ(status("sql").reason, "");
    EXPECT_FALSE(port_view("sql"));
    EXPECT_TRUE(subnet_view(5001)->local_ports.empty());
    EXPECT_TRUE(faults.all().empty());
    plug_sql();
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
}

TEST_F(ModelPorts, FollowsItsInterfaceToAnotherOpenFlowPort) {
    make_active();
    model.set_interfaces({plug("sql", 9, kSqlMac)});
    commit();
    EXPECT_EQ(port_view("sql")->ofport, 9U);
    EXPECT_EQ(subnet_view(5001)->local_ports,
              (std::vector<SubnetView::LocalPort>{{9, 0, ip("192.168.1.10")}}));
    model.set_interfaces({plug("sql", 9, kSqlMac)});
    EXPECT_TRUE(commit().empty());
}

TEST_F(ModelPorts, TakesAllAddressesOfItsMac) {
    make_active();
    mapping(2, 1, 1, kSqlMac, "2001:db8::11");
    mapping(3, 1, 1, kSqlMac, "10.1.1.9");
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas,
              (std::vector{ip("10.1.1.9"), ip("10.1.1.11"), ip("2001:db8::11")}));
    remove(kMapping, 1);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas,
              (std::vector{ip("10.1.1.9"), ip("2001:db8::11")}));
}

TEST_F(ModelPorts, MovesFromSubnetToSubnet) {
    make_active();
    subnet(2, 6001);
    mapping(2, 2, 1, kSqlMac, "10.1.1.11");
    port(1, "sql", 2);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).vsid, 6001U);
    EXPECT_TRUE(subnet_view(5001)->local_ports.empty());
    EXPECT_EQ(subnet_view(6001)->local_ports,
              (std::vector<SubnetView::LocalPort>{{5, 0, ip("192.168.1.10")}}));
}

TEST_F(ModelPorts, TakesItsSettingsAndLosesThem) {
    make_active();
    model.put(uuid(1), PortSettingsSpec{"sql", true, true, 500});
    commit();
    EXPECT_TRUE(port_view("sql")->mac_spoofing_allowed);
    EXPECT_TRUE(port_view("sql")->ip_forwarding_allowed);
    EXPECT_EQ(port_view("sql")->arp_limit_pps, 500U);
    remove(kSettings, 1);
    commit();
    EXPECT_FALSE(port_view("sql")->mac_spoofing_allowed);
    EXPECT_EQ(port_view("sql")->arp_limit_pps, std::nullopt);
}

// The agent makes a Physical_Port row for a new interface; the controller's may cross with it.
TEST_F(ModelPorts, OfTwoRowsTheFirstCountsUntilItGoes) {
    make_active();
    subnet(2, 6001);
    mapping(2, 2, 1, kSqlMac, "10.1.1.11");
    port(2, "sql", 2);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).vsid, 5001U);
    remove(kPort, 1);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).vsid, 6001U);
    EXPECT_EQ(status("sql").row, uuid(2));
    remove(kPort, 2);
    commit();
    EXPECT_EQ(status("sql").row, std::nullopt);
}

// The agent's own row for a new interface is unbound; whenever the controller's comes, it counts.
TEST_F(ModelPorts, ABoundRowComesBeforeAnUnboundOne) {
    map_sql();
    plug_sql();
    model.put(uuid(2), PortSpec{"sql", {}});
    allow_all(1, "sql");
    commit();
    EXPECT_NE(fault(kPort, 2, FaultKey::PortUnbound), "");
    port(1, "sql", 1);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(status("sql").row, uuid(1));
    EXPECT_TRUE(faults.all().empty());
    remove(kPort, 1);
    commit();
    expect_unbound(2);
}

TEST_F(ModelPorts, TwoBoundRowsOfOneNameAreAFaultOfTheSecond) {
    make_active();
    subnet(2, 6001);
    const auto duplicate = [this](std::uint32_t row) {
        return fault(kPort, row, FaultKey::PortDuplicate);
    };
    const auto make_second = [&] {
        port(2, "sql", 2);
        commit();
        ASSERT_NE(duplicate(2).find("sql"), std::string::npos) << duplicate(2);
        ASSERT_EQ(duplicate(1), "");
        ASSERT_EQ(port_view("sql")->attachments.at(0).vsid, 5001U);
    };
    make_second();
    remove(kPort, 2);
    commit();
    EXPECT_TRUE(faults.all().empty());

    make_second();
    port(2, "other", 2);
    commit();
    EXPECT_TRUE(faults.all().empty());

    make_second();
    model.put(uuid(2), PortSpec{"sql", {}});
    commit();
    EXPECT_TRUE(faults.all().empty());

    make_second();
    remove(kPort, 1);
    mapping(2, 2, 1, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(port_view("sql")->attachments.at(0).vsid, 6001U);
}

// What a port lacks is told at one row of its name, the one in force.
TEST_F(ModelPorts, ARowThatIsBeatenKeepsNoOtherFault) {
    make_active();
    remove(kRule, 1);
    remove(kRule, 2);
    commit();
    EXPECT_NE(fault(kPort, 1, FaultKey::PortNoAcl), "");
    port(2, "sql", 1);
    model.put(uuid(1), PortSpec{"sql", {}});
    commit();
    EXPECT_NE(fault(kPort, 2, FaultKey::PortNoAcl), "");
    EXPECT_EQ(faults.all().size(), 1U);
}

// Else a guest could take over an address by a mapping that is refused.
TEST_F(ModelPorts, AMappingThatLostItsAddressGivesNoRightToIt) {
    mapping(2, 1, 1, kWebMac, "10.1.1.11");
    commit();
    map_sql();
    mapping(3, 1, 1, kSqlMac, "10.1.1.12");
    plug_sql();
    port(1, "sql", 1);
    allow_all(1, "sql");
    commit();
    EXPECT_NE(fault(kMapping, 1, FaultKey::CaConflict), "");
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas, std::vector{ip("10.1.1.12")});

    remove(kMapping, 2);  // Now it is the first.
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas,
              (std::vector{ip("10.1.1.11"), ip("10.1.1.12")}));
}

TEST_F(ModelPorts, AMappingOfTheGatewaysAddressGivesNoRightToIt) {
    make_active();
    mapping(2, 1, 1, kSqlMac, "10.1.1.1");
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas,
              (std::vector{ip("10.1.1.1"), ip("10.1.1.11")}));
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas, std::vector{ip("10.1.1.11")});
    remove(SourceTable::MsVtepLogicalRouter, 1);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas,
              (std::vector{ip("10.1.1.1"), ip("10.1.1.11")}));
}

TEST_F(ModelPorts, ALoadBalancedAddressBelongsToAllWhoShareIt) {
    mapping(2, 1, 1, kWebMac, "10.1.1.11", MappingType::LoadBalanced);
    mapping(1, 1, 1, kSqlMac, "10.1.1.11", MappingType::LoadBalanced);
    plug_sql();
    port(1, "sql", 1);
    allow_all(1, "sql");
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).cas, std::vector{ip("10.1.1.11")});
}

TEST_F(ModelPorts, ARenamedRowIsAnotherPort) {
    make_active();
    port(1, "renamed", 1);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Blocked);
    EXPECT_EQ(status("renamed").state, PortState::Unplugged);
    port(1, "sql", 1);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(status("renamed").name, "");  // No such port.
}

// Two objects must never own the same flow.
TEST_F(ModelPorts, WithTheMacOfAnotherPortOfTheSubnetIsBlocked) {
    make_active();
    port(2, "twin", 1);
    allow_all(11, "twin");
    model.set_interfaces({plug("sql", 5, kSqlMac), plug("twin", 6, kSqlMac)});
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(status("twin").state, PortState::Blocked);
    EXPECT_NE(status("twin").reason.find("sql"), std::string::npos) << status("twin").reason;

    model.set_interfaces({plug("twin", 6, kSqlMac)});
    commit();
    EXPECT_EQ(status("twin").state, PortState::Active);
    EXPECT_TRUE(faults.all().empty());

    model.set_interfaces({plug("sql", 5, kSqlMac), plug("twin", 6, kWebMac)});
    mapping(2, 1, 1, kWebMac, "10.1.1.12");
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(status("twin").state, PortState::Active);
}

TEST_F(ModelPorts, OfTwoSettingsOfAPortTheFirstCounts) {
    make_active();
    policy::PortSettingsSpec settings;
    settings.name = "sql";
    settings.dhcp_guard = true;
    model.put(uuid(80), settings);
    settings.dhcp_guard = false;
    model.put(uuid(81), settings);
    commit();
    EXPECT_TRUE(port_view("sql")->dhcp_guard);
    EXPECT_NE(fault(policy::SourceTable::HostPortSettings, 81, FaultKey::PortDuplicate), "");
    model.remove({policy::SourceTable::HostPortSettings, uuid(80)});
    commit();
    EXPECT_FALSE(port_view("sql")->dhcp_guard);
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelPorts, RulesComeByLayerDirectionAndPriority) {
    make_active();
    RuleSpec admin = test::rule("sql", Direction::Inbound, RuleAction::Allow, 900);
    admin.layer = RuleLayer::Admin;
    model.put(uuid(3), admin);
    model.put(uuid(4), test::rule("sql", Direction::Inbound, RuleAction::Block, 7));
    commit();
    const auto rules = model.rules_in_force("sql");
    ASSERT_EQ(rules.size(), 4U);
    EXPECT_EQ(rules[0].layer, RuleLayer::Admin);
    EXPECT_EQ(rules[1].direction, Direction::Outbound);
    EXPECT_EQ(rules[2].priority, 7);
    EXPECT_EQ(rules[3].priority, 100);
}

TEST_F(ModelPorts, ABlockBeatsAnOverlappingAllowOfItsPriority) {
    make_active();
    RuleSpec block = test::rule("sql", Direction::Inbound, RuleAction::Block);
    block.id = "block-ssh";
    block.protocols = {6};
    block.destination_ports = {{22, 22}};
    model.put(uuid(3), block);
    commit();
    EXPECT_NE(fault(kRule, 1, FaultKey::RulePriority).find("block-ssh"), std::string::npos);
    EXPECT_EQ(model.rules_in_force("sql").size(), 2U);

    block.priority = 99;
    model.put(uuid(3), block);
    commit();
    EXPECT_TRUE(faults.all().empty());
    EXPECT_EQ(model.rules_in_force("sql").size(), 3U);

    block.priority = 100;
    model.put(uuid(3), block);
    RuleSpec disabled = test::rule("sql", Direction::Inbound);
    disabled.enabled = false;
    commit();
    EXPECT_FALSE(faults.all().empty());
    model.put(uuid(1), disabled);
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelPorts, ARuleMovesToAnotherPort) {
    make_active();
    port(2, "web", 1);
    mapping(2, 1, 1, kWebMac, "10.1.1.12");
    model.set_interfaces({plug("sql", 5, kSqlMac), plug("web", 6, kWebMac)});
    commit();
    EXPECT_EQ(status("web").state, PortState::Blocked);
    allow_all(1, "web");
    commit();
    EXPECT_EQ(status("web").state, PortState::Active);
    EXPECT_EQ(status("sql").state, PortState::Blocked);
}

TEST_F(ModelPorts, ChangesOfStatusAreToldOnce) {
    make_active();
    EXPECT_EQ(model.take_port_changes().size(), 1U);
    EXPECT_TRUE(model.take_port_changes().empty());
    model.set_interfaces({});
    commit();
    const auto changes = model.take_port_changes();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].state, PortState::Unplugged);
}

TEST_F(ModelPorts, WhenAllIsRemovedNothingIsLeft) {
    make_active();
    model.put(uuid(1), PortSettingsSpec{"sql", true, false, std::nullopt});
    commit();
    model.set_interfaces({});
    remove(kPort, 1);
    remove(kSettings, 1);
    remove(kRule, 1);
    remove(kRule, 2);
    remove(kMapping, 1);
    remove(SourceTable::MsVtepLogicalSwitch, 1);
    remove(SourceTable::MsVtepPhysicalLocator, 1);
    remove(SourceTable::HostProviderAddress, 1);
    commit();
    const ModelCounts counts = model.counts();
    EXPECT_EQ(counts.ports + counts.ports_active + counts.rules + counts.mappings + counts.subnets +
                  counts.networks + counts.provider_addresses,
              0U);
    EXPECT_EQ(neighbours.size(), 0U);
    EXPECT_TRUE(faults.all().empty());
    std::size_t left = 0;
    model.for_each_object([&](const ObjectId&) { ++left; });
    EXPECT_EQ(left, 1U);  // The host.
    EXPECT_TRUE(commit().empty());
}

}  // namespace
}  // namespace hnv::policy
