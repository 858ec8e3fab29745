// Any bytes as a frame from a guest, as they are and with their checksum put right: the parser
// stays in its view, and what is answered is an advertisement to the guest alone.
#include <cstdint>
#include <cstdlib>

#include "responder/router_advertisement.h"
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
    const responder::GuestReply reply = responder::answer_router_solicitation(frame, config);
    require((reply.verdict == responder::GuestVerdict::Answered) == (reply.frame.size() > 0));
    if (reply.frame.size() == 0) {
        return;
    }
    const test::Octets bytes(reply.frame.begin(), reply.frame.end());
    require(test::mac_at(bytes, 0) == test::kGuestMac && test::mac_at(frame, 6) == test::kGuestMac);
    require(test::icmpv6_sum(bytes).is_right());
    require(bytes[54] == 134 && bytes[21] == 255);
    require(responder::answer_router_solicitation(bytes, config).frame.size() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> frame(data, size);
    offer(frame);
    constexpr std::size_t kShortest = 62;
    if (size >= kShortest && size <= 2000) {
        // A chance change is never of the right checksum. Of exactly the packet's length.
        const std::size_t length = test::kIpv6MessageAt + test::number16(frame, 18);
        if (length >= kShortest && length <= size) {
            offer(test::with_icmpv6_checksum({data, data + length}));
        }
    }
    return 0;
}
