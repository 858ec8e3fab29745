#include "northbound/vtep_fault_writer.h"

#include <utility>

#include "northbound/operations.h"
#include "northbound/own_rows.h"

namespace hnv::northbound {

namespace {

using policy::FaultKey;
using policy::SourceTable;

// The column of the table for its faults; null if it has none.
[[nodiscard]] const char* column_of(SourceTable table) {
    switch (table) {
        case SourceTable::VtepPhysicalPort:
            return "port_fault_status";
        case SourceTable::VtepLogicalRouter:
            return "LR_fault_status";
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
    if (table == SourceTable::VtepLogicalRouter) {
        return key == FaultKey::AclBinding ? "invalid_ACL_binding" : "unspecified_fault";
    }
    return key == FaultKey::AclBinding    ? "invalid_ACL_binding"
           : key == FaultKey::PortUnbound ? "invalid_vlan_map"
                                          : "unspecified_fault";
}

// What a fault of a table without a column of its own is for the switch; null: it is none of it.
[[nodiscard]] const char* switch_word(SourceTable table, FaultKey key, const std::string& message) {
    switch (table) {
        case SourceTable::VtepUcastMacsRemote:
            if (key == FaultKey::SwitchRejected &&
                message.find("TABLE_FULL") != std::string::npos) {
                return "mac_table_exhaustion";
            }
            return "unspecified_fault";
        case SourceTable::VtepLogicalSwitch:
        case SourceTable::VtepMcastMacsRemote:
        case SourceTable::VtepPhysicalLocatorSet:
        case SourceTable::VtepPhysicalLocator:
        case SourceTable::VtepTunnel:
            return key == FaultKey::TunnelLimit || key == FaultKey::ReplicationLimit
                       ? "tunnel_exhaustion"
                       : "unspecified_fault";
        default:
            return nullptr;
    }
}

[[nodiscard]] Json::Value json_words(const std::set<std::string>& words) {
    return json_set({words.begin(), words.end()});
}

}  // namespace

void VtepFaultWriter::write(const policy::Faults& faults) {
    Told now;
    Words of_switch;
    // They are sorted by their table: those of ms_vtep, of which there may be many, come before.
    const policy::Faults::Id first{{SourceTable::VtepPhysicalPort, Uuid{}}, FaultKey{}};
    for (auto fault = faults.all().lower_bound(first); fault != faults.all().end(); ++fault) {
        const auto& [row, key] = fault->first;
        if (column_of(row.table) != nullptr) {
            now[row].insert(word_for(row.table, key));
        } else if (const char* word = switch_word(row.table, key, fault->second)) {
            of_switch.insert(word);
        }
    }
    tell_switch(std::move(of_switch));
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

void VtepFaultWriter::tell_switch(Words words) {
    if (words.empty() && told_switch_.second.empty()) {
        return;
    }
    const auto row = first_row(server_, "hardware_vtep", "Physical_Switch");
    if (!row || told_switch_ == std::pair(row, words)) {
        return;
    }
    Operations operations;
    Json::Value values;
    values["switch_fault_status"] = json_words(words);
    operations.update("Physical_Switch", *row, values);
    operations.commit(server_, "hardware_vtep", "faults of the switch");
    told_switch_ = {row, std::move(words)};
}

}  // namespace hnv::northbound
