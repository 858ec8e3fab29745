// Which flow, and which meter, stands for which reason: of the flows that the stages really make.
#include "pipeline/drop_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "pipeline/compile.h"
#include "support/policy_builder.h"

namespace hnv::pipeline {
namespace {

using test::ip;
using test::mac;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

policy::PortView active_port() {
    policy::PortView port;
    port.name = "sql";
    port.ofport = 5;
    port.active = true;
    port.attachments = {{0, 5001, 5000, mac(0x155d50010b), {ip("10.1.1.11"), ip("fd01::b")}}};
    port.acl.all = policy::RuleAction::Allow;
    return port;
}

// The flows that count, by reason, as ovs-ofctl names their matches.
std::multimap<DropReason, std::string> reasons_of(const FlowSet& set) {
    std::multimap<DropReason, std::string> found;
    for (const ovs::Flow& flow : set.flows) {
        if (const auto reason = drop_reason(flow)) {
            const std::string text = ovs::to_text(flow);
            found.emplace(*reason, text.substr(0, text.find(" actions=")));
        }
    }
    return found;
}

std::vector<std::string> flows_for(DropReason reason, const FlowSet& set) {
    const auto all = reasons_of(set);
    std::vector<std::string> texts;
    for (auto [at, end] = all.equal_range(reason); at != end; ++at) {
        texts.push_back(at->second);
    }
    return texts;
}

std::set<DropReason> kinds(const FlowSet& set) {
    std::set<DropReason> found;
    for (const auto& [reason, text] : reasons_of(set)) {
        found.insert(reason);
    }
    return found;
}

TEST(DropReason, NamesAreDistinctAndEachReasonIsSomebodys) {
    std::set<std::string_view> names;
    for (const DropReason reason : kDropReasons) {
        EXPECT_TRUE(names.insert(to_string(reason)).second);
        EXPECT_TRUE(is_of_port(reason) || is_of_host(reason));
    }
    EXPECT_FALSE(names.contains(""));
}

TEST(DropReason, OfAPortThatIsNotLimited) {
    const FlowSet set = compile(active_port());
    EXPECT_THAT(
        kinds(set),
        UnorderedElementsAre(DropReason::Blocked, DropReason::MacGuard, DropReason::ArpGuard,
                             DropReason::Ipv4Guard, DropReason::Ipv6Guard, DropReason::RouterGuard,
                             DropReason::OtherProtocol, DropReason::NoDestination));
    EXPECT_THAT(flows_for(DropReason::MacGuard, set), ElementsAre("table=2, priority=40,reg1=0x5"));
    EXPECT_EQ(flows_for(DropReason::NoDestination, set).size(), 3U);
}

TEST(DropReason, OfAPortThatMayForwardOnlyItsMacAndProtocol) {
    policy::PortView port = active_port();
    port.ip_forwarding_allowed = true;
    const auto found = kinds(compile(port));
    EXPECT_FALSE(found.contains(DropReason::Ipv4Guard));
    EXPECT_FALSE(found.contains(DropReason::ArpGuard));
    EXPECT_TRUE(found.contains(DropReason::MacGuard));
    EXPECT_TRUE(found.contains(DropReason::OtherProtocol));
}

TEST(DropReason, OfRulesAndLimits) {
    policy::PortView port = active_port();
    port.dhcp_guard = true;
    port.flow_limit = 10;
    port.acl.all = std::nullopt;
    const FlowSet set = compile(port);
    EXPECT_EQ(flows_for(DropReason::DhcpGuard, set).size(), 2U);
    EXPECT_EQ(flows_for(DropReason::FlowLimit, set).size(), 2U);
    // What fits no connection, what it says nothing of, and what the rules forbid.
    EXPECT_EQ(flows_for(DropReason::FirewallOutbound, set).size(), 3U);
    EXPECT_EQ(flows_for(DropReason::FirewallInbound, set).size(), 3U);
}

TEST(DropReason, OfAPortThatBlocksAll) {
    policy::PortView port = active_port();
    port.acl.all = policy::RuleAction::Block;
    const FlowSet set = compile(port);
    EXPECT_EQ(flows_for(DropReason::FirewallOutbound, set).size(), 2U);
    EXPECT_EQ(flows_for(DropReason::FirewallInbound, set).size(), 2U);
}

TEST(DropReason, OfAPortThatIsNotActive) {
    policy::PortView port;
    port.name = "sql";
    port.ofport = 5;
    EXPECT_THAT(kinds(compile(port)), ElementsAre(DropReason::Blocked));
}

TEST(DropReason, OfTheHost) {
    const FlowSet set = compile(policy::HostView{1, 2, mac(1), 1600, 0});
    for (const DropReason reason : kinds(set)) {
        EXPECT_TRUE(is_of_host(reason)) << to_string(reason);
    }
    EXPECT_THAT(
        flows_for(DropReason::VsidMismatch, set),
        UnorderedElementsAre("table=0, priority=50,in_port=1", "table=0, priority=50,in_port=2"));
    EXPECT_THAT(flows_for(DropReason::UnknownOuterSource, set), ElementsAre("table=1, priority=0"));
}

TEST(DropReason, NothingOfAForeignFlow) {
    ovs::Flow flow = ovs::FlowBuilder(2, priority::kMacGuard).build(0x1234);
    EXPECT_EQ(drop_reason(flow), std::nullopt);
}

// A flow that passes packets on has no reason, whatever its priority.
TEST(DropReason, OnlyDropsHaveOne) {
    for (const ovs::Flow& flow : compile(active_port()).flows) {
        const bool complains = flow.priority == priority::kDefault;
        if (!flow.instructions.empty() && !complains) {
            EXPECT_EQ(drop_reason(flow), std::nullopt) << ovs::to_text(flow);
        }
    }
}

TEST(DropReason, OfAPortThatIsForBfdAlone) {
    policy::HostView host;
    host.bfd_ofports = {9, 12};
    EXPECT_THAT(flows_for(DropReason::NotBfd, compile(host)),
                UnorderedElementsAre("table=0, priority=100,in_port=9",
                                     "table=0, priority=100,in_port=12"));
}

TEST(DropReason, OfMeters) {
    const auto of = [](MeterKind kind) { return drop_reason_of_meter(meter_id(kind, 7)); };
    const std::map<MeterKind, DropReason> known{{MeterKind::Neighbour, DropReason::ArpLimit},
                                                {MeterKind::Dhcp, DropReason::DhcpLimit},
                                                {MeterKind::Storm, DropReason::StormLimit},
                                                {MeterKind::QosOut, DropReason::QosOutbound},
                                                {MeterKind::QosIn, DropReason::QosInbound}};
    for (const auto& [kind, reason] : known) {
        ASSERT_TRUE(of(kind));
        EXPECT_EQ(of(kind)->reason, reason);
        EXPECT_EQ(of(kind)->ofport, 7U);
    }
    EXPECT_FALSE(of(MeterKind::IcmpError));
    EXPECT_FALSE(of(MeterKind::Audit));
    EXPECT_FALSE(drop_reason_of_meter(0xffff'ffff));
}

TEST(Limits, MetersOfAPort) {
    policy::PortView port = active_port();
    port.storm_limit_pps = 2;
    port.outbound_max_mbps = 100;
    port.inbound_max_mbps = 4'294'967;
    std::map<std::uint32_t, ovs::Meter> meters;
    for (const ovs::Meter& meter : compile(port).meters) {
        meters[meter.id] = meter;
    }
    const ovs::Meter storm = meters[meter_id(MeterKind::Storm, 5)];
    EXPECT_EQ(storm.rate, 2U);
    EXPECT_EQ(storm.burst, 1U);
    EXPECT_EQ(storm.unit, ovs::MeterUnit::Packets);
    const ovs::Meter out = meters[meter_id(MeterKind::QosOut, 5)];
    EXPECT_EQ(out.rate, 100'000U);
    EXPECT_EQ(out.burst, 30'000U);
    EXPECT_EQ(out.unit, ovs::MeterUnit::Kilobits);
    EXPECT_EQ(meters[meter_id(MeterKind::QosIn, 5)].burst, 1'288'490'100U);
}

TEST(Limits, ZonesOfAPort) {
    policy::PortView port = active_port();
    port.flow_limit = 10;
    port.attachments.push_back({20, 5002, 5000, mac(0x155d50010b), {ip("10.1.2.11")}});
    const FlowSet set = compile(port);
    ASSERT_EQ(set.zone_limits.size(), 2U);
    EXPECT_EQ(set.zone_limits[0].zone, 5U);
    EXPECT_EQ(set.zone_limits[1].zone, set.zones[1].zone);
    EXPECT_EQ(set.zone_limits[1].limit, 10U);
}

// There a packet has a connection before the port's rules have seen it.
TEST(Limits, NotTheZoneOfItsNat) {
    policy::PortView port = active_port();
    port.flow_limit = 10;
    port.attachments[0].translations = {{{ip("10.1.1.0"), 24},
                                         false,
                                         ip("203.0.113.2"),
                                         ip("203.0.113.2"),
                                         {{ip("203.0.113.2"), 32}}}};
    const FlowSet set = compile(port);
    EXPECT_GT(set.zones.size(), 1U);
    ASSERT_EQ(set.zone_limits.size(), 1U);
    EXPECT_EQ(set.zone_limits[0].zone, 5U);
}

TEST(Guards, OfAVtepPortDropASourceThatIsNoStation) {
    policy::PortView port = active_port();
    port.vtep = true;
    const FlowSet set = compile(port);
    EXPECT_EQ(std::ranges::count_if(
                  set.flows,
                  [](const ovs::Flow& flow) { return drop_reason(flow) == DropReason::MacGuard; }),
              2);
}

TEST(Guards, OfAVtepPortComeBeforeWhateverItMaySend) {
    policy::PortView port = active_port();
    port.vtep = true;
    const auto guards = [&port] {
        const FlowSet set = compile(port);
        return std::ranges::count_if(set.flows, [](const ovs::Flow& flow) {
            return flow.table == static_cast<unsigned>(Table::Guard) &&
                   flow.priority > priority::kSourceGuard;
        });
    };
    EXPECT_EQ(guards(), 0);
    port.dhcp_guard = true;
    EXPECT_EQ(guards(), 2);
    port.router_guard = true;
    EXPECT_EQ(guards(), 4);
}

}  // namespace
}  // namespace hnv::pipeline
