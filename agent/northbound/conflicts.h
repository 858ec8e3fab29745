// Who was second, as an earlier life of the agent found it.
//
// Of rows that are in conflict the first is in force. The databases don't tell which came first,
// but the Fault rows of that time do: the rows that they name are read last.
#pragma once

#include <unordered_set>

#include "ovs-integration/databases.h"

namespace hnv::northbound {

// The rows that a Fault row of hnv_host calls second.
[[nodiscard]] std::unordered_set<Uuid> rows_in_conflict(const ovs::Databases& server);

}  // namespace hnv::northbound
