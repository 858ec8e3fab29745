// How the agent's answers (JSON, see the unixctl commands hnv/...) look to a person.
//
// Pure. A member that is absent, as in the answer of another version, is shown as "-".
#pragma once

#include <json/value.h>

#include <string>

namespace hnv::cli {

[[nodiscard]] std::string status_view(const Json::Value& status, bool colour);
[[nodiscard]] std::string ports_view(const Json::Value& ports, bool colour);
[[nodiscard]] std::string mappings_view(const Json::Value& mappings, bool colour);
[[nodiscard]] std::string provider_addresses_view(const Json::Value& addresses, bool colour);
[[nodiscard]] std::string faults_view(const Json::Value& faults, bool colour);
// Those that have been met at least once.
[[nodiscard]] std::string drops_view(const Json::Value& drops, bool colour);

}  // namespace hnv::cli
