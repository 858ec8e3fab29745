// UDP datagrams in Ethernet frames, in either version of IP: what DHCP and DHCPv6 come in, and how
// they are answered. Pure: a view of bytes in, values out.
//
// Invariant: parse_datagram() reads nothing beyond its view, whatever is in it.
//
// Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ovs-integration/address.h"
#include "responder/frame.h"

namespace hnv::responder {

inline constexpr std::size_t kUdpHeaderLength = 8;
// What a Frame has room for behind IPv6 and UDP headers.
inline constexpr std::size_t kPayloadCapacity =
    kIpv6MinimumMtu - kIpv6HeaderLength - kUdpHeaderLength;

struct Datagram {
    MacAddress sender_mac;
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    View payload;  // Of the frame.
};

// nullopt: not a whole datagram without IPv6 extension headers, or its IPv4 header's checksum is
// wrong. Its own checksum is not looked at: it has come from this host's memory, and a guest that
// leaves checksums to its adapter has not made it yet.
[[nodiscard]] std::optional<Datagram> parse_datagram(View frame);

// The payload of a datagram, as it is written. What does not fit is left out, so whoever writes
// what may be long asks for room() before.
class Payload {
  public:
    void put8(std::uint8_t value) { put(std::array{value}); }
    void put16(std::uint16_t value) {
        std::array<std::uint8_t, 2> bytes{};
        write16(bytes, 0, value);
        put(bytes);
    }
    void put32(std::uint32_t value) {
        std::array<std::uint8_t, 4> bytes{};
        write32(bytes, 0, value);
        put(bytes);
    }
    void put(View bytes) {
        if (bytes.size() <= room()) {
            std::copy(bytes.begin(), bytes.end(),
                      bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
            size_ += bytes.size();
        }
    }
    void put_zeros(std::size_t count) {
        for (; count > 0; --count) {
            put8(0);
        }
    }
    void set16(std::size_t at, std::uint16_t value) { write16(bytes_, at, value); }

    [[nodiscard]] std::size_t room() const { return bytes_.size() - size_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] View view() const { return View(bytes_).first(size_); }

  private:
    std::array<std::uint8_t, kPayloadCapacity> bytes_{};
    std::size_t size_ = 0;
};

struct DatagramHeader {
    MacAddress destination_mac;
    MacAddress source_mac;
    IpAddress source;  // Of the destination's family.
    IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

// With all checksums.
[[nodiscard]] Frame build_datagram(const DatagramHeader& header, const Payload& payload);

}  // namespace hnv::responder
