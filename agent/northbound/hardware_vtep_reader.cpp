#include "northbound/hardware_vtep_reader.h"

#include <tuple>

#include "northbound/acl_entry.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

void HardwareVtepReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Ucast_Macs_Remote") {
        mapping(change);
        forget_learned(change);
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
    } else if (change.table == "Logical_Router") {
        logical_router(change);
    } else if (change.table == "ACL") {
        acl(change);
    } else if (change.table == "ACL_entry") {
        acl_entry(change);
    }
}

// The interfaces of a router have no lists: whoever relies on one is told.
void HardwareVtepReader::logical_router(const ovs::RowChange& change) {
    router(change);
    if (!change.after) {
        return;
    }
    std::string interfaces;
    for (const auto& [address, acl] : change.after->reference_map("acl_binding")) {
        interfaces += (interfaces.empty() ? "" : ", ") + std::string(address);
    }
    faults_.set(
        {SourceTable::VtepLogicalRouter, change.uuid}, FaultKey::AclBinding,
        interfaces.empty()
            ? std::nullopt
            : std::optional("acl_binding of Logical_Router " +
                            std::string(change.after->string("name")) + " for " + interfaces +
                            " has no effect: bind the lists to the ports instead "
                            "(Physical_Port.acl_bindings)"));
}

// A controller that has just said where a MAC is knows better than what was seen before. If it is
// here after all, its next frame says so.
void HardwareVtepReader::forget_learned(const ovs::RowChange& change) {
    const auto place_of = [](const ovs::Row& row) {
        return std::tuple(MacAddress::parse(row.string("MAC")), row.reference("logical_switch"),
                          row.reference("locator"));
    };
    if (!change.after || (change.before && place_of(*change.before) == place_of(*change.after))) {
        return;
    }
    const auto [mac, subnet, locator] = place_of(*change.after);
    if (mac && subnet) {
        model_.forget(policy::LearnedKey{*subnet, *mac});
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
