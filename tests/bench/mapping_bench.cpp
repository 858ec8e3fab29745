// What one CA-PA mapping costs on its way to the switch: compiled, compared, encoded.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ovs-integration/openflow.h"
#include "pipeline/compile.h"
#include "southbound/flow_store.h"
#include "support/policy_builder.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): a program of one file.

constexpr std::uint32_t kSubnet = 1;
constexpr std::uint32_t kLocator = 2;
constexpr std::uint32_t kFirstMapping = 10;

// A subnet of as many mappings, committed.
void fill(test::PolicyBuilder& policy, std::uint32_t count) {
    policy::HostSettingsSpec settings;
    settings.programming = policy::Programming::Proactive;
    policy.model.set_host_settings(settings);
    policy.subnet(kSubnet, 5001);
    policy.locator(kLocator, "192.168.2.1");
    for (std::uint32_t i = 0; i < count; ++i) {
        policy.mapping(kFirstMapping + i, kSubnet, kLocator, 0x020000000000U + i,
                       IpAddress::from_v4(0x0a000001U + i).to_string());
    }
    policy.commit();
}

void compile_mapping(benchmark::State& state) {
    test::PolicyBuilder policy;
    fill(policy, static_cast<std::uint32_t>(state.range(0)));
    const auto id = policy.objects(policy::ObjectKind::Mac).front();
    for (auto _ : state) {
        benchmark::DoNotOptimize(pipeline::compile(policy.model, id));
    }
}
BENCHMARK(compile_mapping)->Arg(1000)->Arg(100'000);

void encode_flow_mod(benchmark::State& state) {
    test::PolicyBuilder policy;
    fill(policy, 1);
    const auto id = policy.objects(policy::ObjectKind::Mac).front();
    const auto set = pipeline::compile(policy.model, id);
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            ovs::encode_bundle_flow_mod(1, ovs::FlowCommand::Add, set.flows.front(), 1));
    }
}
BENCHMARK(encode_flow_mod);

// Handed over anew, unchanged.
void diff_unchanged(benchmark::State& state) {
    test::PolicyBuilder policy;
    fill(policy, 1);
    const auto id = policy.objects(policy::ObjectKind::Mac).front();
    const auto set = pipeline::compile(policy.model, id);
    southbound::FlowStore store;
    std::vector<southbound::FlowChange> changes;
    store.set(id, set.flows, changes);
    for (auto _ : state) {
        store.set(id, set.flows, changes);
        benchmark::DoNotOptimize(changes);
    }
}
BENCHMARK(diff_unchanged);

// A mapping that moves to another MAC and back, in a model of as many.
void change_mapping(benchmark::State& state) {
    test::PolicyBuilder policy;
    fill(policy, static_cast<std::uint32_t>(state.range(0)));
    std::uint64_t mac = 0x02ff00000000U;
    for (auto _ : state) {
        policy.mapping(kFirstMapping, kSubnet, kLocator, mac ^= 1U, "10.0.0.1");
        benchmark::DoNotOptimize(policy.commit());
    }
}
BENCHMARK(change_mapping)->Arg(1000)->Arg(100'000);

}  // namespace
