// Whether two firewall rules can match one packet.
#pragma once

#include "policy/specs.h"

namespace hnv::policy {

// Compares addresses, ports and protocols; not the layer, direction or priority.
[[nodiscard]] bool overlap(const RuleSpec& a, const RuleSpec& b);

}  // namespace hnv::policy
