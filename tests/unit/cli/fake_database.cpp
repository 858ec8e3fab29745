#include "fake_database.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>

#include "cli/ovsdb_json.h"

namespace hnv::cli::test {
namespace {

Json::Value load_schema(const std::string& name) {
    std::ifstream file(std::string(HNV_SOURCE_DIR) + "/schema/" + name + ".ovsschema");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return parse_json(text).value();
}

Json::Value default_value(const Json::Value& type) {
    if (type.isObject() && type.isMember("value")) {
        return map_json(std::map<std::string, std::string>());
    }
    if (type.isObject() && type["min"] == 0) {
        return set_json({});
    }
    const Json::Value& key = type.isObject() ? type["key"] : type;
    const std::string atom = key.isObject() ? key["type"].asString() : key.asString();
    if (atom == "integer") {
        return 0;
    }
    if (atom == "boolean") {
        return false;
    }
    return atom == "uuid" ? uuid_json("00000000-0000-0000-0000-000000000000") : Json::Value("");
}

// The uuids anywhere in a cell.
void collect_uuids(const Json::Value& value, std::vector<std::string>& uuids) {
    if (!value.isArray()) {
        return;
    }
    if (value.size() == 2 && value[0] == "uuid") {
        uuids.push_back(value[1].asString());
        return;
    }
    for (const Json::Value& element : value) {
        collect_uuids(element, uuids);
    }
}

}  // namespace

FakeDatabase::FakeDatabase(const std::string& name) : schema_(load_schema(name)) {}

std::size_t FakeDatabase::row_count(const std::string& table) const {
    const auto found = tables_.find(table);
    return found == tables_.end() ? 0 : found->second.size();
}

Json::Value FakeDatabase::default_row(const std::string& table) const {
    Json::Value row(Json::objectValue);
    const Json::Value& columns = schema_["tables"][table]["columns"];
    for (const std::string& column : columns.getMemberNames()) {
        row[column] = default_value(columns[column]["type"]);
    }
    return row;
}

Json::Value FakeDatabase::resolve(const Json::Value& value) const {
    if (value.isArray() && value.size() == 2 && value[0] == "named-uuid") {
        return uuid_json(named_.at(value[1].asString()));
    }
    if (!value.isArray()) {
        return value;
    }
    Json::Value copy(Json::arrayValue);
    for (const Json::Value& element : value) {
        copy.append(resolve(element));
    }
    return copy;
}

std::vector<std::string> FakeDatabase::matching(const std::string& table,
                                                const Json::Value& where) const {
    std::vector<std::string> uuids;
    const auto found = tables_.find(table);
    if (found == tables_.end()) {
        return uuids;
    }
    for (const auto& [uuid, row] : found->second) {
        bool matches = true;
        for (const Json::Value& condition : where) {
            const std::string column = condition[0].asString();
            matches =
                matches && condition[2] == (column == "_uuid" ? uuid_json(uuid) : row[column]);
        }
        if (matches) {
            uuids.push_back(uuid);
        }
    }
    return uuids;
}

void FakeDatabase::mutate(Json::Value& cell, const std::string& mutator,
                          const Json::Value& value) const {
    if (mutator == "+=") {
        cell = integer_json(as_integer(cell) + as_integer(value));
        return;
    }
    std::vector<Json::Value> kept;
    for (const Json::Value& element : as_set(cell)) {
        if (element != value) {
            kept.push_back(element);
        }
    }
    if (mutator == "insert") {
        kept.push_back(value);
    }
    cell = set_json(kept);
}

Result<Json::Value> FakeDatabase::run(const Json::Value& operation) {
    const std::string op = operation["op"].asString();
    const std::string table = operation["table"].asString();
    Json::Value result(Json::objectValue);
    if (op == "insert") {
        const std::string uuid = named_.contains(operation["uuid-name"].asString())
                                     ? named_[operation["uuid-name"].asString()]
                                     : std::to_string(++last_uuid_);
        Json::Value& row = tables_[table][uuid] = default_row(table);
        for (const std::string& column : operation["row"].getMemberNames()) {
            if (!row.isMember(column)) {
                return Error(table + " has no column " + column);
            }
            row[column] = resolve(operation["row"][column]);
        }
        result["uuid"] = uuid_json(uuid);
        return result;
    }
    result["rows"] = Json::Value(Json::arrayValue);
    for (const std::string& uuid : matching(table, operation["where"])) {
        Json::Value& row = tables_[table][uuid];
        if (op == "delete") {
            tables_[table].erase(uuid);
        } else if (op == "mutate") {
            const Json::Value& mutation = operation["mutations"][0];
            mutate(row[mutation[0].asString()], mutation[1].asString(), resolve(mutation[2]));
        } else if (op == "select") {
            Json::Value copy = row;
            copy["_uuid"] = uuid_json(uuid);
            result["rows"].append(copy);
        } else {
            for (const std::string& column : operation["row"].getMemberNames()) {
                if (schema_["tables"][table]["columns"][column]["mutable"] == false) {
                    return Error(table + "." + column + " is immutable");
                }
                row[column] = resolve(operation["row"][column]);
            }
        }
    }
    return result;
}

Result<std::map<std::string, int>> FakeDatabase::count_references() const {
    std::set<std::string> all;
    for (const auto& [table, rows] : tables_) {
        for (const auto& [uuid, row] : rows) {
            all.insert(uuid);
        }
    }
    std::map<std::string, int> references;
    for (const auto& [table, rows] : tables_) {
        for (const auto& [uuid, row] : rows) {
            std::vector<std::string> targets;
            for (const Json::Value& cell : row) {
                collect_uuids(cell, targets);
            }
            for (const std::string& target : targets) {
                if (!all.contains(target)) {
                    return Error("referential integrity violation: " + table + " refers to " +
                                 target);
                }
                ++references[target];
            }
        }
    }
    return references;
}

Status FakeDatabase::check_indexes() const {
    for (const auto& [table, rows] : tables_) {
        for (const Json::Value& index : schema_["tables"][table]["indexes"]) {
            std::set<std::string> seen;
            for (const auto& [uuid, row] : rows) {
                std::string key;
                for (const Json::Value& column : index) {
                    key += compact_text(row[column.asString()]) + ";";
                }
                if (!seen.insert(key).second) {
                    return Error("constraint violation: " + table + " has two rows of " + key);
                }
            }
        }
    }
    return {};
}

bool FakeDatabase::collect_garbage(const std::map<std::string, int>& references) {
    bool any = false;
    for (auto& [table, rows] : tables_) {
        // Where no table is a root, all are.
        if (schema_["name"] == "ms_firewall" || schema_["tables"][table]["isRoot"] == true) {
            continue;
        }
        any = std::erase_if(
                  rows, [&](const auto& item) { return !references.contains(item.first); }) != 0 ||
              any;
    }
    return any;
}

Result<Json::Value> FakeDatabase::transact(const Operations& operations) {
    const auto before = tables_;
    const auto fail = [&](const Error& error) {
        tables_ = before;
        return error;
    };
    named_.clear();
    for (const Json::Value& operation : operations) {
        if (operation.isMember("uuid-name")) {
            named_[operation["uuid-name"].asString()] = std::to_string(++last_uuid_);
        }
    }
    Json::Value results(Json::arrayValue);
    for (const Json::Value& operation : operations) {
        const auto result = run(operation);
        if (!result) {
            return fail(result.error());
        }
        results.append(*result);
    }
    bool again = true;
    while (again) {
        const auto references = count_references();
        if (!references) {
            return fail(references.error());
        }
        again = collect_garbage(*references);
    }
    if (const auto status = check_indexes(); !status) {
        return fail(status.error());
    }
    return results;
}

}  // namespace hnv::cli::test
