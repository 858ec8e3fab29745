#include "audit/log_writer.h"

#include <algorithm>
#include <utility>

#include "ovs-integration/log.h"
#include "policy/specs.h"

namespace hnv::audit {

namespace {

constexpr const char* kModule = "audit";
// Of one write: no more than the smallest file takes.
constexpr std::size_t kWriteBytes = policy::kMinAuditLogBytes;

}  // namespace

void LogWriter::start() {
    if (!thread_) {
        stopping_ = false;  // Nobody else is there yet.
        thread_.emplace("audit-writer", [this] { run(); });
    }
}

void LogWriter::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify();
    thread_.reset();
}

void LogWriter::write(std::string_view line) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() + line.size() > kQueueBytes) {
            dropped_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        first = queue_.empty();
        queue_ += line;
    }
    if (first) {
        wake_.notify();
    }
}

void LogWriter::set_rotation(const Rotation& rotation) {
    const std::lock_guard lock(mutex_);
    rotation_ = rotation;
}

void LogWriter::reopen() {
    {
        const std::lock_guard lock(mutex_);
        reopen_ = true;
    }
    wake_.notify();
}

WriterCounters LogWriter::counters() const {
    return {written_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed),
            errors_.load(std::memory_order_relaxed)};
}

std::string LogWriter::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

void LogWriter::run() {
    bool stopping = false;
    while (!stopping) {
        std::string lines;
        bool reopen = false;
        {
            const std::lock_guard lock(mutex_);
            lines.swap(queue_);
            file_.set_rotation(rotation_);
            reopen = std::exchange(reopen_, false);
            stopping = stopping_;
        }
        if (reopen) {
            file_.close();
        }
        write_out(lines);
        if (!stopping) {
            wake_.wait();
            ovs::block();
            wake_.drain();
        }
    }
}

void LogWriter::write_out(std::string_view lines) {
    while (!lines.empty()) {
        // Whole lines; one alone is far shorter.
        const std::size_t length =
            lines.size() <= kWriteBytes ? lines.size() : lines.rfind('\n', kWriteBytes - 1) + 1;
        const std::string_view part = lines.substr(0, length);
        settle(file_.append(part),
               static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n')));
        lines.remove_prefix(length);
    }
}

// One word when it begins to fail and one when it is mended, whatever comes between.
void LogWriter::settle(const Status& outcome, std::size_t lines) {
    (outcome ? written_ : errors_).fetch_add(lines, std::memory_order_relaxed);
    const std::string problem = outcome ? std::string() : outcome.error().message();
    const std::string before = [&] {
        const std::lock_guard lock(mutex_);
        return std::exchange(problem_, problem);
    }();
    if (before.empty() && !problem.empty()) {
        log::warn(kModule, "the audit log loses records: " + problem);
    } else if (!before.empty() && problem.empty()) {
        log::info(kModule, "the audit log is written again");
    }
}

}  // namespace hnv::audit
