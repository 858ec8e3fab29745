// ProviderAddresses' dealings with the memory of a userspace ovs-vswitchd: routes, next hops, MAC
// table.
#include <algorithm>
#include <chrono>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "ovs-integration/unixctl_client.h"
#include "underlay/neighbour_request.h"
#include "underlay/provider_addresses.h"

namespace hnv::underlay {
namespace {

constexpr const char* kModule = "underlay";
// ovs-vswitchd answers within a millisecond or so, unless it is busy with a new configuration.
constexpr std::chrono::milliseconds kPatience{200};
constexpr std::int64_t kRefreshMsec = 5000;
constexpr std::int64_t kSoonMsec = 500;
// So many times soon, then at leisure: it is not coming back by being asked.
constexpr int kHurried = 10;
constexpr std::int64_t kQuestionMsec = 1000;
constexpr std::int64_t kLaterQuestionMsec = 30000;

}  // namespace

// Looks at what ovs-vswitchd holds, and mends it. The first command that gets no answer in time
// ends it, so that the loop is held up once by a switch that is stuck, and not for each address.
void ProviderAddresses::refresh_switch() {
    const std::int64_t now = ovs::now_msec();
    const bool idle = routes_.empty() && entries_.empty() && stale_entries_.empty();
    if (idle && clean_) {
        next_refresh_ = 0;
        return;
    }
    if (now < next_refresh_) {
        return;
    }
    const std::string socket = switch_control_socket(config_.ovs_run_dir);
    const bool routed = refresh_routes(socket);
    bool settled = false;
    if (routed && refresh_entries(socket)) {
        settled = ask_for_gateways(socket);
    }
    failed_refreshes_ = routed && settled ? 0 : failed_refreshes_ + 1;
    clean_ = routed;
    const bool hurry = failed_refreshes_ > 0 && failed_refreshes_ <= kHurried;
    next_refresh_ = ovs::now_msec() + (hurry ? kSoonMsec : kRefreshMsec);
}

// True when all routes are as they should be, or have just been made so.
bool ProviderAddresses::refresh_routes(const std::string& socket) {
    const auto shown = ovs::unixctl_call(socket, "ovs/route/show", {}, kPatience);
    if (!shown) {
        return false;
    }
    bool done = true;
    for (const SwitchCommand& command : route_commands(parse_routes(*shown), routes_)) {
        const auto answer = ovs::unixctl_call(socket, command.name, command.arguments, kPatience);
        if (!answer) {
            // Mostly: it has not heard of the interface's new address yet.
            log::info(kModule, command.name + " " + command.arguments.front() + ": " +
                                   answer.error().message());
            done = false;
            break;
        }
    }
    return done;
}

// A provider address is heard on its own port alone. Of an unknown MAC address NORMAL sends a copy
// to each port, and each that is an interface with a tunnel's address unpacks it: guests would get
// it twice. So the bridge's MAC table is told, and does not forget. A switch without the command
// goes on learning. False when the switch is too slow.
bool ProviderAddresses::refresh_entries(const std::string& socket) {
    const std::int64_t begin = ovs::now_msec();
    const auto call = [&](const char* command, const std::vector<std::string>& arguments) {
        // A refusal is not an error: the port or the bridge may be gone.
        (void)ovs::unixctl_call(socket, command, arguments, kPatience).ok();
        return ovs::now_msec() < begin + kPatience.count();
    };
    while (!stale_entries_.empty()) {
        const Entry entry = *stale_entries_.begin();
        stale_entries_.erase(stale_entries_.begin());
        if (!call("fdb/del", {entry.bridge, std::to_string(entry.vlan), entry.mac.to_string()})) {
            return false;
        }
    }
    for (const Entry& entry : entries_) {
        if (!call("fdb/add",
                  {entry.bridge, entry.port, std::to_string(entry.vlan), entry.mac.to_string()})) {
            return false;
        }
    }
    return true;
}

// Asks for the MAC addresses of the gateways that the switch does not know, and once for each that
// is new: what it knows may be from another VLAN. True when it knows them all.
bool ProviderAddresses::ask_for_gateways(const std::string& socket) {
    if (gateways_.empty()) {
        return true;
    }
    const auto shown = ovs::unixctl_call(socket, "tnl/neigh/show", {}, kPatience);
    if (!shown) {
        return false;
    }
    const auto known = parse_neighbours(*shown);
    bool all = true;
    const bool may_ask = ovs::now_msec() >= next_question_;
    for (const Next& next : gateways_) {
        auto asked = std::ranges::find(asked_, next, &std::pair<Next, int>::first);
        const bool is_new = asked == asked_.end();
        if (is_new) {
            asked_.emplace_back(next, 0);
            asked = std::prev(asked_.end());
        }
        const bool is_known =
            std::ranges::find(known, std::pair(next.gateway, next.bridge)) != known.end();
        if (is_known && !is_new) {
            asked->second = 0;
            continue;
        }
        all = all && is_known;
        if (is_new || may_ask) {
            ++asked->second;
            const Status sent =
                ovs::send_frame(next.index, neighbour_request(next.mac, next.own, next.gateway));
            if (!sent) {
                log::info(kModule, next.own.to_string() + ": " + sent.error().message());
            }
        }
    }
    if (may_ask && !all) {
        const bool hurry = std::ranges::any_of(
            asked_, [](const auto& entry) { return entry.second > 0 && entry.second < kHurried; });
        next_question_ = ovs::now_msec() + (hurry ? kQuestionMsec : kLaterQuestionMsec);
    }
    return all;
}

}  // namespace hnv::underlay
