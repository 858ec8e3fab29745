// What ms_darv says of a port: its MAC, its addresses, and what its guest is told.
#include <gmock/gmock.h>

#include "model_ports_fixture.h"

namespace hnv::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kAdapters = SourceTable::MsDarvPorts;
constexpr auto kAddresses = SourceTable::MsDarvAddresses;

class ModelAdapters : public ModelPorts {
  protected:
    void address(std::uint32_t row, std::string_view text, bool primary = false) {
        model.put(uuid(row), AdapterAddressSpec{test::prefix(text), primary});
    }
    void adapter(std::uint32_t row, const std::string& name, std::optional<std::uint64_t> mac_bits,
                 const std::vector<std::uint32_t>& rows) {
        AdapterSpec spec{name, {}, false, {}};
        if (mac_bits) {
            spec.mac = mac(*mac_bits);
        }
        for (const std::uint32_t each : rows) {
            spec.addresses.push_back(uuid(each));
        }
        model.put(uuid(row), std::move(spec));
    }
    // Port "sql" with an adapter of these addresses (rows 51 and up), and no mapping.
    void plug_with(const std::vector<std::string>& addresses) {
        std::vector<std::uint32_t> rows;
        for (const std::string& text : addresses) {
            rows.push_back(static_cast<std::uint32_t>(51 + rows.size()));
            address(rows.back(), text);
        }
        plug_sql();
        port(1, "sql", 1);
        allow_all(1, "sql");
        adapter(50, "sql", kSqlMac, rows);
        commit();
    }
    std::vector<std::string> cas(std::size_t attachment = 0) const {
        std::vector<std::string> texts;
        const auto view = port_view("sql");
        if (view && attachment < view->attachments.size()) {
            for (const IpAddress& ca : view->attachments[attachment].cas) {
                texts.push_back(ca.to_string());
            }
        }
        return texts;
    }
    LeaseTable::Entry lease(std::uint16_t vlan = 0) const {
        return model.leases().find(key_of_port("sql"), vlan);
    }
};

TEST_F(ModelAdapters, NameAPortsAddresses) {
    plug_with({"10.1.1.11/24", "fd00::11/64"});
    EXPECT_EQ(status("sql").state, PortState::Active) << status("sql").reason;
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11", "fd00::11"));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, ComeBeforeMappings) {
    make_active();
    adapter(50, "sql", kSqlMac, {51});
    address(51, "10.1.1.21/24");
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.21"));
    remove(kAdapters, 50);
    remove(kAddresses, 51);
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11"));
    EXPECT_EQ(lease(), nullptr);
}

TEST_F(ModelAdapters, WithoutAddressesLeaveThemToMappings) {
    make_active();
    adapter(50, "sql", kSqlMac, {});
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11"));
    EXPECT_EQ(lease(), nullptr);
}

TEST_F(ModelAdapters, NameTheMac) {
    plug_with({"10.1.1.11/24"});
    model.set_interfaces({{"if-sql", 5, "sql", "", "vm"}});  // The interface does not.
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).mac, mac(kSqlMac));
    EXPECT_TRUE(faults.all().empty());
    model.set_interfaces({plug("sql", 5, kWebMac)});
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).mac, mac(kSqlMac));
    EXPECT_THAT(fault(kAdapters, 50, FaultKey::PortMacMismatch), HasSubstr("00:15:5d:50:01:0c"));
    adapter(50, "sql", kWebMac, {51});
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).mac, mac(kWebMac));
    adapter(50, "sql", std::nullopt, {51});
    commit();
    EXPECT_EQ(port_view("sql")->attachments.at(0).mac, mac(kWebMac));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, AllowForwarding) {
    plug_with({"10.1.1.11/24"});
    EXPECT_FALSE(port_view("sql")->ip_forwarding_allowed);
    model.put(uuid(50), AdapterSpec{"sql", mac(kSqlMac), true, {uuid(51)}});
    commit();
    EXPECT_TRUE(port_view("sql")->ip_forwarding_allowed);
}

TEST_F(ModelAdapters, OfOneNameTheFirstIsInForce) {
    plug_with({"10.1.1.11/24"});
    address(61, "10.1.1.12/24");
    adapter(60, "sql", kSqlMac, {61});
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11"));
    EXPECT_THAT(fault(kAdapters, 60, FaultKey::PortDuplicate), HasSubstr("sql"));
    remove(kAdapters, 50);
    remove(kAddresses, 51);
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.12"));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, OfOneAddressTheFirstPortHasIt) {
    plug_with({"10.1.1.11/24"});
    model.set_interfaces({plug("sql", 5, kSqlMac), plug("web", 6, kWebMac)});
    port(2, "web", 1);
    allow_all(3, "web");
    address(61, "10.1.1.11/24");
    adapter(60, "web", kWebMac, {61});
    commit();
    EXPECT_THAT(fault(kAddresses, 61, FaultKey::CaConflict), HasSubstr("port sql"));
    EXPECT_EQ(status("web").state, PortState::Blocked);
    EXPECT_THAT(status("web").reason, HasSubstr("none of its addresses in ms_darv"));
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11"));
    address(51, "10.1.1.13/24");
    commit();
    EXPECT_EQ(status("web").state, PortState::Active);
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, TakeNoAddressThatAMappingGivesToAnother) {
    mapping(1, 1, 1, kWebMac, "10.1.1.11");
    plug_with({"10.1.1.11/24", "10.1.1.21/24"});
    EXPECT_THAT(cas(), ElementsAre("10.1.1.21"));
    EXPECT_THAT(fault(kAddresses, 51, FaultKey::CaConflict), HasSubstr("00:15:5d:50:01:0c"));
    mapping(1, 1, 1, kSqlMac, "10.1.1.11");
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11", "10.1.1.21"));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, TakeNoGateway) {
    router(1, {{"10.1.1.0/24", 1}});
    plug_with({"10.1.1.1/24", "10.1.1.21/24"});
    EXPECT_THAT(cas(), ElementsAre("10.1.1.21"));
    EXPECT_THAT(fault(kAddresses, 51, FaultKey::CaConflict), HasSubstr("gateway"));
    remove(SourceTable::MsVtepLogicalRouter, 1);
    commit();
    EXPECT_THAT(cas(), ElementsAre("10.1.1.1", "10.1.1.21"));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelAdapters, OfATrunkHaveEachAddressWhereItsPrefixIs) {
    subnet(2, 5002);
    router(1, {{"10.1.1.0/24", 1}, {"10.1.2.0/24", 2}});
    plug_with({"10.1.1.11/24", "10.1.2.11/24", "10.1.3.11/24"});
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11", "10.1.2.11", "10.1.3.11"));  // Of one subnet: all.
    model.put(uuid(1),
              PortSpec{"sql", {{std::uint16_t{0}, uuid(1)}, {std::uint16_t{10}, uuid(2)}}});
    commit();
    EXPECT_THAT(cas(0), ElementsAre("10.1.1.11"));
    EXPECT_THAT(cas(1), ElementsAre("10.1.2.11"));
    EXPECT_THAT(fault(kAddresses, 53, FaultKey::CaOutside), HasSubstr("10.1.3.11"));
    EXPECT_EQ(lease(0)->v4, test::prefix("10.1.1.11/24"));
    EXPECT_EQ(lease(10)->v4, test::prefix("10.1.2.11/24"));
    EXPECT_EQ(lease(10)->vsid, 5002U);
    router(1, {{"10.1.1.0/24", 1}, {"10.1.3.0/24", 2}});
    commit();
    EXPECT_THAT(cas(1), ElementsAre("10.1.3.11"));
    EXPECT_EQ(fault(kAddresses, 53, FaultKey::CaOutside), "");
    EXPECT_NE(fault(kAddresses, 52, FaultKey::CaOutside), "");
}

TEST_F(ModelAdapters, AreLeasedWhileThePortIsActive) {
    router(1, {{"10.1.1.0/24", 1}});
    plug_with({"10.1.1.11/24"});
    ASSERT_NE(lease(), nullptr);
    EXPECT_EQ(lease()->ofport, 5U);
    EXPECT_EQ(lease()->mac, mac(kSqlMac));
    EXPECT_EQ(lease()->server, ip("10.1.1.1"));
    EXPECT_FALSE(lease()->advertised);
    EXPECT_EQ(port_view("sql")->attachments.at(0).dhcp_server, ip("10.1.1.1"));
    remove(kRule, 1);
    remove(kRule, 2);
    commit();
    EXPECT_EQ(lease(), nullptr);
    allow_all(1, "sql");
    commit();
    EXPECT_NE(lease(), nullptr);
    model.set_interfaces({});
    commit();
    EXPECT_EQ(lease(), nullptr);
}

TEST_F(ModelAdapters, LeaseThePrimaryAddressElseTheLowest) {
    plug_with({"10.1.1.12/24", "10.1.1.11/24"});
    EXPECT_EQ(lease()->v4, test::prefix("10.1.1.11/24"));
    address(51, "10.1.1.12/24", true);
    commit();
    EXPECT_EQ(lease()->v4, test::prefix("10.1.1.12/24"));
    EXPECT_THAT(cas(), ElementsAre("10.1.1.11", "10.1.1.12"));
}

TEST_F(ModelAdapters, TellEachFamilyItsOwn) {
    AdapterAddressSpec v4{test::prefix("10.1.1.11/24")};
    v4.routers = {ip("10.1.1.1"), ip("fd00::1")};
    v4.dns_servers = {ip("10.1.1.5"), ip("fd00::5")};
    v4.domain = "contoso.example";
    model.put(uuid(61), v4);
    plug_with({"fd00::11/64"});
    adapter(50, "sql", kSqlMac, {51, 61});
    PortSettingsSpec settings;
    settings.name = "sql";
    settings.dhcp_lease_seconds = 3600;
    model.put(uuid(70), settings);
    commit();
    const auto config = lease();
    EXPECT_THAT(config->routers, ElementsAre(ip("10.1.1.1")));
    EXPECT_THAT(config->dns_v4, ElementsAre(ip("10.1.1.5")));
    EXPECT_THAT(config->dns_v6, ElementsAre(ip("fd00::5")));
    EXPECT_EQ(config->domain, "contoso.example");
    EXPECT_EQ(config->lease_seconds, 3600U);
    EXPECT_EQ(config->server, ip("169.254.169.253"));
    EXPECT_TRUE(config->advertised);
    EXPECT_FALSE(config->default_router);
}

TEST_F(ModelAdapters, TellTheMtuThatTheUnderlayHasRoomFor) {
    plug_with({"10.1.1.11/24"});
    EXPECT_EQ(lease()->mtu, 0U);
    model.set_carried_addresses({{ip("192.168.1.10"), 0, 1500}});
    commit();
    EXPECT_EQ(lease()->mtu, 1450U);
    model.set_carried_addresses({{ip("192.168.1.10"), 0, 1500}, {ip("fd01::10"), 0, 1500}});
    commit();
    EXPECT_EQ(lease()->mtu, 1430U);
    model.set_carried_addresses({{ip("192.168.1.10"), 0, 9000}});
    commit();
    EXPECT_EQ(lease()->mtu, 1500U);
}

TEST_F(ModelAdapters, AreToldOfTheRouterOfIpv6) {
    const IpAddress link_local = link_local_of(Model::kDefaultRouterMac);
    router(1, {{"fd00::/64", 1}});
    plug_with({"fd00::11/64"});
    EXPECT_TRUE(lease()->default_router);
    EXPECT_EQ(neighbours.find(5001, link_local), Model::kDefaultRouterMac);
    model.set_router_mac(mac(kWebMac));
    commit();
    EXPECT_EQ(neighbours.find(5001, link_local), std::nullopt);
    EXPECT_EQ(neighbours.find(5001, link_local_of(mac(kWebMac))), mac(kWebMac));
    EXPECT_EQ(lease()->router_mac, mac(kWebMac));
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_FALSE(lease()->default_router);
    EXPECT_EQ(neighbours.find(5001, link_local_of(mac(kWebMac))), std::nullopt);
}

TEST_F(ModelAdapters, LeaveNothingBehind) {
    router(1, {{"10.1.1.0/24", 1}, {"fd00::/64", 1}});
    plug_with({"10.1.1.11/24", "fd00::11/64"});
    model.set_interfaces({});
    for (const std::uint32_t row : {51, 52}) {
        remove(kAddresses, row);
    }
    remove(kAdapters, 50);
    remove(kPort, 1);
    remove(kRule, 1);
    remove(kRule, 2);
    remove(SourceTable::MsVtepLogicalRouter, 1);
    remove(SourceTable::MsVtepLogicalSwitch, 1);
    commit();
    EXPECT_EQ(model.counts().ports, 0U);
    EXPECT_EQ(neighbours.size(), 0U);
    EXPECT_EQ(lease(), nullptr);
    EXPECT_TRUE(faults.all().empty());
}

}  // namespace
}  // namespace hnv::policy
