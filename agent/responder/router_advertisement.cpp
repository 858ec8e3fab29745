#include "responder/router_advertisement.h"

#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "responder/udp.h"

namespace hnv::responder {

namespace {

using policy::GuestConfig;

// Offsets into the solicitation (RFC 4861 section 4.1).
constexpr std::size_t kType = 0;
constexpr std::size_t kCode = 1;
constexpr std::size_t kSolicitationOptions = 8;
constexpr std::size_t kChecksum = 2;

constexpr std::uint8_t kHopLimit = 255;
constexpr std::uint8_t kHopLimitOfGuests = 64;
constexpr std::uint8_t kManagedAndOther = 0xc0;
constexpr std::uint8_t kOnLink = 0x80;
constexpr std::uint32_t kForever = 0xffffffffU;

// Options: type, length in units of 8 bytes, value.
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kPrefixInformation = 3;
constexpr std::uint8_t kMtu = 5;
constexpr std::uint8_t kRecursiveDns = 25;
constexpr std::size_t kOptionUnit = 8;
constexpr std::size_t kMaxListed = 8;

// ff02::1, and the MAC that it maps to (RFC 2464 section 7).
const IpAddress kAllNodes = IpAddress::from_v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};

// RFC 4861 section 6.1.1.
[[nodiscard]] bool are_options_valid(View options, const MacAddress& sender_mac, bool has_address) {
    while (!options.empty()) {
        if (options.size() < kOptionUnit || options[1] == 0 ||
            options.size() < options[1] * kOptionUnit) {
            return false;
        }
        if (options[0] == kSourceLinkLayer &&
            (!has_address || options[1] != 1 || read_mac(options, 2) != sender_mac)) {
            return false;
        }
        options = options.subspan(options[1] * kOptionUnit);
    }
    return true;
}

// Who asks.
[[nodiscard]] std::optional<AdvertisementAddress> parse_solicitation(View frame) {
    constexpr std::size_t kShortest =
        kEthernetHeaderLength + kIpv6HeaderLength + kSolicitationOptions;
    if (frame.size() < kShortest || read16(frame, kEthType) != wire::kIpv6) {
        return std::nullopt;
    }
    const View whole = frame.subspan(kEthernetHeaderLength);
    const std::size_t length = read16(whole, kIpv6PayloadLength);
    if (whole[0] >> 4 != 6 || whole[kIpv6NextHeader] != wire::kIcmpv6 ||
        whole[kIpv6HopLimit] != kHopLimit || length < kSolicitationOptions ||
        length > whole.size() - kIpv6HeaderLength) {
        return std::nullopt;
    }
    const View packet = whole.first(kIpv6HeaderLength + length);
    const View message = packet.subspan(kIpv6HeaderLength);
    const AdvertisementAddress from{read_mac(frame, kEthSource), read_ipv6(packet, kIpv6Source)};
    if (message[kType] != wire::kRouterSolicitation || message[kCode] != 0 ||
        icmpv6_checksum(packet) != 0 || is_group_v6(from.ip) || from.ip.is_v4() ||
        !are_options_valid(message.subspan(kSolicitationOptions), from.mac,
                           from.ip != IpAddress())) {
        return std::nullopt;
    }
    return from;
}

void put_prefix(const IpPrefix& address, Payload& message) {
    message.put8(kPrefixInformation);
    message.put8(4);
    message.put8(static_cast<std::uint8_t>(address.length));
    message.put8(kOnLink);
    message.put32(kForever);  // Valid,
    message.put32(kForever);  // and preferred.
    message.put32(0);
    message.put(address.network().bytes());
}

[[nodiscard]] Payload message_of(const GuestConfig& config) {
    Payload message;
    message.put8(wire::kRouterAdvertisement);
    message.put8(0);
    message.put16(0);  // The checksum.
    message.put8(kHopLimitOfGuests);
    message.put8(kManagedAndOther);
    message.put16(config.default_router ? kRouterLifetimeSeconds : 0);
    message.put_zeros(8);  // Reachable and retransmission times are the guest's own affair.
    message.put8(kSourceLinkLayer);
    message.put8(1);
    message.put(config.router_mac.bytes);
    if (config.mtu >= kIpv6MinimumMtu) {
        message.put8(kMtu);
        message.put8(1);
        message.put16(0);
        message.put32(config.mtu);
    }
    if (config.v6->length < 128) {
        put_prefix(*config.v6, message);
    }
    if (const std::size_t count = std::min(config.dns_v6.size(), kMaxListed); count > 0) {
        message.put8(kRecursiveDns);
        message.put8(static_cast<std::uint8_t>(1 + 2 * count));
        message.put16(0);
        message.put32(kRouterLifetimeSeconds);
        for (std::size_t i = 0; i < count; ++i) {
            message.put(config.dns_v6[i].bytes());
        }
    }
    return message;
}

}  // namespace

Frame build_router_advertisement(const GuestConfig& config,
                                 const std::optional<AdvertisementAddress>& to) {
    const Payload message = message_of(config);
    std::array<std::uint8_t, kEthernetHeaderLength + kIpv6MinimumMtu> buffer{};
    const auto frame =
        std::span(buffer).first(kEthernetHeaderLength + kIpv6HeaderLength + message.size());
    write_ethernet_header(frame, to ? to->mac : kAllNodesMac, config.router_mac, wire::kIpv6);
    write_ipv6_header(frame, {link_local_of(config.router_mac), to ? to->ip : kAllNodes,
                              message.size(), wire::kIcmpv6, kHopLimit});
    const auto packet = frame.subspan(kEthernetHeaderLength);
    std::ranges::copy(message.view(), packet.begin() + kIpv6HeaderLength);
    write16(packet, kIpv6HeaderLength + kChecksum, icmpv6_checksum(packet));
    Frame built;
    built.append(frame);
    return built;
}

GuestReply answer_router_solicitation(std::span<const std::uint8_t> frame,
                                      const GuestConfig& config) {
    const auto from = parse_solicitation(frame);
    if (!from) {
        return {};
    }
    if (!config.advertised || !config.v6 || from->mac != config.mac) {
        return {GuestVerdict::Ignored, {}};
    }
    // One without an address hears what all nodes do (RFC 4861 section 6.2.6), from us alone.
    const auto to = from->ip == IpAddress() ? AdvertisementAddress{config.mac, kAllNodes} : *from;
    return {GuestVerdict::Answered, build_router_advertisement(config, to)};
}

}  // namespace hnv::responder
