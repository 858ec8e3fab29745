// What other stages and layers need to know of a port's connections.
#pragma once

#include <cstdint>

#include "policy/objects.h"

namespace hnv::pipeline {

// The connection tracking zone of a port in one of its subnets.
[[nodiscard]] std::uint16_t zone_of(const policy::PortView& port,
                                    const policy::Attachment& attachment);
// Of the connections that the port makes in that subnet; never 0.
[[nodiscard]] std::uint32_t ct_mark_of(const policy::PortView& port,
                                       const policy::Attachment& attachment);

}  // namespace hnv::pipeline
