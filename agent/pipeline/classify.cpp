// Table::Classify: whose packet is it, and in which virtual subnet.
//
// A guest's packet belongs to the subnet that its port is bound to. A packet out of a tunnel is
// taken only from a provider address that the policy knows for its VSID; all others are dropped.
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::Encapsulation;

void classify_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    StageFlow other(Table::Classify, priority::kLow);
    other->match_in_port(port.ofport);
    other.drop(out, cookie);  // A blocked port; or a VLAN that the port is not bound to.
    if (!port.active) {
        return;
    }
    StageFlow flow(Table::Classify, priority::kNormal);
    flow->match_in_port(port.ofport).match_untagged();
    flow.set(Reg::Vsid, port.vsid).set(Reg::Source, port.ofport);
    flow.go(Table::Guard, out, cookie);
}

void classify_peer(const policy::PeerView& peer, std::uint64_t cookie, FlowSet& out) {
    if (peer.tunnel_ofport == 0) {
        return;
    }
    StageFlow flow(Table::Classify, priority::kNormal);
    // RFC 7348 section 6.1, RFC 7637 section 3.2: an inner frame has no VLAN tag.
    flow->match_in_port(peer.tunnel_ofport).match_tun_src(peer.locator.pa).match_untagged();
    if (peer.locator.encapsulation == Encapsulation::Vxlan) {
        flow->match_tun_id(peer.vsid);
    } else {
        // RFC 7637: the VSID is the key's upper 24 bits, any FlowID below it is accepted.
        flow->match_tun_id(static_cast<std::uint64_t>(peer.vsid) << 8, 0xffffff00U);
    }
    flow.set(Reg::Vsid, peer.vsid).set(Reg::Origin, static_cast<std::uint32_t>(Origin::Tunnel));
    flow.go(Table::Local, out, cookie);
}

void classify_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Classify, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
