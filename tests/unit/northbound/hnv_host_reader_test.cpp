// hnv_host: provider addresses and per-port settings.
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HnvHostReaderTest : public NorthboundTest {
  protected:
    std::vector<std::string> addresses() const {
        std::vector<std::string> texts;
        policy_->model.for_each_provider_address(
            [&](const Uuid&, const policy::ProviderAddressSpec& spec) {
                texts.push_back(spec.address.to_string() + " on " + spec.uplink);
            });
        return texts;
    }
    std::optional<policy::PortView> port() const { return policy_->port_view("p1"); }
};

TEST_F(HnvHostReaderTest, ProviderAddresses) {
    host({insert("Provider_Address", R"("address":"192.168.1.10/24","uplink":"br-pa")")});
    EXPECT_THAT(addresses(), ElementsAre("192.168.1.10/24 on br-pa"));
    host({update("Provider_Address", R"("address":"2001:DB8::10/64")")});
    EXPECT_THAT(addresses(), ElementsAre("2001:db8::10/64 on br-pa"));
    host({erase("Provider_Address")});
    EXPECT_THAT(addresses(), IsEmpty());
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HnvHostReaderTest, ABadProviderAddressIsAFaultUntilMended) {
    for (const char* bad : {"", "192.168.1.10/33", "192.168.1/24", "pa0"}) {
        host({insert("Provider_Address", R"("address":")" + std::string(bad) + '"')});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'" + std::string(bad) + "'"));
        EXPECT_THAT(addresses(), IsEmpty());
        host({update("Provider_Address", R"("address":"192.168.1.10/24")")});
        EXPECT_THAT(fault_keys(), IsEmpty());
        host({update("Provider_Address", R"("address":"x")")});
        EXPECT_THAT(addresses(), IsEmpty());
        host({erase("Provider_Address")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
}

TEST_F(HnvHostReaderTest, HowAProviderAddressIsToBeMade) {
    host({insert("Provider_Address",
                 R"("address":"192.168.1.10/24","uplink":"eth1","gateway":"192.168.1.1",)"
                 R"("vlan":11,"mac":"02-00-00-00-01-0A")")});
    std::optional<policy::ProviderAddressSpec> spec;
    policy_->model.for_each_provider_address(
        [&](const Uuid&, const policy::ProviderAddressSpec& found) { spec = found; });
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->gateway, test::ip("192.168.1.1"));
    EXPECT_EQ(spec->vlan, 11);
    EXPECT_EQ(spec->mac, MacAddress::parse("02:00:00:00:01:0a"));
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HnvHostReaderTest, ABadGatewayOrMacIsAFaultUntilMended) {
    host({insert("Provider_Address", R"("address":"192.168.1.10/24")")});
    for (const char* bad : {"192.168.1", "192.168.2.1", "2001:db8::1", "192.168.1.10"}) {
        host({update("Provider_Address", R"("gateway":")" + std::string(bad) + '"')});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'" + std::string(bad) + "'"));
        EXPECT_THAT(addresses(), IsEmpty());
    }
    host({update("Provider_Address", R"("gateway":"192.168.1.1")")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    for (const char* bad : {"02:00:00:00:01", "01:00:00:00:01:0a", "00:00:00:00:00:00"}) {
        host({update("Provider_Address", R"("mac":")" + std::string(bad) + '"')});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'" + std::string(bad) + "'"));
    }
    host({update("Provider_Address", R"("mac":["set",[]])")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_THAT(addresses(), ElementsAre("192.168.1.10/24 on "));
}

// An address that can't be read is no longer one that the host lacks.
TEST_F(HnvHostReaderTest, ARefusedRowHasNoOtherFault) {
    host({insert("Provider_Address", R"("address":"192.168.1.10/24")")});
    policy_->faults.set(
        {policy::SourceTable::HostProviderAddress, rows("hnv_host", "Provider_Address")[0].uuid},
        FaultKey::PaMissing, "the host does not carry it");
    host({update("Provider_Address", R"("address":"x")")});
    EXPECT_THAT(fault_keys(), ElementsAre("bad-address"));
}

TEST_F(HnvHostReaderTest, PortSettings) {
    policy_->model.set_interfaces({test::plug("p1", 7, 1)});
    host({insert("Port_Settings", R"("name":"p1","mac_spoofing_allowed":true)")});
    ASSERT_TRUE(port());
    EXPECT_TRUE(port()->mac_spoofing_allowed);
    EXPECT_FALSE(port()->ip_forwarding_allowed);
    EXPECT_EQ(port()->arp_limit_pps, std::nullopt);
    host({update("Port_Settings", R"("mac_spoofing_allowed":false,"ip_forwarding_allowed":true,)"
                                  R"("other_config":["map",[["arp_limit_pps","2000"]]])")});
    EXPECT_FALSE(port()->mac_spoofing_allowed);
    EXPECT_TRUE(port()->ip_forwarding_allowed);
    EXPECT_EQ(port()->arp_limit_pps, 2000U);
    host({erase("Port_Settings")});
    EXPECT_FALSE(port()->ip_forwarding_allowed);
    EXPECT_EQ(port()->arp_limit_pps, std::nullopt);
}

TEST_F(HnvHostReaderTest, GuardsAndLimits) {
    policy_->model.set_interfaces({test::plug("p1", 7, 1)});
    host({insert("Port_Settings",
                 R"("name":"p1","dhcp_guard":true,"router_guard":true,"storm_limit_pps":100,)"
                 R"("flow_limit":1000,"outbound_max_mbps":10,"inbound_max_mbps":0)")});
    EXPECT_TRUE(port()->dhcp_guard);
    EXPECT_TRUE(port()->router_guard);
    EXPECT_EQ(port()->storm_limit_pps, 100U);
    EXPECT_EQ(port()->flow_limit, 1000U);
    EXPECT_EQ(port()->outbound_max_mbps, 10U);
    EXPECT_EQ(port()->inbound_max_mbps, 0U);
    EXPECT_THAT(fault_keys(), IsEmpty());
    host({erase("Port_Settings")});
    EXPECT_FALSE(port()->dhcp_guard);
    EXPECT_EQ(port()->flow_limit, 0U);
    EXPECT_EQ(port()->outbound_max_mbps, 0U);
}

TEST_F(HnvHostReaderTest, ALimitThatCannotBeCountedIsAFaultAndNone) {
    policy_->model.set_interfaces({test::plug("p1", 7, 1)});
    host({insert("Port_Settings",
                 R"("name":"p1","storm_limit_pps":4294967296,"outbound_max_mbps":4294968,)"
                 R"("inbound_max_mbps":4294967,"flow_limit":4294967295)")});
    EXPECT_EQ(port()->storm_limit_pps, 0U);
    EXPECT_EQ(port()->outbound_max_mbps, 0U);
    EXPECT_EQ(port()->inbound_max_mbps, 4294967U);
    EXPECT_EQ(port()->flow_limit, 4294967295U);
    EXPECT_THAT(fault(FaultKey::BadSetting),
                HasSubstr("storm_limit_pps 4294967296 of Port_Settings p1 is not in 0 to"));
    EXPECT_THAT(fault(FaultKey::BadSetting), HasSubstr("; outbound_max_mbps 4294968 of"));
    host({update("Port_Settings", R"("storm_limit_pps":1,"outbound_max_mbps":["set",[]])")});
    EXPECT_EQ(port()->storm_limit_pps, 1U);
    EXPECT_THAT(fault_keys(), IsEmpty());
    host({update("Port_Settings", R"("flow_limit":4294967296)")});
    EXPECT_THAT(fault_keys(), ElementsAre("bad-setting"));
    host({erase("Port_Settings")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HnvHostReaderTest, AnArpLimitIsPositiveAndOtherwiseTheDefault) {
    policy_->model.set_interfaces({test::plug("p1", 7, 1)});
    host({insert("Port_Settings", R"("name":"p1")")});
    const std::map<std::string, std::optional<std::uint32_t>> limits{{"1", 1},
                                                                     {"4294967295", 4294967295U},
                                                                     {"0", 1},
                                                                     {"-1", std::nullopt},
                                                                     {"many", std::nullopt},
                                                                     {"4294967296", std::nullopt},
                                                                     {"10 ", std::nullopt}};
    for (const auto& [text, limit] : limits) {
        host({update("Port_Settings",
                     R"("other_config":["map",[["arp_limit_pps",")" + text + R"("]]])")});
        EXPECT_EQ(port()->arp_limit_pps, limit) << text;
    }
}

TEST_F(HnvHostReaderTest, PortsOfHardwareVtepAreListedOnlyIfItSaysTrue) {
    EXPECT_FALSE(policy_->model.host_settings().vtep_list_ports);
    const std::map<std::string, bool> texts{{"true", true}, {"false", false}, {"1", false}};
    for (const auto& [text, list] : texts) {
        host({update("Host", R"("settings":["map",[["vtep_list_ports",")" + text + R"("]]])")});
        EXPECT_EQ(policy_->model.host_settings().vtep_list_ports, list) << text;
    }
}

TEST_F(HnvHostReaderTest, SettingsOfTheAuditLog) {
    const auto& settings = policy_->model.host_settings();
    EXPECT_EQ(settings, policy::HostSettingsSpec{});
    host({update("Host", R"("settings":["map",[["audit_limit_pps","5"],)"
                         R"(["audit_log_max_bytes","1000000"],["audit_log_files","3"]]])")});
    EXPECT_EQ(settings, (policy::HostSettingsSpec{5, 1'000'000, 3}));
    EXPECT_EQ(policy_->model.host().audit_limit_pps, 5U);
    // Beyond the bounds: the nearest within.
    host({update("Host", R"("settings":["map",[["audit_limit_pps","0"],)"
                         R"(["audit_log_max_bytes","1"],["audit_log_files","99999"]]])")});
    EXPECT_EQ(settings, (policy::HostSettingsSpec{1, 65'536, 1000}));
    host({update("Host", R"("settings":["map",[["audit_limit_pps","many"],)"
                         R"(["audit_log_max_bytes","-1"],["audit_log_files",""]]])")});
    EXPECT_EQ(settings, policy::HostSettingsSpec{});
    host({erase("Host")});
    EXPECT_EQ(settings, policy::HostSettingsSpec{});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(HnvHostReaderTest, SettingsOfTheServer) {
    const auto& settings = policy_->model.host_settings();
    host({update("Host", R"("settings":["map",[["server_max_clients","5"],)"
                         R"(["server_max_message_bytes","2000000"],["server_max_monitors","3"],)"
                         R"(["server_max_waits","4"],["server_max_locks","6"],)"
                         R"(["server_max_backlog_bytes","7000"]]])")});
    policy::HostSettingsSpec wanted{.server_max_clients = 5,
                                    .server_max_message_bytes = 2'000'000,
                                    .server_max_monitors = 3,
                                    .server_max_waits = 4,
                                    .server_max_locks = 6,
                                    .server_max_backlog_bytes = 7000};
    EXPECT_EQ(settings, wanted);
    // Beyond the bounds: the nearest within.
    host({update("Host", R"("settings":["map",[["server_max_clients","0"],)"
                         R"(["server_max_message_bytes","1"],["server_max_monitors","1000000"],)"
                         R"(["server_max_waits","0"],["server_max_locks","none"],)"
                         R"(["server_max_backlog_bytes","0"]]])")});
    wanted = {.server_max_clients = 1,
              .server_max_message_bytes = 1 << 20,
              .server_max_monitors = 100'000,
              .server_max_waits = 1,
              .server_max_backlog_bytes = 4096};
    EXPECT_EQ(settings, wanted);
}

// A row of NAT that is right, with some of its columns replaced.
std::string nat_row(const std::string& columns) {
    return insert("NAT", R"("name":"n","port":"gw",)" + columns);
}

TEST_F(HnvHostReaderTest, NatInAnySpelling) {
    host({nat_row(
        R"("type":"dynamic","internal":["set",["10.1.1.7/24","10.1.2.0/24","10.1.1.0/24"]],)"
        R"("external":"203.0.113.2 - 203.0.113.4","ports":"1024-2047","vlan":10)")});
    std::optional<policy::NatSpec> spec;
    policy_->model.for_each_nat([&](const policy::NatStatus& status) { spec = status.spec; });
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->internal,
              (std::vector{test::prefix("10.1.1.0/24"), test::prefix("10.1.2.0/24")}));
    EXPECT_EQ(spec->first, test::ip("203.0.113.2"));
    EXPECT_EQ(spec->last, test::ip("203.0.113.4"));
    EXPECT_EQ(spec->external,
              (std::vector{test::prefix("203.0.113.2/31"), test::prefix("203.0.113.4")}));
    EXPECT_EQ(spec->ports, (policy::PortRange{1024, 2047}));
    EXPECT_EQ(spec->vlan, 10);
    EXPECT_FALSE(spec->is_static);
    host({erase("NAT")});
    spec.reset();
    policy_->model.for_each_nat([&](const policy::NatStatus& status) { spec = status.spec; });
    EXPECT_FALSE(spec);
}

TEST_F(HnvHostReaderTest, BadNatIsAFaultThatNamesTheColumn) {
    const std::string pool = R"("type":"dynamic",)";
    const std::string pair = R"("type":"static",)";
    const std::string ca = R"("internal":"10.1.1.11",)";
    const std::string external = R"("external":"203.0.113.2")";
    const std::vector<std::pair<std::string, const char*>> rows{
        {pool + external, "internal is empty"},
        {pool + R"("internal":"ten",)" + external, "internal 'ten'"},
        {pool + ca + R"("external":"")", "external ''"},
        {pool + ca + R"("external":"203.0.113.9-203.0.113.2")", "external '203"},
        {pool + ca + R"("external":"203.0.113.9-2001:db8::1")", "external '203"},
        {pool + ca + R"("external":"203.0.0.0-203.255.255.255")", "more than 65536"},
        {pool + ca + R"("external":"224.0.0.1")", "no address that a host"},
        {pool + ca + R"("external":"0.0.0.0")", "no address that a host"},
        {pool + ca + R"("external":"2001:db8::1")", "different versions"},
        {pool + ca + external + R"(,"ports":"0-10")", "ports '0-10'"},
        {pool + ca + external + R"(,"ports":"9-1")", "ports '9-1'"},
        {pool + ca + external + R"(,"ports":"*")", "ports '*'"},
        {pool + R"("internal":"fe80::/64","external":"fe80::1")", "no address that a host"},
        {pair + R"("internal":"10.1.1.0/24",)" + external, "internal of a static row"},
        {pair + R"("internal":["set",["10.1.1.11","10.1.1.12"]],)" + external,
         "internal of a static row"},
        {pair + ca + R"("external":"203.0.113.2-203.0.113.3")", "external of a static row"},
        {pair + ca + external + R"(,"ports":"1024-2047")", "ports goes with"},
    };
    for (const auto& [columns, message] : rows) {
        host({nat_row(columns)});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr(message)) << columns;
        host({erase("NAT")});
        EXPECT_THAT(fault_keys(), IsEmpty());
    }
}

}  // namespace
}  // namespace hnv::northbound
