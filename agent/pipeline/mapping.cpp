// Table::Mapping: destinations on other hosts, one flow each. A MAC that is not mapped is dropped:
// a virtual network knows all its members.
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

void mapping_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Mapping, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
