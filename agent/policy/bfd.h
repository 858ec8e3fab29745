// BFD (RFC 5880) to other hosts, as values: which sessions there shall be, and what the switch says
// of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "ovs-integration/address.h"

namespace hnv::policy {

// The most sessions that a host keeps: each costs the switch packets, and a port of its bridge.
inline constexpr std::size_t kMaxBfdSessions = 256;

// A session through VXLAN, beside the tunnel that carries the guests' packets, with VNI 0. One for
// each remote provider address.
struct BfdSession {
    IpAddress remote;
    IpAddress local;  // One of this host's, of the same family.
    // In Open vSwitch's words (Interface.bfd, ovs-vswitchd.conf.db(5)).
    std::map<std::string, std::string> settings;

    bool operator==(const BfdSession&) const = default;
};

struct BfdState {
    IpAddress remote;
    std::uint32_t ofport = 0;  // Of its port; 0: there is none yet.
    // In Open vSwitch's words (Interface.bfd_status); empty: nothing is known yet.
    std::map<std::string, std::string> status{};
    // Why there can be no session, for a person; empty when all is well.
    std::string problem{};

    bool operator==(const BfdState&) const = default;
};

}  // namespace hnv::policy
