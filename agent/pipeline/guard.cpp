// Table::Guard: a guest speaks with its own MAC and its own addresses only.
//
// IPv4 and IPv6 go on to the firewall, ARP and neighbour solicitations to the agent; a virtual
// network carries nothing else.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// fe80::/10 (RFC 4291 section 2.5.6).
const IpPrefix kLinkLocal{IpAddress::from_v6({0xfe, 0x80}), 10};

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

  private:
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
    if (port.ip_forwarding_allowed) {
        guard.any_ip(wire::kIpv4);
        guard.any_ip(wire::kIpv6);
        guard.any_arp();
        guard.any_solicitation();
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
    guard.dhcp_discover();
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

}  // namespace

void guard_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        guard(port, attachment, cookie, out);
    }
    StageFlow spoofed(Table::Guard, priority::kLow);
    spoofed.match(Reg::Source, port.ofport).drop(out, cookie);  // Counted for each port.
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
}

}  // namespace hnv::pipeline
