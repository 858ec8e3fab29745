#include "underlay/underlay.h"

#include <utility>

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

std::vector<ProviderAddressState> provider_address_states(const Facts& facts,
                                                          std::span<const IpAddress> wanted) {
    std::vector<ProviderAddressState> states;
    states.reserve(wanted.size());
    for (const IpAddress& address : wanted) {
        ProviderAddressState state{address, {}, false, 0};
        for (const ovs::HostAddress& own : facts.addresses) {
            if (own.address == address && own.up) {
                state.interface = own.interface;
                state.present = true;
                break;
            }
        }
        states.push_back(std::move(state));
    }
    return states;
}

Underlay::Underlay(Config config)
    : vswitch_(config.ovs_db,
               ovs::BridgeConfig{std::move(config.bridge), std::move(config.datapath_type)},
               tunnel_ports()) {}

bool Underlay::run() {
    // Both run each time: `||` would leave the second out.
    const bool switch_changed = vswitch_.run();
    const bool host_changed = host_.run();
    if (!switch_changed && !host_changed) {
        return false;
    }
    Facts next = facts_;
    if (switch_changed) {
        copy_switch_facts(vswitch_, next);
    }
    if (host_changed) {
        next.addresses = host_.addresses();
    }
    const bool changed = next != facts_;
    facts_ = std::move(next);
    return changed;
}

void Underlay::wait() {
    vswitch_.wait();
    host_.wait();
}

}  // namespace hnv::underlay
