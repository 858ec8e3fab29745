// What each port has sent into the subnets that it is bound to, and was delivered of them.
//
// By the counters of the flows that an attachment has for itself in tables Classify and Deliver,
// asked for at an interval: the flows of the ports alone, by their cookies, which the switch has an
// index of. So it costs by the number of ports, whatever else the tables hold.
//
// A total grows by what a flow has counted since it was looked at last. A flow that is new, or was
// made anew, starts at 0; what it counted between the last look and its end is lost. What a limit
// of the port's own (inbound_max_mbps) drops after the flow is counted as delivered.
//
// Thread: the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/bindings.h"
#include "policy/model.h"
#include "southbound/table_counters.h"

namespace hnv::southbound {

// Pure: answers of the switch in, totals out.
class BindingTotalizer {
  public:
    // `before`: of the bindings that were counted before this life of the agent. A total goes on
    // from there, or from what its flows have counted if that is more: in the usual case, flows
    // that are as old as the binding, it is just right. For the first take().
    explicit BindingTotalizer(policy::BindingTotals before = {}) : before_(std::move(before)) {}

    // Bindings that are gone have no total any more; one that leads to another subnet starts at 0.
    void take(const policy::Model& model, std::span<const ovs::FlowRecord> flows);

    [[nodiscard]] policy::BindingTotals totals() const;

  private:
    struct Seen {
        policy::Traffic traffic;
        std::uint32_t age_sec = 0;
    };
    struct Total {
        Uuid subnet;
        policy::BindingTraffic traffic;
    };

    [[nodiscard]] policy::Traffic gain_of(const ovs::FlowRecord& record) const;

    policy::BindingTotals before_;
    std::unordered_map<ovs::Bytes, Seen> seen_;  // By the flow's key.
    std::map<policy::BindingKey, Total> totals_;
};

class BindingCounters {
  public:
    // `target`: the switch's management socket, "unix:/run/openvswitch/br-hnv.mgmt".
    BindingCounters(const policy::Model& model, std::string target);

    // What the databases say from before, for the first look.
    void restore(policy::BindingTotals before) { totals_ = BindingTotalizer(std::move(before)); }
    // 0: never. Then there are no totals.
    void set_interval(std::uint32_t seconds);
    // Bindings have come or gone: looks within a second.
    void look_soon();

    void run();
    void wait();

    // Whether there was an answer, or the counting was switched off, since the last call.
    [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
    [[nodiscard]] policy::BindingTotals totals() const { return totals_.totals(); }

  private:
    void ask();

    const policy::Model& model_;
    TableCounters counters_;
    BindingTotalizer totals_;
    std::int64_t interval_msec_;
    std::int64_t next_ = 0;  // now_msec()
    std::int64_t last_ = 0;
    bool asked_ = false;
    bool changed_ = false;
};

}  // namespace hnv::southbound
