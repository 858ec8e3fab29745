#include "responder/icmp_error.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "ovs-integration/wire.h"

namespace hnv::responder {

namespace {

using pipeline::IcmpReason;

// Offsets into an IPv4 packet (RFC 791 section 3.1).
constexpr std::size_t kIpv4Tos = 1;
constexpr std::size_t kIpv4TotalLength = 2;
constexpr std::size_t kIpv4Fragment = 6;
constexpr std::size_t kIpv4Ttl = 8;
constexpr std::size_t kIpv4Protocol = 9;
constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kIpv4Source = 12;
constexpr std::size_t kIpv4Destination = 16;
constexpr std::size_t kIpv4HeaderLength = 20;
constexpr std::uint16_t kIpv4FragmentOffset = 0x1fff;
constexpr std::uint16_t kDontFragment = 0x4000;

// An ICMP or ICMPv6 error up to the packet that it quotes: type, code, checksum, four bytes more.
constexpr std::size_t kIcmpHeaderLength = 8;
constexpr std::size_t kIcmpChecksum = 2;
constexpr std::size_t kIcmpRest = 4;

constexpr std::uint8_t kTtl = 64;
// Precedence "internetwork control", as RFC 1812 section 4.3.2.5 wants it of errors.
constexpr std::uint8_t kErrorTos = 0xc0;

// The packet that an error is about, once it may have one.
struct Offender {
    View packet;  // Of just its own length: padding of the frame is not in it.
    IpAddress source;
    IpAddress destination;
};
using Judged = std::variant<Offender, NoIcmpError>;

// --- IPv4 ---

// Unknown types may be errors of tomorrow. IANA's registry: echo (8 and its reply 0), router
// discovery (9, 10), timestamp to mask (13 to 18), extended echo (42, 43).
[[nodiscard]] bool is_icmp_query(std::uint8_t type) {
    return type == 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18) || type == 42 ||
           type == 43;
}

// Not this network (0.0.0.0/8), loopback or a group.
[[nodiscard]] bool is_one_host(std::uint32_t ip) {
    return ip >> 24 != 0 && ip >> 24 != 127 && !is_group_v4(ip);
}

[[nodiscard]] Judged judge_ipv4(View bytes) {
    if (bytes.size() < kIpv4HeaderLength || bytes[0] >> 4 != 4) {
        return NoIcmpError::Malformed;
    }
    const std::size_t header = static_cast<std::size_t>(bytes[0] & 0xfU) * 4;
    const std::size_t length = read16(bytes, kIpv4TotalLength);
    if (header < kIpv4HeaderLength || length < header || bytes.size() < length ||
        internet_checksum(bytes.first(header)) != 0) {
        return NoIcmpError::Malformed;
    }
    const View packet = bytes.first(length);
    const std::uint32_t source = read32(packet, kIpv4Source);
    const std::uint32_t destination = read32(packet, kIpv4Destination);
    if ((read16(packet, kIpv4Fragment) & kIpv4FragmentOffset) != 0 || !is_one_host(source) ||
        !is_one_host(destination)) {
        return NoIcmpError::Suppressed;
    }
    if (packet[kIpv4Protocol] == wire::kIcmp &&
        (length == header || !is_icmp_query(packet[header]))) {
        return NoIcmpError::Suppressed;
    }
    return Offender{packet, IpAddress::from_v4(source), IpAddress::from_v4(destination)};
}

// --- IPv6 ---

// Extension headers (RFC 8200 section 4; AH: RFC 4302). All but AH and the fragment's have their
// length in units of 8 bytes without the first. What is behind ESP is not to be seen.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kMobility = 135;
constexpr std::uint8_t kHostIdentity = 139;
constexpr std::uint8_t kShim6 = 140;
constexpr std::size_t kExtensionUnit = 8;
constexpr std::uint16_t kIpv6FragmentOffset = 0xfff8;

constexpr std::uint8_t kFirstIcmpv6Query = 128;  // All below are errors (RFC 4443 section 2.1).
constexpr std::uint8_t kRedirect = 137;

[[nodiscard]] bool is_extension(std::uint8_t next_header) {
    switch (next_header) {
        case kHopByHop:
        case kRouting:
        case kFragment:
        case kAuthentication:
        case kDestinationOptions:
        case kMobility:
        case kHostIdentity:
        case kShim6:
            return true;
        default:
            return false;
    }
}

// Follows the extension headers to what the packet carries.
[[nodiscard]] std::optional<NoIcmpError> judge_ipv6_payload(View packet) {
    std::uint8_t next = packet[kIpv6NextHeader];
    View rest = packet.subspan(kIpv6HeaderLength);
    while (is_extension(next)) {
        if (rest.size() < kExtensionUnit) {
            return NoIcmpError::Malformed;
        }
        std::size_t length = (rest[1] + std::size_t{1}) * kExtensionUnit;
        if (next == kFragment) {
            if ((read16(rest, 2) & kIpv6FragmentOffset) != 0) {
                return NoIcmpError::Suppressed;
            }
            length = kExtensionUnit;
        } else if (next == kAuthentication) {
            length = (rest[1] + std::size_t{2}) * 4;
        }
        if (rest.size() < length) {
            return NoIcmpError::Malformed;
        }
        next = rest[0];
        rest = rest.subspan(length);
    }
    if (next == wire::kIcmpv6 &&
        (rest.empty() || rest[0] < kFirstIcmpv6Query || rest[0] == kRedirect)) {
        return NoIcmpError::Suppressed;
    }
    return std::nullopt;
}

// Not unspecified, loopback, a group or v4-mapped.
[[nodiscard]] bool is_one_host(const IpAddress& ip) {
    static const IpAddress loopback =
        IpAddress::from_v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    return ip != IpAddress() && ip != loopback && !is_group_v6(ip) && !ip.is_v4();
}

[[nodiscard]] Judged judge_ipv6(View bytes) {
    if (bytes.size() < kIpv6HeaderLength || bytes[0] >> 4 != 6) {
        return NoIcmpError::Malformed;
    }
    const std::size_t length = kIpv6HeaderLength + read16(bytes, kIpv6PayloadLength);
    if (bytes.size() < length) {
        return NoIcmpError::Malformed;
    }
    const Offender offender{bytes.first(length), read_ipv6(bytes, kIpv6Source),
                            read_ipv6(bytes, kIpv6Destination)};
    if (!is_one_host(offender.source) || !is_one_host(offender.destination)) {
        return NoIcmpError::Suppressed;
    }
    if (const auto no_error = judge_ipv6_payload(offender.packet)) {
        return *no_error;
    }
    return offender;
}

// --- the error ---

struct Message {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;  // The last four bytes of its header.
};

[[nodiscard]] std::optional<Message> message_v4(const IcmpErrorOrder& order) {
    switch (order.reason) {
        case IcmpReason::TtlExpired:
            return Message{11, 0, 0};
        case IcmpReason::NoRoute:
            return Message{3, 0, 0};
        case IcmpReason::HostUnknown:
            return Message{3, 1, 0};
        case IcmpReason::TooBig:  // The MTU has 16 bits (RFC 1191 section 4).
            return Message{
                3, 4,
                std::min<std::uint32_t>(order.mtu, std::numeric_limits<std::uint16_t>::max())};
        case IcmpReason::None:
            break;
    }
    return std::nullopt;
}

[[nodiscard]] std::optional<Message> message_v6(const IcmpErrorOrder& order) {
    switch (order.reason) {
        case IcmpReason::TtlExpired:
            return Message{3, 0, 0};
        case IcmpReason::NoRoute:
            return Message{1, 0, 0};
        case IcmpReason::HostUnknown:
            return Message{1, 3, 0};
        case IcmpReason::TooBig:
            return Message{2, 0, order.mtu};
        case IcmpReason::None:
            break;
    }
    return std::nullopt;
}

// Where an error goes, and from where.
struct Way {
    MacAddress guest_mac;
    MacAddress speaker_mac;
    IpAddress guest;
    IpAddress speaker;
};

// The checksum stays zero: it is over all that follows.
void write_message(std::span<std::uint8_t> bytes, std::size_t at, const Message& message) {
    bytes[at] = message.type;
    bytes[at + 1] = message.code;
    write32(bytes, at + kIcmpRest, message.rest);
}

[[nodiscard]] View first_of(View bytes, std::size_t most) {
    return bytes.first(std::min(bytes.size(), most));
}

[[nodiscard]] Frame build_v4(const Way& way, const Message& message, View packet) {
    constexpr std::size_t kHeaders = kIpv4HeaderLength + kIcmpHeaderLength;
    constexpr std::size_t kIcmp = kEthernetHeaderLength + kIpv4HeaderLength;
    const View quote = first_of(packet, kIcmpErrorLength - kHeaders);
    std::array<std::uint8_t, kEthernetHeaderLength + kHeaders> headers{};
    write_ethernet_header(headers, way.guest_mac, way.speaker_mac, wire::kIpv4);
    const auto ip = std::span(headers).subspan<kEthernetHeaderLength, kIpv4HeaderLength>();
    ip[0] = 4 << 4 | kIpv4HeaderLength / 4;
    ip[kIpv4Tos] = kErrorTos;
    write16(ip, kIpv4TotalLength, static_cast<std::uint16_t>(kHeaders + quote.size()));
    write16(ip, kIpv4Fragment, kDontFragment);  // So it needs no identification (RFC 6864).
    ip[kIpv4Ttl] = kTtl;
    ip[kIpv4Protocol] = wire::kIcmp;
    write32(ip, kIpv4Source, way.speaker.v4());
    write32(ip, kIpv4Destination, way.guest.v4());
    write16(ip, kIpv4Checksum, internet_checksum(ip));
    write_message(headers, kIcmp, message);

    Frame frame;
    frame.append(headers);
    frame.append(quote);
    frame.set16(kIcmp + kIcmpChecksum, internet_checksum(frame.from(kIcmp)));
    return frame;
}

[[nodiscard]] Frame build_v6(const Way& way, const Message& message, View packet) {
    constexpr std::size_t kHeaders = kIpv6HeaderLength + kIcmpHeaderLength;
    constexpr std::size_t kIcmp = kEthernetHeaderLength + kIpv6HeaderLength;
    const View quote = first_of(packet, kIcmpv6ErrorLength - kHeaders);
    std::array<std::uint8_t, kEthernetHeaderLength + kHeaders> headers{};
    write_ethernet_header(headers, way.guest_mac, way.speaker_mac, wire::kIpv6);
    write_ipv6_header(
        headers, {way.speaker, way.guest, kIcmpHeaderLength + quote.size(), wire::kIcmpv6, kTtl});
    write_message(headers, kIcmp, message);

    Frame frame;
    frame.append(headers);
    frame.append(quote);
    frame.set16(kIcmp + kIcmpChecksum, icmpv6_checksum(frame.from(kEthernetHeaderLength)));
    return frame;
}

[[nodiscard]] bool is_zero(const IpAddress& ip) {
    return ip == IpAddress() || ip == IpAddress::from_v4(0);
}

}  // namespace

std::variant<Frame, NoIcmpError> build_icmp_error(std::span<const std::uint8_t> frame,
                                                  const IcmpErrorOrder& order) {
    if (frame.size() < kEthernetHeaderLength) {
        return NoIcmpError::Malformed;
    }
    const std::uint16_t type = read16(frame, kEthType);
    if (type != wire::kIpv4 && type != wire::kIpv6) {
        return NoIcmpError::Malformed;
    }
    const bool v4 = type == wire::kIpv4;
    const auto message = v4 ? message_v4(order) : message_v6(order);
    if (!message || order.source.is_v4() != v4 ||
        (order.reason == IcmpReason::TooBig && order.mtu == 0)) {
        return NoIcmpError::BadOrder;
    }
    const View bytes = frame.subspan(kEthernetHeaderLength);
    const Judged judged = v4 ? judge_ipv4(bytes) : judge_ipv6(bytes);
    if (const auto* no_error = std::get_if<NoIcmpError>(&judged)) {
        return *no_error;
    }
    const auto& offender = std::get<Offender>(judged);

    const MacAddress destination = read_mac(frame, kEthDestination);
    const Way way{read_mac(frame, kEthSource),
                  order.router_mac == MacAddress{} ? destination : order.router_mac,
                  offender.source, is_zero(order.source) ? offender.destination : order.source};
    // The last two: what the speaker sent itself is not to be answered to itself.
    if (!is_one_station(way.guest_mac) || !is_one_station(destination) ||
        way.guest_mac == way.speaker_mac || way.guest == way.speaker) {
        return NoIcmpError::Suppressed;
    }
    return v4 ? build_v4(way, *message, offender.packet) : build_v6(way, *message, offender.packet);
}

}  // namespace hnv::responder
