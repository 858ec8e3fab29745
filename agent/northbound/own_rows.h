// The rows that the agent makes once and keeps: the single row of each database that has one, and
// this host's Physical_Switch.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ovs-integration/databases.h"

namespace hnv::northbound {

// Makes what is missing, and gives the Physical_Switch its name.
void ensure_own_rows(ovs::Databases& server, const std::string& host_name);

// The row of a table that has one; nothing when a client has deleted it.
[[nodiscard]] std::optional<Uuid> first_row(const ovs::Databases& server, std::string_view database,
                                            std::string_view table);

}  // namespace hnv::northbound
