// The plan for ms_vtep.
//
// Order, because rows refer to each other and large plans are split into several transactions:
// logical switches are there before what refers to them and go after it; a locator is inserted in
// the group of the first mapping that uses it, since an unreferenced one does not survive its
// transaction.
#include <map>
#include <set>
#include <tuple>

#include "cli/ovsdb_json.h"
#include "cli/policy_diff.h"
#include "cli/policy_names.h"
#include "cli/row_values.h"

namespace hnv::cli {
namespace {

// Mappings that stand for the same thing: one CA of a subnet, or a MAC where there is no CA.
using MappingKey = std::tuple<std::int64_t, std::optional<IpAddress>, std::optional<MacAddress>>;

MappingKey key_of(const Mapping& mapping) {
    return {mapping.vsid, mapping.ca, mapping.ca ? std::nullopt : std::optional(mapping.mac)};
}

struct CurrentMapping {
    const MappingRow* row;
    Mapping value;
};

struct MappingBucket {
    std::vector<const Mapping*> wanted;
    std::vector<CurrentMapping> current;
};

class VtepPlanner {
  public:
    VtepPlanner(const Policy& policy, const VtepRows& rows) : policy_(policy), rows_(rows) {}

    Plan plan() &&;

  private:
    struct WantedSwitch {
        const VirtualNetwork* network;
        const Subnet* subnet;
        const LogicalSwitchRow* row = nullptr;
    };

    std::vector<WantedSwitch> match_switches() const;
    void plan_switches();
    void free_names(Operations& updates) const;
    void plan_routers();
    void plan_router(const VirtualNetwork& network, const LogicalRouterRow* row, ItemCount& count);
    void index_locators();
    Json::Value locator(const Mapping& mapping, Operations& operations);
    std::map<MappingKey, MappingBucket> sort_mappings(Operations& unreadable);
    void plan_mappings();
    void plan_bucket(MappingBucket& bucket, ItemCount& count);
    void update_mapping(const CurrentMapping& current, const Mapping& wanted,
                        Operations& operations);
    void plan_ports();
    void plan_port(const Port& port, const PortRow* row, ItemCount& count);
    void unbind_port(const PortRow& row, ItemCount& count);
    void plan_chassis();
    void remove_switches();

    const Policy& policy_;
    const VtepRows& rows_;
    Plan plan_{std::string(kVtepDatabase), {}, {}};
    std::map<std::int64_t, Json::Value> switch_of_vsid_;    // A reference for each wanted VSID.
    std::map<std::string, std::int64_t> vsid_of_kept_row_;  // By the switch row's uuid.
    std::map<std::pair<std::string, IpAddress>, Json::Value> locators_;  // References.
    std::map<std::string, const LocatorRow*> locator_rows_;              // By uuid.
    std::size_t new_locators_ = 0;
};

Plan VtepPlanner::plan() && {
    plan_switches();
    plan_routers();
    index_locators();
    plan_mappings();
    plan_ports();
    plan_chassis();
    remove_switches();
    return std::move(plan_);
}

// By VSID first, then what is left by name (the table's index): a name that stays while its VSID
// changes must be an update, since two rows of one name cannot be there at once.
std::vector<VtepPlanner::WantedSwitch> VtepPlanner::match_switches() const {
    std::vector<WantedSwitch> wanted;
    for (const VirtualNetwork& network : policy_.virtual_networks) {
        for (const Subnet& subnet : network.subnets) {
            wanted.push_back({&network, &subnet});
        }
    }
    std::map<std::int64_t, const LogicalSwitchRow*> by_vsid;
    for (const LogicalSwitchRow& row : rows_.switches) {
        if (row.tunnel_key) {
            by_vsid.emplace(*row.tunnel_key, &row);
        }
    }
    std::set<const LogicalSwitchRow*> taken;
    for (WantedSwitch& item : wanted) {
        if (const auto found = by_vsid.find(item.subnet->vsid); found != by_vsid.end()) {
            item.row = found->second;
            taken.insert(item.row);
        }
    }
    std::map<std::string, const LogicalSwitchRow*> by_name;
    for (const LogicalSwitchRow& row : rows_.switches) {
        if (!taken.contains(&row)) {
            by_name.emplace(row.name, &row);
        }
    }
    for (WantedSwitch& item : wanted) {
        if (const auto found = by_name.find(item.subnet->name);
            item.row == nullptr && found != by_name.end()) {
            item.row = found->second;
        }
    }
    return wanted;
}

Json::Value switch_json(const std::string& name, const std::string& description,
                        std::optional<std::int64_t> vsid) {
    Json::Value row(Json::objectValue);
    row["name"] = name;
    row["description"] = description;
    row["tunnel_key"] = optional_json<Json::Int64>(vsid);
    return row;
}

void VtepPlanner::plan_switches() {
    ItemCount count{"subnet", "subnets"};
    Operations updates;
    std::vector<Operations> inserts;
    for (const WantedSwitch& item : match_switches()) {
        const std::int64_t vsid = item.subnet->vsid;
        Json::Value wanted = switch_json(item.subnet->name, item.network->id, vsid);
        if (item.row == nullptr) {
            const std::string name = "switch" + std::to_string(vsid);
            inserts.push_back({insert_operation("Logical_Switch", std::move(wanted), name)});
            switch_of_vsid_.emplace(vsid, named_uuid_json(name));
            ++count.added;
            continue;
        }
        switch_of_vsid_.emplace(vsid, uuid_json(item.row->uuid));
        vsid_of_kept_row_.emplace(item.row->uuid, vsid);
        auto changed = changed_columns(
            switch_json(item.row->name, item.row->description, item.row->tunnel_key), wanted);
        if (!changed.empty()) {
            updates.push_back(
                update_operation("Logical_Switch", item.row->uuid, std::move(changed)));
            ++count.changed;
        }
    }
    free_names(updates);
    // In one group: rows may exchange their names.
    if (!updates.empty()) {
        plan_.groups.push_back(std::move(updates));
    }
    plan_.groups.insert(plan_.groups.end(), inserts.begin(), inserts.end());
    count.removed = rows_.switches.size() - vsid_of_kept_row_.size();
    plan_.counts.push_back(std::move(count));
}

// A row that goes later (its VSID is another's now) must not hold a name that is wanted before.
void VtepPlanner::free_names(Operations& updates) const {
    std::set<std::string> wanted;
    for (const VirtualNetwork& network : policy_.virtual_networks) {
        for (const Subnet& subnet : network.subnets) {
            wanted.insert(subnet.name);
        }
    }
    for (const LogicalSwitchRow& row : rows_.switches) {
        if (!vsid_of_kept_row_.contains(row.uuid) && wanted.contains(row.name)) {
            Json::Value changed(Json::objectValue);
            changed["name"] = "removed-" + row.uuid;
            updates.push_back(update_operation("Logical_Switch", row.uuid, std::move(changed)));
        }
    }
}

Json::Value router_json(const std::string& name, const std::string& description, bool enabled,
                        const std::map<std::string, Json::Value>& bindings) {
    Json::Value row(Json::objectValue);
    row["name"] = name;
    row["description"] = description;
    row["enable_logical_router"] = enabled;
    row["switch_binding"] = map_json(
        std::vector<std::pair<Json::Value, Json::Value>>(bindings.begin(), bindings.end()));
    return row;
}

void VtepPlanner::plan_router(const VirtualNetwork& network, const LogicalRouterRow* row,
                              ItemCount& count) {
    std::map<std::string, Json::Value> bindings;
    for (const Subnet& subnet : network.subnets) {
        for (const RouterBinding& binding : subnet.bindings) {
            bindings.emplace(cidr_of(binding), switch_of_vsid_.at(subnet.vsid));
        }
    }
    Json::Value wanted = router_json(network.id, network.description, network.routed, bindings);
    if (row == nullptr) {
        // A network that routes nothing is told by its subnets' description alone.
        if (network.routed || !bindings.empty()) {
            plan_.groups.push_back({insert_operation("Logical_Router", std::move(wanted))});
            ++count.added;
        }
        return;
    }
    std::map<std::string, Json::Value> current;
    for (const auto& [cidr, logical_switch] : row->switch_binding) {
        const auto binding = binding_of(cidr);
        current.emplace(binding ? cidr_of(*binding) : cidr, uuid_json(logical_switch));
    }
    auto changed =
        changed_columns(router_json(row->name, row->description, row->enabled, current), wanted);
    if (!changed.empty()) {
        plan_.groups.push_back({update_operation("Logical_Router", row->uuid, std::move(changed))});
        ++count.changed;
    }
}

void VtepPlanner::plan_routers() {
    ItemCount count{"virtual network", "virtual networks"};
    std::map<std::string, const LogicalRouterRow*> current;
    for (const LogicalRouterRow& row : rows_.routers) {
        current.emplace(row.name, &row);
    }
    std::map<const VirtualNetwork*, const LogicalRouterRow*> matched;
    for (const VirtualNetwork& network : policy_.virtual_networks) {
        if (const auto found = current.find(network.id); found != current.end()) {
            matched.emplace(&network, found->second);
            current.erase(found);
        }
    }
    // Removed first: a subnet may move to another router, and belongs to one at a time.
    for (const auto& [name, row] : current) {
        plan_.groups.push_back({delete_operation("Logical_Router", row->uuid)});
        ++count.removed;
    }
    for (const VirtualNetwork& network : policy_.virtual_networks) {
        const auto found = matched.find(&network);
        plan_router(network, found == matched.end() ? nullptr : found->second, count);
    }
    plan_.counts.push_back(std::move(count));
}

void VtepPlanner::index_locators() {
    for (const LocatorRow& row : rows_.locators) {
        locator_rows_.emplace(row.uuid, &row);
        if (const auto address = IpAddress::parse(row.dst_ip)) {
            locators_.emplace(std::pair(row.encapsulation_type, *address), uuid_json(row.uuid));
        }
    }
}

// A reference to the mapping's locator; its insertion goes into `operations` if it is new.
Json::Value VtepPlanner::locator(const Mapping& mapping, Operations& operations) {
    const std::string type = encapsulation_type_of(mapping.encapsulation, mapping.pa);
    const auto [found, added] = locators_.try_emplace(std::pair(type, mapping.pa));
    if (added) {
        const std::string name = "locator" + std::to_string(new_locators_++);
        Json::Value row(Json::objectValue);
        row["encapsulation_type"] = type;
        row["dst_ip"] = mapping.pa.to_string();
        operations.push_back(insert_operation("Physical_Locator", std::move(row), name));
        found->second = named_uuid_json(name);
    }
    return found->second;
}

// Rows of a switch that goes, or that cannot be read, are put into `unwanted`.
std::map<MappingKey, MappingBucket> VtepPlanner::sort_mappings(Operations& unwanted) {
    std::map<MappingKey, MappingBucket> buckets;
    for (const Mapping& mapping : policy_.mappings) {
        buckets[key_of(mapping)].wanted.push_back(&mapping);
    }
    for (const MappingRow& row : rows_.mappings) {
        const auto kept = vsid_of_kept_row_.find(row.logical_switch);
        const auto found = locator_rows_.find(row.locator);
        const auto value =
            kept == vsid_of_kept_row_.end()
                ? Result<Mapping>(Error("its switch goes"))
                : value_of(row, found == locator_rows_.end() ? nullptr : found->second,
                           kept->second);
        if (value) {
            buckets[key_of(*value)].current.push_back({&row, *value});
        } else {
            unwanted.push_back(delete_operation("Ucast_Macs_Remote", row.uuid));
        }
    }
    return buckets;
}

void VtepPlanner::update_mapping(const CurrentMapping& current, const Mapping& wanted,
                                 Operations& operations) {
    Json::Value changed(Json::objectValue);
    if (current.value.mac != wanted.mac) {
        changed["MAC"] = wanted.mac.to_string();
    }
    if (current.value.pa != wanted.pa || current.value.encapsulation != wanted.encapsulation) {
        changed["locator"] = locator(wanted, operations);
    }
    operations.push_back(
        update_operation("Ucast_Macs_Remote", current.row->uuid, std::move(changed)));
}

// Pairs what is wanted with what is there, the best fit first: equal, of the same type and MAC, of
// the same type (which cannot be changed in a row).
void VtepPlanner::plan_bucket(MappingBucket& bucket, ItemCount& count) {
    Operations operations;
    const auto pair_up = [&](auto fits, auto act) {
        std::erase_if(bucket.wanted, [&](const Mapping* wanted) {
            for (auto it = bucket.current.begin(); it != bucket.current.end(); ++it) {
                if (fits(*wanted, it->value)) {
                    act(*wanted, *it);
                    bucket.current.erase(it);
                    return true;
                }
            }
            return false;
        });
    };
    const auto update = [&](const Mapping& wanted, const CurrentMapping& current) {
        update_mapping(current, wanted, operations);
        ++count.changed;
    };
    pair_up([](const Mapping& a, const Mapping& b) { return a == b; },
            [](const Mapping&, const CurrentMapping&) {});
    pair_up([](const Mapping& a, const Mapping& b) { return a.type == b.type && a.mac == b.mac; },
            update);
    pair_up([](const Mapping& a, const Mapping& b) { return a.type == b.type; }, update);
    for (const CurrentMapping& current : bucket.current) {
        operations.push_back(delete_operation("Ucast_Macs_Remote", current.row->uuid));
        ++count.removed;
    }
    for (const Mapping* wanted : bucket.wanted) {
        Json::Value row(Json::objectValue);
        row["MAC"] = wanted->mac.to_string();
        row["ipaddr"] = wanted->ca ? wanted->ca->to_string() : "";
        row["logical_switch"] = switch_of_vsid_.at(wanted->vsid);
        row["locator"] = locator(*wanted, operations);
        row["mapping_type"] = std::string(name_of(wanted->type, kMappingTypeNames));
        operations.push_back(insert_operation("Ucast_Macs_Remote", std::move(row)));
        ++count.added;
    }
    if (!operations.empty()) {
        plan_.groups.push_back(std::move(operations));
    }
}

void VtepPlanner::plan_mappings() {
    ItemCount count{"mapping", "mappings"};
    Operations unwanted;
    for (auto& [key, bucket] : sort_mappings(unwanted)) {
        plan_bucket(bucket, count);
    }
    count.removed += unwanted.size();
    for (Json::Value& operation : unwanted) {
        plan_.groups.push_back({std::move(operation)});
    }
    plan_.counts.push_back(std::move(count));
}

Json::Value bindings_json(const std::map<std::int64_t, Json::Value>& bindings) {
    std::vector<std::pair<Json::Value, Json::Value>> pairs;
    pairs.reserve(bindings.size());
    for (const auto& [vlan, logical_switch] : bindings) {
        pairs.emplace_back(integer_json(vlan), logical_switch);
    }
    return map_json(pairs);
}

void VtepPlanner::plan_port(const Port& port, const PortRow* row, ItemCount& count) {
    std::map<std::int64_t, Json::Value> bindings;
    for (const auto& [vlan, vsid] : port.vlan_to_vsid) {
        bindings.emplace(vlan, switch_of_vsid_.at(vsid));
    }
    Json::Value wanted(Json::objectValue);
    wanted["vlan_bindings"] = bindings_json(bindings);
    if (port.description) {
        wanted["description"] = *port.description;
    }
    if (row == nullptr) {
        // Settings may be there before the port is; an unbound port needs no row of ours.
        if (!bindings.empty()) {
            const std::string name = "port" + std::to_string(count.added++);
            wanted["name"] = port.name;
            plan_.groups.push_back({insert_operation("Physical_Port", std::move(wanted), name),
                                    mutate_operation("Physical_Switch", rows_.chassis.uuid, "ports",
                                                     "insert", named_uuid_json(name))});
        }
        return;
    }
    std::map<std::int64_t, Json::Value> current_bindings;
    for (const auto& [vlan, logical_switch] : row->vlan_bindings) {
        current_bindings.emplace(vlan, uuid_json(logical_switch));
    }
    Json::Value current(Json::objectValue);
    current["vlan_bindings"] = bindings_json(current_bindings);
    current["description"] = row->description;
    auto changed = changed_columns(current, wanted);
    if (!changed.empty()) {
        plan_.groups.push_back({update_operation("Physical_Port", row->uuid, std::move(changed))});
        ++count.changed;
    }
}

// The agent may have made the row, for an interface that is still there: then it stays, unbound.
void VtepPlanner::unbind_port(const PortRow& row, ItemCount& count) {
    if (row.vlan_bindings.empty()) {
        return;
    }
    Json::Value changed(Json::objectValue);
    changed["vlan_bindings"] = bindings_json({});
    Operations operations{update_operation("Physical_Port", row.uuid, std::move(changed))};
    if (row.state.empty() || row.state == "unplugged") {
        // Unreferred, the row goes; but the server counts its references before that, hence the
        // update.
        operations.push_back(mutate_operation("Physical_Switch", rows_.chassis.uuid, "ports",
                                              "delete", uuid_json(row.uuid)));
        ++count.removed;
    } else {
        ++count.changed;
    }
    plan_.groups.push_back(std::move(operations));
}

void VtepPlanner::plan_ports() {
    ItemCount count{"port", "ports"};
    std::map<std::string, const PortRow*> current;
    for (const PortRow& row : rows_.ports) {
        const auto [found, added] = current.emplace(port_key(row.name), &row);
        if (!added && found->second->state != "active" && row.state == "active") {
            found->second = &row;
        }
    }
    std::set<const PortRow*> matched;
    for (const Port& port : policy_.ports) {
        const auto found = current.find(port_key(port.name));
        const PortRow* row = found == current.end() ? nullptr : found->second;
        plan_port(port, row, count);
        matched.insert(row);
    }
    for (const PortRow& row : rows_.ports) {
        if (!matched.contains(&row)) {
            unbind_port(row, count);
        }
    }
    plan_.counts.push_back(std::move(count));
}

void VtepPlanner::plan_chassis() {
    ItemCount count{"router MAC", "router MACs"};
    const auto& wanted = policy_.distributed_router_mac;
    if (wanted && MacAddress::parse(rows_.chassis.distributed_router_mac) != wanted) {
        Json::Value changed(Json::objectValue);
        changed["distributed_router_mac"] = wanted->to_string();
        plan_.groups.push_back(
            {update_operation("Physical_Switch", rows_.chassis.uuid, std::move(changed))});
        ++count.changed;
    }
    plan_.counts.push_back(std::move(count));
}

// With a switch go the rows of other tables that name it, whoever wrote them: else they would hold
// it.
void VtepPlanner::remove_switches() {
    for (const LogicalSwitchRow& row : rows_.switches) {
        if (vsid_of_kept_row_.contains(row.uuid)) {
            continue;
        }
        Operations operations;
        for (const std::string_view table :
             {"Ucast_Macs_Remote", "Ucast_Macs_Local", "Mcast_Macs_Remote", "Mcast_Macs_Local"}) {
            operations.push_back(delete_referring_operation(table, "logical_switch", row.uuid));
        }
        operations.push_back(delete_operation("Logical_Switch", row.uuid));
        plan_.groups.push_back(std::move(operations));
    }
}

}  // namespace

Plan plan_vtep(const Policy& policy, const VtepRows& rows) {
    return VtepPlanner(policy, rows).plan();
}

}  // namespace hnv::cli
