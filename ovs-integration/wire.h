// Numbers on the wire, by their IANA names.
#pragma once

#include <cstdint>

namespace hnv::wire {

// EtherTypes.
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kIpv6 = 0x86dd;

// Protocols in IP.
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpv6 = 58;
inline constexpr std::uint8_t kSctp = 132;

[[nodiscard]] constexpr bool has_ports(std::uint8_t protocol) {
    return protocol == kTcp || protocol == kUdp || protocol == kSctp;
}
// Whether an IP version carries the protocol: each has its own ICMP.
[[nodiscard]] constexpr bool exists_in(std::uint8_t protocol, bool v4) {
    return protocol != (v4 ? kIcmpv6 : kIcmp);
}

// RFC 2131.
inline constexpr std::uint16_t kDhcpServerPort = 67;
inline constexpr std::uint16_t kDhcpClientPort = 68;
// RFC 8415.
inline constexpr std::uint16_t kDhcpv6ClientPort = 546;
inline constexpr std::uint16_t kDhcpv6ServerPort = 547;
// RFC 826.
inline constexpr std::uint16_t kArpRequest = 1;
// RFC 792 and RFC 4443.
inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kEchoRequestV6 = 128;
inline constexpr std::uint8_t kEchoReplyV6 = 129;
// RFC 4861: router solicitation to redirect.
inline constexpr std::uint8_t kRouterSolicitation = 133;
inline constexpr std::uint8_t kRouterAdvertisement = 134;
inline constexpr std::uint8_t kNeighbourSolicitation = 135;
inline constexpr std::uint8_t kNeighbourAdvertisement = 136;
inline constexpr std::uint8_t kRedirect = 137;
inline constexpr std::uint8_t kFirstDiscovery = 133;
inline constexpr std::uint8_t kLastDiscovery = 137;

}  // namespace hnv::wire
