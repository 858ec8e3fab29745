#include "pipeline/drop_reason.h"

#include "pipeline/layout.h"

namespace hnv::pipeline {

namespace {

using policy::ObjectKind;

constexpr std::uint16_t kAnyPriority = 0xffff;

// A flow that ends a packet; or, when `passed_on`, one after which the packet only serves to tell
// its sender.
struct FlowReason {
    ObjectKind owner;
    Table table;
    std::uint16_t priority;
    std::optional<DropReason> reason;
    bool passed_on = false;
};

// The first that fits says it.
constexpr std::array kFlowReasons{
    FlowReason{ObjectKind::Port, Table::Classify, priority::kLow, DropReason::Blocked},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kMacGuard, DropReason::MacGuard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kSourceGuard, DropReason::MacGuard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kProtocolGuard, DropReason::OtherProtocol},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kArpGuard, DropReason::ArpGuard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kIpv4Guard, DropReason::Ipv4Guard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kIpv6Guard, DropReason::Ipv6Guard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kDiscoveryGuard, DropReason::Ipv6Guard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kRouterGuard, DropReason::RouterGuard},
    FlowReason{ObjectKind::Port, Table::Guard, priority::kDhcpGuard, DropReason::DhcpGuard},
    // Of the firewall: a port that lets nothing pass, what fits no connection, and what its rules
    // said in the tables that answer to FirewallOutState.
    FlowReason{ObjectKind::Port, Table::FirewallOutTrack, kAnyPriority,
               DropReason::FirewallOutbound},
    FlowReason{ObjectKind::Port, Table::FirewallOutState, kAnyPriority,
               DropReason::FirewallOutbound},
    FlowReason{ObjectKind::Port, Table::FirewallOutCommit, kAnyPriority,
               DropReason::FirewallOutbound},
    FlowReason{ObjectKind::Port, Table::FirewallOutLimit, kAnyPriority, DropReason::FlowLimit},
    FlowReason{ObjectKind::Port, Table::Route, priority::kDefault, DropReason::NoDestination, true},
    FlowReason{ObjectKind::Port, Table::Resolve, priority::kDefault, DropReason::NoDestination,
               true},
    FlowReason{ObjectKind::Port, Table::Mapping, priority::kDefault, DropReason::NoDestination},
    // A broadcast that would go back to its sender: nothing is lost.
    FlowReason{ObjectKind::Port, Table::FirewallInTrack, priority::kHigh, std::nullopt},
    FlowReason{ObjectKind::Port, Table::FirewallInTrack, kAnyPriority, DropReason::FirewallInbound},
    FlowReason{ObjectKind::Port, Table::FirewallInState, kAnyPriority, DropReason::FirewallInbound},
    FlowReason{ObjectKind::Port, Table::FirewallInCommit, kAnyPriority,
               DropReason::FirewallInbound},
    FlowReason{ObjectKind::Port, Table::FirewallInLimit, kAnyPriority, DropReason::FlowLimit},
    FlowReason{ObjectKind::Host, Table::Classify, priority::kLow, DropReason::VsidMismatch},
    FlowReason{ObjectKind::Host, Table::Classify, priority::kNormal, DropReason::NotBfd},
    FlowReason{ObjectKind::Host, Table::TunnelGuard, priority::kMiss,
               DropReason::UnknownOuterSource},
    FlowReason{ObjectKind::Host, Table::TunnelGuard, priority::kHigh, DropReason::RouterGuard},
    FlowReason{ObjectKind::Host, Table::Local, priority::kLow, DropReason::NoDestination},
};

constexpr std::uint32_t kMeterKindShift = 16;

[[nodiscard]] std::optional<DropReason> reason_of(MeterKind kind) {
    switch (kind) {
        case MeterKind::Neighbour:
            return DropReason::ArpLimit;
        case MeterKind::Dhcp:
            return DropReason::DhcpLimit;
        case MeterKind::Storm:
            return DropReason::StormLimit;
        case MeterKind::Demand:
            return DropReason::NoDestination;  // There was none yet.
        case MeterKind::QosOut:
            return DropReason::QosOutbound;
        case MeterKind::QosIn:
            return DropReason::QosInbound;
        default:
            return std::nullopt;  // What they drop is not a guest's packet, but what is told of it.
    }
}

}  // namespace

std::string_view to_string(DropReason reason) {
    switch (reason) {
        case DropReason::MacGuard:
            return "mac-guard";
        case DropReason::ArpGuard:
            return "arp-guard";
        case DropReason::Ipv4Guard:
            return "ipv4-guard";
        case DropReason::Ipv6Guard:
            return "ipv6-guard";
        case DropReason::DhcpGuard:
            return "dhcp-guard";
        case DropReason::RouterGuard:
            return "router-guard";
        case DropReason::OtherProtocol:
            return "other-protocol";
        case DropReason::Blocked:
            return "blocked";
        case DropReason::StormLimit:
            return "storm-limit";
        case DropReason::ArpLimit:
            return "arp-limit";
        case DropReason::DhcpLimit:
            return "dhcp-limit";
        case DropReason::FlowLimit:
            return "flow-limit";
        case DropReason::QosOutbound:
            return "qos-outbound";
        case DropReason::FirewallOutbound:
            return "firewall-outbound";
        case DropReason::NoDestination:
            return "no-destination";
        case DropReason::FirewallInbound:
            return "firewall-inbound";
        case DropReason::QosInbound:
            return "qos-inbound";
        case DropReason::VsidMismatch:
            return "vsid-mismatch";
        case DropReason::UnknownOuterSource:
            return "unknown-outer-source";
        case DropReason::NotBfd:
            return "not-bfd";
    }
    return "";
}

bool is_of_host(DropReason reason) {
    return reason == DropReason::VsidMismatch || reason == DropReason::UnknownOuterSource ||
           reason == DropReason::NoDestination || reason == DropReason::RouterGuard ||
           reason == DropReason::NotBfd;
}

bool is_of_port(DropReason reason) {
    return reason != DropReason::VsidMismatch && reason != DropReason::UnknownOuterSource &&
           reason != DropReason::NotBfd;
}

std::optional<DropReason> drop_reason(const ovs::Flow& flow) {
    if ((flow.cookie & kCookieMarkMask) != kCookieMark) {
        return std::nullopt;
    }
    const auto owner = static_cast<ObjectKind>(flow.cookie >> 48 & 0xff);
    for (const FlowReason& each : kFlowReasons) {
        if (each.owner == owner && static_cast<std::uint8_t>(each.table) == flow.table &&
            (each.priority == kAnyPriority || each.priority == flow.priority)) {
            return each.passed_on || flow.instructions.empty() ? each.reason : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<MeterReason> drop_reason_of_meter(std::uint32_t meter_id) {
    const auto reason = reason_of(static_cast<MeterKind>(meter_id >> kMeterKindShift));
    if (!reason) {
        return std::nullopt;
    }
    return MeterReason{*reason, meter_id & ((1U << kMeterKindShift) - 1)};
}

}  // namespace hnv::pipeline
