// Table::Neighbour: ARP requests and IPv6 neighbour solicitations go to the agent, which answers
// from the policy; nothing else goes anywhere, so that none crosses a tunnel.
//
// Of a port of hardware_vtep they are frames like all, which nobody but their receivers answers.
// Only those for the distributed router's addresses are the agent's: they end in Table::Router,
// where such a frame has passed the port's access control lists.
#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/nat.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// In a VLAN of the underlay others answer as well: there ARP and neighbour discovery are frames
// like all.
void bridge(const policy::PortView& port, const policy::Attachment& attachment,
            std::uint64_t cookie, FlowSet& out) {
    for (const std::uint16_t type : {wire::kArp, wire::kIpv6}) {
        StageFlow flow(Table::Neighbour, priority::kHigh);
        flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
        flow->match_eth_type(type);
        flow.go(Table::Returning, out, cookie);
    }
}

// Beyond a gateway port the external addresses are the distributed router's. It has them there
// alone: who asks by another port has no use for them.
void external(const policy::PortView& port, const policy::Attachment& attachment,
              std::uint32_t meter, std::uint64_t cookie, FlowSet& out) {
    const MacAddress router = attachment.router ? attachment.router->mac : MacAddress{};
    for (const IpPrefix& prefix : external_prefixes(attachment)) {
        StageFlow flow(Table::Neighbour, priority::kHigh);
        flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
        std::vector<std::uint8_t> userdata;
        if (prefix.address.is_v4()) {
            userdata = {static_cast<std::uint8_t>(PacketInKind::ArpRequest)};
            flow->match_eth_type(wire::kArp).match_arp_op(wire::kArpRequest).match_arp_tpa(prefix);
        } else {
            userdata = {static_cast<std::uint8_t>(PacketInKind::NeighbourSolicitation)};
            userdata.insert(userdata.end(), router.bytes.begin(), router.bytes.end());
            flow->match_eth_type(wire::kIpv6)
                .match_ip_proto(wire::kIcmpv6)
                .match_icmp_type(wire::kNeighbourSolicitation)
                .match_nd_target(prefix);
        }
        userdata.insert(userdata.end(), router.bytes.begin(), router.bytes.end());
        flow->controller({kResponderControllerId, meter, userdata});
        flow.end(out, cookie);
    }
}

constexpr std::array kArp{static_cast<std::uint8_t>(PacketInKind::ArpRequest)};

// Userdata of a neighbour solicitation, as layout.h states it.
using Solicitation = std::array<std::uint8_t, 1 + 6>;
[[nodiscard]] Solicitation solicitation_in(const policy::Attachment& attachment) {
    Solicitation userdata{static_cast<std::uint8_t>(PacketInKind::NeighbourSolicitation)};
    if (attachment.router) {
        std::ranges::copy(attachment.router->mac.bytes, userdata.begin() + 1);
    }
    return userdata;
}

[[nodiscard]] std::uint32_t add_meter(const policy::PortView& port, FlowSet& out) {
    const std::uint32_t limit = port.arp_limit_pps.value_or(kDefaultArpLimitPps);
    const std::uint32_t meter = meter_id(MeterKind::Neighbour, port.ofport);
    out.meters.push_back({meter, limit, std::max(limit / kMeterBurstDivisor, 1U)});
    return meter;
}

}  // namespace

void neighbour_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const std::uint32_t meter = add_meter(port, out);
    StageFlow request(Table::Neighbour, priority::kNormal);
    request.match(Reg::Source, port.ofport);
    request->match_eth_type(wire::kArp)
        .match_arp_op(wire::kArpRequest)
        .controller({kResponderControllerId, meter, kArp});
    request.end(out, cookie);

    for (const policy::Attachment& attachment : port.attachments) {
        if (attachment.bridged) {
            bridge(port, attachment, cookie, out);
            continue;
        }
        external(port, attachment, meter, cookie, out);
        StageFlow flow(Table::Neighbour, priority::kNormal);
        flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
        flow->match_eth_type(wire::kIpv6)
            .match_ip_proto(wire::kIcmpv6)
            .match_icmp_type(wire::kNeighbourSolicitation)
            .controller({kResponderControllerId, meter, solicitation_in(attachment)});
        flow.end(out, cookie);
    }
}

void neighbour_vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const bool routed = std::ranges::any_of(port.attachments, [](const auto& attachment) {
        return !attachment.router_addresses.empty();
    });
    if (!routed) {
        return;
    }
    const std::uint32_t meter = add_meter(port, out);
    for (const policy::Attachment& attachment : port.attachments) {
        for (const IpAddress& address : attachment.router_addresses) {
            StageFlow flow(Table::Router, priority::kHigh);
            flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
            if (address.is_v4()) {
                flow->match_eth_type(wire::kArp)
                    .match_arp_op(wire::kArpRequest)
                    .match_arp_tpa({address, 32})
                    .controller({kResponderControllerId, meter, kArp});
            } else {
                flow->match_eth_type(wire::kIpv6)
                    .match_ip_proto(wire::kIcmpv6)
                    .match_icmp_type(wire::kNeighbourSolicitation)
                    .match_nd_target({address, 128})
                    .controller({kResponderControllerId, meter, solicitation_in(attachment)});
            }
            flow.end(out, cookie);
        }
    }
}

void neighbour_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Neighbour, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
