#include "pipeline/audit_userdata.h"

#include <algorithm>

namespace hnv::pipeline {

namespace {

constexpr std::size_t kHeader = 4;

// A byte in the middle of a character of UTF-8.
[[nodiscard]] bool continues_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// The values 0 and 1 of an enum of two.
template <typename Enum>
[[nodiscard]] std::optional<Enum> either(std::uint8_t byte, Enum zero, Enum one) {
    if (byte > 1) {
        return std::nullopt;
    }
    return byte == 0 ? zero : one;
}

}  // namespace

std::vector<std::uint8_t> encode_audit(const AuditUserdata& userdata) {
    const std::string& rule = userdata.rule;
    std::size_t length = std::min(rule.size(), kMaxAuditRuleId);
    while (length < rule.size() && length > 0 && continues_character(rule[length])) {
        --length;
    }
    std::vector<std::uint8_t> bytes;
    bytes.reserve(4 + length);
    bytes.push_back(static_cast<std::uint8_t>(PacketInKind::Audit));
    bytes.push_back(userdata.direction == policy::Direction::Inbound ? 1 : 0);
    bytes.push_back(userdata.verdict == policy::RuleAction::Block ? 1 : 0);
    bytes.push_back(userdata.layer == policy::RuleLayer::Controller ? 1 : 0);
    bytes.insert(bytes.end(), rule.begin(), rule.begin() + static_cast<std::ptrdiff_t>(length));
    return bytes;
}

std::optional<AuditUserdata> decode_audit(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kHeader || bytes.size() > kHeader + kMaxAuditRuleId ||
        bytes[0] != static_cast<std::uint8_t>(PacketInKind::Audit)) {
        return std::nullopt;
    }
    const auto direction =
        either(bytes[1], policy::Direction::Outbound, policy::Direction::Inbound);
    const auto verdict = either(bytes[2], policy::RuleAction::Allow, policy::RuleAction::Block);
    const auto layer = either(bytes[3], policy::RuleLayer::Admin, policy::RuleLayer::Controller);
    if (!direction || !verdict || !layer) {
        return std::nullopt;
    }
    const auto rule = bytes.subspan(kHeader);
    return AuditUserdata{*direction, *verdict, *layer, std::string(rule.begin(), rule.end())};
}

void add_audit(const AuditUserdata& userdata, StageFlow& flow) {
    flow->controller({kAuditControllerId, meter_id(MeterKind::Audit, 0), encode_audit(userdata),
                      kAuditPacketLength});
}

}  // namespace hnv::pipeline
