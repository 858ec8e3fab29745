#include "northbound/routing_information.h"

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hnv::northbound {

namespace {

constexpr std::uint32_t kMaxKey = 0xffffff;

[[nodiscard]] std::vector<std::string_view> split(std::string_view text,
                                                  std::string_view separators) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of(separators);
        if (end != 0) {
            parts.push_back(text.substr(0, end));
        }
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return parts;
}

// The items, each of which is asked for once. Remembers the first thing that was wrong.
class Items {
  public:
    explicit Items(std::string_view text) {
        for (const std::string_view item : split(text, ", \t\n")) {
            const std::size_t equals = item.find('=');
            if (equals == std::string_view::npos || equals + 1 == item.size()) {
                fail("can't read '" + std::string(item) + "', which is not key=value");
            } else if (!items_.emplace(item.substr(0, equals), item.substr(equals + 1)).second) {
                fail(std::string(item.substr(0, equals)) + " is there twice");
            }
        }
    }

    [[nodiscard]] std::optional<std::string_view> take(std::string_view key) {
        const auto item = items_.find(key);
        if (item == items_.end()) {
            return std::nullopt;
        }
        const std::string_view value = item->second;
        items_.erase(item);
        return value;
    }

    // One of the words, by its place among them; without the item the first.
    [[nodiscard]] std::size_t choose(std::string_view key,
                                     const std::vector<std::string_view>& words) {
        const std::string_view value = take(key).value_or(words.front());
        std::string all;
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i] == value) {
                return i;
            }
            all += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + std::string(words[i]);
        }
        fail(std::string(key) + " '" + std::string(value) + "' is not " + all);
        return 0;
    }

    // A mirror's key.
    [[nodiscard]] std::uint32_t key() {
        const std::string_view text = take("key").value_or("");
        std::uint32_t key = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
        if (text.empty()) {
            missing("key=N");
        } else if (error != std::errc() || end != text.data() + text.size() || key == 0 ||
                   key > kMaxKey) {
            fail("key '" + std::string(text) + "' is not 1 to " + std::to_string(kMaxKey));
        }
        return key;
    }

    [[nodiscard]] IpAddress address(std::string_view key, std::string_view text) {
        const auto address = IpAddress::parse(text);
        if (!address || *address == IpAddress{} || *address == IpAddress::from_v4(0)) {
            fail(std::string(key) + " '" + std::string(text) + "' is not an IP address");
            return {};
        }
        return *address;
    }

    void missing(const std::string& what) { fail(what + " is missing"); }

    // After all has been taken that is known.
    [[nodiscard]] Status done() {
        if (!items_.empty()) {
            fail("'" + std::string(items_.begin()->first) + "' is not known for this rule_type");
        }
        return problem_ ? Status(Error("routing_information: " + *problem_)) : Status();
    }

  private:
    void fail(std::string problem) {
        if (!problem_) {
            problem_ = std::move(problem);
        }
    }

    std::map<std::string_view, std::string_view> items_;
    std::optional<std::string> problem_;
};

template <typename Spec>
[[nodiscard]] Result<Spec> result(Items& items, Spec spec) {
    if (const Status done = items.done(); !done) {
        return done.error();
    }
    return spec;
}

}  // namespace

Result<policy::MirrorSourceSpec> parse_mirror_source(std::string_view text) {
    Items items(text);
    policy::MirrorSourceSpec spec;
    const std::size_t direction = items.choose("direction", {"both", "in", "out"});
    spec.inbound = direction != 2;
    spec.outbound = direction != 1;
    if (const auto port = items.take("port")) {
        spec.analyzer = policy::normalize_port_name(*port);
    } else if (const auto destination = items.take("destination")) {
        policy::MirrorSourceSpec::Remote remote;
        remote.locator.pa = items.address("destination", *destination);
        remote.locator.encapsulation = items.choose("encapsulation", {"vxlan", "nvgre"}) == 0
                                           ? policy::Encapsulation::Vxlan
                                           : policy::Encapsulation::Nvgre;
        remote.key = items.key();
        spec.analyzer = remote;
    } else {
        items.missing("port=NAME or destination=PA");
    }
    return result(items, std::move(spec));
}

Result<policy::MirrorDestinationSpec> parse_mirror_destination(std::string_view text) {
    Items items(text);
    policy::MirrorDestinationSpec spec;
    spec.key = items.key();
    for (const std::string_view pa : split(items.take("from").value_or(""), ";")) {
        spec.from.push_back(items.address("from", pa));
    }
    if (spec.from.empty()) {
        items.missing("from=PA");
    }
    return result(items, std::move(spec));
}

Result<policy::InsertionSpec> parse_insertion(std::string_view text) {
    Items items(text);
    policy::InsertionSpec spec;
    if (const auto next_hop = items.take("next-hop")) {
        spec.next_hop = items.address("next-hop", *next_hop);
    } else {
        items.missing("next-hop=CA");
    }
    spec.fail_open = items.choose("fail", {"closed", "open"}) == 1;
    return result(items, spec);
}

}  // namespace hnv::northbound
