// What a port sends to nobody: a MAC that the virtual network does not know, an address that nobody
// has, a destination without a route. Each port has flows of its own for them, so that each has its
// counter; what came by a tunnel ends in the tables' misses.
#include "pipeline/stages.h"

namespace hnv::pipeline {

void no_destination_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    const auto complain = [&](Table table, IcmpReason reason) {
        StageFlow(table, priority::kDefault)
            .match(Reg::Source, port.ofport)
            .set(Reg::Reason, static_cast<std::uint32_t>(reason))
            .go(Table::IcmpError, out, cookie);
    };
    complain(Table::Route, IcmpReason::NoRoute);
    complain(Table::Resolve, IcmpReason::HostUnknown);
    StageFlow(Table::Mapping, priority::kDefault).match(Reg::Source, port.ofport).drop(out, cookie);
}

}  // namespace hnv::pipeline
