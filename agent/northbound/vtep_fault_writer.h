// Faults of rows of hardware_vtep into the columns that its schema has for them (vtep(5)):
//
//   Physical_Port.port_fault_status   invalid_ACL_binding, invalid_vlan_map, unspecified_fault
//   ACL.acl_fault_status              invalid_acl
//   ACL_entry.acle_fault_status       invalid_acl_entry
//
// What is wrong, and what to do, is in table Fault of hnv_host.
#pragma once

#include <map>
#include <set>
#include <string>

#include "ovs-integration/databases.h"
#include "policy/faults.h"

namespace hnv::northbound {

class VtepFaultWriter {
  public:
    explicit VtepFaultWriter(ovs::Databases& server) : server_(server) {}

    // Makes the columns say what stands now.
    void write(const policy::Faults& faults);

  private:
    using Told = std::map<policy::RowRef, std::set<std::string>>;

    ovs::Databases& server_;
    Told told_;  // The columns are ephemeral: empty at the start.
};

}  // namespace hnv::northbound
