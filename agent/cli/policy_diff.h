// What has to be done to a database so that its controller-owned rows equal a policy.
//
// Pure: the same policy and rows give the same plan, and the plan for rows that already equal the
// policy is empty. Rows are matched by their natural keys; columns that a policy file does not
// know, and rows that the agent owns, are left alone.
#pragma once

#include <string>
#include <vector>

#include "cli/database_rows.h"
#include "cli/policy.h"

namespace hnv::cli {

// How many items of one kind a plan adds, changes and removes.
struct ItemCount {
    std::string singular;
    std::string plural;
    std::size_t added = 0;
    std::size_t changed = 0;
    std::size_t removed = 0;

    bool operator==(const ItemCount&) const = default;
};

struct Plan {
    std::string database;
    // The operations of one group belong in one transaction; groups are in the order in which they
    // have to happen. A group may refer by named-uuid to a row that an earlier group inserts.
    std::vector<Operations> groups;
    std::vector<ItemCount> counts;

    [[nodiscard]] bool empty() const { return groups.empty(); }
};

[[nodiscard]] Plan plan_host(const Policy& policy, const HostRows& rows);
[[nodiscard]] Plan plan_firewall(const Policy& policy, const FirewallRows& rows);
[[nodiscard]] Plan plan_vtep(const Policy& policy, const VtepRows& rows);

// The members of `wanted` that differ in `current`: what an update has to set.
[[nodiscard]] Json::Value changed_columns(const Json::Value& current, const Json::Value& wanted);

// "+2 subnets, ~1 port, -4 mappings" or "no change".
[[nodiscard]] std::string summary(const std::vector<ItemCount>& counts);

}  // namespace hnv::cli
