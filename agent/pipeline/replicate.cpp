// Table::Replicate: broadcast and multicast within a virtual subnet, by unicast copies.
//
// One copy to each local port and one to each provider address of the subnet; what came by a tunnel
// goes to local ports only. A long list is cut into parts of one flow each, since a flow has room
// for 64 KiB of actions; Reg::Part says which part is next.
#include <algorithm>

#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr std::size_t kCopiesInPart = 256;
// Open vSwitch follows 4,096 resubmits for one packet; a copy takes up to ten.
constexpr std::size_t kMaxLocalCopies = 256;
constexpr std::size_t kMaxRemoteCopies = 3072;
constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};

StageFlow part_flow(const policy::SubnetView& subnet, Origin origin, std::uint32_t part) {
    StageFlow flow(Table::Replicate, priority::kNormal);
    flow.match(Reg::Vsid, subnet.vsid)
        .match(Reg::Origin, static_cast<std::uint32_t>(origin))
        .match(Reg::Part, part);
    flow->match_eth_dst_masked(kGroupBit, kGroupBit);
    return flow;
}

void copy_to_ports(const policy::SubnetView& subnet, std::size_t count, StageFlow& flow) {
    std::uint16_t vlan = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& port = subnet.local_ports[i];
        if (port.vlan != vlan) {
            flow.set(Reg::DestinationVlan, tci_of(port.vlan));
            vlan = port.vlan;
        }
        flow.set(Reg::Destination, port.ofport).resubmit(Table::FirewallInTrack);
    }
}

}  // namespace

void replicate_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    const std::size_t locals = std::min(subnet.local_ports.size(), kMaxLocalCopies);
    const std::size_t remotes = std::min(subnet.peers.size(), kMaxRemoteCopies);
    if (locals < subnet.local_ports.size() || remotes < subnet.peers.size()) {
        out.shortfall = "broadcast of VSID " + std::to_string(subnet.vsid) + " reaches only " +
                        std::to_string(locals) + " of its " +
                        std::to_string(subnet.local_ports.size()) + " ports here and " +
                        std::to_string(remotes) + " of its " + std::to_string(subnet.peers.size()) +
                        " provider addresses";
    }
    StageFlow from_tunnel = part_flow(subnet, Origin::Tunnel, 0);
    copy_to_ports(subnet, locals, from_tunnel);
    from_tunnel.end(out, cookie);

    StageFlow flow = part_flow(subnet, Origin::Guest, 0);
    copy_to_ports(subnet, locals, flow);
    std::uint32_t part = 0;
    for (std::size_t i = 0; i < remotes; ++i) {
        if (i != 0 && i % kCopiesInPart == 0) {
            flow.set(Reg::Part, ++part).resubmit(Table::Replicate);
            flow.end(out, cookie);
            flow = part_flow(subnet, Origin::Guest, part);
        }
        const bool v4 = subnet.peers[i].pa.is_v4();
        if (i != 0 && subnet.peers[i - 1].pa.is_v4() != v4) {
            // The destination of the copy before would stay in force.
            flow->set_tun_dst(v4 ? IpAddress{} : IpAddress::from_v4(0));
        }
        towards(subnet.peers[i], flow);
        flow.resubmit(Table::Tunnel);
    }
    flow.end(out, cookie);
}

void replicate_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Replicate, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
