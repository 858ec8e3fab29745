// Table::Tunnel: encapsulation. tun_dst is set by whoever sends a packet here.
//
// VXLAN (RFC 7348): VNI = VSID. NVGRE (RFC 7637): the VSID in the key's upper 24 bits; Open vSwitch
// carries the low 32 bits of tun_id as the key.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void towards(const policy::LocatorSpec& locator, StageFlow& flow) {
    // Set for both: a copy of the packet may have gone the other way before.
    const auto code = locator.encapsulation == policy::Encapsulation::Vxlan
                          ? EncapsulationCode::Vxlan
                          : EncapsulationCode::Nvgre;
    flow->set_tun_dst(locator.pa);
    flow.set(Reg::Encapsulation, static_cast<std::uint32_t>(code));
}

void tunnel_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out) {
    constexpr unsigned kVsid = static_cast<unsigned>(Reg::Vsid);
    if (host.vxlan_ofport != 0) {
        StageFlow flow(Table::Tunnel, priority::kNormal);
        flow.match(Reg::Encapsulation, static_cast<std::uint32_t>(EncapsulationCode::Vxlan));
        flow->move_reg_to_tun_id(kVsid, 0).output(host.vxlan_ofport);
        flow.end(out, cookie);
    }
    if (host.nvgre_ofport != 0) {
        StageFlow flow(Table::Tunnel, priority::kNormal);
        flow.match(Reg::Encapsulation, static_cast<std::uint32_t>(EncapsulationCode::Nvgre));
        flow->move_reg_to_tun_id(kVsid, 8).output(host.nvgre_ofport);
        flow.end(out, cookie);
    }
    StageFlow(Table::Tunnel, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
