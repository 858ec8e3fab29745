// Table::Learn: which source MACs of a port of hardware_vtep are known, and which the agent is to
// be told of. Called for what the port may send, by its access control list, which goes on whatever
// is found here: learning holds no frame up.
//
// A known MAC has a flow of its own, by whose counter its age is known. ARP and neighbour discovery
// are told too, unless they say what is known of the MAC: they tell its addresses.
#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// Enough for ARP behind Ethernet, and for a neighbour advertisement with its option.
constexpr std::uint16_t kLearnPacketLength = 128;

void tell(const policy::PortView& port, StageFlow& flow, std::uint64_t cookie, FlowSet& out) {
    constexpr std::array kLearn{static_cast<std::uint8_t>(PacketInKind::Learn)};
    flow->controller({kLearningControllerId, meter_id(MeterKind::Learn, port.ofport), kLearn,
                      kLearnPacketLength});
    flow.end(out, cookie);
}

}  // namespace

void learn_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    out.meters.push_back({meter_id(MeterKind::Learn, port.ofport), kLearnLimitPps,
                          std::max(kLearnLimitPps / kMeterBurstDivisor, 1U)});
    StageFlow unknown(Table::Learn, priority::kLow);
    unknown.match(Reg::Source, port.ofport);
    tell(port, unknown, cookie, out);
    StageFlow arp(Table::Learn, priority::kHigh);
    arp.match(Reg::Source, port.ofport)->match_eth_type(wire::kArp);
    tell(port, arp, cookie, out);
    for (const std::uint8_t type : {wire::kNeighbourSolicitation, wire::kNeighbourAdvertisement}) {
        StageFlow discovery(Table::Learn, priority::kHigh);
        discovery.match(Reg::Source, port.ofport)
            ->match_eth_type(wire::kIpv6)
            .match_ip_proto(wire::kIcmpv6)
            .match_icmp_type(type);
        tell(port, discovery, cookie, out);
    }
}

void learned_mac(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out) {
    const auto known = [&](std::uint16_t flow_priority) {
        StageFlow flow(Table::Learn, flow_priority);
        flow.match(Reg::Source, mac.ofport).match(Reg::SourceVlan, tci_of(mac.vlan));
        flow->match_eth_src(mac.mac);
        return flow;
    };
    StageFlow any = known(priority::kNormal);
    any.end(out, cookie);
    if (mac.v4) {
        StageFlow arp = known(priority::kHigh + 1);
        arp->match_eth_type(wire::kArp).match_arp_spa(*mac.v4);
        arp.end(out, cookie);
    }
    if (mac.v6) {
        StageFlow solicitation = known(priority::kHigh + 1);
        solicitation->match_ip_src({*mac.v6, 128})
            .match_ip_proto(wire::kIcmpv6)
            .match_icmp_type(wire::kNeighbourSolicitation);
        solicitation.end(out, cookie);
        StageFlow advertisement = known(priority::kHigh + 1);
        advertisement->match_eth_type(wire::kIpv6)
            .match_ip_proto(wire::kIcmpv6)
            .match_icmp_type(wire::kNeighbourAdvertisement)
            .match_nd_target({*mac.v6, 128});
        advertisement.end(out, cookie);
    }
}

void learn_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Learn, priority::kMiss).end(out, cookie);
}

}  // namespace hnv::pipeline
