#include "responder/icmp_error.h"

#include <gtest/gtest.h>

#include <string_view>

#include "ip_frames.h"

namespace hnv::responder {
namespace {

using pipeline::IcmpReason;
using test::expired_v4;
using test::expired_v6;
using test::FrameBytes;
using test::from_hex;
using test::with;
using test::with_ipv4_checksum;

const MacAddress kRouter = MacAddress::from_bits(0x0200000000feU);
const IpAddress kNoIpv4 = IpAddress::from_v4(0);

// Offsets into the frame.
constexpr std::size_t kV4Length = 16;
constexpr std::size_t kV4Fragment = 20;
constexpr std::size_t kV4Protocol = 23;
constexpr std::size_t kV4Source = 26;
constexpr std::size_t kV4Destination = 30;
constexpr std::size_t kV4Payload = 34;
constexpr std::size_t kV6Length = 18;
constexpr std::size_t kV6NextHeader = 20;
constexpr std::size_t kV6Source = 22;
constexpr std::size_t kV6Destination = 38;
constexpr std::size_t kV6Payload = 54;
// In an error.
constexpr std::size_t kV4Quote = kV4Payload + 8;
constexpr std::size_t kV6Quote = kV6Payload + 8;

IcmpErrorOrder order_v4(IcmpReason reason, std::uint32_t mtu = 0) {
    return {reason, kRouter, IpAddress::parse("10.1.1.1").value(), mtu};
}
IcmpErrorOrder order_v6(IcmpReason reason, std::uint32_t mtu = 0) {
    return {reason, kRouter, IpAddress::parse("fd00:1::1").value(), mtu};
}

// The error, with its checksums judged; empty if there is none.
FrameBytes error_of(const FrameBytes& frame, const IcmpErrorOrder& order) {
    const auto built = build_icmp_error(frame, order);
    const auto* error = std::get_if<Frame>(&built);
    if (error == nullptr) {
        ADD_FAILURE() << "no error: " << static_cast<int>(std::get<NoIcmpError>(built));
        return {};
    }
    const FrameBytes bytes(error->begin(), error->end());
    if (bytes[12] == 0x08) {
        EXPECT_TRUE(test::ipv4_header_sum(bytes).is_right());
        EXPECT_TRUE(test::Checksum().add(std::span(bytes).subspan(kV4Payload)).is_right());
    } else {
        EXPECT_TRUE(test::icmpv6_sum(bytes).is_right());
    }
    return bytes;
}

void expect_none(NoIcmpError expected, const FrameBytes& frame) {
    const bool v4 = frame.size() < 14 || frame[12] == 0x08;
    const auto built = build_icmp_error(
        frame, v4 ? order_v4(IcmpReason::TtlExpired) : order_v6(IcmpReason::TtlExpired));
    ASSERT_TRUE(std::holds_alternative<NoIcmpError>(built));
    EXPECT_EQ(std::get<NoIcmpError>(built), expected);
}

bool has_error(const FrameBytes& frame) {
    const bool v4 = frame[12] == 0x08;
    return std::holds_alternative<Frame>(build_icmp_error(
        frame, v4 ? order_v4(IcmpReason::TtlExpired) : order_v6(IcmpReason::TtlExpired)));
}

// With another payload, and the lengths and the checksum that go with it.
FrameBytes v4_with(std::uint8_t protocol, const FrameBytes& payload) {
    auto frame = expired_v4();
    frame.resize(kV4Payload);
    frame.insert(frame.end(), payload.begin(), payload.end());
    const std::size_t length = 20 + payload.size();
    frame = with(frame, kV4Length,
                 {static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
    return with_ipv4_checksum(with(frame, kV4Protocol, {protocol}));
}
FrameBytes v6_with(std::uint8_t next_header, const FrameBytes& payload) {
    auto frame = expired_v6();
    frame.resize(kV6Payload);
    frame.insert(frame.end(), payload.begin(), payload.end());
    frame = with(frame, kV6Length,
                 {static_cast<std::uint8_t>(payload.size() >> 8),
                  static_cast<std::uint8_t>(payload.size())});
    return with(frame, kV6NextHeader, {next_header});
}

FrameBytes v6_with_address(std::size_t at, std::string_view address) {
    auto frame = expired_v6();
    const auto ip = IpAddress::parse(address).value();
    std::copy(ip.bytes().begin(), ip.bytes().end(),
              frame.begin() + static_cast<std::ptrdiff_t>(at));
    return frame;
}

TEST(IcmpError, TellsThatTheTtlHasExpired) {
    EXPECT_EQ(error_of(expired_v4(), order_v4(IcmpReason::TtlExpired)),
              from_hex("0200000000120200000000fe080045c0003c00004000400123f30a0101010a01"
                       "010c0b00c780000000004500002042420000011160740a01010c0a0202091234"
                       "5678000c000061626364"));
    EXPECT_EQ(error_of(expired_v6(), order_v6(IcmpReason::TtlExpired)),
              from_hex("0200000000120200000000fe86dd60000000003c3a40fd000001000000000000"
                       "000000000001fd000001000000000000000000000012030069c6000000006000"
                       "0000000c1101fd000001000000000000000000000012fd000002000000000000"
                       "00000000000912345678000c000061626364"));
}

TEST(IcmpError, TellsThePathMtu) {
    EXPECT_EQ(error_of(expired_v4(), order_v4(IcmpReason::TooBig, 1450)),
              from_hex("0200000000120200000000fe080045c0003c00004000400123f30a0101010a01"
                       "010c0304c9d2000005aa4500002042420000011160740a01010c0a0202091234"
                       "5678000c000061626364"));
    EXPECT_EQ(error_of(expired_v6(), order_v6(IcmpReason::TooBig, 1430)),
              from_hex("0200000000120200000000fe86dd60000000003c3a40fd000001000000000000"
                       "000000000001fd00000100000000000000000000001202006530000005966000"
                       "0000000c1101fd000001000000000000000000000012fd000002000000000000"
                       "00000000000912345678000c000061626364"));
}

TEST(IcmpError, AnMtuBeyondTheFieldIsItsGreatest) {
    const auto error = error_of(expired_v4(), order_v4(IcmpReason::TooBig, 70'000));
    EXPECT_EQ(FrameBytes(error.begin() + kV4Payload + 4, error.begin() + kV4Quote),
              (FrameBytes{0, 0, 0xff, 0xff}));
}

TEST(IcmpError, TypeAndCodeSayWhatWasNotFound) {
    const auto type_and_code = [](const FrameBytes& error, std::size_t at) {
        return FrameBytes(error.begin() + static_cast<std::ptrdiff_t>(at),
                          error.begin() + static_cast<std::ptrdiff_t>(at) + 2);
    };
    const auto v4 = [&](IcmpReason reason) {
        return type_and_code(error_of(expired_v4(), order_v4(reason)), kV4Payload);
    };
    const auto v6 = [&](IcmpReason reason) {
        return type_and_code(error_of(expired_v6(), order_v6(reason)), kV6Payload);
    };
    EXPECT_EQ(v4(IcmpReason::NoRoute), (FrameBytes{3, 0}));
    EXPECT_EQ(v4(IcmpReason::HostUnknown), (FrameBytes{3, 1}));
    EXPECT_EQ(v6(IcmpReason::NoRoute), (FrameBytes{1, 0}));
    EXPECT_EQ(v6(IcmpReason::HostUnknown), (FrameBytes{1, 3}));
}

TEST(IcmpError, ComesFromTheDestinationWhereThereIsNoRouter) {
    auto order = order_v4(IcmpReason::TooBig, 1450);
    order.router_mac = {};
    order.source = kNoIpv4;
    auto error = error_of(with(expired_v4(), 0, {2, 0, 0, 0, 0, 9}), order);
    EXPECT_EQ(FrameBytes(error.begin(), error.begin() + 12),
              (FrameBytes{2, 0, 0, 0, 0, 0x12, 2, 0, 0, 0, 0, 9}));
    EXPECT_EQ(FrameBytes(error.begin() + kV4Source, error.begin() + kV4Payload),
              (FrameBytes{10, 2, 2, 9, 10, 1, 1, 12}));

    order.source = IpAddress();
    error = error_of(with(expired_v6(), 0, {2, 0, 0, 0, 0, 9}), order);
    EXPECT_EQ(FrameBytes(error.begin() + 6, error.begin() + 12), (FrameBytes{2, 0, 0, 0, 0, 9}));
    EXPECT_EQ(FrameBytes(error.begin() + kV6Source, error.begin() + kV6Destination),
              from_hex("fd000002000000000000000000000009"));
}

TEST(IcmpError, QuotesAsMuchAsFits) {
    const auto v4 = error_of(v4_with(17, FrameBytes(1480, 0x5a)), order_v4(IcmpReason::NoRoute));
    EXPECT_EQ(v4.size(), 14U + 576U);
    EXPECT_EQ(v4[kV4Length] << 8 | v4[kV4Length + 1], 576);
    EXPECT_EQ(v4.back(), 0x5a);

    const auto v6 = error_of(v6_with(17, FrameBytes(1460, 0x5a)), order_v6(IcmpReason::NoRoute));
    EXPECT_EQ(v6.size(), 14U + 1280U);
    EXPECT_EQ(v6[kV6Length] << 8 | v6[kV6Length + 1], 1240);
    EXPECT_EQ(v6.back(), 0x5a);
}

TEST(IcmpError, QuotesAllOfAShortPacketAndNoPadding) {
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{8}}) {
        auto frame = v4_with(17, FrameBytes(length, 0x5a));
        frame.resize(60, 0xee);
        const auto v4 = error_of(frame, order_v4(IcmpReason::NoRoute));
        EXPECT_EQ(v4.size(), kV4Quote + 20 + length);

        frame = v6_with(17, FrameBytes(length, 0x5a));
        frame.resize(70, 0xee);
        const auto v6 = error_of(frame, order_v6(IcmpReason::NoRoute));
        EXPECT_EQ(v6.size(), kV6Quote + 40 + length);
    }
}

TEST(IcmpError, RefusesEveryShorterFrame) {
    for (const auto& frame : {expired_v4(), expired_v6()}) {
        for (std::size_t length = 0; length < frame.size(); ++length) {
            // A copy of just this length, so that the address sanitizer sees a read beyond it.
            expect_none(
                NoIcmpError::Malformed,
                FrameBytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)));
        }
    }
}

TEST(IcmpError, IsNotAboutWhatIsNotIp) {
    expect_none(NoIcmpError::Malformed, with(expired_v4(), 12, {0x08, 0x06}));
    expect_none(NoIcmpError::Malformed, with(expired_v4(), 12, {0x81, 0x00}));
}

TEST(IcmpError, IsNotAboutMalformedHeaders) {
    auto v4 = expired_v4();
    v4.resize(100, 0);  // The frame has room for what its header must not say.
    const auto malformed = [](const FrameBytes& frame) {
        expect_none(NoIcmpError::Malformed, with_ipv4_checksum(frame));
    };
    malformed(with(v4, 14, {0x65}));                            // The version.
    malformed(with(v4, 14, {0x44}));                            // A header of 16 bytes,
    malformed(with(v4, 14, {0x49}));                            // of more than the packet has.
    malformed(with(v4, kV4Length, {0, 19}));                    // A length below the header,
    malformed(with(expired_v4(), kV4Length, {0, 33}));          // and beyond the frame.
    expect_none(NoIcmpError::Malformed, with(v4, 24, {0, 0}));  // The checksum.

    expect_none(NoIcmpError::Malformed, with(expired_v6(), 14, {0x40}));
    expect_none(NoIcmpError::Malformed, with(expired_v6(), kV6Length, {0, 13}));
}

TEST(IcmpError, IsAboutPacketsWithOptions) {
    auto frame = expired_v4();
    frame.insert(frame.begin() + kV4Payload, {1, 1, 1, 0});
    frame = with_ipv4_checksum(with(with(frame, 14, {0x46}), kV4Length, {0, 36}));
    const auto error = error_of(frame, order_v4(IcmpReason::TtlExpired));
    EXPECT_EQ(FrameBytes(error.begin() + kV4Quote, error.end()),
              FrameBytes(frame.begin() + 14, frame.end()));
}

TEST(IcmpError, IsNeverAboutAnError) {
    for (unsigned type = 0; type < 256; ++type) {
        const auto byte = static_cast<std::uint8_t>(type);
        const bool query = type == 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18) ||
                           type == 42 || type == 43;
        EXPECT_EQ(has_error(v4_with(1, {byte, 0, 0, 0, 0, 0, 0, 0})), query) << type;
        const bool informational = type >= 128 && type != 137;  // A redirect changes its hearer.
        EXPECT_EQ(has_error(v6_with(58, {byte, 0, 0, 0, 0, 0, 0, 0})), informational) << type;
    }
    // What does not say what it is may be an error.
    expect_none(NoIcmpError::Suppressed, v4_with(1, {}));
    expect_none(NoIcmpError::Suppressed, v6_with(58, {}));
}

TEST(IcmpError, IsNeverAboutItself) {
    for (const auto reason : {IcmpReason::TtlExpired, IcmpReason::NoRoute, IcmpReason::HostUnknown,
                              IcmpReason::TooBig}) {
        expect_none(NoIcmpError::Suppressed, error_of(expired_v4(), order_v4(reason, 1400)));
        expect_none(NoIcmpError::Suppressed, error_of(expired_v6(), order_v6(reason, 1400)));
    }
}

TEST(IcmpError, IsNeverAboutALaterFragment) {
    const auto fragment = [](std::uint8_t high, std::uint8_t low) {
        return with_ipv4_checksum(with(expired_v4(), kV4Fragment, {high, low}));
    };
    expect_none(NoIcmpError::Suppressed, fragment(0x00, 0x01));
    expect_none(NoIcmpError::Suppressed, fragment(0x20, 0xb9));
    EXPECT_TRUE(has_error(fragment(0x20, 0x00)));  // The first of some.
    EXPECT_TRUE(has_error(fragment(0x40, 0x00)));

    const auto fragment_v6 = [](std::uint8_t low) {
        return v6_with(44, {17, 0, 0, low, 1, 2, 3, 4, 0x12, 0x34, 0x56, 0x78, 0, 8, 0, 0});
    };
    expect_none(NoIcmpError::Suppressed, fragment_v6(0x08));
    expect_none(NoIcmpError::Suppressed, fragment_v6(0xb9));
    EXPECT_TRUE(has_error(fragment_v6(0x01)));
    EXPECT_TRUE(has_error(fragment_v6(0x00)));
}

TEST(IcmpError, FindsAnErrorBehindExtensionHeaders) {
    const auto carries = [](std::uint8_t type) {
        return v6_with(
            0, {43,   0, 1, 4, 0, 0, 0, 0,                          // Hop by hop,
                60,   1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // routing, of two units,
                51,   0, 1, 4, 0, 0, 0, 0,                          // destination options,
                44,   4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0,                            // AH, of 24 bytes,
                58,   0, 0, 1, 0, 0, 0, 7,    // the first fragment
                type, 0, 0, 0, 0, 0, 0, 0});  // of this.
    };
    expect_none(NoIcmpError::Suppressed, carries(1));
    expect_none(NoIcmpError::Suppressed, carries(127));
    EXPECT_TRUE(has_error(carries(128)));
}

TEST(IcmpError, RefusesExtensionHeadersThatDoNotFit) {
    for (const auto header : std::initializer_list<std::uint8_t>{0, 43, 51, 60, 135, 139, 140}) {
        expect_none(NoIcmpError::Malformed, v6_with(header, {17, 9, 0, 0, 0, 0, 0, 0}));
        expect_none(NoIcmpError::Malformed, v6_with(header, {17, 0, 0}));
        expect_none(NoIcmpError::Malformed, v6_with(header, {}));
    }
    expect_none(NoIcmpError::Malformed, v6_with(44, {17, 0, 0, 1, 0, 0, 0}));
}

TEST(IcmpError, IsNeverAboutOrToAGroup) {
    for (const auto& frame : {expired_v4(), expired_v6()}) {
        expect_none(NoIcmpError::Suppressed, with(frame, 0, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
        expect_none(NoIcmpError::Suppressed, with(frame, 0, {0x01, 0x00, 0x5e, 0, 0, 1}));
        expect_none(NoIcmpError::Suppressed, with(frame, 6, {0x33, 0x33, 0, 0, 0, 1}));
        expect_none(NoIcmpError::Suppressed, with(frame, 6, {0, 0, 0, 0, 0, 0}));
    }
    for (const auto& group :
         std::initializer_list<std::initializer_list<std::uint8_t>>{{224, 0, 0, 1},
                                                                    {239, 255, 255, 255},
                                                                    {255, 255, 255, 255},
                                                                    {0, 0, 0, 0},
                                                                    {0, 1, 2, 3},
                                                                    {127, 0, 0, 1}}) {
        expect_none(NoIcmpError::Suppressed,
                    with_ipv4_checksum(with(expired_v4(), kV4Source, group)));
        expect_none(NoIcmpError::Suppressed,
                    with_ipv4_checksum(with(expired_v4(), kV4Destination, group)));
    }
    for (const char* group : {"ff02::1", "ff0e::1:2", "::", "::1", "::ffff:10.1.1.12"}) {
        expect_none(NoIcmpError::Suppressed, v6_with_address(kV6Source, group));
        expect_none(NoIcmpError::Suppressed, v6_with_address(kV6Destination, group));
    }
}

// A frame that the router sent itself, or a guest that wants its neighbour to answer itself.
TEST(IcmpError, IsNeverToTheOneItComesFrom) {
    expect_none(NoIcmpError::Suppressed, with(expired_v4(), 6, {2, 0, 0, 0, 0, 0xfe}));
    expect_none(NoIcmpError::Suppressed,
                with_ipv4_checksum(with(expired_v4(), kV4Source, {10, 1, 1, 1})));
    expect_none(NoIcmpError::Suppressed, v6_with_address(kV6Source, "fd00:1::1"));
}

TEST(IcmpError, RefusesABadOrder) {
    const auto expect_bad = [](const FrameBytes& frame, const IcmpErrorOrder& order) {
        const auto built = build_icmp_error(frame, order);
        ASSERT_TRUE(std::holds_alternative<NoIcmpError>(built));
        EXPECT_EQ(std::get<NoIcmpError>(built), NoIcmpError::BadOrder);
    };
    expect_bad(expired_v4(), order_v4(IcmpReason::None));
    expect_bad(expired_v6(), order_v6(IcmpReason::None));
    expect_bad(expired_v4(), order_v4(IcmpReason::TooBig));
    expect_bad(expired_v4(), order_v6(IcmpReason::TtlExpired));
    expect_bad(expired_v6(), order_v4(IcmpReason::TtlExpired));
}

}  // namespace
}  // namespace hnv::responder
