#include "ovs-integration/flow.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

namespace hnv::ovs {
namespace {

const MacAddress kMac = *MacAddress::parse("02:00:00:00:00:11");
constexpr std::uint32_t kReply =
    static_cast<std::uint32_t>(CtState::Tracked) | static_cast<std::uint32_t>(CtState::Reply);

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }

// One builder call, as Open vSwitch prints the flow (without "table=3, priority=100,").
struct Case {
    const char* name;
    std::function<void(FlowBuilder&)> build;
    const char* text;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class Prints : public ::testing::TestWithParam<Case> {};

TEST_P(Prints, AsOvsOfctlDoes) {
    FlowBuilder builder(3, 100);
    GetParam().build(builder);
    EXPECT_EQ(to_text(builder.build()), std::string("table=3, priority=100") + GetParam().text);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Match, Prints,
    ::testing::Values(
        Case{"Nothing", [](FlowBuilder&) {}, " actions=drop"},
        Case{"InPort", [](FlowBuilder& b) { b.match_in_port(7); }, ",in_port=7 actions=drop"},
        Case{"Reg", [](FlowBuilder& b) { b.match_reg(0, 5001); }, ",reg0=0x1389 actions=drop"},
        Case{"RegMasked", [](FlowBuilder& b) { b.match_reg(2, 0x10, 0xf0); },
             ",reg2=0x10/0xf0 actions=drop"},
        Case{"Metadata", [](FlowBuilder& b) { b.match_metadata(0x123456789aU); },
             ",metadata=0x123456789a actions=drop"},
        Case{"TunId", [](FlowBuilder& b) { b.match_tun_id(5001); }, ",tun_id=0x1389 actions=drop"},
        Case{"TunIdMasked", [](FlowBuilder& b) { b.match_tun_id(5001 << 8, 0xffffff00U); },
             ",tun_id=0x138900/0xffffff00 actions=drop"},
        Case{"TunSrc", [](FlowBuilder& b) { b.match_tun_src(ip("192.168.2.20")); },
             ",tun_src=192.168.2.20 actions=drop"},
        Case{"TunSrcV6", [](FlowBuilder& b) { b.match_tun_src(ip("2001:db8::20")); },
             ",tun_ipv6_src=2001:db8::20 actions=drop"},
        Case{"EthSrc", [](FlowBuilder& b) { b.match_eth_src(kMac); },
             ",dl_src=02:00:00:00:00:11 actions=drop"},
        Case{"EthDst", [](FlowBuilder& b) { b.match_eth_dst(kMac); },
             ",dl_dst=02:00:00:00:00:11 actions=drop"},
        Case{"EthDstMulticast",
             [](FlowBuilder& b) {
                 const MacAddress bit = MacAddress::from_bits(1ULL << 40);
                 b.match_eth_dst_masked(bit, bit);
             },
             ",dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop"},
        Case{"Untagged", [](FlowBuilder& b) { b.match_untagged(); },
             ",vlan_tci=0x0000/0x1fff actions=drop"},
        Case{"EthType", [](FlowBuilder& b) { b.match_eth_type(0x88cc); },
             ",dl_type=0x88cc actions=drop"},
        Case{"Arp",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0806).match_arp_op(1).match_arp_sha(kMac);
                 b.match_arp_spa(ip("10.1.1.11"));
             },
             ",arp,arp_spa=10.1.1.11,arp_op=1,arp_sha=02:00:00:00:00:11"
             " actions=drop"}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    MatchIp, Prints,
    ::testing::Values(
        Case{"Src", [](FlowBuilder& b) { b.match_ip_src(prefix("10.1.1.0/24")); },
             ",ip,nw_src=10.1.1.0/24 actions=drop"},
        Case{"Dst", [](FlowBuilder& b) { b.match_ip_dst(prefix("10.1.1.11")); },
             ",ip,nw_dst=10.1.1.11 actions=drop"},
        Case{"Any", [](FlowBuilder& b) { b.match_ip_dst(prefix("0.0.0.0/0")); },
             ",ip actions=drop"},
        Case{"SrcV6", [](FlowBuilder& b) { b.match_ip_src(prefix("2001:db8::/33")); },
             ",ipv6,ipv6_src=2001:db8::/33 actions=drop"},
        Case{"DstV6", [](FlowBuilder& b) { b.match_ip_dst(prefix("2001:db8::1")); },
             ",ipv6,ipv6_dst=2001:db8::1 actions=drop"},
        Case{"Tcp",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).match_ip_proto(6).match_tp_src(1024, 0xfc00);
                 b.match_tp_dst(1433);
             },
             ",tcp,tp_src=0x400/0xfc00,tp_dst=1433 actions=drop"},
        Case{"UdpV6",
             [](FlowBuilder& b) { b.match_eth_type(0x86dd).match_ip_proto(17).match_tp_dst(53); },
             ",udp6,tp_dst=53 actions=drop"},
        Case{"Icmp",
             [](FlowBuilder& b) { b.match_eth_type(0x0800).match_ip_proto(1).match_icmp_type(8); },
             ",icmp,icmp_type=8 actions=drop"},
        Case{"CtState",
             [](FlowBuilder& b) {
                 const auto bit = [](CtState state) { return static_cast<std::uint32_t>(state); };
                 b.match_ct_state(
                     bit(CtState::Established) | bit(CtState::Tracked),
                     bit(CtState::Established) | bit(CtState::Tracked) | bit(CtState::Invalid));
             },
             ",ct_state=+est-inv+trk actions=drop"},
        Case{"ConjId", [](FlowBuilder& b) { b.match_conj_id(0x650001); },
             ",conj_id=6619137 actions=drop"},
        Case{"CtMark", [](FlowBuilder& b) { b.match_ct_mark(0x1234); },
             ",ct_mark=0x1234 actions=drop"},
        Case{"CtFirstPacket",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).match_ct_state(kReply, kReply).match_ct_ip_proto(6);
                 b.match_ct_ip_src(prefix("10.1.1.0/24")).match_ct_ip_dst(prefix("10.1.1.11"));
                 b.match_ct_tp_src(1024, 0xfc00).match_ct_tp_dst(1433);
             },
             ",ct_state=+rpl+trk,ct_nw_src=10.1.1.0/24,ct_nw_dst=10.1.1.11,ct_nw_proto=6,"
             "ct_tp_src=0x400/0xfc00,ct_tp_dst=1433,ip actions=drop"},
        Case{"CtFirstPacketV6",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x86dd).match_ct_state(kReply, kReply);
                 b.match_ct_ip_src(prefix("2001:db8::/33")).match_ct_ip_dst(prefix("2001:db8::1"));
             },
             ",ct_state=+rpl+trk,ct_ipv6_src=2001:db8::/33,ct_ipv6_dst=2001:db8::1,ipv6"
             " actions=drop"}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Action, Prints,
    ::testing::Values(
        Case{"SetReg", [](FlowBuilder& b) { b.set_reg(0, 5001); },
             " actions=set_field:0x1389->reg0"},
        Case{"SetMetadata", [](FlowBuilder& b) { b.set_metadata(0x12); },
             " actions=set_field:0x12->metadata"},
        Case{"SetTunnel", [](FlowBuilder& b) { b.set_tun_dst(ip("192.168.1.10")); },
             " actions=set_field:192.168.1.10->tun_dst"},
        Case{"SetTunnelV6", [](FlowBuilder& b) { b.set_tun_dst(ip("2001:db8::10")); },
             " actions=set_field:2001:db8::10->tun_ipv6_dst"},
        Case{"SetEth", [](FlowBuilder& b) { b.set_eth_src(kMac).set_eth_dst(kMac); },
             " actions=set_field:02:00:00:00:00:11->eth_src,"
             "set_field:02:00:00:00:00:11->eth_dst"},
        Case{"MoveReg", [](FlowBuilder& b) { b.move_reg_to_tun_id(0, 0); },
             " actions=move:NXM_NX_REG0[0..23]->NXM_NX_TUN_ID[0..23]"},
        Case{"MoveRegAsNvgreKey", [](FlowBuilder& b) { b.move_reg_to_tun_id(0, 8); },
             " actions=move:NXM_NX_REG0[0..23]->NXM_NX_TUN_ID[8..31]"},
        Case{"DecTtl", [](FlowBuilder& b) { b.match_eth_type(0x0800).dec_ttl(); },
             ",ip actions=dec_ttl"},
        Case{"EchoReply",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).match_ip_proto(1).match_icmp_type(8).match_ttl(9);
                 b.move_eth_src_to_dst().move_ip_src_to_dst().set_ip_src(ip("10.1.1.1"));
                 b.set_icmp_type(0).set_ttl(64).output_in_port();
             },
             ",icmp,nw_ttl=9,icmp_type=8 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
             "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],set_field:10.1.1.1->ip_src,"
             "set_field:0->icmp_type,set_field:64->nw_ttl,IN_PORT"},
        Case{"Output", [](FlowBuilder& b) { b.output(7).output(8); }, " actions=output:7,output:8"},
        Case{"OutputReg", [](FlowBuilder& b) { b.output_reg(2); },
             " actions=output:NXM_NX_REG2[0..15]"},
        Case{"Resubmit", [](FlowBuilder& b) { b.resubmit(9); }, " actions=resubmit(,9)"},
        Case{"Ct",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).ct({.zone = 7, .commit = false, .next_table = 4});
             },
             ",ip actions=ct(table=4,zone=7)"},
        Case{"CtCommit",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800)
                     .ct({.zone = 7, .commit = true, .next_table = {}})
                     .goto_table(9);
             },
             ",ip actions=ct(commit,zone=7),goto_table:9"},
        Case{"CtCommitWithAMarkBetweenOtherActions",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800)
                     .set_reg(0, 7)
                     .ct({.zone = 7, .commit = true, .next_table = {}, .mark = 0x1234})
                     .set_reg(1, 8)
                     .goto_table(9);
             },
             ",ip actions=set_field:0x7->reg0,ct(commit,zone=7,exec(set_field:0x1234->ct_mark)),"
             "set_field:0x8->reg1,goto_table:9"},
        Case{"CtTranslatesWhatIsKnown",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).ct(
                     {.zone = 7, .commit = false, .next_table = 4, .nat = NatAction{}});
             },
             ",ip actions=ct(table=4,zone=7,nat)"},
        Case{"CtTranslatesTheSourceToOneAddress",
             [](FlowBuilder& b) {
                 const IpAddress external = IpAddress::parse("203.0.113.1").value();
                 b.match_eth_type(0x0800).set_reg(0, 7).ct(
                     {.zone = 7,
                      .commit = true,
                      .next_table = 4,
                      .mark = 0x1234,
                      .nat = NatAction{NatAction::End::Source, external, external}});
             },
             ",ip actions=set_field:0x7->reg0,ct(commit,table=4,zone=7,nat(src=203.0.113.1),"
             "exec(set_field:0x1234->ct_mark))"},
        Case{"CtTranslatesTheSourceToARange",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).ct(
                     {.zone = 7,
                      .commit = true,
                      .nat = NatAction{
                          NatAction::End::Source, IpAddress::parse("203.0.113.1").value(),
                          IpAddress::parse("203.0.113.9").value(), NatAction::Ports{1024, 2047}}});
             },
             ",ip actions=ct(commit,zone=7,nat(src=203.0.113.1-203.0.113.9:1024-2047))"},
        Case{"CtTranslatesIpv6AndOnePort",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x86dd).ct(
                     {.zone = 7,
                      .commit = true,
                      .nat = NatAction{
                          NatAction::End::Source, IpAddress::parse("2001:db8::1").value(),
                          IpAddress::parse("2001:db8::9").value(), NatAction::Ports{1024, 1024}}});
             },
             ",ipv6 actions=ct(commit,zone=7,nat(src=[2001:db8::1]-[2001:db8::9]:1024))"},
        Case{"CtTranslatesTheDestination",
             [](FlowBuilder& b) {
                 const IpAddress ca = IpAddress::parse("10.1.1.11").value();
                 b.match_eth_type(0x0800).ct(
                     {.zone = 7,
                      .commit = true,
                      .next_table = 4,
                      .nat = NatAction{NatAction::End::Destination, ca, ca}});
             },
             ",ip actions=ct(commit,table=4,zone=7,nat(dst=10.1.1.11))"},
        Case{"Controller",
             [](FlowBuilder& b) {
                 const std::array<std::uint8_t, 2> userdata{1, 0xff};
                 b.controller({.controller_id = 0x684e, .meter = 7, .userdata = userdata});
             },
             " actions=controller(id=26702,userdata=01.ff,meter_id=7)"},
        Case{"CloneBetweenOtherActions",
             [](FlowBuilder& b) {
                 b.match_eth_type(0x0800).set_reg(0, 7);
                 b.clone([&b] { b.set_reg(2, 9).ct({.zone = 7, .commit = true}).output_reg(2); });
                 b.set_reg(1, 8).goto_table(9);
             },
             ",ip actions=set_field:0x7->reg0,clone(set_field:0x9->reg2,ct(commit,zone=7),"
             "output:NXM_NX_REG2[0..15]),set_field:0x8->reg1,goto_table:9"},
        Case{"Conjunction",
             [](FlowBuilder& b) { b.conjunction(0x650001, 1, 2).conjunction(7, 3, 3); },
             " actions=conjunction(6619137,1/2),conjunction(7,3/3)"},
        Case{"GotoTable", [](FlowBuilder& b) { b.set_reg(1, 7).goto_table(5); },
             " actions=set_field:0x7->reg1,goto_table:5"}),
    case_name);

Flow sample(std::uint8_t table, std::uint16_t priority, std::uint32_t vsid) {
    FlowBuilder builder(table, priority);
    builder.match_reg(0, vsid).match_eth_dst(kMac).output(7);
    return builder.build(0x68);
}

TEST(Flow, IsEqualByWhatItSays) {
    FlowBuilder other_order(3, 100);
    other_order.match_eth_dst(kMac).match_reg(0, 5001).output(7);
    EXPECT_EQ(other_order.build(0x68), sample(3, 100, 5001));
    EXPECT_NE(sample(3, 100, 5001), sample(3, 100, 6001));
    EXPECT_NE(sample(3, 100, 5001), sample(3, 101, 5001));
    EXPECT_NE(sample(3, 100, 5001), sample(4, 100, 5001));
}

TEST(Flow, IsIdentifiedByTablePriorityAndMatch) {
    Flow changed = sample(3, 100, 5001);
    FlowBuilder drop(3, 100);
    changed.instructions = drop.build().instructions;
    changed.cookie = 0x69;
    EXPECT_EQ(changed.key(), sample(3, 100, 5001).key());
    EXPECT_NE(sample(3, 100, 5001).key(), sample(3, 100, 6001).key());
    EXPECT_NE(sample(3, 100, 5001).key(), sample(3, 101, 5001).key());
    EXPECT_NE(sample(3, 100, 5001).key(), sample(4, 100, 5001).key());
}

TEST(Flow, HoldsManyActions) {
    FlowBuilder builder(3, 100);
    std::string expected = "table=3, priority=100 actions=";
    for (std::uint32_t port = 1; port <= 300; ++port) {
        builder.output(port);
        expected += (port == 1 ? "output:" : ",output:") + std::to_string(port);
    }
    EXPECT_EQ(to_text(builder.build()), expected);
}

TEST(Flow, ClonesMoreActionsThanItHasRoomForAtFirst) {
    FlowBuilder builder(3, 100);
    std::string expected = "table=3, priority=100 actions=clone(";
    builder.set_reg(0, 7).clone([&] {
        for (std::uint32_t port = 1; port <= 300; ++port) {
            builder.output(port);
            expected += (port == 1 ? "output:" : ",output:") + std::to_string(port);
        }
    });
    expected.replace(expected.find("clone("), 6, "set_field:0x7->reg0,clone(");
    EXPECT_EQ(to_text(builder.output(8).build()), expected + "),output:8");
}

TEST(Flow, PrintsWhatAnUndecodableOneMatches) {
    Flow flow = sample(3, 100, 5001);
    flow.instructions[0] = 0x7f;  // No such instruction.
    const std::string text = to_text(flow);
    EXPECT_EQ(text.rfind("table=3, priority=100,reg0=0x1389,", 0), 0U) << text;
    EXPECT_NE(text.find("(undecodable: OFPBIC_"), std::string::npos) << text;
}

}  // namespace
}  // namespace hnv::ovs
