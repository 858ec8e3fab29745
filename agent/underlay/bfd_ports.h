// The ports that carry BFD sessions: on the integration bridge, a VXLAN port for each session, with
// the other host's provider address and VNI 0.
//
// What comes from that address with VNI 0 is the port's, and nothing else (Open vSwitch 3.1,
// ofproto/tunnel.c: of the ports that fit a packet one with a key and an address of its own goes
// before one that leaves both to the flows); the guests' traffic stays at the tunnel port that all
// share. BFD's own packets are the switch's; others that come by it end in Table::Classify.
//
// Pure functions: an agent that restarts finds the ports as it left them, and the sessions go on.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ovs-integration/vswitch_db.h"
#include "policy/bfd.h"
#include "underlay/provider_address.h"

namespace hnv::underlay {

// At most 15 characters, as the kernel has it; different for different IPv4 addresses.
[[nodiscard]] std::string bfd_port_name(const IpAddress& remote);

// A session whose own address the host does not carry now keeps the port that it has: by which
// routes it is to send is not known before. `addresses`: this host's.
[[nodiscard]] ovs::BfdPortsConfig bfd_ports(std::span<const policy::BfdSession> sessions,
                                            std::span<const ProviderAddressState> addresses);

// One for each session, in their order.
[[nodiscard]] std::vector<policy::BfdState> bfd_states(
    std::span<const policy::BfdSession> sessions, std::span<const ProviderAddressState> addresses,
    const std::map<std::string, ovs::BfdPortFacts>& ports);

}  // namespace hnv::underlay
