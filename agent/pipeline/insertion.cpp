// Table::Insertion: what goes through an appliance first.
//
// The frame goes to the appliance's MAC past the router, otherwise as the guest sent it; what comes
// out of the appliance is that port's traffic, and no rule of the first port sees it again.
#include "pipeline/filter.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};

void insert(const policy::ServiceView& service, const policy::ServiceView::Insertion& insertion,
            const policy::ServiceView::Insertion::Hop& hop, std::uint16_t flow_priority,
            std::uint64_t cookie, FlowSet& out) {
    for (const FilterMatch& match : matches_of(insertion.filter)) {
        StageFlow flow(Table::Insertion, flow_priority);
        flow.match(Reg::Source, service.ofport).match(Reg::SourceVlan, tci_of(hop.vlan));
        flow->match_eth_dst_masked(MacAddress{}, kGroupBit);  // To one destination.
        apply(match, flow);
        if (hop.mac) {
            // A trunking guest may be its own appliance in another VLAN.
            flow->clear_in_port().set_eth_dst(*hop.mac);
            flow.set(Reg::Vsid, hop.vsid).go(Table::Returning, out, cookie);
        } else if (insertion.fail_open) {
            flow.go(Table::Router, out, cookie);
        } else {
            flow.drop(out, cookie);
        }
    }
}

}  // namespace

// By their order, not by their numbers: rules of equal priority must not meet in one flow.
void insertion_service(const policy::ServiceView& service, std::uint64_t cookie, FlowSet& out) {
    std::uint16_t flow_priority = priority::kRuleTop;
    for (const policy::ServiceView::Insertion& insertion : service.insertions) {
        if (flow_priority == priority::kMiss) {
            break;
        }
        for (const auto& hop : insertion.hops) {
            insert(service, insertion, hop, flow_priority, cookie, out);
        }
        --flow_priority;
    }
}

void insertion_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Insertion, priority::kMiss).go(Table::Router, out, cookie);
}

}  // namespace hnv::pipeline
