// Lets each flow through once in a window of time: every packet of a blocked flow comes here, and
// one record tells of them all.
//
// Memory is bounded: beyond `capacity` flows the one that was let through longest ago is forgotten,
// and would be let through again. Thread: one at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "audit/flow_tuple.h"

namespace hnv::audit {

class RepeatFilter {
  public:
    using Clock = std::chrono::steady_clock;

    struct Key {
        std::uint64_t rule = 0;  // A hash of what the packet-in says of the rule.
        std::uint32_t port = 0;
        FlowTuple flow;
        bool operator==(const Key&) const = default;
    };

    RepeatFilter(std::size_t capacity, Clock::duration window);
    RepeatFilter(const RepeatFilter&) = delete;
    RepeatFilter& operator=(const RepeatFilter&) = delete;

    // How many repeats were kept back since the flow was let through last; nullopt: this one is
    // kept back. `now` never decreases.
    [[nodiscard]] std::optional<std::uint64_t> admit(const Key& key, Clock::time_point now);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        Clock::time_point admitted;
        std::uint64_t repeats = 0;
        std::list<const Key*>::iterator place;
    };
    // Seeded: the guest that sends the packets must not know which keys collide.
    struct Hash {
        std::uint64_t seed = 0;
        std::size_t operator()(const Key& key) const noexcept;
    };

    const std::size_t capacity_;
    const Clock::duration window_;
    std::unordered_map<Key, Entry, Hash> entries_;
    std::list<const Key*> order_;  // By the time of admission; into entries_.
};

}  // namespace hnv::audit
