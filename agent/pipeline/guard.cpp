// Table::Guard: a guest speaks with its own MAC and its own addresses only.
//
// IPv4 and IPv6 go on to the firewall, ARP to the agent; a virtual network carries nothing else.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

class PortGuard {
  public:
    PortGuard(const policy::PortView& port, std::uint64_t cookie, FlowSet& out)
        : port_(port), cookie_(cookie), out_(out) {}

    void any_ip(std::uint16_t eth_type) {
        StageFlow flow = from_port();
        flow->match_eth_type(eth_type);
        flow.go(Table::FirewallOutTrack, out_, cookie_);
    }

    void ip_from(const IpAddress& ca) {
        StageFlow flow = from_port();
        flow->match_ip_src({ca, ca.is_v4() ? 32U : 128U});
        flow.go(Table::FirewallOutTrack, out_, cookie_);
    }

    // A guest that has no address yet asks for one (RFC 2131 section 4.1).
    void dhcp_discover() {
        StageFlow flow = from_port();
        flow->match_ip_src({IpAddress::from_v4(0), 32})
            .match_ip_proto(wire::kUdp)
            .match_tp_dst(wire::kDhcpServerPort);
        flow.go(Table::FirewallOutTrack, out_, cookie_);
    }

    void any_arp() {
        StageFlow flow = from_port();
        flow->match_eth_type(wire::kArp);
        flow.go(Table::Arp, out_, cookie_);
    }

    // The unspecified sender is that of a probe (RFC 5227 section 1.1).
    void arp_from(const IpAddress& sender) {
        StageFlow flow = from_port();
        flow->match_eth_type(wire::kArp).match_arp_spa(sender);
        if (!port_.mac_spoofing_allowed) {
            flow->match_arp_sha(port_.mac);
        }
        flow.go(Table::Arp, out_, cookie_);
    }

  private:
    StageFlow from_port() {
        StageFlow flow(Table::Guard, priority::kNormal);
        flow.match(Reg::Source, port_.ofport);
        if (!port_.mac_spoofing_allowed) {
            flow->match_eth_src(port_.mac);
        }
        return flow;
    }

    const policy::PortView& port_;
    std::uint64_t cookie_;
    FlowSet& out_;
};

}  // namespace

void guard_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    PortGuard guard(port, cookie, out);
    if (port.ip_forwarding_allowed) {
        guard.any_ip(wire::kIpv4);
        guard.any_ip(wire::kIpv6);
        guard.any_arp();
    } else {
        for (const IpAddress& ca : port.cas) {
            guard.ip_from(ca);
            if (ca.is_v4()) {
                guard.arp_from(ca);
            }
        }
        guard.dhcp_discover();
        guard.arp_from(IpAddress::from_v4(0));
    }
    StageFlow spoofed(Table::Guard, priority::kLow);
    spoofed.match(Reg::Source, port.ofport).drop(out, cookie);  // Counted for each port.
}

void guard_host(std::uint64_t cookie, FlowSet& out) {
    // Router and neighbour discovery (RFC 4861) never leave the host: a guest could speak for
    // another.
    for (std::uint8_t type = wire::kFirstDiscovery; type <= wire::kLastDiscovery; ++type) {
        StageFlow discovery(Table::Guard, priority::kHigh);
        discovery->match_eth_type(wire::kIpv6).match_ip_proto(wire::kIcmpv6).match_icmp_type(type);
        discovery.drop(out, cookie);
    }
    StageFlow(Table::Guard, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
