// The tables of layout.h as the layers that an operator knows: which tables are which layer, which
// layers a packet passes in each direction, and why a packet ends in a table.
//
// Pure, and the only place with this knowledge. A table that this page does not know (of an agent
// of another version) is in no layer, and is told by its number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pipeline/layout.h"

namespace hnv::pipeline {

// In the order in which a packet passes them.
enum class Layer : std::uint8_t {
    Port,
    TunnelGuard,
    Guard,
    Learning,
    Neighbour,
    Dhcp,
    Storm,
    QosOut,
    MirrorOut,
    Dnat,
    FirewallOut,
    FirewallOutAdmin,
    FirewallOutController,
    Insertion,
    Router,
    Balance,
    Switch,
    Mapping,
    Replication,
    FirewallIn,
    FirewallInAdmin,
    FirewallInController,
    Snat,
    QosIn,
    MirrorIn,
    Deliver,
    Tunnel,
    IcmpError,
};
inline constexpr unsigned kLayerCount = static_cast<unsigned>(Layer::IcmpError) + 1;

struct LayerInfo {
    Layer layer{};
    std::string_view name;   // As on a command line: "firewall-out-admin".
    std::string_view title;  // What it decides, for a person.
    bool out = false;        // Passed by what a guest sends; up to the port or tunnel it leaves by.
    bool in = false;         // Passed by what a guest is sent, from the tunnel on.
};

// All of them, in order.
[[nodiscard]] std::span<const LayerInfo> layers();
[[nodiscard]] const LayerInfo& info_of(Layer layer);
[[nodiscard]] std::optional<Layer> layer_named(std::string_view name);

// Of a table by its number in the switch.
[[nodiscard]] std::optional<Layer> layer_of(unsigned table);
// The layer's name; of an unknown table "table 77".
[[nodiscard]] std::string layer_name(unsigned table);

// Whether the layer's flows are rules of ms_firewall, and whose.
struct RuleGroup {
    policy::Direction direction{};
    policy::RuleLayer layer{};
};
[[nodiscard]] std::optional<RuleGroup> rules_in(Layer layer);

// Whether the table passes on, or drops, all of a port whose rules allow all, or block all: then no
// rule is asked.
[[nodiscard]] bool judges_without_rules(unsigned table);

// Which of the bands of layout.h's `priority` a flow is in, in a word: "rules", "default", …
[[nodiscard]] std::string_view priority_class(unsigned table, std::uint16_t flow_priority);

// Why a packet that a flow of this table dropped was dropped, as what comes behind "dropped: ".
[[nodiscard]] std::string_view why_dropped(unsigned table, std::uint16_t flow_priority);
// What the distributed router tells the sender of a packet, by Reg::Reason.
[[nodiscard]] std::string_view why_icmp_error(std::uint32_t reason);
// What the agent is asked by a packet-in; of an unknown kind "to the agent".
[[nodiscard]] std::string_view what_is_asked(unsigned packet_in_kind);

// The kind of object that owns a flow, by its cookie, in a word; empty if the flow is not the
// agent's.
[[nodiscard]] std::string_view owner_kind(std::uint64_t cookie);
// Whether it is of a firewall rule: tell_in() is then that of the rule's id.
[[nodiscard]] bool owned_by_rule(std::uint64_t cookie);
[[nodiscard]] constexpr std::uint64_t tell_in(std::uint64_t cookie) {
    return cookie & 0xffff'ffff'ffffULL;
}

}  // namespace hnv::pipeline
