#include "responder/router_advertisement.h"

#include <gmock/gmock.h>

#include "guest_frames.h"
#include "responder/advertisement_schedule.h"

namespace hnv::responder {
namespace {

using test::kGuestLinkLocal;
using test::kGuestMac;
using test::kRouterLinkLocal;
using test::kRouterMac;
using test::Octets;
using testing::IsEmpty;
using testing::SizeIs;

class RouterAdvertisement : public ::testing::Test {
  protected:
    Octets answer(const Octets& frame) const {
        const GuestReply reply = answer_router_solicitation(frame, config_);
        EXPECT_EQ(reply.verdict, GuestVerdict::Answered);
        return {reply.frame.begin(), reply.frame.end()};
    }
    void expect_silence(const Octets& frame, GuestVerdict verdict) const {
        const GuestReply reply = answer_router_solicitation(frame, config_);
        EXPECT_EQ(reply.verdict, verdict);
        EXPECT_EQ(reply.frame.size(), 0U);
    }
    static Octets slice(const Octets& bytes, std::size_t at, std::size_t count) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        return {begin, begin + static_cast<std::ptrdiff_t>(count)};
    }
    // By type.
    static std::map<int, Octets> options(const Octets& frame) {
        std::map<int, Octets> found;
        for (std::size_t at = 70; at < frame.size(); at += 8U * frame[at + 1]) {
            found[frame[at]] = slice(frame, at, 8U * frame[at + 1]);
        }
        return found;
    }
    policy::GuestConfig config_ = test::guest_config();
};

TEST_F(RouterAdvertisement, AnswersTheOneWhoAsks) {
    const Octets told = answer(test::router_solicitation());
    EXPECT_EQ(test::mac_at(told, 0), kGuestMac);
    EXPECT_EQ(test::mac_at(told, 6), kRouterMac);
    EXPECT_TRUE(std::ranges::equal(slice(told, 22, 16), kRouterLinkLocal.bytes()));
    EXPECT_TRUE(std::ranges::equal(slice(told, 38, 16), kGuestLinkLocal.bytes()));
    EXPECT_EQ(told[21], 255);
    EXPECT_TRUE(test::icmpv6_sum(told).is_right());
    EXPECT_EQ(test::number16(told, 18), told.size() - 54);
    // Type, code; hop limit, M and O, lifetime.
    EXPECT_EQ(slice(told, 54, 2), (Octets{134, 0}));
    EXPECT_EQ(slice(told, 58, 4), (Octets{64, 0xc0, 0xff, 0xff}));
    const auto found = options(told);
    EXPECT_EQ(found.at(1), (Octets{1, 1, 0x00, 0x15, 0x5d, 0xff, 0xff, 0xfe}));
    EXPECT_EQ(found.at(5), (Octets{5, 1, 0, 0, 0, 0, 1450 >> 8, 1450 & 0xff}));
    EXPECT_EQ(slice(found.at(3), 0, 12),
              (Octets{3, 4, 64, 0x80, 255, 255, 255, 255, 255, 255, 255, 255}));
    EXPECT_TRUE(std::ranges::equal(slice(found.at(3), 16, 16),
                                   IpAddress::parse("fd00:1::").value().bytes()));
    EXPECT_EQ(slice(found.at(25), 0, 8), (Octets{25, 3, 0, 0, 0, 0, 0xff, 0xff}));
    EXPECT_TRUE(std::ranges::equal(slice(found.at(25), 8, 16), config_.dns_v6[0].bytes()));
}

TEST_F(RouterAdvertisement, AnswersAGuestWithoutAnAddressAtAllNodes) {
    const Octets told = answer(test::router_solicitation(IpAddress(), {}));
    EXPECT_EQ(test::mac_at(told, 0), kGuestMac);
    EXPECT_EQ(told[38], 0xff);
    EXPECT_TRUE(test::icmpv6_sum(told).is_right());
}

TEST_F(RouterAdvertisement, IsNoDefaultRouterWithoutAGateway) {
    config_.default_router = false;
    EXPECT_EQ(test::number16(answer(test::router_solicitation()), 60), 0U);
}

TEST_F(RouterAdvertisement, LeavesOutWhatThereIsNot) {
    config_.mtu = 1279;  // Less than IPv6 asks for.
    config_.dns_v6.clear();
    config_.v6->length = 128;
    EXPECT_THAT(options(answer(test::router_solicitation())), SizeIs(1));
}

TEST_F(RouterAdvertisement, IsForTheGuestAlone) {
    Octets other = test::router_solicitation(kGuestLinkLocal, {});
    other[11] ^= 1;
    expect_silence(other, GuestVerdict::Ignored);
    config_.advertised = false;
    expect_silence(test::router_solicitation(), GuestVerdict::Ignored);
}

TEST_F(RouterAdvertisement, KnowsWhatItCannotAnswer) {
    const auto rs = [](const Octets& options) {
        return test::router_solicitation(kGuestLinkLocal, options);
    };
    for (const Octets& frame :
         {rs({1, 0, 0, 0, 0, 0, 0, 0}), rs({1, 2, 0, 0, 0, 0, 0, 0}), rs({1, 1, 0}),
          rs({1, 1, 0, 0, 0, 0, 0, 9}),  // Another's MAC.
          test::router_solicitation(IpAddress(), {1, 1, 0x00, 0x15, 0x5d, 0x50, 1, 0x0b}),
          test::router_solicitation(IpAddress::parse("ff02::1").value(), {}),
          test::with(rs({}), 21, {64}),    // Hop limit.
          test::with(rs({}), 56, {0, 0}),  // Checksum.
          test::with_icmpv6_checksum(test::with(rs({}), 54, {135})),
          test::with_icmpv6_checksum(test::with(rs({}), 55, {1}))}) {
        expect_silence(frame, GuestVerdict::Malformed);
    }
    const Octets frame = test::router_solicitation();
    for (std::size_t length = 0; length < frame.size(); ++length) {
        expect_silence(slice(frame, 0, length), GuestVerdict::Malformed);
    }
}

class Schedule : public ::testing::Test {
  protected:
    static constexpr policy::PortKey kPort = 1000;  // Its moment.
    policy::GuestConfig config_ = test::guest_config();
    policy::LeaseTable leases_;
    AdvertisementSchedule schedule_{leases_};
};

TEST_F(Schedule, AdvertisesToEachGuestOnceInAWhile) {
    EXPECT_THAT(schedule_.take(0, 10), IsEmpty());
    leases_.set(kPort, {config_});
    EXPECT_THAT(schedule_.take(0, 10), IsEmpty());
    const auto due = schedule_.take(1000, 10);
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].port, 7U);
    EXPECT_EQ(due[0].frame, build_router_advertisement(config_, std::nullopt));
    EXPECT_THAT(schedule_.take(1000, 10), IsEmpty());
    EXPECT_THAT(schedule_.take(1000 + kAdvertisementMsec - 1, 10), IsEmpty());
    EXPECT_THAT(schedule_.take(1000 + kAdvertisementMsec, 10), SizeIs(1));
}

TEST_F(Schedule, TellsOfAChangeAtOnce) {
    leases_.set(kPort, {config_});
    EXPECT_THAT(schedule_.take(0, 10), IsEmpty());
    config_.lease_seconds = 7;  // Not advertised.
    leases_.set(kPort, {config_});
    EXPECT_THAT(schedule_.take(1, 10), IsEmpty());
    config_.default_router = false;
    leases_.set(kPort, {config_});
    EXPECT_THAT(schedule_.take(2, 10), SizeIs(1));
    leases_.set(kPort, {});
    EXPECT_THAT(schedule_.take(2 * kAdvertisementMsec, 10), IsEmpty());
}

TEST_F(Schedule, GoesInSmallSteps) {
    for (policy::PortKey port = 101; port <= 110; ++port) {
        leases_.set(port, {config_});
    }
    EXPECT_THAT(schedule_.take(100, 6), IsEmpty());
    EXPECT_THAT(schedule_.take(400, 6), SizeIs(6));
    EXPECT_THAT(schedule_.take(400, 6), SizeIs(4));
}

TEST_F(Schedule, TagsWhatIsForAVlan) {
    config_.vlan = 100;
    leases_.set(kPort, {config_});
    (void)schedule_.take(0, 10);
    const auto due = schedule_.take(1000, 10);
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(Octets(due[0].frame.begin() + 12, due[0].frame.begin() + 16),
              (Octets{0x81, 0, 0, 100}));
}

}  // namespace
}  // namespace hnv::responder
