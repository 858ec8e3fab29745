// Table::Demand: what is for a MAC, or an address, that has no flow in a subnet which is programmed
// on demand. The packet stops here and the agent is asked; when it has made the flows, or knows
// that there are none to be made, the packet goes on in the table that it came from. It is asked
// for once: Reg::Part remembers, and what was asked for in vain ends as everything unknown does.
#include <algorithm>
#include <array>

#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

void ask(std::uint32_t source, std::uint32_t asked, Table back, std::uint64_t cookie,
         FlowSet& out) {
    constexpr std::array kDemand{static_cast<std::uint8_t>(PacketInKind::Demand)};
    StageFlow flow(Table::Demand, priority::kNormal);
    flow.match(Reg::Source, source).match(Reg::Part, asked);
    // A pausing controller() passes its own meter by, in Open vSwitch 3.1.
    flow->meter(meter_id(MeterKind::Demand, source));
    flow->controller({.controller_id = kDemandControllerId,
                      .meter = meter_id(MeterKind::Demand, source),
                      .userdata = kDemand,
                      .pause = true});
    flow.resubmit(back);
    flow.end(out, cookie);
}

}  // namespace

// Below what is programmed, above what is known of nobody.
void demand_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    if (!subnet.on_demand) {
        return;
    }
    const auto divert = [&](Table table, std::uint32_t asked) {
        StageFlow(table, priority::kLow)
            .match(Reg::Vsid, subnet.vsid)
            .match(Reg::Part, 0)
            .set(Reg::Part, asked)
            .go(Table::Demand, out, cookie);
    };
    divert(Table::Mapping, kAskedMac);
    divert(Table::Resolve, kAskedAddress);
}

void demand_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    if (!port.may_demand) {
        return;
    }
    out.meters.push_back({meter_id(MeterKind::Demand, port.ofport), kDemandLimitPps,
                          std::max(kDemandLimitPps / kMeterBurstDivisor, 1U)});
    ask(port.ofport, kAskedMac, Table::Mapping, cookie, out);
    ask(port.ofport, kAskedAddress, Table::Resolve, cookie, out);
}

// What came by a tunnel is for a port here, or for nobody: it never gets so far.
void demand_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Demand, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
