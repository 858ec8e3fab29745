// Table::Deliver: out of the guest's port, in the VLAN that the guest knows the subnet by. Open
// vSwitch never sends a packet back where it came in.
//
// Each attachment of a port has flows of its own. They do what the host's do: their counters tell
// what the guest was delivered of that subnet.
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// `router`: of what the distributed router passed on, which leaves with its MAC.
void out_of_port(StageFlow& flow, const std::optional<MacAddress>& router, std::uint64_t cookie,
                 FlowSet& out) {
    flow.match(Reg::Routed, router ? 1 : 0);
    if (router) {
        flow->set_eth_src(*router);
    }
    flow->move_reg_to_vlan_tci(static_cast<unsigned>(Reg::DestinationVlan))
        .output_reg(static_cast<unsigned>(Reg::Destination))
        .clear_vlan_tci();  // The next copy of a broadcast may be for an untagged port.
    flow.end(out, cookie);
}

}  // namespace

void deliver_attachment(const policy::PortView& port, const policy::Attachment& attachment,
                        std::uint64_t cookie, FlowSet& out) {
    const auto deliver = [&](const std::optional<MacAddress>& router) {
        StageFlow flow(Table::Deliver, priority::kHigh);
        flow.match(Reg::Vsid, attachment.vsid)
            .match(Reg::Destination, port.ofport)
            .match(Reg::DestinationVlan, tci_of(attachment.vlan));
        out_of_port(flow, router, cookie, out);
    };
    deliver(std::nullopt);
    if (attachment.router) {
        deliver(attachment.router->mac);
    }
}

void deliver_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        deliver_attachment(port, attachment, cookie, out);
    }
}

// What is of no attachment: copies for an analyzer, and what goes into a VLAN of the underlay.
void deliver_host(const policy::HostView& host, std::uint64_t cookie, FlowSet& out) {
    for (const auto& router : {std::optional<MacAddress>(), std::optional(host.router_mac)}) {
        StageFlow flow(Table::Deliver, priority::kNormal);
        out_of_port(flow, router, cookie, out);
    }
    StageFlow(Table::Deliver, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
