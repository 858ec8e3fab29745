// The packet-ins of one controller id, with a thread and an OpenFlow connection of their own: what
// they are for never waits for the programming of the switch, nor for each other.
//
// A turn of the loop takes kMessagesPerTurn messages, so that what is queued gets sent and a stop
// is heard under any load.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_connection.h"
#include "ovs-integration/thread.h"

namespace hnv::ovs {

class PacketInThread {
  public:
    static constexpr std::size_t kMessagesPerTurn = 256;

    // Takes each message from the switch, in the thread; an error: one that is malformed.
    using Handler = std::function<void(OpenFlowConnection&, const Result<Message>&)>;

    // Called in each turn while connected, in the thread; says by wake_at() when it wants the next.
    using Turn = std::function<void(OpenFlowConnection&)>;

    // `target`: the bridge's management socket, "unix:<ovs-run-dir>/<bridge>.mgmt"; it need not
    // exist yet. `name` is for the log, of the thread and of its connection.
    PacketInThread(std::string target, std::string name, std::uint16_t controller_id,
                   Handler handler, Turn turn = {});
    // Stops.
    ~PacketInThread();
    PacketInThread(const PacketInThread&) = delete;
    PacketInThread& operator=(const PacketInThread&) = delete;

    // start() and stop(): the thread that made the object (see Thread for which that may be); a
    // second call of either does nothing. stop() returns when the thread has ended.
    void start();
    void stop();

    // Any thread: whether packet-ins have been asked for on a connection that lives.
    [[nodiscard]] bool connected() const { return connected_.load(std::memory_order_relaxed); }

  private:
    void run();
    [[nodiscard]] bool serve(OpenFlowConnection& connection);

    const std::string target_;
    const std::string name_;
    const std::uint16_t controller_id_;
    const Handler handler_;
    const Turn turn_;
    Notifier wake_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> connected_{false};
    std::optional<Thread> thread_;
};

}  // namespace hnv::ovs
