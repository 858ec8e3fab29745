// BFD between policy, switch and database: sessions that the rows ask for go to the underlay, what
// the switch makes of them comes back to the model and to the rows.
#include <optional>
#include <utility>
#include <vector>

#include "agent.h"
#include "ovs-integration/event_loop.h"

namespace hnv {

void Agent::want_bfd_sessions() {
    tunnels_.look_at_addresses();
    if (!tunnels_.sessions_due()) {
        return;
    }
    underlay_.set_bfd_sessions(tunnels_.sessions());
    take_bfd_sessions();
}

// Into the model; committed by the caller.
void Agent::take_bfd_sessions() {
    const auto& states = underlay_.facts().bfd_sessions;
    std::vector<std::uint32_t> ofports;
    for (const policy::BfdState& state : states) {
        if (state.ofport != 0) {
            ofports.push_back(state.ofport);
        }
    }
    model_.set_bfd_ports(std::move(ofports));
    peer_health_.update(states, ovs::now_msec());
    model_.set_unreachable(peer_health_.down());
}

// Those that are held back until they have been up for a while.
void Agent::watch_peers() {
    const std::optional<std::int64_t> due = peer_health_.next();
    if (due && ovs::now_msec() >= *due) {
        take_bfd_sessions();
        realise();
    }
    if (const auto next = peer_health_.next()) {
        ovs::wake_at(*next);
    }
}

void Agent::tell_tunnels() {
    tunnels_.write(underlay_.facts().bfd_sessions, model_.take_locator_changes(), ovs::now_msec());
    if (const auto next = tunnels_.next_write()) {
        ovs::wake_at(*next);
    }
}

}  // namespace hnv
