#include "learning/sighting.h"

#include "ovs-integration/wire.h"
#include "pipeline/layout.h"
#include "responder/frame.h"

namespace hnv::learning {

namespace {

using pipeline::Reg;
using responder::read16;
using responder::read32;
using responder::View;

// Of an ARP packet for IPv4 over Ethernet (RFC 826).
constexpr std::size_t kArpLength = 28;
constexpr std::uint32_t kArpEthernet = 1U << 16 | wire::kIpv4;  // Hardware and protocol.
constexpr std::uint16_t kArpLengths = 6U << 8 | 4U;
constexpr std::size_t kArpSenderMac = 8;
constexpr std::size_t kArpSenderIp = 14;

// Of a neighbour solicitation or advertisement (RFC 4861 sections 4.3 and 4.4).
constexpr std::size_t kDiscoveryTarget = 8;
constexpr std::size_t kDiscoveryLength = 24;
constexpr std::uint8_t kOfThisLink = 255;  // Its hop limit: no router has passed it on.
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::size_t kOptionUnit = 8;

constexpr std::uint16_t kVlanMask = 0x0fff;

[[nodiscard]] std::uint32_t value_of(const ovs::PacketIn& packet_in, Reg reg) {
    const auto number = static_cast<std::size_t>(reg);
    return number < packet_in.registers.size() ? packet_in.registers[number] : 0;
}

[[nodiscard]] std::optional<IpAddress> sender_of_arp(View packet, const MacAddress& source) {
    if (packet.size() < kArpLength || read32(packet, 0) != kArpEthernet ||
        read16(packet, 4) != kArpLengths || responder::read_mac(packet, kArpSenderMac) != source) {
        return std::nullopt;
    }
    const std::uint32_t sender = read32(packet, kArpSenderIp);
    const std::uint32_t first = sender >> 24;
    // 0.0.0.0/8 is a probe's, or no host's (RFC 5227, RFC 6890).
    if (first == 0 || first == 127 || responder::is_group_v4(sender)) {
        return std::nullopt;
    }
    return IpAddress::from_v4(sender);
}

// Not one of a link alone: those are no customer addresses.
[[nodiscard]] bool is_station(const IpAddress& address) {
    const auto& bytes = address.bytes();
    const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    return !address.is_v4() && !responder::is_group_v6(address) && !link_local &&
           address != IpAddress{};
}

// An advertisement may be about another MAC than its sender's.
[[nodiscard]] bool names_another(View options, const MacAddress& source) {
    while (options.size() >= kOptionUnit) {
        const std::size_t length = options[1] * kOptionUnit;
        if (length == 0 || length > options.size()) {
            return true;
        }
        if (options[0] == kTargetLinkLayer && responder::read_mac(options, 2) != source) {
            return true;
        }
        options = options.subspan(length);
    }
    return false;
}

[[nodiscard]] std::optional<IpAddress> sender_of_discovery(View packet, const MacAddress& source) {
    if (packet.size() < responder::kIpv6HeaderLength + kDiscoveryLength || packet[0] >> 4 != 6 ||
        packet[responder::kIpv6NextHeader] != wire::kIcmpv6 ||
        packet[responder::kIpv6HopLimit] != kOfThisLink) {
        return std::nullopt;
    }
    const View message = packet.subspan(responder::kIpv6HeaderLength);
    std::optional<IpAddress> address;
    if (message[0] == wire::kNeighbourSolicitation) {
        address = responder::read_ipv6(packet, responder::kIpv6Source);
    } else if (message[0] == wire::kNeighbourAdvertisement &&
               !names_another(message.subspan(kDiscoveryLength), source)) {
        address = responder::read_ipv6(message, kDiscoveryTarget);
    }
    return address && is_station(*address) ? address : std::nullopt;
}

}  // namespace

std::optional<policy::Sighting> read(const ovs::PacketIn& packet_in) {
    const View frame(packet_in.packet);
    if (packet_in.userdata.size() != 1 ||
        packet_in.userdata[0] != static_cast<std::uint8_t>(pipeline::PacketInKind::Learn) ||
        frame.size() < responder::kEthernetHeaderLength) {
        return std::nullopt;
    }
    policy::Sighting sighting;
    sighting.ofport = value_of(packet_in, Reg::Source);
    sighting.vlan = static_cast<std::uint16_t>(value_of(packet_in, Reg::SourceVlan) & kVlanMask);
    sighting.mac = responder::read_mac(frame, responder::kEthSource);
    if (!responder::is_one_station(sighting.mac) || sighting.ofport == 0) {
        return std::nullopt;
    }
    const View packet = frame.subspan(responder::kEthernetHeaderLength);
    const std::uint16_t type = read16(frame, responder::kEthType);
    if (type == wire::kArp) {
        sighting.address = sender_of_arp(packet, sighting.mac);
    } else if (type == wire::kIpv6) {
        sighting.address = sender_of_discovery(packet, sighting.mac);
    }
    return sighting;
}

}  // namespace hnv::learning
