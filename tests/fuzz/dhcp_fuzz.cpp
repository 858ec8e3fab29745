// Any bytes as the payload of a DHCP message of a guest, and as a whole frame: the parser stays in
// its view, and what is answered is a whole message that gives nobody but the guest its address.
#include <cstdint>
#include <cstdlib>

#include "responder/dhcp.h"
#include "unit/responder/guest_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void offer(std::span<const std::uint8_t> frame) {
    static const policy::GuestConfig config = test::guest_config();
    const responder::GuestReply reply = responder::answer_dhcp(frame, config);
    const bool answered = reply.verdict == responder::GuestVerdict::Answered;
    require((reply.frame.size() > 0) ==
            (answered || reply.verdict == responder::GuestVerdict::Denied));
    if (reply.frame.size() == 0) {
        return;
    }
    constexpr std::size_t kMessage = 42;
    const responder::View bytes = reply.frame;
    require(bytes.size() <= 14 + 1280);
    require(bytes[0] == 0xff || test::mac_at(bytes, 0) == test::kGuestMac);
    require(test::mac_at(bytes, kMessage + 28) == test::kGuestMac);
    // The transaction is the guest's own; take_apart_dhcp() knows one.
    test::Octets copy(bytes.begin(), bytes.end());
    require(test::number32(copy, kMessage + 16) == (answered ? config.v4->address.v4() : 0) ||
            test::number32(copy, kMessage + 16) == 0);
    std::size_t at = kMessage + 240;
    while (at < copy.size() && copy[at] != 255) {
        require(at + 1 < copy.size());
        at += 2U + copy[at + 1];
    }
    require(at + 1 == copy.size());
    require(test::word_sum(std::span(copy).subspan(14, 20)) == 0xffff);
    const auto pseudo = static_cast<std::uint32_t>(17 + copy.size() - 34);
    require(test::word_sum(std::span(copy).subspan(26), pseudo) == 0xffff);
    // Two responders could not keep each other busy.
    require(responder::answer_dhcp(reply.frame, config).frame.size() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> bytes(data, size);
    offer(bytes);
    if (size <= 1400) {
        const test::UdpFields fields{test::kGuestMac, IpAddress::from_v4(0),
                                     IpAddress::from_v4(0xffffffffU), 68, 67};
        offer(test::udp_frame(fields, {bytes.begin(), bytes.end()}));
    }
    return 0;
}
