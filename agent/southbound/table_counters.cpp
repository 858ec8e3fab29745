#include "southbound/table_counters.h"

#include <iterator>
#include <utility>

#include "ovs-integration/event_loop.h"

namespace hnv::southbound {

TableCounters::TableCounters(std::string target, std::string name)
    : target_(std::move(target)), name_(std::move(name)) {}

void TableCounters::ask(const std::vector<pipeline::Table>& tables, Reply reply) {
    std::vector<ovs::FlowFilter> filters;
    filters.reserve(tables.size());
    for (const pipeline::Table table : tables) {
        filters.push_back({.table = static_cast<std::uint8_t>(table)});
    }
    ask_flows(std::move(filters), std::move(reply));
}

void TableCounters::ask_flows(std::vector<ovs::FlowFilter> filters, Reply reply) {
    questions_.push_back({std::move(filters), std::move(reply)});
}

void TableCounters::begin() {
    if (!connection_) {
        connection_.emplace(target_, name_);
        ++connections_;
    }
    if (deadline_ == 0) {
        deadline_ = ovs::now_msec() + kPatienceMsec;
    }
    connection_->run();
    // A connection that broke is asked anew.
    if (connection_->connected() && generation_ != connection_->generation()) {
        generation_ = connection_->generation();
        send_requests();
    }
}

void TableCounters::send_requests() {
    flows_.clear();
    const Question& question = questions_.front();
    outstanding_ = question.filters.size();
    std::uint32_t xid = 1;
    for (const ovs::FlowFilter& filter : question.filters) {
        connection_->send(ovs::encode_flows_request(filter, xid++));
    }
}

// Nobody has asked for a while; what the switch says by itself meanwhile is of no interest.
void TableCounters::run_idle() {
    if (connection_ && ovs::now_msec() >= idle_until_) {
        connection_.reset();
    }
    if (connection_) {
        connection_->run();
        for (std::size_t i = 0; i < kMessagesPerTurn && connection_->receive(); ++i) {
        }
    }
}

void TableCounters::run() {
    if (questions_.empty()) {
        return run_idle();
    }
    if (questions_.front().filters.empty()) {
        return finish(std::vector<ovs::FlowRecord>{});
    }
    begin();
    for (std::size_t i = 0; i < kMessagesPerTurn && deadline_ != 0; ++i) {
        const auto bytes = connection_->receive();
        if (!bytes) {
            break;
        }
        auto message = ovs::decode(*bytes);
        if (!message) {
            return finish(Error("from the switch: " + message.error().message()));
        }
        if (auto* flows = std::get_if<ovs::FlowStats>(&*message)) {
            take(std::move(*flows));
        } else if (const auto* error = std::get_if<ovs::ErrorReply>(&*message)) {
            return finish(Error("the switch reports " + error->name));
        }
    }
    if (deadline_ != 0 && ovs::now_msec() >= deadline_) {
        finish(Error("the switch did not answer in time"));
    }
}

void TableCounters::wait() {
    if (!questions_.empty() && deadline_ == 0) {
        return ovs::wake_now();  // It has not begun.
    }
    if (connection_) {
        connection_->wait();
        ovs::wake_at(questions_.empty() ? idle_until_ : deadline_);
    }
}

void TableCounters::take(ovs::FlowStats stats) {
    flows_.insert(flows_.end(), std::make_move_iterator(stats.flows.begin()),
                  std::make_move_iterator(stats.flows.end()));
    if (!stats.more && --outstanding_ == 0) {
        finish(std::exchange(flows_, {}));
    }
}

void TableCounters::finish(Result<std::vector<ovs::FlowRecord>> answer) {
    Question question = std::move(questions_.front());
    questions_.pop_front();
    if (!answer) {
        connection_.reset();  // What may still come is of no question.
    }
    idle_until_ = ovs::now_msec() + kKeepMsec;
    deadline_ = 0;
    generation_.reset();
    flows_ = {};
    question.reply(std::move(answer));
}

}  // namespace hnv::southbound
