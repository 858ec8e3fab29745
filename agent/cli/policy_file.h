// The policy file (JSON, version 1): text to values and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/policy.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

struct ParsedPolicy {
    Policy policy;
    std::vector<std::string> warnings;  // Likely mistakes that are no errors, with their path.
};

// Refuses anything it does not know: unknown keys, wrong types, duplicates, references to a VSID
// that the file does not define. The error has one line for each problem, with its JSON path.
[[nodiscard]] Result<ParsedPolicy> parse_policy(std::string_view text);

// The same policy as text: one item a line where that reads best, default values left out.
// parse_policy(write_policy(p)) == p for a policy that fulfils policy.h's invariants.
[[nodiscard]] std::string write_policy(const Policy& policy);

}  // namespace hnv::cli
