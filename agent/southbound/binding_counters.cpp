#include "southbound/binding_counters.h"

#include <algorithm>
#include <set>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "pipeline/flow_set.h"
#include "pipeline/stages.h"

namespace hnv::southbound {

namespace {

using pipeline::Table;
using policy::BindingStatus;
using policy::BindingTraffic;
using policy::Traffic;

constexpr std::int64_t kMsec = 1000;
// What a change of the bindings waits for others.
constexpr std::int64_t kSoonMsec = 1000;

[[nodiscard]] std::uint64_t cookie_of(const policy::PortView& port) {
    return pipeline::cookie_of(policy::ObjectKind::Port, pipeline::tell_of(port.name));
}

void add(Traffic& sum, const Traffic& more) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}

void add(BindingTraffic& sum, const BindingTraffic& more) {
    add(sum.from_local, more.from_local);
    add(sum.to_local, more.to_local);
}

void raise_to(Traffic& sum, const Traffic& least) {
    sum.packets = std::max(sum.packets, least.packets);
    sum.bytes = std::max(sum.bytes, least.bytes);
}

// Whose a flow's counters are.
struct Owner {
    policy::BindingKey binding;
    Traffic BindingTraffic::*direction;
};

void add_flows(const BindingStatus& binding, std::unordered_map<ovs::Bytes, Owner>& owners) {
    const auto own = [&](auto stage, Traffic BindingTraffic::*direction) {
        pipeline::FlowSet flows;
        stage(*binding.port, *binding.attachment, cookie_of(*binding.port), flows);
        for (const ovs::Flow& flow : flows.flows) {
            owners.insert_or_assign(flow.key(), Owner{binding.key, direction});
        }
    };
    own(pipeline::classify_attachment, &BindingTraffic::from_local);
    own(pipeline::deliver_attachment, &BindingTraffic::to_local);
}

}  // namespace

// What the flow has counted since the last look at it; all, if it was not there then. One that is
// younger than it was, or has counted less, was made anew.
Traffic BindingTotalizer::gain_of(const ovs::FlowRecord& record) const {
    const auto last = seen_.find(record.flow.key());
    if (last == seen_.end() || record.duration_sec < last->second.age_sec ||
        record.packets < last->second.traffic.packets ||
        record.bytes < last->second.traffic.bytes) {
        return {record.packets, record.bytes};
    }
    return {record.packets - last->second.traffic.packets,
            record.bytes - last->second.traffic.bytes};
}

void BindingTotalizer::take(const policy::Model& model, std::span<const ovs::FlowRecord> flows) {
    std::unordered_map<ovs::Bytes, Owner> owners;
    std::map<policy::BindingKey, Total> totals;
    model.for_each_binding([&](const BindingStatus& binding) {
        totals.emplace(binding.key, Total{binding.subnet, {}});
        if (binding.attachment != nullptr) {
            add_flows(binding, owners);
        }
    });
    std::unordered_map<ovs::Bytes, Seen> seen;
    for (const ovs::FlowRecord& record : flows) {
        const auto owner = owners.find(record.flow.key());
        if (owner == owners.end()) {
            continue;
        }
        add(totals.at(owner->second.binding).traffic.*owner->second.direction, gain_of(record));
        seen.insert_or_assign(owner->first,
                              Seen{{record.packets, record.bytes}, record.duration_sec});
    }
    for (auto& [key, total] : totals) {
        const auto known = totals_.find(key);
        if (known != totals_.end() && known->second.subnet == total.subnet) {
            add(total.traffic, known->second.traffic);
        }
        if (const auto before = before_.find(key); before != before_.end()) {
            raise_to(total.traffic.from_local, before->second.from_local);
            raise_to(total.traffic.to_local, before->second.to_local);
        }
    }
    before_.clear();
    seen_ = std::move(seen);
    totals_ = std::move(totals);
}

policy::BindingTotals BindingTotalizer::totals() const {
    policy::BindingTotals totals;
    for (const auto& [key, total] : totals_) {
        totals.emplace_hint(totals.end(), key, total.traffic);
    }
    return totals;
}

BindingCounters::BindingCounters(const policy::Model& model, std::string target)
    : model_(model),
      counters_(std::move(target), "binding counters"),
      interval_msec_(policy::kDefaultStatsIntervalSeconds * kMsec) {}

void BindingCounters::set_interval(std::uint32_t seconds) {
    const std::int64_t interval = seconds * kMsec;
    if (interval == interval_msec_) {
        return;
    }
    interval_msec_ = interval;
    next_ = last_ + interval;
    if (interval == 0) {
        totals_ = BindingTotalizer();
        changed_ = true;
    }
}

void BindingCounters::look_soon() { next_ = std::min(next_, last_ + kSoonMsec); }

void BindingCounters::run() {
    if (interval_msec_ != 0 && !asked_ && ovs::now_msec() >= next_) {
        ask();
    }
    counters_.run();
}

void BindingCounters::wait() {
    if (interval_msec_ != 0 && !asked_) {
        ovs::wake_at(next_);
    }
    counters_.wait();
}

void BindingCounters::ask() {
    asked_ = true;
    last_ = ovs::now_msec();
    next_ = last_ + interval_msec_;
    std::set<std::uint64_t> cookies;
    model_.for_each_binding([&cookies](const BindingStatus& binding) {
        if (binding.attachment != nullptr) {
            cookies.insert(cookie_of(*binding.port));
        }
    });
    std::vector<ovs::FlowFilter> filters;
    for (const std::uint64_t cookie : cookies) {
        for (const Table table : {Table::Classify, Table::Deliver}) {
            filters.push_back({.table = static_cast<std::uint8_t>(table), .cookie = cookie});
        }
    }
    counters_.ask_flows(std::move(filters), [this](Result<std::vector<ovs::FlowRecord>> flows) {
        asked_ = false;
        if (interval_msec_ == 0) {
            return;
        }
        if (flows) {  // Else the totals stay as they are until the next look.
            totals_.take(model_, *flows);
            changed_ = true;
        }
    });
}

}  // namespace hnv::southbound
