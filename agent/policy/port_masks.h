// Port ranges as the value/mask pairs that OpenFlow can match.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "policy/specs.h"

namespace hnv::policy {

// A value and the bits of it that count.
struct PortMask {
    std::uint16_t value = 0;
    std::uint16_t mask = 0;
    auto operator<=>(const PortMask&) const = default;
};

// The fewest masks that cover exactly first..last; 30 at most.
[[nodiscard]] std::vector<PortMask> masks_of(const PortRange& range);

}  // namespace hnv::policy
