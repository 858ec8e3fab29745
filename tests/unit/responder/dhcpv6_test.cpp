#include "responder/dhcpv6.h"

#include <gmock/gmock.h>

#include "guest_frames.h"

namespace hnv::responder {
namespace {

using test::Dhcpv6Answer;
using test::ia_address;
using test::ia_na;
using test::kClientDuid;
using test::kServerDuid;
using test::Octets;
using test::operator+;
using test::option6;

enum Type : int {
    kSolicit = 1,
    kAdvertise,
    kRequest,
    kConfirm,
    kRenew,
    kRebind,
    kReply,
    kRelease,
    kDecline,
    kReconfigure,
    kInformation
};
const Octets kClient = option6(1, kClientDuid);
const Octets kServer = option6(2, kServerDuid);
const Octets kOtherServer = option6(2, {0, 3, 0, 1, 1, 2, 3, 4, 5, 6});

class Dhcpv6 : public ::testing::Test {
  protected:
    GuestReply reply(int type, const Octets& options) const {
        return answer_dhcpv6(test::dhcpv6_frame(static_cast<std::uint8_t>(type), options), config_);
    }
    Dhcpv6Answer answer(int type, const Octets& options,
                        GuestVerdict verdict = GuestVerdict::Answered) const {
        const GuestReply replied = reply(type, options);
        EXPECT_EQ(replied.verdict, verdict);
        const auto apart = test::take_apart_dhcpv6(replied.frame);
        EXPECT_TRUE(apart);
        return apart.value_or(Dhcpv6Answer{});
    }
    void expect_silence(int type, const Octets& options, GuestVerdict verdict) const {
        const GuestReply replied = reply(type, options);
        EXPECT_EQ(replied.verdict, verdict) << type;
        EXPECT_EQ(replied.frame.size(), 0U) << type;
    }
    // An IA_NA's addresses with their valid lifetimes.
    static std::map<std::string, std::uint32_t> leased(const Octets& association) {
        std::map<std::string, std::uint32_t> found;
        const auto options = test::options6(std::span(association).subspan(12)).value();
        for (const auto& [code, value] : options) {
            EXPECT_EQ(code, 5U);
            std::array<std::uint8_t, 16> bytes{};
            std::copy_n(value.begin(), 16, bytes.begin());
            found[IpAddress::from_v6(bytes).to_string()] = test::number32(value, 20);
        }
        return found;
    }
    policy::GuestConfig config_ = test::guest_config();
};

TEST_F(Dhcpv6, AdvertisesTheGuestsAddress) {
    const Dhcpv6Answer told = answer(kSolicit, kClient + ia_na(77));
    EXPECT_EQ(told.type, kAdvertise);
    EXPECT_EQ(told.get(1), kClientDuid);
    EXPECT_EQ(told.get(2), kServerDuid);
    EXPECT_EQ(told.get(7), Octets{255});
    const Octets association = told.get(3).value();
    EXPECT_EQ(test::number32(association, 0), 77U);
    EXPECT_EQ(test::number32(association, 4), 1800U);
    EXPECT_EQ(test::number32(association, 8), 2880U);
    EXPECT_EQ(leased(association), (std::map<std::string, std::uint32_t>{{"fd00:1::11", 3600}}));
    EXPECT_EQ(told.get(23),
              Octets(config_.dns_v6[0].bytes().begin(), config_.dns_v6[0].bytes().end()));
    const std::string_view domain("\7contoso\7example\0", 17);
    EXPECT_EQ(told.get(24), Octets(domain.begin(), domain.end()));
}

TEST_F(Dhcpv6, CommitsRapidly) {
    const Dhcpv6Answer told = answer(kSolicit, kClient + option6(14, {}) + ia_na(1));
    EXPECT_EQ(told.type, kReply);
    EXPECT_EQ(told.get(14), Octets{});
    EXPECT_FALSE(told.get(7));
    EXPECT_TRUE(told.get(3));
}

TEST_F(Dhcpv6, TellsWhatIsAskedFor) {
    const Dhcpv6Answer told = answer(kSolicit, kClient + ia_na(1) + option6(6, {0, 24, 0, 82}));
    EXPECT_TRUE(told.get(24));
    EXPECT_FALSE(told.get(23));
}

TEST_F(Dhcpv6, RepliesToEachKindOfRequest) {
    const Octets own = ia_na(5, ia_address("fd00:1::11"));
    for (const auto& [type, options] : std::map<int, Octets>{{kRequest, kClient + kServer + own},
                                                             {kRenew, kClient + kServer + own},
                                                             {kRebind, kClient + own}}) {
        const Dhcpv6Answer told = answer(type, options);
        EXPECT_EQ(told.type, kReply);
        EXPECT_EQ(leased(told.get(3).value()),
                  (std::map<std::string, std::uint32_t>{{"fd00:1::11", 3600}}));
    }
}

TEST_F(Dhcpv6, TakesOtherAddressesBack) {
    const Dhcpv6Answer told = answer(
        kRenew, kClient + kServer + ia_na(5, ia_address("fd00:1::99") + ia_address("fd00:1::11")));
    EXPECT_EQ(leased(told.get(3).value()),
              (std::map<std::string, std::uint32_t>{{"fd00:1::11", 3600}, {"fd00:1::99", 0}}));
}

TEST_F(Dhcpv6, HasOneAddressAndNoPrefix) {
    const Octets prefix = option6(25, Octets(12, 9));
    const Octets temporary = option6(4, Octets(4, 8));
    const Dhcpv6Answer told = answer(kSolicit, kClient + ia_na(1) + ia_na(2) + prefix + temporary);
    std::vector<std::pair<std::size_t, Octets>> refused;
    for (const auto& [code, value] : told.options) {
        if (code == 25 || code == 4 || (code == 3 && value[3] == 2)) {
            refused.emplace_back(code, Octets(value.end() - 6, value.end()));
        }
    }
    const Octets no_address{0, 13, 0, 2, 0, 2};
    EXPECT_EQ(refused,
              (test::Options6{{3, no_address}, {25, {0, 13, 0, 2, 0, 6}}, {4, no_address}}));
}

TEST_F(Dhcpv6, ConfirmsTheGuestsAddressAndNoOther) {
    const Dhcpv6Answer right = answer(kConfirm, kClient + ia_na(1, ia_address("fd00:1::11")));
    EXPECT_EQ(right.get(13), (Octets{0, 0}));
    EXPECT_FALSE(right.get(3));
    const Dhcpv6Answer wrong =
        answer(kConfirm, kClient + ia_na(1, ia_address("fd00:1::11") + ia_address("fd00:9::1")),
               GuestVerdict::Denied);
    EXPECT_EQ(wrong.get(13), (Octets{0, 4}));
    expect_silence(kConfirm, kClient + ia_na(1), GuestVerdict::Ignored);
}

TEST_F(Dhcpv6, TakesAnAddressBack) {
    const Octets own = ia_na(1, ia_address("fd00:1::11"));
    EXPECT_EQ(answer(kRelease, kClient + kServer + own, GuestVerdict::Released).get(13),
              (Octets{0, 0}));
    EXPECT_EQ(answer(kDecline, kClient + kServer + own, GuestVerdict::Declined).get(13),
              (Octets{0, 0}));
}

TEST_F(Dhcpv6, TellsOneWithAnAddressWhatElseThereIs) {
    const Dhcpv6Answer told = answer(kInformation, {});
    EXPECT_EQ(told.type, kReply);
    EXPECT_FALSE(told.get(1));
    EXPECT_FALSE(told.get(3));
    EXPECT_TRUE(told.get(23));
    EXPECT_EQ(answer(kInformation, kClient + kServer).get(1), kClientDuid);
    expect_silence(kInformation, ia_na(1), GuestVerdict::Malformed);
}

TEST_F(Dhcpv6, ServesItsOwnClientsAlone) {
    for (const int type : {kRequest, kRenew, kRelease, kDecline, kInformation}) {
        expect_silence(type, kClient + kOtherServer, GuestVerdict::Ignored);
    }
    const auto other = MacAddress::from_bits(0x00155d50010c);
    EXPECT_EQ(
        answer_dhcpv6(test::dhcpv6_frame(kSolicit, kClient + ia_na(1), other), config_).verdict,
        GuestVerdict::Ignored);
    config_.v6.reset();
    expect_silence(kSolicit, kClient + ia_na(1), GuestVerdict::Ignored);
}

TEST_F(Dhcpv6, KnowsWhatItCannotAnswer) {
    for (const int type : {0, int{kAdvertise}, int{kReply}, int{kReconfigure}, 12, 13, 255}) {
        expect_silence(type, kClient + ia_na(1), GuestVerdict::Malformed);
    }
    for (const int type : {kSolicit, kConfirm, kRebind}) {
        expect_silence(type, ia_na(1), GuestVerdict::Malformed);
        expect_silence(type, kClient + kServer + ia_na(1), GuestVerdict::Malformed);
    }
    for (const int type : {kRequest, kRenew, kRelease, kDecline}) {
        expect_silence(type, kClient + ia_na(1), GuestVerdict::Malformed);
        expect_silence(type, kServer + ia_na(1), GuestVerdict::Malformed);
    }
    for (const Octets& bad : {option6(1, {1, 2}), option6(1, Octets(131, 1)), option6(6, {1}),
                              option6(3, Octets(11, 0)), option6(4, Octets(3, 0)), option6(2, {}),
                              Octets{0, 9, 0}, Octets{0, 9, 0, 1}}) {
        expect_silence(kSolicit, kClient + bad, GuestVerdict::Malformed);
    }
}

TEST_F(Dhcpv6, StaysWithinAFrame) {
    config_.dns_v6.assign(50, IpAddress::parse("fd00::5").value());
    config_.domain = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                     std::string(63, 'c') + "." + std::string(61, 'd');
    Octets addresses;
    for (int i = 0; i < 12; ++i) {
        addresses = addresses + ia_address("fd00:1::99");
    }
    Octets many = kServer + option6(1, Octets(130, 1));
    for (std::uint32_t id = 0; id < 4; ++id) {
        many = many + ia_na(id, addresses);
    }
    const Dhcpv6Answer told = answer(kRenew, many);
    EXPECT_EQ(told.get(1)->size(), 130U);
    EXPECT_EQ(told.get(23)->size(), 128U);
    EXPECT_EQ(told.get(24)->size(), 255U);
}

TEST_F(Dhcpv6, KnowsAMessageFromOtherBytes) {
    const Octets frame = test::dhcpv6_frame(kSolicit, kClient + ia_na(1));
    for (const std::size_t at : {12, 14, 20, 22, 57}) {
        Octets changed = frame;
        changed[at] ^= 0xff;
        EXPECT_EQ(answer_dhcpv6(changed, config_).verdict, GuestVerdict::Malformed) << at;
    }
    for (std::size_t length = 0; length < frame.size(); ++length) {
        const Octets cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_EQ(answer_dhcpv6(cut, config_).verdict, GuestVerdict::Malformed) << length;
    }
}

}  // namespace
}  // namespace hnv::responder
