#include "northbound/binding_stats.h"

#include <array>
#include <set>
#include <unordered_map>
#include <utility>

#include "northbound/operations.h"

namespace hnv::northbound {

namespace {

using policy::BindingTotals;
using policy::BindingTraffic;
using policy::SourceTable;

constexpr std::array kPorts{SourceTable::MsVtepPhysicalPort, SourceTable::VtepPhysicalPort};
constexpr const char* kStats = "Logical_Binding_Stats";

using StatsRows = std::unordered_map<Uuid, BindingTraffic>;

// The columns are signed; a counter that a client set below 0 was never one of ours.
[[nodiscard]] std::uint64_t count_in(const ovs::Row& row, const char* column) {
    const std::int64_t value = row.integer(column).value_or(0);
    return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

[[nodiscard]] StatsRows rows_of(const ovs::Databases& server, std::string_view database) {
    StatsRows rows;
    server.for_each_row(database, kStats, [&rows](const ovs::Row& row) {
        rows.emplace(
            row.uuid(),
            BindingTraffic{{count_in(row, "packets_from_local"), count_in(row, "bytes_from_local")},
                           {count_in(row, "packets_to_local"), count_in(row, "bytes_to_local")}});
    });
    return rows;
}

[[nodiscard]] Json::Value json_row(const BindingTraffic& traffic) {
    Json::Value row;
    row["packets_from_local"] = Json::Int64(traffic.from_local.packets);
    row["bytes_from_local"] = Json::Int64(traffic.from_local.bytes);
    row["packets_to_local"] = Json::Int64(traffic.to_local.packets);
    row["bytes_to_local"] = Json::Int64(traffic.to_local.bytes);
    return row;
}

class Writing {
  public:
    Writing(ovs::Databases& server, SourceTable ports, const BindingTotals& totals)
        : server_(server),
          ports_(ports),
          totals_(totals),
          present_(rows_of(server, policy::name_of(ports).database)) {}

    void write() {
        const auto name = policy::name_of(ports_);
        server_.for_each_row(name.database, name.table,
                             [this](const ovs::Row& row) { write_port(row); });
        // Rows that no port refers to: nothing else may keep them.
        for (const auto& [uuid, traffic] : present_) {
            if (!referred_.contains(uuid)) {
                operations_.remove(kStats, uuid);
            }
        }
        if (!operations_.empty()) {
            operations_.commit(server_, name.database, "traffic of bindings");
        }
    }

  private:
    void write_port(const ovs::Row& row) {
        std::map<std::int64_t, Uuid> before;
        bool same = true;
        for (const auto& [vlan, stats] : row.integer_reference_map("vlan_stats")) {
            // A row that two bindings refer to is the first one's.
            const bool own = present_.contains(stats) && referred_.insert(stats).second;
            own ? void(before.emplace(vlan, stats)) : void(same = false);
        }
        Json::Value entries(Json::arrayValue);
        std::size_t kept = 0;
        const policy::RowRef port{ports_, row.uuid()};
        for (auto total = totals_.lower_bound({port, 0});
             total != totals_.end() && total->first.port == port; ++total) {
            Json::Value entry(Json::arrayValue);
            entry.append(total->first.vlan);
            if (const auto known = before.find(total->first.vlan); known != before.end()) {
                ++kept;
                entry.append(json_uuid(known->second));
                if (present_.at(known->second) != total->second) {
                    operations_.update(kStats, known->second, json_row(total->second));
                }
            } else {
                same = false;
                entry.append(json_named_uuid(operations_.insert(kStats, json_row(total->second))));
            }
            entries.append(entry);
        }
        if (!same || kept != before.size()) {  // Rows that nobody refers to any more go with it.
            Json::Value map(Json::arrayValue);
            map.append("map");
            map.append(entries);
            Json::Value values;
            values["vlan_stats"] = map;
            operations_.update(std::string(policy::name_of(ports_).table), row.uuid(), values);
        }
    }

    ovs::Databases& server_;
    SourceTable ports_;
    const BindingTotals& totals_;
    const StatsRows present_;
    std::set<Uuid> referred_;
    Operations operations_;
};

}  // namespace

BindingTotals read_binding_stats(const ovs::Databases& server) {
    BindingTotals totals;
    for (const SourceTable ports : kPorts) {
        const auto name = policy::name_of(ports);
        const StatsRows rows = rows_of(server, name.database);
        server.for_each_row(name.database, name.table, [&](const ovs::Row& row) {
            for (const auto& [vlan, stats] : row.integer_reference_map("vlan_stats")) {
                if (const auto known = rows.find(stats); known != rows.end()) {
                    totals.emplace(
                        policy::BindingKey{{ports, row.uuid()}, static_cast<std::uint16_t>(vlan)},
                        known->second);
                }
            }
        });
    }
    return totals;
}

void write_binding_stats(ovs::Databases& server, const BindingTotals& totals) {
    for (const SourceTable ports : kPorts) {
        Writing(server, ports, totals).write();
    }
}

}  // namespace hnv::northbound
