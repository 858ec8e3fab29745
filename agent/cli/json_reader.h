// Reading JSON strictly, with the path of what is wrong: "mappings[3].mac: '00:15' is not a MAC
// address". Problems are collected, so that one run names them all (up to a limit).
#pragma once

#include <json/value.h>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::cli {

class Problems {
  public:
    void add(std::string_view path, std::string_view sentence);
    [[nodiscard]] bool empty() const { return count_ == 0; }
    // One problem a line; the last line counts those over the limit.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::string> lines_;
    std::size_t count_ = 0;
};

// Reads the members of one JSON object. An accessor gives nothing if the member is absent, and
// nothing plus a problem if it has the wrong type or value. finish() reports members that no
// accessor asked for.
//
// Both `object` and `problems` must outlive the reader.
class ObjectReader {
  public:
    ObjectReader(const Json::Value& object, std::string path, Problems& problems);

    [[nodiscard]] std::optional<std::string> string(std::string_view key);
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t min,
                                                      std::int64_t max);
    [[nodiscard]] std::optional<bool> boolean(std::string_view key);
    [[nodiscard]] std::optional<MacAddress> mac(std::string_view key);
    [[nodiscard]] std::optional<IpAddress> address(std::string_view key);
    [[nodiscard]] std::optional<IpPrefix> prefix(std::string_view key);
    // The elements with their paths; empty if absent.
    [[nodiscard]] std::vector<std::pair<const Json::Value*, std::string>> array(
        std::string_view key);
    [[nodiscard]] const Json::Value* object(std::string_view key);

    template <typename Enum>
    [[nodiscard]] std::optional<Enum> one_of(
        std::string_view key, std::span<const std::pair<std::string_view, Enum>> names) {
        const auto text = string(key);
        if (!text) {
            return std::nullopt;
        }
        std::string choices;
        for (const auto& [name, value] : names) {
            if (*text == name) {
                return value;
            }
            choices += (choices.empty() ? "" : ", ") + std::string(name);
        }
        problem(key, "'" + *text + "' is none of: " + choices);
        return std::nullopt;
    }

    // The accessor's value, or the type's default value and a problem if the member is absent.
    template <typename T>
    [[nodiscard]] T required(std::string_view key, std::optional<T> value) {
        if (!value && find(key) == nullptr && is_object_) {
            problem(key, "is missing");
        }
        return value ? std::move(*value) : T{};
    }

    [[nodiscard]] std::string path_of(std::string_view key) const;
    void problem(std::string_view key, std::string_view sentence);
    void finish();

  private:
    [[nodiscard]] const Json::Value* find(std::string_view key);
    template <typename T>
    std::optional<T> parsed(std::string_view key, std::string_view what);

    const Json::Value& object_;
    std::string path_;
    Problems& problems_;
    bool is_object_;
    std::set<std::string, std::less<>> known_;
};

}  // namespace hnv::cli
