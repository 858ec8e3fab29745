// A row of hardware_vtep's ACL_entry as a value.
#pragma once

#include "ovs-integration/ovsdb_server.h"
#include "ovs-integration/result.h"
#include "policy/acl.h"

namespace hnv::northbound {

// The error names the column that can't be read, or the columns that no packet has together.
[[nodiscard]] Result<policy::AclEntrySpec> parse_acl_entry(const ovs::Row& row);

}  // namespace hnv::northbound
