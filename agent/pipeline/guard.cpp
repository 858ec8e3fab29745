// Table::Guard: a guest speaks with its own MAC and its own addresses only, and neither as a DHCP
// server nor as a router unless it may.
//
// IPv4 and IPv6 go on to the firewall, ARP and neighbour solicitations to the agent; a virtual
// network carries nothing else. What is dropped is dropped by a flow for each port and reason
// (drop_reason.h), so that each has its counter.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};
// fe80::/10 (RFC 4291 section 2.5.6).
const IpPrefix kLinkLocal{IpAddress::from_v6({0xfe, 0x80}), 10};
// ff02::1 (RFC 4291 section 2.7.1).
const IpPrefix kAllNodes{
    IpAddress::from_v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01}), 128};
// ff02::1:2, all DHCP relay agents and servers (RFC 8415 section 7.1).
const IpPrefix kDhcpv6Servers{
    IpAddress::from_v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2}), 128};

class PortGuard {
  public:
    PortGuard(const policy::PortView& port, const policy::Attachment& attachment,
              std::uint64_t cookie, FlowSet& out)
        : port_(port), attachment_(attachment), cookie_(cookie), out_(out) {}

    void any_ip(std::uint16_t eth_type) {
        StageFlow flow = from_port();
        flow->match_eth_type(eth_type);
        flow.go(Table::Storm, out_, cookie_);
    }

    void ip_from(const IpAddress& ca) {
        StageFlow flow = from_port();
        flow->match_ip_src({ca, ca.is_v4() ? 32U : 128U});
        flow.go(Table::Storm, out_, cookie_);
    }

    // A guest that has no address yet asks for one (RFC 2131 section 4.1).
    void dhcp_discover() {
        StageFlow flow = from_port();
        flow->match_ip_src({IpAddress::from_v4(0), 32})
            .match_ip_proto(wire::kUdp)
            .match_tp_dst(wire::kDhcpServerPort);
        flow.go(Table::Storm, out_, cookie_);
    }

    // What the agent answers: to everybody, and to the server itself, whose lease is renewed.
    void dhcp_to(const IpAddress& server) {
        for (const IpAddress& destination : {IpAddress::from_v4(0xffffffffU), server}) {
            StageFlow flow = from_port(priority::kSolicitation);
            flow->match_ip_dst({destination, 32})
                .match_ip_proto(wire::kUdp)
                .match_tp_dst(wire::kDhcpServerPort);
            flow.go(Table::Dhcp, out_, cookie_);
        }
    }

    void dhcpv6() {
        StageFlow flow = from_port(priority::kSolicitation);
        flow->match_ip_src(kLinkLocal)
            .match_ip_dst(kDhcpv6Servers)
            .match_ip_proto(wire::kUdp)
            .match_tp_dst(wire::kDhcpv6ServerPort);
        flow.go(Table::Dhcp, out_, cookie_);
    }

    // From an interface with an address and without (RFC 4861 section 4.1).
    void router_solicitation() {
        for (const IpPrefix& source : {kLinkLocal, IpPrefix{IpAddress{}, 128}}) {
            StageFlow flow = discovery(wire::kRouterSolicitation);
            flow->match_ip_src(source);
            flow.go(Table::Dhcp, out_, cookie_);
        }
    }

    void any_arp() {
        StageFlow flow = from_port();
        flow->match_eth_type(wire::kArp);
        flow.go(Table::Neighbour, out_, cookie_);
    }

    // The unspecified sender is that of a probe (RFC 5227 section 1.1).
    void arp_from(const IpAddress& sender) {
        StageFlow flow = from_port();
        flow->match_eth_type(wire::kArp).match_arp_spa(sender);
        if (!port_.mac_spoofing_allowed) {
            flow->match_arp_sha(attachment_.mac);
        }
        flow.go(Table::Neighbour, out_, cookie_);
    }

    void any_solicitation() {
        StageFlow flow = solicitation();
        flow.go(Table::Neighbour, out_, cookie_);
    }

    void solicitation_from(const IpPrefix& sender) {
        StageFlow flow = solicitation();
        flow->match_ip_src(sender);
        flow.go(Table::Neighbour, out_, cookie_);
    }

    // Into a VLAN goes what a host says of itself, too: router solicitations, and advertisements of
    // its own addresses (RFC 4861 section 4.4).
    void bridged_discovery() {
        advertisement_of(kLinkLocal);
        for (const IpAddress& ca : attachment_.cas) {
            if (!ca.is_v4()) {
                advertisement_of({ca, 128});
            }
        }
        StageFlow solicitation = discovery(wire::kRouterSolicitation);
        solicitation->match_ip_src(kLinkLocal);
        solicitation.go(Table::Neighbour, out_, cookie_);
    }

    // Of a router: to the ports of its subnet on this host. Other hosts take no discovery out of a
    // tunnel, so none is sent there; into a VLAN it goes like all that the guest sends. Past the
    // firewall, whose connection tracking knows no discovery.
    void router_advertisement() {
        StageFlow flow = discovery(wire::kRouterAdvertisement);
        flow->match_eth_dst_masked(kGroupBit, kGroupBit)
            .match_ip_src(kLinkLocal)
            .match_ip_dst(kAllNodes);
        flow.go(Table::Storm, out_, cookie_);

        StageFlow past(Table::FirewallOutTrack, priority::kUnfiltered);
        past.match(Reg::Source, port_.ofport).match_vlan_of(Reg::SourceVlan, port_, attachment_);
        past->match_eth_type(wire::kIpv6)
            .match_ip_proto(wire::kIcmpv6)
            .match_icmp_type(wire::kRouterAdvertisement);
        if (!attachment_.bridged) {
            past.set(Reg::Part, kLocalCopies);
        }
        past.go(Table::Returning, out_, cookie_);
    }

    // What is left, by what it is. `addresses`: the port is held to its own.
    void refuse(bool addresses) {
        from_port(priority::kProtocolGuard).drop(out_, cookie_);
        if (!addresses) {
            return;
        }
        refuse(priority::kArpGuard, wire::kArp);
        refuse(priority::kIpv4Guard, wire::kIpv4);
        refuse(priority::kIpv6Guard, wire::kIpv6);
    }

  private:
    void refuse(std::uint16_t flow_priority, std::uint16_t eth_type) {
        StageFlow flow = from_port(flow_priority);
        flow->match_eth_type(eth_type);
        flow.drop(out_, cookie_);
    }

    void advertisement_of(const IpPrefix& target) {
        StageFlow flow = discovery(wire::kNeighbourAdvertisement);
        flow->match_nd_target(target);
        flow.go(Table::Neighbour, out_, cookie_);
    }

    StageFlow from_port(std::uint16_t flow_priority = priority::kNormal) {
        StageFlow flow(Table::Guard, flow_priority);
        flow.match(Reg::Source, port_.ofport).match_vlan_of(Reg::SourceVlan, port_, attachment_);
        if (!port_.mac_spoofing_allowed) {
            flow->match_eth_src(attachment_.mac);
        }
        return flow;
    }

    StageFlow solicitation() { return discovery(wire::kNeighbourSolicitation); }

    StageFlow discovery(std::uint8_t type) {
        StageFlow flow = from_port(priority::kSolicitation);
        flow->match_eth_type(wire::kIpv6).match_ip_proto(wire::kIcmpv6).match_icmp_type(type);
        return flow;
    }

    const policy::PortView& port_;
    const policy::Attachment& attachment_;
    std::uint64_t cookie_;
    FlowSet& out_;
};

void guard(const policy::PortView& port, const policy::Attachment& attachment, std::uint64_t cookie,
           FlowSet& out) {
    PortGuard guard(port, attachment, cookie, out);
    guard.refuse(!port.ip_forwarding_allowed);
    if (attachment.dhcp_server) {
        guard.dhcp_to(*attachment.dhcp_server);
    }
    if (attachment.dhcpv6) {
        guard.dhcpv6();
    }
    if (attachment.advertised) {
        guard.router_solicitation();
    }
    if (port.ip_forwarding_allowed) {
        guard.any_ip(wire::kIpv4);
        guard.any_ip(wire::kIpv6);
        guard.any_arp();
        guard.any_solicitation();
        if (!port.router_guard) {
            guard.router_advertisement();
        }
        return;
    }
    bool has_v6 = false;
    for (const IpAddress& ca : attachment.cas) {
        guard.ip_from(ca);
        if (ca.is_v4()) {
            guard.arp_from(ca);
        } else {
            guard.solicitation_from({ca, 128});
            has_v6 = true;
        }
    }
    if (!attachment.dhcp_server) {
        guard.dhcp_discover();
    }
    guard.arp_from(IpAddress::from_v4(0));
    if (attachment.bridged) {
        guard.bridged_discovery();
    }
    if (has_v6) {
        // Of duplicate address detection (RFC 4862 section 5.4), and from link-local addresses: a
        // host asks from any address of its interface (RFC 4861 section 7.2.2).
        guard.solicitation_from({IpAddress{}, 128});
        guard.solicitation_from(kLinkLocal);
    }
}

void drop_of_port(const policy::PortView& port, std::uint16_t flow_priority, std::uint16_t family,
                  std::uint8_t protocol, std::uint64_t cookie, FlowSet& out, auto&& narrow) {
    StageFlow flow(Table::Guard, flow_priority);
    flow.match(Reg::Source, port.ofport);
    flow->match_eth_type(family).match_ip_proto(protocol);
    narrow(flow);
    flow.drop(out, cookie);
}

void drop_discovery_of(const policy::PortView& port, std::uint16_t flow_priority, std::uint8_t type,
                       std::uint64_t cookie, FlowSet& out) {
    drop_of_port(port, flow_priority, wire::kIpv6, wire::kIcmpv6, cookie, out,
                 [type](StageFlow& flow) { flow->match_icmp_type(type); });
}

}  // namespace

void guard_against_router(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const std::uint8_t type : {wire::kRouterAdvertisement, wire::kRedirect}) {
        drop_discovery_of(port, priority::kRouterGuard, type, cookie, out);
    }
}

void guard_against_dhcp_server(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    // A client takes what comes to its port, whichever it comes from (RFC 2131 section 4.1,
    // RFC 8415 section 7.2).
    drop_of_port(port, priority::kDhcpGuard, wire::kIpv4, wire::kUdp, cookie, out,
                 [](StageFlow& flow) { flow->match_tp_dst(wire::kDhcpClientPort); });
    drop_of_port(port, priority::kDhcpGuard, wire::kIpv6, wire::kUdp, cookie, out,
                 [](StageFlow& flow) { flow->match_tp_dst(wire::kDhcpv6ClientPort); });
}

void guard_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        guard(port, attachment, cookie, out);
    }
    guard_against_router(port, cookie, out);
    for (const std::uint8_t type : {wire::kNeighbourSolicitation, wire::kNeighbourAdvertisement}) {
        drop_discovery_of(port, priority::kDiscoveryGuard, type, cookie, out);
    }
    if (port.dhcp_guard) {
        guard_against_dhcp_server(port, cookie, out);
    }
    StageFlow spoofed(Table::Guard, priority::kMacGuard);
    spoofed.match(Reg::Source, port.ofport).drop(out, cookie);
}

void drop_discovery(Table table, std::uint64_t cookie, FlowSet& out) {
    for (std::uint8_t type = wire::kFirstDiscovery; type <= wire::kLastDiscovery; ++type) {
        StageFlow discovery(table, priority::kHigh);
        discovery->match_eth_type(wire::kIpv6).match_ip_proto(wire::kIcmpv6).match_icmp_type(type);
        discovery.drop(out, cookie);
    }
}

void guard_host(std::uint64_t cookie, FlowSet& out) {
    drop_discovery(Table::Guard, cookie, out);
    StageFlow(Table::Guard, priority::kMiss).drop(out, cookie);
    // A router advertisement that got so far is one that may (PortGuard::router_advertisement).
    StageFlow advertisement(Table::FirewallInTrack, priority::kUnfiltered);
    advertisement->match_eth_type(wire::kIpv6)
        .match_ip_proto(wire::kIcmpv6)
        .match_icmp_type(wire::kRouterAdvertisement);
    advertisement.go(Table::Snat, out, cookie);
}

}  // namespace hnv::pipeline
