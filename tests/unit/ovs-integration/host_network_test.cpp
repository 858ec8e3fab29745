#include "ovs-integration/host_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "support/command.h"
#include "support/open_vswitch.h"

namespace hnv::ovs {
namespace {

constexpr std::uint32_t kFirst = 0x48000000;
constexpr std::uint32_t kLast = 0x48ffffff;

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(const char* text) { return IpPrefix::parse(text).value(); }

class HostNetworkTest : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ip({"link", "add", "pa0", "mtu", "1600", "type", "veth", "peer", "name", "far0"});
        ip({"link", "set", "far0", "up"});
        index_ = link("pa0").index;
    }

    static std::string ip(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "ip");
        const test::CommandOutcome done = test::run_command(arguments);
        EXPECT_TRUE(done.succeeded) << done.output;
        return done.output;
    }
    HostLink link(const char* name) {
        const auto links = network_.links().value();
        const auto found = std::ranges::find(links, name, &HostLink::name);
        return found == links.end() ? HostLink{} : *found;
    }
    void done(const Status& status) { EXPECT_TRUE(status) << status.error().message(); }
    void prepare_pa0() {
        done(network_.add_address(index_, prefix("10.9.0.11/24")));
        done(network_.add_address(index_, prefix("2001:db8::11/64")));
        done(network_.set_up(index_));
    }

    HostNetwork network_;
    int index_ = 0;
};

TEST_F(HostNetworkTest, TellsOfLinks) {
    EXPECT_EQ(link("pa0").mtu, 1600U);
    EXPECT_FALSE(link("pa0").up);
    EXPECT_TRUE(link("far0").up);
    EXPECT_NE(link("pa0").mac, MacAddress{});
    ip({"link", "add", "sw0", "type", "bridge"});
    ip({"link", "set", "pa0", "master", "sw0"});
    EXPECT_EQ(link("pa0").master, "sw0");
}

TEST_F(HostNetworkTest, AddressesComeWithoutARoute) {
    prepare_pa0();
    prepare_pa0();  // It is there already.
    const std::string shown = ip({"-o", "addr", "show", "dev", "pa0"});
    EXPECT_NE(shown.find("10.9.0.11/24"), std::string::npos) << shown;
    EXPECT_NE(shown.find("2001:db8::11/64 scope global nodad noprefixroute"), std::string::npos)
        << shown;
    EXPECT_EQ(ip({"route", "show"}), "");
    EXPECT_EQ(ip({"-6", "route", "show"}).find("2001:db8::/64"), std::string::npos);
    EXPECT_TRUE(link("pa0").up);
    done(network_.remove_address(index_, prefix("10.9.0.11/24")));
    done(network_.remove_address(index_, prefix("10.9.0.11/24")));
    EXPECT_EQ(ip({"-4", "-o", "addr", "show", "dev", "pa0"}), "");
    EXPECT_FALSE(network_.set_up(9999));
}

TEST_F(HostNetworkTest, RulesAreTheseAndNoOthersOfTheRange) {
    ip({"rule", "add", "fwmark", "7", "lookup", "7", "priority", "100"});
    const std::array both{RoutingRule{kFirst + 1, kFirst + 1, address("10.9.0.11")},
                          RoutingRule{kFirst + 2, kFirst + 2, {}}};
    done(network_.set_rules(kFirst, kLast, both));
    const std::string shown = ip({"rule", "show"});
    done(network_.set_rules(kFirst, kLast, both));
    EXPECT_EQ(ip({"rule", "show"}), shown);
    EXPECT_NE(shown.find("from 10.9.0.11 lookup 1207959553"), std::string::npos) << shown;
    EXPECT_NE(shown.find("fwmark 0x48000001 lookup 1207959553"), std::string::npos) << shown;
    EXPECT_NE(shown.find("fwmark 0x48000002 lookup 1207959554"), std::string::npos) << shown;
    done(network_.set_rules(kFirst, kLast, {}));
    const std::string left = ip({"rule", "show"});
    EXPECT_EQ(left.find("12079595"), std::string::npos) << left;
    EXPECT_NE(left.find("fwmark 0x7 lookup 7"), std::string::npos) << left;
}

TEST_F(HostNetworkTest, RoutesGoIntoATableOfTheirOwn) {
    prepare_pa0();
    const std::uint32_t table = kFirst + 1;
    done(network_.put_route(table, prefix("10.9.0.0/24"), index_, {}, address("10.9.0.11")));
    for (int i = 0; i < 2; ++i) {  // The second time replaces.
        done(network_.put_route(table, prefix("0.0.0.0/0"), index_, address("10.9.0.1"),
                                address("10.9.0.11")));
    }
    done(network_.put_route(table, prefix("2001:db8::/64"), index_, {}, address("2001:db8::11")));
    done(network_.put_route(table, prefix("::/0"), index_, address("2001:db8::1"),
                            address("2001:db8::11")));
    const std::array rule{RoutingRule{table, table, {}}};
    done(network_.set_rules(kFirst, kLast, rule));
    EXPECT_EQ(ip({"route", "show"}), "");
    const std::string far = ip({"route", "get", "192.0.2.1", "mark", "0x48000001"});
    EXPECT_NE(far.find("via 10.9.0.1 dev pa0"), std::string::npos) << far;
    EXPECT_NE(far.find("src 10.9.0.11"), std::string::npos) << far;
    const std::string far6 = ip({"-6", "route", "get", "2001:db8:9::1", "mark", "0x48000001"});
    EXPECT_NE(far6.find("via 2001:db8::1 dev pa0"), std::string::npos) << far6;
}

TEST_F(HostNetworkTest, SysctlsAreWrittenWhereThereIsOne) {
    done(write_sysctl("net/ipv4/conf/pa0/arp_ignore", "8"));
    EXPECT_EQ(read_sysctl("net/ipv4/conf/pa0/arp_ignore"), "8");
    done(write_sysctl("net/ipv4/conf/none/arp_ignore", "8"));
    EXPECT_EQ(read_sysctl("net/ipv4/conf/none/arp_ignore"), std::nullopt);
    EXPECT_FALSE(write_sysctl("net/ipv4/conf/pa0/arp_ignore", "many"));
}

}  // namespace
}  // namespace hnv::ovs
