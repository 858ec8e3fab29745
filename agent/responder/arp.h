// ARP (RFC 826, with the terms of RFC 5227) for IPv4 over Ethernet: from a guest's request to the
// reply that the virtual switch gives in the owner's place. Pure: a view of bytes in, values out.
//
// Invariants: parse_arp_request() reads nothing beyond its view, whatever is in it. Every
// ArpRequest it returns has a unicast, non-zero sender MAC that is also the frame's source, so a
// reply can only go back to whoever sent the frame.
//
// Thread: any; only answer_arp() touches shared state, through NeighbourTable::find().
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

// Of Ethernet header and ARP body; what follows in a request is padding.
inline constexpr std::size_t kArpFrameLength = 42;

using ArpReply = std::array<std::uint8_t, kMinimumFrameLength>;

// IPv4 addresses are in host byte order.
struct ArpRequest {
    MacAddress sender_mac;
    std::uint32_t sender_ip = 0;  // 0: a probe (RFC 5227 section 1.1).
    std::uint32_t target_ip = 0;

    bool operator==(const ArpRequest&) const = default;
};

// Why a frame is not a request that could be answered.
enum class ArpError : std::uint8_t {
    Truncated,        // Shorter than kArpFrameLength.
    NotArp,           // Another EtherType; a VLAN tag is one too.
    NotIpv4Ethernet,  // Another hardware or protocol type, or another length of their addresses.
    NotRequest,       // An operation other than 1.
    BadSender,        // MAC multicast, zero or not the frame's source; IP multicast or broadcast.
    BadTarget,        // IP zero, multicast or broadcast: no host has it.
};

[[nodiscard]] std::variant<ArpRequest, ArpError> parse_arp_request(
    std::span<const std::uint8_t> frame);

// What the subnet `vsid` says to the request.
[[nodiscard]] Answer answer_arp(const ArpRequest& request, std::uint32_t vsid,
                                const policy::NeighbourTable& neighbours);

// What is said when `owner` has whatever address is asked for.
[[nodiscard]] Answer answer_arp(const ArpRequest& request, const MacAddress& owner);

// The reply that `target_mac` would have sent to the requester alone, padded with zeros.
[[nodiscard]] ArpReply build_arp_reply(const ArpRequest& request, const MacAddress& target_mac);

}  // namespace hnv::responder
