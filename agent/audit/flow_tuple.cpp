#include "audit/flow_tuple.h"

#include "ovs-integration/wire.h"
#include "responder/frame.h"

namespace hnv::audit {

namespace {

using responder::read16;
using responder::read32;
using responder::View;

constexpr std::size_t kIpv4MinimumHeader = 20;
constexpr std::size_t kIpv4Fragment = 6;
constexpr std::size_t kIpv4Protocol = 9;
constexpr std::size_t kIpv4Source = 12;
constexpr std::size_t kIpv4Destination = 16;
constexpr std::uint16_t kIpv4OffsetMask = 0x1fff;

// Extension headers of IPv6 (RFC 8200 section 4, RFC 4302 section 2), the shortest of 8 bytes.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::size_t kExtensionUnit = 8;
constexpr std::uint16_t kIpv6OffsetMask = 0xfff8;

// `payload`: what is behind the headers of IP, as far as it is there.
void read_transport(View payload, FlowTuple& flow) {
    if (wire::has_ports(flow.protocol) && payload.size() >= 4) {
        flow.ports = {read16(payload, 0), read16(payload, 2)};
    } else if ((flow.protocol == wire::kIcmp || flow.protocol == wire::kIcmpv6) &&
               payload.size() >= 2) {
        flow.icmp = {payload[0], payload[1]};
    }
}

[[nodiscard]] std::optional<FlowTuple> parse_ipv4(View packet) {
    if (packet.size() < kIpv4MinimumHeader || packet[0] >> 4 != 4) {
        return std::nullopt;
    }
    const std::size_t header = static_cast<std::size_t>(packet[0] & 0xf) * 4;
    if (header < kIpv4MinimumHeader) {
        return std::nullopt;
    }
    FlowTuple flow{IpAddress::from_v4(read32(packet, kIpv4Source)),
                   IpAddress::from_v4(read32(packet, kIpv4Destination)), packet[kIpv4Protocol]};
    if ((read16(packet, kIpv4Fragment) & kIpv4OffsetMask) == 0 && packet.size() > header) {
        read_transport(packet.subspan(header), flow);
    }
    return flow;
}

[[nodiscard]] std::optional<FlowTuple> parse_ipv6(View packet) {
    if (packet.size() < responder::kIpv6HeaderLength || packet[0] >> 4 != 6) {
        return std::nullopt;
    }
    FlowTuple flow{responder::read_ipv6(packet, responder::kIpv6Source),
                   responder::read_ipv6(packet, responder::kIpv6Destination),
                   packet[responder::kIpv6NextHeader]};
    View rest = packet.subspan(responder::kIpv6HeaderLength);
    // Ends: each extension header is a part of what is there.
    while (flow.protocol == kHopByHop || flow.protocol == kRouting || flow.protocol == kFragment ||
           flow.protocol == kAuthentication || flow.protocol == kDestinationOptions) {
        if (rest.size() < kExtensionUnit) {
            return flow;
        }
        const std::size_t length = flow.protocol == kFragment ? kExtensionUnit
                                   : flow.protocol == kAuthentication
                                       ? (static_cast<std::size_t>(rest[1]) + 2) * 4
                                       : (static_cast<std::size_t>(rest[1]) + 1) * 8;
        const bool later = flow.protocol == kFragment && (read16(rest, 2) & kIpv6OffsetMask) != 0;
        flow.protocol = rest[0];
        if (later || rest.size() < length) {
            return flow;
        }
        rest = rest.subspan(length);
    }
    read_transport(rest, flow);
    return flow;
}

}  // namespace

std::optional<FlowTuple> parse_flow(std::span<const std::uint8_t> frame) {
    if (frame.size() < responder::kEthernetHeaderLength) {
        return std::nullopt;
    }
    const View packet = frame.subspan(responder::kEthernetHeaderLength);
    switch (read16(frame, responder::kEthType)) {
        case wire::kIpv4:
            return parse_ipv4(packet);
        case wire::kIpv6:
            return parse_ipv6(packet);
        default:
            return std::nullopt;
    }
}

}  // namespace hnv::audit
