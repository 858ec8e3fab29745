#include "cli/datapath_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "recorded_text.h"

namespace hnv::cli {
namespace {

using test::recorded;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(DatapathText, PortsOfABridgeAndItsDatapath) {
    const SwitchPorts ports = parse_dpif_show(recorded("dpif_show"), "br-hnv");
    EXPECT_EQ(ports.datapath, "netdev@ovs-netdev");
    const SwitchPort* app = ports.by_ofport("br-hnv", 3);
    ASSERT_NE(app, nullptr);
    EXPECT_EQ(app->name, "app");
    EXPECT_EQ(app->type, "system");
    EXPECT_EQ(ports.by_datapath(app->datapath_port), app);
    EXPECT_EQ(ports.by_datapath("app"), app);
    EXPECT_EQ(ports.by_name("hnv-nvgre")->type, "gre");
    EXPECT_EQ(ports.by_name("nic0")->bridge, "br-pa");
    EXPECT_EQ(ports.by_ofport("br-hnv", 77), nullptr);
    EXPECT_THAT(parse_dpif_show(recorded("dpif_show"), "other").ports, IsEmpty());
}

TEST(DatapathText, OfSeveralDatapathsTheOneWithTheBridge) {
    const SwitchPorts ports = parse_dpif_show(
        "system@ovs-system: hit:1 missed:2\n  br-a:\n    x 1/2: (system)\nnetdev@ovs-netdev: hit:1 "
        "missed:2\n  br-b:\n    y 1/2: (system)\n    z 2/none: (vxlan: key=flow)\n",
        "br-b");
    EXPECT_EQ(ports.datapath, "netdev@ovs-netdev");
    ASSERT_EQ(ports.ports.size(), 2U);
    EXPECT_EQ(ports.ports[1].type, "vxlan");
    EXPECT_EQ(ports.ports[1].datapath_port, "none");
}

TEST(DatapathText, FlowsHaveKeyCountersAndActions) {
    const auto flows = parse_datapath_flows(recorded("datapath_flows"));
    ASSERT_FALSE(flows.empty());
    const auto tunnelled = std::ranges::find_if(
        flows, [](const DatapathFlow& flow) { return !flow.field("tunnel").empty(); });
    ASSERT_NE(tunnelled, flows.end());
    EXPECT_EQ(tunnelled->field("in_port"), "vxlan_sys_4789");
    EXPECT_EQ(tunnelled->actions, "app");
    EXPECT_TRUE(tunnelled->key.starts_with("skb_priority("));
    EXPECT_EQ(tunnelled->ufid.size(), 36U);
    EXPECT_GT(tunnelled->packets, 0U);
    EXPECT_GT(tunnelled->bytes, tunnelled->packets);
}

TEST(DatapathText, LinesThatAreNoFlowsAreLeftOut) {
    EXPECT_THAT(parse_datapath_flows("flow-dump from pmd on cpu core: 3\n\nnonsense"), IsEmpty());
    EXPECT_THAT(parse_datapath_flows("a, actions:1, packets:3, bytes:4"), IsEmpty());
    const auto flows = parse_datapath_flows("in_port(2), packets:3, bytes:4, used:never, actions:");
    ASSERT_EQ(flows.size(), 1U);
    EXPECT_EQ(flows[0].key, "in_port(2)");
    EXPECT_EQ(flows[0].packets, 3U);
    EXPECT_EQ(flows[0].actions, "");
}

TEST(DatapathText, APacketThatIsEncapsulatedGoesOutOnce) {
    const auto found = emissions(
        "set(ipv4(ttl=63)),check_pkt_len(size=1572,gt(sample(sample=100.0%,actions(meter(3),"
        "userspace(pid=0,controller(reason=1,controller_id=26702))))),le(set(eth(src=00:15:5d:ff:"
        "ff:fe)),tnl_push(tnl_port(4),header(size=42,type=3,eth(dst=9a:35:f8:1c:18:b0,src=02:0a:c0:"
        "a8:01:0a,dl_type=0x0800),ipv4(src=192.168.1.10,dst=192.168.2.20,proto=47,tos=0,ttl=64,"
        "frag=0x4000),gre((flags=0x2000,proto=0x6558),key=0x138a00)),out_port(2)),1))");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].kind, Emission::Kind::Tunnel);
    EXPECT_EQ(found[0].encapsulation, "gre");
    EXPECT_EQ(found[0].key >> 8, 5002U);
    EXPECT_EQ(found[0].source, IpAddress::parse("192.168.1.10"));
    EXPECT_EQ(found[0].target, IpAddress::parse("192.168.2.20"));
    EXPECT_EQ(found[0].mtu, 1572U);
}

TEST(DatapathText, ATunnelThatIsSetIsOfTheNextPort) {
    const auto found = emissions("3,set(tunnel(tun_id=0x1389,dst=192.168.2.20,flags(df|key))),1");
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].kind, Emission::Kind::Port);
    EXPECT_EQ(found[0].port, "3");
    EXPECT_EQ(found[1].kind, Emission::Kind::Tunnel);
    EXPECT_EQ(found[1].key, 5001U);
    EXPECT_EQ(found[1].encapsulation, "1");
}

TEST(DatapathText, CopiesRecirculationsAndTheAgent) {
    const auto found = emissions(
        "clone(ct(commit,zone=4),7),userspace(pid=0,controller(x)),userspace(pid=0,slow_path(y)),"
        "ct(zone=4),recirc(0x7),tnl_pop(3)");
    std::vector<Emission::Kind> kinds;
    for (const Emission& one : found) {
        kinds.push_back(one.kind);
    }
    using Kind = Emission::Kind;
    EXPECT_THAT(kinds,
                ElementsAre(Kind::Port, Kind::Agent, Kind::Recirculation, Kind::Decapsulation));
    EXPECT_EQ(found[2].recirculation, 7U);
    EXPECT_THAT(emissions("drop"), IsEmpty());
    EXPECT_THAT(emissions(""), IsEmpty());
}

TEST(DatapathText, DeepNestingEnds) {
    std::string text;
    for (int i = 0; i < 10'000; ++i) {
        text += "clone(";
    }
    EXPECT_THAT(emissions(text + "1"), IsEmpty());
    EXPECT_FALSE(action_words(text, [](auto port) { return std::string(port); }).empty());
}

TEST(DatapathText, ActionsInWords) {
    const auto words = action_words(
        "set(eth(src=00:15:5d:ff:ff:fe)),ct(commit,zone=4,mark=0x1/0xffffffff),7,recirc(0x2),"
        "meter(3),frobnicate(9)",
        [](std::string_view port) { return port == "7" ? std::string("cache") : "?"; });
    EXPECT_THAT(words,
                ElementsAre("set eth src 00:15:5d:ff:ff:fe", "remember the connection in zone 4",
                            "output to cache", "go on as recirculation 0x2", "limited by meter 3",
                            "frobnicate(9)"));
}

}  // namespace
}  // namespace hnv::cli
