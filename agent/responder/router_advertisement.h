// Router discovery (RFC 4861 sections 4.1 and 4.2; name servers of RFC 8106) for one guest: the
// advertisement of the distributed router, from its link-local address. Pure: bytes and a
// configuration in, a frame out.
//
// The guest is told to get its address by DHCPv6 (M and O flags) and never to make one itself
// (A flag): nobody would let it use that.
//
// Invariants: nothing beyond the view is read, whatever is in it. A solicitation is answered to the
// MAC that it came from alone, and only if that is the guest's own.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ovs-integration/address.h"
#include "policy/leases.h"
#include "responder/guest_reply.h"

namespace hnv::responder {

// How long a guest keeps its default route (RFC 8319 section 4: the longest there is), so that an
// agent that is away for hours costs no guest its route.
inline constexpr std::uint16_t kRouterLifetimeSeconds = 65535;

[[nodiscard]] GuestReply answer_router_solicitation(std::span<const std::uint8_t> frame,
                                                    const policy::GuestConfig& config);

// `to`: whom; nullopt: all nodes, as a router does unasked.
struct AdvertisementAddress {
    MacAddress mac;
    IpAddress ip;
};
// Precondition: the configuration has an IPv6 address.
[[nodiscard]] Frame build_router_advertisement(const policy::GuestConfig& config,
                                               const std::optional<AdvertisementAddress>& to);

}  // namespace hnv::responder
