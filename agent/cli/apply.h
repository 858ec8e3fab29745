// hnvctl apply: makes the databases equal to a policy file.
#pragma once

#include <string>

#include "cli/args.h"
#include "cli/commands.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

// The OVSDB server that apply and export talk to.
[[nodiscard]] std::string database_remote(const Arguments& arguments);

// Parses the whole file and reads all databases before it writes anything. The databases follow
// one another in the order that opens nothing too early: addresses and port settings, firewall
// rules, then networks and ports. Prints a line for each database.
Status apply_file(const Arguments& arguments, const Terminal& terminal);

}  // namespace hnv::cli
