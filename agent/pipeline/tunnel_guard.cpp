// Table::TunnelGuard: a packet is taken out of a tunnel only if its outer source is a provider
// address that the policy knows for the virtual network: of the subnet, or, since the distributed
// router sends into every subnet of its network, of any of them. By either encapsulation: that is
// the destination's to choose.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

void accept(policy::NetworkKey network, const IpAddress& pa, std::uint64_t cookie, FlowSet& out) {
    StageFlow flow(Table::TunnelGuard, priority::kNormal);
    flow->match_metadata(network).match_tun_src(pa);
    flow.go(Table::Returning, out, cookie);
}

}  // namespace

void tunnel_guard_peer(const policy::PeerView& peer, std::uint64_t cookie, FlowSet& out) {
    accept(peer.network, peer.pa, cookie, out);
    if (peer.vtep) {
        StageFlow discovery(Table::TunnelGuard, priority::kSolicitation);
        discovery->match_metadata(peer.network)
            .match_tun_src(peer.pa)
            .match_eth_type(wire::kIpv6)
            .match_ip_proto(wire::kIcmpv6);
        discovery.go(Table::Returning, out, cookie);
    }
}

void tunnel_guard_router(const policy::RouterView& router, std::uint64_t cookie, FlowSet& out) {
    for (const IpAddress& pa : router.peers) {
        accept(router.network, pa, cookie, out);
    }
}

void tunnel_guard_host(std::uint64_t cookie, FlowSet& out) {
    drop_discovery(Table::TunnelGuard, cookie, out);
    StageFlow(Table::TunnelGuard, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
