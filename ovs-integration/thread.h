// A thread that may use libopenvswitch.
//
// libopenvswitch frees what it shares between threads only after all of them have passed a poll
// loop (lib/ovs-rcu.h), and it knows only of threads that it started itself: with a std::thread it
// takes the process for single-threaded and frees at once.
//
// The first Thread is started by the main thread, and after daemonizing: a process with a Thread
// must not fork a child that goes on (ovsdb_compaction.c has one that only writes a file).
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace hnv::ovs {

class Thread {
  public:
    // Runs `body`, which must not throw, in a new thread. `name` is for the log; 15 characters of
    // it are shown. Ends the process when the system has no thread left.
    Thread(const std::string& name, std::function<void()> body);
    // Waits for the body to return.
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
