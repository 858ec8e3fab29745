// Table::Storm: how much broadcast and multicast a port may send.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void storm_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Storm, priority::kMiss).go(Table::QosOut, out, cookie);
}

}  // namespace hnv::pipeline
