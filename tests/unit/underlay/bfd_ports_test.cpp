// Sessions as ports of the integration bridge.
#include "underlay/bfd_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hnv::underlay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

policy::BfdSession session(const char* remote, const char* local) {
    return {ip(remote), ip(local), {{"enable", "true"}, {"min_tx", "100"}}};
}

ProviderAddressState address(const char* text, bool present, std::uint32_t mark = 0) {
    ProviderAddressState state;
    state.address = ip(text);
    state.present = present;
    state.mark = mark;
    return state;
}

TEST(BfdPorts, NamesAreShortAndTheirOwn) {
    EXPECT_EQ(bfd_port_name(ip("192.168.2.20")), "hnvb-c0a80214");
    EXPECT_LE(bfd_port_name(ip("2001:db8::1")).size(), 15U);
    EXPECT_NE(bfd_port_name(ip("2001:db8::1")), bfd_port_name(ip("2001:db8::2")));
}

TEST(BfdPorts, AVxlanPortWithItsOwnEndsAndVniZero) {
    const auto ports = bfd_ports(std::vector{session("192.168.2.20", "192.168.1.10")},
                                 std::vector{address("192.168.1.10", true)});
    ASSERT_THAT(ports.wanted, SizeIs(1));
    EXPECT_THAT(ports.kept, IsEmpty());
    EXPECT_EQ(ports.wanted[0].type, "vxlan");
    EXPECT_THAT(ports.wanted[0].options,
                ElementsAre(Pair("remote_ip", "192.168.2.20"), Pair("key", "0"),
                            Pair("dst_port", "4789"), Pair("local_ip", "192.168.1.10")));
    EXPECT_THAT(ports.wanted[0].bfd, ElementsAre(Pair("enable", "true"), Pair("min_tx", "100")));
}

TEST(BfdPorts, InACompartmentTheMarkSaysWhereFrom) {
    const auto ports = bfd_ports(std::vector{session("192.168.2.20", "192.168.1.10")},
                                 std::vector{address("192.168.1.10", true, 0x48000001)});
    ASSERT_THAT(ports.wanted, SizeIs(1));
    EXPECT_THAT(ports.wanted[0].options, Contains(Pair("egress_pkt_mark", "1207959553")));
    EXPECT_THAT(ports.wanted[0].options, Not(Contains(Pair("local_ip", testing::_))));
}

TEST(BfdPorts, WhileItsAddressIsAwayAPortStaysAsItIs) {
    const std::vector sessions{session("192.168.2.20", "192.168.1.10")};
    for (const auto& addresses : {std::vector<ProviderAddressState>{},
                                  std::vector{address("192.168.1.10", false, 0x48000001)}}) {
        const auto ports = bfd_ports(sessions, addresses);
        EXPECT_THAT(ports.wanted, IsEmpty());
        EXPECT_THAT(ports.kept, ElementsAre("hnvb-c0a80214"));
    }
}

TEST(BfdPorts, StatesAreWhatTheSwitchSays) {
    const std::vector sessions{session("192.168.2.20", "192.168.1.10"),
                               session("192.168.3.30", "192.168.1.10"),
                               session("192.168.4.40", "192.168.9.9")};
    const auto states = bfd_states(sessions, std::vector{address("192.168.1.10", true)},
                                   {{"hnvb-c0a80214", {9, {{"state", "up"}}, ""}},
                                    {"hnvb-c0a8031e", {0, {}, "could not add"}}});
    ASSERT_THAT(states, SizeIs(3));
    EXPECT_EQ(states[0], (policy::BfdState{ip("192.168.2.20"), 9, {{"state", "up"}}, ""}));
    EXPECT_EQ(states[1].problem, "interface hnvb-c0a8031e: could not add");
    EXPECT_EQ(states[2].problem, "this host does not carry 192.168.9.9 now");
}

}  // namespace
}  // namespace hnv::underlay
