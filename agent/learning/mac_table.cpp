#include "learning/mac_table.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"

namespace hnv::learning {

namespace {

using policy::FaultKey;
using policy::SightingStatus;
using Standing = policy::SightingStatus::Standing;

constexpr const char* kModule = "learning";
// How often the switch is asked: several times in the time that a MAC may be silent.
constexpr std::int64_t kPolls = 5;
constexpr std::int64_t kMinPollMsec = 1000;
constexpr std::int64_t kMaxPollMsec = 30'000;
constexpr std::int64_t kMendMsec = 1000;

[[nodiscard]] std::uint64_t print_of(const ovs::Flow& flow) {
    return std::hash<std::string>{}(flow.key());
}

[[nodiscard]] std::size_t family_of(const policy::Sighting& sighting) {
    return sighting.address && !sighting.address->is_v4() ? 1 : 0;
}

}  // namespace

MacTable::MacTable(policy::Model& model, policy::Faults& faults, std::string target)
    : model_(model), faults_(faults), table_counters_(std::move(target), "learning-counters") {}

std::size_t MacTable::host_limit() const {
    return model_.host_settings().learned_macs_limit.value_or(policy::kDefaultHostLearnedMacs);
}

std::int64_t MacTable::aging_msec() const {
    return std::int64_t{1000} *
           model_.host_settings().mac_aging_seconds.value_or(policy::kDefaultMacAgingSeconds);
}

std::int64_t MacTable::poll_msec() const {
    return std::clamp(aging_msec() / kPolls, kMinPollMsec, kMaxPollMsec);
}

bool MacTable::take(std::span<const policy::Sighting> sightings, std::int64_t now) {
    bool changed = false;
    for (const policy::Sighting& sighting : sightings) {
        changed |= take(sighting, now);
    }
    return changed;
}

bool MacTable::take(const policy::Sighting& sighting, std::int64_t now) {
    const SightingStatus status = model_.look_at(sighting);
    switch (status.standing) {
        case Standing::NoPort:
            return false;
        case Standing::Reserved:
            ++counters_.reserved;
            return false;
        case Standing::New:
            if (!may_learn(sighting, status)) {
                return false;
            }
            ++counters_.learned;
            break;
        case Standing::Elsewhere:
            if (!may_learn(sighting, status) || !may_move(sighting, status, now)) {
                return false;
            }
            ++counters_.moved;
            break;
        case Standing::Here: {
            Entry& entry = entries_[status.id];
            entry.silent = 0;  // ARP is traffic, too.
            if (!status.news ||
                (status.replaces && now < entry.address_due.at(family_of(sighting)))) {
                return false;
            }
            break;
        }
    }
    model_.learn(sighting);
    Entry& entry = entries_[status.id];
    entry.silent = 0;
    if (sighting.address) {
        entry.address_due.at(family_of(sighting)) = now + kAddressMsec;
    }
    return true;
}

// Whether there is room at the port, and at the host.
bool MacTable::may_learn(const policy::Sighting& sighting, const SightingStatus& status) {
    const bool port_full = status.of_port >= status.limit;
    const bool host_full =
        status.standing == Standing::New && model_.learned_macs() >= host_limit();
    if (!port_full && !host_full) {
        return true;
    }
    ++counters_.refused;
    if (!status.row) {
        return false;
    }
    at_limit_.insert_or_assign(*status.row, sighting);
    faults_.set(
        *status.row, FaultKey::MacLimit,
        port_full
            ? "port " + status.port + " shows more MACs than the " + std::to_string(status.limit) +
                  " that it may; frames to the others are flooded: raise "
                  "other_config:learned_macs_limit of its Port_Settings, or see who is behind it"
            : "all ports of this host together show more MACs than the " +
                  std::to_string(host_limit()) + " that they may, port " + status.port +
                  " among them; frames to the others are flooded: raise learned_macs_limit in "
                  "Host.settings");
    return false;
}

bool MacTable::may_move(const policy::Sighting& sighting, const SightingStatus& status,
                        std::int64_t now) {
    Entry& entry = entries_[status.id];
    if (now < entry.held_until) {
        ++counters_.held;
        return false;
    }
    if (entry.moves == 0 || now - entry.window > kMoveWindowMsec) {
        entry.window = now;
        entry.moves = 0;
    }
    if (++entry.moves <= kMaxMoves) {
        return true;
    }
    entry.moves = 0;
    entry.held_until = now + kHoldMsec;
    ++counters_.held;
    if (const auto row = model_.row_of(status.id)) {  // Of the port where it stays.
        flapping_.insert_or_assign(*row, entry.held_until);
        faults_.set(*row, FaultKey::MacFlap,
                    sighting.mac.to_string() + " moves to and fro between this port and " +
                        status.port +
                        ": two stations have it, or there is a loop; it is taken to be here for "
                        "the next " +
                        std::to_string(kHoldMsec / 1000) + " seconds");
    }
    return false;
}

void MacTable::note_flows(const policy::ObjectId& id, const pipeline::FlowSet& flows) {
    if (const auto known = entries_.find(id); known != entries_.end()) {
        for (const std::uint64_t print : known->second.prints) {
            owners_.erase(print);
        }
        if (flows.flows.empty()) {
            entries_.erase(known);
            return;
        }
        known->second.prints.clear();
    }
    if (flows.flows.empty()) {
        return;
    }
    Entry& entry = entries_[id];
    for (const ovs::Flow& flow : flows.flows) {
        if (flow.table == static_cast<std::uint8_t>(pipeline::Table::Learn)) {
            entry.prints.push_back(print_of(flow));
            owners_.insert_or_assign(entry.prints.back(), id);
        }
    }
}

bool MacTable::age(std::span<const ovs::FlowRecord> flows, std::int64_t passed) {
    std::unordered_map<policy::ObjectId, std::uint64_t> counted;
    for (const ovs::FlowRecord& record : flows) {
        if (const auto owner = owners_.find(print_of(record.flow)); owner != owners_.end()) {
            counted[owner->second] += record.packets;
        }
    }
    bool forgot = false;
    for (auto& [id, entry] : entries_) {
        const auto now = counted.find(id);
        if (now == counted.end()) {
            continue;  // Not in the switch yet.
        }
        entry.silent =
            std::exchange(entry.packets, now->second) == now->second ? entry.silent + passed : 0;
        if (entry.silent >= aging_msec()) {
            model_.forget(id);  // Its entry goes with its flows.
            ++counters_.aged_out;
            forgot = true;
        }
    }
    return forgot;
}

void MacTable::take_counters(const Result<std::vector<ovs::FlowRecord>>& flows) {
    const std::int64_t now = ovs::now_msec();
    if (!flows) {
        log::warn(kModule, "no counters of learned MACs: " + flows.error().message());
        last_answer_ = 0;
        return;
    }
    // A time without answers is nobody's silence.
    const std::int64_t passed = last_answer_ == 0 ? 0 : now - last_answer_;
    last_answer_ = now;
    aged_ |= age(*flows, std::min(passed, 2 * poll_msec()));
}

bool MacTable::run(std::int64_t now) {
    if (table_counters_.waiting() == 0 && !entries_.empty() && now >= last_poll_ + poll_msec()) {
        last_poll_ = now;
        table_counters_.ask(
            {pipeline::Table::Learn},
            [this](const Result<std::vector<ovs::FlowRecord>>& flows) { take_counters(flows); });
    }
    table_counters_.run();
    if (now >= next_mend_) {
        next_mend_ = now + kMendMsec;
        mend_faults(now);
    }
    return std::exchange(aged_, false);
}

// Takes back the faults whose cause is gone.
void MacTable::mend_faults(std::int64_t now) {
    std::erase_if(at_limit_, [&](const auto& each) {
        const SightingStatus status = model_.look_at(each.second);
        const bool still =
            (status.standing == Standing::New || status.standing == Standing::Elsewhere) &&
            status.row == each.first &&
            (status.of_port >= status.limit ||
             (status.standing == Standing::New && model_.learned_macs() >= host_limit()));
        if (!still) {
            faults_.set(each.first, FaultKey::MacLimit, std::nullopt);
        }
        return !still;
    });
    std::erase_if(flapping_, [&](const auto& each) {
        if (now >= each.second) {
            faults_.set(each.first, FaultKey::MacFlap, std::nullopt);
        }
        return now >= each.second;
    });
}

void MacTable::wait() {
    table_counters_.wait();
    if (!entries_.empty() && table_counters_.waiting() == 0) {
        ovs::wake_at(last_poll_ + poll_msec());
    }
    if (!at_limit_.empty() || !flapping_.empty()) {
        ovs::wake_at(next_mend_);
    }
}

}  // namespace hnv::learning
