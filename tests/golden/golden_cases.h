// Policies whose flows are written down in <name>.txt.
#pragma once

#include <string>
#include <vector>

#include "pipeline/flow_set.h"

namespace hnv::test {

struct GoldenCase {
    const char* name;
    pipeline::FlowSet (*flows)();
};

[[nodiscard]] const std::vector<GoldenCase>& golden_cases();

// For googletest's messages.
inline void PrintTo(const GoldenCase& golden, std::ostream* out) { *out << golden.name; }

}  // namespace hnv::test
