// Hears of destinations that are not programmed: a thread and an OpenFlow connection of its own for
// the packets that wait for one, and what the responder has just told a guest the MAC of.
//
//   switch ─ packet-in ─▶ handle() ─┐
//   responder ─ answer ─▶ announce() ┴▶ queue ─▶ take(), by the policy's thread
//
// Bounds: the switch sends no more of a port than kDemandLimitPps; kQueue requests wait,
// kQueueOfPort of a port, and their packets are of kQueueBytes together; what is beyond is dropped
// and counted. An announcement waits once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/packet_in_thread.h"

namespace hnv::demand {

// What is wanted by whom: a MAC of a virtual subnet, or whoever has an address there.
struct Request {
    std::uint32_t vsid = 0;
    std::uint32_t source = 0;         // OpenFlow port of the guest; 0: it came by a tunnel.
    std::optional<MacAddress> mac{};  // One of the two.
    std::optional<IpAddress> ca{};
    ovs::Bytes resume{};  // Lets the packet go on that waits; empty: none does.
};

// nullopt: not a packet-in of pipeline::Table::Demand.
[[nodiscard]] std::optional<Request> read(const ovs::PacketIn& packet_in);

struct ListenerCounters {
    std::uint64_t packets = 0;
    std::uint64_t announced = 0;
    std::uint64_t dropped = 0;    // The queue was full.
    std::uint64_t malformed = 0;  // Packet-ins that tell of no destination.
};

class Listener {
  public:
    static constexpr std::size_t kQueue = 4096;
    static constexpr std::size_t kQueueOfPort = 1024;
    static constexpr std::size_t kQueueBytes = std::size_t{16} << 20;

    // `target`: the bridge's management socket.
    explicit Listener(std::string target);

    // As those of ovs::PacketInThread; the destructor stops.
    void start() { thread_.start(); }
    void stop() { thread_.stop(); }

    // Any thread: the guest has been told this MAC, and will soon send to it.
    void announce(std::uint32_t vsid, std::uint32_t source, const MacAddress& mac);

    // The policy's thread. In which virtual subnets announcements matter.
    void watch(std::set<std::uint32_t> vsids);
    // What was asked for since the last call, in its order; wait() wakes the loop when there is
    // something.
    [[nodiscard]] std::vector<Request> take();
    void wait() const { heard_.wait(); }

    // Any thread.
    [[nodiscard]] ListenerCounters counters() const;
    [[nodiscard]] bool connected() const { return thread_.connected(); }

  private:
    void handle(const Result<ovs::Message>& message);
    void queue(Request request);

    ovs::Notifier heard_;
    std::atomic<bool> watching_{false};  // Any subnet.
    mutable std::mutex mutex_;           // Of the next five.
    std::set<std::uint32_t> watched_;
    std::vector<Request> queue_;
    std::size_t queued_bytes_ = 0;
    std::unordered_map<std::uint32_t, std::size_t> queued_of_;  // By port.
    std::set<std::pair<std::uint32_t, MacAddress>> announced_;  // Those in the queue.
    std::atomic<std::uint64_t> packets_{0};
    std::atomic<std::uint64_t> announcements_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> malformed_{0};
    ovs::PacketInThread thread_;  // Last: it uses the others.
};

}  // namespace hnv::demand
