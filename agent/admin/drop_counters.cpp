#include "admin/drop_counters.h"

#include <utility>

#include "admin/reports.h"
#include "ovs-integration/event_loop.h"
#include "pipeline/flow_set.h"

namespace hnv::admin {

namespace {

// Less than hnvctl waits for the agent.
constexpr std::int64_t kPatienceMsec = 8000;
// The numbers of the requests: a port's is its place in the question.
constexpr std::uint32_t kMetersXid = 1;
constexpr std::uint32_t kHostXid = 2;
constexpr std::uint32_t kFirstPortXid = 3;

}  // namespace

DropCounters::DropCounters(const policy::Model& model, std::string target)
    : model_(model), target_(std::move(target)) {}

void DropCounters::ask(const std::optional<std::string>& port, Reply reply) {
    Question question{{}, !port, std::move(reply)};
    const std::string wanted = port ? policy::normalize_port_name(*port) : "";
    model_.for_each_port([&](const policy::PortStatus& status) {
        if (!port || status.name == wanted) {
            question.ports.push_back({status.name, status.ofport});
        }
    });
    if (port && question.ports.empty()) {
        return question.reply(Error("there is no port named " + wanted + "; see hnvctl ports"));
    }
    questions_.push_back(std::move(question));
}

void DropCounters::run() {
    if (questions_.empty()) {
        return;
    }
    if (!connection_) {
        connection_.emplace(target_, "drops");
        deadline_ = ovs::now_msec() + kPatienceMsec;
        sent_ = false;
    }
    connection_->run();
    if (!sent_ && connection_->connected()) {
        send_requests();
    }
    while (connection_) {
        const auto bytes = connection_->receive();
        if (!bytes) {
            break;
        }
        const auto message = ovs::decode(*bytes);
        if (!message) {
            return finish(Error("from the switch: " + message.error().message()));
        }
        handle(*message);
    }
    if (connection_ && ovs::now_msec() >= deadline_) {
        finish(Error("the switch did not answer in time"));
    }
}

void DropCounters::wait() {
    if (questions_.empty()) {
        return;
    }
    if (!connection_) {
        return ovs::wake_now();
    }
    connection_->wait();
    ovs::wake_at(deadline_);
}

void DropCounters::send_requests() {
    sent_ = true;
    host_.clear();
    connection_->send(ovs::encode_all_meter_stats_request(kMetersXid));
    outstanding_ = 1;
    const Question& question = questions_.front();
    if (question.whole_host) {
        connection_->send(ovs::encode_flows_request(
            {.cookie = pipeline::cookie_of(policy::ObjectKind::Host, 0)}, kHostXid));
        ++outstanding_;
    }
    for (std::size_t i = 0; i < question.ports.size(); ++i) {
        const std::uint64_t cookie = pipeline::cookie_of(policy::ObjectKind::Port,
                                                         pipeline::tell_of(question.ports[i].name));
        connection_->send(ovs::encode_flows_request({.cookie = cookie},
                                                    kFirstPortXid + static_cast<std::uint32_t>(i)));
        ++outstanding_;
    }
}

void DropCounters::handle(const ovs::Message& message) {
    bool last = false;
    if (const auto* flows = std::get_if<ovs::FlowStats>(&message)) {
        count_flows(*flows);
        last = !flows->more;
    } else if (const auto* meters = std::get_if<ovs::MeterStats>(&message)) {
        count_meters(*meters);
        last = !meters->more;
    } else if (const auto* error = std::get_if<ovs::ErrorReply>(&message)) {
        return finish(Error("the switch reports " + error->name));
    }
    if (last && --outstanding_ == 0) {
        finish(text());
    }
}

void DropCounters::count_flows(const ovs::FlowStats& stats) {
    Question& question = questions_.front();
    const std::size_t index = stats.xid - kFirstPortXid;
    if (stats.xid != kHostXid && index >= question.ports.size()) {
        return;
    }
    Counts& counts = stats.xid == kHostXid ? host_ : question.ports[index].drops;
    for (const ovs::FlowRecord& record : stats.flows) {
        if (const auto reason = pipeline::drop_reason(record.flow)) {
            counts[*reason] += record.packets;
        }
    }
}

void DropCounters::count_meters(const ovs::MeterStats& stats) {
    std::map<std::uint32_t, Counts*> by_ofport;
    for (Port& port : questions_.front().ports) {
        if (port.ofport != 0) {
            by_ofport.emplace(port.ofport, &port.drops);
        }
    }
    for (const ovs::MeterRecord& record : stats.meters) {
        const auto known = pipeline::drop_reason_of_meter(record.id);
        const auto port = known ? by_ofport.find(known->ofport) : by_ofport.end();
        if (port != by_ofport.end()) {
            (*port->second)[known->reason] += record.dropped_packets;
        }
    }
}

void DropCounters::finish(const Result<std::string>& answer) {
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    connection_.reset();
    question.reply(answer);
}

std::string DropCounters::text() const {
    const auto to_json = [](const Counts& counts, bool (*belongs)(pipeline::DropReason)) {
        Json::Value drops(Json::objectValue);
        for (const pipeline::DropReason reason : pipeline::kDropReasons) {
            if (belongs(reason)) {
                const auto known = counts.find(reason);
                drops[std::string(pipeline::to_string(reason))] =
                    Json::UInt64{known == counts.end() ? 0 : known->second};
            }
        }
        return drops;
    };
    const Question& question = questions_.front();
    Json::Value answer;
    answer["ports"] = Json::Value(Json::arrayValue);
    for (const Port& port : question.ports) {
        Json::Value entry;
        entry["name"] = port.name;
        entry["ofport"] = port.ofport;
        entry["drops"] = to_json(port.drops, pipeline::is_of_port);
        answer["ports"].append(entry);
    }
    if (question.whole_host) {
        answer["host"] = to_json(host_, pipeline::is_of_host);
    }
    return to_text(answer);
}

}  // namespace hnv::admin
