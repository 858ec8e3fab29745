// Table::Resolve: the MAC of a customer address, for packets that were routed into its subnet.
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// `mac`: a view of one with its addresses.
void resolve(const auto& mac, std::uint64_t cookie, FlowSet& out) {
    for (const IpAddress& ca : mac.routed_cas) {
        StageFlow flow(Table::Resolve, priority::kNormal);
        flow.match(Reg::Vsid, mac.vsid);
        flow->match_ip_dst({ca, ca.is_v4() ? 32U : 128U}).set_eth_dst(mac.mac);
        flow.go(Table::Returning, out, cookie);
    }
}

}  // namespace

void resolve_mac(const policy::MacView& mac, std::uint64_t cookie, FlowSet& out) {
    resolve(mac, cookie, out);
}

void resolve_learned(const policy::LearnedView& mac, std::uint64_t cookie, FlowSet& out) {
    resolve(mac, cookie, out);
}

void resolve_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Resolve, priority::kMiss)  // Nobody has the address.
        .set(Reg::Reason, static_cast<std::uint32_t>(IcmpReason::HostUnknown))
        .go(Table::IcmpError, out, cookie);
}

}  // namespace hnv::pipeline
