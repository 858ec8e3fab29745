// What the agent tells: it is in line with the facts whatever was there before, and nothing is
// written twice.
#include "northbound/status_writer.h"

#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class StatusWriterTest : public NorthboundTest {
  protected:
    static constexpr const char* kMac = "00:15:5d:00:00:01";

    // Interfaces changed.
    void plug(const std::vector<policy::InterfaceSpec>& interfaces) {
        policy_->model.set_interfaces(interfaces);
        (void)policy_->commit();
    }
    void plug_one() { plug({{"tap0", 7, "p1", kMac, "vm one"}}); }
    // As the agent does after each turn.
    void tell(const std::optional<IpAddress>& pa = std::nullopt) {
        policy_->model.set_carried_addresses(pa ? std::vector<policy::CarriedAddress>{{*pa, 0, 0}}
                                                : std::vector<policy::CarriedAddress>{});
        (void)policy_->commit();
        writer().write_ports(policy_->model.take_port_changes());
        writer().write_endpoints(policy_->model);
        run();
    }
    // An active port p1 at 10.0.0.1 and fd00::1.
    void deploy() {
        plug_one();
        map(kMac, "10.0.0.1");
        const std::string subnet = rows("ms_vtep", "Logical_Switch").front().uuid.to_string();
        const std::string locator = rows("ms_vtep", "Physical_Locator").front().uuid.to_string();
        vtep({insert("Ucast_Macs_Remote", R"("MAC":")" + std::string(kMac) +
                                              R"(","ipaddr":"fd00::1","mapping_type":"default",)" +
                                              R"("logical_switch":["uuid",")" + subnet +
                                              R"("],"locator":["uuid",")" + locator + R"("])"),
              insert("Physical_Port",
                     R"("name":"p1","vlan_bindings":["map",[[0,["uuid",")" + subnet + R"("]]]])",
                     "port"),
              attach("port")});
        add_rule("");
    }
    StatusWriter& writer() {
        if (!writer_) {
            writer_.emplace(*server_);
        }
        return *writer_;
    }
    std::map<std::string, std::string> port_status() const {
        const auto ports = rows("ms_vtep", "Physical_Port");
        return ports.empty() ? std::map<std::string, std::string>{} : ports.front().status;
    }
    // "MAC CA PA", sorted.
    std::vector<std::string> endpoints() const {
        std::map<Uuid, std::string> pas;
        for (const Line& locator :
             rows("ms_vtep", "Physical_Locator", {"dst_ip", "encapsulation_type"})) {
            pas[locator.uuid] =
                locator.strings.at("dst_ip") + " " + locator.strings.at("encapsulation_type");
        }
        std::vector<std::string> lines;
        server_->for_each_row("ms_vtep", "Ucast_Macs_Local", [&](const ovs::Row& row) {
            lines.push_back(std::string(row.string("MAC")) + " " +
                            std::string(row.string("ipaddr")) + " at " +
                            pas[row.reference("locator").value()]);
        });
        std::sort(lines.begin(), lines.end());
        return lines;
    }
    std::vector<std::string> tunnel_ips() const {
        std::vector<std::string> texts;
        server_->for_each_row("ms_vtep", "Physical_Switch", [&](const ovs::Row& row) {
            for (const std::string_view ip : row.strings("tunnel_ips")) {
                texts.emplace_back(ip);
            }
        });
        return texts;
    }
    std::map<std::string, std::string> host_status() const {
        return rows("hnv_host", "Host").front().status;
    }

    std::optional<StatusWriter> writer_;
};

TEST_F(StatusWriterTest, AnInterfaceWithoutARowGetsOne) {
    plug_one();
    tell();
    const auto ports = rows("ms_vtep", "Physical_Port", {"name"});
    ASSERT_THAT(ports, SizeIs(1));
    EXPECT_EQ(ports.front().strings.at("name"), "p1");
    EXPECT_THAT(ports.front().status,
                ElementsAre(Pair("reason", HasSubstr("vlan_bindings")), Pair("state", "blocked"),
                            Pair("vm_nic_macaddress", kMac), Pair("vm_nic_port_id", "p1"),
                            Pair("vm_nic_vm_name", "vm one")));
    // The row is the port's from now on.
    EXPECT_EQ(policy_->status("p1").row, ports.front().uuid);
    const auto before = commits_;
    tell();
    EXPECT_EQ(commits_, before);
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), SizeIs(1));
}

// The agent's row gives way to the controller's, whenever that comes.
TEST_F(StatusWriterTest, TheAgentsRowGoesWhenTheControllerMakesOne) {
    plug_one();
    tell();
    const Uuid placeholder = rows("ms_vtep", "Physical_Port").front().uuid;
    deploy();
    tell();
    const auto ports = rows("ms_vtep", "Physical_Port");
    ASSERT_THAT(ports, SizeIs(1));
    EXPECT_NE(ports.front().uuid, placeholder);
    EXPECT_EQ(port_status()["state"], "active");
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(StatusWriterTest, TheAgentsRowGoesWithTheInterface) {
    plug_one();
    tell();
    ASSERT_THAT(rows("ms_vtep", "Physical_Port"), SizeIs(1));
    plug({});
    tell();
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), IsEmpty());
    tell();
    plug_one();
    tell();
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), SizeIs(1));
}

// A controller may bind the row that it finds: from then on it is its own.
TEST_F(StatusWriterTest, TheAgentsRowStaysWhenAControllerBindsIt) {
    plug_one();
    tell();
    map(kMac, "10.0.0.1");
    add_rule("");
    vtep({update("Physical_Port", R"("vlan_bindings":["map",[[0,["uuid",")" +
                                      rows("ms_vtep", "Logical_Switch").front().uuid.to_string() +
                                      R"("]]]])")});
    tell();
    EXPECT_EQ(port_status()["state"], "active");
    plug({});
    tell();
    EXPECT_THAT(port_status(), ElementsAre(Pair("state", "unplugged")));
}

TEST_F(StatusWriterTest, ASwitchThatAControllerMadeAnewGetsThePort) {
    plug_one();
    tell();
    vtep({insert("Physical_Switch", R"("name":"anew")", "s"),
          update("Global", R"("switches":["named-uuid","s"])")});
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), IsEmpty());
    tell();
    EXPECT_THAT(rows("ms_vtep", "Physical_Port"), SizeIs(1));
}

TEST_F(StatusWriterTest, APortsStatesFollow) {
    deploy();
    tell();
    EXPECT_THAT(port_status(),
                ElementsAre(Pair("state", "active"), Pair("vm_nic_macaddress", kMac),
                            Pair("vm_nic_port_id", "p1"), Pair("vm_nic_vm_name", "vm one")));
    firewall({erase("FW_Rules")});
    tell();
    EXPECT_EQ(port_status()["state"], "blocked");
    EXPECT_THAT(port_status()["reason"], HasSubstr("no ACL"));
    plug({});
    tell();
    EXPECT_THAT(port_status(), ElementsAre(Pair("state", "unplugged")));
    const auto before = commits_;
    tell();
    EXPECT_EQ(commits_, before);
}

TEST_F(StatusWriterTest, WhatAControllerWroteIntoAPortsStatusIsPutRight) {
    deploy();
    tell();
    const auto right = port_status();
    vtep({update("Physical_Port", R"("status":["map",[["state","blocked"],["mine","x"]]])")});
    tell();
    EXPECT_EQ(port_status(), right);
}

TEST_F(StatusWriterTest, EndpointsAreTheActivePortsAddresses) {
    deploy();
    tell();
    EXPECT_THAT(endpoints(), IsEmpty());  // No provider address.
    tell(test::ip("192.168.1.10"));
    EXPECT_THAT(endpoints(),
                ElementsAre("00:15:5d:00:00:01 10.0.0.1 at 192.168.1.10 vxlan_over_ipv4",
                            "00:15:5d:00:00:01 fd00::1 at 192.168.1.10 vxlan_over_ipv4"));
    const auto before = commits_;
    tell(test::ip("192.168.1.10"));
    EXPECT_EQ(commits_, before);
    tell(test::ip("2001:db8::10"));
    EXPECT_THAT(endpoints(),
                ElementsAre("00:15:5d:00:00:01 10.0.0.1 at 2001:db8::10 vxlan_over_ipv6",
                            "00:15:5d:00:00:01 fd00::1 at 2001:db8::10 vxlan_over_ipv6"));
    plug({});
    tell(test::ip("2001:db8::10"));
    EXPECT_THAT(endpoints(), IsEmpty());
}

TEST_F(StatusWriterTest, EndpointsShareALocatorThatIsThereAlready) {
    deploy();
    tell(test::ip("192.168.2.20"));  // That of the mapping.
    EXPECT_THAT(endpoints(), SizeIs(2));
    EXPECT_THAT(rows("ms_vtep", "Physical_Locator"), SizeIs(1));
}

TEST_F(StatusWriterTest, WhatAControllerWroteIntoEndpointsIsPutRight) {
    deploy();
    tell(test::ip("192.168.1.10"));
    const auto right = endpoints();
    const std::string subnet = rows("ms_vtep", "Logical_Switch").front().uuid.to_string();
    const std::string locator = rows("ms_vtep", "Physical_Locator").front().uuid.to_string();
    const std::string copy = R"(","logical_switch":["uuid",")" + subnet +
                             R"("],"locator":["uuid",")" + locator + R"("])";
    vtep({insert("Ucast_Macs_Local", R"("MAC":"00:15:5d:00:00:01","ipaddr":"10.0.0.1)" + copy),
          insert("Ucast_Macs_Local", R"("MAC":"00:15:5d:00:00:02","ipaddr":"10.0.0.2)" + copy)});
    tell(test::ip("192.168.1.10"));
    EXPECT_EQ(endpoints(), right);
    vtep({update("Ucast_Macs_Local", R"("MAC":"00-15-5D-00-00-01")")});
    tell(test::ip("192.168.1.10"));
    EXPECT_EQ(endpoints(), right);
    vtep({erase("Ucast_Macs_Local")});
    tell(test::ip("192.168.1.10"));
    EXPECT_EQ(endpoints(), right);
}

TEST_F(StatusWriterTest, ProviderAddresses) {
    host({insert("Provider_Address", R"("address":"192.168.1.10/24")")});
    const Uuid row = rows("hnv_host", "Provider_Address").front().uuid;
    const auto tell_address = [&](bool present) {
        writer().write_provider_addresses(
            {{row, test::ip("192.168.1.10"), present, present ? "br-pa" : "", 3}});
        run();
    };
    tell_address(false);
    const auto status = [this] { return rows("hnv_host", "Provider_Address").front().status; };
    EXPECT_THAT(status(),
                ElementsAre(Pair("interface", ""), Pair("ports", "3"), Pair("state", "missing")));
    EXPECT_THAT(tunnel_ips(), IsEmpty());
    tell_address(true);
    EXPECT_THAT(status(), ElementsAre(Pair("interface", "br-pa"), Pair("made", "false"),
                                      Pair("ports", "3"), Pair("state", "present")));
    writer().write_provider_addresses(
        {{row, test::ip("192.168.1.10"), true, "hnvpa-000001", 3, true, 0x48000001, 1600}});
    run();
    EXPECT_THAT(status(), ElementsAre(Pair("interface", "hnvpa-000001"), Pair("made", "true"),
                                      Pair("mark", "1207959553"), Pair("mtu", "1600"),
                                      Pair("ports", "3"), Pair("state", "present")));
    tell_address(true);
    EXPECT_THAT(tunnel_ips(), ElementsAre("192.168.1.10"));
    const auto before = commits_;
    tell_address(true);
    EXPECT_EQ(commits_, before);
    // A controller's writing.
    vtep({update("Physical_Switch", R"("tunnel_ips":["set",["10.0.0.1","10.0.0.2"]])")});
    host({update("Provider_Address", R"("status":["map",[["state","missing"]]])")});
    tell_address(true);
    EXPECT_THAT(tunnel_ips(), ElementsAre("192.168.1.10"));
    EXPECT_EQ(status()["state"], "present");
    // Refused by the reader: it has no state any more.
    host({update("Provider_Address", R"("address":"nonsense")")});
    writer().write_provider_addresses({});
    run();
    EXPECT_THAT(status(), IsEmpty());
    EXPECT_THAT(tunnel_ips(), IsEmpty());
}

TEST_F(StatusWriterTest, TheHostsStatus) {
    writer().write_host({{"version", "1"}, {"ports", "2"}});
    run();
    EXPECT_THAT(host_status(), ElementsAre(Pair("ports", "2"), Pair("version", "1")));
    const auto before = commits_;
    writer().write_host({{"version", "1"}, {"ports", "2"}});
    run();
    EXPECT_EQ(commits_, before);
    host({update("Host", R"("status":["map",[["version","mine"]]])")});
    writer().write_host({{"version", "1"}, {"ports", "2"}});
    run();
    EXPECT_THAT(host_status(), ElementsAre(Pair("ports", "2"), Pair("version", "1")));
    // The row made anew by a controller is told as well.
    host({erase("Host"), insert("Host", R"("next_cfg":1)")});
    writer().write_host({{"version", "1"}, {"ports", "2"}});
    run();
    EXPECT_THAT(host_status(), ElementsAre(Pair("ports", "2"), Pair("version", "1")));
}

}  // namespace
}  // namespace hnv::northbound
