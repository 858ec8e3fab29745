// What a frame tells of its sender: which port and VLAN it came by, its MAC, and its address if it
// is ARP (RFC 826) or neighbour discovery (RFC 4861).
//
// Pure; any thread.
#pragma once

#include <optional>

#include "ovs-integration/openflow.h"
#include "policy/model.h"

namespace hnv::learning {

// nullopt: not a packet-in of Table::Learn, or its source is no station's MAC. A frame that is cut
// short, or says of its sender what can't be, tells no address.
[[nodiscard]] std::optional<policy::Sighting> read(const ovs::PacketIn& packet_in);

}  // namespace hnv::learning
