#include "underlay/zone_limits.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "ovs-integration/unixctl_client.h"

namespace hnv::underlay {

namespace {

constexpr const char* kModule = "underlay";
constexpr std::chrono::milliseconds kPatience{200};
constexpr std::int64_t kRefreshMsec = 5000;
constexpr std::int64_t kSoonMsec = 500;
// So many in a command: it is one line of JSON.
constexpr std::size_t kMostInCommand = 1000;

// The number behind `key` in "zone=5,limit=100,count=3".
[[nodiscard]] std::optional<std::uint32_t> number_behind(std::string_view line,
                                                         std::string_view key) {
    const std::size_t at = line.find(key);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    line.remove_prefix(at + key.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

// A datapath of Open vSwitch has one name for each type.
[[nodiscard]] std::string datapath_of(const std::string& type) { return type + "@ovs-" + type; }

}  // namespace

std::map<std::uint16_t, std::uint32_t> parse_zone_limits(std::string_view shown) {
    std::map<std::uint16_t, std::uint32_t> found;
    while (!shown.empty()) {
        const std::size_t end = std::min(shown.find('\n'), shown.size());
        const std::string_view line = shown.substr(0, end);
        shown.remove_prefix(std::min(end + 1, shown.size()));
        const auto zone = number_behind(line, "zone=");
        const auto limit = number_behind(line, ",limit=");
        if (line.starts_with("zone=") && zone && *zone <= 0xffff && limit) {
            found.emplace(static_cast<std::uint16_t>(*zone), *limit);
        }
    }
    return found;
}

std::vector<SwitchCommand> zone_limit_commands(const std::string& datapath,
                                               const std::map<std::uint16_t, std::uint32_t>& found,
                                               std::span<const ZoneLimit> wanted,
                                               const std::set<std::uint16_t>& given_up) {
    std::map<std::uint16_t, std::uint32_t> limits;
    for (const std::uint16_t zone : given_up) {
        limits.emplace(zone, 0);
    }
    for (const ZoneLimit& each : wanted) {
        std::uint32_t& limit = limits[each.zone];
        limit = limit == 0 || each.limit == 0 ? std::max(limit, each.limit)
                                              : std::min(limit, each.limit);
    }
    SwitchCommand set{"dpctl/ct-set-limits", {datapath}};
    std::string removed;
    std::vector<SwitchCommand> commands;
    for (const auto& [zone, limit] : limits) {
        const auto known = found.find(zone);
        const bool exists = known != found.end();
        if (limit == 0 && exists) {
            removed += (removed.empty() ? "zone=" : ",") + std::to_string(zone);
        } else if (limit != 0 && (!exists || known->second != limit)) {
            set.arguments.push_back("zone=" + std::to_string(zone) +
                                    ",limit=" + std::to_string(limit));
            if (set.arguments.size() > kMostInCommand) {
                commands.push_back(set);
                set.arguments = {datapath};
            }
        }
    }
    if (set.arguments.size() > 1) {
        commands.push_back(std::move(set));
    }
    if (!removed.empty()) {
        commands.push_back({"dpctl/ct-del-limits", {datapath, std::move(removed)}});
    }
    return commands;
}

void ZoneLimits::want(const policy::ObjectId& owner, std::vector<ZoneLimit> zones) {
    const auto known = wanted_.find(owner);
    if (known == wanted_.end() ? zones.empty() : known->second == zones) {
        return;
    }
    if (known != wanted_.end()) {
        for (const ZoneLimit& before : known->second) {
            if (before.limit != 0) {
                given_up_.insert(before.zone);
            }
        }
        wanted_.erase(known);
    }
    if (!zones.empty()) {
        wanted_.emplace(owner, std::move(zones));
    }
    look_again();
}

void ZoneLimits::look_again() {
    due_ = true;
    next_refresh_ = 0;
}

void ZoneLimits::run(const std::string& datapath_type) {
    if (!due_ || ovs::now_msec() < next_refresh_) {
        return;
    }
    const bool limited = std::ranges::any_of(wanted_, [](const auto& entry) {
        return std::ranges::any_of(entry.second,
                                   [](const ZoneLimit& zone) { return zone.limit != 0; });
    });
    const bool answered = !datapath_type.empty() && refresh(datapath_type);
    if (answered) {
        given_up_.clear();
    }
    // A switch that knows no limits is right when none is wanted.
    const bool unneeded = !limited && given_up_.empty() && !datapath_type.empty();
    if (unneeded) {
        problem_.clear();
    }
    const bool done = answered || unneeded;
    due_ = limited || !done;
    next_refresh_ = ovs::now_msec() + (done ? kRefreshMsec : kSoonMsec);
}

void ZoneLimits::wait() const {
    if (due_) {
        ovs::wake_at(next_refresh_);
    }
}

// The first command that gets no answer in time ends it. False: to be done again.
bool ZoneLimits::refresh(const std::string& datapath_type) {
    const std::string socket = switch_control_socket(ovs_run_dir_);
    const std::string datapath = datapath_of(datapath_type);
    std::vector<ZoneLimit> wanted;
    for (const auto& [owner, zones] : wanted_) {
        wanted.insert(wanted.end(), zones.begin(), zones.end());
    }
    const auto tell = [this](const Error& error) {
        if (error.message() != problem_) {
            log::warn(kModule, "limits of connections: " + error.message());
            problem_ = error.message();
        }
        return false;
    };
    const std::vector<std::string> only_datapath{datapath};
    const auto shown = ovs::unixctl_call(socket, "dpctl/ct-get-limits", only_datapath, kPatience);
    if (!shown) {
        return tell(shown.error());
    }
    for (const SwitchCommand& command :
         zone_limit_commands(datapath, parse_zone_limits(*shown), wanted, given_up_)) {
        const auto answer = ovs::unixctl_call(socket, command.name, command.arguments, kPatience);
        if (!answer) {
            return tell(answer.error());
        }
    }
    problem_.clear();
    return true;
}

}  // namespace hnv::underlay
