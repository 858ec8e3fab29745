// DHCPv6 (RFC 8415; name servers of RFC 3646) for one guest: from its message to the answer that
// its configuration gives. Pure: a view of bytes and a configuration in, a frame out. There is no
// state: the guest's one address is its own for as long as the policy says so.
//
// Invariants: nothing beyond the view is read, whatever is in it. Nothing is said but to the MAC
// and the link-local address that the message came from, and only if the MAC is the guest's own.
//
// Thread: any.
#pragma once

#include <span>

#include "policy/leases.h"
#include "responder/guest_reply.h"

namespace hnv::responder {

// Ignored as a whole if the configuration has no IPv6 address.
[[nodiscard]] GuestReply answer_dhcpv6(std::span<const std::uint8_t> frame,
                                       const policy::GuestConfig& config);

}  // namespace hnv::responder
