// Hears of the MACs that the switch does not know: a thread and an OpenFlow connection of its own,
// so that a port that shows many never makes the policy wait.
//
//   switch ─ packet-in ─▶ read() ─▶ queue ─▶ take(), by the policy's thread
//
// Bounds: the switch sends no more of a port than kLearnLimitPps; of what waits nothing waits
// twice, and not more than kQueue; what is beyond is dropped and counted. A MAC that was dropped is
// told again with its next frame.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/packet_in_thread.h"
#include "policy/model.h"

namespace hnv::learning {

struct ListenerCounters {
    std::uint64_t heard = 0;
    std::uint64_t dropped = 0;    // The queue was full.
    std::uint64_t malformed = 0;  // Packet-ins that tell of no station.
    bool operator==(const ListenerCounters&) const = default;
};

class Listener {
  public:
    static constexpr std::size_t kQueue = 4096;

    // `target`: the bridge's management socket.
    explicit Listener(std::string target);

    // As those of ovs::PacketInThread; the destructor stops.
    void start() { thread_.start(); }
    void stop() { thread_.stop(); }

    // The policy's thread: what was heard since the last call, in its order; wait() wakes its loop
    // when there is something.
    [[nodiscard]] std::vector<policy::Sighting> take();
    void wait() const { heard_.wait(); }

    // Any thread.
    [[nodiscard]] ListenerCounters counters() const;
    [[nodiscard]] bool connected() const { return thread_.connected(); }

  private:
    void handle(const Result<ovs::Message>& message);

    ovs::Notifier heard_;
    std::mutex mutex_;  // Of the next two.
    std::vector<policy::Sighting> queue_;
    std::set<policy::Sighting> waiting_;  // Those in the queue.
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> malformed_{0};
    ovs::PacketInThread thread_;  // Last: it uses the others.
};

}  // namespace hnv::learning
