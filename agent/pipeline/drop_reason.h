// Why the switch drops a packet, as its flows and meters tell it: one table says which flow, and
// which meter, stands for which reason.
//
// A flow is known by the kind of object that owns it (its cookie), its table and its priority; so a
// reason costs no mark in the flow. What has no reason here is no drop, or nobody's to be told of.
//
// Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ovs-integration/flow.h"

namespace hnv::pipeline {

// The names, to_string(), are part of the contract with the operator: documented in hnvctl(8).
enum class DropReason : std::uint8_t {
    // Of a port: what it sent …
    MacGuard,
    ArpGuard,
    Ipv4Guard,
    Ipv6Guard,
    DhcpGuard,
    RouterGuard,
    OtherProtocol,
    Blocked,
    StormLimit,
    ArpLimit,
    DhcpLimit,
    FlowLimit,
    QosOutbound,
    FirewallOutbound,
    NoDestination,
    // … and what it was to be sent.
    FirewallInbound,
    QosInbound,
    // Of the host: what came by a tunnel; NoDestination and RouterGuard too.
    VsidMismatch,
    UnknownOuterSource,
    NotBfd,
};
inline constexpr std::array kDropReasons{
    DropReason::MacGuard,           DropReason::ArpGuard,         DropReason::Ipv4Guard,
    DropReason::Ipv6Guard,          DropReason::DhcpGuard,        DropReason::RouterGuard,
    DropReason::OtherProtocol,      DropReason::Blocked,          DropReason::StormLimit,
    DropReason::ArpLimit,           DropReason::DhcpLimit,        DropReason::FlowLimit,
    DropReason::QosOutbound,        DropReason::FirewallOutbound, DropReason::NoDestination,
    DropReason::FirewallInbound,    DropReason::QosInbound,       DropReason::VsidMismatch,
    DropReason::UnknownOuterSource, DropReason::NotBfd,
};
[[nodiscard]] std::string_view to_string(DropReason reason);

// Of a host's packets out of a tunnel, which no port is to answer for.
[[nodiscard]] bool is_of_host(DropReason reason);
[[nodiscard]] bool is_of_port(DropReason reason);

// What the packets that met the flow were dropped for.
[[nodiscard]] std::optional<DropReason> drop_reason(const ovs::Flow& flow);

struct MeterReason {
    DropReason reason{};
    std::uint32_t ofport = 0;  // Of the port whose packets the meter drops.
};
[[nodiscard]] std::optional<MeterReason> drop_reason_of_meter(std::uint32_t meter_id);

}  // namespace hnv::pipeline
