// Trunking guests: a port in several subnets, by VLAN.
#include "model_ports_fixture.h"

namespace hnv::policy {
namespace {

class ModelTrunks : public ModelPorts {
  protected:
    // Port "sql", untagged in VSID 5001, in VLAN 20 in VSID 6001.
    void make_trunk() {
        subnet(2, 6001);
        map_sql();
        mapping(2, 2, 1, kSqlMac, "10.2.1.11");
        plug_sql();
        model.put(uuid(1), PortSpec{"sql", {{0, uuid(1)}, {20, uuid(2)}}});
        allow_all(1, "sql");
        commit();
    }
};

TEST_F(ModelTrunks, IsInEachSubnetWithTheAddressesThatItHasThere) {
    make_trunk();
    const auto view = port_view("sql");
    ASSERT_EQ(view->attachments.size(), 2U);
    EXPECT_EQ(view->attachments[0].cas, std::vector{ip("10.1.1.11")});
    EXPECT_EQ(view->attachments[1].vlan, 20);
    EXPECT_EQ(view->attachments[1].vsid, 6001U);
    EXPECT_EQ(view->attachments[1].cas, std::vector{ip("10.2.1.11")});
    EXPECT_EQ(subnet_view(5001)->local_ports,
              (std::vector<SubnetView::LocalPort>{{5, 0, ip("192.168.1.10")}}));
    EXPECT_EQ(subnet_view(6001)->local_ports,
              (std::vector<SubnetView::LocalPort>{{5, 20, ip("192.168.1.10")}}));
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelTrunks, AVlanWithoutAnAddressKeepsTheOthersGoing) {
    make_trunk();
    remove(kMapping, 2);
    commit();
    EXPECT_EQ(status("sql").state, PortState::Active);
    EXPECT_EQ(port_view("sql")->attachments.size(), 1U);
    EXPECT_TRUE(subnet_view(6001)->local_ports.empty());
    EXPECT_NE(fault(kPort, 1, FaultKey::PortAddressUnknown)
                  .find("port sql is kept out of a subnet, in VLAN 20: its CA is unknown"),
              std::string::npos);
    mapping(2, 2, 1, kSqlMac, "10.2.1.11");
    commit();
    EXPECT_EQ(port_view("sql")->attachments.size(), 2U);
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelTrunks, LeavesASubnetWhoseVlanBindingGoes) {
    make_trunk();
    port(1, "sql", 1);
    commit();
    EXPECT_EQ(port_view("sql")->attachments.size(), 1U);
    EXPECT_TRUE(subnet_view(6001)->local_ports.empty());
}

TEST_F(ModelTrunks, TwoVlansOfOneSubnetAreAFaultOfTheSecond) {
    make_trunk();
    model.put(uuid(1), PortSpec{"sql", {{0, uuid(1)}, {20, uuid(1)}}});
    commit();
    EXPECT_EQ(port_view("sql")->attachments.size(), 1U);
    EXPECT_NE(fault(kPort, 1, FaultKey::PortUnbound).find("in VLAN 20: another of its"),
              std::string::npos);
}

TEST_F(ModelTrunks, KnowsTheGatewaysOfEachSubnet) {
    make_trunk();
    router(1, {{"10.2.1.0/24", 2}, {"2001:db8:2::/64", 2}});
    commit();
    EXPECT_FALSE(port_view("sql")->attachments[0].router);
    const auto before = port_view("sql")->attachments[1].router;
    ASSERT_TRUE(before);
    EXPECT_EQ(before->v4, ip("10.2.1.1"));
    EXPECT_EQ(before->v6, ip("2001:db8:2::1"));
    model.set_router_mac(mac(0x00155d112233));
    commit();
    EXPECT_EQ(port_view("sql")->attachments[1].router->mac, mac(0x00155d112233));
    remove(SourceTable::MsVtepLogicalRouter, 1);
    commit();
    EXPECT_FALSE(port_view("sql")->attachments[1].router);
}

}  // namespace
}  // namespace hnv::policy
