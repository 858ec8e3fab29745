// ms_vtep's rows as controllers write them, and what becomes of them in the policy.
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using MsVtepReaderTest = NorthboundTest;

TEST_F(MsVtepReaderTest, AMappingInAnySpelling) {
    map("00-15-5D-AA-BB-0C", "2001:DB8:0:0::1");
    ASSERT_THAT(mappings(), SizeIs(1));
    const policy::MappingStatus mapping = mappings().front();
    EXPECT_EQ(mapping.vsid, 5001U);
    EXPECT_EQ(mapping.mac.to_string(), "00:15:5d:aa:bb:0c");
    EXPECT_EQ(mapping.ca.value().to_string(), "2001:db8::1");
    EXPECT_EQ(mapping.locator.value().pa.to_string(), "192.168.2.20");
    EXPECT_EQ(mapping.locator.value().encapsulation, policy::Encapsulation::Vxlan);
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsVtepReaderTest, AMappingWithoutAddressIsOfTheMacOnly) {
    map("00:15:5d:aa:bb:0c", "");
    ASSERT_THAT(mappings(), SizeIs(1));
    EXPECT_FALSE(mappings().front().ca);
}

TEST_F(MsVtepReaderTest, MappingTypes) {
    map("00:15:5d:00:00:01", "10.0.0.1");
    EXPECT_EQ(mappings().front().type, policy::MappingType::Default);
    vtep({erase("Ucast_Macs_Remote")});
    const auto add = [this](const std::string& type) {
        vtep({insert("Physical_Locator",
                     R"("dst_ip":"192.168.2.20","encapsulation_type":"nvgre_over_ipv4")", "l"),
              insert("Ucast_Macs_Remote",
                     R"("MAC":"00:15:5d:00:00:01","mapping_type":")" + type +
                         R"(","locator":["named-uuid","l"],"logical_switch":["uuid",")" +
                         rows("ms_vtep", "Logical_Switch").front().uuid.to_string() + R"("])")});
    };
    add("learning_disabled");
    EXPECT_EQ(mappings().front().type, policy::MappingType::LearningDisabled);
    EXPECT_EQ(mappings().front().locator.value().encapsulation, policy::Encapsulation::Nvgre);
    vtep({erase("Ucast_Macs_Remote")});
    add("load_balanced");
    EXPECT_EQ(mappings().front().type, policy::MappingType::LoadBalanced);
}

TEST_F(MsVtepReaderTest, ABadMacIsAFaultUntilMended) {
    for (const char* bad : {"", "00:15:5d:aa:bb", "00:15:5d:aa:bb:zz", "00:15-5d:aa:bb:cc",
                            "00155daabbcc", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"}) {
        map(bad, "10.0.0.1");
        EXPECT_THAT(fault(FaultKey::BadAddress),
                    HasSubstr("MAC '" + std::string(bad) + "' of a Ucast_Macs_Remote row"));
        EXPECT_THAT(mappings(), IsEmpty());
        vtep({update("Ucast_Macs_Remote", R"("MAC":"00:15:5d:aa:bb:0c")")});
        EXPECT_THAT(fault_keys(), IsEmpty());
        EXPECT_THAT(mappings(), SizeIs(1));
        vtep({erase("Ucast_Macs_Remote"), erase("Logical_Switch")});
    }
}

TEST_F(MsVtepReaderTest, ABadAddressIsAFaultAndDeletionClearsIt) {
    for (const char* bad : {"10.0.0.300", "10.0.0.1/24", "somewhere", " 10.0.0.1"}) {
        map("00:15:5d:aa:bb:0c", bad);
        EXPECT_THAT(
            fault(FaultKey::BadAddress),
            HasSubstr("ipaddr '" + std::string(bad) + "' of the mapping of 00:15:5d:aa:bb:0c"));
        EXPECT_THAT(mappings(), IsEmpty());
        vtep({erase("Ucast_Macs_Remote"), erase("Logical_Switch")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
}

// What was realised before a change for the worse is not left in force.
TEST_F(MsVtepReaderTest, AMappingThatTurnsBadLeavesThePolicy) {
    map("00:15:5d:aa:bb:0c", "10.0.0.1");
    vtep({update("Ucast_Macs_Remote", R"("ipaddr":"10.0.0")")});
    EXPECT_THAT(mappings(), IsEmpty());
    EXPECT_EQ(policy_->neighbours.find(5001, test::ip("10.0.0.1")), std::nullopt);
}

TEST_F(MsVtepReaderTest, ALocatorsAddressIsOfItsFamily) {
    struct {
        const char* address;
        const char* type;
        bool good;
    } const cases[] = {
        {"192.168.1.1", "vxlan_over_ipv4", true},  {"192.168.1.1", "nvgre_over_ipv4", true},
        {"2001:db8::1", "vxlan_over_ipv6", true},  {"2001:db8::1", "nvgre_over_ipv6", true},
        {"192.168.1.1", "vxlan_over_ipv6", false}, {"2001:db8::1", "nvgre_over_ipv4", false},
        {"192.168.1", "vxlan_over_ipv4", false},   {"", "vxlan_over_ipv6", false}};
    for (const auto& [address, type, good] : cases) {
        map("00:15:5d:aa:bb:0c", "10.0.0.1",
            R"("dst_ip":")" + std::string(address) + R"(","encapsulation_type":")" + type + '"');
        EXPECT_EQ(mappings().front().locator.has_value(), good) << address << " " << type;
        if (!good) {
            EXPECT_THAT(fault(FaultKey::BadAddress),
                        HasSubstr("dst_ip '" + std::string(address) + "'"));
            EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr(type));
        }
        vtep({erase("Ucast_Macs_Remote"), erase("Logical_Switch")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
}

TEST_F(MsVtepReaderTest, AVsidOutOfRangeIsAFaultUntilMended) {
    for (const char* bad : {"4095", "0", "-1", "16777215", "4294971296", R"(["set",[]])"}) {
        vtep({insert("Logical_Switch", R"("name":"blue","tunnel_key":)" + std::string(bad))});
        EXPECT_THAT(fault(FaultKey::VsidRange), HasSubstr("Logical_Switch 'blue'")) << bad;
        EXPECT_EQ(policy_->model.counts().subnets, 0U);
        vtep({update("Logical_Switch", R"("tunnel_key":4096)")});
        EXPECT_THAT(fault_keys(), IsEmpty());
        EXPECT_EQ(policy_->model.counts().subnets, 1U);
        vtep({update("Logical_Switch", R"("tunnel_key":1)")});
        EXPECT_EQ(policy_->model.counts().subnets, 0U);
        vtep({erase("Logical_Switch")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
    vtep({insert("Logical_Switch", R"("name":"last","tunnel_key":16777214)")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsVtepReaderTest, PortNamesMatchWithOrWithoutBracesInEitherCase) {
    const std::string guid = "a1b2c3d4-0000-0000-0000-00000000000f";
    policy_->model.set_interfaces({{"tap0", 7, guid, "00:15:5d:00:00:01", "vm"}});
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "subnet"),
          insert("Physical_Port",
                 R"("name":"{A1B2C3D4-0000-0000-0000-00000000000F}",)"
                 R"("vlan_bindings":["map",[[0,["named-uuid","subnet"]]]])",
                 "port"),
          attach("port")});
    const policy::PortStatus status = policy_->status(guid);
    EXPECT_EQ(status.ofport, 7U);
    ASSERT_EQ(status.bindings.size(), 1U);
    EXPECT_EQ(status.bindings[0].vsid, 5001U);
    EXPECT_EQ(status.row, rows("ms_vtep", "Physical_Port").front().uuid);
    // Renamed, the row is another port's.
    vtep({update("Physical_Port", R"("name":"other")")});
    EXPECT_EQ(policy_->status(guid).row, std::nullopt);
    vtep({update("Physical_Switch", R"("ports":["set",[]])")});
    EXPECT_EQ(policy_->status("other").name, "");
}

TEST_F(MsVtepReaderTest, ARoutersBadKeyIsAFaultAndItsOtherSubnetsAreRouted) {
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "a"),
          insert("Logical_Switch", R"("name":"5002","tunnel_key":5002)", "b"),
          insert("Logical_Router", R"("name":"net","enable_logical_router":true,)"
                                   R"("switch_binding":["map",[["10.1.1.0/24",["named-uuid","a"]],)"
                                   R"(["10.1.2.0/99",["named-uuid","b"]]]])")});
    EXPECT_THAT(fault(FaultKey::RouterKey), HasSubstr("'10.1.2.0/99' of Logical_Router 'net'"));
    EXPECT_TRUE(policy_->neighbours.find(5001, test::ip("10.1.1.1")).has_value());
    vtep({update("Logical_Router", R"("switch_binding":["map",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_FALSE(policy_->neighbours.find(5001, test::ip("10.1.1.1")).has_value());
}

TEST_F(MsVtepReaderTest, TheRoutersMacIsTheSwitchsOrTheDefault) {
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "a"),
          insert("Logical_Router",
                 R"("name":"net","enable_logical_router":true,)"
                 R"("switch_binding":["map",[["10.1.1.0/24",["named-uuid","a"]]]])")});
    const auto mac = [this] {
        return policy_->neighbours.find(5001, test::ip("10.1.1.1")).value_or(MacAddress{});
    };
    EXPECT_EQ(mac(), policy::Model::kDefaultRouterMac);
    vtep({update("Physical_Switch", R"("distributed_router_mac":"00-15-5D-11-22-33")")});
    EXPECT_EQ(mac().to_string(), "00:15:5d:11:22:33");
    for (const char* bad : {"nonsense", "01:00:5e:00:00:01"}) {
        vtep({update("Physical_Switch", R"("distributed_router_mac":")" + std::string(bad) + '"')});
        EXPECT_EQ(mac(), policy::Model::kDefaultRouterMac);
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'" + std::string(bad) + "'"));
    }
    vtep({update("Physical_Switch", R"("distributed_router_mac":"")")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsVtepReaderTest, ADeletedSwitchTakesItsFaultAndItsMacAlong) {
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "a"),
          insert("Logical_Router",
                 R"("name":"net","enable_logical_router":true,)"
                 R"("switch_binding":["map",[["10.1.1.0/24",["named-uuid","a"]]]])"),
          update("Physical_Switch", R"("distributed_router_mac":"00:15:5d:11:22:33")")});
    vtep({update("Global", R"("switches":["set",[]])")});
    EXPECT_EQ(policy_->neighbours.find(5001, test::ip("10.1.1.1")),
              policy::Model::kDefaultRouterMac);
    vtep({insert("Physical_Switch", R"("name":"again","distributed_router_mac":"bad")", "s"),
          update("Global", R"("switches":["named-uuid","s"])")});
    EXPECT_NE(fault(FaultKey::BadAddress), "");
    vtep({update("Global", R"("switches":["set",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

// A subnet, its set of one locator, and a row that sends MAC there.
TEST_F(MsVtepReaderTest, GroupsAreOfAMacOrOfAllTheOthers) {
    const auto group = [this](const std::string& mac) {
        vtep({insert("Physical_Locator",
                     R"("dst_ip":"192.168.9.90","encapsulation_type":"vxlan_over_ipv4")", "l"),
              insert("Physical_Locator_Set", R"("locators":["named-uuid","l"])", "set"),
              insert("Logical_Switch", R"("name":"s","tunnel_key":5001)", "subnet"),
              insert("Mcast_Macs_Remote", R"("MAC":")" + mac +
                                              R"(","logical_switch":["named-uuid","subnet"],)" +
                                              R"("locator_set":["named-uuid","set"])")});
    };
    const auto clear = [this] { vtep({erase("Mcast_Macs_Remote"), erase("Logical_Switch")}); };
    group("unknown-dst");
    ASSERT_EQ(policy_->subnet_view(5001)->peers.size(), 1U);
    EXPECT_EQ(policy_->subnet_view(5001)->peers[0].pa.to_string(), "192.168.9.90");
    clear();
    group("01-00-5E-00-00-FB");
    ASSERT_EQ(policy_->subnet_view(5001)->groups.size(), 1U);
    EXPECT_EQ(policy_->subnet_view(5001)->groups[0].mac.to_string(), "01:00:5e:00:00:fb");
    EXPECT_THAT(fault_keys(), IsEmpty());
    clear();
    group("00:15:5d:00:00:01");
    EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("neither a multicast MAC"));
    clear();
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsVtepReaderTest, ASubnetMayBeReplicatedForEachVirtualMachine) {
    map("00:15:5d:aa:bb:0c", "10.0.0.1");
    EXPECT_TRUE(policy_->subnet_view(5001)->members.empty());
    vtep({update("Logical_Switch", R"("other_config":["map",[["replication","per-vm"]]])")});
    EXPECT_EQ(policy_->subnet_view(5001)->members.size(), 1U);
    vtep({update("Logical_Switch", R"("other_config":["map",[["replication","per-host"]]])")});
    EXPECT_TRUE(policy_->subnet_view(5001)->members.empty());
}

TEST_F(MsVtepReaderTest, ASubnetMayBeAVlan) {
    vtep({insert("Logical_Switch",
                 R"("name":"v","other_config":["map",[["uplink","br-ex"],["vlan","100"]]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    ASSERT_TRUE(policy_->subnet_view(policy::vsid_of_vlan(100)));
    EXPECT_EQ(policy_->model.vlan_uplinks(), std::vector<std::string>{"br-ex"});
    for (const char* bad :
         {R"(["vlan","0"],["uplink","br-ex"])", R"(["vlan","4095"],["uplink","b"])",
          R"(["vlan","12x"],["uplink","b"])", R"(["vlan","100"])"}) {
        vtep({update("Logical_Switch", R"("other_config":["map",[)" + std::string(bad) + "]]")});
        EXPECT_THAT(fault(FaultKey::VsidRange), HasSubstr("other_config:")) << bad;
        EXPECT_FALSE(policy_->subnet_view(policy::vsid_of_vlan(100)));
    }
    // It becomes a virtual subnet.
    vtep({update("Logical_Switch", R"("tunnel_key":5001,"other_config":["map",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_TRUE(policy_->subnet_view(5001));
}

TEST_F(MsVtepReaderTest, TheRestOfATransactionIsRealised) {
    vtep({insert("Logical_Switch", R"("name":"bad","tunnel_key":7)"),
          insert("Logical_Switch", R"("name":"good","tunnel_key":7000)")});
    EXPECT_THAT(fault_keys(), ElementsAre("vsid-range"));
    EXPECT_EQ(policy_->model.counts().subnets, 1U);
}

TEST_F(MsVtepReaderTest, AfterARestartTheRowsAreReadAgain) {
    map("00:15:5d:aa:bb:0c", "10.0.0.1");
    vtep({insert("Logical_Switch", R"("name":"bad","tunnel_key":7)")});
    start();
    EXPECT_THAT(mappings(), SizeIs(1));
    EXPECT_EQ(mappings().front().vsid, 5001U);
    EXPECT_THAT(fault_keys(), ElementsAre("vsid-range"));
}

}  // namespace
}  // namespace hnv::northbound
