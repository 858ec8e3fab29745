// What makes a program one of Open vSwitch's kind of daemons: its options, its directories, its
// life in the background.
//
// Order: parse_command_line(), then daemonize_start(), then everything that opens files or makes
// threads, then daemonize_complete().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/result.h"

namespace hnv::ovs {

struct OptionSpec {
    std::string name;  // "db-dir" for --db-dir=VALUE.
    std::string default_value;
    std::string help;
};

struct CommandLine {
    std::map<std::string, std::string, std::less<>> values;  // Each option of the specs.
    std::vector<std::string> remotes;                        // --remote, in order.
    std::optional<std::string> unixctl;                      // --unixctl.
    // -p, -c, -C.
    std::string private_key;
    std::string certificate;
    std::string ca_certificate;
    // Set: print it and exit with success (--help, --version).
    std::optional<std::string> print;
};

// `specs` come before the options that all such daemons have (--pidfile, --detach, --monitor,
// --log-file, -v, ...). "run-dir" and "log-dir" of the specs, if there, are used as the directories
// of pid file, control socket and log.
[[nodiscard]] Result<CommandLine> parse_command_line(int argc, char* argv[],
                                                     const std::vector<OptionSpec>& specs,
                                                     std::string_view version);

// Forks if --detach was given; returns in the process that goes on.
void daemonize_start();
// Tells the parent that the daemon is ready. SIGTERM and the like end it at its next block(), with
// its pid file and sockets removed.
void daemonize_complete();
}  // namespace hnv::ovs
