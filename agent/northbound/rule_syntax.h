// The strings of a firewall rule: comma-separated lists, empty or "*" for any.
//
//   addresses   10.0.0.1 · 10.0.0.0/8 · 10.0.0.1-10.0.0.9 · the same for IPv6
//   ports       80 · 1024-65535
//   protocols   TCP · icmpv6 · 47 (IANA keywords in either case, or numbers 0 to 255)
#pragma once

#include <string_view>

#include "ovs-integration/result.h"
#include "policy/specs.h"

namespace hnv::northbound {

struct RuleLists {
    std::string_view sources{};
    std::string_view destinations{};
    std::string_view source_ports{};
    std::string_view destination_ports{};
    std::string_view protocols{};
};

// Fills the lists of `spec`. The error names the list and the item that can't be read.
[[nodiscard]] Status parse_rule_lists(const RuleLists& lists, policy::RuleSpec& spec);

}  // namespace hnv::northbound
