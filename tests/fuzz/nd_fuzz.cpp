// Any bytes as a frame from a guest, as they are and with their checksum put right: the parser
// stays in its view, and what is answered is the table's answer to the frame's sender.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "policy/neighbours.h"
#include "responder/nd.h"
#include "unit/responder/ip_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

constexpr std::uint32_t kVsid = 5001;
constexpr MacAddress kRouter{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};

// Offsets, the same in a solicitation and in an advertisement.
constexpr std::size_t kIpLength = 18;
constexpr std::size_t kIpSource = 22;
constexpr std::size_t kIpDestination = 38;
constexpr std::size_t kFlags = 58;
constexpr std::size_t kTarget = 62;
constexpr std::size_t kOptions = 78;
constexpr std::size_t kAdvertisementLength = 86;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

[[nodiscard]] const policy::NeighbourTable& neighbours() {
    static const policy::NeighbourTable* const table = [] {
        auto made = std::make_unique<policy::NeighbourTable>();
        // fd00:1::1 to fd00:1::ff, so that a mutated target still finds an answer; and of IPv4,
        // which nobody may get at from here.
        for (std::uint8_t host = 1; host != 0; ++host) {
            const MacAddress mac{{2, 0, 0, 0, 0, host}};
            made->set(kVsid,
                      IpAddress::from_v6({0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}),
                      mac);
            made->set(kVsid, IpAddress::from_v4(0x0a010100U + host), mac);
        }
        return made.release();
    }();
    return *table;
}

[[nodiscard]] bool is_same(std::span<const std::uint8_t> bytes, std::size_t at,
                           std::span<const std::uint8_t> expected) {
    return std::ranges::equal(bytes.subspan(at, expected.size()), expected);
}

void check_advertisement(std::span<const std::uint8_t> frame, std::span<const std::uint8_t> reply) {
    const MacAddress requester = responder::read_mac(frame, 6);
    const IpAddress target = responder::read_ipv6(frame, kTarget);
    const auto owner = neighbours().find(kVsid, target);
    require(owner.has_value() && *owner != requester && !target.is_v4());
    require(!requester.is_multicast() && requester != MacAddress{});
    require(reply.size() == kAdvertisementLength);

    const bool detection = responder::read_ipv6(frame, kIpSource) == IpAddress();
    require(is_same(reply, 0, detection ? kAllNodesMac.bytes : requester.bytes));
    require(is_same(reply, 6, owner->bytes));
    require(is_same(reply, kIpSource, target.bytes()));
    require(detection ? reply[kIpDestination] == 0xff
                      : is_same(reply, kIpDestination, frame.subspan(kIpSource, 16)));
    require(reply[kIpLength] == 0 && reply[kIpLength + 1] == 32);
    require(test::icmpv6_sum(reply).is_right());
    // R, S and O.
    require(reply[kFlags] == ((*owner == kRouter ? 0x80 : 0) | (detection ? 0 : 0x40) | 0x20));
    require(is_same(reply, kTarget, target.bytes()));
    require(reply[kOptions] == 2 && reply[kOptions + 1] == 1);
    require(is_same(reply, kOptions + 2, owner->bytes));
    // Two responders could not keep each other busy.
    require(
        std::holds_alternative<responder::NdError>(responder::parse_neighbour_solicitation(reply)));
}

void offer(std::span<const std::uint8_t> frame) {
    const auto parsed = responder::parse_neighbour_solicitation(frame);
    const auto* solicitation = std::get_if<responder::NeighbourSolicitation>(&parsed);
    if (solicitation == nullptr) {
        return;
    }
    require(frame.size() >= responder::kSolicitationFrameLength);
    const auto answer = responder::answer_solicitation(*solicitation, kVsid, neighbours());
    if (answer.verdict == responder::Verdict::Reply) {
        check_advertisement(frame, responder::build_neighbour_advertisement(
                                       *solicitation, answer.mac, answer.mac == kRouter));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> frame(data, size);
    offer(frame);
    if (size >= responder::kSolicitationFrameLength && size <= 2000) {
        // A chance change is never of the right checksum. Of exactly the packet's length.
        const std::size_t length =
            test::kIpv6MessageAt + (frame[kIpLength] << 8 | frame[kIpLength + 1]);
        if (length >= responder::kSolicitationFrameLength && length <= size) {
            offer(test::with_icmpv6_checksum({data, data + length}));
        }
    }
    return 0;
}
