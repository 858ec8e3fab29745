// Table::Arp: requests go to the agent, which answers from the policy; nothing else goes anywhere,
// so that no ARP crosses a tunnel.
#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

void arp_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const std::uint32_t limit = port.arp_limit_pps.value_or(kDefaultArpLimitPps);
    const std::uint32_t meter = port.ofport;
    out.meters.push_back({meter, limit, std::max(limit / kMeterBurstDivisor, 1U)});

    constexpr std::array kUserdata{static_cast<std::uint8_t>(PacketInKind::ArpRequest)};
    StageFlow request(Table::Arp, priority::kNormal);
    request.match(Reg::Source, port.ofport);
    request->match_eth_type(wire::kArp)
        .match_arp_op(wire::kArpRequest)
        .controller({kResponderControllerId, meter, kUserdata});
    request.end(out, cookie);
}

void arp_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Arp, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
