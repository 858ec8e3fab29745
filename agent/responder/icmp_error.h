// The errors that the distributed router sends: ICMP (RFC 792, RFC 1812 section 4.3, RFC 1191) and
// ICMPv6 (RFC 4443). From the packet that can't go on, as its guest sent it, to the error that goes
// back to this guest. Pure: a view of bytes in, a frame out.
//
// Invariants: nothing beyond the view is read, whatever is in it. An error goes to the MAC and the
// address that the packet came from and to nobody else. There is never an error about an error, nor
// about what was sent to or by more than one, nor about a later fragment (RFC 1812 section 4.3.2.7,
// RFC 4443 section 2.4).
//
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "ovs-integration/address.h"
#include "pipeline/layout.h"
#include "responder/frame.h"

namespace hnv::responder {

// An error is no longer than this, IP header included; it quotes as much of the packet as fits.
inline constexpr std::size_t kIcmpErrorLength = 576;  // RFC 1812 section 4.3.2.3.
inline constexpr std::size_t kIcmpv6ErrorLength = kIpv6MinimumMtu;

// What went wrong, and who says so.
struct IcmpErrorOrder {
    pipeline::IcmpReason reason = pipeline::IcmpReason::None;
    // The router. Zero: it speaks as the packet's destination.
    MacAddress router_mac;
    // Of the packet's family. Zero: the packet's destination.
    IpAddress source;
    // Of the next hop, in bytes of IP; only with IcmpReason::TooBig.
    std::uint32_t mtu = 0;
};

// Why no error is sent.
enum class NoIcmpError : std::uint8_t {
    Malformed,   // Not IP, or a length, version or IPv4 header checksum in it is wrong.
    Suppressed,  // Nobody may be told: see the invariants.
    BadOrder,    // No reason, an address of the other family, or too big without an MTU.
};

// A packet too big is told of whether it forbids fragments (DF) or not: fragments are not made
// here, and a guest that hears the MTU makes them itself.
[[nodiscard]] std::variant<Frame, NoIcmpError> build_icmp_error(std::span<const std::uint8_t> frame,
                                                                const IcmpErrorOrder& order);

}  // namespace hnv::responder
