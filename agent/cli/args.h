// hnvctl's command line.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ovs-integration/ovsdb_client.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

enum class Command {
    Help,
    Version,
    Status,
    Ports,
    Mappings,
    ProviderAddresses,
    Faults,
    Nat,
    Drops,
    Apply,
    Export,
};

struct Arguments {
    Command command = Command::Help;
    std::string run_dir = "/run/hnv-agent";  // Absolute.
    std::string db_remote;                   // Empty: the socket in run_dir.
    bool json = false;
    std::string file;  // Of apply; "-" is the standard input.
    std::string port;  // Of drops; empty: all.
    bool dry_run = false;
    std::optional<std::chrono::seconds> wait;
    std::optional<ovs::TlsFiles> tls;
};

[[nodiscard]] std::string_view usage_text();

// `words`: argv without the program's name. The error says which word is at fault.
[[nodiscard]] Result<Arguments> parse_arguments(std::span<const std::string> words);

}  // namespace hnv::cli
