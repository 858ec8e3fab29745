// What the agent tells after each turn: port states, endpoints, provider addresses, faults, status,
// and cur_cfg last, when all that it stands for has been written.
#include <algorithm>

#include <optional>
#include <string>
#include <utility>

#include "agent.h"
#include "northbound/binding_stats.h"
#include "northbound/own_rows.h"
#include "ovs-integration/event_loop.h"

namespace hnv {

namespace {

// A load writes its counts no more often than this.
constexpr std::int64_t kStatusMsec = 1000;
// The audit log's counts and those of clients change without a commit.
constexpr std::int64_t kAuditedMsec = 10'000;
// At the start the host's side is known after some milliseconds; without a switch, never.
constexpr std::chrono::milliseconds kPatience{3000};
// What guests have unless told otherwise.
constexpr unsigned kGuestMtu = 1500;

// VXLAN needs more than NVGRE: what has room for it has room for both.
[[nodiscard]] std::optional<std::string> mtu_problem(const underlay::ProviderAddressState& state) {
    const unsigned needed =
        kGuestMtu + policy::overhead_of(policy::Encapsulation::Vxlan, state.address.is_v4());
    if (!state.present || state.mtu == 0 || state.mtu >= needed) {
        return std::nullopt;
    }
    return "the MTU of " + state.interface + ", which carries " + state.address.to_string() +
           ", is " + std::to_string(state.mtu) + ", and guests with an MTU of " +
           std::to_string(kGuestMtu) + " need " + std::to_string(needed) +
           " for VXLAN: raise it there and on its uplink, or lower the guests'";
}

}  // namespace

void Agent::take_provider_addresses() {
    provider_addresses_.clear();
    const auto& states = underlay_.facts().provider_addresses;
    // Both are in the model's order; a row that came in since the underlay was told has no state.
    std::size_t next = 0;
    model_.for_each_provider_address([&](const Uuid& row, const policy::ProviderAddressSpec& spec) {
        underlay::ProviderAddressState state;
        state.problem = "the agent has not looked for " + spec.address.address.to_string() + " yet";
        if (next < states.size() && states[next].address == spec.address.address) {
            state = states[next];
        }
        ++next;
        northbound::ProviderAddressStatus& status =
            provider_addresses_.emplace_back(northbound::ProviderAddressStatus{
                row, spec.address.address, state.present, state.interface, 0, state.made,
                state.mark, state.mtu});
        const auto ports = ports_by_pa_.find(status.address);
        status.ports = ports == ports_by_pa_.end() ? 0 : ports->second;
        const policy::RowRef source{policy::SourceTable::HostProviderAddress, row};
        faults_.set(source, policy::FaultKey::PaMissing,
                    state.problem.empty() ? std::nullopt : std::optional(state.problem));
        faults_.set(source, policy::FaultKey::UnderlayMtu, mtu_problem(state));
    });
}

void Agent::take_verdicts() {
    for (const southbound::Verdict& verdict : southbound_.take_verdicts()) {
        if (const auto row = model_.row_of(verdict.owner)) {
            faults_.set(*row, policy::FaultKey::SwitchRejected, verdict.error);
        } else if (verdict.error) {
            refused_.insert_or_assign(verdict.owner, *verdict.error);
        } else {
            refused_.erase(verdict.owner);
        }
    }
}

void Agent::tell_ports() {
    const auto changed = model_.take_port_changes();
    if (!changed.empty()) {
        writer_.write_ports(changed);
        binding_counters_.look_soon();
        endpoints_due_ = true;
        vtep_ports_due_ = true;
        ports_by_pa_.clear();
        model_.for_each_port([this](const policy::PortStatus& port) {
            if (port.state == policy::PortState::Active && port.pa) {
                ++ports_by_pa_[*port.pa];
            }
        });
    }
    take_provider_addresses();
    if (std::exchange(endpoints_due_, false)) {
        writer_.write_endpoints(model_);
    }
    if (std::exchange(vtep_ports_due_, false)) {
        vtep_ports_.write(model_);
    }
    writer_.write_provider_addresses(provider_addresses_);
    tell_arp_sources();
}

void Agent::tell_arp_sources() {
    const auto router = model_.vtep_router_mac();
    std::vector<IpAddress> addresses;
    for (const northbound::ProviderAddressStatus& status : provider_addresses_) {
        if (router && status.present) {
            addresses.push_back(status.address);
        }
    }
    vtep_arp_sources_.write(router.value_or(MacAddress{}), addresses);
}

// What could not be written while the disk was full is written once it can be: true, and the rest
// is told when that has come back.
bool Agent::take_storage() {
    const ovs::StorageState storage = databases_.storage();
    const bool writable = storage.problem.empty();
    status_due_ |= writable != std::exchange(writable_, writable);
    if (!writable || storage.failed == failed_writes_) {
        return false;
    }
    failed_writes_ = storage.failed;
    tell_all_ = endpoints_due_ = own_rows_missing_ = vtep_ports_due_ = true;
    vtep_arp_sources_.look_again();
    tunnels_.write_again();
    std::vector<policy::PortStatus> ports;
    model_.for_each_port([&ports](const policy::PortStatus& port) { ports.push_back(port); });
    writer_.write_ports(ports);
    fault_writer_.write_again();
    sequences_.write_again();
    return !databases_.settled();
}

void Agent::tell() {
    take_verdicts();
    if (!databases_.settled()) {
        return;  // Its rows are not yet as they were written; hearing of them wakes us.
    }
    if (take_storage()) {
        return;
    }
    const std::int64_t now = ovs::now_msec();
    ownership_.put_right();
    if (std::exchange(own_rows_missing_, false)) {
        northbound::ensure_own_rows(databases_, config_.name);
    }
    // Of an agent that restarts nothing is told before it can be true: until then all ports would
    // seem unplugged, and their endpoints and faults gone.
    const auto age = std::chrono::steady_clock::now() - started_;
    if (!underlay_known_ && age < kPatience) {
        return ovs::wake_at(now + std::chrono::milliseconds(kPatience).count());
    }
    if (std::exchange(tell_all_, false)) {
        tell_ports();
        status_due_ = true;
    }
    tell_learned();
    if (binding_counters_.take_changed()) {
        northbound::write_binding_stats(databases_, binding_counters_.totals());
    }
    tell_tunnels();
    vtep_fault_writer_.write(faults_);
    fault_writer_.write(faults_);
    if (now >= next_audited_) {
        next_audited_ = now + kAuditedMsec;
        status_due_ |= audit_log_.counters() != std::exchange(audited_, audit_log_.counters());
        status_due_ |= databases_.counters() != std::exchange(served_, databases_.counters());
    }
    if (status_due_ && now >= next_status_) {
        status_due_ = false;
        next_status_ = now + kStatusMsec;
        writer_.write_host(reports_->host_status());
    }
    sequences_.on_confirmed(southbound_.confirmed());
    ovs::wake_at(next_audited_);
    if (status_due_) {
        ovs::wake_at(next_status_);
    }
}

}  // namespace hnv
