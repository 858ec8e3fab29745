#include "underlay/switch_routes.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "underlay/provider_address.h"

namespace hnv::underlay {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    constexpr std::string_view kBlank = " \t\r";
    for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos;
         at = line.find_first_not_of(kBlank, at)) {
        const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = end;
    }
    return words;
}

template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        visit(words_of(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// "User: 10.9.0.0/24 MARK 1207959553 dev hnvpa-000001 GW 10.9.0.1 SRC 10.9.0.11"
std::optional<SwitchRoute> parse_route(const std::vector<std::string_view>& words) {
    constexpr std::size_t kHead = 2;
    if (words.size() < kHead || words[0] != "User:") {
        return std::nullopt;
    }
    const auto prefix = IpPrefix::parse(words[1]);
    if (!prefix) {
        return std::nullopt;
    }
    SwitchRoute found;
    found.prefix = *prefix;
    for (std::size_t i = kHead; i + 1 < words.size(); i += 2) {
        const std::string_view value = words[i + 1];
        if (words[i] == "MARK") {
            std::from_chars(value.data(), value.data() + value.size(), found.mark);
        } else if (words[i] == "dev") {
            found.device = value;
        } else if (words[i] == "GW") {
            found.gateway = IpAddress::parse(value);
        } else if (words[i] == "SRC") {
            found.source = IpAddress::parse(value).value_or(IpAddress{});
        }
    }
    if (found.mark < kFirstMark || found.mark > kLastMark) {
        return std::nullopt;
    }
    return found;
}

std::string mark_argument(std::uint32_t mark) { return "pkt_mark=" + std::to_string(mark); }

SwitchCommand add_command(const SwitchRoute& route) {
    SwitchCommand command{"ovs/route/add", {route.prefix.to_string(), route.device}};
    if (route.gateway) {
        command.arguments.push_back(route.gateway->to_string());
    }
    command.arguments.push_back(mark_argument(route.mark));
    return command;
}

}  // namespace

std::vector<SwitchRoute> parse_routes(std::string_view shown) {
    std::vector<SwitchRoute> routes;
    for_each_line(shown, [&](const std::vector<std::string_view>& words) {
        if (auto route = parse_route(words)) {
            routes.push_back(*std::move(route));
        }
    });
    return routes;
}

// "10.9.0.1      02:48:0a:09:00:01   br1", with " STALE" behind it when it has run out.
std::vector<std::pair<IpAddress, std::string>> parse_neighbours(std::string_view shown) {
    std::vector<std::pair<IpAddress, std::string>> neighbours;
    constexpr std::size_t kColumns = 3;
    for_each_line(shown, [&](const std::vector<std::string_view>& words) {
        if (words.size() != kColumns || !MacAddress::parse(words[1])) {
            return;
        }
        if (const auto address = IpAddress::parse(words[0])) {
            neighbours.emplace_back(*address, std::string(words[2]));
        }
    });
    return neighbours;
}

std::vector<SwitchCommand> route_commands(std::span<const SwitchRoute> found,
                                          std::span<const SwitchRoute> wanted) {
    std::vector<SwitchCommand> commands;
    std::set<SwitchRoute> right;
    std::set<std::string> disturbed;  // Devices of which a route is deleted.
    for (const SwitchRoute& route : found) {
        if (std::ranges::find(wanted, route) != wanted.end()) {
            right.insert(route);
            continue;
        }
        // An addition with the same mark and prefix replaces it.
        const bool replaced = std::ranges::any_of(wanted, [&](const SwitchRoute& other) {
            return other.mark == route.mark && other.prefix == route.prefix;
        });
        if (!replaced) {
            commands.push_back(
                {"ovs/route/del", {route.prefix.to_string(), mark_argument(route.mark)}});
            disturbed.insert(route.device);
        }
    }
    for (const SwitchRoute& route : wanted) {
        if (!right.contains(route) || disturbed.contains(route.device)) {
            commands.push_back(add_command(route));
        }
    }
    return commands;
}

std::string switch_control_socket(const std::string& run_dir) {
    std::ifstream file(run_dir + "/ovs-vswitchd.pid");
    if (long pid = 0; file >> pid) {
        std::string socket = run_dir + "/ovs-vswitchd." + std::to_string(pid) + ".ctl";
        std::error_code ignored;
        if (std::filesystem::exists(socket, ignored)) {
            return socket;
        }
    }
    return run_dir + "/ovs-vswitchd.ctl";
}

}  // namespace hnv::underlay
