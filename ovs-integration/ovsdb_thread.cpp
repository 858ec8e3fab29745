#include "ovs-integration/ovsdb_thread.h"

#include <cstdlib>

namespace hnv::ovs {

OvsdbThread::OvsdbThread(OvsdbServer& server, std::set<Table> unkept, Bounds bounds)
    : server_(server), unkept_(std::move(unkept)), bounds_(bounds) {}

OvsdbThread::~OvsdbThread() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    to_server_.notify();
    thread_.reset();
}

// -- The policy's thread --------------------------------------------------------------------------

void OvsdbThread::subscribe(CommitListener& listener) {
    listener_ = &listener;
    server_.subscribe(*this);
}

void OvsdbThread::start() {
    publish();
    started_ = true;
    thread_.emplace("databases", [this] { serve(); });
}

void OvsdbThread::run() {
    to_policy_.drain();
    for (std::size_t taken = 0; taken < bounds_.rows_a_run;) {
        Event event{Event::Kind::Executed};
        {
            const std::scoped_lock lock(mutex_);
            if (events_.empty()) {
                return;
            }
            event = std::move(events_.front());
            events_.pop_front();
        }
        deliver(event);
        taken += event.rows.size() + 1;
        const std::size_t before = waiting_rows_.fetch_sub(event.rows.size());
        if (before > bounds_.waiting_rows && before - event.rows.size() <= bounds_.waiting_rows) {
            to_server_.notify();
        }
    }
}

void OvsdbThread::wait() {
    to_policy_.wait();
    const std::scoped_lock lock(mutex_);
    if (!events_.empty()) {
        wake_now();
    }
}

void OvsdbThread::deliver(const Event& event) {
    if (event.kind == Event::Kind::Executed) {
        heard_ = event.number;
        return;
    }
    if (event.replaced) {
        std::erase_if(kept_,
                      [&](const auto& table) { return table.first.first == event.database; });
        listener_->on_replaced(event.database);
    }
    for (const RowChange& change : event.rows) {
        deliver_row(event.database, change);
    }
    listener_->on_commit(event.database);
}

void OvsdbThread::deliver_row(std::string_view database, const RowChange& change) {
    const Table table(database, change.table);
    if (!unkept_.contains(table)) {
        auto& rows = kept_[table];
        rows.erase(change.uuid);
        if (change.after) {
            rows.emplace(change.uuid, *change.after);
        }
    }
    listener_->on_row(database, change);
}

void OvsdbThread::for_each_row(std::string_view database, std::string_view table,
                               const std::function<void(const Row&)>& visit) const {
    const Table name(database, table);
    if (unkept_.contains(name)) {
        std::abort();  // The caller counts on rows that are not here.
    }
    const auto rows = kept_.find(name);
    if (rows == kept_.end()) {
        return;
    }
    for (const auto& [uuid, row] : rows->second) {
        visit(row);
    }
}

void OvsdbThread::post(std::string_view database, const std::string& operations_json,
                       const std::string& what) {
    call([name = std::string(database), operations_json, what](OvsdbServer& server) {
        server.post(name, operations_json, what);
    });
}

void OvsdbThread::call(std::function<void(OvsdbServer&)> task) {
    ++posted_;
    {
        const std::scoped_lock lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    to_server_.notify();
}

std::string OvsdbThread::remote_error() const {
    const std::scoped_lock lock(mutex_);
    return remote_error_;
}

StorageState OvsdbThread::storage() const {
    const std::scoped_lock lock(mutex_);
    return storage_;
}

std::vector<DatabaseInfo> OvsdbThread::databases() const {
    const std::scoped_lock lock(mutex_);
    return databases_;
}

// -- The server's thread --------------------------------------------------------------------------

void OvsdbThread::serve() {
    for (;;) {
        to_server_.drain();
        std::vector<std::function<void(OvsdbServer&)>> tasks;
        bool stopping = false;
        {
            const std::scoped_lock lock(mutex_);
            stopping = stopping_;  // Then nothing is posted any more.
            tasks.swap(tasks_);
        }
        const bool room = waiting_rows_.load() <= bounds_.waiting_rows;
        execute(tasks);
        if (stopping) {
            return;
        }
        if (room) {
            server_.run();
            server_.wait();
        }
        // Not earlier: on a busy machine the woken thread would come between a client and its
        // answer.
        if (std::exchange(events_due_, false)) {
            to_policy_.notify();
        }
        publish();
        to_server_.wait();
        block();
    }
}

// What the tasks wrote is heard of before they count as executed.
void OvsdbThread::execute(const std::vector<std::function<void(OvsdbServer&)>>& tasks) {
    if (tasks.empty()) {
        return;
    }
    for (const auto& task : tasks) {
        task(server_);
    }
    server_.deliver();
    executed_ += tasks.size();
    push({.kind = Event::Kind::Executed, .number = executed_});
}

void OvsdbThread::publish() {
    std::string error = server_.remote_error();
    StorageState storage = server_.storage();
    const std::scoped_lock lock(mutex_);
    if (databases_.empty() || replaced_) {
        databases_ = server_.databases();
        replaced_ = false;
    }
    if (error == remote_error_ && storage == storage_) {
        return;
    }
    remote_error_ = std::move(error);
    storage_ = std::move(storage);
    to_policy_.notify();
}

void OvsdbThread::push(Event event) {
    waiting_rows_.fetch_add(event.rows.size());
    const std::scoped_lock lock(mutex_);
    events_due_ |= events_.empty();
    events_.push_back(std::move(event));
}

void OvsdbThread::on_row(std::string_view database, const RowChange& change) {
    if (!started_) {
        return deliver_row(database, change);
    }
    gathering_.rows.push_back(change);
}

void OvsdbThread::on_commit(std::string_view database) {
    if (!started_) {
        return listener_->on_commit(database);
    }
    gathering_.database = database;
    push(std::exchange(gathering_, Event{Event::Kind::Commit}));
}

// The new contents follow, as one commit.
void OvsdbThread::on_replaced(std::string_view) {
    replaced_ = true;
    gathering_.replaced = true;
}

}  // namespace hnv::ovs
