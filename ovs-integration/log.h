// The daemon's log, by libopenvswitch's vlog: -v, --log-file and vlog/set work as in Open vSwitch's
// own daemons. Any thread.
#pragma once

#include <string>

namespace hnv::log {

// `module` must be a literal; it stands in front of the message.
void info(const char* module, const std::string& message);
void warn(const char* module, const std::string& message);
void error(const char* module, const std::string& message);

}  // namespace hnv::log
