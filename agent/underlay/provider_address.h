// A provider address as the policy wants it, and what became of it; and the names, numbers and MAC
// addresses that the agent derives for it. All are pure functions, so that an agent that restarts
// finds its work again and the flows that carry a mark stay as they are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ovs-integration/address.h"

namespace hnv::underlay {

// A row of Provider_Address. A prefix of full length stands for none.
struct ProviderAddressConfig {
    IpPrefix address;
    std::optional<IpAddress> gateway;
    std::optional<std::uint16_t> vlan;  // 1..4094
    std::optional<MacAddress> mac;
    std::string uplink;  // A NIC or a bridge of the local Open vSwitch; may be empty.

    bool operator==(const ProviderAddressConfig&) const = default;
};

struct ProviderAddressState {
    IpAddress address;
    std::string interface;  // Of the host, the one that carries it or is to; empty: none.
    // The host carries the address, on an interface that is up.
    bool present = false;
    // By the agent; else it was the host's and was adopted.
    bool made = false;
    // The pkt_mark that selects its routing compartment; 0: the host's own routing table.
    std::uint32_t mark = 0;
    unsigned mtu = 0;  // Of the interface; 0: unknown.
    // What keeps it from being carried or used, for a person; empty when all is well.
    std::string problem;

    bool operator==(const ProviderAddressState&) const = default;
};

// Marks of compartments are in this range, and with them, on the kernel's datapath, the routing
// tables: marks outside are an administrator's.
inline constexpr std::uint32_t kFirstMark = 0x48000000;
inline constexpr std::uint32_t kLastMark = 0x48ffffff;

// One mark for each address: a hash of it; of two that meet, the greater address gets the next free
// one.
[[nodiscard]] std::map<IpAddress, std::uint32_t> marks_of(
    std::span<const ProviderAddressConfig> addresses);

// The interface of a made address, "hnvpa-" and the mark's lower 24 bits.
[[nodiscard]] std::string interface_name(std::uint32_t mark);
[[nodiscard]] bool is_interface_name(std::string_view name);
// The agent's own bridge around a NIC: "hnvu-" and the NIC's name, or a hash of it if that is long.
// At most 15 characters, as the kernel has it.
[[nodiscard]] std::string bridge_name(std::string_view nic);

// The ends of the patch to an uplink: on the integration bridge, "hnvt-", and on the uplink's,
// "hnvv-", with 24 bits of a hash of the uplink's name.
struct PatchNames {
    std::string inner;
    std::string outer;
};
[[nodiscard]] PatchNames patch_names(std::string_view uplink);

// Locally administered, and different for different IPv4 addresses.
[[nodiscard]] MacAddress interface_mac(const IpAddress& address);
// Of the local port of the agent's own bridge; never the NIC's.
[[nodiscard]] MacAddress bridge_mac(const MacAddress& nic);

}  // namespace hnv::underlay
