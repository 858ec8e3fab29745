// Table::Deliver: out of the guest's port, in the VLAN that the guest knows the subnet by. Open
// vSwitch never sends a packet back where it came in.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void deliver_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out) {
    for (const bool routed : {false, true}) {
        StageFlow flow(Table::Deliver, priority::kNormal);
        flow.match(Reg::Routed, routed ? 1 : 0);
        if (routed) {
            flow->set_eth_src(host.router_mac);
        }
        flow->move_reg_to_vlan_tci(static_cast<unsigned>(Reg::DestinationVlan))
            .output_reg(static_cast<unsigned>(Reg::Destination))
            .clear_vlan_tci();  // The next copy of a broadcast may be for an untagged port.
        flow.end(out, cookie);
    }
    StageFlow(Table::Deliver, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
