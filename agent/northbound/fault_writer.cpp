#include "northbound/fault_writer.h"

#include <array>
#include <ctime>
#include <tuple>

namespace hnv::northbound {

namespace {

// RFC 3339, UTC.
[[nodiscard]] std::string now_text() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text.data();
}

// What a row says, apart from its message and time.
using Subject = std::tuple<std::string, std::string, Uuid, std::string>;

[[nodiscard]] Subject subject_of(const policy::Faults::Id& id) {
    const auto [database, table] = policy::name_of(id.first.table);
    return {std::string(database), std::string(table), id.first.uuid, policy::to_string(id.second)};
}

[[nodiscard]] Subject subject_of(const ovs::Row& row) {
    return {std::string(row.string("database")), std::string(row.string("table")),
            row.reference("row").value_or(Uuid{}), std::string(row.string("key"))};
}

}  // namespace

void FaultWriter::insert(const policy::Faults::Id& id, const std::string& message,
                         Operations& operations) {
    const auto [database, table, uuid, key] = subject_of(id);
    Json::Value row;
    row["database"] = database;
    row["table"] = table;
    row["row"] = json_uuid(uuid);
    row["key"] = key;
    row["message"] = message;
    row["since"] = now_text();
    const Uuid fault = Uuid::random();
    operations.insert("Fault", std::move(row), fault);
    rows_.emplace(id, fault);
    wanted_.insert_or_assign(fault, Wanted{id, message});
}

void FaultWriter::write(policy::Faults& faults) {
    const auto changes = faults.take_changes();
    if (disturbed_) {
        reconcile(faults);
        return;
    }
    Operations operations;
    for (const policy::Faults::Id& id : changes) {
        const auto fault = faults.all().find(id);
        const auto row = rows_.find(id);
        if (row != rows_.end() && fault != faults.all().end()) {
            std::string& message = wanted_.at(row->second).message;
            if (message == fault->second) {
                continue;  // Taken back and raised again since the last time: it has stood on.
            }
            Json::Value values;
            values["message"] = fault->second;
            values["since"] = now_text();
            operations.update("Fault", row->second, values);
            message = fault->second;
        } else if (row != rows_.end()) {
            operations.remove("Fault", row->second);
            wanted_.erase(row->second);
            rows_.erase(row);
        } else if (fault != faults.all().end()) {
            insert(id, fault->second, operations);
        }
    }
    if (!operations.empty()) {
        operations.commit(server_, "hnv_host", "faults");
    }
}

void FaultWriter::reconcile(const policy::Faults& faults) {
    disturbed_ = false;
    rows_.clear();
    wanted_.clear();
    std::map<Subject, policy::Faults::Id> missing;
    for (const auto& [id, message] : faults.all()) {
        missing.emplace(subject_of(id), id);
    }
    Operations operations;
    server_.for_each_row("hnv_host", "Fault", [&](const ovs::Row& row) {
        const auto same = missing.find(subject_of(row));
        if (same == missing.end() || row.string("message") != faults.all().at(same->second)) {
            operations.remove("Fault", row.uuid());
            return;
        }
        rows_.emplace(same->second, row.uuid());
        wanted_.emplace(row.uuid(), Wanted{same->second, std::string(row.string("message"))});
        missing.erase(same);
    });
    for (const auto& [subject, id] : missing) {
        insert(id, faults.all().at(id), operations);
    }
    if (!operations.empty()) {
        operations.commit(server_, "hnv_host", "faults");
    }
}

void FaultWriter::on_row(const ovs::RowChange& change) {
    // A row is heard of after later changes of it have been written: only what no longer stands,
    // or stands otherwise than it should, is somebody else's doing.
    const auto wanted = wanted_.find(change.uuid);
    const bool there = change.after.has_value();
    if (there != (wanted != wanted_.end()) ||
        (there && (subject_of(*change.after) != subject_of(wanted->second.id) ||
                   change.after->string("message") != wanted->second.message))) {
        disturbed_ = true;
    }
}

}  // namespace hnv::northbound
