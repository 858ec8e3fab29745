// hnvctl nat: what the agent says of NAT, with the switch's counts.
#pragma once

#include <json/value.h>

#include <chrono>
#include <string>

#include "ovs-integration/result.h"

namespace hnv::cli {

// Adds to each of the answer's "ports" what the switch counts now: "connections", and the packets
// of each of its "flows" by name. `nat` is the agent's answer to hnv/nat. What could not be asked
// for is null, and the error says why.
// Waits no longer than `patience` for the switch's flows, and as long for each port.
[[nodiscard]] Status count_nat(Json::Value& nat,
                               std::chrono::milliseconds patience = std::chrono::seconds(5));

[[nodiscard]] std::string nat_view(const Json::Value& nat, bool colour);

// The number of connections in the text of ovs-vswitchd's dpctl/ct-stats-show; null if it has none.
[[nodiscard]] Json::Value connections_in(const std::string& text);

}  // namespace hnv::cli
