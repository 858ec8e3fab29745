// Any bytes as a DHCPv6 message of a guest, and as a whole frame: the parser stays in its view, and
// what is answered is a whole message, to the guest alone, that gives it its own address only.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "responder/dhcpv6.h"
#include "unit/responder/guest_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check_association(const test::Octets& association, const policy::GuestConfig& config) {
    const auto options = test::options6(std::span(association).subspan(12));
    require(options.has_value());
    for (const auto& [code, value] : *options) {
        require(code == 5 || code == 13);
        if (code == 5) {
            require(value.size() == 24);
            const bool own =
                std::ranges::equal(std::span(value).first(16), config.v6->address.bytes());
            require(test::number32(value, 20) == (own ? config.lease_seconds : 0));
        }
    }
}

void offer(std::span<const std::uint8_t> frame) {
    static const policy::GuestConfig config = test::guest_config();
    const responder::GuestReply reply = responder::answer_dhcpv6(frame, config);
    if (reply.frame.size() == 0) {
        return;
    }
    const responder::View bytes = reply.frame;
    constexpr std::size_t kUdp = 54;
    require(bytes.size() <= 14 + 1280 && bytes.size() >= kUdp + 12);
    require(test::mac_at(bytes, 0) == test::kGuestMac);
    const auto pseudo = static_cast<std::uint32_t>(17 + bytes.size() - kUdp);
    require(test::word_sum(bytes.subspan(22), pseudo) == 0xffff);
    require(bytes[kUdp + 8] == 2 || bytes[kUdp + 8] == 7);
    const auto options = test::options6(bytes.subspan(kUdp + 12));
    require(options.has_value());
    for (const auto& [code, value] : *options) {
        if (code == 3) {
            check_association(value, config);
        }
    }
    // Two responders could not keep each other busy.
    require(responder::answer_dhcpv6(reply.frame, config).frame.size() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> bytes(data, size);
    offer(bytes);
    if (size <= 1400) {
        const test::UdpFields fields{test::kGuestMac, test::kGuestLinkLocal,
                                     IpAddress::parse("ff02::1:2").value(), 546, 547};
        offer(test::udp_frame(fields, {bytes.begin(), bytes.end()}));
    }
    return 0;
}
