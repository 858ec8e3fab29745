// Desired flows → installed flows.
//
//   policy object ──compile──▶ FlowStore ──difference──▶ pending ──bundle──▶ switch
//                                  │                        ▲                  │
//                                  └──── read-back: what is missing or stray ◀─┘
//
// Each apply() becomes one atomic bundle; while one is under way, later changes gather and become
// the next (a later change of a flow replaces an earlier one that has not been sent). A bundle is
// confirmed by its commit reply and a barrier. Whenever the outcome is unknown (a new connection, a
// bundle that failed as a whole) the switch is read back and only what differs is changed. Of a
// single flow there is nothing to keep together: it goes without a bundle around it, and counts as
// one.
//
// Meters can't be in a bundle: they are made before the flows that use them and deleted after.
//
//   Offline ──connected──▶ ReadingBack ──▶ Idle ◀──confirmed── Committing
//      ▲                        ▲            └────pending──────────▲ │
//      └────connection lost, from any state                        │ │ failed
//                               └──────────────────────────────────┴─┘
//
// Thread: the policy's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_connection.h"
#include "pipeline/flow_set.h"
#include "southbound/flow_store.h"

namespace hnv::southbound {

enum class State : std::uint8_t { Offline, ReadingBack, Idle, Committing };
[[nodiscard]] const char* to_string(State state);

// What became of an object's flows: accepted (no error), or what the switch said.
struct Verdict {
    policy::ObjectId owner;
    std::optional<std::string> error;
};

struct Counters {
    std::uint64_t bundles = 0;  // And single flows.
    std::uint64_t bundle_errors = 0;
    std::uint64_t flow_mods = 0;
    std::uint64_t read_backs = 0;
    // Of the last read-back: flows that were right, missing or wrong, and stray.
    std::uint64_t kept = 0;
    std::uint64_t repaired = 0;
    std::uint64_t stray = 0;
    std::chrono::microseconds last_bundle{0};
};

class Southbound {
  public:
    using Compile = std::function<pipeline::FlowSet(const policy::ObjectId&)>;
    // Takes the cookies of flows that the switch has and nobody wants; returns the objects that
    // have changed, because some of the flows are wanted after all.
    using Adopt = std::function<std::vector<policy::ObjectId>(const std::vector<std::uint64_t>&)>;

    // The connection is used by nobody else.
    Southbound(ovs::OpenFlowConnection& connection, Compile compile);

    // Compiles the objects again and queues what changed. The number returned is confirmed() once
    // the switch has acknowledged this change and all before it.
    std::uint64_t apply(const std::vector<policy::ObjectId>& objects);
    [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }
    // What apply() returned last.
    [[nodiscard]] std::uint64_t applied() const { return applied_; }

    // Asked at the end of each read-back that has found stray flows.
    void set_adopt(Adopt adopt) { adopt_ = std::move(adopt); }
    // Sends a message that nobody answers.
    void pass(const ovs::Bytes& message) { connection_.send(message); }

    // Until then nothing is sent and nothing read back: flows that are still right must not be
    // taken for stray ones because the policy has not been read yet.
    void start() { started_ = true; }
    // Reads the switch back and repairs it.
    void audit();

    void run();
    void wait();

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] std::size_t flows() const { return store_.size(); }
    // Verdicts since the last call. Only objects that were refused once are heard of again.
    [[nodiscard]] std::vector<Verdict> take_verdicts();

  private:
    // A flow of the switch that nobody wants.
    struct Stray {
        std::uint64_t cookie = 0;
        std::uint64_t print = 0;
    };
    using ReadBackIndex = std::unordered_map<std::uint64_t, std::uint64_t>;
    using Clock = std::chrono::steady_clock;

    void go_offline();
    void begin_read_back();
    void handle(const ovs::Message& message);
    void handle_flows(const ovs::FlowStats& stats);
    void handle_meters(const ovs::MeterConfigs& configs);
    void handle_error(const ovs::ErrorReply& error);
    void handle_barrier(std::uint32_t xid);
    void end_read_back();
    void settle_strays();
    [[nodiscard]] std::vector<FlowChange> compile_all(const std::vector<policy::ObjectId>& objects);
    void queue(std::vector<FlowChange> changes);
    void queue(FlowChange change);
    void retract_meters(const policy::ObjectId& owner);
    void note_zones(const policy::ObjectId& owner, std::vector<pipeline::ZoneUse> uses);
    void flush_zones(const std::set<std::uint16_t>& zones);
    void no_longer_refused(const std::string& key);
    void abandon_read_back();
    void refuse_meter(std::uint32_t id, const std::string& error);
    [[nodiscard]] std::vector<FlowChange> take_pending();
    void send_bundle();
    void send_meters();
    void end_bundle();
    void retry_bundle();
    void retire_meters();

    ovs::OpenFlowConnection& connection_;
    Compile compile_;
    Adopt adopt_;
    FlowStore store_;
    State state_ = State::Offline;
    bool started_ = false;
    std::uint64_t generation_ = 0;
    std::uint32_t next_xid_ = 1;
    std::uint32_t next_bundle_ = 1;

    std::uint64_t applied_ = 0;
    std::uint64_t confirmed_ = 0;

    // Changes that wait for the next bundle, by flow key.
    std::unordered_map<std::string, FlowChange> pending_;
    // Objects that changed during a read-back; they are compiled when it has ended.
    std::unordered_set<policy::ObjectId> deferred_;

    struct {
        std::uint32_t first_xid = 0;
        std::optional<std::uint32_t> commit_xid;  // Not of a single flow.
        std::uint32_t barrier_xid = 0;
        std::uint64_t number = 0;  // What is confirmed when it has succeeded.
        std::vector<FlowChange> changes;
        std::set<std::size_t> refused;
        // What its flows no longer use, so that it may go when they have gone: a meter that is
        // deleted takes the flows with it that still use it.
        std::vector<std::uint32_t> retired_meters;
        std::set<std::uint16_t> stale_zones;
        bool failed = false;
        Clock::time_point sent;
    } bundle_;

    struct {
        std::uint32_t flows_xid = 0;
        std::uint32_t meters_xid = 0;
        std::int64_t deadline = 0;
        bool flows_done = false;
        bool meters_done = false;
        std::unordered_map<std::string, Stray> strays;  // By key.
        ReadBackIndex missing;  // Key hash → fingerprint of what has not been seen (right) yet.
    } read_back_;

    // Meters by owner, what the switch has, and what is to go after the next bundle.
    std::unordered_map<policy::ObjectId, std::vector<ovs::Meter>> meters_;
    std::map<std::uint32_t, ovs::Meter> installed_meters_;
    std::map<std::uint32_t, std::optional<ovs::Meter>> pending_meters_;
    std::map<std::uint32_t, std::uint32_t>
        sent_meters_;  // xid → meter, until the bundle has ended.
    // Connection tracking zones by owner, and those that changed hands.
    std::unordered_map<policy::ObjectId, std::vector<pipeline::ZoneUse>> zones_;
    std::set<std::uint16_t> stale_zones_;

    // Flows, by key, that the switch did not take and that are still wanted.
    std::unordered_map<std::string, policy::ObjectId> refused_flows_;
    std::vector<Verdict> verdicts_;
    std::int64_t retry_at_ = 0;
    Counters counters_;
};

}  // namespace hnv::southbound
