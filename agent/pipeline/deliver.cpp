// Table::Deliver: out of the guest's port. Open vSwitch never sends a packet back where it came in.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void deliver_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow flow(Table::Deliver, priority::kMiss);
    flow->output_reg(static_cast<unsigned>(Reg::Destination));
    flow.end(out, cookie);
}

}  // namespace hnv::pipeline
