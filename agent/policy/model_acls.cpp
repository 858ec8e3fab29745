// Access control lists of hardware_vtep, and the ports that they are bound to.
#include <algorithm>
#include <tuple>

#include "policy/model.h"

namespace hnv::policy {

void Model::put(const Uuid& row, const AclEntrySpec& spec) {
    AclEntryRecord& entry = acl_entries_[row];
    entry.spec = spec;
    touched_acls_.insert(entry.acls.begin(), entry.acls.end());
}

void Model::remove_acl_entry(const Uuid& row) {
    const auto entry = acl_entries_.find(row);
    if (entry == acl_entries_.end()) {
        return;
    }
    entry->second.spec.reset();
    touched_acls_.insert(entry->second.acls.begin(), entry->second.acls.end());
    if (entry->second.acls.empty()) {
        acl_entries_.erase(entry);
    }
}

void Model::put(const Uuid& row, AclSpec spec) {
    remove_acl(row);
    for (const Uuid& entry : spec.entries) {
        acl_entries_[entry].acls.insert(row);
    }
    acls_[row].spec = std::move(spec);
    touched_acls_.insert(row);
}

void Model::remove_acl(const Uuid& row) {
    const auto acl = acls_.find(row);
    if (acl == acls_.end() || !acl->second.spec) {
        return;
    }
    for (const Uuid& row_of_entry : acl->second.spec->entries) {
        const auto entry = acl_entries_.find(row_of_entry);
        entry->second.acls.erase(row);
        if (entry->second.acls.empty() && !entry->second.spec) {
            acl_entries_.erase(entry);
        }
    }
    acl->second.spec.reset();
    touched_acls_.insert(row);
}

// Before the ports: those that a list is bound to change with it.
void Model::resolve_acls() {
    for (const Uuid& row : std::exchange(touched_acls_, {})) {
        const auto acl = acls_.find(row);
        if (acl == acls_.end()) {
            continue;
        }
        for (PortRecord* port : acl->second.ports) {
            touch_port(*port);
        }
        if (const auto& spec = acl->second.spec) {
            const auto lost =
                std::count_if(spec->entries.begin(), spec->entries.end(),
                              [this](const Uuid& entry) { return !acl_entries_.at(entry).spec; });
            std::optional<std::string> problem;
            if (lost != 0) {
                problem = std::to_string(lost) + " of the entries of ACL " + spec->name +
                          " have no effect: see the faults of these rows";
            } else if (spec->entries.size() > kMaxAclEntries) {
                problem = "ACL " + spec->name + " has " + std::to_string(spec->entries.size()) +
                          " entries, of which the last ones have no effect: " +
                          std::to_string(kMaxAclEntries) + " at most";
            }
            faults_.set({SourceTable::VtepAcl, row}, FaultKey::AclIncomplete, problem);
        } else if (acl->second.ports.empty()) {
            acls_.erase(acl);
        }
    }
}

// The lists that the port names now are to touch it, and no others.
void Model::bind_acls(PortRecord& port) {
    std::map<std::uint16_t, Uuid> wanted;
    if (const PortSpec* spec = port.specs.spec()) {
        wanted = spec->acl_bindings;
    }
    if (port.acls == wanted) {
        return;
    }
    for (const auto& [vlan, row] : port.acls) {
        acls_[row].ports.erase(&port);
        touched_acls_.insert(row);  // The next commit() releases it.
    }
    for (const auto& [vlan, row] : wanted) {
        acls_[row].ports.insert(&port);
    }
    port.acls = std::move(wanted);
}

// The VLAN's own list, else that of the whole port (vtep(5), Physical_Port's acl_bindings).
std::vector<AclEntrySpec> Model::acl_of(const PortRecord& port, std::uint16_t vlan) const {
    auto binding = port.acls.find(vlan);
    if (binding == port.acls.end()) {
        binding = port.acls.find(0);
    }
    const auto acl = binding == port.acls.end() ? acls_.end() : acls_.find(binding->second);
    if (acl == acls_.end() || !acl->second.spec) {
        return {};
    }
    // Of equal sequence numbers a deny comes first, whatever the order of the rows.
    using Key = std::tuple<std::int64_t, bool, Uuid>;
    std::vector<std::pair<Key, const AclEntrySpec*>> sorted;
    for (const Uuid& row : acl->second.spec->entries) {
        if (const auto& spec = acl_entries_.at(row).spec) {
            sorted.push_back({{spec->sequence, spec->action == RuleAction::Allow, row}, &*spec});
        }
    }
    std::ranges::sort(sorted, {}, &decltype(sorted)::value_type::first);
    sorted.resize(std::min(sorted.size(), kMaxAclEntries));
    std::vector<AclEntrySpec> entries;
    entries.reserve(sorted.size());
    for (const auto& [key, spec] : sorted) {
        entries.push_back(*spec);
    }
    return entries;
}

// A list for a VLAN that the port is not in.
std::string Model::unused_acls(const PortRecord& port) {
    std::string vlans;
    for (const auto& [vlan, row] : port.acls) {
        if (vlan != 0 && !port.subnets.contains(vlan)) {
            vlans += (vlans.empty() ? "" : ", ") + std::to_string(vlan);
        }
    }
    return vlans.empty() ? ""
                         : "its acl_bindings name VLAN " + vlans +
                               ", to which no entry of vlan_bindings binds it";
}

}  // namespace hnv::policy
