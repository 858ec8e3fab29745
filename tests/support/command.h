// Runs a program to its end and takes what it prints.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/open_vswitch.h"

namespace hnv::test {

struct CommandOutcome {
    bool succeeded = false;
    std::string output;  // Standard output and error.
};

inline CommandOutcome run_command(const std::vector<std::string>& command) {
    std::string file = std::filesystem::temp_directory_path() / "hnv-command-XXXXXX";
    const int fd = ::mkstemp(file.data());
    if (fd < 0) {
        throw std::runtime_error("can't make a file like " + file);
    }
    ::close(fd);
    const int status = wait_for_exit(start(command, file));
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    ::unlink(file.c_str());
    return {status == 0, text.str()};
}

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

}  // namespace hnv::test
