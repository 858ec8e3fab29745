// Lines from any thread into a RotatingFile, by a thread that may wait for the disk so that nobody
// else does.
//
// Bounds: kQueueBytes of lines wait at most; a line beyond is dropped and counted. Lines that can't
// be written (a full disk) are counted and gone; the next ones are tried all the same.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "audit/rotating_file.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/thread.h"

namespace hnv::audit {

struct WriterCounters {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;  // The queue was full.
    std::uint64_t errors = 0;   // The file could not take them.
};

class LogWriter {
  public:
    static constexpr std::size_t kQueueBytes = std::size_t{4} << 20;

    explicit LogWriter(std::string path) : file_(std::move(path)) {}
    // Stops.
    ~LogWriter() { stop(); }
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // The thread that made the writer (see ovs::Thread); stop() returns when all that is queued has
    // been written or has failed.
    void start();
    void stop();

    // Any thread; they never wait for the disk. `line` ends with its newline, and is its only one.
    void write(std::string_view line);
    void set_rotation(const Rotation& rotation);
    // What is written from now on goes to the file that has the path then.
    void reopen();
    [[nodiscard]] WriterCounters counters() const;
    // Why lines can't be written now; empty: they can.
    [[nodiscard]] std::string problem() const;

  private:
    void run();
    void write_out(std::string_view lines);
    void settle(const Status& outcome, std::size_t lines);

    RotatingFile file_;  // Of the writer's thread.
    ovs::Notifier wake_;
    mutable std::mutex mutex_;  // Of the next five.
    std::string queue_;
    Rotation rotation_;
    bool reopen_ = false;
    bool stopping_ = false;
    std::string problem_;
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> errors_{0};
    std::optional<ovs::Thread> thread_;
};

}  // namespace hnv::audit
