// How long a destination is programmed, by whom, and what waits for it.
#include "demand/programmer.h"

#include <gtest/gtest.h>

#include "pipeline/flow_set.h"
#include "support/policy_builder.h"

namespace hnv::demand {
namespace {

using policy::ObjectId;
using test::ip;
using test::mac;
using test::uuid;

constexpr std::uint64_t kMac = 0x020000000000;
constexpr std::uint32_t kVsid = 5001;

class ProgrammerTest : public testing::Test, public test::PolicyBuilder {
  protected:
    Programmer programmer_{model, "unix:/nowhere"};
    std::int64_t now_ = 1'000'000;

    void map(std::uint32_t count) {
        policy::HostSettingsSpec settings;
        settings.programming = policy::Programming::OnDemand;
        settings.on_demand_idle_seconds = 10;
        model.set_host_settings(settings);
        subnet(1, kVsid);
        locator(2, "192.168.2.20");
        for (std::uint32_t number = 0; number < count; ++number) {
            mapping(100 + number, 1, 2, kMac + number,
                    number < 250 ? "10.1.0." + std::to_string(number) : "");
        }
        (void)model.commit();
    }
    bool ask(std::uint32_t number, std::uint32_t source = 7, const ovs::Bytes& resume = {}) {
        return programmer_.take({{kVsid, source, mac(kMac + number), std::nullopt, resume}}, now_);
    }
    [[nodiscard]] bool programmed(std::uint32_t number) const {
        const auto id = model.demandable(kVsid, mac(kMac + number));
        return id && model.is_demanded(*id);
    }
    void count(std::uint32_t number, std::uint64_t packets) {
        ovs::FlowRecord record;
        record.flow.cookie = pipeline::cookie_of(policy::ObjectKind::Mac, kMac + number);
        record.packets = packets;
        programmer_.take_counters(kVsid, std::vector{record}, now_);
    }
};

TEST_F(ProgrammerTest, APacketGoesOnWhenItsFlowsAreConfirmed) {
    map(3);
    EXPECT_TRUE(ask(1, 7, "first"));
    programmer_.applied(5);
    EXPECT_FALSE(ask(1, 7, "second"));
    programmer_.applied(5);
    EXPECT_TRUE(programmer_.resumable(4, now_).empty());
    EXPECT_EQ(programmer_.resumable(5, now_), (std::vector<ovs::Bytes>{"first", "second"}));
    EXPECT_TRUE(programmer_.resumable(6, now_).empty());
    EXPECT_EQ(programmer_.counters().resumed, 2U);
}

TEST_F(ProgrammerTest, AnAddressStandsForItsMac) {
    map(3);
    EXPECT_TRUE(programmer_.take({{kVsid, 7, std::nullopt, ip("10.1.0.2"), "x"}}, now_));
    EXPECT_TRUE(programmed(2));
}

TEST_F(ProgrammerTest, WhatIsUnknownGoesOnToItsEnd) {
    map(3);
    EXPECT_FALSE(ask(9, 7, "x"));
    programmer_.applied(0);
    EXPECT_EQ(programmer_.resumable(0, now_).size(), 1U);
    EXPECT_EQ(programmer_.counters().unknown, 1U);
}

TEST_F(ProgrammerTest, WhatIsUsedStaysAndWhatIsIdleGoes) {
    map(3);
    ASSERT_TRUE(ask(1) && ask(2));
    for (std::uint64_t packets = 1; packets < 5; ++packets) {
        now_ += 4000;
        count(1, packets);
        count(2, 0);
    }
    EXPECT_TRUE(programmed(1));
    EXPECT_FALSE(programmed(2));
    EXPECT_EQ(programmer_.counters().aged_out, 1U);
    EXPECT_TRUE(programmer_.run(now_));
}

TEST_F(ProgrammerTest, AQuestionIsAUse) {
    map(3);
    ASSERT_TRUE(ask(1));
    for (int i = 0; i < 5; ++i) {
        now_ += 4000;
        EXPECT_FALSE(ask(1));
        count(1, 0);
    }
    EXPECT_TRUE(programmed(1));
}

TEST_F(ProgrammerTest, APortAsksForSoManyInASecond) {
    map(Programmer::kRatePerSecond + 2);
    for (std::uint32_t number = 0; number < Programmer::kRatePerSecond; ++number) {
        ASSERT_TRUE(ask(number));
    }
    EXPECT_FALSE(ask(Programmer::kRatePerSecond, 7, "x"));
    EXPECT_EQ(programmer_.counters().lost, 1U);
    EXPECT_TRUE(ask(Programmer::kRatePerSecond, 8)) << "another port";
    now_ += 1000;
    EXPECT_TRUE(ask(Programmer::kRatePerSecond + 1));
}

TEST_F(ProgrammerTest, APortThatScansGivesUpItsOwnOldest) {
    map(Programmer::kOfPort + 2);
    ASSERT_TRUE(ask(0, 8));
    for (std::uint32_t number = 1; number <= Programmer::kOfPort + 1; ++number) {
        now_ += 1;
        if (number % 4000 == 0) {
            now_ += 1000;
        }
        ASSERT_TRUE(ask(number)) << number;
    }
    EXPECT_TRUE(programmed(0)) << "of another port";
    EXPECT_FALSE(programmed(1));
    EXPECT_TRUE(programmed(2));
    EXPECT_EQ(programmer_.counters().evicted, 1U);
    EXPECT_EQ(model.demanded(), Programmer::kOfPort + 1);
}

TEST_F(ProgrammerTest, NoMoreWaitThanMayOfOnePortAndInAll) {
    map(3);
    ASSERT_TRUE(ask(1));
    for (std::size_t i = 0; i < Programmer::kHeldOfPort + 3; ++i) {
        (void)ask(1, 7, "x");
    }
    EXPECT_EQ(programmer_.counters().lost, 3U);
    for (std::size_t i = 0; i < Programmer::kHeld; ++i) {
        (void)ask(1, static_cast<std::uint32_t>(100 + i), "x");
    }
    programmer_.applied(1);
    EXPECT_EQ(programmer_.resumable(1, now_).size(), Programmer::kHeld);
    EXPECT_EQ(programmer_.counters().lost, 3U + Programmer::kHeldOfPort);
    EXPECT_FALSE(ask(1, 7, "x")) << "there is room again";
    programmer_.applied(1);
    EXPECT_EQ(programmer_.resumable(1, now_).size(), 1U);
}

TEST_F(ProgrammerTest, WhatHasWaitedTooLongDoesNotGoOn) {
    map(3);
    ASSERT_TRUE(ask(1, 7, "x"));
    programmer_.applied(1);
    now_ += Programmer::kHeldMsec + 1;
    EXPECT_TRUE(programmer_.resumable(1, now_).empty());
    EXPECT_EQ(programmer_.counters().lost, 1U);
}

TEST_F(ProgrammerTest, ADestinationThatWasMappedAnewCountsOnce) {
    map(Programmer::kOfPort + 2);
    ASSERT_TRUE(ask(0));
    model.remove({policy::SourceTable::MsVtepUcastMacsRemote, uuid(100)});
    (void)model.commit();
    mapping(100, 1, 2, kMac, "10.1.0.0");
    (void)model.commit();
    for (std::uint32_t number = 0; number <= Programmer::kOfPort; ++number) {
        if (number % 4000 == 0) {
            now_ += 1000;
        }
        ASSERT_TRUE(ask(number)) << number;
    }
    EXPECT_EQ(model.demanded(), Programmer::kOfPort) << "the oldest went";
    EXPECT_FALSE(programmed(0));
}

TEST_F(ProgrammerTest, WhatTheSwitchStillHasIsKeptByItsCookie) {
    map(3);
    EXPECT_FALSE(programmer_.adopt(
        std::vector{pipeline::cookie_of(policy::ObjectKind::Port, kMac + 1), std::uint64_t{0},
                    pipeline::cookie_of(policy::ObjectKind::Mac, kMac + 77)}));
    EXPECT_TRUE(
        programmer_.adopt(std::vector{pipeline::cookie_of(policy::ObjectKind::Mac, kMac + 1)}));
    EXPECT_TRUE(programmed(1));
    EXPECT_FALSE(programmed(2));
}

TEST(DemandRequest, IsReadFromAPausedPacket) {
    ovs::PacketIn in;
    in.userdata = {static_cast<std::uint8_t>(pipeline::PacketInKind::Demand)};
    in.registers = {kVsid, 7, 0, 0, 0, pipeline::kAskedMac};
    in.resume = "go on";
    in.packet = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0};
    const auto by_mac = read(in);
    ASSERT_TRUE(by_mac);
    EXPECT_EQ(by_mac->mac, mac(0x020000000009));
    EXPECT_EQ(by_mac->source, 7U);
    in.registers[5] = pipeline::kAskedAddress;
    EXPECT_FALSE(read(in)) << "there is no IP header";
    in.packet.resize(14 + 20);
    in.packet[14 + 16] = 10;
    in.packet[14 + 19] = 3;
    EXPECT_EQ(read(in)->ca, ip("10.0.0.3"));
    in.resume.clear();
    EXPECT_FALSE(read(in)) << "it does not wait";
    in.resume = "go on";
    in.packet.resize(9);
    EXPECT_FALSE(read(in));
}

}  // namespace
}  // namespace hnv::demand
