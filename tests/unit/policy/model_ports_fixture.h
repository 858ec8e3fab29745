// A port with all it takes to be active, but for what a test leaves out.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {

using test::ip;
using test::mac;
using test::plug;
using test::uuid;
inline constexpr auto kPort = SourceTable::MsVtepPhysicalPort;
inline constexpr auto kRule = SourceTable::MsFirewallRules;
inline constexpr auto kMapping = SourceTable::MsVtepUcastMacsRemote;
inline constexpr auto kSettings = SourceTable::HostPortSettings;
inline constexpr std::uint64_t kSqlMac = 0x00155d50010b;
inline constexpr std::uint64_t kWebMac = 0x00155d50010c;

class ModelPorts : public testing::Test, public test::PolicyBuilder {
  protected:
    // Port "sql" with all it takes, but for what a test leaves out.
    void SetUp() override {
        subnet(1, 5001);
        locator(1, "192.168.1.10");
        provider_address(1, "192.168.1.10/24");
    }
    void map_sql() { mapping(1, 1, 1, kSqlMac, "10.1.1.11"); }
    void plug_sql() { model.set_interfaces({plug("sql", 5, kSqlMac)}); }
    void make_active() {
        map_sql();
        plug_sql();
        port(1, "sql", 1);
        allow_all(1, "sql");
        commit();
        ASSERT_EQ(status("sql").state, PortState::Active) << status("sql").reason;
    }
    // "sql" is blocked for a reason that holds `text`, and its row has that fault and no other.
    void expect_blocked(FaultKey key, const std::string& text) {
        EXPECT_EQ(status("sql").state, PortState::Blocked);
        EXPECT_NE(status("sql").reason.find(text), std::string::npos) << status("sql").reason;
        EXPECT_NE(fault(kPort, 1, key).find(text), std::string::npos) << fault(kPort, 1, key);
        EXPECT_EQ(faults.all().size(), 1U);
        EXPECT_FALSE(port_view("sql")->active);
        if (const auto view = subnet_view(5001)) {
            EXPECT_TRUE(view->local_ports.empty());
        }
    }
    void expect_unbound(std::uint32_t row) {
        EXPECT_EQ(status("sql").state, PortState::Blocked);
        EXPECT_EQ(status("sql").row, uuid(row));
        EXPECT_NE(fault(kPort, row, FaultKey::PortUnbound), "");
    }
};

}  // namespace hnv::policy
