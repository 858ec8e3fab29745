// The client's side of unixctl, the local command socket of Open vSwitch's daemons and of ours
// (JSON-RPC 1.0 over a Unix socket; method = command, params = its arguments, all strings).
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "ovs-integration/result.h"

namespace hnv::ovs {

// Runs `command` on the daemon that listens on `socket_path` (absolute) and gives its answer.
// Blocks at most `timeout` to connect and as long again for the answer.
Result<std::string> unixctl_call(const std::string& socket_path, const std::string& command,
                                 std::span<const std::string> arguments,
                                 std::chrono::milliseconds timeout);

}  // namespace hnv::ovs
