#include "policy/peer_health.h"

#include <algorithm>
#include <utility>

namespace hnv::policy {

void PeerHealth::update(std::span<const BfdState> states, std::int64_t now) {
    std::map<IpAddress, Peer> before = std::exchange(peers_, {});
    down_.clear();
    next_.reset();
    for (const BfdState& state : states) {
        const auto forwarding = state.status.find("forwarding");
        if (forwarding == state.status.end()) {
            continue;
        }
        Peer peer = before[state.remote];
        const bool was = std::exchange(peer.forwarding, forwarding->second == "true");
        if (!peer.forwarding) {
            peer.held_since.reset();
        } else if (!was && peer.ever_forwarding) {
            peer.held_since = now;
        }
        peer.ever_forwarding |= peer.forwarding;
        if (peer.held_since && now - *peer.held_since >= kHoldMsec) {
            peer.held_since.reset();
        }
        if (peer.held_since) {
            const std::int64_t due = *peer.held_since + kHoldMsec;
            next_ = next_ ? std::min(*next_, due) : due;
        }
        if (!peer.forwarding || peer.held_since) {
            down_.insert(state.remote);
        }
        peers_.insert_or_assign(state.remote, peer);
    }
}

}  // namespace hnv::policy
