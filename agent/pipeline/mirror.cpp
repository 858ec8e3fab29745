// Tables MirrorOut and MirrorIn: copies of what a port sends, and is sent.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void mirror_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::MirrorOut, priority::kMiss).go(Table::Dnat, out, cookie);
    StageFlow(Table::MirrorIn, priority::kMiss).go(Table::Deliver, out, cookie);
}

}  // namespace hnv::pipeline
