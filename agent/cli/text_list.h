// Lists as Open vSwitch writes them: items with commas between, each with brackets of its own.
//
// Pure; any text is accepted, for what is read here was printed by another program.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hnv::cli {

// Without blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

// The items of a list, whose commas may also be within brackets of an item. Empty items are left
// out.
[[nodiscard]] std::vector<std::string_view> split_list(std::string_view text);

// "name(argument)" → its parts; without brackets the argument is empty.
struct Call {
    std::string_view name;
    std::string_view argument;
    bool has_brackets = false;
};
[[nodiscard]] Call call_of(std::string_view item);

// "key=value" → its parts; without "=" the value is empty.
[[nodiscard]] std::pair<std::string_view, std::string_view> pair_of(std::string_view item);

// Decimal, or hexadecimal behind "0x"; the whole text.
[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view text);

// What stands between two marks, from `from` on: nothing if one of them is not there.
[[nodiscard]] std::optional<std::string_view> between(std::string_view text, std::string_view begin,
                                                      std::string_view end);

// "value/mask" → its parts; without a mask the second is empty.
[[nodiscard]] std::pair<std::string_view, std::string_view> masked(std::string_view value);

}  // namespace hnv::cli
