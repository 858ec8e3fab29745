// The audit log with a real ovs-vswitchd and flows as firewall rules have them: that a new flow
// becomes one line, within the host's limit, and that packets pass as if nobody had looked.
//
//   br-hnv ─ guest (a patch port) ══ wire (its peer) ─ br-guest
#include <gtest/gtest.h>
#include <json/reader.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "audit/audit_log.h"
#include "log_file_fixture.h"
#include "ovs-integration/event_loop.h"
#include "pipeline/layout.h"
#include "pipeline/stages.h"
#include "support/command.h"
#include "support/open_vswitch.h"

namespace hnv::audit {
namespace {

using pipeline::Reg;
using pipeline::StageFlow;
using pipeline::Table;
using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;

constexpr std::uint32_t kGuest = 7;
constexpr std::uint16_t kAllowed = 80;
constexpr std::uint16_t kBlocked = 81;

class AuditLogSwitchTest : public test::LogFileTest {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        LogFileTest::SetUp();
        ovs_.emplace();
        ovs_->start_switch();
        for (const char* bridge : {"br-hnv", "br-guest"}) {
            ovs_->vsctl({"add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev",
                         "fail_mode=secure"});
        }
        ovs_->vsctl({"add-port", "br-hnv", "guest", "--", "set", "interface", "guest", "type=patch",
                     "options:peer=wire", "ofport_request=7"});
        ovs_->vsctl({"add-port", "br-guest", "wire", "--", "set", "interface", "wire", "type=patch",
                     "options:peer=guest"});
        names_.assign({{kGuest, "contoso-sql"}});
    }

    // Two rules that judge what enters the guest, and a limit for all of them.
    void program_switch(std::uint32_t limit) {
        policy::HostView host;
        host.audit_limit_pps = limit;
        pipeline::FlowSet set;
        pipeline::audit_host(host, set);
        ASSERT_EQ(set.meters.size(), 1U);
        const ovs::Meter& meter = set.meters.front();
        ofctl({"add-meter", "br-hnv",
               "meter=" + std::to_string(meter.id) + ",pktps,burst,band=type=drop,rate=" +
                   std::to_string(meter.rate) + ",burst_size=" + std::to_string(meter.burst)});
        for (const auto& [port, verdict] :
             {std::pair(kAllowed, RuleAction::Allow), std::pair(kBlocked, RuleAction::Block)}) {
            StageFlow flow(Table::Classify, pipeline::priority::kNormal);
            flow->match_eth_type(0x0800).match_ip_proto(17).match_tp_dst(port, 0xffff);
            flow.set(Reg::Vsid, 5001).set(Reg::Destination, kGuest);
            const std::string rule = verdict == RuleAction::Allow ? "web" : "no-\"web\"";
            pipeline::add_audit({Direction::Inbound, verdict, RuleLayer::Controller, rule}, flow);
            if (verdict == RuleAction::Allow) {
                flow->output_reg(static_cast<unsigned>(Reg::Destination));
            }
            flow.end(set, 0);
            ofctl({"add-flow", "br-hnv", ovs::to_text(set.flows.back())});
        }
        ofctl({"add-flow", "br-guest", "udp,actions=drop"});
    }

    std::string ofctl(std::vector<std::string> arguments) {
        // The management socket by its path: the bridge's name alone would mean the installed one.
        arguments[1] = "unix:" + ovs_->file(arguments[1] + ".mgmt");
        arguments.insert(arguments.begin(),
                         {"ovs-ofctl", "--protocols=OpenFlow14", "--timeout=20"});
        const test::CommandOutcome outcome = test::run_command(arguments);
        EXPECT_TRUE(outcome.succeeded) << outcome.output;
        return outcome.output;
    }

    // UDP datagrams for the guest, from one source port each.
    void send(std::uint16_t first_source, unsigned flows, std::uint16_t destination) {
        for (unsigned i = 0; i < flows; ++i) {
            std::array<char, 200> packet{};
            std::snprintf(packet.data(), packet.size(),
                          "02000000001102000000001208004500001c00004000401100000a01010c"
                          "0a01010b%04x%04x00080000",
                          first_source + i, static_cast<unsigned>(destination));
            ofctl({"packet-out", "br-hnv",
                   "in_port=local,packet=" + std::string(packet.data()) + ",actions=table"});
        }
    }
    [[nodiscard]] bool guest_got(unsigned packets) {
        return eventually([&] {
            return ofctl({"dump-flows", "br-guest", "udp"})
                       .find("n_packets=" + std::to_string(packets) + ",") != std::string::npos;
        });
    }

    static bool eventually(const std::function<bool()>& condition) {
        const std::int64_t deadline = ovs::now_msec() + 10000;
        while (!condition()) {
            if (ovs::now_msec() >= deadline) {
                return false;
            }
            ovs::wake_at(ovs::now_msec() + 5);
            ovs::block();
        }
        return true;
    }

    [[nodiscard]] std::vector<Json::Value> lines() const {
        std::vector<Json::Value> values;
        for (const std::string& line : test::lines_of(contents())) {
            std::istringstream stream(line);
            std::string errors;
            EXPECT_TRUE(Json::parseFromStream(Json::CharReaderBuilder(), stream,
                                              &values.emplace_back(), &errors))
                << errors << line;
        }
        return values;
    }

    std::optional<test::OpenVswitch> ovs_;
    policy::PortNames names_;
};

TEST_F(AuditLogSwitchTest, ANewFlowIsALineAndItsFurtherPacketsAreNot) {
    AuditLog log("unix:" + ovs_->file("br-hnv.mgmt"), names_, path_);
    log.start();
    ASSERT_TRUE(eventually([&] { return log.connected(); }));
    program_switch(1000);

    send(1000, 1, kAllowed);
    send(1000, 1, kBlocked);
    send(1000, 1, kBlocked);
    send(1001, 1, kBlocked);
    ASSERT_TRUE(eventually([&] { return log.counters() == Counters{3, 1, 0, 0, 0}; }));
    EXPECT_TRUE(guest_got(1));
    log.stop();

    const auto written = lines();
    ASSERT_EQ(written.size(), 3U);
    EXPECT_EQ(written[0]["rule"], "web");
    EXPECT_EQ(written[0]["verdict"], "Allow");
    EXPECT_EQ(written[0]["direction"], "Inbound");
    EXPECT_EQ(written[0]["layer"], "controller");
    EXPECT_EQ(written[0]["port"], "contoso-sql");
    EXPECT_EQ(written[0]["vsid"].asUInt(), 5001U);
    EXPECT_EQ(written[0]["protocol"], "UDP");
    EXPECT_EQ(written[0]["src_ip"], "10.1.1.12");
    EXPECT_EQ(written[0]["src_port"].asUInt(), 1000U);
    EXPECT_EQ(written[0]["dst_ip"], "10.1.1.11");
    EXPECT_EQ(written[0]["dst_port"].asUInt(), 80U);
    EXPECT_EQ(written[1]["rule"], "no-\"web\"");
    EXPECT_EQ(written[1]["verdict"], "Block");
    EXPECT_EQ(written[2]["src_port"].asUInt(), 1001U);
}

TEST_F(AuditLogSwitchTest, WhatExceedsTheLimitPassesAllTheSameAndIsNotLogged) {
    AuditLog log("unix:" + ovs_->file("br-hnv.mgmt"), names_, path_);
    log.start();
    ASSERT_TRUE(eventually([&] { return log.connected(); }));
    program_switch(1);

    constexpr unsigned kFlows = 100;
    send(1000, kFlows, kAllowed);
    EXPECT_TRUE(guest_got(kFlows));
    log.stop();
    EXPECT_GE(log.counters().written, 1U);
    EXPECT_LT(log.counters().written, kFlows / 2);
}

TEST_F(AuditLogSwitchTest, FollowsASwitchThatRestarts) {
    AuditLog log("unix:" + ovs_->file("br-hnv.mgmt"), names_, path_);
    log.start();
    ASSERT_TRUE(eventually([&] { return log.connected(); }));
    ovs_->stop_switch();
    ASSERT_TRUE(eventually([&] { return !log.connected(); }));
    ovs_->start_switch();
    ASSERT_TRUE(eventually([&] { return log.connected(); }));
    program_switch(1000);
    send(1000, 1, kAllowed);
    EXPECT_TRUE(eventually([&] { return log.counters().written == 1; }));
}

}  // namespace
}  // namespace hnv::audit
