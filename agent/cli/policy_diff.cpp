#include "cli/policy_diff.h"

#include <map>
#include <tuple>

#include "cli/ovsdb_json.h"
#include "cli/row_values.h"

namespace hnv::cli {
namespace {

// Sorts the keys of `wanted` and `current` into the three ways to go. `Current` values that are
// left over afterwards are to be removed.
template <typename Key, typename Wanted, typename Current, typename Add, typename Change>
void match(const std::map<Key, Wanted>& wanted, std::map<Key, Current>& current, Add add,
           Change change) {
    for (const auto& [key, value] : wanted) {
        if (const auto found = current.find(key); found != current.end()) {
            change(value, found->second);
            current.erase(found);
        } else {
            add(value);
        }
    }
}

void plan_provider_addresses(const Policy& policy, const HostRows& rows, Plan& plan) {
    ItemCount count{"provider address", "provider addresses"};
    std::map<IpPrefix, const ProviderAddress*> wanted;
    for (const ProviderAddress& item : policy.provider_addresses) {
        wanted.emplace(item.address, &item);
    }
    // Deletions, then updates, then insertions: no two rows of one address ever meet.
    std::vector<Operations> updates;
    std::vector<Operations> inserts;
    std::map<IpPrefix, const ProviderAddressRow*> current;
    for (const ProviderAddressRow& row : rows.provider_addresses) {
        const auto value = value_of(row);
        if (!value || !current.emplace(value->address, &row).second) {
            plan.groups.push_back({delete_operation("Provider_Address", row.uuid)});
            ++count.removed;
        }
    }
    match(
        wanted, current,
        [&](const ProviderAddress* item) {
            inserts.push_back({insert_operation("Provider_Address", row_json(*item))});
            ++count.added;
        },
        [&](const ProviderAddress* item, const ProviderAddressRow* row) {
            auto changed = changed_columns(row_json(*value_of(*row)), row_json(*item));
            if (!changed.empty()) {
                updates.push_back(
                    {update_operation("Provider_Address", row->uuid, std::move(changed))});
                ++count.changed;
            }
        });
    for (const auto& [address, row] : current) {
        plan.groups.push_back({delete_operation("Provider_Address", row->uuid)});
        ++count.removed;
    }
    plan.groups.insert(plan.groups.end(), updates.begin(), updates.end());
    plan.groups.insert(plan.groups.end(), inserts.begin(), inserts.end());
    plan.counts.push_back(std::move(count));
}

void plan_port_settings(const Policy& policy, const HostRows& rows, Plan& plan) {
    ItemCount count{"port setting", "port settings"};
    std::map<std::string, const Port*> wanted;
    for (const Port& port : policy.ports) {
        if (port.settings) {
            wanted.emplace(port_key(port.name), &port);
        }
    }
    std::map<std::string, const PortSettingsRow*> current;
    for (const PortSettingsRow& row : rows.port_settings) {
        if (!current.emplace(port_key(row.name), &row).second) {
            plan.groups.push_back({delete_operation("Port_Settings", row.uuid)});
            ++count.removed;
        }
    }
    match(
        wanted, current,
        [&](const Port* port) {
            Json::Value row = row_json(*port->settings);
            row["name"] = port->name;
            plan.groups.push_back({insert_operation("Port_Settings", std::move(row))});
            ++count.added;
        },
        [&](const Port* port, const PortSettingsRow* row) {
            auto changed = changed_columns(row_json(value_of(*row)), row_json(*port->settings));
            if (!changed.empty()) {
                plan.groups.push_back(
                    {update_operation("Port_Settings", row->uuid, std::move(changed))});
                ++count.changed;
            }
        });
    for (const auto& [name, row] : current) {
        plan.groups.push_back({delete_operation("Port_Settings", row->uuid)});
        ++count.removed;
    }
    plan.counts.push_back(std::move(count));
}

}  // namespace

Json::Value changed_columns(const Json::Value& current, const Json::Value& wanted) {
    Json::Value changed(Json::objectValue);
    for (const std::string& column : wanted.getMemberNames()) {
        if (current[column] != wanted[column]) {
            changed[column] = wanted[column];
        }
    }
    return changed;
}

std::string summary(const std::vector<ItemCount>& counts) {
    std::string text;
    const auto add = [&text](char sign, std::size_t number, const ItemCount& count) {
        if (number != 0) {
            text += (text.empty() ? "" : ", ") + std::string(1, sign) + std::to_string(number) +
                    " " + (number == 1 ? count.singular : count.plural);
        }
    };
    for (const ItemCount& count : counts) {
        add('+', count.added, count);
        add('~', count.changed, count);
        add('-', count.removed, count);
    }
    return text.empty() ? "no change" : text;
}

Plan plan_host(const Policy& policy, const HostRows& rows) {
    Plan plan{std::string(kHostDatabase), {}, {}};
    plan_provider_addresses(policy, rows, plan);
    plan_port_settings(policy, rows, plan);
    return plan;
}

Plan plan_firewall(const Policy& policy, const FirewallRows& rows) {
    Plan plan{std::string(kFirewallDatabase), {}, {}};
    ItemCount count{"rule", "rules"};
    using Key = std::tuple<std::string, std::string, AclLayer>;
    std::map<Key, const Acl*> wanted;
    for (const Acl& acl : policy.acls) {
        wanted.emplace(Key{acl.port, acl.id, acl.layer}, &acl);
    }
    std::map<Key, const RuleRow*> current;
    for (const RuleRow& row : rows.rules) {
        const Acl value = value_of(row);
        current.emplace(Key{value.port, value.id, value.layer}, &row);
    }
    // One group a port: no packet of a port may meet half of its new rules.
    std::map<std::string, Operations> by_port;
    match(
        wanted, current,
        [&](const Acl* acl) {
            by_port[acl->port].push_back(insert_operation("FW_Rules", row_json(*acl)));
            ++count.added;
        },
        [&](const Acl* acl, const RuleRow* row) {
            auto changed = changed_columns(row_json(value_of(*row)), row_json(*acl));
            if (!changed.empty()) {
                by_port[acl->port].push_back(
                    update_operation("FW_Rules", row->uuid, std::move(changed)));
                ++count.changed;
            }
        });
    for (const auto& [key, row] : current) {
        by_port[row->vnic_id].push_back(delete_operation("FW_Rules", row->uuid));
        ++count.removed;
    }
    for (auto& [port, operations] : by_port) {
        plan.groups.push_back(std::move(operations));
    }
    plan.counts.push_back(std::move(count));
    return plan;
}

}  // namespace hnv::cli
