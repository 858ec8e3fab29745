#include "northbound/hardware_vtep_reader.h"

#include "northbound/acl_entry.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

void HardwareVtepReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Ucast_Macs_Remote") {
        mapping(change);
    } else if (change.table == "Physical_Locator") {
        locator(change);
    } else if (change.table == "Mcast_Macs_Remote") {
        group(change);
    } else if (change.table == "Physical_Locator_Set") {
        locator_set(change);
    } else if (change.table == "Logical_Switch") {
        subnet(change);
    } else if (change.table == "Physical_Port") {
        port(change);
    } else if (change.table == "ACL") {
        acl(change);
    } else if (change.table == "ACL_entry") {
        acl_entry(change);
    }
}

void HardwareVtepReader::acl(const ovs::RowChange& change) {
    const RowRef row{SourceTable::VtepAcl, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    model_.put(row.uuid, policy::AclSpec{std::string(change.after->string("acl_name")),
                                         change.after->references("acl_entries")});
}

void HardwareVtepReader::acl_entry(const ovs::RowChange& change) {
    const RowRef row{SourceTable::VtepAclEntry, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    auto spec = parse_acl_entry(*change.after);
    if (!spec) {
        return refuse(row, FaultKey::AclEntry, spec.error().message());
    }
    accept(row, FaultKey::AclEntry, *std::move(spec));
}

}  // namespace hnv::northbound
