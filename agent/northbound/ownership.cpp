#include "northbound/ownership.h"

#include <algorithm>
#include <array>
#include <utility>

#include "northbound/operations.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"

namespace hnv::northbound {

namespace {

using enum ColumnType;

constexpr std::array kColumns{
    OwnedColumn{"hardware_vtep", "ACL", "acl_fault_status", Strings},
    OwnedColumn{"hardware_vtep", "ACL_entry", "acle_fault_status", Strings},
    OwnedColumn{"hardware_vtep", "Logical_Router", "LR_fault_status", Strings},
    OwnedColumn{"hardware_vtep", "Manager", "is_connected", Boolean},
    OwnedColumn{"hardware_vtep", "Manager", "status", StringMap},
    OwnedColumn{"hardware_vtep", "Physical_Port", "port_fault_status", Strings},
    OwnedColumn{"hardware_vtep", "Physical_Switch", "name", String, false},
    OwnedColumn{"hardware_vtep", "Physical_Switch", "switch_fault_status", Strings},
    OwnedColumn{"hardware_vtep", "Physical_Switch", "tunnel_ips", Strings, false},
    OwnedColumn{"hardware_vtep", "Tunnel", "bfd_config_local", StringMap},
    OwnedColumn{"hardware_vtep", "Tunnel", "bfd_status", StringMap},
    OwnedColumn{"hnv_host", "Connection", "is_connected", Boolean},
    OwnedColumn{"hnv_host", "Connection", "status", StringMap},
    OwnedColumn{"hnv_host", "Host", "cur_cfg", Integer},
    OwnedColumn{"hnv_host", "Host", "status", StringMap},
    OwnedColumn{"hnv_host", "Provider_Address", "status", StringMap},
    OwnedColumn{"ms_darv", "Global", "cur_cfg", Integer},
    OwnedColumn{"ms_firewall", "FW_Global", "cur_cfg", Integer},
    OwnedColumn{"ms_service_insertion", "SI_Global", "cur_cfg", Integer},
    OwnedColumn{"ms_vtep", "Global", "cur_cfg", Integer},
    OwnedColumn{"ms_vtep", "Global", "db_version", Strings},
    OwnedColumn{"ms_vtep", "Manager", "is_connected", Boolean},
    OwnedColumn{"ms_vtep", "Manager", "status", StringMap},
    OwnedColumn{"ms_vtep", "Physical_Locator", "bfd_status", StringMap},
    OwnedColumn{"ms_vtep", "Physical_Port", "status", StringMap},
    OwnedColumn{"ms_vtep", "Physical_Switch", "name", String, false},
    OwnedColumn{"ms_vtep", "Physical_Switch", "tunnel_ips", Strings, false},
};

constexpr std::array kTables{
    OwnedTable{"hardware_vtep", "Arp_Sources_Local", OwnedRows::All},
    OwnedTable{"hardware_vtep", "Global", OwnedRows::Kept},
    OwnedTable{"hardware_vtep", "Logical_Binding_Stats", OwnedRows::Child},
    OwnedTable{"hardware_vtep", "Mcast_Macs_Local", OwnedRows::All},
    OwnedTable{"hardware_vtep", "Ucast_Macs_Local", OwnedRows::All},
    OwnedTable{"hnv_host", "Fault", OwnedRows::All},
    OwnedTable{"hnv_host", "Host", OwnedRows::Kept},
    OwnedTable{"hnv_host", "Learned_MAC", OwnedRows::All},
    OwnedTable{"ms_darv", "Global", OwnedRows::Kept},
    OwnedTable{"ms_firewall", "FW_Global", OwnedRows::Kept},
    OwnedTable{"ms_service_insertion", "SI_Global", OwnedRows::Kept},
    OwnedTable{"ms_vtep", "Global", OwnedRows::Kept},
    OwnedTable{"ms_vtep", "Logical_Binding_Stats", OwnedRows::Child},
    OwnedTable{"ms_vtep", "Mcast_Macs_Local", OwnedRows::None},
    OwnedTable{"ms_vtep", "Ucast_Macs_Local", OwnedRows::All},
};

// So many lines of the log in so much time.
constexpr unsigned kSaid = 10;
constexpr std::int64_t kSaidMsec = 60'000;
// What was to be put right and is not is tried again after so long.
constexpr std::int64_t kAgainMsec = 5000;

struct ByTable {
    template <typename Left, typename Right>
    bool operator()(const Left& left, const Right& right) const {
        return std::pair(left.database, left.table) < std::pair(right.database, right.table);
    }
};

struct TableName {
    std::string_view database;
    std::string_view table;
};

// In OVSDB's JSON notation, the same for the same contents.
[[nodiscard]] Json::Value value_of(const ovs::Row& row, const OwnedColumn& owned) {
    switch (owned.type) {
        case Integer:
            return Json::Int64{row.integer(owned.column).value_or(0)};
        case Boolean:
            return row.boolean(owned.column);
        case String:
            return std::string(row.string(owned.column));
        case Strings: {
            std::vector<Json::Value> items;
            for (const std::string_view item : row.strings(owned.column)) {
                items.emplace_back(std::string(item));
            }
            return json_set(items);
        }
        case StringMap: {
            std::vector<std::pair<std::string, std::string>> items;
            for (const auto& [key, value] : row.string_map(owned.column)) {
                items.emplace_back(key, value);
            }
            return json_map(items);
        }
    }
    return {};
}

[[nodiscard]] Json::Value default_of(const OwnedColumn& owned) {
    switch (owned.type) {
        case Integer:
            return Json::Int64{0};
        case Boolean:
            return false;
        case String:
            return "";
        case Strings:
            return json_set({});
        case StringMap:
            return json_map({});
    }
    return {};
}

}  // namespace

std::span<const OwnedColumn> owned_columns() { return kColumns; }

std::span<const OwnedTable> owned_tables() { return kTables; }

void Ownership::on_row(std::string_view database, const ovs::RowChange& change) {
    if (!change.after && !strays_.empty()) {
        std::erase_if(strays_, [&](const auto& stray) {
            return std::get<0>(stray.first) == database && std::get<2>(stray.first) == change.uuid;
        });
    }
    if (change.foreign) {
        check_rows(database, change);
    }
    const auto [first, last] = std::equal_range(kColumns.begin(), kColumns.end(),
                                                TableName{database, change.table}, ByTable{});
    for (auto owned = first; owned != last; ++owned) {
        check_column(*owned, change);
    }
}

void Ownership::check_rows(std::string_view database, const ovs::RowChange& change) {
    const auto [first, last] = std::equal_range(kTables.begin(), kTables.end(),
                                                TableName{database, change.table}, ByTable{});
    if (first == last) {
        return;
    }
    const bool deleted = !change.after;
    if (first->rows == OwnedRows::None && !deleted) {
        strays_.emplace(std::tuple(first->database, first->table, change.uuid), 0);
    }
    if (first->rows == OwnedRows::All ||
        deleted == (first->rows == OwnedRows::Kept)) {  // Children go with others' rows.
        const char* did = deleted ? "deleted" : change.before ? "changed" : "inserted";
        say(database, change.table, change.uuid,
            std::string("a client ") + did + " the row, which is the agent's to write");
    }
}

void Ownership::check_column(const OwnedColumn& owned, const ovs::RowChange& change) {
    const auto repair = repairs_.find({owned.database, owned.table, change.uuid, owned.column});
    if (!change.after) {
        if (repair != repairs_.end()) {
            repairs_.erase(repair);
        }
        return;
    }
    if (!change.before && (!change.foreign || !owned.at_insert)) {
        return;
    }
    const Json::Value before = change.before ? value_of(*change.before, owned) : default_of(owned);
    Json::Value after = value_of(*change.after, owned);
    if (before == after) {
        return;
    }
    if (!change.foreign) {
        if (repair != repairs_.end()) {
            repairs_.erase(repair);
        }
        return;
    }
    say(owned.database, owned.table, change.uuid,
        std::string("a client wrote column ") + owned.column +
            ", which is the agent's: it is put right");
    if (repair == repairs_.end()) {
        repairs_.emplace(Cell{owned.database, owned.table, change.uuid, owned.column},
                         Repair{before, std::move(after)});
    } else if (repair->second.ours == after) {
        repairs_.erase(repair);
    } else {
        repair->second.theirs = std::move(after);
        repair->second.due = 0;
    }
}

// One transaction each: one that can't be had, since an index is in its way, must not keep others
// from being put right.
void Ownership::put_right() {
    const std::int64_t now = ovs::now_msec();
    const auto due = [now](std::int64_t& when) {
        const bool is_due = now >= when;
        when = is_due ? now + kAgainMsec : when;
        return is_due;
    };
    for (auto& [stray, when] : strays_) {
        const auto& [database, table, row] = stray;
        if (due(when)) {
            Operations operations;
            operations.remove(std::string(table), row);
            operations.commit(server_, database, "rows of a client among the agent's");
        }
    }
    for (auto& [cell, repair] : repairs_) {
        const auto& [database, table, row, column] = cell;
        if (due(repair.due)) {
            Operations operations;
            operations.update_where(std::string(table), row, std::string(column), repair.theirs,
                                    repair.ours);
            operations.commit(server_, database, "a column that a client has overwritten");
        }
    }
}

void Ownership::say(std::string_view database, std::string_view table, const Uuid& row,
                    const std::string& what) {
    ++overruled_;
    const std::int64_t now = ovs::now_msec();
    if (now - said_since_ >= kSaidMsec) {
        said_since_ = now;
        said_ = 0;
    }
    if (said_ == kSaid) {
        ++unsaid_;
        return;
    }
    ++said_;
    std::string line = std::string(database) + ", table " + std::string(table) + ", row " +
                       row.to_string() + ": " + what;
    if (const std::uint64_t unsaid = std::exchange(unsaid_, 0); unsaid != 0) {
        line += " (and " + std::to_string(unsaid) + " times elsewhere, unsaid)";
    }
    log::warn("ownership", line);
}

}  // namespace hnv::northbound
