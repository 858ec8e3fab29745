// What the flows of some tables have counted: asked of the switch when somebody wants to know.
//
// Over an OpenFlow connection of its own, so that a long answer never stands in the way of the
// programming; it is kept for kKeepMsec after a question. The loop goes on meanwhile: a turn takes
// kMessagesPerTurn replies. Questions are answered one after another.
//
// A flow's packets and bytes are the switch's count since the flow was made, or since its actions
// were last changed; they run up to a second behind the traffic.
//
// Thread: the one whose poll loop calls run() and wait().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_connection.h"
#include "pipeline/layout.h"

namespace hnv::southbound {

class TableCounters {
  public:
    // Every flow of the tables that were asked for, in no order; or why they are not known.
    using Reply = std::function<void(Result<std::vector<ovs::FlowRecord>>)>;

    // A turn of the loop takes no more replies than this, of up to 64 KiB each.
    static constexpr std::size_t kMessagesPerTurn = 16;
    static constexpr std::int64_t kPatienceMsec = 8000;
    // Longer than the usual time between questions: each connection is a line of two logs.
    static constexpr std::int64_t kKeepMsec = 60'000;

    // `target`: the switch's management socket, "unix:/run/openvswitch/br-hnv.mgmt". `name` is for
    // the log.
    TableCounters(std::string target, std::string name);

    // The reply comes from a later run(), exactly once, unless the object goes before it; it may
    // ask again. An error: the switch refuses, or it has not answered within kPatienceMsec. To ask
    // for no table is to be answered with no flow.
    void ask(const std::vector<pipeline::Table>& tables, Reply reply);
    // The same, of the flows that one of the filters takes: once for each filter that does.
    void ask_flows(std::vector<ovs::FlowFilter> filters, Reply reply);

    // Questions that wait for their reply.
    [[nodiscard]] std::size_t waiting() const { return questions_.size(); }
    // How often it has connected to the switch.
    [[nodiscard]] std::uint64_t connections() const { return connections_; }

    void run();
    void wait();

  private:
    struct Question {
        std::vector<ovs::FlowFilter> filters;
        Reply reply;
    };

    void run_idle();
    void begin();
    void send_requests();
    void take(ovs::FlowStats stats);
    void finish(Result<std::vector<ovs::FlowRecord>> answer);

    std::string target_;
    std::string name_;
    std::deque<Question> questions_;  // The first is being asked.
    std::optional<ovs::OpenFlowConnection> connection_;
    std::optional<std::uint64_t> generation_;  // Of the connection that the requests were sent on.
    std::int64_t deadline_ = 0;                // now_msec() of the first question; 0: not begun
    std::int64_t idle_until_ = 0;              // now_msec(); the connection's end if nobody asks
    std::uint64_t connections_ = 0;
    std::size_t outstanding_ = 0;         // Filters whose last reply has not come.
    std::vector<ovs::FlowRecord> flows_;  // Of the first question, so far.
};

}  // namespace hnv::southbound
