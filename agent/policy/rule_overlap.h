// Whether a packet can match a firewall rule, or two of them.
#pragma once

#include "policy/specs.h"

namespace hnv::policy {

// There is a packet that matches the rule: its addresses are of one family, ports go with TCP, UDP
// or SCTP.
[[nodiscard]] bool can_match(const RuleSpec& rule);

// Compares addresses, ports and protocols; not the layer, direction or priority.
[[nodiscard]] bool overlap(const RuleSpec& a, const RuleSpec& b);

}  // namespace hnv::policy
