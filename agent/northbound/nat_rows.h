// Rows of NAT as values.
#pragma once

#include "ovs-integration/ovsdb_server.h"
#include "ovs-integration/result.h"
#include "policy/specs.h"

namespace hnv::northbound {

// The error says which column can't be read, or does not go with which other, and what to do.
[[nodiscard]] Result<policy::NatSpec> parse_nat(const ovs::Row& row);

}  // namespace hnv::northbound
