// Which destinations of on-demand subnets have their flows: from the first request for one until
// nobody has sent to it for a while.
//
//   requests ─▶ take() ─▶ Model::demand() ─▶ flows ─ confirmed ─▶ the packets that waited go on
//   counters of the switch ─▶ run() ─▶ Model::release() of what is idle
//
// Bounds: a port has kOfPort destinations at most, and asks for kRatePerSecond in a second; all
// ports together kInAll. A port that wants more gives up the oldest that it was first to ask for:
// who else uses that asks again. kHeld packets wait, kHeldOfPort of a port, of kHeldBytes together,
// for kHeldMsec at most.
//
// Thread: the policy's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "demand/listener.h"
#include "policy/model.h"
#include "southbound/table_counters.h"

namespace hnv::demand {

struct Counters {
    std::uint64_t programmed = 0;
    std::uint64_t aged_out = 0;
    std::uint64_t evicted = 0;  // For another destination of the same port.
    std::uint64_t refused = 0;  // Beyond the port's rate, or all ports' limit.
    std::uint64_t unknown = 0;  // Nobody in the subnet has it.
    std::uint64_t resumed = 0;  // Packets that went on.
    std::uint64_t lost = 0;     // Packets that waited in vain: too many did, or it was refused.
};

class Programmer {
  public:
    static constexpr std::size_t kOfPort = 16'384;
    static constexpr std::size_t kInAll = 262'144;
    static constexpr std::uint32_t kRatePerSecond = 5000;
    static constexpr std::size_t kHeld = 4096;
    static constexpr std::size_t kHeldOfPort = 1024;
    static constexpr std::int64_t kHeldMsec = 2000;
    static constexpr std::size_t kHeldBytes = std::size_t{16} << 20;

    // `target`: the bridge's management socket.
    Programmer(policy::Model& model, std::string target);

    // Times are of ovs::now_msec(). True: the model has changed, and a commit is due.
    [[nodiscard]] bool take(std::vector<Request> requests, std::int64_t now);
    [[nodiscard]] bool run(std::int64_t now);
    void wait();

    // What take() has asked for is what Southbound::apply() gave this number.
    void applied(std::uint64_t number);
    // The messages that let packets go on whose flows are in the switch.
    [[nodiscard]] std::vector<ovs::Bytes> resumable(std::uint64_t confirmed, std::int64_t now);

    // What the switch has from an earlier life of the agent, by the cookies of its flows, and may
    // keep. A commit is due if there is any.
    [[nodiscard]] bool adopt(std::span<const std::uint64_t> cookies);

    [[nodiscard]] const Counters& counters() const { return counters_; }

    // What the switch has counted of a subnet's destinations.
    void take_counters(std::uint32_t vsid, std::span<const ovs::FlowRecord> flows,
                       std::int64_t now);

  private:
    struct Entry {
        std::uint32_t source = 0;
        std::list<policy::ObjectId>::iterator place;  // In its port's.
        std::uint64_t packets = 0;
        std::int64_t used = 0;
    };
    struct Port {
        std::list<policy::ObjectId> destinations;  // The oldest first.
        std::uint32_t tokens = kRatePerSecond;
        std::int64_t filled = 0;
    };
    struct Held {
        std::uint64_t number = 0;
        std::uint32_t source = 0;
        std::int64_t since = 0;
        std::size_t bytes = 0;
        ovs::Bytes resume;
    };

    [[nodiscard]] bool may_ask(Port& port, std::int64_t now) const;
    [[nodiscard]] bool program(const policy::ObjectId& id, std::uint32_t source, std::int64_t now);
    void add(const policy::ObjectId& id, std::uint32_t source, std::int64_t now);
    void erase(const policy::ObjectId& id);
    void hold(Request request, std::int64_t now);
    void poll();
    [[nodiscard]] std::int64_t idle_msec() const;
    [[nodiscard]] std::int64_t poll_msec() const;

    policy::Model& model_;
    southbound::TableCounters table_counters_;
    std::unordered_map<policy::ObjectId, Entry> entries_;
    std::unordered_map<std::uint32_t, Port> ports_;
    std::deque<Held> held_;
    std::size_t held_bytes_ = 0;
    std::size_t fresh_ = 0;  // At the end of held_: they have no number yet.
    std::unordered_map<std::uint32_t, std::size_t> held_of_;  // By port.
    std::int64_t last_poll_ = 0;
    bool released_ = false;
    Counters counters_;
};

}  // namespace hnv::demand
