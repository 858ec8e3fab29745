// The poll loop of libopenvswitch (lib/poll-loop.h), one for each thread.
//
// Every component has run() and wait(): run() does what can be done now, wait() registers what it
// waits for, block() sleeps until one of these happens. Registrations last for one block().
#pragma once

#include <cstdint>

namespace hnv::ovs {

// Milliseconds of the monotonic clock that wake_at() uses.
[[nodiscard]] std::int64_t now_msec();
// Milliseconds since the epoch.
[[nodiscard]] std::int64_t wall_msec();

void wait_readable(int fd);
void wake_at(std::int64_t msec);
void wake_now();
void block();

// Wakes a thread's block() from another thread. The waiter calls wait() before block() and
// drain() after it; notify() may be called from any thread.
class Notifier {
  public:
    Notifier();
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void notify();
    void wait() const;
    void drain();

  private:
    int fd_;
};

}  // namespace hnv::ovs
