// Any bytes as a frame from a guest: the parser stays in its view, and what is answered is the
// table's answer to the frame's sender and to nobody else.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <variant>

#include "policy/neighbours.h"
#include "responder/arp.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

constexpr std::uint32_t kVsid = 5001;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

[[nodiscard]] const policy::NeighbourTable& neighbours() {
    static const policy::NeighbourTable* const table = [] {
        auto made = std::make_unique<policy::NeighbourTable>();
        // All of 10.1.1.0/24 but .0, so that a mutated target still finds an answer.
        for (std::uint32_t host = 1; host < 256; ++host) {
            made->set(kVsid, IpAddress::from_v4(0x0a010100U + host),
                      MacAddress::from_bits(0x020000000000U + host));
        }
        return made.release();
    }();
    return *table;
}

[[nodiscard]] MacAddress mac_at(std::span<const std::uint8_t> frame, std::size_t at) {
    MacAddress mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        mac.bytes[i] = frame[at + i];
    }
    return mac;
}

[[nodiscard]] std::uint32_t ip_at(std::span<const std::uint8_t> frame, std::size_t at) {
    std::uint32_t ip = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        ip = ip << 8 | frame[at + i];
    }
    return ip;
}

void check_reply(std::span<const std::uint8_t> frame, std::span<const std::uint8_t> reply) {
    require(reply.size() == responder::kMinimumFrameLength);
    const MacAddress requester = mac_at(frame, 6);
    const auto owner = neighbours().find(kVsid, IpAddress::from_v4(ip_at(frame, 38)));
    require(owner.has_value() && *owner != requester);
    require(!requester.is_multicast() && requester != MacAddress{});
    // The Ethernet header.
    require(mac_at(reply, 0) == requester && mac_at(reply, 6) == *owner);
    // Sender and target of the reply are target and sender of the request.
    require(mac_at(reply, 22) == *owner && ip_at(reply, 28) == ip_at(frame, 38));
    require(mac_at(reply, 32) == requester && ip_at(reply, 38) == ip_at(frame, 28));
    for (std::size_t i = responder::kArpFrameLength; i < reply.size(); ++i) {
        require(reply[i] == 0);
    }
    // A reply is not a request: two responders could not keep each other busy.
    require(std::holds_alternative<responder::ArpError>(responder::parse_arp_request(reply)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> frame(data, size);
    const auto parsed = responder::parse_arp_request(frame);
    const auto* request = std::get_if<responder::ArpRequest>(&parsed);
    if (request == nullptr) {
        return 0;
    }
    require(size >= responder::kArpFrameLength);
    const responder::Answer answer = responder::answer_arp(*request, kVsid, neighbours());
    if (answer.verdict == responder::Verdict::Reply) {
        check_reply(frame, responder::build_arp_reply(*request, answer.mac));
    }
    return 0;
}
