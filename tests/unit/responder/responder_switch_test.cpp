// The responder with a real ovs-vswitchd: that its packet-ins come, and that its replies leave by
// the port that asked.
//
//   br-hnv ─ guest (a patch port) ══ wire (its peer) ─ br-guest
//
// A request is put into br-hnv as if it came from `guest`; a flow of br-guest counts the replies.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "arp_frames.h"
#include "pipeline/layout.h"
#include "responder/responder.h"
#include "support/open_vswitch.h"

namespace hnv::responder {
namespace {

class ResponderSwitchTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!test::enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ovs_.emplace();
        ovs_->start_switch();
        ovs_->vsctl({"add-br", "br-hnv", "--", "set", "bridge", "br-hnv", "datapath_type=netdev",
                     "fail_mode=secure"});
        ovs_->vsctl({"add-br", "br-guest", "--", "set", "bridge", "br-guest",
                     "datapath_type=netdev", "fail_mode=secure"});
        ovs_->vsctl({"add-port", "br-hnv", "guest", "--", "set", "interface", "guest", "type=patch",
                     "options:peer=wire", "ofport_request=7"});
        ovs_->vsctl({"add-port", "br-guest", "wire", "--", "set", "interface", "wire", "type=patch",
                     "options:peer=guest"});
        neighbours_.set(5001, IpAddress::from_v4(0x0a01010bU),
                        MacAddress::from_bits(0x020000000011U));
    }

    // What the southbound does: a switch starts with no flows.
    void program_switch() {
        ofctl({"add-meter", "br-hnv",
               "meter=7,pktps,burst,band=type=drop,rate=40000,burst_size=10000"});
        ofctl({"add-flow", "br-hnv",
               "arp,in_port=7,actions=load:5001->NXM_NX_REG0[],controller(id=" +
                   std::to_string(pipeline::kResponderControllerId) + ",userdata=01,meter_id=7)"});
        ofctl({"add-flow", "br-guest",
               "arp,arp_op=2,dl_src=02:00:00:00:00:11,dl_dst=02:00:00:00:00:12,"
               "arp_spa=10.1.1.11,arp_tpa=10.1.1.12,arp_tha=02:00:00:00:00:12,actions=drop"});
    }

    std::string ofctl(std::vector<std::string> arguments) {
        // The management socket by its path: the bridge's name alone would mean the installed one.
        arguments[1] = "unix:" + ovs_->file(arguments[1] + ".mgmt");
        arguments.insert(arguments.begin(),
                         {"ovs-ofctl", "--protocols=OpenFlow14", "--timeout=10"});
        const std::string output = ovs_->file("ofctl.out");
        const int status = test::wait_for_exit(test::start(arguments, output));
        std::ostringstream text;
        text << std::ifstream(output).rdbuf();
        EXPECT_EQ(status, 0) << text.str();
        return text.str();
    }

    void ask(const test::ArpFields& fields) {
        std::string packet;
        for (const std::uint8_t byte : test::arp_frame(fields)) {
            std::array<char, 3> digits{};
            std::snprintf(digits.data(), digits.size(), "%02x", byte);
            packet += digits.data();
        }
        ofctl({"packet-out", "br-hnv", "in_port=7,packet=" + packet + ",actions=table"});
    }

    // Polls, since neither the counters nor the switch tell.
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

    bool guest_got(int replies) {
        return eventually([&] {
            return ofctl({"dump-flows", "br-guest"})
                       .find("n_packets=" + std::to_string(replies) + ",") != std::string::npos;
        });
    }

    std::optional<test::OpenVswitch> ovs_;
    policy::NeighbourTable neighbours_;
};

TEST_F(ResponderSwitchTest, AnswersAGuestAndFollowsTheSwitch) {
    Responder responder("unix:" + ovs_->file("br-hnv.mgmt"), neighbours_);
    responder.start();
    ASSERT_TRUE(eventually([&] { return responder.connected(); }));
    program_switch();

    ask({});
    EXPECT_TRUE(guest_got(1));
    EXPECT_EQ(responder.counters().answered, 1U);

    test::ArpFields unknown;
    unknown.target_ip += 2;
    ask(unknown);
    EXPECT_TRUE(eventually([&] { return responder.counters().missed == 1; }));
    EXPECT_TRUE(guest_got(1));

    ovs_->stop_switch();
    EXPECT_TRUE(eventually([&] { return !responder.connected(); }));
    ovs_->start_switch();
    ASSERT_TRUE(eventually([&] { return responder.connected(); }));
    program_switch();
    ask({});
    EXPECT_TRUE(guest_got(1));
    EXPECT_EQ(responder.counters().answered, 2U);

    const Counters counters = responder.counters();
    EXPECT_EQ(counters.malformed + counters.unexpected + counters.refused, 0U);
}

}  // namespace
}  // namespace hnv::responder
