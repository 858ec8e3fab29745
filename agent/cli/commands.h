// What hnvctl does, apart from argv.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace hnv::cli {

// Where the words go, and whether they may be coloured.
struct Terminal {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    bool colour = false;
};

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // Also: status, and the agent is not healthy.
inline constexpr int kExitUsage = 2;

// Runs the command line `words` (argv without the program's name); gives the exit status.
[[nodiscard]] int run(std::span<const std::string> words, std::string_view version,
                      const Terminal& terminal);

}  // namespace hnv::cli
