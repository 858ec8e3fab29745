// The question for a neighbour's MAC address: an ARP request (RFC 826), or a neighbour solicitation
// to the solicited-node multicast address (RFC 4861 section 4.3, RFC 4291 section 2.7.1). And the
// announcement of one's own: gratuitous ARP, or an unsolicited advertisement (section 7.2.6).
//
// A userspace switch learns the MAC address of a next hop from the answers that it sees coming in,
// and asks by itself only when it has a packet for it, which is then lost. In IPv6 the question has
// to go to the multicast address: Linux leaves its MAC address out of the answer to any other.
#pragma once

#include <cstdint>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::underlay {

// A whole Ethernet frame. Precondition: both addresses are of one family.
[[nodiscard]] std::vector<std::uint8_t> neighbour_request(const MacAddress& mac,
                                                          const IpAddress& own,
                                                          const IpAddress& target);

// Tells all neighbours that the address is at this MAC address from now on.
[[nodiscard]] std::vector<std::uint8_t> announcement(const MacAddress& mac, const IpAddress& own);

}  // namespace hnv::underlay
