#include "southbound/southbound.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"

namespace hnv::southbound {

namespace {

constexpr const char* kModule = "southbound";

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
        note_zones(object, std::move(set.zones));
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
            abandon_read_back();  // It may have been a part of it.
        }
    }
    if (state_ == State::ReadingBack && ovs::now_msec() >= read_back_.deadline) {
        abandon_read_back();
    }
    if (state_ == State::Idle && ovs::now_msec() >= retry_at_) {
        if (!pending_.empty() || !pending_meters_.empty()) {
            send_bundle();
        } else {
            flush_zones(std::exchange(stale_zones_, {}));
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
    if (state_ == State::ReadingBack) {
        ovs::wake_at(read_back_.deadline);
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

// A zone outlives what used it: the next user must not inherit its connections.
void Southbound::note_zones(const policy::ObjectId& owner, std::vector<pipeline::ZoneUse> uses) {
    const auto known = zones_.find(owner);
    if (known != zones_.end()) {
        for (const pipeline::ZoneUse& before : known->second) {
            if (std::ranges::find(uses, before) == uses.end()) {
                stale_zones_.insert(before.zone);
            }
        }
        zones_.erase(known);
    }
    if (!uses.empty()) {
        zones_.emplace(owner, std::move(uses));
    }
}

void Southbound::flush_zones(const std::set<std::uint16_t>& zones) {
    for (const std::uint16_t zone : zones) {
        connection_.send(ovs::encode_flush_ct_zone(zone, next_xid_++));
    }
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

std::vector<Verdict> Southbound::take_verdicts() { return std::exchange(verdicts_, {}); }

}  // namespace hnv::southbound
