// The ports that hardware_vtep shows of this host, while the host's settings say so.
#include "northbound/vtep_ports.h"

#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class VtepPortsTest : public NorthboundTest {
  protected:
    void plug(const std::vector<policy::InterfaceSpec>& interfaces) {
        policy_->model.set_interfaces(interfaces);
        (void)policy_->commit();
        tell();
    }
    void tell() {
        if (!ports_) {
            ports_.emplace(*server_, "host1");
        }
        ports_->write(policy_->model);
        run();
    }
    void list(const char* yes) {
        host({update("Host",
                     R"("settings":["map",[["vtep_list_ports",")" + std::string(yes) + R"("]]])")});
        tell();
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const Line& line : rows("hardware_vtep", "Physical_Port", {"name"})) {
            names.push_back(line.strings.at("name"));
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    // Makes a switch, and gives every port of hardware_vtep a binding to it.
    void bind_all() {
        hardware({insert("Logical_Switch", R"("name":"ls5","tunnel_key":5)", "ls"),
                  update("Physical_Port", R"("vlan_bindings":["map",[[0,["named-uuid","ls"]]]])")});
    }

    const policy::InterfaceSpec one_ = test::plug("p1", 7, 0x020000000011U);
    const policy::InterfaceSpec two_ = test::plug("p2", 8, 0x020000000012U);

  private:
    std::optional<VtepPorts> ports_;
};

TEST_F(VtepPortsTest, AreNotShownUnlessTheHostSaysSo) {
    plug({one_});
    EXPECT_THAT(names(), IsEmpty());
    list("true");
    EXPECT_THAT(names(), ElementsAre("p1"));
    list("false");
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(VtepPortsTest, ComeAndGoWithTheirInterfaces) {
    list("true");
    plug({one_, two_});
    EXPECT_THAT(names(), ElementsAre("p1", "p2"));
    plug({two_});
    EXPECT_THAT(names(), ElementsAre("p2"));
    EXPECT_THAT(fault_keys(), IsEmpty());  // An unbound port of a VTEP is no fault.
}

TEST_F(VtepPortsTest, AreWrittenOnce) {
    list("true");
    plug({one_});
    const std::size_t before = commits_["hardware_vtep"];
    tell();
    tell();
    EXPECT_EQ(commits_["hardware_vtep"], before);
}

TEST_F(VtepPortsTest, ABoundOneIsTheControllersAndStays) {
    list("true");
    plug({one_});
    bind_all();
    const auto view = policy_->port_view("p1");
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->active && view->vtep);
    plug({});
    EXPECT_THAT(names(), ElementsAre("p1"));
    hardware({update("Physical_Port", R"("vlan_bindings":["map",[]])")});
    tell();
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(VtepPortsTest, OneThatAControllerMadeIsNotMadeAgain) {
    // GUIDs are the same with braces and without, in either case.
    const std::string written = "{6B1E52D0-0001-4A6C-9F6E-0123456789AB}";
    hardware({insert("Physical_Port", R"("name":")" + written + R"(")", "port"), attach("port")});
    list("true");
    plug({test::plug(policy::normalize_port_name(written), 7, 0x020000000011U)});
    EXPECT_THAT(names(), ElementsAre(written));
    list("false");
    EXPECT_THAT(names(), ElementsAre(written));
}

TEST_F(VtepPortsTest, OneThatMsVtepBindsIsNotShown) {
    list("true");
    plug({one_, two_});
    vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "ls"),
          insert("Physical_Port",
                 R"("name":"p1","vlan_bindings":["map",[[0,["named-uuid","ls"]]]])", "port"),
          attach("port")});
    tell();
    EXPECT_THAT(names(), ElementsAre("p2"));
}

TEST_F(VtepPortsTest, AreThoseOfThisHostsSwitch) {
    hardware({insert("Physical_Switch", R"("name":"another")", "other"),
              R"({"op":"mutate","table":"Global","where":[],"mutations":)"
              R"([["switches","insert",["named-uuid","other"]]]})"});
    list("true");
    plug({one_});
    std::map<std::string, std::size_t> ports;
    server_->for_each_row("hardware_vtep", "Physical_Switch", [&](const ovs::Row& row) {
        ports[std::string(row.string("name"))] = row.references("ports").size();
    });
    EXPECT_EQ(ports, (std::map<std::string, std::size_t>{{"another", 0}, {"host1", 1}}));
}

}  // namespace
}  // namespace hnv::northbound
