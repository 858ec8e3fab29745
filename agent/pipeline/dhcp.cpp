// Table::Dhcp: DHCP, DHCPv6 and router solicitations go to the agent.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void dhcp_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Dhcp, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
