// What others than the NAT stage itself know of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ovs-integration/flow.h"
#include "policy/objects.h"

namespace hnv::pipeline {

// The connection tracking zone of a gateway port's translated connections; `vlan` 0: untagged. Two
// ports may share one: ct_mark tells their connections apart.
[[nodiscard]] std::uint16_t nat_zone(std::uint32_t ofport, std::uint16_t vlan);

// The external addresses that the port answers for, each prefix once, ascending.
[[nodiscard]] std::vector<IpPrefix> external_prefixes(const policy::Attachment& attachment);

// The drop flows of a gateway port's attachment, by what their packets count.
struct NatDrops {
    std::string port;
    std::uint32_t ofport = 0;
    std::uint16_t vlan = 0;
    std::uint16_t zone = 0;
    ovs::Flow exhausted;    // No external address and port was left.
    ovs::Flow unsolicited;  // From outside, asked for by nobody.
    ovs::Flow broken;       // Of no connection that is in force.
};
// Empty: the port translates nothing.
[[nodiscard]] std::vector<NatDrops> nat_drops(const policy::PortView& port);

}  // namespace hnv::pipeline
