#include "underlay/neighbour_request.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <utility>

namespace hnv::underlay {
namespace {

constexpr std::size_t kMapped = 12;  // Bytes before the IPv4 address in its mapped form.
constexpr std::uint16_t kArpType = 0x0806;
constexpr std::uint16_t kIpv6Type = 0x86dd;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kOverride = 0x20;  // Of an advertisement's flags.
constexpr std::uint8_t kSourceLinkLayerAddress = 1;
constexpr std::uint8_t kTargetLinkLayerAddress = 2;
constexpr std::uint8_t kHopLimit = 255;
constexpr std::size_t kDiscoveryLength = 32;  // With its one option.
constexpr std::array<std::uint8_t, 16> kAllNodes{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
// Its last three bytes are those of the address.
constexpr std::array<std::uint8_t, 16> kSolicitedNode{0xff, 2, 0, 0, 0,    0, 0, 0,
                                                      0,    0, 0, 1, 0xff, 0, 0, 0};

class Frame {
  public:
    Frame& put(std::span<const std::uint8_t> bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    Frame& put(std::initializer_list<std::uint8_t> bytes) {
        bytes_.insert(bytes_.end(), bytes);
        return *this;
    }
    Frame& put16(std::uint16_t value) {
        return put({static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
    }
    std::vector<std::uint8_t> take() { return std::move(bytes_); }

  private:
    std::vector<std::uint8_t> bytes_;
};

// RFC 1071 over an even number of bytes.
std::uint16_t checksum(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> arp_request(const MacAddress& mac, const IpAddress& own,
                                      const IpAddress& target) {
    constexpr std::array<std::uint8_t, 6> kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    Frame frame;
    frame.put(kBroadcast).put(mac.bytes).put16(kArpType);
    frame.put16(1).put16(0x0800).put({6, 4}).put16(1);  // Ethernet, IPv4, request.
    frame.put(mac.bytes).put(std::span(own.bytes()).subspan(kMapped));
    frame.put({0, 0, 0, 0, 0, 0}).put(std::span(target.bytes()).subspan(kMapped));
    return frame.take();
}

// What neighbour discovery sends to a group: `flags` are the four bytes behind the checksum,
// `option` is the type of the one that carries the sender's MAC address.
struct Discovery {
    std::uint8_t type;
    std::uint8_t flags;
    std::uint8_t option;
    std::array<std::uint8_t, 16> group;
};

std::vector<std::uint8_t> discovery_frame(const Discovery& what, const MacAddress& mac,
                                          const IpAddress& own, const IpAddress& target) {
    const auto icmp = [&](std::uint16_t sum) {
        Frame frame;
        frame.put({what.type, 0}).put16(sum).put({what.flags, 0, 0, 0}).put(target.bytes());
        return frame.put({what.option, 1}).put(mac.bytes).take();
    };
    Frame pseudo;  // RFC 8200 section 8.1
    pseudo.put(own.bytes()).put(what.group).put16(0).put16(kDiscoveryLength);
    pseudo.put({0, 0, 0, kIcmpv6}).put(icmp(0));

    Frame frame;
    frame.put({0x33, 0x33}).put(std::span(what.group).last(4)).put(mac.bytes).put16(kIpv6Type);
    frame.put({0x60, 0, 0, 0}).put16(kDiscoveryLength).put({kIcmpv6, kHopLimit});
    frame.put(own.bytes()).put(what.group).put(icmp(checksum(pseudo.take())));
    return frame.take();
}

std::vector<std::uint8_t> solicitation(const MacAddress& mac, const IpAddress& own,
                                       const IpAddress& target) {
    Discovery what{kSolicitation, 0, kSourceLinkLayerAddress, kSolicitedNode};
    std::copy_n(target.bytes().end() - 3, 3, what.group.end() - 3);
    return discovery_frame(what, mac, own, target);
}

}  // namespace

std::vector<std::uint8_t> neighbour_request(const MacAddress& mac, const IpAddress& own,
                                            const IpAddress& target) {
    return own.is_v4() ? arp_request(mac, own, target) : solicitation(mac, own, target);
}

std::vector<std::uint8_t> announcement(const MacAddress& mac, const IpAddress& own) {
    if (own.is_v4()) {
        return arp_request(mac, own, own);
    }
    const Discovery what{kAdvertisement, kOverride, kTargetLinkLayerAddress, kAllNodes};
    return discovery_frame(what, mac, own, own);
}

}  // namespace hnv::underlay
