// What to make of the policy's provider addresses on this host, and of the uplinks whose VLANs it
// names: a pure function of these and of the host's and the switch's state.
//
//   carried by an interface of the host's own    adopted: nothing is made or changed
//   else, uplink is a bridge of Open vSwitch      an internal port on it
//   else, uplink is a NIC in no bridge            a bridge of the agent's own with the NIC, and an
//                                                 internal port on that
//   else                                          refused, with a sentence that says what to do
//
// An adopted address is reached by the host's own routing table (mark 0). Only if the host has
// several provider addresses of its family, and its row names a gateway, it gets a compartment of
// its own as well: without one there would be nothing in it that the host's table has not.
//
// An uplink for VLANs is a bridge, or a NIC, in the same way; a patch leads there from the
// integration bridge. Its bridge, if it is not the agent's own, is not changed otherwise.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/host_addresses.h"
#include "ovs-integration/uplink_ports.h"
#include "underlay/provider_address.h"

namespace hnv::underlay {

// What the plan is made from, besides the rows. Borrowed.
struct Surroundings {
    std::string_view integration_bridge;
    // Of the integration bridge; empty: not known yet, and nothing is made.
    std::string_view datapath_type;
    std::span<const ovs::SwitchBridge> bridges;
    std::span<const ovs::HostAddress> addresses;
    std::span<const ovs::HostLink> links;
    // Addresses that the host carried until a moment ago: its own configuration may be about to
    // give them back, and they are not made meanwhile.
    std::span<const IpAddress> awaited{};
};

enum class Means : std::uint8_t {
    Adopted,
    Made,
    Undecided,  // Not before the switch is known.
    Refused,
};

struct PlannedAddress {
    ProviderAddressConfig config;
    Means means = Means::Undecided;
    std::string interface;  // Adopted or Made; else empty.
    std::string bridge;     // Made: that of the interface.
    MacAddress mac;         // Made.
    std::uint32_t mark = 0;
    IpPrefix neighbours;  // Who is reached without a gateway.
    std::string problem;  // Refused: why.

    bool operator==(const PlannedAddress&) const = default;
};

// An uplink whose VLANs the integration bridge is to reach.
struct PlannedUplink {
    std::string uplink;
    std::string port;     // The patch's end on the integration bridge; empty: undecided, refused.
    std::string problem;  // Refused: why.

    bool operator==(const PlannedUplink&) const = default;
};

// A device that would answer ARP for provider addresses beside it, and the arp_ignore that stops
// it.
struct QuietDevice {
    std::string name;
    int arp_ignore = 0;

    bool operator==(const QuietDevice&) const = default;
};

struct Plan {
    std::vector<PlannedAddress> addresses;  // One for each row, in their order.
    std::vector<PlannedUplink> uplinks;     // One for each uplink, in their order.
    std::vector<ovs::OwnBridge> bridges;
    std::vector<ovs::OwnPort> ports;
    std::vector<ovs::OwnPatch> patches;
    std::vector<QuietDevice> quiet;

    bool operator==(const Plan&) const = default;
};

// `uplinks`: for VLANs, unique.
[[nodiscard]] Plan make_plan(std::span<const ProviderAddressConfig> rows,
                             std::span<const std::string> uplinks, const Surroundings& around);

}  // namespace hnv::underlay
