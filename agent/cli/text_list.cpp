#include "cli/text_list.h"

namespace hnv::cli {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string_view> split_list(std::string_view text) {
    std::vector<std::string_view> items;
    std::size_t depth = 0;
    std::size_t begin = 0;
    const auto take = [&](std::size_t end) {
        if (const auto item = trimmed(text.substr(begin, end - begin)); !item.empty()) {
            items.push_back(item);
        }
        begin = end + 1;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') {
            ++depth;
        } else if (text[i] == ')') {
            depth -= depth > 0 ? 1 : 0;
        } else if (text[i] == ',' && depth == 0) {
            take(i);
        }
    }
    if (begin < text.size()) {
        take(text.size());
    }
    return items;
}

Call call_of(std::string_view item) {
    const std::size_t open = item.find('(');
    if (open == std::string_view::npos) {
        return {item, {}, false};
    }
    std::string_view argument = item.substr(open + 1);
    if (argument.ends_with(')')) {
        argument.remove_suffix(1);
    }
    return {item.substr(0, open), argument, true};
}

std::pair<std::string_view, std::string_view> pair_of(std::string_view item) {
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
        return {item, {}};
    }
    return {item.substr(0, equals), item.substr(equals + 1)};
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x")) {
        text.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::string_view> between(std::string_view text, std::string_view begin,
                                        std::string_view end) {
    const std::size_t at = text.find(begin);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(at + begin.size());
    const std::size_t stop = text.find(end);
    return stop == std::string_view::npos ? std::nullopt : std::optional(text.substr(0, stop));
}

std::pair<std::string_view, std::string_view> masked(std::string_view value) {
    const std::size_t slash = value.find('/');
    if (slash == std::string_view::npos) {
        return {value, {}};
    }
    return {value.substr(0, slash), value.substr(slash + 1)};
}

}  // namespace hnv::cli
