#include "ovs-integration/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>

#include <poll.h>

#include <config.h>

#include "util.h"

extern "C" {
#include "openvswitch/poll-loop.h"
// lib/timeval.h does not compile as C++; these two are all that is needed of it.
long long int time_msec(void);
long long int time_wall_msec(void);
}

namespace hnv::ovs {

std::int64_t now_msec() { return time_msec(); }
std::int64_t wall_msec() { return time_wall_msec(); }

void wait_readable(int fd) { poll_fd_wait(fd, POLLIN); }
void wake_at(std::int64_t msec) { poll_timer_wait_until(msec); }
void wake_now() { poll_immediate_wake(); }
void block() { poll_block(); }

Notifier::Notifier() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) {
        std::abort();  // Out of file descriptors before the first connection: nothing can work.
    }
}

Notifier::~Notifier() { close(fd_); }

void Notifier::notify() {
    const std::uint64_t one = 1;
    // A full counter means that the waiter has not yet read: it will wake all the same.
    [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void Notifier::wait() const { wait_readable(fd_); }

void Notifier::drain() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = read(fd_, &count, sizeof count);
}

}  // namespace hnv::ovs
