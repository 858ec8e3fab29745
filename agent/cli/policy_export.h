// The policy that is in the databases, as a policy file would say it.
#pragma once

#include <string>
#include <vector>

#include "cli/database_rows.h"
#include "cli/policy.h"

namespace hnv::cli {

struct ExportedPolicy {
    Policy policy;
    // Rows that a policy file cannot say (or must not: it would be refused), and why. They are not
    // in `policy`.
    std::vector<std::string> omitted;
};

// Sorted by natural keys, so that the same content gives the same text. Without omissions, planning
// `policy` against these rows gives nothing to do.
[[nodiscard]] ExportedPolicy export_policy(const HostRows& host, const FirewallRows& firewall,
                                           const VtepRows& vtep);

}  // namespace hnv::cli
