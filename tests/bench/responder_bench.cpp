// What one ARP request costs the responder: the pure part alone, and with both OpenFlow codecs.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <variant>

#include "ovs-integration/openflow.h"
#include "policy/neighbours.h"
#include "responder/responder.h"
#include "support/fake_switch.h"
#include "unit/responder/arp_frames.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): a program of one file.

// As many addresses as a large deployment has, in subnets of 250.
void fill(policy::NeighbourTable& table, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
        table.set(5001 + i / 250, IpAddress::from_v4(0x0a010101U + i % 250),
                  MacAddress::from_bits(0x020000000000U + i));
    }
}

[[nodiscard]] test::PacketInFields request() { return {.packet = test::arp_frame({})}; }

void parse_look_up_and_build(benchmark::State& state) {
    policy::NeighbourTable table;
    fill(table, static_cast<std::uint32_t>(state.range(0)));
    ovs::PacketIn in;
    in.packet = request().packet;
    in.registers = {5001};
    in.userdata = {1};
    for (auto _ : state) {
        benchmark::DoNotOptimize(responder::respond(in, table));
    }
}
BENCHMARK(parse_look_up_and_build)->Arg(250)->Arg(1'000'000);

void whole_message(benchmark::State& state) {
    policy::NeighbourTable table;
    fill(table, 250);
    const auto octets = test::packet_in_message(request());
    const ovs::Bytes message(octets.begin(), octets.end());
    for (auto _ : state) {
        const auto decoded = ovs::decode(message);
        const auto& in = std::get<ovs::PacketIn>(*decoded);
        const auto response = responder::respond(in, table);
        benchmark::DoNotOptimize(ovs::encode_packet_out(response.frame, in.in_port));
    }
}
BENCHMARK(whole_message);

}  // namespace
