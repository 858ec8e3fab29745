#include "responder/arp.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "arp_frames.h"

namespace hnv::responder {
namespace {

using test::arp_frame;
using test::ArpFields;

constexpr std::uint32_t kContoso = 5001;
constexpr std::uint32_t kFabrikam = 6001;
const MacAddress kWeb = MacAddress::from_bits(0x020000000012U);
const MacAddress kSql = MacAddress::from_bits(0x020000000011U);
const MacAddress kOtherSql = MacAddress::from_bits(0x020000000021U);
const IpAddress kSqlIp = IpAddress::from_v4(0x0a01010bU);

std::variant<ArpRequest, ArpError> parse_with(const std::function<void(ArpFields&)>& change) {
    ArpFields fields;
    change(fields);
    return parse_arp_request(arp_frame(fields));
}

void expect_error(ArpError expected, const std::function<void(ArpFields&)>& change) {
    const auto parsed = parse_with(change);
    ASSERT_TRUE(std::holds_alternative<ArpError>(parsed));
    EXPECT_EQ(std::get<ArpError>(parsed), expected);
}

TEST(ParseArpRequest, ReadsARequest) {
    const auto parsed = parse_arp_request(arp_frame({}));
    ASSERT_TRUE(std::holds_alternative<ArpRequest>(parsed));
    EXPECT_EQ(std::get<ArpRequest>(parsed), (ArpRequest{kWeb, 0x0a01010cU, 0x0a01010bU}));
}

TEST(ParseArpRequest, TakesPaddingAndUnicastAndAnyTargetMac) {
    ArpFields fields;
    fields.eth_destination = kSql;
    fields.target_mac = MacAddress::from_bits(0xffffffffffffU);
    auto frame = arp_frame(fields);
    frame.resize(1500, 0xee);
    EXPECT_TRUE(std::holds_alternative<ArpRequest>(parse_arp_request(frame)));
}

TEST(ParseArpRequest, RefusesEveryShorterFrame) {
    const auto frame = arp_frame({});
    for (std::size_t length = 0; length < frame.size(); ++length) {
        // A copy of just this length, so that the address sanitizer sees a read beyond it.
        const std::vector<std::uint8_t> cut(frame.begin(),
                                            frame.begin() + static_cast<std::ptrdiff_t>(length));
        const auto parsed = parse_arp_request(cut);
        ASSERT_TRUE(std::holds_alternative<ArpError>(parsed)) << length;
        EXPECT_EQ(std::get<ArpError>(parsed), ArpError::Truncated) << length;
    }
}

TEST(ParseArpRequest, RefusesWhatIsNotArp) {
    expect_error(ArpError::NotArp, [](ArpFields& f) { f.eth_type = 0x0800; });
    expect_error(ArpError::NotArp, [](ArpFields& f) { f.eth_type = 0x8100; });
}

TEST(ParseArpRequest, RefusesOtherHardwareAndProtocols) {
    expect_error(ArpError::NotIpv4Ethernet, [](ArpFields& f) { f.hardware_type = 6; });
    expect_error(ArpError::NotIpv4Ethernet, [](ArpFields& f) { f.protocol_type = 0x86dd; });
    expect_error(ArpError::NotIpv4Ethernet, [](ArpFields& f) { f.hardware_length = 8; });
    expect_error(ArpError::NotIpv4Ethernet, [](ArpFields& f) { f.hardware_length = 0; });
    expect_error(ArpError::NotIpv4Ethernet, [](ArpFields& f) { f.protocol_length = 16; });
}

TEST(ParseArpRequest, RefusesOtherOperations) {
    for (const auto operation : std::initializer_list<std::uint16_t>{0, 2, 3, 9, 0x0101, 0xffff}) {
        expect_error(ArpError::NotRequest, [&](ArpFields& f) { f.operation = operation; });
    }
}

TEST(ParseArpRequest, RefusesSendersThatCannotBeAnswered) {
    const auto both = [](std::uint64_t bits) {
        return [bits](ArpFields& f) { f.eth_source = f.sender_mac = MacAddress::from_bits(bits); };
    };
    expect_error(ArpError::BadSender, both(0));
    expect_error(ArpError::BadSender, both(0xffffffffffffU));
    expect_error(ArpError::BadSender, both(0x01005e000001U));
    expect_error(ArpError::BadSender, [](ArpFields& f) { f.eth_source = kSql; });
    expect_error(ArpError::BadSender, [](ArpFields& f) { f.sender_mac = kSql; });
    expect_error(ArpError::BadSender, [](ArpFields& f) { f.sender_ip = 0xe0000001U; });
    expect_error(ArpError::BadSender, [](ArpFields& f) { f.sender_ip = 0xffffffffU; });
}

TEST(ParseArpRequest, RefusesTargetsThatNoHostHas) {
    for (const std::uint32_t target : {0U, 0xe0000001U, 0xefffffffU, 0xffffffffU}) {
        expect_error(ArpError::BadTarget, [&](ArpFields& f) { f.target_ip = target; });
    }
}

TEST(ParseArpRequest, TakesAProbe) {
    const auto parsed = parse_with([](ArpFields& f) { f.sender_ip = 0; });
    ASSERT_TRUE(std::holds_alternative<ArpRequest>(parsed));
    EXPECT_EQ(std::get<ArpRequest>(parsed).sender_ip, 0U);
}

class AnswerArp : public ::testing::Test {
  protected:
    AnswerArp() {
        neighbours_.set(kContoso, kSqlIp, kSql);
        neighbours_.set(kFabrikam, kSqlIp, kOtherSql);
    }

    policy::NeighbourTable neighbours_;
    ArpRequest request_{kWeb, 0x0a01010cU, 0x0a01010bU};
};

TEST_F(AnswerArp, RepliesFromTheSubnetOfTheRequest) {
    const Answer contoso = answer_arp(request_, kContoso, neighbours_);
    EXPECT_EQ(contoso.verdict, Verdict::Reply);
    EXPECT_EQ(contoso.mac, kSql);
    const Answer fabrikam = answer_arp(request_, kFabrikam, neighbours_);
    EXPECT_EQ(fabrikam.verdict, Verdict::Reply);
    EXPECT_EQ(fabrikam.mac, kOtherSql);
}

TEST_F(AnswerArp, IsSilentAboutTheUnknown) {
    EXPECT_EQ(answer_arp(request_, 7001, neighbours_).verdict, Verdict::Unknown);
    request_.target_ip += 2;
    EXPECT_EQ(answer_arp(request_, kContoso, neighbours_).verdict, Verdict::Unknown);
    neighbours_.erase(kFabrikam, kSqlIp);
    request_.target_ip -= 2;
    EXPECT_EQ(answer_arp(request_, kFabrikam, neighbours_).verdict, Verdict::Unknown);
}

TEST_F(AnswerArp, IsSilentAboutAnAnnouncement) {
    request_.sender_ip = request_.target_ip;
    EXPECT_EQ(answer_arp(request_, kContoso, neighbours_).verdict, Verdict::OwnAddress);
}

TEST_F(AnswerArp, IsSilentAboutAProbeForTheOwnAddress) {
    request_ = {kSql, 0, 0x0a01010bU};
    EXPECT_EQ(answer_arp(request_, kContoso, neighbours_).verdict, Verdict::OwnAddress);
}

TEST_F(AnswerArp, DefendsAnAddressAgainstAnotherProbe) {
    request_.sender_ip = 0;
    EXPECT_EQ(answer_arp(request_, kContoso, neighbours_).verdict, Verdict::Reply);
}

TEST(BuildArpReply, IsTheReplyOfTheOwnerToTheRequesterAlone) {
    const ArpReply reply = build_arp_reply({kWeb, 0x0a01010cU, 0x0a01010bU}, kSql);

    ArpFields fields;
    fields.eth_destination = kWeb;
    fields.eth_source = kSql;
    fields.operation = 2;
    fields.sender_mac = kSql;
    fields.sender_ip = 0x0a01010bU;
    fields.target_mac = kWeb;
    fields.target_ip = 0x0a01010cU;
    auto expected = arp_frame(fields);
    expected.resize(60, 0);
    EXPECT_EQ(std::vector<std::uint8_t>(reply.begin(), reply.end()), expected);
}

}  // namespace
}  // namespace hnv::responder
