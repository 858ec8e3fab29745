#include "northbound/operations.h"

#include <json/writer.h>

namespace hnv::northbound {

namespace {

[[nodiscard]] Json::Value pair(Json::Value first, Json::Value second) {
    Json::Value value(Json::arrayValue);
    value.append(std::move(first));
    value.append(std::move(second));
    return value;
}

[[nodiscard]] Json::Value where_row(const Uuid& row) {
    Json::Value condition(Json::arrayValue);
    condition.append("_uuid");
    condition.append("==");
    condition.append(json_uuid(row));
    Json::Value where(Json::arrayValue);
    where.append(condition);
    return where;
}

[[nodiscard]] Json::Value operation(const char* op, const std::string& table) {
    Json::Value value;
    value["op"] = op;
    value["table"] = table;
    return value;
}

}  // namespace

Json::Value json_uuid(const Uuid& uuid) { return pair("uuid", uuid.to_string()); }

Json::Value json_named_uuid(const std::string& name) { return pair("named-uuid", name); }

Json::Value json_set(const std::vector<Json::Value>& items) {
    Json::Value list(Json::arrayValue);
    for (const Json::Value& item : items) {
        list.append(item);
    }
    return pair("set", list);
}

Json::Value json_map(const std::vector<std::pair<std::string, std::string>>& items) {
    Json::Value list(Json::arrayValue);
    for (const auto& [key, value] : items) {
        list.append(pair(key, value));
    }
    return pair("map", list);
}

std::string Operations::insert(const std::string& table, Json::Value row) {
    std::string name = "row" + std::to_string(names_++);
    Json::Value insert = operation("insert", table);
    insert["row"] = std::move(row);
    insert["uuid-name"] = name;
    operations_.append(insert);
    return name;
}

void Operations::insert(const std::string& table, Json::Value row, const Uuid& uuid) {
    Json::Value insert = operation("insert", table);
    insert["row"] = std::move(row);
    insert["uuid"] = uuid.to_string();
    operations_.append(insert);
}

void Operations::update(const std::string& table, const Uuid& row, Json::Value values) {
    Json::Value update = operation("update", table);
    update["where"] = where_row(row);
    update["row"] = std::move(values);
    operations_.append(update);
}

void Operations::update_where(const std::string& table, const Uuid& row, const std::string& column,
                              Json::Value present, Json::Value value) {
    Json::Value condition(Json::arrayValue);
    condition.append(column);
    condition.append("==");
    condition.append(std::move(present));
    Json::Value update = operation("update", table);
    update["where"] = where_row(row);
    update["where"].append(std::move(condition));
    update["row"][column] = std::move(value);
    operations_.append(update);
}

void Operations::remove(const std::string& table, const Uuid& row) {
    Json::Value remove = operation("delete", table);
    remove["where"] = where_row(row);
    operations_.append(remove);
}

void Operations::add_to_set(const std::string& table, const Uuid& row, const std::string& column,
                            Json::Value value) {
    mutate_set("insert", table, row, column, {std::move(value)});
}

void Operations::remove_from_set(const std::string& table, const Uuid& row,
                                 const std::string& column, Json::Value value) {
    mutate_set("delete", table, row, column, {std::move(value)});
}

void Operations::add_to_set(const std::string& table, const Uuid& row, const std::string& column,
                            const std::vector<Json::Value>& values) {
    mutate_set("insert", table, row, column, values);
}

void Operations::remove_from_set(const std::string& table, const Uuid& row,
                                 const std::string& column,
                                 const std::vector<Json::Value>& values) {
    mutate_set("delete", table, row, column, values);
}

void Operations::mutate_set(const char* mutator, const std::string& table, const Uuid& row,
                            const std::string& column, const std::vector<Json::Value>& values) {
    Json::Value mutation(Json::arrayValue);
    mutation.append(column);
    mutation.append(mutator);
    mutation.append(json_set(values));
    Json::Value mutate = operation("mutate", table);
    mutate["where"] = where_row(row);
    mutate["mutations"].append(mutation);
    operations_.append(mutate);
}

void Operations::commit(ovs::Databases& server, std::string_view database,
                        const std::string& what) {
    Json::StreamWriterBuilder compact;
    compact["indentation"] = "";
    server.post(database, Json::writeString(compact, operations_), what);
    operations_ = Json::Value(Json::arrayValue);
}

}  // namespace hnv::northbound
