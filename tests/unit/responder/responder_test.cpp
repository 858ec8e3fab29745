#include "responder/responder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "arp_frames.h"
#include "support/fake_switch.h"

namespace hnv::responder {
namespace {

using test::arp_frame;
using test::ArpFields;

const MacAddress kWeb = MacAddress::from_bits(0x020000000012U);
const MacAddress kSql = MacAddress::from_bits(0x020000000011U);
const IpAddress kSqlIp = IpAddress::from_v4(0x0a01010bU);

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

ovs::PacketIn packet_in(std::vector<std::uint8_t> packet) {
    ovs::PacketIn in;
    in.packet = std::move(packet);
    in.in_port = 7;
    in.registers = {5001};
    in.userdata = {1};
    return in;
}

class Respond : public ::testing::Test {
  protected:
    Respond() { neighbours_.set(5001, kSqlIp, kSql); }
    policy::NeighbourTable neighbours_;
};

TEST_F(Respond, AnswersInTheSubnetOfTheRegister) {
    auto in = packet_in(arp_frame({}));
    const Response response = respond(in, neighbours_);
    EXPECT_EQ(response.outcome, Outcome::Answered);
    EXPECT_EQ(response.frame, build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql));
    in.registers = {6001};
    EXPECT_EQ(respond(in, neighbours_).outcome, Outcome::Missed);
}

TEST_F(Respond, SaysWhyNot) {
    ArpFields fields;
    fields.sender_ip = fields.target_ip;
    EXPECT_EQ(respond(packet_in(arp_frame(fields)), neighbours_).outcome, Outcome::OwnAddress);
    fields.operation = 2;
    EXPECT_EQ(respond(packet_in(arp_frame(fields)), neighbours_).outcome, Outcome::Malformed);
    EXPECT_EQ(respond(packet_in({}), neighbours_).outcome, Outcome::Malformed);
}

TEST_F(Respond, LeavesOtherPacketInsAlone) {
    auto in = packet_in(arp_frame({}));
    in.userdata = {};
    EXPECT_EQ(respond(in, neighbours_).outcome, Outcome::Unexpected);
    in.userdata = {2, 1};
    EXPECT_EQ(respond(in, neighbours_).outcome, Outcome::Unexpected);
    in.userdata = {1};
    in.registers = {};
    EXPECT_EQ(respond(in, neighbours_).outcome, Outcome::Unexpected);
}

class ResponderTest : public ::testing::Test {
  protected:
    ResponderTest() : responder_(switch_.target(), neighbours_) {
        neighbours_.set(5001, kSqlIp, kSql);
        responder_.start();
    }

    void send(const test::PacketInFields& fields) { switch_.send(test::packet_in_message(fields)); }

    test::FakeSwitch switch_;
    policy::NeighbourTable neighbours_;
    Responder responder_;
};

TEST_F(ResponderTest, AsksForItsPacketIns) {
    // Packet-in format and controller id (both extensions: 4), miss_send_len (SET_CONFIG: 9).
    EXPECT_EQ(switch_.take_connection(), (std::vector<std::uint8_t>{4, 4, 9}));
    EXPECT_TRUE(eventually([&] { return responder_.connected(); }));
}

TEST_F(ResponderTest, AnswersOutOfThePortThatAsked) {
    switch_.take_connection();
    send({.packet = arp_frame({}), .in_port = 42});
    const auto out = switch_.receive_packet_out();
    EXPECT_EQ(out.out_port, 42U);
    const ArpReply expected = build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql);
    EXPECT_EQ(out.packet, test::Octets(expected.begin(), expected.end()));
    EXPECT_TRUE(eventually([&] { return responder_.counters().answered == 1; }));
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
    ASSERT_TRUE(eventually([&] { return responder_.counters().answered == 1; }));
    const Counters counters = responder_.counters();
    EXPECT_EQ(counters.missed, 2U);
    EXPECT_EQ(counters.own_address, 1U);
    EXPECT_EQ(counters.malformed, 1U);
    EXPECT_EQ(counters.unexpected, 2U);
    EXPECT_EQ(counters.refused, 1U);
    EXPECT_EQ(counters.overflow, 0U);
}

TEST_F(ResponderTest, FollowsThePolicy) {
    switch_.take_connection();
    neighbours_.erase(5001, kSqlIp);
    send({.packet = arp_frame({})});
    ASSERT_TRUE(eventually([&] { return responder_.counters().missed == 1; }));
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
    while (responder_.counters().overflow == 0 && sent < 1'000'000) {
        switch_.send(batch);
        sent += kBatch;
    }
    ASSERT_TRUE(eventually([&] {
        const Counters counters = responder_.counters();
        return counters.answered + counters.overflow == sent;
    }));
    EXPECT_GT(responder_.counters().overflow, 0U);
    for (std::uint64_t i = responder_.counters().answered; i > 0; --i) {
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
    Responder responder("unix:/nonexistent/br-hnv.mgmt", neighbours);
    responder.start();
    responder.stop();
    EXPECT_FALSE(responder.connected());
}

}  // namespace
}  // namespace hnv::responder
