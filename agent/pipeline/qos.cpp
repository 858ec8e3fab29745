// Tables QosOut and QosIn: how much a port may send, and be sent.
//
// By meters, which the datapath in user space and the kernel's both have. What leaves is measured
// before it is copied to whom it is for. What comes in is measured for each port that gets a copy;
// but the switch forgets all that it had still to do with a packet that a meter drops, so that the
// copies after it would be lost with it. A ct() that recirculates gives the port a copy of its own
// to be measured (its outcome is not looked at). Many ports have that anyway, of their firewall.
#include <algorithm>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};
constexpr std::uint32_t kKilobitsInMegabit = 1000;
constexpr std::uint64_t kMsecInSecond = 1000;
// A burst that a frame of the greatest length fits into, and some more.
constexpr std::uint64_t kLeastBurst = 4 * 65536 * 8 / 1000;

void add_meter(MeterKind kind, std::uint32_t ofport, std::uint32_t mbps, FlowSet& out) {
    const std::uint32_t rate = mbps * kKilobitsInMegabit;
    const std::uint64_t burst = std::uint64_t{rate} * kQosBurstMsec / kMsecInSecond;
    out.meters.push_back({meter_id(kind, ofport), rate,
                          static_cast<std::uint32_t>(std::max(burst, kLeastBurst)),
                          ovs::MeterUnit::Kilobits});
}

void limit_inbound(const policy::PortView& port, std::uint16_t family, std::uint64_t cookie,
                   FlowSet& out) {
    const auto to_port = [&](std::uint16_t flow_priority) {
        StageFlow flow(Table::QosIn, flow_priority);
        flow.match(Reg::Destination, port.ofport);
        flow->match_eth_type(family);
        return flow;
    };
    const auto measure = [&](StageFlow& flow) {
        flow->meter(meter_id(MeterKind::QosIn, port.ofport));
        flow.go(Table::MirrorIn, out, cookie);
    };
    const auto zone = static_cast<std::uint16_t>(port.ofport);
    constexpr auto kTracked = static_cast<std::uint32_t>(ovs::CtState::Tracked);

    StageFlow one = to_port(priority::kNormal);
    measure(one);
    StageFlow copy = to_port(priority::kHigh);
    copy->match_eth_dst_masked(kGroupBit, kGroupBit)
        .ct({zone, false, static_cast<std::uint8_t>(Table::QosIn)});
    copy.end(out, cookie);
    StageFlow own_copy = to_port(priority::kHigh + 1);
    own_copy->match_eth_dst_masked(kGroupBit, kGroupBit)
        .match_ct_state(kTracked, kTracked)
        .match_ct_zone(zone);
    measure(own_copy);
}

}  // namespace

void qos_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    if (port.outbound_max_mbps != 0) {
        add_meter(MeterKind::QosOut, port.ofport, port.outbound_max_mbps, out);
        StageFlow flow(Table::QosOut, priority::kNormal);
        flow.match(Reg::Source, port.ofport);
        flow->meter(meter_id(MeterKind::QosOut, port.ofport));
        flow.go(Table::MirrorOut, out, cookie);
    }
    if (port.inbound_max_mbps != 0) {
        add_meter(MeterKind::QosIn, port.ofport, port.inbound_max_mbps, out);
        for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
            limit_inbound(port, family, cookie, out);
        }
    }
}

void qos_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::QosOut, priority::kMiss).go(Table::MirrorOut, out, cookie);
    StageFlow(Table::QosIn, priority::kMiss).go(Table::MirrorIn, out, cookie);
}

}  // namespace hnv::pipeline
