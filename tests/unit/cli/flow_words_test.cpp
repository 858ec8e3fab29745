#include "cli/flow_words.h"

#include <gtest/gtest.h>

#include "pipeline/flow_set.h"

namespace hnv::cli {
namespace {

Names names() {
    Names names;
    names.ports = {{3, "app"}, {4, "cache"}};
    names.networks = {{5001, "contoso"}};
    names.port_tells = {{pipeline::tell_of("app") & 0xffff'ffff'ffffULL, "app"}};
    names.rule_tells = {{pipeline::tell_of("no-81") & 0xffff'ffff'ffffULL, "no-81"}};
    return names;
}

TEST(FlowWords, ConditionsSayWhatRegistersMean) {
    EXPECT_EQ(condition_words("ip,reg1=0x3,dl_src=00:15:5d:50:01:0b,nw_src=10.1.1.11", names()),
              "IPv4, sent by app, from MAC 00:15:5d:50:01:0b, from 10.1.1.11");
    EXPECT_EQ(condition_words("ip,metadata=0x1389,nw_dst=10.1.2.0/24", names()),
              "IPv4, network contoso, to 10.1.2.0/24");
    EXPECT_EQ(condition_words("tun_id=0x1389,in_port=1,vlan_tci=0x0000/0x1fff", names()),
              "VSID 5001, in by port 1, untagged");
    EXPECT_EQ(condition_words("tun_id=0x138900/0xffffff00", names()), "VSID 5001");
    EXPECT_EQ(condition_words("reg1=0", names()), "out of a tunnel");
    EXPECT_EQ(condition_words("", names()), "any");
}

TEST(FlowWords, ThePortThatIsAskedForIsNotRepeated) {
    EXPECT_EQ(condition_words("ip,reg2=0x4", names(), 4), "IPv4");
    EXPECT_EQ(condition_words("ip,reg2=0x4", names(), 3), "IPv4, for cache");
    EXPECT_EQ(condition_words("reg14=0x4", names(), 4), "any");
}

TEST(FlowWords, MaskedPortsAreRanges) {
    EXPECT_EQ(condition_words("tcp,tp_dst=0x50/0xfff8", names()), "TCP, to port 80-87");
    EXPECT_EQ(condition_words("tcp,tp_dst=81", names()), "TCP, to port 81");
    EXPECT_EQ(condition_words("udp,tp_src=0x5/0xff0f", names()), "UDP, from port 0x5/0xff0f");
}

TEST(FlowWords, StatesOfConnections) {
    EXPECT_EQ(condition_words("ct_state=+new+trk,ct_mark=0x7", names()), "new connection");
    EXPECT_EQ(condition_words("ct_state=-rpl+trk", names()), "not a reply");
    EXPECT_EQ(condition_words("ct_state=+rpl+trk,ct_nw_proto=6", names()),
              "reply, connection's protocol 6");
}

TEST(FlowWords, WhatIsNotKnownStaysAsItIs) {
    EXPECT_EQ(condition_words("frob=7,reg99=0x1", names()), "frob=7, reg99=0x1");
    EXPECT_EQ(action_list_words("frobnicate(7)", names()), "frobnicate(7)");
}

TEST(FlowWords, ActionsSayWhereThePacketGoes) {
    EXPECT_EQ(action_list_words("dec_ttl,set_field:0x138a->reg0,goto_table:16", names()),
              "TTL - 1, VSID 5002, to router");
    EXPECT_EQ(action_list_words("set_field:192.168.2.20->tun_dst,set_field:0x2->reg4,goto_table:33",
                                names()),
              "to PA 192.168.2.20, NVGRE over IPv4, to tunnel");
    EXPECT_EQ(action_list_words("controller(id=26702,userdata=01,meter_id=5)", names()),
              "an ARP request, for the agent to answer");
    EXPECT_EQ(action_list_words("", names()), "drop");
    EXPECT_EQ(action_list_words("drop", names()), "drop");
    EXPECT_EQ(
        action_list_words("ct(commit,zone=4,exec(set_field:0x1->ct_mark)),goto_table:28", names()),
        "remember the connection, to snat");
}

TEST(FlowWords, ATableMayMeanMoreThanItsActions) {
    const auto said = [](pipeline::Table table, const char* match, const char* actions) {
        return action_list_words(static_cast<unsigned>(table), match, actions, names());
    };
    using pipeline::Table;
    EXPECT_EQ(said(Table::FirewallInTrack, "ip,reg2=0x4", "goto_table:28"),
              "to snat (the rules allow everything)");
    EXPECT_EQ(said(Table::FirewallInTrack, "ip,reg2=0x4", "drop"),
              "drop (the rules block everything)");
    EXPECT_EQ(said(Table::FirewallInTrack, "ip,reg2=0x4", "ct(table=25,zone=4),drop"),
              "track the connection");
    EXPECT_EQ(said(Table::FirewallInTrack, "reg1=0x4,reg2=0x4", "drop"), "drop");
    EXPECT_EQ(said(Table::Router, "ip", "goto_table:15"), "pass on") << "within the layer";
}

TEST(FlowWords, OwnersByTheirCookie) {
    using policy::ObjectKind;
    const auto owner = [](ObjectKind kind, std::uint64_t tell) {
        return owner_words(pipeline::cookie_of(kind, tell), names());
    };
    EXPECT_EQ(owner(ObjectKind::Host, 0), "host");
    EXPECT_EQ(owner(ObjectKind::Port, pipeline::tell_of("app")), "port app");
    EXPECT_EQ(owner(ObjectKind::Port, 1), "port ?");
    EXPECT_EQ(owner(ObjectKind::Subnet, 5001), "subnet 5001");
    EXPECT_EQ(owner(ObjectKind::Mac, 0x00155d50010bULL), "mac 00:15:5d:50:01:0b");
    EXPECT_EQ(owner(ObjectKind::Router, 5001), "router contoso");
    EXPECT_EQ(owner(ObjectKind::GroupRules, pipeline::tell_of("no-81")), "rule no-81");
    EXPECT_EQ(owner(ObjectKind::PortRules, 5), "rules");
    EXPECT_EQ(owner_words(0x1234, names()), "");
}

TEST(FlowWords, AFlowsTextIsItsMatchAndItsActions) {
    pipeline::FlowSet out;
    pipeline::StageFlow flow(pipeline::Table::Guard, 100);
    flow.match(pipeline::Reg::Source, 3);
    flow->match_ip_src(*IpPrefix::parse("10.1.1.11/32"));
    flow.go(pipeline::Table::Storm, out, 0);
    pipeline::StageFlow(pipeline::Table::Guard, 0).drop(out, 0);
    EXPECT_EQ(text_of(out.flows[0]).match, "ip,reg1=0x3,nw_src=10.1.1.11");
    EXPECT_EQ(text_of(out.flows[0]).actions, "goto_table:5");
    EXPECT_EQ(text_of(out.flows[1]).match, "");
    EXPECT_EQ(text_of(out.flows[1]).actions, "drop");
}

TEST(FlowWords, FamiliesByTheMatch) {
    EXPECT_EQ(family_of("tcp,reg1=0x3"), "IPv4");
    EXPECT_EQ(family_of("icmp6,reg1=0x3"), "IPv6");
    EXPECT_EQ(family_of("arp"), "ARP");
    EXPECT_EQ(family_of("reg1=0x3"), "any");
}

TEST(FlowWords, PassingOnDecidesNothing) {
    EXPECT_TRUE(passes_on("", {"goto_table:5"}));
    EXPECT_FALSE(passes_on("ip", {"goto_table:5"}));
    EXPECT_FALSE(passes_on("", {"drop"}));
    EXPECT_FALSE(passes_on("", {}));
}

}  // namespace
}  // namespace hnv::cli
