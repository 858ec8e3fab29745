// What the protocols of the responder share: reading a guest's frame, building the reply, and the
// Internet checksum. Numbers on the wire are big-endian, numbers in variables the host's.
//
// Invariant: nothing here checks a bound. A parser compares lengths once, before it reads; what a
// builder puts into a Frame is below Frame::kCapacity by its protocol's own limit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ovs-integration/address.h"

namespace hnv::responder {

inline constexpr std::size_t kEthernetHeaderLength = 14;
inline constexpr std::size_t kVlanTagLength = 4;
// The shortest Ethernet frame without its checksum (IEEE 802.3).
inline constexpr std::size_t kMinimumFrameLength = 60;
// What every link of IPv6 carries (RFC 8200 section 5), and the longest packet built here.
inline constexpr std::size_t kIpv6MinimumMtu = 1280;

// Offsets into an Ethernet frame without a VLAN tag.
inline constexpr std::size_t kEthDestination = 0;
inline constexpr std::size_t kEthSource = 6;
inline constexpr std::size_t kEthType = 12;

// Offsets into an IPv6 packet (RFC 8200 section 3), and the length of its fixed header.
inline constexpr std::size_t kIpv6PayloadLength = 4;
inline constexpr std::size_t kIpv6NextHeader = 6;
inline constexpr std::size_t kIpv6HopLimit = 7;
inline constexpr std::size_t kIpv6Source = 8;
inline constexpr std::size_t kIpv6Destination = 24;
inline constexpr std::size_t kIpv6HeaderLength = 40;

using View = std::span<const std::uint8_t>;

[[nodiscard]] inline std::uint16_t read16(View bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

[[nodiscard]] inline std::uint32_t read32(View bytes, std::size_t at) {
    return static_cast<std::uint32_t>(read16(bytes, at)) << 16 | read16(bytes, at + 2);
}

[[nodiscard]] inline MacAddress read_mac(View bytes, std::size_t at) {
    MacAddress mac;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac;
}

// An address of an IPv6 packet. One that is v4-mapped reads as IPv4 (see IpAddress): it is never on
// the wire, so a parser refuses it.
[[nodiscard]] inline IpAddress read_ipv6(View bytes, std::size_t at) {
    std::array<std::uint8_t, 16> address{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), address.size(), address.begin());
    return IpAddress::from_v6(address);
}

inline void write16(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

inline void write32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
    write16(bytes, at, static_cast<std::uint16_t>(value >> 16));
    write16(bytes, at + 2, static_cast<std::uint16_t>(value));
}

inline void write_mac(std::span<std::uint8_t> bytes, std::size_t at, const MacAddress& mac) {
    std::copy(mac.bytes.begin(), mac.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

inline void write_ipv6(std::span<std::uint8_t> bytes, std::size_t at, const IpAddress& address) {
    std::copy(address.bytes().begin(), address.bytes().end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

inline void write_ethernet_header(std::span<std::uint8_t> frame, const MacAddress& destination,
                                  const MacAddress& source, std::uint16_t type) {
    write_mac(frame, kEthDestination, destination);
    write_mac(frame, kEthSource, source);
    write16(frame, kEthType, type);
}

struct Ipv6Header {
    IpAddress source;
    IpAddress destination;
    std::size_t payload_length = 0;
    std::uint8_t next_header = 0;
    std::uint8_t hop_limit = 0;
};

// Behind the Ethernet header; without traffic class and flow label.
inline void write_ipv6_header(std::span<std::uint8_t> frame, const Ipv6Header& header) {
    const auto packet = frame.subspan(kEthernetHeaderLength);
    write32(packet, 0, std::uint32_t{6} << 28);
    write16(packet, kIpv6PayloadLength, static_cast<std::uint16_t>(header.payload_length));
    packet[kIpv6NextHeader] = header.next_header;
    packet[kIpv6HopLimit] = header.hop_limit;
    write_ipv6(packet, kIpv6Source, header.source);
    write_ipv6(packet, kIpv6Destination, header.destination);
}

// 224.0.0.0/4 (RFC 5771) and 255.255.255.255 (RFC 919) are never one host's. A subnet's own
// broadcast address is not known here; no policy has a mapping for it.
[[nodiscard]] inline bool is_group_v4(std::uint32_t ip) {
    return ip >> 28 == 0xe || ip == 0xffffffffU;
}

[[nodiscard]] inline bool is_group_v6(const IpAddress& ip) { return ip.bytes()[0] == 0xff; }

// Whether a frame may be sent to it and from it.
[[nodiscard]] inline bool is_one_station(const MacAddress& mac) {
    return !mac.is_multicast() && mac != MacAddress{};
}

// RFC 1071, of a message whose checksum field is zero; of one with its checksum in place it is zero
// when that is right. `initial` adds what is not in the bytes, as a sum of 16 bit words.
[[nodiscard]] inline std::uint16_t internet_checksum(View bytes, std::uint64_t initial = 0) {
    std::uint64_t sum = initial;
    const std::size_t whole = bytes.size() / 2 * 2;
    for (std::size_t at = 0; at < whole; at += 2) {
        sum += read16(bytes, at);
    }
    if (whole < bytes.size()) {
        sum += static_cast<std::uint64_t>(bytes[whole]) << 8;
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

// The checksum of ICMPv6 with its pseudo-header (RFC 4443 section 2.3), of a whole IPv6 packet that
// has no extension headers and nothing behind its payload.
[[nodiscard]] inline std::uint16_t icmpv6_checksum(View packet) {
    constexpr std::uint64_t kProtocol = 58;
    // The length is below 2^16, so it and the protocol are one word each. The addresses are a
    // multiple of two bytes and in front of the message, so that all is one run of words.
    return internet_checksum(packet.subspan(kIpv6Source),
                             packet.size() - kIpv6HeaderLength + kProtocol);
}

// A whole frame: a bounded buffer, since one of a hundred thousand replies a second should not cost
// an allocation.
class Frame {
  public:
    static constexpr std::size_t kCapacity =
        kEthernetHeaderLength + kVlanTagLength + kIpv6MinimumMtu;

    // The bytes stay unset, and a copy is of those that are in use: most frames are short.
    Frame() noexcept {}
    Frame(const Frame& other) noexcept { append(other); }
    Frame& operator=(const Frame& other) noexcept {
        if (this != &other) {
            size_ = 0;
            append(other);
        }
        return *this;
    }
    ~Frame() = default;

    [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const std::uint8_t* begin() const { return data(); }
    [[nodiscard]] const std::uint8_t* end() const { return data() + size_; }
    [[nodiscard]] View from(std::size_t at) const { return View(*this).subspan(at); }

    void append(View bytes) {
        std::copy(bytes.begin(), bytes.end(), bytes_.data() + size_);
        size_ += bytes.size();
    }
    void set16(std::size_t at, std::uint16_t value) { write16(bytes_, at, value); }

    // Puts a customer VLAN tag (IEEE 802.1Q) behind the MAC addresses; once, for it has room.
    void insert_vlan_tag(std::uint16_t tci) {
        constexpr std::uint16_t kCustomerTag = 0x8100;
        std::copy_backward(bytes_.data() + kEthType, bytes_.data() + size_,
                           bytes_.data() + size_ + kVlanTagLength);
        size_ += kVlanTagLength;
        set16(kEthType, kCustomerTag);
        set16(kEthType + 2, tci);
    }

    friend bool operator==(const Frame& one, const Frame& other) {
        return std::equal(one.begin(), one.end(), other.begin(), other.end());
    }

  private:
    std::array<std::uint8_t, kCapacity> bytes_;
    std::size_t size_ = 0;
};

}  // namespace hnv::responder
