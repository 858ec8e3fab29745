// A directory for the files of a log, and a limit on their size that stands in for a full disk.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace hnv::test {

class LogFileTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "hnv-audit-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        path_ = directory_ + "/log/audit.log";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    // "": the file itself; ".1": the one before.
    [[nodiscard]] std::string contents(const std::string& suffix = "") const {
        std::ostringstream text;
        text << std::ifstream(path_ + suffix).rdbuf();
        return text.str();
    }
    [[nodiscard]] bool exists(const std::string& suffix = "") const {
        return std::filesystem::exists(path_ + suffix);
    }

    std::string directory_;
    std::string path_;
};

// No file of this process becomes longer while it lives: what is written beyond fails, and of a
// write that crosses the limit a part is written.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  private:
    sighandler_t handler_;
    rlimit before_{};
};

}  // namespace hnv::test
