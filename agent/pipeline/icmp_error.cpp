// Table::IcmpError: packets of a guest that could not be passed on, to the agent, which tells the
// guest why (Reg::Reason) in the name of its gateway. A packet that came by a tunnel is not the
// agent's to complain about: the sending host has routed it.
#include <algorithm>
#include <vector>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// As layout.h states it for PacketInKind::IcmpError.
[[nodiscard]] std::vector<std::uint8_t> userdata(const policy::Attachment& attachment, bool v4) {
    std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(PacketInKind::IcmpError)};
    const auto& router = attachment.router;
    const MacAddress mac = router ? router->mac : MacAddress{};
    bytes.insert(bytes.end(), mac.bytes.begin(), mac.bytes.end());
    const auto gateway = !router ? std::nullopt : v4 ? router->v4 : router->v6;
    const auto address = gateway.value_or(IpAddress{}).bytes();
    // The last four bytes of an IPv4 address in its IPv6 form are the address itself.
    bytes.insert(bytes.end(), address.end() - (v4 ? 4 : 16), address.end());
    return bytes;
}

[[nodiscard]] std::uint32_t add_meter(const policy::PortView& port, FlowSet& out) {
    const std::uint32_t meter = meter_id(MeterKind::IcmpError, port.ofport);
    out.meters.push_back({meter, kIcmpErrorLimitPps, kIcmpErrorLimitPps / kMeterBurstDivisor});
    return meter;
}

void tell(const policy::PortView& port, const policy::Attachment& attachment, std::uint32_t meter,
          std::uint64_t cookie, FlowSet& out) {
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        StageFlow flow(Table::IcmpError, priority::kNormal);
        flow.match(Reg::Source, port.ofport).match_vlan_of(Reg::SourceVlan, port, attachment);
        flow->match_eth_type(family).controller(
            {kResponderControllerId, meter, userdata(attachment, family == wire::kIpv4)});
        flow.end(out, cookie);
    }
}

}  // namespace

void icmp_error_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const std::uint32_t meter = add_meter(port, out);
    for (const policy::Attachment& attachment : port.attachments) {
        tell(port, attachment, meter, cookie, out);
    }
}

// Without a router the switch is a wire to such a port, and wires say nothing.
void icmp_error_vtep_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    std::optional<std::uint32_t> meter;
    for (const policy::Attachment& attachment : port.attachments) {
        if (attachment.router) {
            meter = meter ? meter : add_meter(port, out);
            tell(port, attachment, *meter, cookie, out);
        }
    }
}

void icmp_error_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::IcmpError, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
