// Routing compartments of the userspace datapath: ovs-vswitchd looks up the route of a tunnel
// packet by its pkt_mark and destination, in a table that is filled by its control socket
// (ovs/route/add) and is gone when it restarts. This is the difference between what that table
// holds and what it should hold, and the same for the next hops' MAC addresses.
//
// Found in Open vSwitch 3.1 (lib/ovs-router.c, lib/tnl-ports.c):
//  - a route's source address is looked up once, when it is added; the device must have it by then;
//  - deleting any route of a device stops the termination of tunnels on that device, until a route
//    of it is added again, whichever it is;
//  - routes of every table of the kernel count as mark 0 there, so that a compartment in the kernel
//    as well would be a second default route for everything else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/result.h"

namespace hnv::underlay {

struct SwitchRoute {
    std::uint32_t mark = 0;
    IpPrefix prefix;  // Without host bits.
    std::string device;
    std::optional<IpAddress> gateway;
    IpAddress source;  // What the switch makes of it; it can't be told.

    auto operator<=>(const SwitchRoute&) const = default;
};

// Those of ovs/route/show with marks of the agent's range; lines of any other form are skipped.
[[nodiscard]] std::vector<SwitchRoute> parse_routes(std::string_view shown);

// The (address, bridge) pairs of tnl/neigh/show that are still valid.
[[nodiscard]] std::vector<std::pair<IpAddress, std::string>> parse_neighbours(
    std::string_view shown);

// A command of ovs-appctl.
struct SwitchCommand {
    std::string name;
    std::vector<std::string> arguments;

    bool operator==(const SwitchCommand&) const = default;
};

// What turns `found` into `wanted`, in this order.
[[nodiscard]] std::vector<SwitchCommand> route_commands(std::span<const SwitchRoute> found,
                                                        std::span<const SwitchRoute> wanted);

// The socket of ovs-vswitchd in its run directory: that of the process in its pid file, or the one
// with a fixed name.
[[nodiscard]] std::string switch_control_socket(const std::string& run_dir);

}  // namespace hnv::underlay
