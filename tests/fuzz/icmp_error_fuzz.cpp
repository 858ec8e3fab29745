// Any bytes as a packet that the router can't send on: the first two say which error of whom, the
// rest is the frame, as it is and with its IPv4 checksum put right. What comes out is one error, to
// the sender alone, that quotes the packet and causes no other error.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <variant>
#include <vector>

#include "responder/icmp_error.h"
#include "unit/responder/ip_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

using Bytes = std::span<const std::uint8_t>;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

[[nodiscard]] responder::IcmpErrorOrder order_of(std::uint8_t reason, std::uint8_t speaker) {
    responder::IcmpErrorOrder order;
    order.reason = static_cast<pipeline::IcmpReason>(reason % 5);
    order.mtu = reason;
    const bool v4 = (speaker & 1) == 0;
    order.source = v4 ? IpAddress::from_v4(0) : IpAddress();
    if ((speaker & 2) != 0) {
        order.router_mac = {{2, 0, 0, 0, 0, 0xfe}};
        order.source = v4 ? IpAddress::from_v4(0x0a010101U)
                          : IpAddress::from_v6({0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    }
    return order;
}

[[nodiscard]] std::size_t number16(Bytes bytes, std::size_t at) {
    return static_cast<std::size_t>(bytes[at]) << 8 | bytes[at + 1];
}

[[nodiscard]] bool is_same(Bytes one, std::size_t at, Bytes other, std::size_t other_at,
                           std::size_t length) {
    return std::ranges::equal(one.subspan(at, length), other.subspan(other_at, length));
}

void check_v4(Bytes frame, Bytes error) {
    const std::size_t length = number16(error, 16);
    require(length == error.size() - 14 && length <= responder::kIcmpErrorLength);
    require(error[14] == 0x45 && error[23] == 1);
    require(is_same(error, 30, frame, 26, 4));
    require(frame[26] >> 4 != 0xe && frame[30] >> 4 != 0xe);
    require((number16(frame, 20) & 0x1fff) == 0);
    require(test::ipv4_header_sum(error).is_right());
    require(test::Checksum().add(error.subspan(34)).is_right());
    // The quote: header and 8 bytes at least, or all that there is.
    const std::size_t quoted = error.size() - 42;
    require(quoted <= number16(frame, 16));
    require(quoted == number16(frame, 16) || quoted == responder::kIcmpErrorLength - 28);
    require(is_same(error, 42, frame, 14, quoted));
    // Not about an error.
    const std::size_t message = 14 + static_cast<std::size_t>(frame[14] & 0xf) * 4;
    if (frame[23] == 1) {
        const std::uint8_t type = frame[message];
        require(type != 3 && type != 4 && type != 5 && type != 11 && type != 12);
    }
}

void check_v6(Bytes frame, Bytes error) {
    const std::size_t length = number16(error, 18) + 40;
    require(length == error.size() - 14 && length <= responder::kIcmpv6ErrorLength);
    require(error[14] == 0x60 && error[20] == 58 && error[54] < 128);
    require(is_same(error, 38, frame, 22, 16));
    require(frame[22] != 0xff && frame[38] != 0xff);
    require(test::icmpv6_sum(error).is_right());
    const std::size_t quoted = error.size() - 62;
    const std::size_t whole = number16(frame, 18) + 40;
    require(quoted == whole || (quoted == responder::kIcmpv6ErrorLength - 48 && quoted < whole));
    require(is_same(error, 62, frame, 14, quoted));
    if (frame[20] == 58) {
        require(frame[54] >= 128 && frame[54] != 137);
    }
}

void offer(Bytes frame, const responder::IcmpErrorOrder& order) {
    const auto built = responder::build_icmp_error(frame, order);
    const auto* found = std::get_if<responder::Frame>(&built);
    if (found == nullptr) {
        return;
    }
    const Bytes error(*found);
    require(order.reason != pipeline::IcmpReason::None);
    require(error.size() <= responder::Frame::kCapacity - responder::kVlanTagLength);
    require(error.size() >= responder::kMinimumFrameLength);
    // To the one that sent the frame, who is one.
    require(is_same(error, 0, frame, 6, 6) && (error[0] & 1) == 0);
    require((frame[0] & 1) == 0 && (error[6] & 1) == 0);
    require(is_same(error, 12, frame, 12, 2));
    if (frame[12] == 0x08) {
        check_v4(frame, error);
    } else {
        check_v6(frame, error);
    }
    // Never an error about an error.
    require(
        std::holds_alternative<responder::NoIcmpError>(responder::build_icmp_error(error, order)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const auto order = order_of(data[0], data[1]);
    const Bytes frame(data + 2, size - 2);
    offer(frame, order);
    constexpr std::size_t kIpv4 = 34;
    if (frame.size() >= kIpv4 && frame[12] == 0x08 && frame[13] == 0 &&
        frame.size() >= test::kIpAt + static_cast<std::size_t>(frame[14] & 0xf) * 4) {
        // A chance change is never of the right checksum.
        offer(test::with_ipv4_checksum({frame.begin(), frame.end()}), order);
    }
    return 0;
}
