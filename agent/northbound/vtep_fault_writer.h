// Faults of rows of hardware_vtep into the columns that its schema has for them (vtep(5)):
//
//   Physical_Port.port_fault_status   invalid_ACL_binding, invalid_vlan_map, unspecified_fault
//   Logical_Router.LR_fault_status    invalid_ACL_binding, unspecified_fault
//   ACL.acl_fault_status              invalid_acl
//   ACL_entry.acle_fault_status       invalid_acl_entry
//   Physical_Switch.switch_fault_status   for the tables without a column: tunnel_exhaustion,
//                                         mac_table_exhaustion, unspecified_fault
//
// What is wrong, and what to do, is in table Fault of hnv_host.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "ovs-integration/databases.h"
#include "policy/faults.h"

namespace hnv::northbound {

class VtepFaultWriter {
  public:
    explicit VtepFaultWriter(ovs::Databases& server) : server_(server) {}

    // Makes the columns say what stands now.
    void write(const policy::Faults& faults);

  private:
    using Words = std::set<std::string>;
    using Told = std::map<policy::RowRef, Words>;

    void tell_switch(Words words);

    ovs::Databases& server_;
    Told told_;  // The columns are ephemeral: empty at the start.
    std::pair<std::optional<Uuid>, Words> told_switch_;
};

}  // namespace hnv::northbound
