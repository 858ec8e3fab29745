// Table::Insertion: what goes through an appliance first.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void insertion_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Insertion, priority::kMiss).go(Table::Router, out, cookie);
}

}  // namespace hnv::pipeline
