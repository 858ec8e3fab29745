// Changes on their way to the switch: meters, one bundle at a time, and what became of it.
#include <algorithm>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "southbound/southbound.h"

namespace hnv::southbound {

namespace {

constexpr const char* kModule = "southbound";
// More changes than this go in several bundles: a bundle costs the switch memory, and so many at
// once are a first load, not a change to be seen as one.
constexpr std::size_t kMaxBundle = 50'000;
// After a bundle that failed as a whole.
constexpr std::int64_t kRetryMsec = 1000;

[[nodiscard]] ovs::FlowCommand command_of(const FlowChange& change) {
    switch (change.kind) {
        case FlowChange::Kind::Add:
            return ovs::FlowCommand::Add;
        case FlowChange::Kind::Modify:
            return ovs::FlowCommand::ModifyStrict;
        case FlowChange::Kind::Delete:
            break;
    }
    return ovs::FlowCommand::DeleteStrict;
}

}  // namespace

// Meters that a flow of this bundle may need; deletions wait until the flows have gone.
void Southbound::send_meters() {
    const bool last = pending_.size() <= kMaxBundle;
    for (auto each = pending_meters_.begin(); each != pending_meters_.end();) {
        const auto& [id, wanted] = *each;
        const auto installed = installed_meters_.find(id);
        const bool exists = installed != installed_meters_.end();
        if (!wanted && exists && !last) {
            ++each;
            continue;
        }
        if (!wanted && exists) {
            bundle_.retired_meters.push_back(id);
        }
        if (wanted && (!exists || installed->second != *wanted)) {
            sent_meters_[next_xid_] = id;
            connection_.send(ovs::encode_meter_mod(
                exists ? ovs::MeterCommand::Modify : ovs::MeterCommand::Add, *wanted, next_xid_++));
            installed_meters_[id] = *wanted;
        }
        each = pending_meters_.erase(each);
    }
}

// What goes into the next bundle. Of more than fits, the last tables come first, so that nothing is
// let in before all that judges it is there, and deletions last: a gap is worse than a remnant.
std::vector<FlowChange> Southbound::take_pending() {
    std::vector<FlowChange> changes;
    if (pending_.size() <= kMaxBundle) {
        changes.reserve(pending_.size());
        for (auto& [key, change] : std::exchange(pending_, {})) {
            changes.push_back(std::move(change));
        }
        return changes;
    }
    std::vector<decltype(pending_)::iterator> order;
    order.reserve(pending_.size());
    for (auto each = pending_.begin(); each != pending_.end(); ++each) {
        order.push_back(each);
    }
    const auto rank = [](const auto& entry) {
        const FlowChange& change = entry->second;
        return std::pair(change.kind == FlowChange::Kind::Delete, 255 - change.flow.table);
    };
    std::sort(order.begin(), order.end(),
              [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); });
    order.resize(kMaxBundle);
    for (const auto& each : order) {
        changes.push_back(std::move(each->second));
        pending_.erase(each);
    }
    return changes;
}

void Southbound::send_bundle() {
    bundle_ = {};
    send_meters();
    if (pending_.size() <= kMaxBundle) {
        bundle_.stale_zones = std::exchange(stale_zones_, {});
    }
    bundle_.sent = Clock::now();
    bundle_.number = pending_.size() <= kMaxBundle ? applied_ : confirmed_;
    bundle_.changes = take_pending();
    if (bundle_.changes.size() == 1) {
        // Atomic by itself; the messages of a bundle would take the switch longer than the flow.
        const FlowChange& change = bundle_.changes.front();
        bundle_.first_xid = next_xid_++;
        connection_.send(ovs::encode_flow_mod(command_of(change), change.flow, bundle_.first_xid));
    } else {
        const std::uint32_t bundle = next_bundle_++;
        connection_.send(ovs::encode_bundle_open(bundle, next_xid_++));
        bundle_.first_xid = next_xid_;
        for (const FlowChange& change : bundle_.changes) {
            connection_.send(
                ovs::encode_bundle_flow_mod(bundle, command_of(change), change.flow, next_xid_++));
        }
        bundle_.commit_xid = next_xid_++;
        connection_.send(ovs::encode_bundle_commit(bundle, *bundle_.commit_xid));
    }
    bundle_.barrier_xid = next_xid_++;
    connection_.send(ovs::encode_barrier(bundle_.barrier_xid));
    ++counters_.bundles;
    counters_.flow_mods += bundle_.changes.size();
    state_ = State::Committing;
}

void Southbound::handle_error(const ovs::ErrorReply& error) {
    const std::size_t index = error.xid - bundle_.first_xid;
    if (state_ == State::Committing && index < bundle_.changes.size()) {
        const FlowChange& change = bundle_.changes[index];
        const std::string what = error.name + " for " + ovs::to_text(change.flow);
        log::warn(kModule, "the switch refused a flow: " + what);
        bundle_.refused.insert(index);
        refused_flows_.insert_or_assign(change.flow.key(), change.owner);
        verdicts_.push_back({change.owner, what});
        ++counters_.bundle_errors;
    } else if (state_ == State::Committing && error.xid == bundle_.commit_xid) {
        bundle_.failed = true;
        ++counters_.bundle_errors;
    } else if (state_ == State::ReadingBack &&
               (error.xid == read_back_.flows_xid || error.xid == read_back_.meters_xid)) {
        log::warn(kModule, "reading back: " + error.name);
        abandon_read_back();
    } else if (const auto meter = sent_meters_.find(error.xid); meter != sent_meters_.end()) {
        refuse_meter(meter->second, error.name);
    } else {
        log::warn(kModule, "the switch reports " + error.name);
    }
}

void Southbound::refuse_meter(std::uint32_t id, const std::string& error) {
    const std::string what = error + " for meter " + std::to_string(id);
    log::warn(kModule, "the switch refused a meter: " + what);
    installed_meters_.erase(id);
    ++counters_.bundle_errors;
    for (const auto& [owner, meters] : meters_) {
        for (const ovs::Meter& meter : meters) {
            if (meter.id == id) {
                verdicts_.push_back({owner, what});
            }
        }
    }
}

void Southbound::handle_barrier(std::uint32_t xid) {
    if (state_ == State::Committing && xid == bundle_.barrier_xid) {
        end_bundle();
    }
}

void Southbound::end_bundle() {
    counters_.last_bundle =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - bundle_.sent);
    state_ = State::Idle;
    // A change that came meanwhile counts on the one before it.
    for (std::size_t i = 0; i < bundle_.changes.size(); ++i) {
        if (bundle_.failed || bundle_.refused.contains(i)) {
            const auto later = pending_.find(bundle_.changes[i].flow.key());
            if (later != pending_.end() && later->second.kind == FlowChange::Kind::Modify) {
                later->second.kind = FlowChange::Kind::Add;
            }
        }
    }
    if (bundle_.failed) {
        retry_bundle();
        return;
    }
    confirmed_ = std::max(confirmed_, bundle_.number);
    for (std::size_t i = 0; i < bundle_.changes.size(); ++i) {
        if (!refused_flows_.empty() && !bundle_.refused.contains(i)) {
            no_longer_refused(bundle_.changes[i].flow.key());
        }
    }
    retire_meters();
    sent_meters_.clear();
    flush_zones(bundle_.stale_zones);
    bundle_ = {};
}

// Nothing of it is in the switch. Once more without what was refused; if the switch does not say
// what that is, look what it has.
void Southbound::retry_bundle() {
    log::warn(kModule, "a bundle of " + std::to_string(bundle_.changes.size()) +
                           " changes failed, " + std::to_string(bundle_.refused.size()) +
                           " of them refused");
    const bool known = !bundle_.refused.empty();
    for (std::size_t i = 0; i < bundle_.changes.size(); ++i) {
        std::string key = bundle_.changes[i].flow.key();
        if (!bundle_.refused.contains(i) && !pending_.contains(key)) {
            pending_.emplace(std::move(key), std::move(bundle_.changes[i]));
        }
    }
    for (const std::uint32_t id : bundle_.retired_meters) {
        pending_meters_.emplace(id, std::nullopt);  // Unless somebody wants it by now.
    }
    stale_zones_.merge(bundle_.stale_zones);
    if (!known) {
        retry_at_ = ovs::now_msec() + kRetryMsec;
        begin_read_back();
    }
}

void Southbound::retire_meters() {
    for (const std::uint32_t id : bundle_.retired_meters) {
        // If it has been given out again meanwhile, that decides, when its flows are sent.
        if (!pending_meters_.contains(id) && installed_meters_.erase(id) > 0) {
            connection_.send(
                ovs::encode_meter_mod(ovs::MeterCommand::Delete, {.id = id}, next_xid_++));
        }
    }
}

void Southbound::no_longer_refused(const std::string& key) {
    const auto refused = refused_flows_.find(key);
    if (refused == refused_flows_.end()) {
        return;
    }
    const policy::ObjectId owner = refused->second;
    refused_flows_.erase(refused);
    const bool more = std::any_of(refused_flows_.begin(), refused_flows_.end(),
                                  [&owner](const auto& entry) { return entry.second == owner; });
    if (!more) {
        verdicts_.push_back({owner, std::nullopt});
    }
}

}  // namespace hnv::southbound
