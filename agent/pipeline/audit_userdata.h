// What a packet-in tells the audit log: which firewall rule decided, and how. It travels as the
// userdata of the rule's controller() action:
//
//   byte 0     PacketInKind::Audit
//   byte 1     direction: 0 Outbound, 1 Inbound
//   byte 2     verdict:   0 Allow, 1 Block
//   byte 3     layer:     0 admin, 1 controller
//   the rest   the rule's id in UTF-8, kMaxAuditRuleId bytes at most
//
// Which port it was about is in a register of the packet-in: flows of several ports can share one
// rule. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/flow_set.h"
#include "policy/specs.h"

namespace hnv::pipeline {

inline constexpr std::size_t kMaxAuditRuleId = 64;
// Of a packet the audit log needs its addresses and ports. This leaves room for the options and
// extension headers in between.
inline constexpr std::uint16_t kAuditPacketLength = 256;

struct AuditUserdata {
    policy::Direction direction{};
    policy::RuleAction verdict{};
    policy::RuleLayer layer{};
    std::string rule;  // FW_Rules.rule_id

    bool operator==(const AuditUserdata&) const = default;
};

// A rule id that is too long is cut between two characters.
[[nodiscard]] std::vector<std::uint8_t> encode_audit(const AuditUserdata& userdata);
// nullopt: not in the form above.
[[nodiscard]] std::optional<AuditUserdata> decode_audit(std::span<const std::uint8_t> bytes);

// Sends the packet to the audit log as well, within the host's limit (MeterKind::Audit). The rest
// of the flow's actions says what becomes of the packet.
void add_audit(const AuditUserdata& userdata, StageFlow& flow);

}  // namespace hnv::pipeline
