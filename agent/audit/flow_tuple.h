// What tells one flow from another: a frame's addresses, protocol and ports. Pure: a view of bytes
// in, a value out.
//
// Invariant: nothing beyond the view is read, whatever is in it. The view may be the beginning of a
// longer frame: what is behind its end is not told, and not an error. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ovs-integration/address.h"

namespace hnv::audit {

struct FlowTuple {
    struct Ports {
        std::uint16_t source = 0;
        std::uint16_t destination = 0;
        bool operator==(const Ports&) const = default;
    };
    struct Icmp {
        std::uint8_t type = 0;
        std::uint8_t code = 0;
        bool operator==(const Icmp&) const = default;
    };
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;  // Behind the extension headers of IPv6.
    // Of the protocols that have them; not of a later fragment.
    std::optional<Ports> ports{};
    std::optional<Icmp> icmp{};  // Of ICMP and ICMPv6.

    bool operator==(const FlowTuple&) const = default;
};

// `frame`: Ethernet without a VLAN tag. nullopt: not IPv4 (RFC 791) or IPv6 (RFC 8200), or cut
// before the end of that header.
[[nodiscard]] std::optional<FlowTuple> parse_flow(std::span<const std::uint8_t> frame);

}  // namespace hnv::audit
