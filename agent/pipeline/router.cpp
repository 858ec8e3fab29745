// Table::Router: the distributed router of a virtual network.
//
// Its MAC is answered for by ARP in every subnet that is bound to a router. Packets for other MACs
// are bridged.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void router_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (!subnet.router_mac) {
        return;
    }
    StageFlow flow(Table::Router, priority::kNormal);
    flow.match(Reg::Vsid, subnet.vsid);
    flow->match_eth_dst(*subnet.router_mac);
    flow.drop(out, cookie);  // No route.
}

void router_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Router, priority::kMiss).go(Table::Local, out, cookie);
}

}  // namespace hnv::pipeline
