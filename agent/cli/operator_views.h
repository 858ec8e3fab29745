// How what operator_commands.h gives looks to a person.
//
// Pure. A member that is absent is shown as "-".
#pragma once

#include <json/value.h>

#include <string>

namespace hnv::cli {

[[nodiscard]] std::string layers_view(const Json::Value& layers, bool colour);
[[nodiscard]] std::string rules_view(const Json::Value& rules, bool colour);
[[nodiscard]] std::string spaces_view(const Json::Value& spaces, bool colour);
[[nodiscard]] std::string unified_flows_view(const Json::Value& flows, bool colour);
[[nodiscard]] std::string process_tuples_view(const Json::Value& result, bool colour);

}  // namespace hnv::cli
