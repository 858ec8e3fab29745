// A port of hardware_vtep: whoever is behind it speaks with any address, ARP is a frame like all
// unless it asks for the distributed router (neighbour.cpp), and its access control lists (vtep(5),
// ACL) judge each packet for itself in the tables in which the firewall of the other ports begins.
//
//   Guard ─▶ Storm ─▶ … ─▶ FirewallOutTrack: "ingress" entries ─▶ Insertion
//                          FirewallInTrack:  "egress" entries  ─▶ Snat
//
// Entries are matched by their order, whatever their numbers are; what none matches passes.
//
// A fragment shows no ports, flags or ICMP type. An entry that asks for one and denies also denies
// the first fragments that it may be about, without which the later ones are worth nothing; one
// that permits does not know them, and leaves them to the entries behind it.
#include <algorithm>
#include <vector>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"
#include "policy/port_masks.h"

namespace hnv::pipeline {

using policy::AclEntrySpec;
using policy::Direction;
using policy::PortMask;

namespace {

struct Path {
    Direction direction;
    Reg port;
    Reg vlan;
    Table table;
    Table next;
};
constexpr Path kIngress{Direction::Outbound, Reg::Source, Reg::SourceVlan, Table::FirewallOutTrack,
                        Table::Insertion};
constexpr Path kEgress{Direction::Inbound, Reg::Destination, Reg::DestinationVlan,
                       Table::FirewallInTrack, Table::Snat};

// Entries have the priorities from here down, the default is below them all.
constexpr std::uint16_t kFirstEntry = priority::kRuleTop;
static_assert(kFirstEntry - policy::kMaxAclEntries > priority::kDefault);

[[nodiscard]] bool shows_transport(const AclEntrySpec& entry) {
    return entry.source_ports || entry.destination_ports || entry.tcp_flags || entry.icmp_type ||
           entry.icmp_code;
}

// The protocols that an entry can be about; empty: any.
[[nodiscard]] std::vector<std::uint8_t> protocols_of(const AclEntrySpec& entry) {
    if (entry.protocol) {
        return {*entry.protocol};
    }
    if (entry.tcp_flags) {
        return {wire::kTcp};
    }
    if (entry.icmp_type || entry.icmp_code) {
        return {wire::kIcmp, wire::kIcmpv6};
    }
    if (entry.source_ports || entry.destination_ports) {
        return {wire::kTcp, wire::kUdp, wire::kSctp};
    }
    return {};
}

[[nodiscard]] std::vector<PortMask> masks(const std::optional<policy::PortRange>& range) {
    return range ? masks_of(*range) : std::vector<PortMask>{PortMask{}};
}

class PortAcl {
  public:
    PortAcl(const policy::PortView& port, const policy::Attachment& attachment, const Path& path,
            std::uint64_t cookie, FlowSet& out)
        : port_(port), attachment_(attachment), path_(path), cookie_(cookie), out_(out) {}

    void judge() {
        std::uint16_t flow_priority = kFirstEntry;
        for (const AclEntrySpec& entry : attachment_.acl) {
            if (entry.direction == path_.direction) {
                expand(entry, flow_priority--);
            }
        }
        StageFlow other = of_port(priority::kDefault);
        pass(other);
    }

  private:
    StageFlow of_port(std::uint16_t flow_priority) const {
        StageFlow flow(path_.table, flow_priority);
        flow.match(path_.port, port_.ofport).match_vlan_of(path_.vlan, port_, attachment_);
        return flow;
    }

    // Who sent it is learned only now: what the port may not send teaches nothing.
    void pass(StageFlow& flow) {
        if (path_.direction == Direction::Outbound) {
            flow.resubmit(Table::Learn);
        }
        flow.go(path_.next, out_, cookie_);
    }

    void finish(const AclEntrySpec& entry, StageFlow& flow) {
        if (entry.action == policy::RuleAction::Allow) {
            pass(flow);
        } else {
            flow.drop(out_, cookie_);
        }
    }

    // The entry's MACs and addresses; `family`: 0 for any frame.
    StageFlow of_entry(const AclEntrySpec& entry, std::uint16_t family,
                       std::uint16_t flow_priority) const {
        StageFlow flow = of_port(flow_priority);
        if (entry.source_mac) {
            flow->match_eth_src(*entry.source_mac);
        }
        if (entry.destination_mac) {
            flow->match_eth_dst(*entry.destination_mac);
        }
        if (family != 0) {
            flow->match_eth_type(family);
        }
        if (entry.source) {
            flow->match_ip_src_masked(entry.source->address, entry.source->mask);
        }
        if (entry.destination) {
            flow->match_ip_dst_masked(entry.destination->address, entry.destination->mask);
        }
        return flow;
    }

    void expand(const AclEntrySpec& entry, std::uint16_t flow_priority) {
        const auto protocols = protocols_of(entry);
        if (protocols.empty()) {
            const std::uint16_t family = entry.ethertype ? *entry.ethertype : std::uint16_t{0};
            StageFlow flow = of_entry(entry, family, flow_priority);
            return finish(entry, flow);
        }
        for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
            const bool v4 = family == wire::kIpv4;
            const auto& address = entry.source ? entry.source : entry.destination;
            if ((entry.ethertype && *entry.ethertype != family) ||
                (address && address->address.is_v4() != v4)) {
                continue;
            }
            for (const std::uint8_t protocol : protocols) {
                // One that does not belong into the family shows no more than its number there.
                if (wire::exists_in(protocol, v4) || (entry.protocol && !shows_transport(entry))) {
                    expand(entry, family, protocol, flow_priority);
                }
            }
        }
    }

    void expand(const AclEntrySpec& entry, std::uint16_t family, std::uint8_t protocol,
                std::uint16_t flow_priority) {
        const bool allow = entry.action == policy::RuleAction::Allow;
        const bool transport = shows_transport(entry);
        for (const PortMask& source : masks(entry.source_ports)) {
            for (const PortMask& destination : masks(entry.destination_ports)) {
                StageFlow flow = of_entry(entry, family, flow_priority);
                flow->match_ip_proto(protocol);
                match_transport(entry, source, destination, *flow.operator->());
                if (transport) {
                    flow->match_fragment(ovs::Fragment::No);
                }
                finish(entry, flow);
            }
        }
        if (transport && !allow) {
            StageFlow first = of_entry(entry, family, flow_priority);
            first->match_ip_proto(protocol).match_fragment(ovs::Fragment::First);
            finish(entry, first);
        } else if (!transport && allow && family == wire::kIpv6) {
            // The protocol of a later fragment is "fragment" (44) there.
            StageFlow later = of_entry(entry, family, flow_priority);
            later->match_fragment(ovs::Fragment::Later);
            finish(entry, later);
        }
    }

    static void match_transport(const AclEntrySpec& entry, const PortMask& source,
                                const PortMask& destination, ovs::FlowBuilder& flow) {
        if (source.mask != 0) {
            flow.match_tp_src(source.value, source.mask);
        }
        if (destination.mask != 0) {
            flow.match_tp_dst(destination.value, destination.mask);
        }
        if (entry.tcp_flags) {
            flow.match_tcp_flags(entry.tcp_flags->value, entry.tcp_flags->mask);
        }
        if (entry.icmp_type) {
            flow.match_icmp_type(*entry.icmp_type);
        }
        if (entry.icmp_code) {
            flow.match_icmp_code(*entry.icmp_code);
        }
    }

    const policy::PortView& port_;
    const policy::Attachment& attachment_;
    const Path path_;
    std::uint64_t cookie_;
    FlowSet& out_;
};

// Nobody behind the port is the distributed router: neither by its MAC, nor by ARP or a neighbour
// advertisement for its addresses.
void guard_router(const policy::PortView& port, const policy::Attachment& attachment,
                  std::uint64_t cookie, FlowSet& out) {
    if (!attachment.router) {
        return;
    }
    const auto from_here = [&] {
        StageFlow flow(Table::Guard, priority::kSourceGuard);
        flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
        return flow;
    };
    StageFlow mac = from_here();
    mac->match_eth_src(attachment.router->mac);
    mac.drop(out, cookie);
    for (const IpAddress& address : attachment.router_addresses) {
        StageFlow claim = from_here();
        if (address.is_v4()) {
            claim->match_eth_type(wire::kArp).match_arp_spa(address);
        } else {
            claim->match_eth_type(wire::kIpv6)
                .match_ip_proto(wire::kIcmpv6)
                .match_icmp_type(wire::kNeighbourAdvertisement)
                .match_nd_target({address, 128});
        }
        claim.drop(out, cookie);
    }
}

}  // namespace

void vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    // Above the drop of neighbour discovery: here it is a frame like all. Below the port's guards.
    StageFlow any(Table::Guard, priority::kAnySender);
    any.match(Reg::Source, port.ofport).go(Table::Storm, out, cookie);
    constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};
    StageFlow group(Table::Guard, priority::kSourceGuard);
    group.match(Reg::Source, port.ofport)->match_eth_src_masked(kGroupBit, kGroupBit);
    group.drop(out, cookie);
    StageFlow nobody(Table::Guard, priority::kSourceGuard);
    nobody.match(Reg::Source, port.ofport)->match_eth_src(MacAddress{});
    nobody.drop(out, cookie);
    if (port.dhcp_guard) {
        guard_against_dhcp_server(port, cookie, out);
    }
    if (port.router_guard) {
        guard_against_router(port, cookie, out);
    }
    for (const policy::Attachment& attachment : port.attachments) {
        guard_router(port, attachment, cookie, out);
        // A copy of what the port itself sent: never back to the sender, unless the router passes
        // it on between two stations there.
        StageFlow echo(Table::FirewallInTrack, priority::kInvalid);
        echo.match(Reg::Source, port.ofport)
            .match_vlan_of(Reg::SourceVlan, port, attachment)
            .match(Reg::Destination, port.ofport)
            .match_vlan_of(Reg::DestinationVlan, port, attachment)
            .match(Reg::Routed, 0);
        echo.drop(out, cookie);
        PortAcl(port, attachment, kIngress, cookie, out).judge();
        PortAcl(port, attachment, kEgress, cookie, out).judge();
    }
}

}  // namespace hnv::pipeline
