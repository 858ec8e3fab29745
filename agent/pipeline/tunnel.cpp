// Tables Tunnel and Encapsulate: into a tunnel, unless the packet is longer than the underlay can
// carry. tun_dst is set by whoever sends a packet here.
//
// VXLAN (RFC 7348): VNI = VSID. NVGRE (RFC 7637): the VSID in the key's upper 24 bits; Open vSwitch
// carries the low 32 bits of tun_id as the key.
#include <array>

#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr unsigned kEthernetHeader = 14;

struct Kind {
    EncapsulationCode code;
    policy::Encapsulation encapsulation;
    bool v4;
};
constexpr std::array kKinds{
    Kind{EncapsulationCode::VxlanOverIpv4, policy::Encapsulation::Vxlan, true},
    Kind{EncapsulationCode::VxlanOverIpv6, policy::Encapsulation::Vxlan, false},
    Kind{EncapsulationCode::NvgreOverIpv4, policy::Encapsulation::Nvgre, true},
    Kind{EncapsulationCode::NvgreOverIpv6, policy::Encapsulation::Nvgre, false},
};

[[nodiscard]] StageFlow of_kind(const Kind& kind, Table table, std::uint16_t flow_priority) {
    StageFlow flow(table, flow_priority);
    flow.match(Reg::Encapsulation, static_cast<std::uint32_t>(kind.code));
    return flow;
}

// The longest IP packet of a guest that the tunnel can carry; 0: not known.
[[nodiscard]] unsigned inner_mtu(const policy::HostView& host, const Kind& kind) {
    const unsigned mtu = kind.v4 ? host.mtu_v4 : host.mtu_v6;
    const unsigned overhead = policy::overhead_of(kind.encapsulation, kind.v4);
    return mtu > overhead ? mtu - overhead : 0;
}

void measure(const policy::HostView& host, const Kind& kind, std::uint64_t cookie, FlowSet& out) {
    StageFlow flow = of_kind(kind, Table::Tunnel, priority::kNormal);
    const unsigned mtu = inner_mtu(host, kind);
    if (mtu != 0 && mtu + kEthernetHeader <= 0xffff) {
        // IcmpReason::TooBig is this bit of the register alone.
        constexpr unsigned kTooBigBit = 2;
        static_assert(1U << kTooBigBit == static_cast<unsigned>(IcmpReason::TooBig));
        flow.set(Reg::Mtu, mtu);
        flow->check_longer(static_cast<std::uint16_t>(mtu + kEthernetHeader),
                           static_cast<unsigned>(Reg::Reason), kTooBigBit);
    }
    flow.resubmit(Table::Encapsulate);
    flow.end(out, cookie);
}

void encapsulate(const policy::HostView& host, const Kind& kind, std::uint64_t cookie,
                 FlowSet& out) {
    const bool vxlan = kind.encapsulation == policy::Encapsulation::Vxlan;
    const Reg mark = kind.v4 ? Reg::MarkV4 : Reg::MarkV6;
    for (const bool routed : {false, true}) {
        StageFlow flow = of_kind(kind, Table::Encapsulate, priority::kNormal);
        flow.match(Reg::Routed, routed ? 1 : 0);
        if (routed) {
            flow->set_eth_src(host.router_mac);
        }
        if (!vxlan) {
            flow->clear_tun_id();  // FlowID 0, whatever the key of a copy before was.
        }
        flow->move_reg_to_tun_id(static_cast<unsigned>(Reg::Vsid), vxlan ? 0 : 8)
            .move_reg_to_pkt_mark(static_cast<unsigned>(mark))
            .output(vxlan ? host.vxlan_ofport : host.nvgre_ofport);
        flow.end(out, cookie);
    }
}

}  // namespace

void towards(const policy::LocatorSpec& locator, StageFlow& flow) {
    flow->set_tun_dst(locator.pa);
    for (const Kind& kind : kKinds) {
        if (kind.encapsulation == locator.encapsulation && kind.v4 == locator.pa.is_v4()) {
            // Set even if it is 0: a copy of the packet may have gone another way before.
            flow.set(Reg::Encapsulation, static_cast<std::uint32_t>(kind.code));
        }
    }
}

void tunnel_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out) {
    for (const Kind& kind : kKinds) {
        const bool vxlan = kind.encapsulation == policy::Encapsulation::Vxlan;
        if ((vxlan ? host.vxlan_ofport : host.nvgre_ofport) != 0) {
            measure(host, kind, cookie, out);
            encapsulate(host, kind, cookie, out);
        }
    }
    StageFlow too_big(Table::Encapsulate, priority::kHigh);
    too_big.match(Reg::Reason, static_cast<std::uint32_t>(IcmpReason::TooBig))
        .go(Table::IcmpError, out, cookie);
    StageFlow(Table::Tunnel, priority::kMiss).drop(out, cookie);
    StageFlow(Table::Encapsulate, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
