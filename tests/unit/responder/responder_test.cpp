#include "responder/responder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "arp_frames.h"
#include "guest_frames.h"
#include "ip_frames.h"
#include "responder/arp.h"
#include "responder/icmp_error.h"
#include "responder/nd.h"
#include "support/fake_switch.h"

namespace hnv::responder {
namespace {

using test::arp_frame;
using test::ArpFields;
using Kind = pipeline::PacketInKind;
using Reason = pipeline::IcmpReason;

const MacAddress kWeb = MacAddress::from_bits(0x020000000012U);
const MacAddress kSql = MacAddress::from_bits(0x020000000011U);
const MacAddress kRouter = MacAddress::from_bits(0x0200000000feU);
const IpAddress kSqlIp = IpAddress::from_v4(0x0a01010bU);
const IpAddress kWebIpv6 = IpAddress::parse("fd00:1::12").value();
const IpAddress kSqlIpv6 = IpAddress::parse("fd00:1::11").value();

// What the pipeline puts into packet-ins (pipeline::PacketInKind).
const test::Octets kNdData{2, 2, 0, 0, 0, 0, 0xfe};
const test::Octets kErrorV4Data{3, 2, 0, 0, 0, 0, 0xfe, 10, 1, 1, 1};
const test::Octets kErrorV6Data = test::from_hex("030200000000fefd000001000000000000000000000001");

// Polls, since the counters have no notification.
bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

ovs::PacketIn packet_in(std::vector<std::uint8_t> packet, test::Octets userdata = {1},
                        Reason reason = Reason::None, std::uint32_t mtu = 0) {
    ovs::PacketIn in;
    in.packet = std::move(packet);
    in.in_port = 3;  // Not the port to answer: it may have been cleared on the way.
    in.registers = {5001, 7, 0, 0, 0, 0, 0, 0, static_cast<std::uint32_t>(reason), mtu};
    in.userdata = std::move(userdata);
    return in;
}

// The register of the tag that the guest used.
constexpr std::size_t kVlan = 6;

// Priority 3, VLAN 100, as a packet-in tells it, and as the guest is to see it.
constexpr std::uint32_t kTci = 0x7064;
const test::Octets kTag{0x81, 0x00, 0x60, 0x64};

test::Octets tagged(View frame) {
    test::Octets bytes(frame.begin(), frame.end());
    bytes.insert(bytes.begin() + 12, kTag.begin(), kTag.end());
    return bytes;
}

test::Octets bytes_of(View frame) { return {frame.begin(), frame.end()}; }

class Respond : public ::testing::Test {
  protected:
    Respond() {
        neighbours_.set(5001, kSqlIp, kSql);
        neighbours_.set(5001, kSqlIpv6, kSql);
    }
    policy::NeighbourTable neighbours_;
    policy::LeaseTable leases_;
};

TEST_F(Respond, AnswersInTheSubnetOfTheRegister) {
    auto in = packet_in(arp_frame({}));
    const Response response = respond(in, neighbours_, leases_);
    EXPECT_EQ(response.outcome, Outcome::Answered);
    EXPECT_EQ(response.kind, Kind::ArpRequest);
    EXPECT_EQ(response.port, 7U);
    EXPECT_EQ(bytes_of(response.frame),
              bytes_of(build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql)));
    in.registers[0] = 6001;
    EXPECT_EQ(respond(in, neighbours_, leases_).outcome, Outcome::Missed);
}

TEST_F(Respond, AdvertisesANeighbour) {
    auto in = packet_in(test::solicitation(), kNdData);
    const Response response = respond(in, neighbours_, leases_);
    EXPECT_EQ(response.outcome, Outcome::Answered);
    EXPECT_EQ(response.kind, Kind::NeighbourSolicitation);
    EXPECT_EQ(response.port, 7U);
    EXPECT_EQ(bytes_of(response.frame),
              bytes_of(build_neighbour_advertisement({kWeb, kWebIpv6, kSqlIpv6}, kSql, false)));
    in.registers[0] = 6001;
    EXPECT_EQ(respond(in, neighbours_, leases_).outcome, Outcome::Missed);
}

TEST_F(Respond, AnswersForWhateverAddressTheUserdataGivesAnOwner) {
    const test::Octets owner{1, 2, 0, 0, 0, 0, 0xfe};
    const auto arp = packet_in(arp_frame({}), owner);
    EXPECT_EQ(bytes_of(respond(arp, neighbours_, leases_).frame),
              bytes_of(build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kRouter)));
    const test::Octets of_nd{2, 2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 0xfe};
    const auto nd = packet_in(test::solicitation(), of_nd);
    EXPECT_EQ(bytes_of(respond(nd, neighbours_, leases_).frame),
              bytes_of(build_neighbour_advertisement({kWeb, kWebIpv6, kSqlIpv6}, kRouter, true)));
}

TEST_F(Respond, AdvertisesTheRouterAsOne) {
    neighbours_.set(5001, kSqlIpv6, kRouter);
    const Response response =
        respond(packet_in(test::solicitation(), kNdData), neighbours_, leases_);
    EXPECT_EQ(bytes_of(response.frame),
              bytes_of(build_neighbour_advertisement({kWeb, kWebIpv6, kSqlIpv6}, kRouter, true)));
}

TEST_F(Respond, SendsTheErrorOfTheReason) {
    const IpAddress gateway = IpAddress::parse("10.1.1.1").value();
    for (const Reason reason :
         {Reason::TtlExpired, Reason::NoRoute, Reason::HostUnknown, Reason::TooBig}) {
        const Response response = respond(packet_in(test::expired_v4(), kErrorV4Data, reason, 1450),
                                          neighbours_, leases_);
        EXPECT_EQ(response.outcome, Outcome::Answered);
        EXPECT_EQ(response.kind, Kind::IcmpError);
        EXPECT_EQ(response.reason, reason);
        EXPECT_EQ(response.port, 7U);
        EXPECT_EQ(response.frame, std::get<Frame>(build_icmp_error(
                                      test::expired_v4(), {reason, kRouter, gateway, 1450})));
    }
    const Response v6 = respond(packet_in(test::expired_v6(), kErrorV6Data, Reason::TtlExpired),
                                neighbours_, leases_);
    EXPECT_EQ(v6.frame, std::get<Frame>(build_icmp_error(
                            test::expired_v6(), {Reason::TtlExpired, kRouter,
                                                 IpAddress::parse("fd00:1::1").value(), 0})));
}

TEST_F(Respond, AnswersWithTheTagOfTheSender) {
    auto arp = packet_in(arp_frame({}));
    arp.registers[kVlan] = kTci;
    EXPECT_EQ(bytes_of(respond(arp, neighbours_, leases_).frame),
              tagged(build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql)));
    auto nd = packet_in(test::solicitation(), kNdData);
    nd.registers[kVlan] = kTci;
    EXPECT_EQ(bytes_of(respond(nd, neighbours_, leases_).frame),
              tagged(build_neighbour_advertisement({kWeb, kWebIpv6, kSqlIpv6}, kSql, false)));
    // The longest frame there is has room for it.
    auto packet = test::expired_v6();
    packet.resize(14 + 40 + 1400);
    packet[18] = 1400 >> 8;
    packet[19] = 1400 & 0xff;
    auto error = packet_in(packet, kErrorV6Data, Reason::NoRoute);
    const Response plain = respond(error, neighbours_, leases_);
    error.registers[kVlan] = kTci;
    EXPECT_EQ(bytes_of(respond(error, neighbours_, leases_).frame), tagged(plain.frame));
    EXPECT_EQ(plain.frame.size() + 4, Frame::kCapacity);
}

TEST_F(Respond, SaysWhyNot) {
    ArpFields fields;
    fields.sender_ip = fields.target_ip;
    EXPECT_EQ(respond(packet_in(arp_frame(fields)), neighbours_, leases_).outcome,
              Outcome::OwnAddress);
    fields.operation = 2;
    EXPECT_EQ(respond(packet_in(arp_frame(fields)), neighbours_, leases_).outcome,
              Outcome::Malformed);
    EXPECT_EQ(respond(packet_in({}), neighbours_, leases_).outcome, Outcome::Malformed);

    EXPECT_EQ(respond(packet_in(arp_frame({}), kNdData), neighbours_, leases_).outcome,
              Outcome::Malformed);
    neighbours_.set(5001, kSqlIpv6, kWeb);
    EXPECT_EQ(
        respond(packet_in(test::duplicate_detection(), kNdData), neighbours_, leases_).outcome,
        Outcome::OwnAddress);

    const auto error = [this](std::vector<std::uint8_t> packet) {
        return respond(packet_in(std::move(packet), kErrorV4Data, Reason::NoRoute), neighbours_,
                       leases_);
    };
    EXPECT_EQ(error(arp_frame({})).outcome, Outcome::Malformed);
    EXPECT_EQ(error(test::with(test::expired_v4(), 0, {0xff})).outcome, Outcome::Suppressed);
}

// The port that the packet-in is of, and no other that has had its number or its VLAN.
TEST_F(Respond, TellsAGuestWhatItIsTo) {
    const test::Octets key{0, 0, 0, 0, 0, 0, 0x12, 0x34};
    leases_.set(0x1234, {test::guest_config()});
    const auto asked = [&](Kind kind, const test::Octets& frame) {
        test::Octets userdata{static_cast<std::uint8_t>(kind)};
        userdata.insert(userdata.end(), key.begin(), key.end());
        return packet_in(frame, userdata);
    };
    const auto discover = asked(Kind::Dhcp, test::dhcp_frame({}));
    const auto solicit =
        asked(Kind::Dhcpv6, test::dhcpv6_frame(1, test::option6(1, test::kClientDuid)));
    const auto router = asked(Kind::RouterSolicitation, test::router_solicitation());
    for (const auto& in : {discover, solicit, router}) {
        const Response response = respond(in, neighbours_, leases_);
        EXPECT_EQ(response.outcome, Outcome::Answered);
        EXPECT_EQ(response.port, 7U);
        EXPECT_GT(response.frame.size(), 0U);
    }
    for (const std::size_t changed : {0U, 1U, 6U}) {  // Vsid, Source, SourceVlan.
        auto in = discover;
        in.registers[changed] += 0x1001;
        EXPECT_EQ(respond(in, neighbours_, leases_).outcome, Outcome::Ignored) << changed;
    }
    auto other = discover;
    other.userdata.back() ^= 1;
    EXPECT_EQ(respond(other, neighbours_, leases_).outcome, Outcome::Ignored);
    other.userdata.pop_back();
    EXPECT_EQ(respond(other, neighbours_, leases_).outcome, Outcome::Unexpected);
    EXPECT_EQ(respond(asked(Kind::Dhcp, {}), neighbours_, leases_).outcome, Outcome::Malformed);

    auto config = test::guest_config();
    config.vlan = 100;
    leases_.set(0x1234, {config});
    auto in = discover;
    in.registers[kVlan] = kTci;
    const Response tagged_offer = respond(in, neighbours_, leases_);
    EXPECT_EQ(test::Octets(tagged_offer.frame.begin() + 12, tagged_offer.frame.begin() + 16), kTag);
}

TEST_F(Respond, LeavesOtherPacketInsAlone) {
    const auto expect_unexpected = [this](const ovs::PacketIn& in) {
        const Response response = respond(in, neighbours_, leases_);
        EXPECT_EQ(response.outcome, Outcome::Unexpected);
        EXPECT_FALSE(response.kind.has_value());
    };
    expect_unexpected(packet_in(arp_frame({}), {}));
    for (const auto kind : std::initializer_list<std::uint8_t>{0, 7, 255}) {
        expect_unexpected(packet_in(arp_frame({}), {kind}));
    }
    auto in = packet_in(arp_frame({}));
    in.registers = {5001};  // Of no port.
    expect_unexpected(in);
    in.registers = {};
    expect_unexpected(in);
}

TEST_F(Respond, LeavesPacketInsOfAnotherFormAlone) {
    const auto unexpected = [this](const ovs::PacketIn& in) {
        return respond(in, neighbours_, leases_).outcome == Outcome::Unexpected;
    };
    const auto cut = [](test::Octets userdata) {
        userdata.pop_back();
        return userdata;
    };
    EXPECT_TRUE(unexpected(packet_in(test::solicitation(), cut(kNdData))));
    EXPECT_TRUE(unexpected(packet_in(test::solicitation(), {2})));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), cut(kErrorV4Data), Reason::NoRoute)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v6(), cut(kErrorV6Data), Reason::NoRoute)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), {3}, Reason::NoRoute)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), kErrorV6Data, Reason::NoRoute)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), kErrorV4Data)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), kErrorV4Data, Reason::TooBig)));
    EXPECT_TRUE(unexpected(packet_in(test::expired_v4(), kErrorV4Data, Reason{5})));
}

class ResponderTest : public ::testing::Test {
  protected:
    ResponderTest() : responder_(switch_.target(), neighbours_, leases_) {
        neighbours_.set(5001, kSqlIp, kSql);
        neighbours_.set(5001, kSqlIpv6, kSql);
        responder_.start();
    }

    void send(const test::PacketInFields& fields) { switch_.send(test::packet_in_message(fields)); }

    test::FakeSwitch switch_;
    policy::NeighbourTable neighbours_;
    policy::LeaseTable leases_;
    Responder responder_;
};

TEST_F(ResponderTest, AsksForItsPacketIns) {
    // Packet-in format and controller id (both extensions: 4), miss_send_len (SET_CONFIG: 9).
    EXPECT_EQ(switch_.take_connection(), (std::vector<std::uint8_t>{4, 4, 9}));
    EXPECT_TRUE(eventually([&] { return responder_.connected(); }));
}

TEST_F(ResponderTest, AnswersOutOfThePortThatAsked) {
    switch_.take_connection();
    send({.packet = arp_frame({}), .in_port = 3, .source = 42});
    const auto out = switch_.receive_packet_out();
    EXPECT_EQ(out.out_port, 42U);
    const ArpReply expected = build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql);
    EXPECT_EQ(out.packet, test::Octets(expected.begin(), expected.end()));
    EXPECT_TRUE(eventually([&] { return responder_.counters().arp.answered == 1; }));
}

TEST_F(ResponderTest, CountsWhatItDoesNotAnswer) {
    switch_.take_connection();
    ArpFields gratuitous;
    gratuitous.sender_ip = gratuitous.target_ip;
    ArpFields unknown;
    unknown.target_ip += 2;
    send({.packet = arp_frame({}), .vsid = 6001});
    send({.packet = arp_frame(unknown)});
    send({.packet = arp_frame(gratuitous)});
    send({.packet = test::Octets(14, 0)});
    send({.packet = arp_frame({}), .userdata = {9}});
    switch_.send(test::openflow_message(10, 0, test::Octets(3, 0)));  // A cut-off packet-in.
    switch_.send(test::openflow_message(1, 0, {0, 1, 0, 2}));         // An error message.
    switch_.send(test::openflow_message(3, 0, {}));                   // An echo reply: no event.
    send({.packet = arp_frame({})});
    // Nothing before the one that has an answer was answered.
    EXPECT_EQ(switch_.receive_packet_out().out_port, 7U);
    ASSERT_TRUE(eventually([&] { return responder_.counters().arp.answered == 1; }));
    const Counters counters = responder_.counters();
    EXPECT_EQ(counters.arp.missed, 2U);
    EXPECT_EQ(counters.arp.own_address, 1U);
    EXPECT_EQ(counters.arp.malformed, 1U);
    EXPECT_EQ(counters.unexpected, 2U);
    EXPECT_EQ(counters.refused, 1U);
    EXPECT_EQ(counters.arp.overflow, 0U);
}

TEST_F(ResponderTest, CountsEachKindByItself) {
    switch_.take_connection();
    const auto unknown = test::with_icmpv6_checksum(test::with(test::solicitation(), 77, {0x13}));
    send({.packet = unknown, .userdata = kNdData});
    send({.packet = test::Octets(14, 0), .userdata = kNdData});
    send({.packet = test::solicitation(), .userdata = kNdData});
    EXPECT_EQ(switch_.receive_packet_out().packet,
              bytes_of(build_neighbour_advertisement({kWeb, kWebIpv6, kSqlIpv6}, kSql, false)));
    const auto error = [this](Reason reason, test::Octets packet) {
        send({.packet = std::move(packet),
              .source_vlan = kTci,
              .reason = static_cast<std::uint32_t>(reason),
              .mtu = 1450,
              .userdata = kErrorV4Data});
    };
    error(Reason::NoRoute, test::with(test::expired_v4(), 0, {0xff}));  // To a group.
    error(Reason::NoRoute, test::Octets(14, 0));
    for (int i = 0; i < 2; ++i) {
        error(Reason::TtlExpired, test::expired_v4());
    }
    for (int i = 0; i < 3; ++i) {
        error(Reason::NoRoute, test::expired_v4());
    }
    for (int i = 0; i < 4; ++i) {
        error(Reason::HostUnknown, test::expired_v4());
    }
    error(Reason::TooBig, test::expired_v4());
    for (int i = 0; i < 10; ++i) {
        const auto out = switch_.receive_packet_out();
        EXPECT_EQ(out.out_port, 7U);
        EXPECT_EQ(test::Octets(out.packet.begin() + 12, out.packet.begin() + 16), kTag);
    }
    ASSERT_TRUE(eventually([&] { return responder_.counters().icmp_errors.too_big == 1; }));
    const Counters counters = responder_.counters();
    EXPECT_EQ(counters.nd.answered, 1U);
    EXPECT_EQ(counters.nd.missed, 1U);
    EXPECT_EQ(counters.nd.malformed, 1U);
    EXPECT_EQ(counters.icmp_errors.suppressed, 1U);
    EXPECT_EQ(counters.icmp_errors.malformed, 1U);
    EXPECT_EQ(counters.icmp_errors.ttl_expired, 2U);
    EXPECT_EQ(counters.icmp_errors.no_route, 3U);
    EXPECT_EQ(counters.icmp_errors.host_unknown, 4U);
    EXPECT_EQ(counters.arp.answered + counters.arp.malformed, 0U);
    EXPECT_EQ(counters.unexpected + counters.refused, 0U);
}

TEST_F(ResponderTest, FollowsThePolicy) {
    switch_.take_connection();
    neighbours_.erase(5001, kSqlIp);
    send({.packet = arp_frame({})});
    ASSERT_TRUE(eventually([&] { return responder_.counters().arp.missed == 1; }));
    neighbours_.set(5001, kSqlIp, kSql);
    send({.packet = arp_frame({})});
    EXPECT_EQ(switch_.receive_packet_out().packet.size(), kMinimumFrameLength);
}

TEST_F(ResponderTest, ComesBackToARestartedSwitch) {
    switch_.take_connection();
    switch_.hang_up();
    EXPECT_TRUE(eventually([&] { return !responder_.connected(); }));
    EXPECT_EQ(switch_.take_connection().size(), 3U);
    send({.packet = arp_frame({})});
    EXPECT_EQ(switch_.receive_packet_out().out_port, 7U);
}

// A switch that sends requests and takes no answers costs bounded memory, and gets, when it reads
// again, as many answers as were counted.
TEST_F(ResponderTest, DropsWhatTheSwitchDoesNotTake) {
    switch_.take_connection();
    const auto request = test::packet_in_message({.packet = arp_frame({})});
    constexpr std::uint64_t kBatch = 1000;
    test::Octets batch;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
        batch.insert(batch.end(), request.begin(), request.end());
    }
    std::uint64_t sent = 0;
    while (responder_.counters().arp.overflow == 0 && sent < 1'000'000) {
        switch_.send(batch);
        sent += kBatch;
    }
    ASSERT_TRUE(eventually([&] {
        const Counters counters = responder_.counters();
        return counters.arp.answered + counters.arp.overflow == sent;
    }));
    EXPECT_GT(responder_.counters().arp.overflow, 0U);
    for (std::uint64_t i = responder_.counters().arp.answered; i > 0; --i) {
        ASSERT_EQ(switch_.receive_packet_out().packet.size(), kMinimumFrameLength);
    }
    send({.packet = arp_frame({})});
    EXPECT_EQ(switch_.receive_packet_out().out_port, 7U);
}

TEST_F(ResponderTest, StopsAndStartsAgain) {
    switch_.take_connection();
    responder_.stop();
    responder_.stop();
    EXPECT_FALSE(responder_.connected());
    responder_.start();
    responder_.start();
    EXPECT_EQ(switch_.take_connection().size(), 3U);
}

TEST(ResponderWithoutSwitch, StopsWhileItTriesToConnect) {
    const policy::NeighbourTable neighbours;
    const policy::LeaseTable leases;
    Responder responder("unix:/nonexistent/br-hnv.mgmt", neighbours, leases);
    responder.start();
    responder.stop();
    EXPECT_FALSE(responder.connected());
}

}  // namespace
}  // namespace hnv::responder
