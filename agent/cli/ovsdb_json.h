// OVSDB's notation of values in JSON (RFC 7047 section 5.1) and of operations (section 5.2).
#pragma once

#include <json/value.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hnv::cli {

// Reading. A value of another shape than asked for reads as empty: the server checks its data
// against the schema, so that only an unknown schema can bring one.
[[nodiscard]] std::string as_string(const Json::Value& value);
[[nodiscard]] std::int64_t as_integer(const Json::Value& value);
[[nodiscard]] bool as_boolean(const Json::Value& value);
[[nodiscard]] std::string as_uuid(const Json::Value& value);  // From ["uuid", "..."].
// The elements of a set, be it ["set", [...]] or a lone atom.
[[nodiscard]] std::vector<Json::Value> as_set(const Json::Value& value);
[[nodiscard]] std::vector<std::pair<Json::Value, Json::Value>> as_map(const Json::Value& value);
[[nodiscard]] std::map<std::string, std::string> as_string_map(const Json::Value& value);

// Writing.
[[nodiscard]] Json::Value uuid_json(std::string_view uuid);
// A reference to the row that an insert of the same transaction makes under this name.
[[nodiscard]] Json::Value named_uuid_json(std::string_view name);
[[nodiscard]] Json::Value set_json(const std::vector<Json::Value>& elements);
[[nodiscard]] Json::Value map_json(
    const std::vector<std::pair<Json::Value, Json::Value>>& elements);
[[nodiscard]] Json::Value map_json(const std::map<std::string, std::string>& elements);
template <typename T>
[[nodiscard]] Json::Value optional_json(const std::optional<T>& value) {
    return set_json(value ? std::vector<Json::Value>{Json::Value(*value)}
                          : std::vector<Json::Value>{});
}
[[nodiscard]] inline Json::Value integer_json(std::int64_t value) {
    return {static_cast<Json::Int64>(value)};
}

// Operations. `uuid_name` names the new row for named_uuid_json(); it must be an identifier.
[[nodiscard]] Json::Value insert_operation(std::string_view table, Json::Value row,
                                           std::string_view uuid_name = {});
[[nodiscard]] Json::Value update_operation(std::string_view table, std::string_view uuid,
                                           Json::Value row);
[[nodiscard]] Json::Value delete_operation(std::string_view table, std::string_view uuid);
// Deletes the rows whose `column` refers to the row `uuid`.
[[nodiscard]] Json::Value delete_referring_operation(std::string_view table,
                                                     std::string_view column,
                                                     std::string_view uuid);
[[nodiscard]] Json::Value mutate_operation(std::string_view table, std::string_view uuid,
                                           std::string_view column, std::string_view mutator,
                                           Json::Value value);
[[nodiscard]] Json::Value select_operation(std::string_view table,
                                           const std::vector<std::string_view>& columns);

[[nodiscard]] std::string compact_text(const Json::Value& value);
// Nothing if the text is not JSON.
[[nodiscard]] std::optional<Json::Value> parse_json(std::string_view text);

}  // namespace hnv::cli
