// Table::Classify: whose packet is it, and in which virtual subnet.
//
// A guest's packet belongs to the subnet that its port is bound to. A packet out of a tunnel
// belongs to the subnet that its key names; whether its sender may send there is TunnelGuard's
// question.
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

void take_in(const policy::PortView& port, const policy::Attachment& attachment, StageFlow& flow,
             std::uint64_t cookie, FlowSet& out) {
    flow->set_metadata(attachment.network);
    flow.set(Reg::Vsid, attachment.vsid).set(Reg::Source, port.ofport);
    if (attachment.vlan != 0) {
        flow.set(Reg::SourceVlan, tci_of(attachment.vlan));
    }
    if (port.mark_v4 != 0) {
        flow.set(Reg::MarkV4, port.mark_v4);
    }
    if (port.mark_v6 != 0) {
        flow.set(Reg::MarkV6, port.mark_v6);
    }
    flow.go(Table::Guard, out, cookie);
}

}  // namespace

void classify_attachment(const policy::PortView& port, const policy::Attachment& attachment,
                         std::uint64_t cookie, FlowSet& out) {
    if (attachment.vlan == 0) {
        StageFlow untagged(Table::Classify, priority::kNormal);
        untagged->match_in_port(port.ofport).match_untagged();
        take_in(port, attachment, untagged, cookie, out);
    }
    // VLAN 0 is a priority of an untagged frame (IEEE 802.1Q section 9.6).
    StageFlow tagged(Table::Classify, priority::kNormal);
    tagged->match_in_port(port.ofport).match_vlan(attachment.vlan).strip_vlan();
    take_in(port, attachment, tagged, cookie, out);
}

void classify_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    StageFlow other(Table::Classify, priority::kLow);
    other->match_in_port(port.ofport);
    other.drop(out, cookie);  // A blocked port; or a VLAN that the port is not bound to.
    if (!port.active) {
        return;
    }
    for (const policy::Attachment& attachment : port.attachments) {
        classify_attachment(port, attachment, cookie, out);
    }
}

void classify_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (subnet.vlan) {
        if (subnet.vlan->ofport != 0) {
            // As from a tunnel: to the ports here, and never out again. Who may send is the VLAN's
            // affair.
            StageFlow flow(Table::Classify, priority::kNormal);
            flow->match_in_port(subnet.vlan->ofport)
                .match_vlan(subnet.vlan->vlan)
                .strip_vlan()
                .set_metadata(subnet.vsid);
            flow.set(Reg::Vsid, subnet.vsid);
            flow.go(Table::Returning, out, cookie);
        }
        return;
    }
    const std::uint32_t network = subnet.router ? subnet.router->network : subnet.vsid;
    const auto out_of = [&](std::uint32_t ofport, std::uint64_t key, std::uint64_t mask) {
        if (ofport == 0) {
            return;
        }
        StageFlow flow(Table::Classify, priority::kNormal);
        // RFC 7348 section 6.1, RFC 7637 section 3.2: an inner frame has no VLAN tag.
        flow->match_in_port(ofport).match_tun_id(key, mask).match_untagged().set_metadata(network);
        flow.set(Reg::Vsid, subnet.vsid);
        flow.go(Table::TunnelGuard, out, cookie);
    };
    out_of(subnet.tunnels.vxlan_ofport, subnet.vsid, ~0ULL);
    // RFC 7637: the VSID is the key's upper 24 bits, any FlowID below it is accepted.
    out_of(subnet.tunnels.nvgre_ofport, static_cast<std::uint64_t>(subnet.vsid) << 8, 0xffffff00U);
}

void classify_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out) {
    for (const std::uint32_t tunnel : {host.vxlan_ofport, host.nvgre_ofport}) {
        if (tunnel != 0) {
            StageFlow other(Table::Classify, priority::kLow);
            other->match_in_port(tunnel);
            other.drop(out, cookie);  // No subnet of this host has the key.
        }
    }
    for (const std::uint32_t ofport : host.bfd_ofports) {
        StageFlow other(Table::Classify, priority::kNormal);
        other->match_in_port(ofport);
        other.drop(out, cookie);  // The switch has taken BFD's own packets before the first table.
    }
    StageFlow(Table::Classify, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
