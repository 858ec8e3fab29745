// Table::Mapping: destinations on other hosts, one flow each. A MAC that is not mapped is dropped:
// a virtual network knows all its members. One of hardware_vtep need not: there it goes to the
// other ports here, and to whom its unknown-dst names.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void mapping_mac(const policy::MacView& mac, std::uint64_t cookie, FlowSet& out) {
    StageFlow flow(Table::Mapping, priority::kNormal);
    flow.match(Reg::Vsid, mac.vsid);
    flow->match_eth_dst(mac.mac);
    if (mac.local_pa) {
        flow.drop(out, cookie);  // Mapped to this host, and no port here has it.
        return;
    }
    towards(mac.locator, flow);
    flow.go(Table::Tunnel, out, cookie);
}

// Who is not here is somewhere in the VLAN.
void mapping_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (!subnet.vlan || subnet.vlan->ofport == 0) {
        return;
    }
    StageFlow flow(Table::Mapping, priority::kLow);
    flow.match(Reg::Vsid, subnet.vsid)
        .set(Reg::Destination, subnet.vlan->ofport)
        .set(Reg::DestinationVlan, tci_of(subnet.vlan->vlan));
    flow.go(Table::Deliver, out, cookie);
}

// As a broadcast, and within the port's limit of those: a packet that the meter drops is gone
// before it has a copy. What was routed into another subnet is none of the port's to flood.
void mapping_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        if (attachment.flood == policy::Flood::Nowhere) {
            continue;
        }
        StageFlow flow(Table::Mapping, priority::kLow + 1);
        flow.match(Reg::Vsid, attachment.vsid)
            .match(Reg::Source, port.ofport)
            .match_vlan_of(Reg::SourceVlan, port, attachment);
        if (port.storm_limit_pps != 0) {
            flow->meter(meter_id(MeterKind::Storm, port.ofport));
        }
        if (attachment.flood == policy::Flood::Here) {
            flow.set(Reg::Part, kLocalCopies);
        }
        flow.go(Table::Replicate, out, cookie);
    }
}

void mapping_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Mapping, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
