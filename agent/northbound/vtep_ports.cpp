#include "northbound/vtep_ports.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "northbound/operations.h"

namespace hnv::northbound {

namespace {

constexpr const char* kDatabase = "hardware_vtep";
constexpr const char* kTable = "Physical_Port";

// Of the agent's making, and no controller has taken it.
[[nodiscard]] bool is_placeholder(const ovs::Row& row) {
    const auto config = row.string_map("other_config");
    const bool made_here = std::ranges::any_of(config, [](const auto& entry) {
        return entry.first == "made-by" && entry.second == "hnv-agent";
    });
    return made_here && row.integer_reference_map("vlan_bindings").empty() &&
           row.integer_reference_map("acl_bindings").empty();
}

struct Present {
    std::unordered_set<Uuid> rows;
    std::set<std::string> taken;  // Names that a controller's row has.
    std::vector<std::pair<std::string, Uuid>> placeholders;
};

[[nodiscard]] Present present_rows(const ovs::Databases& server) {
    Present present;
    server.for_each_row(kDatabase, kTable, [&present](const ovs::Row& row) {
        present.rows.insert(row.uuid());
        std::string name = policy::normalize_port_name(row.string("name"));
        if (is_placeholder(row)) {
            present.placeholders.emplace_back(std::move(name), row.uuid());
        } else {
            present.taken.insert(std::move(name));
        }
    });
    return present;
}

}  // namespace

// A controller may have added others.
std::optional<Uuid> VtepPorts::own_switch() const {
    std::optional<Uuid> found;
    server_.for_each_row(kDatabase, "Physical_Switch", [&](const ovs::Row& row) {
        if (row.string("name") == switch_name_) {
            found = row.uuid();
        }
    });
    return found;
}

void VtepPorts::write(const policy::Model& model) {
    const bool list = model.host_settings().vtep_list_ports;
    if (!list && listed_ == false) {
        return;  // Nothing is there to be taken away.
    }
    const auto physical_switch = own_switch();
    if (!physical_switch) {
        return;  // It is about to come back, which is a change to look at.
    }
    const Present present = present_rows(server_);
    std::set<std::string> wanted;
    if (list) {
        model.for_each_port([&](const policy::PortStatus& port) {
            const bool of_ms_vtep =
                port.row && !port.bindings.empty() && !present.rows.contains(*port.row);
            if (port.state != policy::PortState::Unplugged && !of_ms_vtep &&
                !present.taken.contains(port.name)) {
                wanted.insert(port.name);
            }
        });
    }
    Operations operations;
    for (const auto& [name, row] : present.placeholders) {
        if (wanted.erase(name) == 0) {
            operations.remove_from_set("Physical_Switch", *physical_switch, "ports",
                                       json_uuid(row));
        }
    }
    for (const std::string& name : wanted) {
        Json::Value row;
        row["name"] = name;
        row["other_config"] = json_map({{"made-by", "hnv-agent"}});
        operations.add_to_set("Physical_Switch", *physical_switch, "ports",
                              json_named_uuid(operations.insert(kTable, row)));
    }
    if (!operations.empty()) {
        operations.commit(server_, kDatabase, "ports");
    }
    listed_ = list;
}

}  // namespace hnv::northbound
