#include "northbound/bfd_params.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <string_view>

#include "ovs-integration/address.h"

namespace hnv::northbound {

namespace {

using StringMap = std::map<std::string, std::string>;
using Read = std::optional<std::string> (*)(const std::string& text);

constexpr int kMaxIntervalMsec = 3'600'000;

[[nodiscard]] std::optional<int> read_number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 0
               ? std::optional(value)
               : std::nullopt;
}

// Milliseconds.
[[nodiscard]] std::optional<std::string> read_interval(const std::string& text) {
    const auto value = read_number(text);
    return value && *value > 0 ? std::optional(std::to_string(
                                     std::clamp(*value, kMinBfdIntervalMsec, kMaxIntervalMsec)))
                               : std::nullopt;
}

[[nodiscard]] std::optional<std::string> read_decay(const std::string& text) {
    return read_number(text) == 0 ? std::optional<std::string>("0") : read_interval(text);
}

[[nodiscard]] std::optional<std::string> read_boolean(const std::string& text) {
    return text == "true" || text == "false" ? std::optional(text) : std::nullopt;
}

[[nodiscard]] std::optional<std::string> read_mac(const std::string& text) {
    const auto mac = MacAddress::parse(text);
    return mac ? std::optional(mac->to_string()) : std::nullopt;
}

[[nodiscard]] std::optional<std::string> read_v4(const std::string& text) {
    const auto address = IpAddress::parse(text);
    return address && address->is_v4() ? std::optional(address->to_string()) : std::nullopt;
}

struct Word {
    const char* key;
    const char* as;  // In Open vSwitch.
    Read read;
};
constexpr std::array kParams{
    Word{"min_rx", "min_rx", read_interval},
    Word{"min_tx", "min_tx", read_interval},
    Word{"decay_min_rx", "decay_min_rx", read_decay},
    Word{"forwarding_if_rx", "forwarding_if_rx", read_boolean},
    Word{"cpath_down", "cpath_down", read_boolean},
    Word{"check_tnl_key", "check_tnl_key", read_boolean},
};
constexpr std::array kConfigRemote{
    Word{"bfd_dst_mac", "bfd_local_dst_mac", read_mac},
    Word{"bfd_dst_ip", "bfd_dst_ip", read_v4},
};

void take(const StringMap& from, const Word& word, BfdSettings& into) {
    const auto given = from.find(word.key);
    if (given == from.end()) {
        return;
    }
    if (const auto value = word.read(given->second)) {
        into.settings.insert_or_assign(word.as, *value);
    } else {
        into.problem += (into.problem.empty() ? "BFD goes by the default of " : ", ") +
                        std::string(word.key) + ", which can't be '" + given->second + "'";
    }
}

}  // namespace

bool asks_for_bfd(const StringMap& params) {
    const auto enable = params.find("enable");
    return enable != params.end() && enable->second == "true";
}

BfdSettings bfd_settings(const StringMap& params, const StringMap& config_remote) {
    BfdSettings result;
    result.settings = {{"enable", "true"},
                       {"bfd_remote_dst_mac", kBfdMac},
                       {"bfd_local_dst_mac", kBfdMac},
                       {"bfd_dst_ip", kBfdRemoteAddress}};
    for (const Word& word : kParams) {
        take(params, word, result);
    }
    for (const Word& word : kConfigRemote) {
        take(config_remote, word, result);
    }
    return result;
}

StringMap bfd_status(const policy::BfdState& state) {
    if (!state.problem.empty()) {
        return {{"enabled", "false"}, {"info", state.problem}};
    }
    StringMap status;
    for (const char* key :
         {"state", "forwarding", "diagnostic", "remote_state", "remote_diagnostic"}) {
        if (const auto known = state.status.find(key); known != state.status.end()) {
            status.insert(*known);
        }
    }
    if (!status.empty()) {
        status.emplace("enabled", "true");
    }
    return status;
}

}  // namespace hnv::northbound
