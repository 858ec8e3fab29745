// DHCP (RFC 2131, options of RFC 2132; rapid commit of RFC 4039) for one guest: from its message to
// the answer that its configuration gives. Pure: a view of bytes and a configuration in, a frame
// out. There is no state: the guest's one address is its own for as long as the policy says so.
//
// Invariants: nothing beyond the view is read, whatever is in it. Nothing is said but to the
// guest's own MAC, whatever a message names; nor to a message that a relay has passed on.
//
// Thread: any.
#pragma once

#include <span>

#include "policy/leases.h"
#include "responder/guest_reply.h"

namespace hnv::responder {

// Ignored as a whole if the configuration has no IPv4 address.
[[nodiscard]] GuestReply answer_dhcp(std::span<const std::uint8_t> frame,
                                     const policy::GuestConfig& config);

}  // namespace hnv::responder
