// Tables Dnat, Snat and Snatted: what passes a gateway port has external addresses beyond it.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void nat_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Dnat, priority::kMiss).go(Table::FirewallOutTrack, out, cookie);
    StageFlow(Table::Snat, priority::kMiss).go(Table::QosIn, out, cookie);
    StageFlow(Table::Snatted, priority::kMiss).go(Table::QosIn, out, cookie);
}

}  // namespace hnv::pipeline
