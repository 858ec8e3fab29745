#include "underlay/underlay.h"

#include <utility>

#include "underlay/bfd_ports.h"

namespace hnv::underlay {
namespace {

// One port for each encapsulation serves all destinations and virtual subnets: the flows say where
// to (remote_ip=flow) and for whom (key=flow).
constexpr const char* kVxlanPort = "hnv-vxlan";
constexpr const char* kNvgrePort = "hnv-nvgre";

std::vector<ovs::TunnelPortConfig> tunnel_ports() {
    return {
        {kVxlanPort,
         "vxlan",
         {{"remote_ip", "flow"}, {"key", "flow"}, {"dst_port", "4789"}}},  // RFC 7348 section 8
        {kNvgrePort, "gre", {{"remote_ip", "flow"}, {"key", "flow"}}},
    };
}

void copy_switch_facts(const ovs::VswitchDb& vswitch, Facts& facts) {
    facts.switch_db_connected = vswitch.connected();
    facts.bridge_ready = vswitch.bridge_ready();
    facts.vxlan_ofport = vswitch.tunnel_ofport(kVxlanPort).value_or(0);
    facts.nvgre_ofport = vswitch.tunnel_ofport(kNvgrePort).value_or(0);
    facts.problem = vswitch.problem();
    facts.interfaces.clear();
    for (const ovs::InterfaceFacts& interface : vswitch.interfaces()) {
        if (!interface.iface_id.empty()) {
            facts.interfaces.push_back(interface);
        }
    }
}

}  // namespace

Underlay::Underlay(Config config)
    : vswitch_(config.ovs_db, ovs::BridgeConfig{config.bridge, std::move(config.datapath_type)},
               tunnel_ports()),
      provider_addresses_({config.ovs_db, config.ovs_run_dir, config.bridge}) {}

void Underlay::set_provider_addresses(std::vector<ProviderAddressConfig> addresses) {
    provider_addresses_.set_wanted(std::move(addresses), host_);
    facts_.provider_addresses = provider_addresses_.states();
    facts_.vlan_uplinks = vlan_uplinks();
    tell_bfd_sessions(facts_);
}

void Underlay::set_vlan_uplinks(std::vector<std::string> uplinks) {
    provider_addresses_.set_vlan_uplinks(std::move(uplinks), host_);
    facts_.provider_addresses = provider_addresses_.states();
    facts_.vlan_uplinks = vlan_uplinks();
}

std::vector<VlanUplink> Underlay::vlan_uplinks() const {
    std::vector<VlanUplink> found;
    for (const PlannedUplink& planned : provider_addresses_.uplinks()) {
        found.push_back({planned.uplink, 0, planned.problem});
        for (const ovs::InterfaceFacts& interface : vswitch_.interfaces()) {
            if (!planned.port.empty() && interface.name == planned.port &&
                interface.type == "patch") {
                found.back().ofport = interface.ofport;
            }
        }
    }
    return found;
}

void Underlay::set_bfd_sessions(std::vector<policy::BfdSession> sessions) {
    bfd_sessions_ = std::move(sessions);
    tell_bfd_sessions(facts_);
}

void Underlay::tell_bfd_sessions(Facts& facts) {
    if (bfd_sessions_) {
        const auto& addresses = facts.provider_addresses;
        vswitch_.set_bfd_ports(bfd_ports(*bfd_sessions_, addresses));
        facts.bfd_sessions = bfd_states(*bfd_sessions_, addresses, vswitch_.bfd_ports());
    }
}

bool Underlay::run() {
    // All run each time: `||` would leave some out.
    const bool switch_changed = vswitch_.run();
    const bool host_changed = host_.run();
    const bool provider_changed =
        provider_addresses_.run(host_, host_changed, vswitch_.datapath_type());
    if (!switch_changed && !host_changed && !provider_changed) {
        return false;
    }
    Facts next = facts_;
    if (switch_changed) {
        copy_switch_facts(vswitch_, next);
    }
    next.addresses = host_.addresses();
    next.provider_addresses = provider_addresses_.states();
    next.vlan_uplinks = vlan_uplinks();
    tell_bfd_sessions(next);
    const bool changed = next != facts_;
    facts_ = std::move(next);
    return changed;
}

void Underlay::wait() {
    vswitch_.wait();
    host_.wait();
    provider_addresses_.wait();
}

}  // namespace hnv::underlay
