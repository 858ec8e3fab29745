#include "responder/dhcp.h"

#include <gmock/gmock.h>

#include "guest_frames.h"

namespace hnv::responder {
namespace {

using test::DhcpAnswer;
using test::DhcpFields;
using test::kGuestMac;
using test::kRouterMac;
using test::Octets;
using test::operator+;
using testing::ElementsAre;

constexpr std::uint32_t kOwn = 0x0a01010b;
constexpr std::uint32_t kOther = 0x0a010163;
constexpr std::uint16_t kBroadcast = 0x8000;
const MacAddress kEverybody = MacAddress::from_bits(0xffffffffffff);
const Octets kRequestOwn{50, 4, 10, 1, 1, 11};
const Octets kRequestOther{50, 4, 10, 1, 1, 99};
const Octets kOurServer{54, 4, 10, 1, 1, 1};
const Octets kOtherServer{54, 4, 10, 1, 1, 2};
enum Type : int { kDiscover = 1, kOffer, kRequest, kDecline, kAck, kNak, kRelease, kInform };

class Dhcp : public ::testing::Test {
  protected:
    GuestReply reply(const Octets& frame) const { return answer_dhcp(frame, config_); }
    DhcpAnswer answer(const DhcpFields& fields) const {
        const GuestReply replied = reply(test::dhcp_frame(fields));
        const auto apart = test::take_apart_dhcp(replied.frame);
        EXPECT_TRUE(apart);
        EXPECT_EQ(replied.verdict, apart && apart->options.contains(53) && apart->type() == kNak
                                       ? GuestVerdict::Denied
                                       : GuestVerdict::Answered);
        return apart.value_or(DhcpAnswer{});
    }
    void expect_silence(const Octets& frame, GuestVerdict verdict) const {
        const GuestReply replied = reply(frame);
        EXPECT_EQ(replied.verdict, verdict);
        EXPECT_EQ(replied.frame.size(), 0U);
    }
    policy::GuestConfig config_ = test::guest_config();
};

TEST_F(Dhcp, OffersTheGuestsAddressWithAllThatItIsToldWithIt) {
    const DhcpAnswer offer = answer({.type = kDiscover});
    EXPECT_EQ(offer.type(), kOffer);
    EXPECT_EQ(offer.to, kGuestMac);
    EXPECT_EQ(offer.from, kRouterMac);
    EXPECT_EQ(offer.source, "10.1.1.1");
    EXPECT_EQ(offer.destination, "10.1.1.11");
    EXPECT_EQ(offer.yiaddr, kOwn);
    EXPECT_EQ(offer.options.at(54), (Octets{10, 1, 1, 1}));
    EXPECT_EQ(offer.options.at(51), (Octets{0, 0, 0x0e, 0x10}));
    EXPECT_EQ(offer.options.at(58), (Octets{0, 0, 0x07, 0x08}));
    EXPECT_EQ(offer.options.at(59), (Octets{0, 0, 0x0c, 0x4e}));
    EXPECT_EQ(offer.options.at(1), (Octets{255, 255, 255, 0}));
    EXPECT_EQ(offer.options.at(3), (Octets{10, 1, 1, 1}));
    EXPECT_EQ(offer.options.at(6), (Octets{10, 1, 1, 5, 10, 1, 1, 6}));
    EXPECT_EQ(std::string(offer.options.at(15).begin(), offer.options.at(15).end()),
              "contoso.example");
    EXPECT_EQ(offer.options.at(26), (Octets{1450 >> 8, 1450 & 0xff}));
    EXPECT_EQ(offer.options.size(), 10U);
}

TEST_F(Dhcp, TellsWhatIsAskedFor) {
    const DhcpAnswer offer = answer({.type = kDiscover, .options = {55, 3, 3, 15, 99}});
    EXPECT_TRUE(offer.options.contains(1));
    EXPECT_TRUE(offer.options.contains(3));
    EXPECT_TRUE(offer.options.contains(15));
    EXPECT_FALSE(offer.options.contains(6));
    EXPECT_FALSE(offer.options.contains(26));
}

TEST_F(Dhcp, TellsNothingThatThereIsNot) {
    config_.routers.clear();
    config_.dns_v4.clear();
    config_.domain.clear();
    config_.mtu = 0;
    const DhcpAnswer offer = answer({.type = kDiscover});
    EXPECT_EQ(offer.options.size(), 6U);
}

TEST_F(Dhcp, AnswersByBroadcastWhenAsked) {
    const DhcpAnswer offer = answer({.type = kDiscover, .flags = kBroadcast});
    EXPECT_EQ(offer.to, kEverybody);
    EXPECT_EQ(offer.destination, "255.255.255.255");
}

TEST_F(Dhcp, CommitsRapidly) {
    const DhcpAnswer ack = answer({.type = kDiscover, .options = {80, 0}});
    EXPECT_EQ(ack.type(), kAck);
    EXPECT_TRUE(ack.options.contains(80));
    EXPECT_EQ(ack.yiaddr, kOwn);
}

TEST_F(Dhcp, AcknowledgesEachKindOfRequest) {
    const DhcpAnswer selected = answer({.type = kRequest, .options = kRequestOwn + kOurServer});
    EXPECT_EQ(selected.type(), kAck);
    EXPECT_EQ(selected.yiaddr, kOwn);
    EXPECT_EQ(selected.destination, "10.1.1.11");
    EXPECT_EQ(answer({.type = kRequest, .options = kRequestOwn}).type(), kAck);  // After a boot.
    const DhcpAnswer renewed = answer(
        {.type = kRequest, .ciaddr = kOwn, .source = "10.1.1.11", .destination = "10.1.1.1"});
    EXPECT_EQ(renewed.type(), kAck);
    EXPECT_EQ(renewed.ciaddr, kOwn);
    EXPECT_EQ(renewed.yiaddr, kOwn);
    EXPECT_EQ(renewed.destination, "10.1.1.11");
    const DhcpAnswer rebound =
        answer({.type = kRequest, .ciaddr = kOwn, .flags = kBroadcast, .source = "10.1.1.11"});
    EXPECT_EQ(rebound.type(), kAck);
    EXPECT_EQ(rebound.destination, "10.1.1.11");
}

TEST_F(Dhcp, DeniesAnAddressThatIsNotTheGuests) {
    for (const DhcpFields& fields :
         {DhcpFields{.type = kRequest, .options = kRequestOther + kOurServer},
          DhcpFields{.type = kRequest, .options = kRequestOther},
          DhcpFields{.type = kRequest, .ciaddr = kOther, .source = "10.1.1.99"}}) {
        const DhcpAnswer nak = answer(fields);
        EXPECT_EQ(nak.type(), kNak);
        EXPECT_EQ(nak.to, kEverybody);
        EXPECT_EQ(nak.destination, "255.255.255.255");
        EXPECT_EQ(nak.yiaddr, 0U);
        EXPECT_FALSE(nak.options.contains(51));
        EXPECT_FALSE(nak.options.contains(1));
    }
}

TEST_F(Dhcp, TellsOneWithAnAddressWhatElseThereIs) {
    const DhcpAnswer ack = answer({.type = kInform, .ciaddr = kOwn, .source = "10.1.1.11"});
    EXPECT_EQ(ack.type(), kAck);
    EXPECT_EQ(ack.yiaddr, 0U);
    EXPECT_EQ(ack.destination, "10.1.1.11");
    EXPECT_FALSE(ack.options.contains(51));
    EXPECT_TRUE(ack.options.contains(6));
    expect_silence(test::dhcp_frame({.type = kInform, .ciaddr = kOther, .source = "10.1.1.11"}),
                   GuestVerdict::Ignored);
}

TEST_F(Dhcp, IsSilentToWhatNeedsNoAnswer) {
    expect_silence(test::dhcp_frame({.type = kDecline, .options = kRequestOwn + kOurServer}),
                   GuestVerdict::Declined);
    expect_silence(test::dhcp_frame({.type = kRelease, .ciaddr = kOwn, .options = kOurServer}),
                   GuestVerdict::Released);
    expect_silence(test::dhcp_frame({.type = kRequest, .options = kRequestOwn + kOtherServer}),
                   GuestVerdict::Ignored);
}

TEST_F(Dhcp, ServesThePortsOwnMacAlone) {
    const auto other = MacAddress::from_bits(0x00155d50010c);
    expect_silence(test::dhcp_frame({.type = kDiscover, .chaddr = other}), GuestVerdict::Ignored);
    expect_silence(test::dhcp_frame({.type = kDiscover, .giaddr = kOther}), GuestVerdict::Ignored);
    config_.v4.reset();
    expect_silence(test::dhcp_frame({.type = kDiscover}), GuestVerdict::Ignored);
}

TEST_F(Dhcp, EchoesTheClientIdentifier) {
    const Octets id{61, 7, 1, 0, 0x15, 0x5d, 0x50, 1, 0x0b};
    EXPECT_EQ(answer({.type = kDiscover, .options = id}).options.at(61),
              Octets(id.begin() + 2, id.end()));
}

TEST_F(Dhcp, StaysWithinWhatTheClientTakes) {
    Octets id{61, 255};
    id.resize(257, 7);
    config_.domain = std::string(60, 'a') + "." + std::string(60, 'b');
    config_.dns_v4.assign(20, IpAddress::from_v4(kOther));
    const auto longest = [](const Octets& options, const policy::GuestConfig& config) {
        return answer_dhcp(test::dhcp_frame({.type = kDiscover, .options = options}), config)
            .frame.size();
    };
    EXPECT_LE(longest(id, config_), 14 + 576U);
    EXPECT_LE(longest(id + Octets{57, 2, 0, 10}, config_), 14 + 576U);
    EXPECT_LE(longest(id + Octets{57, 2, 0x05, 0xdc}, config_), 14 + 1280U);
    const DhcpAnswer roomy = answer({.type = kDiscover, .options = id + Octets{57, 2, 5, 0xdc}});
    EXPECT_EQ(roomy.options.at(6).size(), 32U);  // Eight of them.
    EXPECT_EQ(roomy.options.at(15).size(), 121U);
    const DhcpAnswer tight = answer({.type = kDiscover, .options = id});
    EXPECT_EQ(tight.options.at(61).size(), 255U);
    EXPECT_TRUE(tight.options.contains(1));
    EXPECT_FALSE(tight.options.contains(15));
}

TEST_F(Dhcp, MasksOfAnyLength) {
    for (const auto& [length, mask] : std::map<unsigned, Octets>{
             {0, {0, 0, 0, 0}}, {1, {128, 0, 0, 0}}, {32, {255, 255, 255, 255}}}) {
        config_.v4->length = length;
        EXPECT_EQ(answer({.type = kDiscover}).options.at(1), mask);
    }
}

TEST_F(Dhcp, KnowsWhatItCannotAnswer) {
    for (const int type : {0, int{kOffer}, int{kAck}, int{kNak}, 9, 255}) {
        expect_silence(test::dhcp_frame({.type = static_cast<std::uint8_t>(type)}),
                       GuestVerdict::Malformed);
    }
    expect_silence(test::dhcp_frame({.type = kRequest}), GuestVerdict::Malformed);
    expect_silence(test::dhcp_frame({.type = kInform}), GuestVerdict::Malformed);
    for (const Octets& bad : {Octets{50, 3, 1, 2, 3}, Octets{54, 5, 1, 2, 3, 4, 5},
                              Octets{57, 1, 1}, Octets{53, 2, 1, 1}, Octets{61, 200, 1}}) {
        expect_silence(test::dhcp_frame({.type = kDiscover, .options = bad}),
                       GuestVerdict::Malformed);
    }
}

// Each byte that a parser leans on, changed; and each length, cut.
TEST_F(Dhcp, KnowsAMessageFromOtherBytes) {
    const Octets frame = test::dhcp_frame({.type = kDiscover});
    constexpr std::size_t kMessage = 42;
    for (const std::size_t at :
         {std::size_t{12}, std::size_t{14}, std::size_t{23}, std::size_t{24}, std::size_t{37},
          kMessage, kMessage + 1, kMessage + 2, kMessage + 236}) {
        Octets changed = frame;
        changed[at] ^= 0xff;
        expect_silence(changed, GuestVerdict::Malformed);
    }
    Octets fragment = test::with_ipv4_checksum(test::with(frame, 20, {0x20, 0}));
    expect_silence(fragment, GuestVerdict::Malformed);
    for (std::size_t length = 0; length < frame.size(); ++length) {
        expect_silence(Octets(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)),
                       GuestVerdict::Malformed);
    }
    Octets padded = frame;
    padded.resize(frame.size() + 60);
    EXPECT_EQ(reply(padded).verdict, GuestVerdict::Answered);
}

}  // namespace
}  // namespace hnv::responder
