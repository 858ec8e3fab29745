// One declaration for each stage and kind of object; one file for each stage.
//
// All are pure: the same view gives the same flows. Each appends to `out` the flows that the object
// has in the stage's table.
#pragma once

#include "pipeline/flow_set.h"
#include "policy/objects.h"

namespace hnv::pipeline {

// classify.cpp
// The flows that what a port sends into one subnet meets, and nothing else.
void classify_attachment(const policy::PortView& port, const policy::Attachment& attachment,
                         std::uint64_t cookie, FlowSet& out);
void classify_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void classify_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void classify_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out);

// tunnel_guard.cpp
void tunnel_guard_peer(const policy::PeerView& peer, std::uint64_t cookie, FlowSet& out);
void tunnel_guard_router(const policy::RouterView& router, std::uint64_t cookie, FlowSet& out);
void tunnel_guard_host(std::uint64_t cookie, FlowSet& out);

// guard.cpp
void guard_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void guard_host(std::uint64_t cookie, FlowSet& out);
// What only a router, or a DHCP server, sends ends in the table.
void guard_against_router(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void guard_against_dhcp_server(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
// Router and neighbour discovery (RFC 4861) from a guest or from another host ends in the table:
// whoever sends it could speak for another.
void drop_discovery(Table table, std::uint64_t cookie, FlowSet& out);

// neighbour.cpp
void neighbour_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
// Of a port of hardware_vtep, in Table::Router: those for the distributed router alone.
void neighbour_vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void neighbour_host(std::uint64_t cookie, FlowSet& out);

// dhcp.cpp
void dhcp_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void dhcp_host(std::uint64_t cookie, FlowSet& out);

// learn.cpp
void learn_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void learned_mac(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out);
void learn_host(std::uint64_t cookie, FlowSet& out);

// storm.cpp
void storm_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void storm_host(std::uint64_t cookie, FlowSet& out);

// qos.cpp
void qos_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void qos_host(std::uint64_t cookie, FlowSet& out);

// mirror.cpp: Tables MirrorOut and MirrorIn, and in Classify and TunnelGuard what other hosts send
void mirror_service(const policy::ServiceView& service, std::uint64_t cookie, FlowSet& out);
void mirror_host(std::uint64_t cookie, FlowSet& out);

// nat.cpp
// A gateway port's; nothing for a port without translations.
void nat_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void nat_host(std::uint64_t cookie, FlowSet& out);

// insertion.cpp
void insertion_service(const policy::ServiceView& service, std::uint64_t cookie, FlowSet& out);
void insertion_host(std::uint64_t cookie, FlowSet& out);

// firewall.cpp
void firewall_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void firewall_host(std::uint64_t cookie, FlowSet& out);

// firewall_rules.cpp
void firewall_rules(const policy::RulesView& view, FlowSet& out);
// Of the flows of a rule, by its id: those of a group of ports, or of one port.
[[nodiscard]] std::uint64_t rule_cookie(bool shared, std::string_view rule_id);

// audit.cpp
void audit_host(const policy::HostView& host, FlowSet& out);

// vtep_port.cpp: of a port of hardware_vtep, instead of guard, neighbour and firewall
void vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);

// router.cpp
void router_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void router_host(std::uint64_t cookie, FlowSet& out);

// route.cpp
void route_router(const policy::RouterView& router, std::uint64_t cookie, FlowSet& out);
void route_host(std::uint64_t cookie, FlowSet& out);

// resolve.cpp
void resolve_mac(const policy::MacView& mac, std::uint64_t cookie, FlowSet& out);
void resolve_learned(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out);
void resolve_host(std::uint64_t cookie, FlowSet& out);

// no_destination.cpp: tables Route, Resolve and Mapping
void no_destination_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);

// balance.cpp
void balance_vip(const policy::VipView& vip, std::uint64_t cookie, FlowSet& out);
void balance_host(std::uint64_t cookie, FlowSet& out);

// local.cpp
void local_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void local_learned(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out);
void local_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void local_host(std::uint64_t cookie, FlowSet& out);

// mapping.cpp
void mapping_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void mapping_mac(const policy::MacView& mac, std::uint64_t cookie, FlowSet& out);
void mapping_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void mapping_host(std::uint64_t cookie, FlowSet& out);

// demand.cpp: tables Resolve, Mapping and Demand
void demand_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void demand_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void demand_host(std::uint64_t cookie, FlowSet& out);

// replicate.cpp
void replicate_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out);
void replicate_host(std::uint64_t cookie, FlowSet& out);

// deliver.cpp
// The flows that what a port is delivered of one subnet meets, and nothing else.
void deliver_attachment(const policy::PortView& port, const policy::Attachment& attachment,
                        std::uint64_t cookie, FlowSet& out);
void deliver_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void deliver_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out);

// tunnel.cpp: Table::Tunnel and Table::Encapsulate
void tunnel_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out);
// Where a packet to that locator is made ready for Table::Tunnel.
void towards(const policy::LocatorSpec& locator, StageFlow& flow);

// icmp_error.cpp
void icmp_error_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
// Of a port of hardware_vtep: in the subnets that a router has.
void icmp_error_vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out);
void icmp_error_host(std::uint64_t cookie, FlowSet& out);

}  // namespace hnv::pipeline
