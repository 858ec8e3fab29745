#include "audit/audit_log.h"

#include <gtest/gtest.h>

#include "pipeline/layout.h"
#include "support/policy_builder.h"

namespace hnv::audit {
namespace {

using pipeline::Reg;
using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;
using test::ip;

// TCP, 10.1.1.12:49152 to 10.1.1.11:80, cut behind the ports.
const std::vector<std::uint8_t> kFrame{0x02, 0,  0,  0,  0, 0x11, 0x02, 0, 0,  0, 0, 0x12, 8,  0,
                                       0x45, 0,  0,  40, 0, 0,    0x40, 0, 64, 6, 0, 0,    10, 1,
                                       1,    12, 10, 1,  1, 11,   0xc0, 0, 0,  80};

ovs::PacketIn packet_in(Direction direction) {
    ovs::PacketIn message;
    message.packet = kFrame;
    message.registers.resize(16);
    message.registers[static_cast<std::size_t>(Reg::Vsid)] = 5001;
    message.registers[static_cast<std::size_t>(Reg::Source)] = 7;
    message.registers[static_cast<std::size_t>(Reg::Destination)] = 8;
    message.userdata =
        pipeline::encode_audit({direction, RuleAction::Block, RuleLayer::Admin, "r"});
    return message;
}

TEST(Read, TellsTheRuleThePortThatItJudgedAndTheFlow) {
    const auto in = read(packet_in(Direction::Inbound));
    ASSERT_TRUE(in.has_value());
    EXPECT_EQ(in->decision, (pipeline::AuditUserdata{Direction::Inbound, RuleAction::Block,
                                                     RuleLayer::Admin, "r"}));
    EXPECT_EQ(in->port, 8U);
    EXPECT_EQ(in->vsid, 5001U);
    EXPECT_EQ(in->flow,
              (FlowTuple{ip("10.1.1.12"), ip("10.1.1.11"), 6, FlowTuple::Ports{49152, 80}, {}}));
    EXPECT_EQ(read(packet_in(Direction::Outbound))->port, 7U);
}

TEST(Read, RefusesWhatIsNotARulesOrNotOfIp) {
    ovs::PacketIn other = packet_in(Direction::Inbound);
    other.userdata.front() = static_cast<std::uint8_t>(pipeline::PacketInKind::ArpRequest);
    EXPECT_FALSE(read(other));
    other = packet_in(Direction::Inbound);
    other.userdata.clear();
    EXPECT_FALSE(read(other));
    other = packet_in(Direction::Inbound);
    other.packet[12] = 0x88;
    EXPECT_FALSE(read(other));
    other = packet_in(Direction::Inbound);
    other.registers.clear();
    EXPECT_EQ(read(other)->port, 0U);
}

}  // namespace
}  // namespace hnv::audit
