#include "cli/tuple.h"

#include <gtest/gtest.h>

#include <sstream>

#include "sample_host.h"

namespace hnv::cli {
namespace {

using test::mac;
using test::sample_host;
using test::sample_ports;

Arguments arguments_of(const std::string& words) {
    Arguments arguments;
    std::istringstream stream(words);
    for (std::string word; stream >> word;) {
        arguments.operands.push_back(word);
    }
    return arguments;
}

Tuple tuple_of(const std::string& words) { return parse_tuple(arguments_of(words)).value(); }

std::string error_of(const std::string& words) {
    const auto tuple = parse_tuple(arguments_of(words));
    return tuple ? "accepted" : tuple.error().message();
}

Result<Packet> packet_of(const std::string& words) {
    return plan_packet(tuple_of(words), sample_host(), sample_ports());
}

TEST(Tuple, WordsThatAreWrongAreNamed) {
    EXPECT_EQ(error_of("app frob 10.1.1.11 1 10.1.1.12 2 out"), "'frob' is not a protocol");
    EXPECT_EQ(error_of("app 256 10.1.1.11 1 10.1.1.12 2 out"), "'256' is not a protocol");
    EXPECT_EQ(error_of("app tcp 10.1.1 1 10.1.1.12 2 out"), "'10.1.1' is not an address");
    EXPECT_EQ(error_of("app tcp 10.1.1.11 1 x 2 out"), "'x' is not an address");
    EXPECT_EQ(error_of("app tcp 10.1.1.11 65536 10.1.1.12 2 out"), "'65536' is not a port");
    EXPECT_EQ(error_of("app icmp 10.1.1.11 256 10.1.1.12 0 out"),
              "'256' is not an ICMP type or code");
    EXPECT_EQ(error_of("app tcp 10.1.1.11 1 fd00::1 2 out"),
              "one of 10.1.1.11 and fd00::1 is IPv4, the other IPv6");
    EXPECT_EQ(error_of("app icmp fd00::2 8 fd00::1 0 out"), "icmp is not a protocol of IPv6");
    EXPECT_EQ(error_of("app tcp 10.1.1.11 1 10.1.1.12 2 sideways"),
              "'sideways' is neither in nor out");
}

TEST(Tuple, StatesOfTheConnection) {
    Arguments arguments = arguments_of("app tcp 10.1.1.11 1 10.1.1.12 2 out");
    arguments.ct_state = "est,rpl";
    EXPECT_TRUE(parse_tuple(arguments)->reply);
    arguments.ct_state = "rpl";
    EXPECT_EQ(parse_tuple(arguments).error().message(), "--ct-state: rpl goes with est");
    arguments.ct_state = "old";
    EXPECT_EQ(parse_tuple(arguments).error().message(),
              "--ct-state: 'old' is none of: new, est, rpl");
}

TEST(Tuple, AGuestSendsToItsNeighbourByTheNeighboursMac) {
    const auto packet = packet_of("app tcp 10.1.1.11 40000 10.1.1.12 80 out");
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->in_port, 3U);
    EXPECT_EQ(packet->source_mac, mac("00:15:5d:50:01:0b"));
    EXPECT_EQ(packet->destination_mac, mac("00:15:5d:50:01:0c"));
    EXPECT_EQ(packet->ttl, 64U);
    EXPECT_TRUE(packet->notes.empty());
}

TEST(Tuple, AGuestSendsToAnotherSubnetByTheRouter) {
    EXPECT_EQ(packet_of("app tcp 10.1.1.11 1 10.1.2.12 80 out")->destination_mac,
              mac("00:15:5d:ff:ff:fe"));
    EXPECT_EQ(packet_of("app icmp 10.1.1.11 8 10.1.1.1 0 out")->destination_mac,
              mac("00:15:5d:ff:ff:fe"));
}

TEST(Tuple, BroadcastAndMulticastHaveMacsOfTheirOwn) {
    EXPECT_EQ(packet_of("app udp 10.1.1.11 1 10.1.1.255 2 out")->destination_mac,
              mac("ff:ff:ff:ff:ff:ff"));
    EXPECT_EQ(packet_of("app udp 10.1.1.11 1 255.255.255.255 2 out")->destination_mac,
              mac("ff:ff:ff:ff:ff:ff"));
    EXPECT_EQ(packet_of("app udp 10.1.1.11 1 239.129.2.3 2 out")->destination_mac,
              mac("01:00:5e:01:02:03"));
    EXPECT_EQ(packet_of("app udp fd00::1 1 ff02::1:2 2 out")->destination_mac,
              mac("33:33:00:01:00:02"));
}

TEST(Tuple, AnAddressThatNobodyHasIsToldOf) {
    const auto packet = packet_of("app tcp 10.1.1.11 1 10.1.1.77 2 out");
    ASSERT_EQ(packet->notes.size(), 1U);
    EXPECT_NE(packet->notes[0].find("nobody in virtual subnet 5001 has 10.1.1.77"),
              std::string::npos);
    EXPECT_FALSE(packet_of("app tcp 10.1.1.99 1 10.1.1.12 2 out")->notes.empty());
}

TEST(Tuple, WhatComesInIsSentByTheLocalPortThatHasTheAddress) {
    const auto packet = packet_of("cache tcp 10.1.1.11 40000 10.1.2.13 80 in");
    EXPECT_EQ(packet->in_port, 3U);
    EXPECT_EQ(packet->sender, "port app");
    EXPECT_FALSE(packet->tunnel);
    // Another network's port with the address is not asked.
    EXPECT_FALSE(packet_of("cache tcp 10.1.1.99 1 10.1.2.13 80 in"));
}

TEST(Tuple, WhatComesInFromAnotherHostComesByItsTunnel) {
    const auto packet = packet_of("app tcp 10.1.1.12 40000 10.1.1.11 80 in");
    ASSERT_TRUE(packet && packet->tunnel);
    EXPECT_EQ(packet->tunnel->key, 5001U);
    EXPECT_EQ(packet->tunnel->source, test::ip("192.168.2.20"));
    EXPECT_EQ(packet->tunnel->destination, test::ip("192.168.1.10"));
    EXPECT_EQ(packet->source_mac, mac("00:15:5d:50:01:0c"));
    EXPECT_EQ(packet->ttl, 64U);
    // Routed on the sending host; by the encapsulation of the destination's mapping.
    const auto routed = packet_of("cache tcp 10.1.1.12 40000 10.1.2.13 80 in");
    ASSERT_TRUE(routed && routed->tunnel);
    EXPECT_EQ(routed->tunnel->key, 5002U << 8);
    EXPECT_EQ(routed->source_mac, mac("00:15:5d:ff:ff:fe"));
    EXPECT_EQ(routed->ttl, 63U);
}

TEST(Tuple, TheSendingHostCanBeNamed) {
    Arguments arguments = arguments_of("app tcp 172.16.0.1 1 10.1.1.11 2 in");
    EXPECT_FALSE(plan_packet(*parse_tuple(arguments), sample_host(), sample_ports()));
    arguments.sender_pa = test::ip("192.168.9.9");
    const auto packet = plan_packet(*parse_tuple(arguments), sample_host(), sample_ports());
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->tunnel->source, test::ip("192.168.9.9"));
}

TEST(Tuple, PortsThatAreNotThereAreErrors) {
    EXPECT_EQ(packet_of("nope tcp 10.1.1.11 1 10.1.1.12 2 out").error().message(),
              "no port 'nope' on this host: see hnvctl ports");
    HostFacts facts = sample_host();
    facts.ports[0].ofport = 0;
    EXPECT_EQ(plan_packet(tuple_of("app tcp 10.1.1.11 1 10.1.1.12 2 out"), facts, sample_ports())
                  .error()
                  .message(),
              "port app has no interface on this host yet");
    facts.ports[0].ofport = 3;
    facts.ports[0].subnets.clear();
    EXPECT_TRUE(
        plan_packet(tuple_of("app tcp 10.1.1.11 1 10.1.1.12 2 out"), facts, sample_ports()));
    EXPECT_FALSE(
        plan_packet(tuple_of("app tcp 10.1.1.12 1 10.1.1.11 2 in"), facts, sample_ports()));
}

TEST(Tuple, ThePacketInTheSwitchsSyntax) {
    const Tuple tuple = tuple_of("app tcp 10.1.1.12 40000 10.1.1.11 80 in");
    const auto packet = plan_packet(tuple, sample_host(), sample_ports());
    EXPECT_EQ(flow_text(tuple, *packet),
              "in_port=1,tun_id=5001,tun_src=192.168.2.20,tun_dst=192.168.1.10,dl_src=00:15:5d:50:"
              "01:0c,dl_dst=00:15:5d:50:01:0b,dl_type=0x0800,nw_proto=6,nw_src=10.1.1.12,nw_dst=10."
              "1.1.11,nw_ttl=64,tcp_src=40000,tcp_dst=80");
    EXPECT_EQ(connection_text(tuple, 7), "");
    const Tuple ping = tuple_of("app icmpv6 fd00::1 128 fd00::2 0 out");
    EXPECT_NE(flow_text(ping, *packet).find("icmpv6_type=128,icmpv6_code=0"), std::string::npos);
    EXPECT_EQ(tuple_words(ping), "ICMPV6 type 128 code 0 fd00::1 -> fd00::2");
    EXPECT_EQ(tuple_words(tuple), "TCP 10.1.1.12:40000 -> 10.1.1.11:80");
    EXPECT_EQ(tuple_words(tuple_of("app 47 10.1.1.11 0 10.1.1.12 0 out")),
              "protocol 47 10.1.1.11 -> 10.1.1.12");
}

TEST(Tuple, AReplyIsOfTheConnectionTheOtherWayRound) {
    Tuple tuple = tuple_of("app tcp 10.1.1.12 80 10.1.1.11 40000 in");
    tuple.established = tuple.reply = true;
    EXPECT_EQ(connection_text(tuple, 7),
              ",ct_state=trk|est|rpl,ct_mark=7,ct_nw_proto=6,ct_nw_src=10.1.1.11,ct_nw_dst=10.1.1."
              "12,ct_tp_src=40000,ct_tp_dst=80");
}

}  // namespace
}  // namespace hnv::cli
