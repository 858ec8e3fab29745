// Table::Dhcp: DHCP, DHCPv6 and router solicitations go to the agent, which answers from what the
// policy says of the port. Here comes only what Table::Guard has sent: of ports that the policy
// gives an address of the family.
#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/stages.h"
#include "policy/leases.h"

namespace hnv::pipeline {

namespace {

// As layout.h states it.
using Userdata = std::array<std::uint8_t, 1 + sizeof(policy::PortKey)>;

[[nodiscard]] Userdata userdata_of(PacketInKind kind, const policy::PortView& port) {
    Userdata bytes{static_cast<std::uint8_t>(kind)};
    const policy::PortKey key = policy::key_of_port(port.name);
    for (std::size_t i = 1; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(key >> (8 * (bytes.size() - 1 - i)));
    }
    return bytes;
}

}  // namespace

void dhcp_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const auto serves = [&port](const auto& what) {
        return std::ranges::any_of(port.attachments, what);
    };
    const bool v4 = serves([](const auto& each) { return each.dhcp_server.has_value(); });
    const bool v6 = serves([](const auto& each) { return each.dhcpv6; });
    if (!v4 && !v6) {
        return;
    }
    const std::uint32_t meter = meter_id(MeterKind::Dhcp, port.ofport);
    out.meters.push_back({meter, kDhcpLimitPps, kDhcpLimitPps / kMeterBurstDivisor});
    const auto ask = [&](PacketInKind kind, std::uint16_t type, std::uint8_t protocol) {
        StageFlow flow(Table::Dhcp, priority::kNormal);
        flow.match(Reg::Source, port.ofport);
        flow->match_eth_type(type).match_ip_proto(protocol).controller(
            {kResponderControllerId, meter, userdata_of(kind, port)});
        flow.end(out, cookie);
    };
    if (v4) {
        ask(PacketInKind::Dhcp, wire::kIpv4, wire::kUdp);
    }
    if (v6) {
        ask(PacketInKind::Dhcpv6, wire::kIpv6, wire::kUdp);
    }
    if (serves([](const auto& each) { return each.advertised; })) {
        ask(PacketInKind::RouterSolicitation, wire::kIpv6, wire::kIcmpv6);
    }
}

void dhcp_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Dhcp, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
