// hardware_vtep: its rows into the same model as those of ms_vtep, and its ACLs.
#include "northbound/hardware_vtep_reader.h"

#include "northbound/vtep_fault_writer.h"
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::AclEntrySpec;
using policy::Direction;
using policy::FaultKey;
using policy::RuleAction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// References to rows of the same transaction.
const char* const kSwitch = R"("vlan_bindings":["map",[[0,["named-uuid","ls"]]]])";

class HardwareVtepReaderTest : public NorthboundTest {
  protected:
    // One port, bound untagged to VSID 5, and interface 7 for it.
    void bind(const std::string& more = "", std::vector<std::string> operations = {}) {
        policy_->model.set_interfaces({test::plug("p1", 7, 0x020000000011U)});
        operations.push_back(insert("Logical_Switch", R"("name":"ls5","tunnel_key":5)", "ls"));
        operations.push_back(
            insert("Physical_Port", R"("name":"p1",)" + std::string(kSwitch) + more, "port"));
        operations.push_back(attach("port"));
        hardware(operations);
    }
    // The same, with an ACL of one entry.
    void bind_entry(const std::string& columns) {
        bind(R"(,"acl_bindings":["map",[[0,["named-uuid","acl"]]]])",
             {insert("ACL_entry", columns, "entry"),
              insert("ACL", R"("acl_name":"web","acl_entries":["named-uuid","entry"])", "acl")});
    }
    // The entry in force; there must be one.
    AclEntrySpec entry() {
        const auto view = policy_->port_view("p1");
        if (!view || view->attachments.size() != 1 || view->attachments[0].acl.size() != 1) {
            ADD_FAILURE() << "not one entry";
            return {};
        }
        return view->attachments[0].acl[0];
    }
    void tell() {
        VtepFaultWriter writer(*server_);
        writer.write(policy_->faults);
        run();
    }
    std::vector<std::string> words(const std::string& table, const char* column) const {
        std::vector<std::string> found;
        server_->for_each_row("hardware_vtep", table, [&](const ovs::Row& row) {
            for (const std::string_view word : row.strings(column)) {
                found.emplace_back(word);
            }
        });
        return found;
    }
};

TEST_F(HardwareVtepReaderTest, APortIsActiveWithoutRulesAndMappings) {
    bind();
    const auto view = policy_->port_view("p1");
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->active);
    EXPECT_TRUE(view->vtep);
    ASSERT_THAT(view->attachments, SizeIs(1));
    EXPECT_EQ(view->attachments[0].vsid, 5U);
    EXPECT_EQ(view->attachments[0].mac, MacAddress::from_bits(0x020000000011U));
    EXPECT_THAT(view->attachments[0].acl, IsEmpty());
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HardwareVtepReaderTest, APortWhoseMacNobodyTellsMaySpeak) {
    bind();
    policy::InterfaceSpec nameless = test::plug("p1", 7, 0);
    nameless.attached_mac = "";
    policy_->model.set_interfaces({nameless});
    (void)policy_->commit();
    EXPECT_TRUE(policy_->port_view("p1")->active);
    EXPECT_EQ(policy_->port_view("p1")->attachments[0].mac, MacAddress{});
}

TEST_F(HardwareVtepReaderTest, MappingsAndGroupsAreThoseOfMsVtep) {
    bind();
    hardware({insert("Physical_Locator",
                     R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":"192.168.2.20")", "pl"),
              insert("Logical_Switch", R"("name":"ls6","tunnel_key":6)", "ls6"),
              insert("Ucast_Macs_Remote",
                     R"("MAC":"02:00:00:00:00:12","ipaddr":"","locator":["named-uuid","pl"],)"
                     R"("logical_switch":["named-uuid","ls6"])"),
              insert("Physical_Locator_Set", R"("locators":["named-uuid","pl"])", "set"),
              insert("Mcast_Macs_Remote",
                     R"("MAC":"unknown-dst","ipaddr":"","locator_set":["named-uuid","set"],)"
                     R"("logical_switch":["named-uuid","ls6"])")});
    EXPECT_EQ(policy_->model.counts().mappings, 1U);
    const auto subnet = policy_->subnet_view(6);
    ASSERT_TRUE(subnet);
    EXPECT_THAT(subnet->peers, SizeIs(1));
    const auto peers = policy_->objects(policy::ObjectKind::Peer);
    ASSERT_THAT(peers, SizeIs(1));
    EXPECT_TRUE(policy_->model.peer(peers[0])->vtep);
    hardware({erase("Ucast_Macs_Remote"), erase("Mcast_Macs_Remote")});
    EXPECT_EQ(policy_->model.counts().mappings, 0U);
}

TEST_F(HardwareVtepReaderTest, AVsidIsOneToSixteenMillionAndOnceOnTheHost) {
    for (const char* bad : {"0", "16777216", "-1"}) {
        hardware({insert("Logical_Switch", R"("name":"ls","tunnel_key":)" + std::string(bad))});
        EXPECT_THAT(fault(FaultKey::VsidRange), HasSubstr("1 to 16777215")) << bad;
        hardware({erase("Logical_Switch")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)")});
    hardware({insert("Logical_Switch", R"("name":"ls","tunnel_key":5001)")});
    EXPECT_THAT(fault(FaultKey::VsidDuplicate), HasSubstr("5001"));
    const auto& id = policy_->faults.all().begin()->first;
    EXPECT_EQ(policy::name_of(id.first.table).database, "hardware_vtep");
    vtep({erase("Logical_Switch")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_TRUE(policy_->subnet_view(5001));
}

TEST_F(HardwareVtepReaderTest, APortIsOfTheDatabaseThatBindsItFirst) {
    bind();
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "ls"),
          insert("Physical_Port", R"("name":"p1",)" + std::string(kSwitch), "port"),
          attach("port")});
    EXPECT_TRUE(policy_->port_view("p1")->vtep);
    EXPECT_THAT(fault(FaultKey::PortDuplicate), HasSubstr("p1"));
    EXPECT_EQ(policy::name_of(policy_->faults.all().begin()->first.first.table).database,
              "ms_vtep");
    hardware(
        {R"({"op":"update","table":"Physical_Switch","where":[],"row":{"ports":["set",[]]}})"});
    EXPECT_FALSE(policy_->port_view("p1")->vtep);
    EXPECT_EQ(fault(FaultKey::PortDuplicate), "");
}

TEST_F(HardwareVtepReaderTest, EachColumnOfAnEntry) {
    bind_entry(R"("sequence":10,"direction":"ingress","action":"permit",)"
               R"("source_mac":"02:00:00:00:00:11","dest_mac":"02:00:00:00:00:12",)"
               R"("ethertype":"0x0800","source_ip":"10.1.1.11","dest_ip":"10.1.1.12",)"
               R"("source_mask":"255.255.255.0","protocol":6,"source_port_min":1024,)"
               R"("dest_port_min":80,"dest_port_max":81,"tcp_flags":3,"tcp_flags_mask":2)");
    const AclEntrySpec expected{
        .sequence = 10,
        .direction = Direction::Outbound,
        .action = RuleAction::Allow,
        .source_mac = MacAddress::parse("02:00:00:00:00:11"),
        .destination_mac = MacAddress::parse("02:00:00:00:00:12"),
        .ethertype = 0x0800,
        .source = policy::MaskedAddress{test::ip("10.1.1.0"), test::ip("255.255.255.0")},
        .destination = policy::MaskedAddress{test::ip("10.1.1.12"), test::ip("255.255.255.255")},
        .protocol = 6,
        .source_ports = policy::PortRange{1024, 65535},
        .destination_ports = policy::PortRange{80, 81},
        .tcp_flags = policy::TcpFlags{2, 2}};
    EXPECT_EQ(entry(), expected);
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HardwareVtepReaderTest, AnEntryOfIcmpOverIpv6) {
    bind_entry(R"("sequence":1,"direction":"egress","action":"deny","protocol":58,)"
               R"("source_ip":"fd00::1:2","source_mask":"ffff::ff","icmp_type":128,"icmp_code":0)");
    EXPECT_EQ(entry().direction, Direction::Inbound);
    EXPECT_EQ(entry().action, RuleAction::Block);
    EXPECT_EQ(entry().source, (policy::MaskedAddress{test::ip("fd00::2"), test::ip("ffff::ff")}));
    EXPECT_EQ(entry().icmp_type, 128);
    EXPECT_EQ(entry().icmp_code, 0);
}

TEST_F(HardwareVtepReaderTest, WhatCantBeReadOrMatchedIsAFaultThatIsTold) {
    const std::pair<const char*, const char*> cases[] = {
        {R"("source_mac":"02:00")", "source_mac '02:00'"},
        {R"("ethertype":"0800")", "ethertype '0800'"},
        {R"("ethertype":"0x5ff")", "ethertype '0x5ff'"},
        {R"("source_ip":"10.1.1")", "source_ip '10.1.1'"},
        {R"("dest_mask":"255.0.0.0")", "without dest_ip"},
        {R"("source_ip":"10.1.1.1","source_mask":"ffff::")", "one family"},
        {R"("source_ip":"10.1.1.1","dest_ip":"fd00::1")", "one family"},
        {R"("ethertype":"0x86dd","dest_ip":"10.1.1.1")", "ethertype"},
        {R"("ethertype":"0x0806","protocol":6)", "ethertype"},
        {R"("protocol":256)", "0 to 255"},
        {R"("dest_port_min":81,"dest_port_max":80)", "above"},
        {R"("protocol":1,"dest_port_min":80)", "ports need"},
        {R"("protocol":17,"tcp_flags":2)", "tcp_flags need"},
        {R"("tcp_flags_mask":2)", "without tcp_flags"},
        {R"("protocol":6,"icmp_type":8)", "icmp_type"},
        {R"("icmp_type":8,"dest_port_min":80)", "icmp_type"}};
    for (const auto& [columns, message] : cases) {
        bind_entry(R"("sequence":7,"direction":"ingress","action":"deny",)" + std::string(columns));
        EXPECT_THAT(fault(FaultKey::AclEntry), HasSubstr(message)) << columns;
        EXPECT_THAT(fault(FaultKey::AclEntry), HasSubstr("sequence 7"));
        EXPECT_THAT(fault(FaultKey::AclIncomplete), HasSubstr("web"));
        EXPECT_THAT(policy_->port_view("p1")->attachments[0].acl, IsEmpty());
        tell();
        EXPECT_THAT(words("ACL_entry", "acle_fault_status"), ElementsAre("invalid_acl_entry"));
        EXPECT_THAT(words("ACL", "acl_fault_status"), ElementsAre("invalid_acl"));
        hardware(
            {update("Physical_Port", R"("acl_bindings":["map",[]],"vlan_bindings":["map",[]])"),
             R"({"op":"update","table":"Physical_Switch","where":[],"row":{"ports":["set",[]]}})",
             erase("ACL"), erase("ACL_entry"), erase("Logical_Switch")});
        EXPECT_THAT(fault_keys(), IsEmpty()) << columns;
    }
}

TEST_F(HardwareVtepReaderTest, AMendedEntryIsInForceAndItsFaultsGo) {
    bind_entry(R"("sequence":7,"direction":"ingress","action":"deny","protocol":300)");
    VtepFaultWriter writer(*server_);
    writer.write(policy_->faults);
    hardware({update("ACL_entry", R"("protocol":17)")});
    EXPECT_EQ(entry().protocol, 17);
    EXPECT_THAT(fault_keys(), IsEmpty());
    writer.write(policy_->faults);
    run();
    EXPECT_THAT(words("ACL_entry", "acle_fault_status"), IsEmpty());
    EXPECT_THAT(words("ACL", "acl_fault_status"), IsEmpty());
}

TEST_F(HardwareVtepReaderTest, AListForAVlanThatIsNotBoundIsAFaultOfThePort) {
    bind(R"(,"acl_bindings":["map",[[20,["named-uuid","acl"]]]])",
         {insert("ACL_entry", R"("sequence":1,"direction":"ingress","action":"deny")", "entry"),
          insert("ACL", R"("acl_name":"web","acl_entries":["named-uuid","entry"])", "acl")});
    EXPECT_THAT(fault(FaultKey::AclBinding), HasSubstr("VLAN 20"));
    EXPECT_TRUE(policy_->port_view("p1")->active);
    tell();
    EXPECT_THAT(words("Physical_Port", "port_fault_status"), ElementsAre("invalid_ACL_binding"));
}

TEST_F(HardwareVtepReaderTest, ARouterRoutesWithoutBeingSwitchedOnAndItsPortsKnowItsAddresses) {
    bind("",
         {insert("Logical_Router",
                 R"("name":"lr","switch_binding":["map",[["10.1.1.0/24",["named-uuid","ls"]],)"
                 R"(["10.1.9.7/24",["named-uuid","ls"]],["fd01::1/64",["named-uuid","ls"]]]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    const auto view = policy_->port_view("p1");
    ASSERT_TRUE(view && view->attachments.size() == 1);
    const policy::Attachment& attachment = view->attachments[0];
    ASSERT_TRUE(attachment.router);
    EXPECT_EQ(attachment.router->mac, policy::Model::kDefaultRouterMac);
    EXPECT_THAT(attachment.router_addresses,
                testing::UnorderedElementsAre(test::ip("10.1.1.1"), test::ip("10.1.9.7"),
                                              test::ip("fd01::1"),
                                              link_local_of(policy::Model::kDefaultRouterMac)));
    EXPECT_TRUE(policy_->subnet_view(5)->router);
    hardware({erase("Logical_Router")});
    EXPECT_THAT(policy_->port_view("p1")->attachments[0].router_addresses, IsEmpty());
    EXPECT_FALSE(policy_->subnet_view(5)->router);
}

TEST_F(HardwareVtepReaderTest, WhatIsWrongWithARouterIsToldInItsColumn) {
    bind("", {insert("ACL_entry", R"("sequence":1,"direction":"ingress","action":"deny")", "entry"),
              insert("ACL", R"("acl_name":"web","acl_entries":["named-uuid","entry"])", "acl"),
              insert("Logical_Router",
                     R"("name":"lr","switch_binding":["map",[["10.1.1",["named-uuid","ls"]]]],)"
                     R"("acl_binding":["map",[["10.1.1.1",["named-uuid","acl"]]]],)"
                     R"("static_routes":["map",[["0.0.0.0/0","10.1.1.9"]]])")});
    EXPECT_THAT(fault(FaultKey::RouterKey), HasSubstr("10.1.1"));
    EXPECT_THAT(fault(FaultKey::AclBinding), HasSubstr("10.1.1.1"));
    EXPECT_THAT(fault(FaultKey::NextHopUnmapped), HasSubstr("10.1.1.9"));
    VtepFaultWriter writer(*server_);
    writer.write(policy_->faults);
    run();
    EXPECT_THAT(words("Logical_Router", "LR_fault_status"),
                ElementsAre("invalid_ACL_binding", "unspecified_fault"));
    hardware({update("Logical_Router", R"("switch_binding":["map",[]],"acl_binding":["map",[]],)"
                                       R"("static_routes":["map",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    writer.write(policy_->faults);
    run();
    EXPECT_THAT(words("Logical_Router", "LR_fault_status"), IsEmpty());
}

TEST_F(HardwareVtepReaderTest, EntriesAreInTheOrderOfTheirNumbersAndFollowTheirRows) {
    const auto numbered = [](int sequence, const char* action, int protocol) {
        return insert("ACL_entry",
                      R"("direction":"ingress","sequence":)" + std::to_string(sequence) +
                          R"(,"action":")" + action + R"(","protocol":)" + std::to_string(protocol),
                      "e" + std::to_string(protocol));
    };
    bind(R"(,"acl_bindings":["map",[[0,["named-uuid","acl"]]]])",
         {numbered(30, "permit", 1), numbered(-5, "permit", 2), numbered(20, "permit", 3),
          numbered(20, "deny", 4),
          insert("ACL",
                 R"("acl_name":"web","acl_entries":["set",[["named-uuid","e1"],)"
                 R"(["named-uuid","e2"],["named-uuid","e3"],["named-uuid","e4"]]])",
                 "acl")});
    const auto order = [this] {
        std::vector<int> protocols;
        const auto view = policy_->port_view("p1");
        for (const AclEntrySpec& each : view->attachments[0].acl) {
            protocols.push_back(each.protocol.value_or(0));
        }
        return protocols;
    };
    EXPECT_THAT(order(), ElementsAre(2, 4, 3, 1));
    hardware({R"({"op":"update","table":"ACL_entry","where":[["protocol","==",1]],)"
              R"("row":{"sequence":0}})"});
    EXPECT_THAT(order(), ElementsAre(2, 1, 4, 3));
    hardware({R"({"op":"update","table":"Physical_Port","where":[],)"
              R"("row":{"acl_bindings":["map",[]]}})"});
    EXPECT_THAT(order(), IsEmpty());
}

TEST_F(HardwareVtepReaderTest, ReplicationModeSaysToHowManyOfASetCopiesGo) {
    hardware({insert("Logical_Switch", R"("name":"ls5","tunnel_key":5)", "ls"),
              insert("Physical_Locator",
                     R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":"192.168.2.20")", "one"),
              insert("Physical_Locator",
                     R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":"192.168.3.30")", "two"),
              insert("Physical_Locator_Set",
                     R"("locators":["set",[["named-uuid","one"],["named-uuid","two"]]])", "set"),
              insert("Mcast_Macs_Remote",
                     R"("MAC":"unknown-dst","ipaddr":"","locator_set":["named-uuid","set"],)"
                     R"("logical_switch":["named-uuid","ls"])")});
    EXPECT_THAT(policy_->subnet_view(5)->peers, SizeIs(1));
    hardware({update("Logical_Switch", R"("replication_mode":"source_node")")});
    EXPECT_THAT(policy_->subnet_view(5)->peers, SizeIs(2));
    hardware({update("Logical_Switch", R"("replication_mode":"service_node")")});
    EXPECT_THAT(policy_->subnet_view(5)->peers, SizeIs(1));
}

TEST_F(HardwareVtepReaderTest, ATunnelHasNoKeyOfItsOwn) {
    const auto words = [this] {
        tell();
        return this->words("Physical_Switch", "switch_fault_status");
    };
    hardware({insert("Logical_Switch", R"("name":"ls5","tunnel_key":5)", "ls"),
              insert("Physical_Locator",
                     R"("encapsulation_type":"vxlan_over_ipv4","dst_ip":"192.168.2.20",)"
                     R"("tunnel_key":77)",
                     "pl"),
              insert("Ucast_Macs_Remote",
                     R"("MAC":"02:00:00:00:00:12","ipaddr":"","locator":["named-uuid","pl"],)"
                     R"("logical_switch":["named-uuid","ls"])")});
    EXPECT_THAT(fault(FaultKey::TunnelKey), HasSubstr("192.168.2.20 is 77"));
    EXPECT_TRUE(policy_->mac_view(5, 0x020000000012U));
    EXPECT_THAT(words(), ElementsAre("unspecified_fault"));
    hardware({update("Physical_Locator", R"("tunnel_key":["set",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

}  // namespace
}  // namespace hnv::northbound
