// ms_firewall's rules, from text to typed rules of a port.
#include "northbound_fixture.h"
#include "policy/port_masks.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MsFirewallReaderTest : public NorthboundTest {
  protected:
    // A port whose rules can be looked at: plugged, bound, with an address.
    void plug() {
        policy_->model.set_interfaces({test::plug("p1", 7, 0x155d000001)});
        map("00:00:15:5d:00:01", "10.0.0.1");
        policy_->model.set_interfaces({{"tap0", 7, "p1", "00:00:15:5d:00:01", "vm"}});
        vtep({insert("Physical_Port",
                     R"("name":"p1","vlan_bindings":["map",[[0,["uuid",")" +
                         rows("ms_vtep", "Logical_Switch").front().uuid.to_string() + R"("]]]])",
                     "port"),
              attach("port")});
    }
    std::vector<policy::RuleSpec> rules() const { return policy_->model.rules_in_force("p1"); }
    std::size_t count() const { return policy_->model.counts().rules; }
};

// Ports, each as a range that takes 16 masks in the switch; `count` of them, all distinct.
std::string ranges_of_16_masks(std::size_t count) {
    std::string list;
    std::size_t found = 0;
    for (std::uint32_t first = 1; first < 0x8000 && found < count; ++first) {
        for (std::uint32_t last = 0xffff; last > 0xfff0 && found < count; --last) {
            const policy::PortRange range{static_cast<std::uint16_t>(first),
                                          static_cast<std::uint16_t>(last)};
            if (policy::masks_of(range).size() == 16) {
                list +=
                    (found++ == 0 ? "" : ",") + std::to_string(first) + "-" + std::to_string(last);
            }
        }
    }
    EXPECT_EQ(found, count);
    return list;
}

template <typename Make>
std::string join(std::size_t count, Make make) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
        list += (i == 0 ? "" : ",") + make(i);
    }
    return list;
}

TEST_F(MsFirewallReaderTest, EveryColumnIsRead) {
    plug();
    firewall({insert("FW_Rules",
                     R"("rule_id":"web","vnic_id":"p1","action":"Block","direction":"Outbound",)"
                     R"("rule_state":"Enabled","logging_state":"Disabled",)"
                     R"("rule_type":"RuleWithAdminPriority","priority":300,)"
                     R"("src_ip_addresses":"10.0.0.0/8","dst_ip_addresses":"::1, 10.1.0.0/16",)"
                     R"("src_ports":"1024-65535","dst_ports":"80,443","protocols":"TCP")")});
    ASSERT_THAT(rules(), testing::SizeIs(1));
    const policy::RuleSpec rule = rules().front();
    EXPECT_EQ(rule.id, "web");
    EXPECT_EQ(rule.port, "p1");
    EXPECT_EQ(rule.action, policy::RuleAction::Block);
    EXPECT_EQ(rule.direction, policy::Direction::Outbound);
    EXPECT_EQ(rule.layer, policy::RuleLayer::Admin);
    EXPECT_EQ(rule.priority, 300);
    EXPECT_THAT(rule.sources, ElementsAre(test::prefix("10.0.0.0/8")));
    EXPECT_THAT(rule.destinations,
                ElementsAre(test::prefix("::1/128"), test::prefix("10.1.0.0/16")));
    EXPECT_THAT(rule.source_ports, ElementsAre(policy::PortRange{1024, 65535}));
    EXPECT_THAT(rule.destination_ports,
                ElementsAre(policy::PortRange{80, 80}, policy::PortRange{443, 443}));
    EXPECT_THAT(rule.protocols, ElementsAre(6));
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsFirewallReaderTest, ADisabledRuleIsNoneAndAnEnabledOneOpensThePort) {
    plug();
    EXPECT_THAT(fault_keys(), ElementsAre("port-no-acl"));
    add_rule("");
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(policy_->status("p1").state, policy::PortState::Active);
    firewall({update("FW_Rules", R"("rule_state":"Disabled")")});
    EXPECT_THAT(fault_keys(), ElementsAre("port-no-acl"));
    firewall({update("FW_Rules", R"("rule_state":"Enabled")")});
    firewall({erase("FW_Rules")});
    EXPECT_THAT(fault_keys(), ElementsAre("port-no-acl"));
    EXPECT_EQ(count(), 0U);
}

TEST_F(MsFirewallReaderTest, PrioritiesHaveARange) {
    for (const char* bad : {"-1", "65001", "65536", "4294967296"}) {
        add_rule(R"(,"priority":)" + std::string(bad));
        EXPECT_THAT(fault(FaultKey::RulePriority),
                    HasSubstr("priority " + std::string(bad) + " of rule r1 is not 0 to 65000"));
        EXPECT_EQ(count(), 0U);
        firewall({update("FW_Rules", R"("priority":65000)")});
        EXPECT_THAT(fault_keys(), IsEmpty());
        EXPECT_EQ(count(), 1U);
        firewall({erase("FW_Rules")});
    }
}

TEST_F(MsFirewallReaderTest, AnUnreadableListIsAFaultUntilMendedOrDeleted) {
    add_rule(R"(,"dst_ports":"80,http")");
    EXPECT_EQ(fault(FaultKey::RuleSyntax), "rule r1: dst_ports: can't read 'http'");
    EXPECT_EQ(count(), 0U);
    firewall({update("FW_Rules", R"("dst_ports":"80","protocols":"nonsense")")});
    EXPECT_EQ(fault(FaultKey::RuleSyntax), "rule r1: protocols: can't read 'nonsense'");
    firewall({update("FW_Rules", R"("protocols":"tcp")")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(count(), 1U);
    firewall({update("FW_Rules", R"("src_ip_addresses":"x")")});
    EXPECT_EQ(count(), 0U);
    firewall({erase("FW_Rules")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsFirewallReaderTest, ARuleThatNoPacketCanMatchIsAFault) {
    for (const char* lists : {R"("src_ip_addresses":"10.0.0.0/8","dst_ip_addresses":"::1")",
                              R"("protocols":"icmp","dst_ports":"80")"}) {
        add_rule("," + std::string(lists));
        EXPECT_THAT(fault(FaultKey::RuleSyntax), HasSubstr("no packet can match rule r1")) << lists;
        EXPECT_EQ(count(), 0U);
        firewall({erase("FW_Rules")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
}

TEST_F(MsFirewallReaderTest, OneKindOfFaultGivesWayToTheOther) {
    add_rule(R"(,"priority":-1)");
    firewall({update("FW_Rules", R"("priority":1,"src_ports":"x")")});
    EXPECT_THAT(fault_keys(), ElementsAre("rule-syntax"));
    firewall({update("FW_Rules", R"("priority":-1)")});
    EXPECT_THAT(fault_keys(), ElementsAre("rule-priority"));
    firewall({update("FW_Rules", R"("priority":1,"src_ports":"*")")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsFirewallReaderTest, ListsMayMultiply) {
    const auto address = [](std::size_t i) {
        return IpAddress::from_v4(static_cast<std::uint32_t>(0x0a000000U + 2 * i)).to_string();
    };
    add_rule(R"(,"protocols":"tcp,udp","src_ip_addresses":")" + join(2000, address) +
             R"(","dst_ip_addresses":")" + join(2000, address) + '"');
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(count(), 1U);
}

TEST_F(MsFirewallReaderTest, TooManyEntriesAreRefused) {
    add_rule(R"(,"protocols":"tcp,udp","dst_ports":")" + ranges_of_16_masks(128) + '"');
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(count(), 1U);
    firewall({update("FW_Rules", R"("src_ports":"80")")});
    EXPECT_THAT(fault(FaultKey::RuleSyntax),
                HasSubstr("have 4098 entries (addresses as prefixes, ports as masks for each "
                          "protocol); split it into rules of 4096"));
    EXPECT_EQ(count(), 0U);
}

TEST_F(MsFirewallReaderTest, ARuleMovesWithItsPortsName) {
    plug();
    add_rule("");
    firewall({update("FW_Rules", R"("vnic_id":"p2")")});
    EXPECT_THAT(fault_keys(), ElementsAre("port-no-acl"));
    EXPECT_EQ(policy_->status("p2").rules, 1U);
    EXPECT_EQ(policy_->status("p1").rules, 0U);
}

}  // namespace
}  // namespace hnv::northbound
