// Table::Router: the distributed router of a virtual network.
//
// Its MAC is answered for by ARP in every subnet that is bound to a router. IP packets for it are
// routed; packets for other MACs are bridged.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

void router_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (!subnet.router) {
        return;
    }
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        StageFlow flow(Table::Router, priority::kNormal);
        flow.match(Reg::Vsid, subnet.vsid);
        flow->match_eth_dst(subnet.router->mac).match_eth_type(family);
        flow.go(Table::Route, out, cookie);
    }
}

void router_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Router, priority::kMiss).go(Table::Returning, out, cookie);
}

}  // namespace hnv::pipeline
