#include "audit/flow_tuple.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ovs-integration/wire.h"
#include "support/policy_builder.h"

namespace hnv::audit {
namespace {

using Bytes = std::vector<std::uint8_t>;
using test::ip;

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

Bytes ethernet(std::uint16_t type) {
    Bytes header(12, 0x02);
    header.push_back(static_cast<std::uint8_t>(type >> 8));
    header.push_back(static_cast<std::uint8_t>(type));
    return header;
}

// 10.1.1.12 to 10.1.1.11.
Bytes ipv4(std::uint8_t protocol, std::uint16_t fragment = 0, unsigned words = 5) {
    Bytes header(std::size_t{4} * words, 0);
    header[0] = static_cast<std::uint8_t>(0x40 | words);
    header[6] = static_cast<std::uint8_t>(fragment >> 8);
    header[7] = static_cast<std::uint8_t>(fragment);
    header[9] = protocol;
    const Bytes addresses{10, 1, 1, 12, 10, 1, 1, 11};
    std::copy(addresses.begin(), addresses.end(), header.begin() + 12);
    return ethernet(0x0800) + header;
}

// fd00:1::12 to fd00:1::11.
Bytes ipv6(std::uint8_t next) {
    Bytes header(40, 0);
    header[0] = 0x60;
    header[6] = next;
    for (const std::size_t at : {8, 24}) {
        header[at] = 0xfd;
        header[at + 3] = 1;
        header[at + 15] = at == 8 ? 0x12 : 0x11;
    }
    return ethernet(0x86dd) + header;
}

const Bytes kPorts{0xc0, 0x01, 0x00, 0x50, 0, 0, 0, 0};

FlowTuple of_v4(std::uint8_t protocol) { return {ip("10.1.1.12"), ip("10.1.1.11"), protocol}; }
FlowTuple of_v6(std::uint8_t protocol) { return {ip("fd00:1::12"), ip("fd00:1::11"), protocol}; }

FlowTuple with_ports(FlowTuple flow) {
    flow.ports = {0xc001, 80};
    return flow;
}
FlowTuple with_icmp(FlowTuple flow, std::uint8_t type, std::uint8_t code) {
    flow.icmp = {type, code};
    return flow;
}

TEST(ParseFlow, PortsOfTheProtocolsThatHaveThem) {
    for (const std::uint8_t protocol : {wire::kTcp, wire::kUdp, wire::kSctp}) {
        EXPECT_EQ(parse_flow(ipv4(protocol) + kPorts), with_ports(of_v4(protocol)));
        EXPECT_EQ(parse_flow(ipv6(protocol) + kPorts), with_ports(of_v6(protocol)));
    }
    EXPECT_EQ(parse_flow(ipv4(47) + kPorts), of_v4(47));
    EXPECT_EQ(parse_flow(ipv6(47) + kPorts), of_v6(47));
}

TEST(ParseFlow, TypeAndCodeOfIcmp) {
    EXPECT_EQ(parse_flow(ipv4(1) + Bytes{8, 0, 1, 2}), with_icmp(of_v4(1), 8, 0));
    EXPECT_EQ(parse_flow(ipv6(58) + Bytes{1, 4, 1, 2}), with_icmp(of_v6(58), 1, 4));
}

TEST(ParseFlow, StepsOverOptionsAndExtensionHeaders) {
    EXPECT_EQ(parse_flow(ipv4(6, 0, 7) + kPorts), with_ports(of_v4(6)));
    const Bytes hop_by_hop{60, 0, 0, 0, 0, 0, 0, 0};
    const Bytes destination_options = Bytes{43, 1} + Bytes(14, 0);
    const Bytes routing{51, 0, 0, 0, 0, 0, 0, 0};
    const Bytes authentication = Bytes{6, 4} + Bytes(22, 0);
    EXPECT_EQ(
        parse_flow(ipv6(0) + hop_by_hop + destination_options + routing + authentication + kPorts),
        with_ports(of_v6(6)));
}

TEST(ParseFlow, OnlyTheFirstFragmentHasPorts) {
    EXPECT_EQ(parse_flow(ipv4(17, 0x2000) + kPorts), with_ports(of_v4(17)));
    EXPECT_EQ(parse_flow(ipv4(17, 0x2001) + kPorts), of_v4(17));
    EXPECT_EQ(parse_flow(ipv6(44) + Bytes{17, 0, 0, 1, 0, 0, 0, 9} + kPorts),
              with_ports(of_v6(17)));
    EXPECT_EQ(parse_flow(ipv6(44) + Bytes{17, 0, 0, 8, 0, 0, 0, 9} + kPorts), of_v6(17));
}

TEST(ParseFlow, WhatIsCutOffIsNotTold) {
    EXPECT_EQ(parse_flow(ipv4(6) + Bytes{0xc0, 0x01, 0x00}), of_v4(6));
    EXPECT_EQ(parse_flow(ipv4(1) + Bytes{8}), of_v4(1));
    EXPECT_EQ(parse_flow(ipv6(0) + Bytes{60, 0, 0, 0, 0, 0, 0}), of_v6(0));
    // The options' length is beyond the end.
    EXPECT_EQ(parse_flow(ipv6(60) + Bytes{6, 9, 0, 0, 0, 0, 0, 0} + kPorts), of_v6(6));
}

TEST(ParseFlow, RefusesWhatIsNotIp) {
    EXPECT_FALSE(parse_flow({}));
    EXPECT_FALSE(parse_flow(ethernet(0x0806) + Bytes(28, 0)));
    EXPECT_FALSE(parse_flow(ethernet(0x0800) + Bytes(20, 0)));
    EXPECT_FALSE(parse_flow(ethernet(0x86dd) + Bytes(40, 0)));
    Bytes short_header = ipv4(6) + kPorts;
    short_header[14] = 0x44;
    EXPECT_FALSE(parse_flow(short_header));
    for (const Bytes& whole : {ipv4(6), ipv6(6)}) {
        for (std::size_t length = 0; length < whole.size(); ++length) {
            EXPECT_FALSE(parse_flow(std::span(whole).first(length))) << length;
        }
    }
}

}  // namespace
}  // namespace hnv::audit
