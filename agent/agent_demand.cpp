// On-demand programming: what guests ask for into the model, and their packets on.
#include <set>

#include "agent.h"
#include "ovs-integration/event_loop.h"

namespace hnv {

void Agent::meet_demand() {
    const std::int64_t now = ovs::now_msec();
    if (model_.take_programming_changes()) {
        std::set<std::uint32_t> vsids;
        model_.for_each_on_demand_subnet(
            [&vsids](std::uint32_t vsid, std::size_t) { vsids.insert(vsid); });
        demands_.watch(std::move(vsids));
    }
    bool changed = programmer_.take(demands_.take(), now);
    changed |= programmer_.run(now);
    if (changed) {
        southbound_.apply(model_.commit());
    }
    programmer_.applied(southbound_.applied());
}

// After the switch has said that it has their flows.
void Agent::resume_packets() {
    for (const ovs::Bytes& message :
         programmer_.resumable(southbound_.confirmed(), ovs::now_msec())) {
        southbound_.pass(message);
    }
}

}  // namespace hnv
