// Bindings of ports to virtual subnets (Physical_Port.vlan_bindings), and what they have carried.
#pragma once

#include <cstdint>
#include <map>

#include "policy/objects.h"
#include "policy/specs.h"

namespace hnv::policy {

// A row of Physical_Port, and a VLAN of it (0: untagged).
struct BindingKey {
    RowRef port;
    std::uint16_t vlan = 0;
    auto operator<=>(const BindingKey&) const = default;
};

struct Traffic {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  // Of Ethernet frames, without the frame check sequence.
    bool operator==(const Traffic&) const = default;
};

// Logical_Binding_Stats.
struct BindingTraffic {
    Traffic from_local;  // What the guest sent into the subnet.
    Traffic to_local;    // What the guest was delivered of it.
    bool operator==(const BindingTraffic&) const = default;
};

using BindingTotals = std::map<BindingKey, BindingTraffic>;

// A binding in force. Pointers are borrowed: valid inside the callback that received them.
struct BindingStatus {
    BindingKey key;
    Uuid subnet;                             // Its Logical_Switch.
    const PortView* port = nullptr;          // With `attachment`.
    const Attachment* attachment = nullptr;  // Null: nothing passes.
};

}  // namespace hnv::policy
