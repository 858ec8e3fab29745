// Table::Local: destinations on this host. A port that is active here is found before the mappings
// are asked, so that a guest that has just migrated in is reached at once.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void local_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        if (attachment.mac == MacAddress{}) {
            continue;  // Not known: broadcast and multicast alone reach it.
        }
        StageFlow flow(Table::Local, priority::kNormal);
        flow.match(Reg::Vsid, attachment.vsid);
        flow->match_eth_dst(attachment.mac);
        flow.set(Reg::Destination, port.ofport);
        if (attachment.vlan != 0) {
            flow.set(Reg::DestinationVlan, tci_of(attachment.vlan));
        }
        flow.go(Table::FirewallInTrack, out, cookie);
    }
}

// Above the port's own: the MAC of its interface may be behind it as well.
void local_learned(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out) {
    StageFlow flow(Table::Local, priority::kNormal + 1);
    flow.match(Reg::Vsid, mac.vsid);
    flow->match_eth_dst(mac.mac);
    flow.set(Reg::Destination, mac.ofport);
    if (mac.vlan != 0) {
        flow.set(Reg::DestinationVlan, tci_of(mac.vlan));
    }
    flow.go(Table::FirewallInTrack, out, cookie);
}

// What comes by a tunnel to a MAC that is not known here: its sender takes it to be here.
void local_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (subnet.flood == policy::Flood::Nowhere || subnet.local_ports.empty()) {
        return;
    }
    StageFlow arrived(Table::Local, priority::kLow + 1);
    arrived.match(Reg::Vsid, subnet.vsid).match(Reg::Source, 0).set(Reg::Part, kLocalCopies);
    arrived.go(Table::Replicate, out, cookie);
}

void local_host(std::uint64_t cookie, FlowSet& out) {
    constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};
    StageFlow multicast(Table::Local, priority::kMulticast);
    multicast->match_eth_dst_masked(kGroupBit, kGroupBit);
    multicast.go(Table::Replicate, out, cookie);
    StageFlow arrived(Table::Local, priority::kMulticast + 1);
    arrived.match(Reg::Source, 0);
    arrived->match_eth_dst_masked(kGroupBit, kGroupBit);
    arrived.set(Reg::Part, kTunnelCopies).go(Table::Replicate, out, cookie);
    // A mapping elsewhere is out of date: never out of a tunnel that it came in by.
    StageFlow not_here(Table::Local, priority::kLow);
    not_here.match(Reg::Source, 0).drop(out, cookie);
    StageFlow(Table::Local, priority::kMiss).go(Table::Mapping, out, cookie);
}

}  // namespace hnv::pipeline
