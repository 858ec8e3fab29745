#include "pipeline/compile.h"

#include <span>

#include "pipeline/stages.h"

namespace hnv::pipeline {

std::uint64_t cookie_of(policy::ObjectKind kind, std::uint64_t tell) {
    return kCookieMark | static_cast<std::uint64_t>(kind) << 48 | (tell & 0xffff'ffff'ffffULL);
}

std::uint64_t tell_of(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

FlowSet compile(const policy::HostView& host) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Host, 0);
    classify_host(host, cookie, out);
    tunnel_guard_host(cookie, out);
    guard_host(cookie, out);
    neighbour_host(cookie, out);
    dhcp_host(cookie, out);
    learn_host(cookie, out);
    storm_host(cookie, out);
    qos_host(cookie, out);
    mirror_host(cookie, out);
    nat_host(cookie, out);
    insertion_host(cookie, out);
    firewall_host(cookie, out);
    audit_host(host, out);
    router_host(cookie, out);
    route_host(cookie, out);
    resolve_host(cookie, out);
    balance_host(cookie, out);
    local_host(cookie, out);
    mapping_host(cookie, out);
    demand_host(cookie, out);
    replicate_host(cookie, out);
    deliver_host(host, cookie, out);
    tunnel_host(host, cookie, out);
    icmp_error_host(cookie, out);
    return out;
}

namespace {

// The limit holds in each of the firewall's zones, those of `out` from `first` on, by itself. Not
// in a zone of NAT, where a packet has a connection before the port's rules have seen it.
void limit_connections(const policy::PortView& port, std::size_t first, FlowSet& out) {
    for (const ZoneUse& use : std::span(out.zones).subspan(first)) {
        out.zone_limits.push_back({use.zone, port.flow_limit});
    }
}

}  // namespace

FlowSet compile(const policy::PortView& port) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Port, tell_of(port.name));
    classify_port(port, cookie, out);
    if (port.active && port.vtep) {
        storm_port(port, cookie, out);
        qos_port(port, cookie, out);
        no_destination_port(port, cookie, out);
        demand_port(port, cookie, out);
        vtep_port(port, cookie, out);
        learn_port(port, cookie, out);
        mapping_port(port, cookie, out);
        neighbour_vtep_port(port, cookie, out);
        icmp_error_vtep_port(port, cookie, out);
        local_port(port, cookie, out);
        deliver_port(port, cookie, out);
    } else if (port.active) {
        guard_port(port, cookie, out);
        storm_port(port, cookie, out);
        qos_port(port, cookie, out);
        no_destination_port(port, cookie, out);
        demand_port(port, cookie, out);
        neighbour_port(port, cookie, out);
        nat_port(port, cookie, out);
        dhcp_port(port, cookie, out);
        const std::size_t other_zones = out.zones.size();
        firewall_port(port, cookie, out);
        limit_connections(port, other_zones, out);
        local_port(port, cookie, out);
        deliver_port(port, cookie, out);
        icmp_error_port(port, cookie, out);
    }
    return out;
}

FlowSet compile(const policy::SubnetView& subnet) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Subnet, subnet.vsid);
    classify_subnet(subnet, cookie, out);
    router_subnet(subnet, cookie, out);
    local_subnet(subnet, cookie, out);
    mapping_subnet(subnet, cookie, out);
    demand_subnet(subnet, cookie, out);
    replicate_subnet(subnet, cookie, out);
    return out;
}

FlowSet compile(const policy::PeerView& peer) {
    FlowSet out;
    tunnel_guard_peer(peer, cookie_of(policy::ObjectKind::Peer, peer.network), out);
    return out;
}

FlowSet compile(const policy::MacView& mac) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Mac, mac.mac.bits());
    resolve_mac(mac, cookie, out);
    mapping_mac(mac, cookie, out);
    return out;
}

FlowSet compile(const policy::RouterView& router) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Router, router.network);
    tunnel_guard_router(router, cookie, out);
    route_router(router, cookie, out);
    return out;
}

FlowSet compile(const policy::VipView& vip) {
    FlowSet out;
    balance_vip(vip, cookie_of(policy::ObjectKind::Vip, tell_of(vip.address.to_string())), out);
    return out;
}

FlowSet compile(const policy::ServiceView& service) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Service, tell_of(service.port));
    mirror_service(service, cookie, out);
    insertion_service(service, cookie, out);
    return out;
}

FlowSet compile(const policy::LearnedView& mac) {
    FlowSet out;
    const std::uint64_t cookie = cookie_of(policy::ObjectKind::Learned, mac.mac.bits());
    learned_mac(mac, cookie, out);
    local_learned(mac, cookie, out);
    resolve_learned(mac, cookie, out);
    return out;
}

FlowSet compile(const policy::RulesView& rules) {
    FlowSet out;
    firewall_rules(rules, out);
    return out;
}

FlowSet compile(const policy::Model& model, const policy::ObjectId& id) {
    const auto of = [](const auto& view) { return view ? compile(*view) : FlowSet{}; };
    switch (id.kind) {
        case policy::ObjectKind::Host:
            return compile(model.host());
        case policy::ObjectKind::Port:
            return of(model.port(id));
        case policy::ObjectKind::Subnet:
            return of(model.subnet(id));
        case policy::ObjectKind::Peer:
            return of(model.peer(id));
        case policy::ObjectKind::Mac:
            return of(model.mac(id));
        case policy::ObjectKind::Router:
            return of(model.router(id));
        case policy::ObjectKind::Vip:
            return of(model.vip(id));
        case policy::ObjectKind::Service:
            return of(model.service(id));
        case policy::ObjectKind::Learned:
            return of(model.learned(id));
        case policy::ObjectKind::GroupRules:
        case policy::ObjectKind::PortRules:
            return of(model.rules(id));
    }
    return {};
}

}  // namespace hnv::pipeline
