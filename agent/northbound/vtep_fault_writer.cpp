#include "northbound/vtep_fault_writer.h"

#include <utility>

#include "northbound/operations.h"

namespace hnv::northbound {

namespace {

using policy::FaultKey;
using policy::SourceTable;

// The column of the table for its faults; null if it has none.
[[nodiscard]] const char* column_of(SourceTable table) {
    switch (table) {
        case SourceTable::VtepPhysicalPort:
            return "port_fault_status";
        case SourceTable::VtepAcl:
            return "acl_fault_status";
        case SourceTable::VtepAclEntry:
            return "acle_fault_status";
        default:
            return nullptr;
    }
}

[[nodiscard]] const char* word_for(SourceTable table, FaultKey key) {
    if (table == SourceTable::VtepAcl) {
        return key == FaultKey::AclIncomplete ? "invalid_acl" : "unspecified_fault";
    }
    if (table == SourceTable::VtepAclEntry) {
        return key == FaultKey::AclEntry ? "invalid_acl_entry" : "unspecified_fault";
    }
    return key == FaultKey::AclBinding    ? "invalid_ACL_binding"
           : key == FaultKey::PortUnbound ? "invalid_vlan_map"
                                          : "unspecified_fault";
}

[[nodiscard]] Json::Value json_words(const std::set<std::string>& words) {
    return json_set({words.begin(), words.end()});
}

}  // namespace

void VtepFaultWriter::write(const policy::Faults& faults) {
    Told now;
    // They are sorted by their table: those of ms_vtep, of which there may be many, come before.
    const policy::Faults::Id first{{SourceTable::VtepPhysicalPort, Uuid{}}, FaultKey{}};
    for (auto fault = faults.all().lower_bound(first); fault != faults.all().end(); ++fault) {
        const auto& [row, key] = fault->first;
        if (column_of(row.table) != nullptr) {
            now[row].insert(word_for(row.table, key));
        }
    }
    if (now == told_) {
        return;
    }
    Operations operations;
    const auto tell = [&](const policy::RowRef& row, const std::set<std::string>& words) {
        Json::Value values;
        values[column_of(row.table)] = json_words(words);
        operations.update(std::string(policy::name_of(row.table).table), row.uuid, values);
    };
    for (const auto& [row, words] : told_) {
        if (!now.contains(row)) {
            tell(row, {});
        }
    }
    for (const auto& [row, words] : now) {
        const auto before = told_.find(row);
        if (before == told_.end() || before->second != words) {
            tell(row, words);
        }
    }
    told_ = std::move(now);
    operations.commit(server_, "hardware_vtep", "faults");
}

}  // namespace hnv::northbound
