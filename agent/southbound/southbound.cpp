#include "southbound/southbound.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"

namespace hnv::southbound {

namespace {

constexpr const char* kModule = "southbound";
// More changes than this go in several bundles: a bundle costs the switch memory, and so many at
// once are a first load, not a change to be seen as one.
constexpr std::size_t kMaxBundle = 50'000;
// After a bundle that failed as a whole.
constexpr std::int64_t kRetryMsec = 1000;

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::Offline:
            return "offline";
        case State::ReadingBack:
            return "reading back";
        case State::Idle:
            return "idle";
        case State::Committing:
            return "committing";
    }
    return "";
}

Southbound::Southbound(ovs::OpenFlowConnection& connection, Compile compile)
    : connection_(connection), compile_(std::move(compile)) {}

std::uint64_t Southbound::apply(const std::vector<policy::ObjectId>& objects) {
    ++applied_;
    if (state_ == State::ReadingBack) {
        deferred_.insert(objects.begin(), objects.end());
        return applied_;
    }
    std::vector<FlowChange> changes = compile_all(objects);
    if (state_ != State::Offline) {
        queue(std::move(changes));
    }
    return applied_;
}

std::vector<FlowChange> Southbound::compile_all(const std::vector<policy::ObjectId>& objects) {
    std::vector<FlowChange> changes;
    std::vector<std::pair<policy::ObjectId, std::vector<ovs::Meter>>> meters;
    for (const policy::ObjectId& object : objects) {
        pipeline::FlowSet set = compile_(object);
        retract_meters(object);
        if (!set.meters.empty()) {
            meters.emplace_back(object, std::move(set.meters));
        }
        store_.set(object, set.flows, changes);
    }
    // After all retractions: what one object gives up, another may take over.
    for (auto& [owner, wanted] : meters) {
        for (const ovs::Meter& meter : wanted) {
            pending_meters_[meter.id] = meter;
        }
        meters_.insert_or_assign(owner, std::move(wanted));
    }
    for (const FlowChange& change : changes) {
        if (!refused_flows_.empty() && change.kind == FlowChange::Kind::Delete) {
            no_longer_refused(change.flow.key());
        }
    }
    return changes;
}

// A key that one object gives up and another takes over in the same change is not deleted:
// deletions are queued first.
void Southbound::queue(std::vector<FlowChange> changes) {
    std::stable_partition(changes.begin(), changes.end(), [](const FlowChange& change) {
        return change.kind == FlowChange::Kind::Delete;
    });
    for (FlowChange& change : changes) {
        queue(std::move(change));
    }
}

void Southbound::queue(FlowChange change) {
    std::string key = change.flow.key();
    if (change.kind == FlowChange::Kind::Modify && refused_flows_.contains(key)) {
        change.kind = FlowChange::Kind::Add;  // It is not there to be modified.
    }
    const auto waiting = pending_.find(key);
    if (waiting == pending_.end()) {
        pending_.emplace(std::move(key), std::move(change));
        return;
    }
    // An Add also replaces what is there, so it serves after whatever has not been sent.
    if (change.kind == FlowChange::Kind::Modify) {
        change.kind = waiting->second.kind == FlowChange::Kind::Modify ? FlowChange::Kind::Modify
                                                                       : FlowChange::Kind::Add;
    }
    waiting->second = std::move(change);
}

void Southbound::retract_meters(const policy::ObjectId& owner) {
    const auto known = meters_.find(owner);
    if (known == meters_.end()) {
        return;
    }
    for (const ovs::Meter& meter : known->second) {
        pending_meters_[meter.id] = std::nullopt;
    }
    meters_.erase(known);
}

void Southbound::run() {
    connection_.run();
    if (!connection_.connected() || !started_) {
        if (state_ != State::Offline) {
            go_offline();
        }
        return;
    }
    if (state_ == State::Offline || connection_.generation() != generation_) {
        go_offline();
        generation_ = connection_.generation();
        begin_read_back();
    }
    while (const auto bytes = connection_.receive()) {
        const auto message = ovs::decode(*bytes);
        if (message) {
            handle(*message);
        } else {
            log::warn(kModule, "from the switch: " + message.error().message());
        }
    }
    if (state_ == State::Idle && ovs::now_msec() >= retry_at_) {
        if (!pending_.empty() || !pending_meters_.empty()) {
            send_bundle();
        } else {
            confirmed_ = applied_;
        }
    }
    connection_.run();
}

void Southbound::wait() {
    connection_.wait();
    if (state_ == State::Idle &&
        (!pending_.empty() || !pending_meters_.empty() || confirmed_ != applied_)) {
        ovs::wake_at(retry_at_);
    }
}

void Southbound::go_offline() {
    state_ = State::Offline;
    pending_.clear();
    bundle_ = {};
    read_back_ = {};
    // What changed during a read-back has not been compiled yet. The next one finds the changes.
    std::ignore = compile_all({deferred_.begin(), deferred_.end()});
    deferred_.clear();
}

void Southbound::audit() {
    if (state_ == State::Idle) {
        begin_read_back();
    }
}

void Southbound::flush_zone(std::uint16_t zone) {
    if (state_ != State::Offline) {
        connection_.send(ovs::encode_flush_ct_zone(zone, next_xid_++));
    }
}

void Southbound::begin_read_back() {
    state_ = State::ReadingBack;
    ++counters_.read_backs;
    counters_.kept = counters_.repaired = counters_.stray = 0;
    pending_.clear();
    installed_meters_.clear();
    read_back_ = {};
    read_back_.missing.reserve(store_.size());
    store_.for_each([this](const policy::ObjectId&, std::string_view key, std::uint64_t print) {
        read_back_.missing.emplace(key_hash(key), print);
    });
    read_back_.meters_xid = next_xid_++;
    read_back_.flows_xid = next_xid_++;
    connection_.send(ovs::encode_all_meters_request(read_back_.meters_xid));
    connection_.send(ovs::encode_all_flows_request(read_back_.flows_xid));
}

void Southbound::handle(const ovs::Message& message) {
    if (const auto* stats = std::get_if<ovs::FlowStats>(&message)) {
        handle_flows(*stats);
    } else if (const auto* configs = std::get_if<ovs::MeterConfigs>(&message)) {
        handle_meters(*configs);
    } else if (const auto* error = std::get_if<ovs::ErrorReply>(&message)) {
        handle_error(*error);
    } else if (const auto* barrier = std::get_if<ovs::BarrierReply>(&message)) {
        handle_barrier(barrier->xid);
    }
}

void Southbound::handle_flows(const ovs::FlowStats& stats) {
    if (state_ != State::ReadingBack || stats.xid != read_back_.flows_xid) {
        return;
    }
    for (const ovs::FlowRecord& record : stats.flows) {
        const std::string key = record.flow.key();
        const auto wanted = read_back_.missing.find(key_hash(key));
        if (wanted == read_back_.missing.end()) {
            ++counters_.stray;
            queue({FlowChange::Kind::Delete, {}, flow_of_key(key)});
        } else if (wanted->second == fingerprint(record.flow)) {
            ++counters_.kept;
            read_back_.missing.erase(wanted);
        }  // Else it is replaced: it stays among the missing.
    }
    if (!stats.more) {
        read_back_.flows_done = true;
        end_read_back();
    }
}

void Southbound::handle_meters(const ovs::MeterConfigs& configs) {
    if (state_ != State::ReadingBack || configs.xid != read_back_.meters_xid) {
        return;
    }
    for (const ovs::Meter& meter : configs.meters) {
        installed_meters_[meter.id] = meter;
    }
    if (!configs.more) {
        read_back_.meters_done = true;
        end_read_back();
    }
}

void Southbound::end_read_back() {
    if (!read_back_.flows_done || !read_back_.meters_done) {
        return;
    }
    state_ = State::Idle;
    counters_.repaired = read_back_.missing.size();
    std::unordered_set<policy::ObjectId> incomplete;
    if (!read_back_.missing.empty()) {
        store_.for_each([&](const policy::ObjectId& owner, std::string_view key, std::uint64_t) {
            if (read_back_.missing.contains(key_hash(key))) {
                incomplete.insert(owner);
            }
        });
    }
    for (const policy::ObjectId& owner : incomplete) {
        for (ovs::Flow& flow : compile_(owner).flows) {
            if (read_back_.missing.contains(key_hash(flow.key()))) {
                queue({FlowChange::Kind::Add, owner, std::move(flow)});
            }
        }
    }
    pending_meters_.clear();
    for (const auto& [id, meter] : installed_meters_) {
        pending_meters_[id] = std::nullopt;
    }
    for (const auto& [owner, meters] : meters_) {
        for (const ovs::Meter& meter : meters) {
            pending_meters_[meter.id] = meter;
        }
    }
    read_back_ = {};
    log::info(kModule, "read the switch back: " + std::to_string(counters_.kept) +
                           " flows are right, " + std::to_string(counters_.repaired) +
                           " missing or wrong, " + std::to_string(counters_.stray) + " stray");
    queue(compile_all({deferred_.begin(), deferred_.end()}));
    deferred_.clear();
}

// Meters that a flow of this bundle may need; deletions wait until the flows have gone.
void Southbound::send_meters() {
    for (auto each = pending_meters_.begin(); each != pending_meters_.end();) {
        const auto& [id, wanted] = *each;
        const auto installed = installed_meters_.find(id);
        const bool exists = installed != installed_meters_.end();
        if (!wanted && exists) {
            ++each;
            continue;
        }
        if (wanted && (!exists || installed->second != *wanted)) {
            connection_.send(ovs::encode_meter_mod(
                exists ? ovs::MeterCommand::Modify : ovs::MeterCommand::Add, *wanted, next_xid_++));
            installed_meters_[id] = *wanted;
        }
        each = pending_meters_.erase(each);
    }
}

void Southbound::send_bundle() {
    send_meters();
    bundle_ = {};
    bundle_.sent = Clock::now();
    bundle_.number = pending_.size() <= kMaxBundle ? applied_ : confirmed_;
    const bool all = pending_.size() <= kMaxBundle;
    for (auto each = pending_.begin();
         each != pending_.end() && bundle_.changes.size() < kMaxBundle;) {
        // Of a large load what is to go goes last: a gap is worse than a remnant.
        if (!all && each->second.kind == FlowChange::Kind::Delete) {
            ++each;
            continue;
        }
        bundle_.changes.push_back(std::move(each->second));
        each = pending_.erase(each);
    }
    if (bundle_.changes.empty()) {
        for (auto each = pending_.begin();
             each != pending_.end() && bundle_.changes.size() < kMaxBundle;) {
            bundle_.changes.push_back(std::move(each->second));
            each = pending_.erase(each);
        }
    }
    const std::uint32_t bundle = next_bundle_++;
    connection_.send(ovs::encode_bundle_open(bundle, next_xid_++));
    bundle_.first_xid = next_xid_;
    for (const FlowChange& change : bundle_.changes) {
        const auto command = change.kind == FlowChange::Kind::Add ? ovs::FlowCommand::Add
                             : change.kind == FlowChange::Kind::Modify
                                 ? ovs::FlowCommand::ModifyStrict
                                 : ovs::FlowCommand::DeleteStrict;
        connection_.send(ovs::encode_bundle_flow_mod(bundle, command, change.flow, next_xid_++));
    }
    bundle_.commit_xid = next_xid_++;
    connection_.send(ovs::encode_bundle_commit(bundle, bundle_.commit_xid));
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
    } else {
        log::warn(kModule, "the switch reports " + error.name);
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
        // Nothing of it is in the switch. Once more without what was refused; if the switch does
        // not say what that is, look what it has.
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
        ++failures_;
        if (!known) {
            retry_at_ = ovs::now_msec() + kRetryMsec;
            begin_read_back();
        }
        return;
    }
    failures_ = 0;
    confirmed_ = std::max(confirmed_, bundle_.number);
    for (std::size_t i = 0; i < bundle_.changes.size(); ++i) {
        if (!refused_flows_.empty() && !bundle_.refused.contains(i)) {
            no_longer_refused(bundle_.changes[i].flow.key());
        }
    }
    for (auto each = pending_meters_.begin(); each != pending_meters_.end();) {
        if (each->second) {
            ++each;
            continue;
        }
        if (installed_meters_.erase(each->first) > 0) {
            connection_.send(
                ovs::encode_meter_mod(ovs::MeterCommand::Delete, {each->first, 0, 0}, next_xid_++));
        }
        each = pending_meters_.erase(each);
    }
    bundle_ = {};
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

std::vector<Verdict> Southbound::take_verdicts() { return std::exchange(verdicts_, {}); }

}  // namespace hnv::southbound
