// Policy in, flows out, as text that a person can read and paste into a shell.
//
// HNV_UPDATE_GOLDEN=1 writes the files anew; look at the difference before believing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "golden_cases.h"
#include "support/command.h"
#include "support/policy_builder.h"

namespace hnv::test {
namespace {

using pipeline::FlowSet;
using pipeline::Table;

// By table, within it by falling priority.
std::string text_of(const FlowSet& set) {
    std::vector<std::tuple<unsigned, int, std::string>> flows;
    for (const ovs::Flow& flow : set.flows) {
        flows.emplace_back(flow.table, -flow.priority, ovs::to_text(flow));
    }
    std::sort(flows.begin(), flows.end());
    std::vector<std::string> meters;
    for (const ovs::Meter& meter : set.meters) {
        meters.push_back("# meter=" + std::to_string(meter.id) +
                         (meter.unit == ovs::MeterUnit::Packets ? ",pktps" : ",kbps") +
                         ",burst,stats,band=type=drop,rate=" + std::to_string(meter.rate) +
                         ",burst_size=" + std::to_string(meter.burst) + "\n");
    }
    std::sort(meters.begin(), meters.end());
    std::string text;
    for (const std::string& meter : meters) {
        text += meter;
    }
    for (const auto& [table, priority, flow] : flows) {
        text += flow + "\n";
    }
    return text;
}

std::string file_of(const GoldenCase& golden) {
    return std::string(HNV_TEST_DATA_DIR) + "/" + golden.name + ".txt";
}

std::string contents(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

// The numbers that follow `marker` in a flow's actions.
std::vector<std::uint32_t> numbers_after(const std::string& text, const std::string& marker) {
    std::vector<std::uint32_t> numbers;
    const std::string actions = text.substr(text.find(" actions="));
    for (auto at = actions.find(marker); at != std::string::npos; at = actions.find(marker, at)) {
        at += marker.size();
        numbers.push_back(static_cast<std::uint32_t>(std::stoul(actions.substr(at))));
    }
    return numbers;
}

// The tables that a flow sends packets to.
std::vector<std::uint32_t> targets_of(const std::string& text) {
    std::vector<std::uint32_t> tables;
    for (const char* marker : {"goto_table:", "resubmit(,", "ct(table=", ",table="}) {
        const auto some = numbers_after(text, marker);
        tables.insert(tables.end(), some.begin(), some.end());
    }
    return tables;
}

// NAT sends a packet through a table again, each time one step further (Reg::Backend), and never
// back to a step.
bool takes_a_step(const std::string& text) {
    const std::string reg = "reg" + std::to_string(static_cast<unsigned>(pipeline::Reg::Backend));
    const auto at = text.find("," + reg + "=");
    const auto set = text.find("->" + reg);
    if (at == std::string::npos || set == std::string::npos) {
        return false;
    }
    const auto from = std::stoul(text.substr(at + reg.size() + 2), nullptr, 0);
    const auto to = std::stoul(text.substr(text.rfind("set_field:", set) + 10), nullptr, 0);
    return to > from;
}

class Golden : public testing::TestWithParam<GoldenCase> {};

TEST_P(Golden, FlowsAreAsWritten) {
    const std::string actual = text_of(GetParam().flows());
    if (std::getenv("HNV_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(file_of(GetParam())) << actual;
    }
    EXPECT_EQ(actual, contents(file_of(GetParam())));
}

TEST_P(Golden, OvsOfctlAcceptsTheFlows) {
    const CommandOutcome outcome =
        run_command({"ovs-ofctl", "-O", "OpenFlow14", "parse-flows", file_of(GetParam())});
    EXPECT_TRUE(outcome.succeeded) << outcome.output;
}

TEST_P(Golden, TheSameViewGivesTheSameFlows) {
    EXPECT_EQ(text_of(GetParam().flows()), text_of(GetParam().flows()));
}

TEST_P(Golden, PacketsGoToHigherTablesOnly) {
    for (const ovs::Flow& flow : GetParam().flows().flows) {
        EXPECT_LT(flow.table, pipeline::kTableCount);
        for (const std::uint32_t target : targets_of(ovs::to_text(flow))) {
            EXPECT_LT(target, pipeline::kTableCount);
            const bool next_part =
                flow.table == static_cast<unsigned>(Table::Replicate) && target == flow.table;
            const bool once_more = target == flow.table && takes_a_step(ovs::to_text(flow));
            // A broadcast's copy of its own comes back as one (qos.cpp).
            const bool own_copy = flow.table == static_cast<unsigned>(Table::QosIn) &&
                                  flow.priority == pipeline::priority::kHigh;
            // Back, once, to the table that had no flow for it (demand.cpp).
            const bool asked = flow.table == static_cast<unsigned>(Table::Demand) &&
                               flow.priority == pipeline::priority::kNormal;
            EXPECT_TRUE(target > flow.table || next_part || once_more || own_copy || asked)
                << ovs::to_text(flow);
        }
    }
}

TEST_P(Golden, EveryPacketInIsMetered) {
    const FlowSet set = GetParam().flows();
    for (const ovs::Flow& flow : set.flows) {
        const std::string text = ovs::to_text(flow);
        EXPECT_EQ(text.find("CONTROLLER"), std::string::npos) << text;  // output:CONTROLLER
        if (flow.table != static_cast<unsigned>(Table::Route)) {
            EXPECT_EQ(text.find("dec_ttl"), std::string::npos) << text;  // Sends one at TTL 1.
        }
        const auto meters = numbers_after(text, "meter_id=");
        EXPECT_EQ(meters.size(), text.find("controller(") == std::string::npos ? 0U : 1U) << text;
        for (const std::uint32_t id : meters) {
            const auto has = [id](const FlowSet& of) {
                return std::any_of(of.meters.begin(), of.meters.end(),
                                   [id](const ovs::Meter& meter) { return meter.id == id; });
            };
            EXPECT_TRUE(has(set) || has(golden_cases().front().flows())) << text;
        }
    }
}

// dec_ttl sends a packet whose TTL runs out to the controller, past every meter.
TEST(GoldenRoute, APacketWhoseTtlRunsOutEndsBeforeItIsRouted) {
    std::set<std::string> expired;
    std::uint16_t highest_route = 0;
    for (const GoldenCase& each : golden_cases()) {
        for (const ovs::Flow& flow : each.flows().flows) {
            const std::string text = ovs::to_text(flow);
            if (text.find("dec_ttl") != std::string::npos) {
                highest_route = std::max(highest_route, flow.priority);
            } else if (flow.priority == pipeline::priority::kTtl) {
                expired.insert(text);
            }
        }
    }
    const auto drop = [](const char* match) {
        return "table=" + std::to_string(static_cast<unsigned>(Table::Route)) + ", priority=2000," +
               match + " actions=set_field:0x1->reg8,goto_table:" +
               std::to_string(static_cast<unsigned>(Table::IcmpError));
    };
    EXPECT_EQ(expired, (std::set<std::string>{drop("ip,nw_ttl=0"), drop("ip,nw_ttl=1"),
                                              drop("ipv6,nw_ttl=0"), drop("ipv6,nw_ttl=1")}));
    EXPECT_GT(highest_route, 0U);
    EXPECT_LT(highest_route, pipeline::priority::kTtl);
}

TEST_P(Golden, CookiesCarryTheMark) {
    for (const ovs::Flow& flow : GetParam().flows().flows) {
        EXPECT_EQ(flow.cookie & pipeline::kCookieMarkMask, pipeline::kCookieMark);
    }
}

TEST_P(Golden, PrioritiesStayInTheirRange) {
    namespace priority = pipeline::priority;
    // With the lists of ports of hardware_vtep in the tables in which the firewall begins.
    const std::set<unsigned> states{static_cast<unsigned>(Table::FirewallOutTrack),
                                    static_cast<unsigned>(Table::FirewallInTrack),
                                    static_cast<unsigned>(Table::FirewallOutState),
                                    static_cast<unsigned>(Table::FirewallInState)};
    const std::set<unsigned> rules{static_cast<unsigned>(Table::RulesOutAdmin),
                                   static_cast<unsigned>(Table::RulesOutController),
                                   static_cast<unsigned>(Table::RulesInAdmin),
                                   static_cast<unsigned>(Table::RulesInController),
                                   static_cast<unsigned>(Table::MirrorOut),
                                   static_cast<unsigned>(Table::MirrorIn),
                                   static_cast<unsigned>(Table::Insertion)};
    const std::set<unsigned> with_prefixes{static_cast<unsigned>(Table::Route),
                                           static_cast<unsigned>(Table::Dnat),
                                           static_cast<unsigned>(Table::Snatted)};
    for (const ovs::Flow& flow : GetParam().flows().flows) {
        const std::uint16_t highest = states.contains(flow.table)  ? priority::kInvalid
                                      : rules.contains(flow.table) ? priority::kRuleTop
                                      : with_prefixes.contains(flow.table)
                                          ? priority::kEcho
                                          : priority::kSolicitation;
        EXPECT_LE(flow.priority, highest) << ovs::to_text(flow);
    }
}

TEST_P(Golden, NoFlowIsThereTwice) {
    std::set<std::string> keys;
    for (const ovs::Flow& flow : GetParam().flows().flows) {
        EXPECT_TRUE(keys.insert(flow.key()).second) << ovs::to_text(flow);
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(golden_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// The cases together use every table, and the host gives each a miss flow of its own.
TEST(GoldenTables, EveryTableHasAMissFlow) {
    std::set<unsigned> with_miss;
    for (const ovs::Flow& flow : golden_cases().front().flows().flows) {
        if (flow.priority == pipeline::priority::kMiss && flow.match.empty()) {
            with_miss.insert(flow.table);
        }
    }
    EXPECT_EQ(with_miss.size(), pipeline::kTableCount);
}

TEST(GoldenRegisters, NoTwoUsesShareOne) {
    using pipeline::Reg;
    const std::vector<Reg> all{
        Reg::Vsid,   Reg::Source,     Reg::Destination,     Reg::Verdict, Reg::Encapsulation,
        Reg::Part,   Reg::SourceVlan, Reg::DestinationVlan, Reg::Reason,  Reg::Mtu,
        Reg::Routed, Reg::MarkV4,     Reg::MarkV6,          Reg::Backend};
    EXPECT_EQ(std::set<Reg>(all.begin(), all.end()).size(), all.size());
}

}  // namespace
}  // namespace hnv::test
