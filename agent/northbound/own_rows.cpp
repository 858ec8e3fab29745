#include "northbound/own_rows.h"

#include "northbound/operations.h"

namespace hnv::northbound {

namespace {

// A controller may have added switches of other names; the one that has this host's stays its own.
[[nodiscard]] std::optional<Uuid> own_switch(const ovs::Databases& server, const char* database,
                                             const std::string& host_name) {
    auto found = first_row(server, database, "Physical_Switch");
    server.for_each_row(database, "Physical_Switch", [&](const ovs::Row& row) {
        if (row.string("name") == host_name) {
            found = row.uuid();
        }
    });
    return found;
}

void ensure_switch(ovs::Databases& server, const char* database, const std::string& host_name) {
    Operations operations;
    const auto global = first_row(server, database, "Global");
    const auto physical_switch = own_switch(server, database, host_name);
    Json::Value name;
    name["name"] = host_name;
    if (physical_switch) {
        operations.update("Physical_Switch", *physical_switch, name);
    } else {
        const Json::Value made = json_named_uuid(operations.insert("Physical_Switch", name));
        if (global) {
            operations.add_to_set("Global", *global, "switches", made);
        } else {
            Json::Value row;
            row["switches"] = made;
            operations.insert("Global", row);
        }
    }
    operations.commit(server, database, "the rows of this host");
}

void ensure_single(ovs::Databases& server, const std::string& database, const std::string& table) {
    if (!first_row(server, database, table)) {
        Operations operations;
        operations.insert(table, Json::Value(Json::objectValue));
        operations.commit(server, database, "the row of " + table);
    }
}

}  // namespace

std::optional<Uuid> first_row(const ovs::Databases& server, std::string_view database,
                              std::string_view table) {
    std::optional<Uuid> uuid;
    server.for_each_row(database, table, [&uuid](const ovs::Row& row) {
        if (!uuid) {
            uuid = row.uuid();
        }
    });
    return uuid;
}

void ensure_own_rows(ovs::Databases& server, const std::string& host_name) {
    for (const char* database : {"ms_vtep", "hardware_vtep"}) {
        ensure_switch(server, database, host_name);
    }
    ensure_single(server, "ms_firewall", "FW_Global");
    ensure_single(server, "ms_service_insertion", "SI_Global");
    ensure_single(server, "ms_darv", "Global");
    ensure_single(server, "hnv_host", "Host");
}

}  // namespace hnv::northbound
