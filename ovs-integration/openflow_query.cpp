#include "ovs-integration/openflow_query.h"

#include <algorithm>
#include <map>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/openflow_connection.h"

namespace hnv::ovs {

namespace {

class Query {
  public:
    Query(const std::string& target, std::span<const FlowFilter> filters)
        : target_(target), filters_(filters), connection_(target, "query") {}

    Result<std::vector<FlowRecord>> run(std::chrono::milliseconds timeout) {
        const std::int64_t deadline = now_msec() + timeout.count();
        while (!asked_ || waiting_ > 0) {
            connection_.run();
            if (Status status = step(); !status) {
                return status.error().with_context(target_);
            }
            if (asked_ && waiting_ == 0) {
                break;
            }
            if (now_msec() >= deadline) {
                return Error(target_ + (asked_ ? ": the switch has not answered in time"
                                               : ": no OpenFlow connection to the switch"));
            }
            connection_.wait();
            wake_at(deadline);
            block();
        }
        return in_order();
    }

  private:
    Status step() {
        if (!asked_ && connection_.connected()) {
            asked_ = true;
            generation_ = connection_.generation();
            for (const FlowFilter& filter : filters_) {
                connection_.send(encode_flows_request(filter, ++waiting_));
            }
            connection_.run();
        }
        if (asked_ && connection_.generation() != generation_) {
            return Error("the connection to the switch broke");
        }
        while (const auto bytes = connection_.receive()) {
            auto message = decode(*bytes);
            if (!message) {
                return message.error();
            }
            if (const auto* error = std::get_if<ErrorReply>(&*message)) {
                return Error("the switch refuses the question: " + error->name);
            }
            if (auto* stats = std::get_if<FlowStats>(&*message)) {
                take(std::move(*stats));
            }
        }
        return {};
    }

    void take(FlowStats stats) {
        for (FlowRecord& record : stats.flows) {
            Bytes key = record.flow.key();
            found_.insert_or_assign(std::move(key), std::move(record));
        }
        waiting_ -= stats.more ? 0 : 1;
    }

    std::vector<FlowRecord> in_order() {
        std::vector<FlowRecord> flows;
        flows.reserve(found_.size());
        for (auto& [key, record] : found_) {
            flows.push_back(std::move(record));
        }
        std::ranges::stable_sort(flows, [](const FlowRecord& a, const FlowRecord& b) {
            return a.flow.table != b.flow.table ? a.flow.table < b.flow.table
                                                : a.flow.priority > b.flow.priority;
        });
        return flows;
    }

    std::string target_;
    std::span<const FlowFilter> filters_;
    OpenFlowConnection connection_;
    bool asked_ = false;
    std::uint64_t generation_ = 0;
    std::uint32_t waiting_ = 0;  // Questions that are not yet answered to the end.
    std::map<Bytes, FlowRecord> found_;
};

}  // namespace

Result<std::vector<FlowRecord>> query_flows(const std::string& target,
                                            std::span<const FlowFilter> filters,
                                            std::chrono::milliseconds timeout) {
    if (filters.empty()) {
        return std::vector<FlowRecord>{};
    }
    return Query(target, filters).run(timeout);
}

}  // namespace hnv::ovs
