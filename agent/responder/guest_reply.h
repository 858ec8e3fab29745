// What becomes of a message by which a guest asks for its configuration.
#pragma once

#include <cstdint>

#include "responder/frame.h"

namespace hnv::responder {

enum class GuestVerdict : std::uint8_t {
    Answered,
    Denied,     // Answered: what the guest asks for is not its own.
    Declined,   // The guest says that somebody else has its address.
    Released,   // The guest says that it needs its address no longer.
    Ignored,    // For another server, or of another adapter than the port's own.
    Malformed,  // Not a message that can be answered.
};

struct GuestReply {
    GuestVerdict verdict = GuestVerdict::Malformed;
    Frame frame;  // Empty: nothing is said.
};

}  // namespace hnv::responder
