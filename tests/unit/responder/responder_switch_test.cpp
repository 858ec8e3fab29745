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
#include "ip_frames.h"
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
        const MacAddress sql = MacAddress::from_bits(0x020000000011U);
        neighbours_.set(5001, IpAddress::from_v4(0x0a01010bU), sql);
        neighbours_.set(5001, IpAddress::parse("fd00:1::11").value(), sql);
    }

    // What the southbound does: a switch starts with no flows.
    void program_switch() {
        ofctl({"add-meter", "br-hnv",
               "meter=7,pktps,burst,band=type=drop,rate=40000,burst_size=10000"});
        send_to_agent("arp", "load:5001->NXM_NX_REG0[]", "01");
        // The guest has a tag of VLAN 100, which the pipeline has taken off.
        send_to_agent("icmp6,icmp_type=135", "load:5001->NXM_NX_REG0[],load:0x1064->NXM_NX_REG6[]",
                      "02.02.00.00.00.00.fe");
        send_to_agent("udp,nw_ttl=1", "load:1->NXM_NX_REG8[]", "03.02.00.00.00.00.fe.0a.01.01.01");
        for (const char* match : {kArpReply, kAdvertisement, kTimeExceeded}) {
            ofctl({"add-flow", "br-guest", std::string(match) + ",actions=drop"});
        }
    }

    void send_to_agent(const std::string& match, const std::string& loads,
                       const std::string& userdata) {
        ofctl({"add-flow", "br-hnv",
               match + ",in_port=7,actions=load:7->NXM_NX_REG1[]," + loads +
                   ",controller(id=" + std::to_string(pipeline::kResponderControllerId) +
                   ",userdata=" + userdata + ",meter_id=7)"});
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

    void ask(const test::FrameBytes& frame) {
        std::string packet;
        for (const std::uint8_t byte : frame) {
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

    // `match`: one of those below.
    bool guest_got(const char* match, int replies) {
        return eventually([&] {
            return ofctl({"dump-flows", "br-guest", match})
                       .find("n_packets=" + std::to_string(replies) + ",") != std::string::npos;
        });
    }

    // What the guest is to see.
    static constexpr const char* kArpReply =
        "arp,arp_op=2,dl_src=02:00:00:00:00:11,dl_dst=02:00:00:00:00:12,"
        "arp_spa=10.1.1.11,arp_tpa=10.1.1.12,arp_tha=02:00:00:00:00:12";
    static constexpr const char* kAdvertisement =
        "icmp6,icmp_type=136,dl_vlan=100,dl_src=02:00:00:00:00:11,dl_dst=02:00:00:00:00:12,"
        "ipv6_src=fd00:1::11,ipv6_dst=fd00:1::12,nd_target=fd00:1::11,nd_tll=02:00:00:00:00:11";
    static constexpr const char* kTimeExceeded =
        "icmp,icmp_type=11,vlan_tci=0,dl_src=02:00:00:00:00:fe,dl_dst=02:00:00:00:00:12,"
        "nw_src=10.1.1.1,nw_dst=10.1.1.12";

    std::optional<test::OpenVswitch> ovs_;
    policy::NeighbourTable neighbours_;
    policy::LeaseTable leases_;
};

TEST_F(ResponderSwitchTest, AnswersAGuestAndFollowsTheSwitch) {
    Responder responder("unix:" + ovs_->file("br-hnv.mgmt"), neighbours_, leases_);
    responder.start();
    ASSERT_TRUE(eventually([&] { return responder.connected(); }));
    program_switch();

    ask(test::arp_frame({}));
    EXPECT_TRUE(guest_got(kArpReply, 1));
    EXPECT_EQ(responder.counters().arp.answered, 1U);

    test::ArpFields unknown;
    unknown.target_ip += 2;
    ask(test::arp_frame(unknown));
    EXPECT_TRUE(eventually([&] { return responder.counters().arp.missed == 1; }));
    EXPECT_TRUE(guest_got(kArpReply, 1));

    ovs_->stop_switch();
    EXPECT_TRUE(eventually([&] { return !responder.connected(); }));
    ovs_->start_switch();
    ASSERT_TRUE(eventually([&] { return responder.connected(); }));
    program_switch();
    ask(test::arp_frame({}));
    EXPECT_TRUE(guest_got(kArpReply, 1));
    EXPECT_EQ(responder.counters().arp.answered, 2U);

    const Counters counters = responder.counters();
    EXPECT_EQ(counters.arp.malformed + counters.unexpected + counters.refused, 0U);
}

TEST_F(ResponderSwitchTest, AnswersWhatIsNotArp) {
    Responder responder("unix:" + ovs_->file("br-hnv.mgmt"), neighbours_, leases_);
    responder.start();
    ASSERT_TRUE(eventually([&] { return responder.connected(); }));
    program_switch();

    ask(test::solicitation());
    EXPECT_TRUE(guest_got(kAdvertisement, 1));
    ask(test::expired_v4());
    EXPECT_TRUE(guest_got(kTimeExceeded, 1));
    EXPECT_TRUE(guest_got(kArpReply, 0));
    EXPECT_TRUE(eventually([&] { return responder.counters().icmp_errors.ttl_expired == 1; }));
    const Counters counters = responder.counters();
    EXPECT_EQ(counters.nd.answered, 1U);
    EXPECT_EQ(counters.unexpected + counters.refused, 0U);
}

}  // namespace
}  // namespace hnv::responder
