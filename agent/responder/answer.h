// What a virtual subnet says to "who has this address?", whichever protocol asks.
//
// Thread: any; the table is the one thing shared.
#pragma once

#include <cstdint>
#include <optional>

#include "ovs-integration/address.h"
#include "policy/neighbours.h"

namespace hnv::responder {

enum class Verdict : std::uint8_t {
    Reply,
    OwnAddress,  // An announcement, or a probe or question for an address that is the sender's own.
    Unknown,     // Nobody in the subnet has the address.
};

struct Answer {
    Verdict verdict = Verdict::Unknown;
    MacAddress mac;  // Of the target; only with Verdict::Reply.

    bool operator==(const Answer&) const = default;
};

struct Question {
    MacAddress sender_mac;
    IpAddress sender;  // "::" or 0.0.0.0: a probe.
    IpAddress target;
};

// Only Verdict::Reply is said aloud: a guest must find its own address free (RFC 5227 section
// 2.1.1, RFC 4862 section 5.4), and an unknown one silent.
[[nodiscard]] Answer answer(const Question& question, const std::optional<MacAddress>& owner);
// The owner being whom the policy says.
[[nodiscard]] Answer answer(const Question& question, std::uint32_t vsid,
                            const policy::NeighbourTable& neighbours);

}  // namespace hnv::responder
