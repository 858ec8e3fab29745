// Table::Storm: how much broadcast and multicast a port may send.
#include <algorithm>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};

}  // namespace

void storm_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    if (port.storm_limit_pps == 0) {
        return;
    }
    const std::uint32_t meter = meter_id(MeterKind::Storm, port.ofport);
    out.meters.push_back(
        {meter, port.storm_limit_pps, std::max(port.storm_limit_pps / kMeterBurstDivisor, 1U)});
    StageFlow flow(Table::Storm, priority::kNormal);
    flow.match(Reg::Source, port.ofport);
    flow->match_eth_dst_masked(kGroupBit, kGroupBit).meter(meter);
    flow.go(Table::QosOut, out, cookie);
    // Into a VLAN ARP and neighbour discovery go as they are, past this table.
    for (const policy::Attachment& attachment : port.attachments) {
        if (!attachment.bridged) {
            continue;
        }
        for (const std::uint16_t type : {wire::kArp, wire::kIpv6}) {
            StageFlow bridged(Table::Neighbour, priority::kHigh + 1);
            bridged.match(Reg::Source, port.ofport)
                .match_vlan_of(Reg::SourceVlan, port, attachment);
            bridged->match_eth_type(type).match_eth_dst_masked(kGroupBit, kGroupBit).meter(meter);
            bridged.go(Table::Returning, out, cookie);
        }
    }
}

void storm_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Storm, priority::kMiss).go(Table::QosOut, out, cookie);
}

}  // namespace hnv::pipeline
