#include "responder/nd.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "ip_frames.h"

namespace hnv::responder {
namespace {

using test::duplicate_detection;
using test::FrameBytes;
using test::solicitation;
using test::with;
using test::with_icmpv6_checksum;

constexpr std::uint32_t kContoso = 5001;
constexpr std::uint32_t kFabrikam = 6001;
const MacAddress kWeb = MacAddress::from_bits(0x020000000012U);
const MacAddress kSql = MacAddress::from_bits(0x020000000011U);
const MacAddress kOtherSql = MacAddress::from_bits(0x020000000021U);
const IpAddress kWebIp = IpAddress::parse("fd00:1::12").value();
const IpAddress kSqlIp = IpAddress::parse("fd00:1::11").value();

// Offsets into the frame.
constexpr std::size_t kPayloadLength = 18;
constexpr std::size_t kNextHeader = 20;
constexpr std::size_t kHopLimit = 21;
constexpr std::size_t kSource = 22;
constexpr std::size_t kDestination = 38;
constexpr std::size_t kType = 54;
constexpr std::size_t kCode = 55;
constexpr std::size_t kChecksum = 56;
constexpr std::size_t kTarget = 62;
constexpr std::size_t kOptions = 78;

void expect_error(NdError expected, const FrameBytes& frame) {
    const auto parsed = parse_neighbour_solicitation(frame);
    ASSERT_TRUE(std::holds_alternative<NdError>(parsed));
    EXPECT_EQ(std::get<NdError>(parsed), expected);
}

// The same with a checksum that fits what was changed.
void expect_error_of_valid(NdError expected, const FrameBytes& frame) {
    expect_error(expected, with_icmpv6_checksum(frame));
}

bool is_taken(const FrameBytes& frame) {
    return std::holds_alternative<NeighbourSolicitation>(parse_neighbour_solicitation(frame));
}

// With options in place of its own, and the lengths and the checksum of the whole.
FrameBytes with_options(FrameBytes frame, std::initializer_list<std::uint8_t> options) {
    frame.resize(kOptions);
    frame.insert(frame.end(), options);
    frame[kPayloadLength + 1] = static_cast<std::uint8_t>(24 + options.size());
    return with_icmpv6_checksum(frame);
}

FrameBytes with_address(FrameBytes frame, std::size_t at, std::string_view address) {
    const auto ip = IpAddress::parse(address).value();
    std::copy(ip.bytes().begin(), ip.bytes().end(),
              frame.begin() + static_cast<std::ptrdiff_t>(at));
    return with_icmpv6_checksum(frame);
}

TEST(ParseNeighbourSolicitation, ReadsASolicitation) {
    const auto parsed = parse_neighbour_solicitation(solicitation());
    ASSERT_TRUE(std::holds_alternative<NeighbourSolicitation>(parsed));
    EXPECT_EQ(std::get<NeighbourSolicitation>(parsed),
              (NeighbourSolicitation{kWeb, kWebIp, kSqlIp}));
}

TEST(ParseNeighbourSolicitation, ReadsDuplicateAddressDetection) {
    const auto parsed = parse_neighbour_solicitation(duplicate_detection());
    ASSERT_TRUE(std::holds_alternative<NeighbourSolicitation>(parsed));
    EXPECT_EQ(std::get<NeighbourSolicitation>(parsed),
              (NeighbourSolicitation{kWeb, IpAddress(), kSqlIp}));
}

TEST(ParseNeighbourSolicitation, TakesAProbeOfOneNeighbour) {
    // Reachability is probed by unicast (RFC 4861 section 7.3.3), with or without the option.
    const auto frame =
        with_address(with(solicitation(), 0, {2, 0, 0, 0, 0, 0x11}), kDestination, "fd00:1::11");
    EXPECT_TRUE(is_taken(frame));
    EXPECT_TRUE(is_taken(with_options(frame, {})));
}

TEST(ParseNeighbourSolicitation, TakesTrafficClassFlowLabelAndPadding) {
    auto frame = with(solicitation(), 14, {0x6e, 0xfe, 0x12, 0x34});
    frame.resize(1500, 0xee);
    EXPECT_TRUE(is_taken(frame));
}

TEST(ParseNeighbourSolicitation, RefusesEveryShorterFrame) {
    const auto frame = solicitation();
    for (std::size_t length = 0; length < frame.size(); ++length) {
        // A copy of just this length, so that the address sanitizer sees a read beyond it.
        const FrameBytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
        expect_error(NdError::Truncated, cut);
    }
}

TEST(ParseNeighbourSolicitation, RefusesOtherProtocols) {
    expect_error(NdError::NotSolicitation, with(solicitation(), 12, {0x08, 0x00}));
    expect_error(NdError::NotSolicitation, with(solicitation(), 12, {0x81, 0x00}));
    expect_error(NdError::NotSolicitation, with(solicitation(), 14, {0x40}));
    expect_error(NdError::NotSolicitation, with(solicitation(), kNextHeader, {17}));
}

TEST(ParseNeighbourSolicitation, RefusesExtensionHeadersAndFragments) {
    for (const auto next_header : std::initializer_list<std::uint8_t>{0, 43, 44, 51, 60}) {
        expect_error(NdError::NotSolicitation, with(solicitation(), kNextHeader, {next_header}));
    }
}

TEST(ParseNeighbourSolicitation, RefusesOtherMessages) {
    for (const auto type :
         std::initializer_list<std::uint8_t>{0, 1, 128, 133, 134, 136, 137, 255}) {
        expect_error_of_valid(NdError::NotSolicitation, with(solicitation(), kType, {type}));
    }
}

TEST(ParseNeighbourSolicitation, RefusesWhatMayComeFromBeyondTheLink) {
    for (const auto limit : std::initializer_list<std::uint8_t>{0, 1, 64, 254}) {
        expect_error(NdError::BadHopLimit, with(solicitation(), kHopLimit, {limit}));
    }
}

TEST(ParseNeighbourSolicitation, RefusesAWrongChecksum) {
    const auto frame = solicitation();
    for (std::size_t at = kSource; at < frame.size(); ++at) {
        if (at != kType) {  // Which would be another message.
            expect_error(NdError::BadMessage,
                         with(frame, at, {static_cast<std::uint8_t>(frame[at] ^ 0x40)}));
        }
    }
    expect_error(NdError::BadMessage, with(frame, kChecksum, {0, 0}));
}

TEST(ParseNeighbourSolicitation, RefusesACode) {
    expect_error_of_valid(NdError::BadMessage, with(solicitation(), kCode, {1}));
}

TEST(ParseNeighbourSolicitation, RefusesALengthThatDoesNotFit) {
    // The frame has room for all of these but the last.
    expect_error(NdError::BadMessage, with(solicitation(), kPayloadLength, {0, 0}));
    expect_error(NdError::BadMessage, with(solicitation(), kPayloadLength, {0, 23}));
    expect_error(NdError::Truncated, with(solicitation(), kPayloadLength, {0, 33}));
    expect_error(NdError::Truncated, with(solicitation(), kPayloadLength, {0xff, 0xff}));
}

TEST(ParseNeighbourSolicitation, RefusesSendersThatCannotBeAnswered) {
    expect_error(NdError::BadSender, with(solicitation(), 6, {0x33, 0x33, 0, 0, 0, 1}));
    expect_error(NdError::BadSender, with(solicitation(), 6, {0, 0, 0, 0, 0, 0}));
    expect_error(NdError::BadSender, with_address(solicitation(), kSource, "ff02::1"));
    expect_error(NdError::BadSender, with_address(solicitation(), kSource, "::ffff:10.1.1.12"));
}

TEST(ParseNeighbourSolicitation, RefusesDetectionThatIsNotForSolicitedNodes) {
    for (const char* destination :
         {"fd00:1::11", "ff02::1", "ff02::2:ff00:11", "ff05::1:ff00:11"}) {
        expect_error(NdError::BadSender,
                     with_address(duplicate_detection(), kDestination, destination));
    }
}

TEST(ParseNeighbourSolicitation, RefusesDetectionWithALinkLayerAddress) {
    expect_error(NdError::BadSender,
                 with_options(duplicate_detection(), {1, 1, 2, 0, 0, 0, 0, 0x12}));
    // A nonce is what detection may have (RFC 7527).
    EXPECT_TRUE(is_taken(with_options(duplicate_detection(), {14, 1, 1, 2, 3, 4, 5, 6})));
}

TEST(ParseNeighbourSolicitation, RefusesTargetsThatNoHostHas) {
    for (const char* target : {"::", "ff02::1", "ff0e::11", "::ffff:10.1.1.11"}) {
        expect_error(NdError::BadTarget, with_address(solicitation(), kTarget, target));
    }
}

TEST(ParseNeighbourSolicitation, RefusesOptionsThatDoNotFit) {
    for (const auto& options : std::initializer_list<std::initializer_list<std::uint8_t>>{
             {1},
             {1, 1},
             {1, 1, 2, 0, 0, 0, 0},                              // Cut off.
             {1, 2, 2, 0, 0, 0, 0, 0x12},                        // Beyond the end.
             {14, 0, 1, 2, 3, 4, 5, 6},                          // Of no length.
             {14, 1, 1, 2, 3, 4, 5, 6, 14, 0, 1, 2, 3, 4, 5, 6}  // The second of no length.
         }) {
        expect_error(NdError::BadOption, with_options(solicitation(), options));
    }
}

TEST(ParseNeighbourSolicitation, RefusesAnotherMacThanTheFrames) {
    expect_error(NdError::BadOption, with_options(solicitation(), {1, 1, 2, 0, 0, 0, 0, 0x13}));
    expect_error(NdError::BadOption,
                 with_options(solicitation(), {1, 2, 2, 0, 0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0}));
    expect_error(NdError::BadOption, with_options(solicitation(), {1, 1, 2, 0, 0, 0, 0, 0x12, 1, 1,
                                                                   2, 0, 0, 0, 0, 0x13}));
    expect_error(NdError::BadOption, with(solicitation(), 6, {2, 0, 0, 0, 0, 0x13}));
}

TEST(ParseNeighbourSolicitation, PassesOverOtherOptions) {
    EXPECT_TRUE(is_taken(with_options(solicitation(), {14, 1, 1, 2, 3, 4, 5, 6,  //
                                                       1, 1, 2, 0, 0, 0, 0, 0x12})));
}

class AnswerSolicitation : public ::testing::Test {
  protected:
    AnswerSolicitation() {
        neighbours_.set(kContoso, kSqlIp, kSql);
        neighbours_.set(kFabrikam, kSqlIp, kOtherSql);
    }

    policy::NeighbourTable neighbours_;
    NeighbourSolicitation solicitation_{kWeb, kWebIp, kSqlIp};
};

TEST_F(AnswerSolicitation, RepliesFromTheSubnetOfTheSolicitation) {
    EXPECT_EQ(answer_solicitation(solicitation_, kContoso, neighbours_),
              (Answer{Verdict::Reply, kSql}));
    EXPECT_EQ(answer_solicitation(solicitation_, kFabrikam, neighbours_),
              (Answer{Verdict::Reply, kOtherSql}));
}

TEST_F(AnswerSolicitation, IsSilentAboutTheUnknown) {
    EXPECT_EQ(answer_solicitation(solicitation_, 7001, neighbours_).verdict, Verdict::Unknown);
    solicitation_.target = IpAddress::parse("fd00:1::13").value();
    EXPECT_EQ(answer_solicitation(solicitation_, kContoso, neighbours_).verdict, Verdict::Unknown);
}

TEST_F(AnswerSolicitation, IsSilentAboutTheSendersOwn) {
    solicitation_ = {kSql, IpAddress(), kSqlIp};  // Detection by the owner.
    EXPECT_EQ(answer_solicitation(solicitation_, kContoso, neighbours_).verdict,
              Verdict::OwnAddress);
    solicitation_ = {kSql, IpAddress::parse("fe80::11").value(), kSqlIp};
    EXPECT_EQ(answer_solicitation(solicitation_, kContoso, neighbours_).verdict,
              Verdict::OwnAddress);
}

TEST_F(AnswerSolicitation, DefendsAnAddressAgainstAnothersDetection) {
    solicitation_.source = IpAddress();
    EXPECT_EQ(answer_solicitation(solicitation_, kContoso, neighbours_),
              (Answer{Verdict::Reply, kSql}));
}

FrameBytes advertisement(const NeighbourSolicitation& solicitation, bool is_router) {
    const NeighbourAdvertisement frame =
        build_neighbour_advertisement(solicitation, kSql, is_router);
    EXPECT_TRUE(test::icmpv6_sum(frame).is_right());
    return {frame.begin(), frame.end()};
}

TEST(BuildNeighbourAdvertisement, IsTheOwnersToTheSenderAlone) {
    EXPECT_EQ(advertisement({kWeb, kWebIp, kSqlIp}, false),
              test::from_hex("02000000001202000000001186dd6000000000203afffd000001000000000000"
                             "000000000011fd00000100000000000000000000001288001c5960000000fd00"
                             "00010000000000000000000000110201020000000011"));
}

TEST(BuildNeighbourAdvertisement, SaysThatARouterIsOne) {
    EXPECT_EQ(advertisement({kWeb, kWebIp, kSqlIp}, true),
              test::from_hex("02000000001202000000001186dd6000000000203afffd000001000000000000"
                             "000000000011fd00000100000000000000000000001288009c58e0000000fd00"
                             "00010000000000000000000000110201020000000011"));
}

TEST(BuildNeighbourAdvertisement, OfDetectionIsToAllNodesAndUnsolicited) {
    EXPECT_EQ(advertisement({kWeb, IpAddress(), kSqlIp}, false),
              test::from_hex("33330000000102000000001186dd6000000000203afffd000001000000000000"
                             "000000000011ff02000000000000000000000000000188005a6920000000fd00"
                             "00010000000000000000000000110201020000000011"));
}

}  // namespace
}  // namespace hnv::responder
