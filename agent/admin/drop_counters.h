// What the switch has dropped, by port and reason: asked of the switch when somebody asks.
//
// Over an OpenFlow connection of its own, which lives as long as there is a question: the flows of
// the ports that are asked for (by their cookie, which the switch has an index of), those of the
// host, and all meters. Never the whole of the flow tables. The loop goes on meanwhile; questions
// are answered one after another.
//
// A flow's packets are the switch's count since the flow was made, which runs about a second
// behind; a meter's, since the meter was made or its limit changed.
//
// Thread: the one whose poll loop calls run() and wait().
#pragma once

#include <json/value.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_connection.h"
#include "pipeline/drop_reason.h"
#include "policy/model.h"

namespace hnv::admin {

class DropCounters {
  public:
    using Reply = std::function<void(const Result<std::string>&)>;

    // `target`: the switch's management socket, "unix:/run/openvswitch/br-hnv.mgmt".
    DropCounters(const policy::Model& model, std::string target);

    // Of one port, by its name, or of all ports and the host. The reply is the text of
    //   {"ports": [{"name": …, "ofport": …, "drops": {reason: packets, …}}], "host": {…}}
    // with every reason of pipeline::DropReason that can be a port's (the host's); "host" is left
    // out when one port is asked for. An error when there is no such port or the switch does not
    // answer in time.
    void ask(const std::optional<std::string>& port, Reply reply);

    void run();
    void wait();

  private:
    using Counts = std::map<pipeline::DropReason, std::uint64_t>;
    struct Port {
        std::string name;
        std::uint32_t ofport = 0;
        Counts drops{};
    };
    struct Question {
        std::vector<Port> ports;
        bool whole_host = false;
        Reply reply;
    };

    void send_requests();
    void handle(const ovs::Message& message);
    void count_flows(const ovs::FlowStats& stats);
    void count_meters(const ovs::MeterStats& stats);
    void finish(const Result<std::string>& answer);
    [[nodiscard]] std::string text() const;

    const policy::Model& model_;
    std::string target_;
    std::deque<Question> questions_;  // The first is being asked.
    std::optional<ovs::OpenFlowConnection> connection_;
    bool sent_ = false;
    std::int64_t deadline_ = 0;    // now_msec()
    std::size_t outstanding_ = 0;  // Replies still to come.
    Counts host_;
};

}  // namespace hnv::admin
