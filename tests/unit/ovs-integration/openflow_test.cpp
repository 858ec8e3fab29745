#include "ovs-integration/openflow.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hnv::ovs {
namespace {

// Message types (ONF TS-012 section 7.1.1).
constexpr std::uint8_t kError = 1;
constexpr std::uint8_t kExperimenter = 4;
constexpr std::uint8_t kSetConfig = 9;
constexpr std::uint8_t kPacketInType = 10;
constexpr std::uint8_t kPacketOut = 13;
constexpr std::uint8_t kFlowMod = 14;
constexpr std::uint8_t kMultipartRequest = 18;
constexpr std::uint8_t kMultipartReply = 19;
constexpr std::uint8_t kBarrierRequest = 20;
constexpr std::uint8_t kBarrierReply = 21;
constexpr std::uint8_t kMeterMod = 29;
constexpr std::uint8_t kBundleControl = 33;
constexpr std::uint8_t kBundleAdd = 34;

constexpr std::uint16_t kFlowStats = 1;
constexpr std::uint16_t kMeterStats = 9;
constexpr std::uint16_t kMeterConfig = 10;
constexpr std::uint16_t kMore = 1;

std::uint64_t number(const Bytes& message, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : message.substr(at, bytes)) {
        value = value << 8 | static_cast<std::uint8_t>(byte);
    }
    return value;
}

Bytes octets(std::uint64_t value, unsigned bytes) {
    Bytes out;
    for (unsigned i = bytes; i-- > 0;) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
    return out;
}

Bytes padded(Bytes bytes) {
    bytes.resize((bytes.size() + 7) / 8 * 8);
    return bytes;
}

Bytes message(std::uint8_t type, std::uint32_t xid, const Bytes& body) {
    return octets(5, 1) + octets(type, 1) + octets(8 + body.size(), 2) + octets(xid, 4) + body;
}

void expect_header(const Bytes& encoded, std::uint8_t type, std::uint32_t xid) {
    ASSERT_GE(encoded.size(), 8U);
    EXPECT_EQ(number(encoded, 0, 1), 5U);
    EXPECT_EQ(number(encoded, 1, 1), type);
    EXPECT_EQ(number(encoded, 2, 2), encoded.size());
    EXPECT_EQ(number(encoded, 4, 4), xid);
}

template <typename T>
T decoded(const Bytes& bytes) {
    const auto result = decode(bytes);
    if (!result) {
        ADD_FAILURE() << result.error().message();
        return T{};
    }
    if (!std::holds_alternative<T>(*result)) {
        ADD_FAILURE() << "another type of message: " << result->index();
        return T{};
    }
    return std::get<T>(*result);
}

Flow sample(std::uint32_t vsid) {
    const std::array<std::uint8_t, 1> userdata{1};
    FlowBuilder builder(3, 100);
    builder.match_reg(0, vsid).match_eth_type(0x0806).match_arp_op(1);
    builder.controller({.controller_id = 0x684e, .meter = 7, .userdata = userdata}).goto_table(5);
    return builder.build(0x6801000000000007U);
}

// --- requests ---

TEST(Encode, BundleControl) {
    const Bytes open = encode_bundle_open(3, 77);
    expect_header(open, kBundleControl, 77);
    EXPECT_EQ(number(open, 8, 4), 3U);
    EXPECT_EQ(number(open, 12, 2), 0U);  // OPEN_REQUEST
    EXPECT_EQ(number(open, 14, 2), 3U);  // Atomic and ordered.
    const Bytes commit = encode_bundle_commit(3, 78);
    expect_header(commit, kBundleControl, 78);
    EXPECT_EQ(number(commit, 12, 2), 4U);  // COMMIT_REQUEST
    EXPECT_EQ(number(commit, 14, 2), 3U);
}

TEST(Encode, BundledFlowModHasTheXidTwice) {
    const Flow flow = sample(5001);
    for (const auto command :
         {FlowCommand::Add, FlowCommand::ModifyStrict, FlowCommand::DeleteStrict}) {
        const Bytes add = encode_bundle_flow_mod(3, command, flow, 77);
        expect_header(add, kBundleAdd, 77);
        EXPECT_EQ(number(add, 8, 4), 3U);
        EXPECT_EQ(number(add, 14, 2), 3U);
        const Bytes inner = add.substr(16);
        expect_header(inner, kFlowMod, 77);
        EXPECT_EQ(number(inner, 8, 8), flow.cookie);
        EXPECT_EQ(number(inner, 24, 1), flow.table);
        EXPECT_EQ(number(inner, 25, 1), static_cast<std::uint64_t>(command));
        EXPECT_EQ(number(inner, 30, 2), flow.priority);
        EXPECT_NE(inner.find(flow.match), Bytes::npos);
        EXPECT_TRUE(inner.ends_with(flow.instructions));
    }
}

TEST(Encode, Barrier) {
    const Bytes barrier = encode_barrier(9);
    expect_header(barrier, kBarrierRequest, 9);
    EXPECT_EQ(barrier.size(), 8U);
}

TEST(Encode, MeterMod) {
    const Meter meter{7, 40'000, 10'000};
    const Bytes add = encode_meter_mod(MeterCommand::Add, meter, 9);
    expect_header(add, kMeterMod, 9);
    EXPECT_EQ(number(add, 8, 2), 0U);
    EXPECT_EQ(number(add, 10, 2), 0x2U | 0x4U | 0x8U);  // Packets a second, burst, statistics.
    EXPECT_EQ(number(add, 12, 4), 7U);
    EXPECT_EQ(number(add, 16, 2), 1U);  // A drop band.
    EXPECT_EQ(number(add, 20, 4), 40'000U);
    EXPECT_EQ(number(add, 24, 4), 10'000U);
    EXPECT_EQ(number(encode_meter_mod(MeterCommand::Modify, meter, 9), 8, 2), 1U);
    const Meter rate{7, 10'000, 3'000, MeterUnit::Kilobits};
    EXPECT_EQ(number(encode_meter_mod(MeterCommand::Add, rate, 9), 10, 2), 0x1U | 0x4U | 0x8U);
    const Bytes remove = encode_meter_mod(MeterCommand::Delete, meter, 9);
    EXPECT_EQ(number(remove, 8, 2), 2U);
    EXPECT_EQ(remove.size(), 16U);
}

TEST(Encode, StatisticsRequests) {
    const Bytes flows = encode_all_flows_request(5);
    expect_header(flows, kMultipartRequest, 5);
    EXPECT_EQ(number(flows, 8, 2), kFlowStats);
    EXPECT_EQ(number(flows, 16, 1), 0xffU);        // All tables,
    EXPECT_EQ(number(flows, 20, 4), 0xffffffffU);  // any output port
    EXPECT_EQ(number(flows, 24, 4), 0xffffffffU);  // and group.
    const Bytes stats = encode_all_meter_stats_request(7);
    expect_header(stats, kMultipartRequest, 7);
    EXPECT_EQ(number(stats, 8, 2), kMeterStats);
    EXPECT_EQ(number(stats, 16, 4), 0xffffffffU);
    const Bytes meters = encode_all_meters_request(6);
    expect_header(meters, kMultipartRequest, 6);
    EXPECT_EQ(number(meters, 8, 2), kMeterConfig);
    EXPECT_EQ(number(meters, 16, 4), 0xffffffffU);
}

TEST(Encode, RequestsForSomeFlows) {
    const Bytes flows = encode_flows_request({7, 0x6801000000000002ULL, {{2, 5}}, {}, {}}, 5);
    expect_header(flows, kMultipartRequest, 5);
    EXPECT_EQ(number(flows, 8, 2), kFlowStats);
    EXPECT_EQ(number(flows, 16, 1), 7U);
    EXPECT_EQ(number(flows, 32, 8), 0x6801000000000002ULL);
    EXPECT_EQ(number(flows, 40, 8), ~0ULL);    // The whole cookie.
    EXPECT_EQ(number(flows, 50, 2), 4U + 8U);  // The match: its header, and reg2 = 5
    EXPECT_EQ(number(flows, 52, 4), 0x00010404U);
    EXPECT_EQ(number(flows, 56, 4), 5U);
    EXPECT_NE(encode_flows_request({{}, {}, {}, 5001, {}}, 5),
              encode_flows_request({{}, {}, {}, {}, 5001}, 5));
    EXPECT_EQ(encode_flows_request({}, 5), encode_all_flows_request(5));
}

TEST(Encode, FlushOfAConnectionTrackingZone) {
    const Bytes flush = encode_flush_ct_zone(7, 5);
    expect_header(flush, kExperimenter, 5);
    EXPECT_EQ(number(flush, 8, 4), 0x2320U);
    EXPECT_EQ(number(flush, 22, 2), 7U);
}

TEST(Encode, PacketInSetup) {
    const auto setup = encode_packet_in_setup(0x684e);
    ASSERT_EQ(setup.size(), 3U);
    EXPECT_EQ(number(setup[0], 1, 1), kExperimenter);
    EXPECT_EQ(number(setup[1], 1, 1), kExperimenter);
    EXPECT_TRUE(setup[1].ends_with(octets(0x684e, 2)));
    EXPECT_EQ(number(setup[2], 1, 1), kSetConfig);
    EXPECT_EQ(number(setup[2], 10, 2), 0xffffU);
}

TEST(Encode, PacketOut) {
    const std::vector<std::uint8_t> packet(60, 0xab);
    const Bytes out = encode_packet_out(packet, 7);
    expect_header(out, kPacketOut, 0);
    EXPECT_EQ(number(out, 8, 4), 0xffffffffU);   // Not buffered,
    EXPECT_EQ(number(out, 12, 4), 0xfffffffdU);  // from the controller,
    EXPECT_EQ(number(out, 28, 4), 7U);           // to port 7.
    EXPECT_TRUE(out.ends_with(Bytes(60, '\xab')));
}

// --- replies ---

TEST(Decode, RefusesAWrongLength) {
    EXPECT_FALSE(decode(Bytes()));
    EXPECT_FALSE(decode(Bytes(7, '\0')));
    Bytes barrier = message(kBarrierReply, 9, {});
    EXPECT_FALSE(decode(barrier + '\0'));
    barrier.pop_back();
    EXPECT_FALSE(decode(barrier));
}

TEST(Decode, RefusesEveryCutOffReply) {
    const Bytes whole = message(kBundleControl, 77, octets(3, 4) + octets(5, 2) + octets(3, 2));
    for (std::size_t body = 0; body + 9 < whole.size(); ++body) {
        EXPECT_FALSE(decode(message(kBundleControl, 77, whole.substr(8, body)))) << body;
    }
}

TEST(Decode, BarrierReply) {
    EXPECT_EQ(decoded<BarrierReply>(message(kBarrierReply, 9, {})).xid, 9U);
}

TEST(Decode, ErrorNamesItself) {
    const Bytes refused = encode_barrier(9);
    // OFPET_FLOW_MOD_FAILED, OFPFMFC_TABLE_FULL.
    const auto error =
        decoded<ErrorReply>(message(kError, 9, octets(5, 2) + octets(1, 2) + refused));
    EXPECT_EQ(error.xid, 9U);
    EXPECT_EQ(error.name, "OFPFMFC_TABLE_FULL");
    EXPECT_FALSE(
        decoded<ErrorReply>(message(kError, 9, octets(0x1234, 2) + octets(1, 2))).name.empty());
}

TEST(Decode, BundleCommitted) {
    const auto reply = decoded<BundleCommitted>(
        message(kBundleControl, 77, octets(3, 4) + octets(5, 2) + octets(3, 2)));
    EXPECT_EQ(reply.xid, 77U);
    EXPECT_EQ(reply.bundle, 3U);
    // The answer to an open request is not a commitment.
    decoded<OtherMessage>(message(kBundleControl, 77, octets(3, 4) + octets(1, 2) + octets(3, 2)));
}

Bytes flow_stats_entry(const Flow& flow, std::uint32_t duration, std::uint64_t packets) {
    // struct ofp_flow_stats (ONF TS-012 section 7.3.5.2) after its length.
    const Bytes match = padded(octets(1, 2) + octets(4 + flow.match.size(), 2) + flow.match);
    const Bytes rest = octets(flow.table, 1) + octets(0, 1) + octets(duration, 4) + octets(0, 4) +
                       octets(flow.priority, 2) + Bytes(10, '\0') + octets(flow.cookie, 8) +
                       octets(packets, 8) + octets(packets * 60, 8) + match + flow.instructions;
    return octets(2 + rest.size(), 2) + rest;
}

// What makes a read-back comparable: a flow that the switch reports is, byte for byte, the one that
// was sent.
TEST(Decode, FlowStatsGiveTheFlowsThatWereBuilt) {
    std::vector<Flow> flows{sample(5001), sample(6001)};
    FlowBuilder tunnel(16, 100);
    tunnel.match_reg(4, 1).move_reg_to_tun_id(0, 0).set_tun_dst(*IpAddress::parse("192.168.1.10"));
    tunnel.output(1);
    flows.push_back(tunnel.build(0x6802000000000001U));
    FlowBuilder firewall(3, 65200);
    firewall.match_ip_src(*IpPrefix::parse("10.1.1.0/24")).match_ip_proto(6).match_tp_dst(1433);
    firewall.match_ct_state(0x21, 0x21)
        .ct({.zone = 7, .commit = true, .next_table = {}})
        .set_reg(2, 9)
        .goto_table(9);
    flows.push_back(firewall.build(0x6803000000000001U));
    FlowBuilder others(9, 1);
    others.match_untagged()
        .match_eth_type(0x0800)
        .dec_ttl()
        .set_eth_src(MacAddress::from_bits(0x02U))
        .output_reg(2);
    others.resubmit(12);
    flows.push_back(others.build(1));
    flows.push_back(FlowBuilder(0, 0).build());

    Bytes body = octets(kFlowStats, 2) + octets(kMore, 2) + octets(0, 4);
    for (const Flow& flow : flows) {
        body += flow_stats_entry(flow, 12, 5);
    }
    const auto reply = decoded<FlowStats>(message(kMultipartReply, 5, body));
    EXPECT_EQ(reply.xid, 5U);
    EXPECT_TRUE(reply.more);
    ASSERT_EQ(reply.flows.size(), flows.size());
    for (std::size_t i = 0; i < flows.size(); ++i) {
        EXPECT_EQ(reply.flows[i].flow, flows[i]) << to_text(flows[i]);
        EXPECT_EQ(reply.flows[i].duration_sec, 12U);
        EXPECT_EQ(reply.flows[i].packets, 5U);
        EXPECT_EQ(reply.flows[i].bytes, 300U);
    }
}

TEST(Decode, NoFlowsAtAll) {
    const auto reply = decoded<FlowStats>(
        message(kMultipartReply, 5, octets(kFlowStats, 2) + octets(0, 2) + octets(0, 4)));
    EXPECT_TRUE(reply.flows.empty());
    EXPECT_FALSE(reply.more);
}

TEST(Decode, MeterConfigs) {
    const auto meter = [](std::uint32_t id, std::uint32_t rate, std::uint32_t burst,
                          std::uint16_t flags = 0xe) {
        return octets(24, 2) + octets(flags, 2) + octets(id, 4) + octets(1, 2) + octets(16, 2) +
               octets(rate, 4) + octets(burst, 4) + octets(0, 4);
    };
    const auto reply = decoded<MeterConfigs>(
        message(kMultipartReply, 6,
                octets(kMeterConfig, 2) + octets(0, 2) + octets(0, 4) + meter(7, 40'000, 10'000) +
                    meter(8, 100, 25) + meter(9, 5000, 1500, 0xd)));
    EXPECT_EQ(reply.meters,
              (std::vector<Meter>{
                  {7, 40'000, 10'000}, {8, 100, 25}, {9, 5000, 1500, MeterUnit::Kilobits}}));
    EXPECT_FALSE(reply.more);
}

TEST(Decode, MeterStatsTellWhatTheBandsDropped) {
    const auto meter = [](std::uint32_t id, std::uint64_t packets) {
        return octets(id, 4) + octets(56, 2) + Bytes(6, '\0') + octets(2, 4) + octets(1000, 8) +
               octets(60'000, 8) + octets(5, 4) + octets(0, 4) + octets(packets, 8) +
               octets(packets * 60, 8);
    };
    const Bytes head = octets(kMeterStats, 2) + octets(kMore, 2) + octets(0, 4);
    const auto reply =
        decoded<MeterStats>(message(kMultipartReply, 7, head + meter(5, 3) + meter(6, 0)));
    EXPECT_EQ(reply.xid, 7U);
    EXPECT_TRUE(reply.more);
    ASSERT_EQ(reply.meters.size(), 2U);
    EXPECT_EQ(reply.meters[0].id, 5U);
    EXPECT_EQ(reply.meters[0].dropped_packets, 3U);
    EXPECT_EQ(reply.meters[0].dropped_bytes, 180U);
    EXPECT_EQ(reply.meters[1].dropped_packets, 0U);
    EXPECT_FALSE(decode(message(kMultipartReply, 7, head + meter(5, 3).substr(0, 20))));
}

TEST(Decode, PacketIn) {
    // NXT_PACKET_IN2: packet, metadata (in_port, metadata, reg0, reg2), userdata.
    const auto property = [](std::uint16_t type, const Bytes& value) {
        return padded(octets(type, 2) + octets(4 + value.size(), 2) + value);
    };
    const Bytes metadata = octets(0x80000004U, 4) + octets(42, 4) + octets(0x80000408U, 4) +
                           octets(0x1234567890U, 8) + octets(0x00010004U, 4) + octets(5001, 4) +
                           octets(0x00010404U, 4) + octets(9, 4);
    const Bytes body = octets(0x2320, 4) + octets(30, 4) + property(0, Bytes(42, '\xab')) +
                       property(6, metadata) + property(7, octets(0x01ff, 2));
    const auto in = decoded<PacketIn>(message(kExperimenter, 0, body));
    EXPECT_EQ(in.packet, std::vector<std::uint8_t>(42, 0xab));
    EXPECT_EQ(in.in_port, 42U);
    EXPECT_EQ(in.metadata, 0x1234567890U);
    ASSERT_GE(in.registers.size(), 3U);
    EXPECT_EQ(in.registers[0], 5001U);
    EXPECT_EQ(in.registers[1], 0U);
    EXPECT_EQ(in.registers[2], 9U);
    EXPECT_EQ(in.userdata, (std::vector<std::uint8_t>{1, 0xff}));
}

TEST(Decode, PassesOtherMessagesOver) {
    decoded<OtherMessage>(message(2, 1, {}));  // An echo request.
    EXPECT_FALSE(decode(message(kPacketInType, 0, Bytes(3, '\0'))));
}

}  // namespace
}  // namespace hnv::ovs
