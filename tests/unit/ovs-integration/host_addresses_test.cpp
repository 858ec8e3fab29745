#include "ovs-integration/host_addresses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "support/open_vswitch.h"

namespace hnv::ovs {
namespace {

class HostAddressesTest : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
    }

    static void ip(const std::string& arguments) {
        std::vector<std::string> command{"ip"};
        std::istringstream words(arguments);
        for (std::string word; words >> word;) {
            command.push_back(word);
        }
        ASSERT_EQ(test::wait_for_exit(test::start(command, "/dev/null")), 0) << arguments;
    }

    static const HostAddress* find(const HostAddresses& host, const char* text) {
        const auto& addresses = host.addresses();
        const auto found =
            std::ranges::find(addresses, *IpAddress::parse(text), &HostAddress::address);
        return found == addresses.end() ? nullptr : &*found;
    }
};

TEST_F(HostAddressesTest, FollowsAddressesAndLinks) {
    HostAddresses host;
    EXPECT_TRUE(host.run());  // A new namespace has a loopback device, and no address.
    EXPECT_TRUE(host.addresses().empty());

    // A pair: a device has a carrier while its other end is up.
    ip("link add pa0 type veth peer name far0");
    ip("link set pa0 up");
    ip("address add 192.168.1.10/24 dev pa0 label pa0:1");
    ip("-6 address add 2001:db8::10/64 dev pa0 nodad");
    ASSERT_TRUE(test::run_until(host, [&] {
        return find(host, "192.168.1.10") != nullptr && find(host, "2001:db8::10") != nullptr;
    }));
    const HostAddress* v4 = find(host, "192.168.1.10");
    EXPECT_EQ(v4->interface, "pa0");
    EXPECT_EQ(v4->prefix_length, 24U);
    EXPECT_FALSE(v4->up);
    EXPECT_EQ(find(host, "2001:db8::10")->prefix_length, 64U);

    ip("link set far0 up");
    EXPECT_TRUE(test::run_until(host, [&] { return find(host, "192.168.1.10")->up; }));
    ip("address del 192.168.1.10/24 dev pa0");
    EXPECT_TRUE(test::run_until(host, [&] { return find(host, "192.168.1.10") == nullptr; }));
    EXPECT_FALSE(host.run());
}

TEST_F(HostAddressesTest, SurvivesAnOverrunOfNotifications) {
    HostAddresses host;
    (void)host.run();
    ip("link set lo up");
    // Far more than a socket's buffer holds, and nobody reads.
    const std::string batch = testing::TempDir() + "/hnv-addresses-" + std::to_string(::getpid());
    {
        std::ofstream commands(batch);
        for (int i = 0; i < 4000; ++i) {
            commands << "address add 10.1." << i / 250 << '.' << i % 250 + 1 << "/32 dev lo\n";
        }
    }
    ip("-batch " + batch);
    std::filesystem::remove(batch);
    EXPECT_TRUE(test::run_until(host, [&] { return find(host, "10.1.15.250") != nullptr; }));
    EXPECT_NE(find(host, "10.1.0.1"), nullptr);
}

}  // namespace
}  // namespace hnv::ovs
