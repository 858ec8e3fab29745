// IP frames for tests: stated as hex digits, changed by a few bytes, and with their checksums put
// right or judged by code that is not the agent's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace hnv::test {

using FrameBytes = std::vector<std::uint8_t>;

inline FrameBytes from_hex(std::string_view digits) {
    const auto value = [](char digit) {
        return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    };
    FrameBytes bytes;
    for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
        bytes.push_back(static_cast<std::uint8_t>(value(digits[at]) << 4 | value(digits[at + 1])));
    }
    return bytes;
}

// A copy with `bytes` from `at` on.
inline FrameBytes with(FrameBytes frame, std::size_t at,
                       std::initializer_list<std::uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
    return frame;
}

// RFC 1071 byte by byte, each with its carry brought round at once.
class Checksum {
  public:
    Checksum& add(std::span<const std::uint8_t> bytes) {
        for (const std::uint8_t byte : bytes) {
            sum_ += odd_ ? byte : static_cast<std::uint32_t>(byte) << 8;
            sum_ = sum_ > 0xffff ? sum_ - 0xffff : sum_;
            odd_ = !odd_;
        }
        return *this;
    }
    [[nodiscard]] std::uint16_t value() const { return static_cast<std::uint16_t>(0xffff - sum_); }
    // Of bytes that have their checksum in them.
    [[nodiscard]] bool is_right() const { return sum_ == 0xffff; }

  private:
    std::uint32_t sum_ = 0;
    bool odd_ = false;
};

// Where things are in a frame without a VLAN tag.
inline constexpr std::size_t kIpAt = 14;
inline constexpr std::size_t kIpv6MessageAt = 54;

inline Checksum icmpv6_sum(std::span<const std::uint8_t> frame) {
    const std::size_t length = frame.size() - kIpv6MessageAt;
    const std::uint8_t rest[8] = {
        0, 0, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 0, 0,
        0, 58};
    return Checksum().add(frame.subspan(22, 32)).add(rest).add(frame.subspan(kIpv6MessageAt));
}

inline Checksum ipv4_header_sum(std::span<const std::uint8_t> frame) {
    return Checksum().add(frame.subspan(kIpAt, static_cast<std::size_t>(frame[kIpAt] & 0xf) * 4));
}

// The checksum of the ICMPv6 message that is the rest of the frame; of the IPv4 header.
inline FrameBytes with_icmpv6_checksum(FrameBytes frame) {
    frame = with(std::move(frame), kIpv6MessageAt + 2, {0, 0});
    const std::uint16_t sum = icmpv6_sum(frame).value();
    return with(std::move(frame), kIpv6MessageAt + 2,
                {static_cast<std::uint8_t>(sum >> 8), static_cast<std::uint8_t>(sum)});
}
inline FrameBytes with_ipv4_checksum(FrameBytes frame) {
    frame = with(std::move(frame), kIpAt + 10, {0, 0});
    const std::uint16_t sum = ipv4_header_sum(frame).value();
    return with(std::move(frame), kIpAt + 10,
                {static_cast<std::uint8_t>(sum >> 8), static_cast<std::uint8_t>(sum)});
}

// fd00:1::12 at 02:00:00:00:00:12 asks for fd00:1::11, with its MAC as an option.
inline FrameBytes solicitation() {
    return from_hex(
        "3333ff00001102000000001286dd6000000000203afffd000001000000000000"
        "000000000012ff0200000000000000000001ff00001187007d5500000000fd00"
        "00010000000000000000000000110101020000000012");
}

// The same guest looks whether fd00:1::11 is free (RFC 4862 section 5.4).
inline FrameBytes duplicate_detection() {
    return from_hex(
        "3333ff00001102000000001286dd6000000000183aff00000000000000000000"
        "000000000000ff0200000000000000000001ff00001187007d8400000000fd00"
        "0001000000000000000000000011");
}

// UDP by the router 02:00:00:00:00:fe, with the TTL that has just run out: 10.1.1.12 to 10.2.2.9,
// and fd00:1::12 to fd00:2::9.
inline FrameBytes expired_v4() {
    return from_hex(
        "0200000000fe02000000001208004500002042420000011160740a01010c0a02"
        "020912345678000c000061626364");
}
inline FrameBytes expired_v6() {
    return from_hex(
        "0200000000fe02000000001286dd60000000000c1101fd000001000000000000"
        "000000000012fd00000200000000000000000000000912345678000c00006162"
        "6364");
}

}  // namespace hnv::test
