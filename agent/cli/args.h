// hnvctl's command line.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/address.h"
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
    Layers,
    Rules,
    Spaces,
    UnifiedFlows,
    ProcessTuples,
};

struct Arguments {
    Command command = Command::Help;
    std::string run_dir = "/run/hnv-agent";  // Absolute.
    std::string db_remote;                   // Empty: the socket in run_dir.
    bool json = false;
    std::string file;  // Of apply; "-" is the standard input.
    bool dry_run = false;
    std::optional<std::chrono::seconds> wait;
    // Of drops and of the commands that look into the switch: their words as given, and what limits
    // them.
    std::vector<std::string> operands;
    std::optional<unsigned> max_traces;   // Of unified-flows.
    std::optional<unsigned> ttl;          // Of process-tuples: 0 .. 255.
    std::optional<std::string> ct_state;  // Of process-tuples: "est", "est,rpl", …
    std::optional<IpAddress> sender_pa;   // Of process-tuples: the host that sends.
    std::optional<ovs::TlsFiles> tls;
};

[[nodiscard]] std::string_view usage_text();

// `words`: argv without the program's name. The error says which word is at fault.
[[nodiscard]] Result<Arguments> parse_arguments(std::span<const std::string> words);

}  // namespace hnv::cli
