// ProviderAddresses' part for uplinks whose VLANs the integration bridge reaches.
#include <algorithm>
#include <set>
#include <utility>

#include "underlay/provider_addresses.h"

namespace hnv::underlay {

void ProviderAddresses::set_vlan_uplinks(std::vector<std::string> uplinks,
                                         const ovs::HostAddresses& host) {
    if (uplinks_ == uplinks) {
        return;
    }
    uplinks_ = std::move(uplinks);
    if (told_) {
        replan(host);
    } else {
        tell_uplinks();
    }
}

// Until it is known which there shall be: those that an agent before this one made.
std::vector<std::string> ProviderAddresses::uplinks_to_plan() const {
    if (uplinks_) {
        return *uplinks_;
    }
    std::set<std::string> found;
    for (const ovs::SwitchBridge& bridge : ports_.bridges()) {
        for (const ovs::SwitchPort& port : bridge.ports) {
            if (!port.uplink.empty()) {
                found.insert(port.uplink);
            }
        }
    }
    return {found.begin(), found.end()};
}

void ProviderAddresses::tell_uplinks() {
    uplink_states_.clear();
    if (!uplinks_) {
        return;
    }
    for (const std::string& uplink : *uplinks_) {
        const auto planned = std::ranges::find(plan_.uplinks, uplink, &PlannedUplink::uplink);
        uplink_states_.push_back(planned == plan_.uplinks.end() ? PlannedUplink{uplink, "", ""}
                                                                : *planned);
        PlannedUplink& state = uplink_states_.back();
        if (state.problem.empty() && !state.port.empty()) {
            state.problem = problem_of_patch(uplink);
        }
    }
}

// What the database or ovs-vswitchd has against it.
std::string ProviderAddresses::problem_of_patch(const std::string& uplink) const {
    std::size_t ends = 0;
    for (const ovs::SwitchBridge& bridge : ports_.bridges()) {
        for (const ovs::SwitchPort& port : bridge.ports) {
            if (port.uplink != uplink) {
                continue;
            }
            ++ends;
            if (!port.error.empty()) {
                return "uplink " + uplink + ": patch port " + port.name + " of bridge " +
                       bridge.name + ": " + port.error;
            }
        }
    }
    return ends < 2 ? ports_.problem() : std::string();
}

}  // namespace hnv::underlay
