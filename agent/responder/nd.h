// Neighbour discovery (RFC 4861) over Ethernet (RFC 2464): from a guest's neighbour solicitation to
// the advertisement that the virtual switch gives in the owner's place. Pure: a view of bytes in,
// values out.
//
// Invariants: parse_neighbour_solicitation() reads nothing beyond its view, whatever is in it.
// Every solicitation it returns is valid by RFC 4861 section 7.1.1 and comes from a unicast,
// non-zero MAC which is the one it gives as its own, so an advertisement can only go to whoever
// sent the frame.
//
// Thread: any; only answer_solicitation() touches shared state, through NeighbourTable::find().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "ovs-integration/address.h"
#include "policy/neighbours.h"
#include "responder/answer.h"
#include "responder/frame.h"

namespace hnv::responder {

// Of Ethernet header, IPv6 header and a solicitation without options.
inline constexpr std::size_t kSolicitationFrameLength = 78;
// With one option, of 8 bytes.
using NeighbourAdvertisement = std::array<std::uint8_t, kSolicitationFrameLength + 8>;

struct NeighbourSolicitation {
    MacAddress sender_mac;
    IpAddress source;  // "::": duplicate address detection (RFC 4862 section 5.4).
    IpAddress target;

    bool operator==(const NeighbourSolicitation&) const = default;
};

// Why a frame is not a solicitation that could be answered.
enum class NdError : std::uint8_t {
    Truncated,        // Shorter than kSolicitationFrameLength, or than its IPv6 header says.
    NotSolicitation,  // Another EtherType, version, next header (so any extension header, and with
                      // it any fragment) or ICMPv6 type.
    BadHopLimit,      // Not 255: it may come from beyond the link.
    BadMessage,       // A length below 24 bytes, a code other than 0, or a wrong checksum.
    BadSender,        // MAC multicast or zero; IP multicast or v4-mapped; "::" to another address
                      // than a solicited-node one, or with a source link-layer address.
    BadTarget,        // Zero, multicast or v4-mapped: no host has it.
    BadOption,  // Of no length or beyond the end; a source link-layer address that is not the MAC.
};

[[nodiscard]] std::variant<NeighbourSolicitation, NdError> parse_neighbour_solicitation(
    std::span<const std::uint8_t> frame);

// What the subnet `vsid` says to the solicitation.
[[nodiscard]] Answer answer_solicitation(const NeighbourSolicitation& solicitation,
                                         std::uint32_t vsid,
                                         const policy::NeighbourTable& neighbours);

// What is said when `owner` has whatever address is asked for.
[[nodiscard]] Answer answer_solicitation(const NeighbourSolicitation& solicitation,
                                         const MacAddress& owner);

// The advertisement that `target_mac` would have sent; `is_router` is its R flag. It overrides what
// the guest has heard before (O), since the policy is the one that knows. To duplicate address
// detection it goes to all nodes (RFC 4861 section 7.2.4), else to the sender alone.
[[nodiscard]] NeighbourAdvertisement build_neighbour_advertisement(
    const NeighbourSolicitation& solicitation, const MacAddress& target_mac, bool is_router);

}  // namespace hnv::responder
