// Tables QosOut and QosIn: how much a port may send, and be sent.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void qos_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::QosOut, priority::kMiss).go(Table::MirrorOut, out, cookie);
    StageFlow(Table::QosIn, priority::kMiss).go(Table::MirrorIn, out, cookie);
}

}  // namespace hnv::pipeline
