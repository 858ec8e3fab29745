#include "audit/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace hnv::audit {

namespace {

constexpr mode_t kMode = 0640;

}  // namespace

Error RotatingFile::failed(const char* what) const {
    return Error(std::string("can't ") + what + " " + path_ + ": " +
                 std::generic_category().message(errno));
}

Status RotatingFile::open() {
    const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
    if (!parent.empty()) {
        std::error_code ignored;  // Opening the file says what is wrong.
        std::filesystem::create_directories(parent, ignored);
    }
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
    return fd_ < 0 ? Status(failed("open")) : Status();
}

void RotatingFile::close() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

Status RotatingFile::rotate() {
    const auto numbered = [this](unsigned number) {
        return number == 0 ? path_ : path_ + "." + std::to_string(number);
    };
    // Those that a greater number of files has left behind.
    for (unsigned number = rotation_.files; ::unlink(numbered(number).c_str()) == 0; ++number) {
    }
    if (rotation_.files == 1 && ::unlink(path_.c_str()) != 0 && errno != ENOENT) {
        return failed("remove");
    }
    for (unsigned number = rotation_.files - 1; number > 0; --number) {
        if (std::rename(numbered(number - 1).c_str(), numbered(number).c_str()) != 0 &&
            errno != ENOENT) {
            return failed("rename");
        }
    }
    close();
    return open();
}

Status RotatingFile::append(std::string_view lines) {
    if (fd_ < 0) {
        if (Status opened = open(); !opened) {
            return opened;
        }
    }
    // Asked each time: a file that is copied and truncated by others is shorter than we know.
    struct stat before {};
    if (::fstat(fd_, &before) != 0) {
        return failed("look at");
    }
    if (before.st_size > 0 &&
        static_cast<std::uint64_t>(before.st_size) + lines.size() > rotation_.max_bytes) {
        if (Status rotated = rotate(); !rotated) {
            return rotated;
        }
        before.st_size = 0;
    }
    std::string_view rest = lines;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            const Error error = failed("write");
            // Without this, half a line would stay. It needs no room.
            if (::ftruncate(fd_, before.st_size) != 0) {
                return error.with_context("half a line stays");
            }
            return error;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace hnv::audit
