// Physical_Port.vlan_stats and Logical_Binding_Stats, of ms_vtep and hardware_vtep alike: a row for
// each binding.
//
// Brought in line with the databases as they stand, so that what a controller wrote there is put
// right, and nothing is written that is there already.
#pragma once

#include "ovs-integration/ovsdb_server.h"
#include "policy/bindings.h"

namespace hnv::northbound {

// What the databases say. hardware_vtep's counters are ephemeral: after a restart they are 0.
[[nodiscard]] policy::BindingTotals read_binding_stats(const ovs::Databases& server);

// One transaction for each of the two databases, if it has anything to be changed. A binding
// without a total has no row.
void write_binding_stats(ovs::Databases& server, const policy::BindingTotals& totals);

}  // namespace hnv::northbound
