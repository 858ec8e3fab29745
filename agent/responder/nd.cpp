#include "responder/nd.h"

#include <algorithm>
#include <optional>

#include "ovs-integration/wire.h"

namespace hnv::responder {

namespace {

// Offsets into the ICMPv6 message (RFC 4861 sections 4.3 and 4.4).
constexpr std::size_t kType = 0;
constexpr std::size_t kCode = 1;
constexpr std::size_t kChecksum = 2;
constexpr std::size_t kFlags = 4;
constexpr std::size_t kTarget = 8;
constexpr std::size_t kOptions = 24;
static_assert(kEthernetHeaderLength + kIpv6HeaderLength + kOptions == kSolicitationFrameLength);

constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;
constexpr std::uint32_t kRouterFlag = 1U << 31;
constexpr std::uint32_t kSolicitedFlag = 1U << 30;
constexpr std::uint32_t kOverrideFlag = 1U << 29;

// Options (RFC 4861 section 4.6): type, length in units of 8 bytes, value. A MAC fills one unit
// (RFC 2464 section 6).
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::size_t kOptionUnit = 8;

// ff02::1, and the MAC that it maps to (RFC 2464 section 7).
const IpAddress kAllNodes = IpAddress::from_v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};

// ff02::1:ff00:0/104 (RFC 4291 section 2.7.1).
[[nodiscard]] bool is_solicited_node(const IpAddress& ip) {
    constexpr std::array<std::uint8_t, 13> kPrefix{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    return std::equal(kPrefix.begin(), kPrefix.end(), ip.bytes().begin());
}

// The IPv6 packet, of just its own length.
[[nodiscard]] std::variant<View, NdError> packet_of(View frame) {
    if (frame.size() < kSolicitationFrameLength) {
        return NdError::Truncated;
    }
    const View packet = frame.subspan(kEthernetHeaderLength);
    if (read16(frame, kEthType) != wire::kIpv6 || packet[0] >> 4 != 6 ||
        packet[kIpv6NextHeader] != wire::kIcmpv6 ||
        packet[kIpv6HeaderLength + kType] != wire::kNeighbourSolicitation) {
        return NdError::NotSolicitation;
    }
    const std::size_t length = kIpv6HeaderLength + read16(packet, kIpv6PayloadLength);
    if (packet.size() < length) {
        return NdError::Truncated;
    }
    return packet.first(length);
}

[[nodiscard]] std::optional<NdError> check_options(View options, const MacAddress& sender_mac,
                                                   bool sender_has_address) {
    while (!options.empty()) {
        if (options.size() < kOptionUnit || options[1] == 0 ||
            options.size() < options[1] * kOptionUnit) {
            return NdError::BadOption;
        }
        if (options[0] == kSourceLinkLayer) {
            if (!sender_has_address) {
                return NdError::BadSender;
            }
            if (options[1] != 1 || read_mac(options, 2) != sender_mac) {
                return NdError::BadOption;
            }
        }
        options = options.subspan(options[1] * kOptionUnit);
    }
    return std::nullopt;
}

[[nodiscard]] bool is_bad_sender(const NeighbourSolicitation& solicitation,
                                 const IpAddress& destination) {
    return !is_one_station(solicitation.sender_mac) || is_group_v6(solicitation.source) ||
           solicitation.source.is_v4() ||
           (solicitation.source == IpAddress() && !is_solicited_node(destination));
}

[[nodiscard]] bool is_bad_target(const IpAddress& target) {
    return target == IpAddress() || is_group_v6(target) || target.is_v4();
}

}  // namespace

std::variant<NeighbourSolicitation, NdError> parse_neighbour_solicitation(
    std::span<const std::uint8_t> frame) {
    const auto found = packet_of(frame);
    if (const auto* error = std::get_if<NdError>(&found)) {
        return *error;
    }
    const View packet = std::get<View>(found);
    if (packet[kIpv6HopLimit] != kHopLimit) {
        return NdError::BadHopLimit;
    }
    const View message = packet.subspan(kIpv6HeaderLength);
    if (message.size() < kOptions || message[kCode] != 0 || icmpv6_checksum(packet) != 0) {
        return NdError::BadMessage;
    }
    const NeighbourSolicitation solicitation{
        read_mac(frame, kEthSource), read_ipv6(packet, kIpv6Source), read_ipv6(message, kTarget)};
    if (is_bad_sender(solicitation, read_ipv6(packet, kIpv6Destination))) {
        return NdError::BadSender;
    }
    if (is_bad_target(solicitation.target)) {
        return NdError::BadTarget;
    }
    if (const auto error = check_options(message.subspan(kOptions), solicitation.sender_mac,
                                         solicitation.source != IpAddress())) {
        return *error;
    }
    return solicitation;
}

Answer answer_solicitation(const NeighbourSolicitation& solicitation, std::uint32_t vsid,
                           const policy::NeighbourTable& neighbours) {
    return answer({solicitation.sender_mac, solicitation.source, solicitation.target}, vsid,
                  neighbours);
}

Answer answer_solicitation(const NeighbourSolicitation& solicitation, const MacAddress& owner) {
    return answer({solicitation.sender_mac, solicitation.source, solicitation.target}, owner);
}

NeighbourAdvertisement build_neighbour_advertisement(const NeighbourSolicitation& solicitation,
                                                     const MacAddress& target_mac, bool is_router) {
    const bool to_all = solicitation.source == IpAddress();
    NeighbourAdvertisement frame{};
    write_ethernet_header(frame, to_all ? kAllNodesMac : solicitation.sender_mac, target_mac,
                          wire::kIpv6);
    write_ipv6_header(frame, {solicitation.target, to_all ? kAllNodes : solicitation.source,
                              kOptions + kOptionUnit, wire::kIcmpv6, kHopLimit});
    const auto message = std::span(frame).subspan<kEthernetHeaderLength + kIpv6HeaderLength>();
    message[kType] = kAdvertisement;
    write32(message, kFlags,
            kOverrideFlag | (to_all ? 0 : kSolicitedFlag) | (is_router ? kRouterFlag : 0));
    write_ipv6(message, kTarget, solicitation.target);
    message[kOptions] = kTargetLinkLayer;
    message[kOptions + 1] = 1;
    write_mac(message, kOptions + 2, target_mac);
    write16(message, kChecksum, icmpv6_checksum(std::span(frame).subspan<kEthernetHeaderLength>()));
    return frame;
}

}  // namespace hnv::responder
