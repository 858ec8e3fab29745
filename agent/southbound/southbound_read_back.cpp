// What the switch has, compared with what it should have.
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "southbound/southbound.h"

namespace hnv::southbound {

namespace {

constexpr const char* kModule = "southbound";
// A million flows take some seconds.
constexpr std::int64_t kReadBackMsec = 120'000;

}  // namespace

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
    read_back_.deadline = ovs::now_msec() + kReadBackMsec;
    read_back_.meters_xid = next_xid_++;
    read_back_.flows_xid = next_xid_++;
    connection_.send(ovs::encode_all_meters_request(read_back_.meters_xid));
    connection_.send(ovs::encode_all_flows_request(read_back_.flows_xid));
}

// What the switch has can't be told on this connection; the next one begins anew.
void Southbound::abandon_read_back() {
    if (state_ == State::ReadingBack) {
        log::warn(kModule, "the switch could not be read back; connecting again");
        go_offline();
        connection_.reconnect();
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
            read_back_.strays.insert_or_assign(key,
                                               Stray{record.flow.cookie, fingerprint(record.flow)});
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

// What nobody wants goes, unless somebody does when he hears of it.
void Southbound::settle_strays() {
    std::vector<FlowChange> others;
    if (adopt_ && !read_back_.strays.empty()) {
        std::vector<std::uint64_t> cookies;
        cookies.reserve(read_back_.strays.size());
        for (const auto& [key, stray] : read_back_.strays) {
            cookies.push_back(stray.cookie);
        }
        for (FlowChange& change : compile_all(adopt_(cookies))) {
            if (change.kind != FlowChange::Kind::Add) {
                others.push_back(std::move(change));  // Of what has changed meanwhile.
                continue;
            }
            const std::string key = change.flow.key();
            const auto stray = read_back_.strays.find(key);
            if (stray != read_back_.strays.end() &&
                stray->second.print == fingerprint(change.flow)) {
                ++counters_.kept;
            } else {
                read_back_.missing.emplace(key_hash(key), fingerprint(change.flow));
            }
            if (stray != read_back_.strays.end()) {
                read_back_.strays.erase(stray);
            }
        }
    }
    counters_.stray = read_back_.strays.size();
    for (const auto& [key, stray] : read_back_.strays) {
        queue({FlowChange::Kind::Delete, {}, flow_of_key(key)});
    }
    queue(std::move(others));
}

void Southbound::end_read_back() {
    if (!read_back_.flows_done || !read_back_.meters_done) {
        return;
    }
    settle_strays();
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

}  // namespace hnv::southbound
