// What one packet-in costs the responder, by kind: the pure part alone, and with both OpenFlow
// codecs.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <variant>

#include "ovs-integration/openflow.h"
#include "pipeline/layout.h"
#include "policy/neighbours.h"
#include "responder/responder.h"
#include "support/fake_switch.h"
#include "unit/responder/arp_frames.h"
#include "unit/responder/ip_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): a program of one file.

// As many addresses as a large deployment has, in subnets of 250.
void fill(policy::NeighbourTable& table, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
        table.set(5001 + i / 250, IpAddress::from_v4(0x0a010101U + i % 250),
                  MacAddress::from_bits(0x020000000000U + i));
    }
    table.set(5001, IpAddress::parse("fd00:1::11").value(), MacAddress::from_bits(0x020000000011U));
}

[[nodiscard]] test::PacketInFields arp_request() { return {.packet = test::arp_frame({})}; }

[[nodiscard]] test::PacketInFields solicitation() {
    return {.packet = test::solicitation(), .userdata = test::from_hex("020200000000fe")};
}

// About a packet of full size, so that the error has its greatest length.
[[nodiscard]] test::PacketInFields too_big() {
    auto packet = test::expired_v6();
    constexpr std::size_t kPayload = 1460;
    packet.resize(test::kIpv6MessageAt + kPayload);
    packet = test::with(packet, 18, {kPayload >> 8, kPayload & 0xff});
    return {.packet = packet,
            .reason = static_cast<std::uint32_t>(pipeline::IcmpReason::TooBig),
            .mtu = 1450,
            .userdata = test::from_hex("030200000000fefd000001000000000000000000000001")};
}

[[nodiscard]] ovs::Bytes message_of(const test::PacketInFields& fields) {
    const auto octets = test::packet_in_message(fields);
    return {octets.begin(), octets.end()};
}

void respond_alone(benchmark::State& state, const test::PacketInFields& fields) {
    policy::NeighbourTable table;
    const policy::LeaseTable leases;
    fill(table, static_cast<std::uint32_t>(state.range(0)));
    const auto decoded = ovs::decode(message_of(fields));
    const auto& in = std::get<ovs::PacketIn>(*decoded);
    if (responder::respond(in, table, leases).outcome != responder::Outcome::Answered) {
        state.SkipWithError("not answered");
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(responder::respond(in, table, leases));
    }
}
BENCHMARK_CAPTURE(respond_alone, arp, arp_request())->Arg(250)->Arg(1'000'000);
BENCHMARK_CAPTURE(respond_alone, nd, solicitation())->Arg(250)->Arg(1'000'000);
BENCHMARK_CAPTURE(respond_alone, too_big, too_big())->Arg(250);

void whole_message(benchmark::State& state, const test::PacketInFields& fields) {
    policy::NeighbourTable table;
    const policy::LeaseTable leases;
    fill(table, 250);
    const ovs::Bytes message = message_of(fields);
    for (auto _ : state) {
        const auto decoded = ovs::decode(message);
        const auto& in = std::get<ovs::PacketIn>(*decoded);
        const auto response = responder::respond(in, table, leases);
        benchmark::DoNotOptimize(ovs::encode_packet_out(response.frame, response.port));
    }
}
BENCHMARK_CAPTURE(whole_message, arp, arp_request());
BENCHMARK_CAPTURE(whole_message, nd, solicitation());
BENCHMARK_CAPTURE(whole_message, too_big, too_big());

}  // namespace
