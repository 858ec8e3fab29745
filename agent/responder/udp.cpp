#include "responder/udp.h"

#include <span>

#include "ovs-integration/wire.h"

namespace hnv::responder {

namespace {

// Offsets into an IPv4 header without options (RFC 791 section 3.1).
constexpr std::size_t kTotalLength = 2;
constexpr std::size_t kFragment = 6;
constexpr std::size_t kTtl = 8;
constexpr std::size_t kProtocol = 9;
constexpr std::size_t kHeaderChecksum = 10;
constexpr std::size_t kSource = 12;
constexpr std::size_t kDestination = 16;
constexpr std::size_t kIpv4HeaderLength = 20;
// More fragments, and the fragment's offset.
constexpr std::uint16_t kFragmentMask = 0x3fff;

// Offsets into a UDP header (RFC 768).
constexpr std::size_t kSourcePort = 0;
constexpr std::size_t kDestinationPort = 2;
constexpr std::size_t kLength = 4;
constexpr std::size_t kChecksum = 6;

constexpr std::uint8_t kTtlOfReplies = 64;

// Addresses, and what the IP header says is in the packet.
[[nodiscard]] std::optional<View> open_ipv4(View packet, Datagram& datagram) {
    if (packet.size() < kIpv4HeaderLength || packet[0] >> 4 != 4) {
        return std::nullopt;
    }
    const std::size_t header = (packet[0] & 0xfU) * 4;
    const std::size_t length = read16(packet, kTotalLength);
    if (header < kIpv4HeaderLength || length < header || length > packet.size() ||
        (read16(packet, kFragment) & kFragmentMask) != 0 || packet[kProtocol] != wire::kUdp ||
        internet_checksum(packet.first(header)) != 0) {
        return std::nullopt;
    }
    datagram.source = IpAddress::from_v4(read32(packet, kSource));
    datagram.destination = IpAddress::from_v4(read32(packet, kDestination));
    return packet.subspan(header, length - header);
}

[[nodiscard]] std::optional<View> open_ipv6(View packet, Datagram& datagram) {
    if (packet.size() < kIpv6HeaderLength || packet[0] >> 4 != 6 ||
        packet[kIpv6NextHeader] != wire::kUdp) {
        return std::nullopt;
    }
    const std::size_t length = read16(packet, kIpv6PayloadLength);
    if (length > packet.size() - kIpv6HeaderLength) {
        return std::nullopt;
    }
    datagram.source = read_ipv6(packet, kIpv6Source);
    datagram.destination = read_ipv6(packet, kIpv6Destination);
    if (datagram.source.is_v4() || datagram.destination.is_v4()) {
        return std::nullopt;
    }
    return packet.subspan(kIpv6HeaderLength, length);
}

void write_ipv4_header(std::span<std::uint8_t> packet, const DatagramHeader& header) {
    packet[0] = 0x45;
    write16(packet, kTotalLength, static_cast<std::uint16_t>(packet.size()));
    packet[kTtl] = kTtlOfReplies;
    packet[kProtocol] = wire::kUdp;
    write32(packet, kSource, header.source.v4());
    write32(packet, kDestination, header.destination.v4());
    write16(packet, kHeaderChecksum, internet_checksum(packet.first(kIpv4HeaderLength)));
}

}  // namespace

std::optional<Datagram> parse_datagram(View frame) {
    if (frame.size() < kEthernetHeaderLength) {
        return std::nullopt;
    }
    Datagram datagram;
    datagram.sender_mac = read_mac(frame, kEthSource);
    const View packet = frame.subspan(kEthernetHeaderLength);
    const std::uint16_t type = read16(frame, kEthType);
    const auto opened = type == wire::kIpv4   ? open_ipv4(packet, datagram)
                        : type == wire::kIpv6 ? open_ipv6(packet, datagram)
                                              : std::nullopt;
    if (!opened || opened->size() < kUdpHeaderLength) {
        return std::nullopt;
    }
    const std::size_t length = read16(*opened, kLength);
    if (length < kUdpHeaderLength || length > opened->size()) {
        return std::nullopt;
    }
    datagram.source_port = read16(*opened, kSourcePort);
    datagram.destination_port = read16(*opened, kDestinationPort);
    datagram.payload = opened->subspan(kUdpHeaderLength, length - kUdpHeaderLength);
    return datagram;
}

Frame build_datagram(const DatagramHeader& header, const Payload& payload) {
    const bool v4 = header.destination.is_v4();
    const std::size_t ip_length = v4 ? kIpv4HeaderLength : kIpv6HeaderLength;
    const std::size_t udp_length = kUdpHeaderLength + payload.size();
    std::array<std::uint8_t, kEthernetHeaderLength + kIpv6MinimumMtu> buffer{};
    const auto frame = std::span(buffer).first(kEthernetHeaderLength + ip_length + udp_length);
    write_ethernet_header(frame, header.destination_mac, header.source_mac,
                          v4 ? wire::kIpv4 : wire::kIpv6);
    const auto packet = frame.subspan(kEthernetHeaderLength);
    if (v4) {
        write_ipv4_header(packet, header);
    } else {
        write_ipv6_header(
            frame, {header.source, header.destination, udp_length, wire::kUdp, kTtlOfReplies});
    }
    const auto udp = packet.subspan(ip_length);
    write16(udp, kSourcePort, header.source_port);
    write16(udp, kDestinationPort, header.destination_port);
    write16(udp, kLength, static_cast<std::uint16_t>(udp_length));
    const View bytes = payload.view();
    std::copy(bytes.begin(), bytes.end(), udp.begin() + kUdpHeaderLength);
    // The pseudo-header's addresses are in front of the datagram, as words in one run with it.
    const std::uint16_t sum =
        internet_checksum(packet.subspan(v4 ? kSource : kIpv6Source), udp_length + wire::kUdp);
    write16(udp, kChecksum, sum == 0 ? 0xffff : sum);  // 0 would be "none" (RFC 768).
    Frame built;
    built.append(frame);
    return built;
}

}  // namespace hnv::responder
