#include "underlay/provider_addresses.h"

#include <algorithm>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "underlay/neighbour_request.h"

namespace hnv::underlay {
namespace {

constexpr const char* kModule = "underlay";
constexpr std::string_view kSystem = "system";
// After a restart of ovs-vswitchd its bridges' interfaces are bare until the host's own
// configuration has been applied again.
constexpr std::int64_t kAwaitMsec = 10000;
constexpr std::int64_t kRetryMsec = 5000;

bool is_link_local(const IpAddress& address) {
    return !address.is_v4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80;
}

const ovs::HostLink* find_link(const ovs::HostAddresses& host, std::string_view name) {
    const auto& links = host.links();
    const auto found = std::ranges::find(links, name, &ovs::HostLink::name);
    return found == links.end() ? nullptr : &*found;
}

const ovs::HostAddress* find_address(const ovs::HostAddresses& host, const IpAddress& address,
                                     std::string_view interface) {
    for (const ovs::HostAddress& own : host.addresses()) {
        if (own.address == address && own.interface == interface) {
            return &own;
        }
    }
    return nullptr;
}

Status write_all(const std::string& folder,
                 std::initializer_list<std::pair<const char*, const char*>> settings) {
    for (const auto& [key, value] : settings) {
        if (Status status = ovs::write_sysctl(folder + key, value); !status) {
            return status;
        }
    }
    return {};
}

// All before the device is up for the first time, so that it never answers for another address, nor
// takes one from a router.
Status set_sysctls(const std::string& device, bool v4) {
    const std::string v6_folder = "net/ipv6/conf/" + device + "/";
    if (!v4) {
        // Without a link-local address, the provider address is what OVS takes for the device's.
        return write_all(v6_folder, {{"accept_ra", "0"},
                                     {"autoconf", "0"},
                                     {"accept_dad", "0"},
                                     {"addr_gen_mode", "1"},
                                     {"disable_ipv6", "0"}});
    }
    if (Status status = write_all(v6_folder, {{"disable_ipv6", "1"}}); !status) {
        return status;
    }
    // The main table has no route to who asks: rp_filter would drop the question.
    return write_all("net/ipv4/conf/" + device + "/",
                     {{"arp_ignore", "1"}, {"arp_announce", "2"}, {"rp_filter", "0"}});
}

}  // namespace

ProviderAddresses::ProviderAddresses(Config config)
    : config_(std::move(config)), ports_(config_.ovs_db) {}

void ProviderAddresses::set_wanted(std::vector<ProviderAddressConfig> rows,
                                   const ovs::HostAddresses& host) {
    if (told_ && rows == rows_) {
        return;
    }
    rows_ = std::move(rows);
    told_ = true;
    replan(host);
}

bool ProviderAddresses::run(const ovs::HostAddresses& host, bool host_changed,
                            const std::string& datapath_type) {
    const bool ports_changed = ports_.run();
    due_ = due_ || ports_changed || host_changed || datapath_type != datapath_type_;
    datapath_type_ = datapath_type;
    const std::vector<ProviderAddressState> before = states_;
    const std::vector<PlannedUplink> uplinks_before = uplink_states_;
    due_ = due_ || (look_again_ != 0 && ovs::now_msec() >= look_again_);
    look_at_path_filter();
    if (due_ && told_) {
        due_ = false;
        replan(host);
    }
    if (told_ && datapath_type_ != kSystem && !datapath_type_.empty()) {
        refresh_switch();
    } else {
        next_refresh_ = 0;
    }
    return states_ != before || uplink_states_ != uplinks_before;
}

// Nobody tells when a sysctl changes: it is read when something else has, and with the switch.
void ProviderAddresses::look_at_path_filter() {
    if (due_ || (next_refresh_ != 0 && ovs::now_msec() >= next_refresh_)) {
        std::string found = ovs::read_sysctl("net/ipv4/conf/all/rp_filter").value_or("0");
        due_ = due_ || found != path_filter_;
        path_filter_ = std::move(found);
    }
}

void ProviderAddresses::wait() {
    ports_.wait();
    if (due_ && told_) {
        ovs::wake_now();
    }
    for (const std::int64_t when : {next_refresh_, look_again_}) {
        if (when != 0) {
            ovs::wake_at(when);
        }
    }
}

void ProviderAddresses::replan(const ovs::HostAddresses& host) {
    const bool switch_known = ports_.known() && !datapath_type_.empty();
    look_again_ = 0;
    const std::vector<IpAddress> missed = awaited(host);
    plan_ = make_plan(
        rows_, uplinks_to_plan(),
        {config_.bridge, switch_known ? std::string_view(datapath_type_) : std::string_view(),
         ports_.bridges(), host.addresses(), host.links(), missed});
    if (switch_known) {
        prepare_uplinks(host);
        give_back_uplinks();
        ports_.set_wanted(plan_.bridges, plan_.ports, plan_.patches);
        // What it finds out at once is heard of at the next turn.
        due_ = ports_.run();
    }
    configure_interfaces(host);
    if (!failures_.empty() && look_again_ == 0) {
        look_again_ = ovs::now_msec() + kRetryMsec;
    }
    tell_states(host);
    tell_uplinks();
    plan_compartments(host);
    if (datapath_type_ == kSystem) {
        refresh_kernel(host);
    }
}

// The addresses that the host has lost a moment ago. Sets when to look again.
std::vector<IpAddress> ProviderAddresses::awaited(const ovs::HostAddresses& host) {
    const std::int64_t now = ovs::now_msec();
    std::set<IpAddress> carried;
    for (const ovs::HostAddress& own : host.addresses()) {
        if (!is_interface_name(own.interface)) {
            carried.insert(own.address);
        }
    }
    for (const IpAddress& address : carried_by_host_) {
        if (!carried.contains(address)) {
            missed_since_.emplace(address, now);
        }
    }
    carried_by_host_ = std::move(carried);
    std::erase_if(missed_since_, [&](const auto& entry) {
        return now >= entry.second + kAwaitMsec || carried_by_host_.contains(entry.first);
    });
    std::vector<IpAddress> missed;
    for (const auto& [address, when] : missed_since_) {
        missed.push_back(address);
        const std::int64_t over = when + kAwaitMsec;
        look_again_ = look_again_ == 0 ? over : std::min(look_again_, over);
    }
    return missed;
}

// Before the NIC hears the first packet for a provider address.
void ProviderAddresses::prepare_uplinks(const ovs::HostAddresses& host) {
    std::erase_if(prepared_, [&](const auto& device) {
        const ovs::HostLink* link = find_link(host, device.first);
        return link == nullptr || link->index != device.second;
    });
    for (const QuietDevice& device : plan_.quiet) {
        const ovs::HostLink* link = find_link(host, device.name);
        if (link == nullptr || !prepared_.emplace(device.name, link->index).second) {
            continue;
        }
        const std::string key = "net/ipv4/conf/" + device.name + "/arp_ignore";
        const auto before = ovs::read_sysctl(key);
        if (!before || (*before != "0" && device.arp_ignore == 1)) {
            continue;  // It keeps quieter than that.
        }
        if (Status status = ovs::write_sysctl(key, std::to_string(device.arp_ignore)); !status) {
            log::warn(kModule, status.error().message());
        }
    }
    for (const ovs::OwnBridge& bridge : plan_.bridges) {
        const ovs::HostLink* link = find_link(host, bridge.nic);
        if (link != nullptr && !link->up) {
            if (Status status = network_.set_up(link->index); !status) {
                log::warn(kModule, bridge.nic + ": " + status.error().message());
            }
        }
    }
}

// A NIC whose bridge goes is the operator's again, and answers ARP like any device.
void ProviderAddresses::give_back_uplinks() {
    for (const ovs::SwitchBridge& bridge : ports_.bridges()) {
        const bool wanted = std::ranges::find(plan_.bridges, bridge.name, &ovs::OwnBridge::name) !=
                            plan_.bridges.end();
        for (const ovs::SwitchPort& port : bridge.ports) {
            if (!bridge.own || wanted || !port.own || bridge.name != bridge_name(port.name)) {
                continue;
            }
            const std::string key = "net/ipv4/conf/" + port.name + "/arp_ignore";
            std::erase_if(prepared_, [&](const auto& device) { return device.first == port.name; });
            if (ovs::read_sysctl(key) == "8") {
                const auto usual = ovs::read_sysctl("net/ipv4/conf/default/arp_ignore");
                if (Status status = ovs::write_sysctl(key, usual.value_or("0")); !status) {
                    log::warn(kModule, status.error().message());
                }
            }
        }
    }
}

void ProviderAddresses::configure_interfaces(const ovs::HostAddresses& host) {
    failures_.clear();
    for (const PlannedAddress& planned : plan_.addresses) {
        const ovs::HostLink* link = find_link(host, planned.interface);
        if (planned.means != Means::Made || link == nullptr || link->mac != planned.mac) {
            continue;  // ovs-vswitchd gives it its MAC address after it has made it.
        }
        if (Status status = configure(planned, *link, host); !status) {
            failures_[planned.interface] = status.error().message();
        }
    }
}

Status ProviderAddresses::configure(const PlannedAddress& planned, const ovs::HostLink& link,
                                    const ovs::HostAddresses& host) {
    const IpPrefix& wanted = planned.config.address;
    if (!prepared_.contains({link.name, link.index})) {
        if (Status status = set_sysctls(link.name, wanted.address.is_v4()); !status) {
            return status;
        }
        prepared_.emplace(link.name, link.index);
    }
    bool there = false;
    for (const ovs::HostAddress& own : host.addresses()) {
        if (own.interface != link.name || is_link_local(own.address)) {
            continue;
        }
        const IpPrefix found{own.address, own.prefix_length};
        if (found == wanted) {
            there = true;
        } else if (Status status = network_.remove_address(link.index, found); !status) {
            return status;
        }
    }
    if (!there) {
        if (Status status = network_.add_address(link.index, wanted); !status) {
            return status;
        }
        log::info(kModule, "made provider address " + wanted.to_string() + " on " + link.name +
                               " of bridge " + planned.bridge);
    }
    return link.up ? Status() : network_.set_up(link.index);
}

void ProviderAddresses::tell_states(const ovs::HostAddresses& host) {
    std::map<IpAddress, ProviderAddressState> before;
    for (ProviderAddressState& state : std::exchange(states_, {})) {
        const IpAddress address = state.address;
        before.emplace(address, std::move(state));
    }
    for (const PlannedAddress& planned : plan_.addresses) {
        states_.push_back(state_of(planned, host));
        announce(before[states_.back().address], states_.back(), host);
    }
}

// Neighbours may know the address at another MAC address: that of the interface that had it before.
void ProviderAddresses::announce(const ProviderAddressState& before,
                                 const ProviderAddressState& now,
                                 const ovs::HostAddresses& host) const {
    const bool moved =
        now.made ? !before.present || before.interface != now.interface : before.made;  // Adopted:
                                                                                        // only
                                                                                        // after it
                                                                                        // was of
                                                                                        // the
                                                                                        // agent's.
    const ovs::HostLink* link = find_link(host, now.interface);
    if (!now.present || !moved || link == nullptr) {
        return;
    }
    if (Status sent = ovs::send_frame(link->index, announcement(link->mac, now.address)); !sent) {
        log::info(kModule, now.address.to_string() + ": " + sent.error().message());
    }
}

ProviderAddressState ProviderAddresses::state_of(const PlannedAddress& planned,
                                                 const ovs::HostAddresses& host) const {
    ProviderAddressState state;
    state.address = planned.config.address.address;
    state.mark = planned.mark;
    state.problem = planned.problem;
    const ovs::HostLink* link = find_link(host, planned.interface);
    if (link == nullptr) {
        if (state.problem.empty()) {
            state.problem = problem_of_made(planned, nullptr);
        }
        return state;
    }
    const ovs::HostAddress* own = find_address(host, state.address, planned.interface);
    state.interface = planned.interface;
    state.mtu = link->mtu;
    state.made = planned.means != Means::Adopted;
    state.present = own != nullptr && own->up;
    if (state.made && (!state.present || failures_.contains(link->name))) {
        state.problem = problem_of_made(planned, link);
    } else if (state.made && state.address.is_v4() && path_filter_ != "0") {
        state.problem = "the kernel does not answer ARP for " + state.address.to_string() +
                        " while net.ipv4.conf.all.rp_filter is " + path_filter_ +
                        ": set it to 0, and that of each device that needs the filter";
    } else if (!state.present) {
        state.problem = "interface " + link->name + " carries " + state.address.to_string() +
                        " and is down or without a carrier: bring it up";
    }
    return state;
}

std::string ProviderAddresses::problem_of_made(const PlannedAddress& planned,
                                               const ovs::HostLink* link) const {
    const std::string name =
        "interface " + planned.interface + " for " + planned.config.address.address.to_string();
    if (const auto failure = failures_.find(planned.interface); failure != failures_.end()) {
        return name + ": " + failure->second;
    }
    if (!ports_.problem().empty()) {
        return ports_.problem();
    }
    if (planned.means != Means::Made) {
        return "the agent waits for the switch before it makes " +
               planned.config.address.address.to_string();
    }
    for (const ovs::SwitchBridge& bridge : ports_.bridges()) {
        for (const ovs::SwitchPort& port : bridge.ports) {
            if (port.name == planned.interface && !port.own) {
                return name + ": bridge " + bridge.name +
                       " has a port of that name which is not the agent's: delete it";
            }
            if (port.name == planned.interface && !port.error.empty()) {
                return name + ": " + port.error;
            }
        }
    }
    return name + (link == nullptr ? " has not been made by ovs-vswitchd yet; is it running?"
                                   : " is not up yet");
}

// What routes and MAC addresses the addresses need that are there now.
void ProviderAddresses::plan_compartments(const ovs::HostAddresses& host) {
    std::vector<SwitchRoute> routes;
    std::vector<Next> gateways;
    std::set<Entry> entries;
    for (std::size_t i = 0; i < plan_.addresses.size(); ++i) {
        const PlannedAddress& planned = plan_.addresses[i];
        const ovs::HostLink* link = find_link(host, planned.interface);
        if (planned.mark == 0 || !states_[i].present || link == nullptr) {
            continue;
        }
        const IpAddress& own = planned.config.address.address;
        routes.push_back({planned.mark, planned.neighbours, link->name, std::nullopt, own});
        std::string bridge = planned.bridge;
        for (const ovs::SwitchBridge& found : ports_.bridges()) {
            if (bridge.empty() && std::ranges::find(found.ports, link->name,
                                                    &ovs::SwitchPort::name) != found.ports.end()) {
                bridge = found.name;
            }
        }
        if (planned.config.gateway) {
            const IpPrefix all = *IpPrefix::parse(own.is_v4() ? "0.0.0.0/0" : "::/0");
            routes.push_back({planned.mark, all, link->name, planned.config.gateway, own});
            gateways.push_back({link->index, link->mac, own, *planned.config.gateway, bridge});
        }
        if (planned.means == Means::Made) {
            const std::uint16_t vlan = planned.config.vlan.value_or(0);
            entries.insert({planned.bridge, planned.interface, vlan, planned.mac});
        }
    }
    for (const Entry& entry : entries_) {
        if (!entries.contains(entry)) {
            stale_entries_.insert(entry);
        }
    }
    if (routes != routes_ || gateways != gateways_ || entries != entries_) {
        next_refresh_ = ovs::now_msec();
        failed_refreshes_ = 0;
        clean_ = false;
    }
    if (gateways != gateways_) {
        asked_.clear();
        next_question_ = 0;
    }
    routes_ = std::move(routes);
    gateways_ = std::move(gateways);
    entries_ = std::move(entries);
}

// The kernel's datapath: a rule that leads packets with the mark to a table of that number. The
// rule by source is for what the host itself sends from an address that the agent made, and for the
// kernel's reverse path filter.
void ProviderAddresses::refresh_kernel(const ovs::HostAddresses& host) {
    std::vector<ovs::RoutingRule> rules;
    for (const PlannedAddress& planned : plan_.addresses) {
        if (planned.mark != 0) {
            ovs::RoutingRule rule{planned.mark, planned.mark, std::nullopt};
            if (planned.means == Means::Made) {
                rule.source = planned.config.address.address;
            }
            rules.push_back(rule);
        }
    }
    if (Status status = network_.set_rules(kFirstMark, kLastMark, rules); !status) {
        log::warn(kModule, status.error().message());
    }
    // The kernel drops routes with their link; then they are no longer among routes_ either.
    std::set<std::pair<SwitchRoute, int>> installed;
    for (const SwitchRoute& route : routes_) {
        const ovs::HostLink* link = find_link(host, route.device);
        if (link == nullptr) {
            continue;
        }
        const Status status = kernel_routes_.contains({route, link->index})
                                  ? Status()
                                  : network_.put_route(route.mark, route.prefix, link->index,
                                                       route.gateway, route.source);
        if (status) {
            installed.emplace(route, link->index);
        } else {
            log::warn(kModule, status.error().message());
        }
    }
    kernel_routes_ = std::move(installed);
}

}  // namespace hnv::underlay
