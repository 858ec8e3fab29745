#include "pipeline/audit_userdata.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hnv::pipeline {
namespace {

using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;

TEST(AuditUserdata, HasItsFormOnTheWire) {
    const AuditUserdata userdata{Direction::Inbound, RuleAction::Block, RuleLayer::Controller,
                                 "r1"};
    EXPECT_EQ(encode_audit(userdata), (std::vector<std::uint8_t>{0x41, 1, 1, 1, 'r', '1'}));
}

TEST(AuditUserdata, IsDecodedToWhatWasEncoded) {
    for (const auto direction : {Direction::Outbound, Direction::Inbound}) {
        for (const auto verdict : {RuleAction::Allow, RuleAction::Block}) {
            for (const auto layer : {RuleLayer::Admin, RuleLayer::Controller}) {
                for (const std::string rule : {"", "7c1a6a9e-6a5e-4f39-8d26-0d1f8a1d6a11"}) {
                    const AuditUserdata userdata{direction, verdict, layer, rule};
                    EXPECT_EQ(decode_audit(encode_audit(userdata)), userdata);
                }
            }
        }
    }
}

TEST(AuditUserdata, CutsALongRuleIdBetweenCharacters) {
    // The 64th byte is the first half of "é".
    const std::string rule = std::string(63, 'a') + "\xc3\xa9" + "b";
    const auto decoded = decode_audit(encode_audit({{}, {}, {}, rule}));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->rule, std::string(63, 'a'));
    const std::string fits = std::string(62, 'a') + "\xc3\xa9";
    EXPECT_EQ(decode_audit(encode_audit({{}, {}, {}, fits + "b"}))->rule, fits);
}

TEST(AuditUserdata, RefusesWhatIsNotOfItsForm) {
    const std::vector<std::uint8_t> good = encode_audit({{}, {}, {}, "r"});
    ASSERT_TRUE(decode_audit(good).has_value());
    for (std::size_t length = 0; length < 4; ++length) {
        EXPECT_FALSE(decode_audit(std::span(good).first(length)).has_value());
    }
    for (std::size_t at = 1; at < 4; ++at) {
        std::vector<std::uint8_t> bad = good;
        bad[at] = 2;
        EXPECT_FALSE(decode_audit(bad).has_value());
    }
    std::vector<std::uint8_t> other = good;
    other[0] = static_cast<std::uint8_t>(PacketInKind::IcmpError);
    EXPECT_FALSE(decode_audit(other).has_value());
    std::vector<std::uint8_t> longer(4 + kMaxAuditRuleId + 1, 0);
    longer[0] = good[0];
    EXPECT_FALSE(decode_audit(longer).has_value());
}

TEST(AddAudit, IsMeteredAndKeepsTheVerdict) {
    FlowSet out;
    StageFlow flow(Table::RulesInAdmin, priority::kNormal);
    add_audit({Direction::Inbound, RuleAction::Allow, RuleLayer::Admin, "r"}, flow);
    flow.go(Table::RulesInController, out, 0);
    ASSERT_EQ(out.flows.size(), 1U);
    const std::string text = ovs::to_text(out.flows.front());
    EXPECT_NE(text.find("controller(max_len=256,id=26689,userdata=41.01.00.00.72,meter_id=393216)"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("goto_table"), std::string::npos) << text;
}

}  // namespace
}  // namespace hnv::pipeline
