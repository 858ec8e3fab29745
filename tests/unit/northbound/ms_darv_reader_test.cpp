// ms_darv: the guests' adapters.
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kAddress = R"("address":"10.1.1.11","mask":"255.255.255.0")";

class MsDarvReaderTest : public NorthboundTest {
  protected:
    // An active port p1 but for what ms_darv says.
    void make_port() {
        policy_->model.set_interfaces({test::plug("p1", 7, 1)});
        vtep(
            {insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "subnet"),
             insert("Physical_Port",
                    R"("name":"p1","vlan_bindings":["map",[[0,["named-uuid","subnet"]]]])", "port"),
             attach("port")});
        add_rule("");
    }
    void make_adapter(const std::string& address = kAddress, const std::string& more = "") {
        darv({insert("IP_Addresses", address, "address"),
              insert("Ports", R"("name":"p1","ip_addresses":["named-uuid","address"])" + more)});
    }
    std::shared_ptr<const policy::GuestConfig> lease() const {
        return policy_->model.leases().find(policy::key_of_port("p1"), 0);
    }
};

TEST_F(MsDarvReaderTest, AnAdapterAndItsAddress) {
    make_port();
    make_adapter(R"("address":"10.1.1.11","mask":"24","routers":"10.1.1.1",)"
                 R"("dns_servers":["set",["10.1.1.5","10.1.1.6"]],"dns_suffix":"contoso.example")",
                 R"(,"mac_address":"00-00-00-00-00-01","enable_ip_forwarding":true)");
    ASSERT_TRUE(lease());
    EXPECT_EQ(lease()->v4, test::prefix("10.1.1.11/24"));
    EXPECT_THAT(lease()->routers, ElementsAre(test::ip("10.1.1.1")));
    EXPECT_THAT(lease()->dns_v4, ElementsAre(test::ip("10.1.1.5"), test::ip("10.1.1.6")));
    EXPECT_EQ(lease()->domain, "contoso.example");
    EXPECT_TRUE(policy_->port_view("p1")->ip_forwarding_allowed);
    EXPECT_THAT(fault_keys(), IsEmpty());
    darv({update("IP_Addresses", R"("address":"10.1.1.12")")});
    EXPECT_EQ(lease()->v4, test::prefix("10.1.1.12/24"));
    darv({erase("Ports")});
    EXPECT_FALSE(lease());
    EXPECT_THAT(policy_->model.rows(), testing::Not(IsEmpty()));
    EXPECT_THAT(fault_keys(), ElementsAre("port-address-unknown"));
}

TEST_F(MsDarvReaderTest, MasksInBothForms) {
    make_port();
    make_adapter();
    const std::map<std::string, unsigned> lengths{{"255.255.255.0", 24},
                                                  {"255.255.255.255", 32},
                                                  {"0.0.0.0", 0},
                                                  {"255.255.254.0", 23},
                                                  {"24", 24},
                                                  {"32", 32},
                                                  {"0", 0}};
    for (const auto& [text, length] : lengths) {
        darv({update("IP_Addresses", R"("mask":")" + text + '"')});
        EXPECT_EQ(lease()->v4->length, length) << text;
    }
    darv({update("IP_Addresses", R"("address":"fd00::11","mask":"64")")});
    EXPECT_EQ(lease()->v6, test::prefix("fd00::11/64"));
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsDarvReaderTest, ABadAddressOrMaskIsAFaultUntilMended) {
    make_port();
    make_adapter();
    for (const char* bad :
         {R"("address":"")", R"("address":"10.1.1")", R"("address":"224.0.0.5")",
          R"("address":"0.0.0.0")", R"("address":"127.0.0.1")", R"("address":"::1")",
          R"("address":"ff02::1")", R"("address":"::")", R"("mask":"")", R"("mask":"33")",
          R"("mask":"255.0.255.0")", R"("mask":"24 ")", R"("mask":"-1")", R"("mask":"ffff::")"}) {
        darv({update("IP_Addresses", bad)});
        EXPECT_NE(fault(FaultKey::BadAddress), "") << bad;
        EXPECT_FALSE(lease()) << bad;
        darv({update("IP_Addresses", kAddress)});
        EXPECT_THAT(fault_keys(), IsEmpty()) << bad;
        EXPECT_TRUE(lease()) << bad;
    }
}

TEST_F(MsDarvReaderTest, ABadRouterServerOrDomainIsLeftOut) {
    make_port();
    make_adapter();
    darv({update("IP_Addresses", R"("routers":["set",["10.1.1.1","x"]])")});
    EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'x'"));
    EXPECT_THAT(lease()->routers, ElementsAre(test::ip("10.1.1.1")));
    darv({update("IP_Addresses", R"("routers":["set",[]],"dns_servers":"255.255.255.255")")});
    EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("dns_servers"));
    EXPECT_THAT(lease()->dns_v4, IsEmpty());
    darv({update("IP_Addresses", R"("dns_servers":["set",[]])")});
    for (const std::string& bad : {std::string("."), std::string("a..b"), std::string("a."),
                                   std::string("a b"), std::string(64, 'a')}) {
        darv({update("IP_Addresses", R"("dns_suffix":")" + bad + '"')});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("dns_suffix")) << bad;
        EXPECT_EQ(lease()->domain, "");
    }
    darv({update("IP_Addresses", R"("dns_suffix":"a-b.c_d.example")")});
    EXPECT_EQ(lease()->domain, "a-b.c_d.example");
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsDarvReaderTest, ABadMacIsAFaultAndTheRowHasNoEffect) {
    make_port();
    make_adapter();
    for (const char* bad : {"x", "01:00:00:00:00:01", "00:00:00:00:00:00"}) {
        darv({update("Ports", R"("mac_address":")" + std::string(bad) + '"')});
        EXPECT_THAT(fault(FaultKey::BadAddress), HasSubstr("'" + std::string(bad) + "'"));
        EXPECT_FALSE(lease());
        darv({update("Ports", R"("mac_address":"00:00:00:00:00:01")")});
        EXPECT_THAT(fault_keys(), IsEmpty());
        EXPECT_TRUE(lease());
    }
}

TEST_F(MsDarvReaderTest, GuidsMatchInAnySpelling) {
    const std::string guid = "b3f6a2c1-5d0e-4c7a-9f21-6e8d40c75001";
    darv({insert("Ports", R"("name":"{B3F6A2C1-5D0E-4C7A-9F21-6E8D40C75001}")")});
    policy_->model.set_interfaces({test::plug(guid, 7, 1)});
    darv({insert("Ports", R"("name":")" + guid + '"')});
    EXPECT_THAT(fault(FaultKey::PortDuplicate), HasSubstr(guid));
}

TEST_F(MsDarvReaderTest, LeaseTimesHaveBounds) {
    make_port();
    make_adapter();
    EXPECT_EQ(lease()->lease_seconds, 86400U);
    host({insert("Port_Settings", R"("name":"p1")")});
    const std::map<std::string, std::uint32_t> times{{"3600", 3600},
                                                     {"1", 60},
                                                     {"4294967295", 4294967294U},
                                                     {"4294967296", 86400},
                                                     {"day", 86400}};
    for (const auto& [text, seconds] : times) {
        host({update("Port_Settings",
                     R"("other_config":["map",[["dhcp_lease_seconds",")" + text + R"("]]])")});
        EXPECT_EQ(lease()->lease_seconds, seconds) << text;
    }
}

TEST_F(MsDarvReaderTest, SequenceNumbers) {
    EXPECT_EQ(rows("ms_darv", "Global").size(), 1U);
    darv({update("Global", R"("next_cfg":7)")});
    EXPECT_EQ(integer("ms_darv", "Global", "cur_cfg"), 0);
    sequences_->on_confirmed(applied_);
    run();
    EXPECT_EQ(integer("ms_darv", "Global", "cur_cfg"), 7);
}

}  // namespace
}  // namespace hnv::northbound
