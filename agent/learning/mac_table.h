// What becomes of the MACs that were heard: learned within their limits, moved but not to and fro,
// and forgotten when they have been silent.
//
// The model holds the MACs; here is what depends on time. A MAC's traffic is the counters of its
// flows in Table::Learn, which are asked of the switch every few seconds. Only time in which the
// switch answered counts as silence.
//
// Thread: the policy's. Times are milliseconds of ovs::now_msec().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/flow_set.h"
#include "policy/faults.h"
#include "policy/model.h"
#include "southbound/table_counters.h"

namespace hnv::learning {

struct Counters {
    std::uint64_t learned = 0;
    std::uint64_t moved = 0;     // To another port, or VLAN.
    std::uint64_t aged_out = 0;  // Silent for too long.
    std::uint64_t refused = 0;   // Sightings beyond the port's limit, or the host's.
    std::uint64_t reserved = 0;  // Sightings of a MAC that is another port's own, or the router's.
    std::uint64_t held = 0;      // Moves of a MAC that moves too often.
    bool operator==(const Counters&) const = default;
};

class MacTable {
  public:
    // A MAC that moved so often within the window stays where it is for a while.
    static constexpr unsigned kMaxMoves = 5;
    static constexpr std::int64_t kMoveWindowMsec = 10'000;
    static constexpr std::int64_t kHoldMsec = 30'000;
    // A MAC's address changes no more often than this: a station may speak for several.
    static constexpr std::int64_t kAddressMsec = 10'000;

    // `target`: the bridge's management socket.
    MacTable(policy::Model& model, policy::Faults& faults, std::string target);

    // Both return whether the model has changed, and is to commit.
    [[nodiscard]] bool take(std::span<const policy::Sighting> sightings, std::int64_t now);
    [[nodiscard]] bool run(std::int64_t now);
    void wait();

    // The flows that an object of kind Learned has from now on; none: it is forgotten.
    void note_flows(const policy::ObjectId& id, const pipeline::FlowSet& flows);
    // What the switch has counted in Table::Learn. `passed`: since the last time, that count as
    // silence where nothing was counted. Returns whether something was forgotten.
    bool age(std::span<const ovs::FlowRecord> flows, std::int64_t passed);

    [[nodiscard]] const Counters& counters() const { return counters_; }

  private:
    struct Entry {
        std::vector<std::uint64_t> prints;  // Of its flows in Table::Learn.
        std::uint64_t packets = 0;
        std::int64_t silent = 0;
        // Its address of either family, IPv4 first, does not change before.
        std::array<std::int64_t, 2> address_due{};
        unsigned moves = 0;       // Since the window began.
        std::int64_t window = 0;  // When it began.
        std::int64_t held_until = 0;
    };

    [[nodiscard]] bool take(const policy::Sighting& sighting, std::int64_t now);
    [[nodiscard]] bool may_learn(const policy::Sighting& sighting,
                                 const policy::SightingStatus& status);
    [[nodiscard]] bool may_move(const policy::Sighting& sighting,
                                const policy::SightingStatus& status, std::int64_t now);
    [[nodiscard]] std::size_t host_limit() const;
    [[nodiscard]] std::int64_t aging_msec() const;
    [[nodiscard]] std::int64_t poll_msec() const;
    void take_counters(const Result<std::vector<ovs::FlowRecord>>& flows);
    void mend_faults(std::int64_t now);

    policy::Model& model_;
    policy::Faults& faults_;
    southbound::TableCounters table_counters_;
    std::unordered_map<policy::ObjectId, Entry> entries_;
    std::unordered_map<std::uint64_t, policy::ObjectId> owners_;  // By print.
    // Rows with a fault: one sighting that was beyond the limit; when the hold ends.
    std::map<policy::RowRef, policy::Sighting> at_limit_;
    std::map<policy::RowRef, std::int64_t> flapping_;
    std::int64_t last_poll_ = 0;
    std::int64_t next_mend_ = 0;
    std::int64_t last_answer_ = 0;  // 0: none yet.
    bool aged_ = false;             // By an answer of this turn.
    Counters counters_;
};

}  // namespace hnv::learning
