// Asking a switch for flows, by a connection that lasts as long as the question: for programs that
// make a few calls and end.
//
// Thread: blocks the calling thread, which needs no poll loop of its own.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "ovs-integration/openflow.h"
#include "ovs-integration/result.h"

namespace hnv::ovs {

// Every flow that one of the filters takes, once, by table and falling priority. `target`: e.g.
// "unix:/run/openvswitch/br-hnv.mgmt". An error if the switch has not answered all of it in time.
[[nodiscard]] Result<std::vector<FlowRecord>> query_flows(const std::string& target,
                                                          std::span<const FlowFilter> filters,
                                                          std::chrono::milliseconds timeout);

}  // namespace hnv::ovs
