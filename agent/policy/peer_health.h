// Which provider addresses BFD calls down, for those who have a choice where to send.
//
// Down at once, up again only after a while: an underlay that flaps moves nothing more than twice
// in that time. A session that has never been up before, as far as this agent has seen, is believed
// at once. What has no session, or none that has told anything yet, is not down.
//
// Pure but for what it remembers: the time is handed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "policy/bfd.h"

namespace hnv::policy {

class PeerHealth {
  public:
    // How long a session has to be up to be trusted again.
    static constexpr std::int64_t kHoldMsec = 5000;

    // `now` in milliseconds of any clock that does not go back.
    void update(std::span<const BfdState> states, std::int64_t now);

    [[nodiscard]] const std::set<IpAddress>& down() const { return down_; }
    // When update() has to be called without news; nullopt: there is no need.
    [[nodiscard]] std::optional<std::int64_t> next() const { return next_; }

  private:
    struct Peer {
        bool forwarding = false;
        bool ever_forwarding = false;
        // While it is held back: since when it has been forwarding.
        std::optional<std::int64_t> held_since{};
    };

    std::map<IpAddress, Peer> peers_;
    std::set<IpAddress> down_;
    std::optional<std::int64_t> next_;
};

}  // namespace hnv::policy
