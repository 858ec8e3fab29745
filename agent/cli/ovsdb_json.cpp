#include "cli/ovsdb_json.h"

#include <json/reader.h>
#include <json/writer.h>

#include <memory>

namespace hnv::cli {
namespace {

Json::Value text_json(std::string_view text) { return {text.data(), text.data() + text.size()}; }

Json::Value pair_json(Json::Value first, Json::Value second) {
    Json::Value pair(Json::arrayValue);
    pair.append(std::move(first));
    pair.append(std::move(second));
    return pair;
}

Json::Value where_json(std::string_view column, std::string_view function, Json::Value value) {
    Json::Value condition(Json::arrayValue);
    condition.append(text_json(column));
    condition.append(text_json(function));
    condition.append(std::move(value));
    Json::Value where(Json::arrayValue);
    where.append(std::move(condition));
    return where;
}

Json::Value operation(std::string_view name, std::string_view table) {
    Json::Value op(Json::objectValue);
    op["op"] = text_json(name);
    op["table"] = text_json(table);
    return op;
}

// The second element of [tag, x], or null.
const Json::Value& tagged(const Json::Value& value, std::string_view tag) {
    if (value.isArray() && value.size() == 2 && value[0].isString() && value[0].asString() == tag) {
        return value[1];
    }
    return Json::Value::nullSingleton();
}

}  // namespace

std::string as_string(const Json::Value& value) {
    return value.isString() ? value.asString() : std::string();
}

std::int64_t as_integer(const Json::Value& value) { return value.isInt64() ? value.asInt64() : 0; }

bool as_boolean(const Json::Value& value) { return value.isBool() && value.asBool(); }

std::string as_uuid(const Json::Value& value) { return as_string(tagged(value, "uuid")); }

std::vector<Json::Value> as_set(const Json::Value& value) {
    if (value.isNull()) {
        return {};
    }
    const Json::Value& elements = tagged(value, "set");
    return elements.isArray() ? std::vector<Json::Value>(elements.begin(), elements.end())
                              : std::vector<Json::Value>{value};
}

std::vector<std::pair<Json::Value, Json::Value>> as_map(const Json::Value& value) {
    std::vector<std::pair<Json::Value, Json::Value>> pairs;
    for (const Json::Value& pair : tagged(value, "map")) {
        if (pair.isArray() && pair.size() == 2) {
            pairs.emplace_back(pair[0], pair[1]);
        }
    }
    return pairs;
}

std::map<std::string, std::string> as_string_map(const Json::Value& value) {
    std::map<std::string, std::string> strings;
    for (const auto& [key, element] : as_map(value)) {
        strings.emplace(as_string(key), as_string(element));
    }
    return strings;
}

Json::Value uuid_json(std::string_view uuid) { return pair_json("uuid", text_json(uuid)); }

Json::Value named_uuid_json(std::string_view name) {
    return pair_json("named-uuid", text_json(name));
}

Json::Value set_json(const std::vector<Json::Value>& elements) {
    Json::Value array(Json::arrayValue);
    for (const Json::Value& element : elements) {
        array.append(element);
    }
    return pair_json("set", std::move(array));
}

Json::Value map_json(const std::vector<std::pair<Json::Value, Json::Value>>& elements) {
    Json::Value array(Json::arrayValue);
    for (const auto& [key, value] : elements) {
        array.append(pair_json(key, value));
    }
    return pair_json("map", std::move(array));
}

Json::Value map_json(const std::map<std::string, std::string>& elements) {
    Json::Value array(Json::arrayValue);
    for (const auto& [key, value] : elements) {
        array.append(pair_json(key, value));
    }
    return pair_json("map", std::move(array));
}

Json::Value insert_operation(std::string_view table, Json::Value row, std::string_view uuid_name) {
    Json::Value op = operation("insert", table);
    op["row"] = std::move(row);
    if (!uuid_name.empty()) {
        op["uuid-name"] = text_json(uuid_name);
    }
    return op;
}

Json::Value update_operation(std::string_view table, std::string_view uuid, Json::Value row) {
    Json::Value op = operation("update", table);
    op["where"] = where_json("_uuid", "==", uuid_json(uuid));
    op["row"] = std::move(row);
    return op;
}

Json::Value delete_operation(std::string_view table, std::string_view uuid) {
    return delete_referring_operation(table, "_uuid", uuid);
}

Json::Value delete_referring_operation(std::string_view table, std::string_view column,
                                       std::string_view uuid) {
    Json::Value op = operation("delete", table);
    op["where"] = where_json(column, "==", uuid_json(uuid));
    return op;
}

Json::Value mutate_operation(std::string_view table, std::string_view uuid, std::string_view column,
                             std::string_view mutator, Json::Value value) {
    Json::Value op = operation("mutate", table);
    op["where"] = where_json("_uuid", "==", uuid_json(uuid));
    op["mutations"] = where_json(column, mutator, std::move(value));
    return op;
}

Json::Value select_operation(std::string_view table, const std::vector<std::string_view>& columns) {
    Json::Value op = operation("select", table);
    op["where"] = Json::Value(Json::arrayValue);
    op["columns"] = Json::Value(Json::arrayValue);
    for (const std::string_view column : columns) {
        op["columns"].append(text_json(column));
    }
    return op;
}

std::string compact_text(const Json::Value& value) {
    Json::StreamWriterBuilder builder;
    builder["indentation"] = "";
    return Json::writeString(builder, value);
}

std::optional<Json::Value> parse_json(std::string_view text) {
    const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
    Json::Value value;
    // jsoncpp throws when values are nested too deep.
    try {
        if (!reader->parse(text.data(), text.data() + text.size(), &value, nullptr)) {
            return std::nullopt;
        }
    } catch (const Json::Exception&) {
        return std::nullopt;
    }
    return value;
}

}  // namespace hnv::cli
