// A file of lines that is bounded in size: when it is full it is renamed to "<path>.1", what was
// "<path>.1" to "<path>.2", and so on; the oldest goes.
//
// Thread: one at a time. A call can block as long as the disk does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ovs-integration/result.h"

namespace hnv::audit {

struct Rotation {
    std::uint64_t max_bytes = std::uint64_t{64} << 20;  // Of each file.
    unsigned files = 8;                                 // With the one that is being written.
    bool operator==(const Rotation&) const = default;
};

class RotatingFile {
  public:
    // Nothing is opened before the first append().
    explicit RotatingFile(std::string path) : path_(std::move(path)) {}
    ~RotatingFile() { close(); }
    RotatingFile(const RotatingFile&) = delete;
    RotatingFile& operator=(const RotatingFile&) = delete;

    void set_rotation(const Rotation& rotation) { rotation_ = rotation; }

    // Appends whole lines, no more than max_bytes: all of them, or none and an error. Makes the
    // file, and its directory, if there is none.
    [[nodiscard]] Status append(std::string_view lines);
    // The next append() opens the path anew: something else may have moved the file away.
    void close();

  private:
    [[nodiscard]] Status open();
    [[nodiscard]] Status rotate();
    [[nodiscard]] Error failed(const char* what) const;

    const std::string path_;
    Rotation rotation_;
    int fd_ = -1;
};

}  // namespace hnv::audit
