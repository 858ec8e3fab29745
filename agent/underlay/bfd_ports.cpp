#include "underlay/bfd_ports.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace hnv::underlay {

namespace {

[[nodiscard]] const ProviderAddressState* carried(std::span<const ProviderAddressState> addresses,
                                                  const IpAddress& local) {
    const auto found = std::ranges::find(addresses, local, &ProviderAddressState::address);
    return found == addresses.end() || !found->present ? nullptr : &*found;
}

[[nodiscard]] ovs::BfdPortConfig port_of(const policy::BfdSession& session,
                                         const ProviderAddressState& local) {
    ovs::BfdPortConfig port{bfd_port_name(session.remote),
                            "vxlan",
                            {{"remote_ip", session.remote.to_string()},
                             {"key", "0"},
                             {"dst_port", "4789"}},  // RFC 7348 section 8
                            {session.settings.begin(), session.settings.end()}};
    // In a routing compartment the source is its route's own: looked up under a mark, a source
    // that is named is not found.
    if (local.mark != 0) {
        port.options.emplace_back("egress_pkt_mark", std::to_string(local.mark));
    } else {
        port.options.emplace_back("local_ip", session.local.to_string());
    }
    return port;
}

}  // namespace

std::string bfd_port_name(const IpAddress& remote) {
    // FNV-1a of an IPv6 address, cut to what the name has room for.
    std::uint64_t bits = 0xcbf29ce484222325ULL;
    std::ranges::for_each(remote.bytes(),
                          [&](std::uint8_t byte) { bits = (bits ^ byte) * 0x100000001b3ULL; });
    if (remote.is_v4()) {
        bits = remote.v4();
    }
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), remote.is_v4() ? "%08llx" : "%010llx",
                  static_cast<unsigned long long>(bits & 0xff'ffff'ffffULL));
    return std::string(ovs::kBfdPortPrefix) + digits.data();
}

ovs::BfdPortsConfig bfd_ports(std::span<const policy::BfdSession> sessions,
                              std::span<const ProviderAddressState> addresses) {
    ovs::BfdPortsConfig ports;
    for (const policy::BfdSession& session : sessions) {
        if (const ProviderAddressState* local = carried(addresses, session.local)) {
            ports.wanted.push_back(port_of(session, *local));
        } else {
            ports.kept.insert(bfd_port_name(session.remote));
        }
    }
    return ports;
}

std::vector<policy::BfdState> bfd_states(std::span<const policy::BfdSession> sessions,
                                         std::span<const ProviderAddressState> addresses,
                                         const std::map<std::string, ovs::BfdPortFacts>& ports) {
    std::vector<policy::BfdState> states;
    for (const policy::BfdSession& session : sessions) {
        policy::BfdState& state = states.emplace_back(policy::BfdState{session.remote});
        const auto port = ports.find(bfd_port_name(session.remote));
        if (port == ports.end()) {
            if (carried(addresses, session.local) == nullptr) {
                state.problem = "this host does not carry " + session.local.to_string() + " now";
            }
            continue;
        }
        state.ofport = port->second.ofport;
        state.status = port->second.status;
        if (!port->second.problem.empty()) {
            state.problem = "interface " + port->first + ": " + port->second.problem;
        }
    }
    return states;
}

}  // namespace hnv::underlay
