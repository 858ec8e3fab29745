#include "ovs-integration/ovsdb_server.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <limits>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "ovs-integration/ovsdb_shim.h"
#include "schema/schemas_embedded.h"

namespace hnv::ovs {

namespace {

// How often connection status is written and changed TLS files are looked for, as ovsdb-server
// does.
constexpr std::int64_t kStatusIntervalMsec = 2500;

// Takes over an error of the C interface: a malloc()ed sentence, or null for success.
Status to_status(char* message) {
    if (message == nullptr) {
        return {};
    }
    const std::unique_ptr<char, decltype(&std::free)> owner(message, &std::free);
    return Error(message);
}

const char* null_if_empty(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

struct DestroyServer {
    void operator()(hnv_ovsdb_server* server) const { hnv_ovsdb_server_destroy(server); }
};
struct DestroyJournal {
    void operator()(hnv_ovsdb_journal* journal) const { hnv_ovsdb_journal_destroy(journal); }
};

}  // namespace

struct OvsdbServer::Impl {
    Impl();
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] ovsdb* find(std::string_view name) const;
    void adopt(ovsdb* db);
    void follow(ovsdb* db);
    void apply_remotes();
    void run_periodic();
    void deliver();
    void deliver_contents(const ovsdb* db);
    void deliver_event(const hnv_ovsdb_event& event);

    std::unique_ptr<hnv_ovsdb_server, DestroyServer> server;
    std::unique_ptr<hnv_ovsdb_journal, DestroyJournal> journal;
    // Owned. The first one is _Server; the rest is public, in the order of opening.
    std::vector<ovsdb*> dbs;

    CommitListener* listener = nullptr;
    bool delivering = false;   // In a listener's callback: the rows it holds must stay.
    bool publish_due = false;  // _Server does not yet say what is.

    std::vector<Remote> remotes;
    std::vector<hnv_ovsdb_remote> remote_views;  // Views into `remotes`.
    std::string remote_error;
    std::optional<TlsFiles> tls;
    std::int64_t next_periodic = std::numeric_limits<std::int64_t>::min();
};

OvsdbServer::Impl::Impl() : server(hnv_ovsdb_server_create()), journal(hnv_ovsdb_journal_create()) {
    // A peer that goes away while we write to it is an error of that connection, no reason to die.
    std::signal(SIGPIPE, SIG_IGN);
    adopt(hnv_ovsdb_create_unbacked(std::string(schema::text("_Server")).c_str()));
}

OvsdbServer::Impl::~Impl() {
    for (ovsdb* db : dbs) {
        hnv_ovsdb_server_remove(server.get(), db);
        hnv_ovsdb_journal_unfollow(journal.get(), db);
        hnv_ovsdb_destroy(db);
    }
}

ovsdb* OvsdbServer::Impl::find(std::string_view name) const {
    const auto it =
        std::ranges::find_if(dbs, [&](const ovsdb* db) { return name == hnv_ovsdb_name(db); });
    return it == dbs.end() ? nullptr : *it;
}

void OvsdbServer::Impl::adopt(ovsdb* db) {
    dbs.push_back(db);
    hnv_ovsdb_server_add(server.get(), db);
    publish_due = true;
}

void OvsdbServer::Impl::follow(ovsdb* db) {
    hnv_ovsdb_journal_follow(journal.get(), db);
    delivering = true;
    deliver_contents(db);
    delivering = false;
}

void OvsdbServer::Impl::apply_remotes() {
    const Status status = to_status(hnv_ovsdb_set_remotes(
        server.get(), dbs.data(), dbs.size(), remote_views.data(), remote_views.size()));
    remote_error = status ? std::string() : status.error().message();
}

void OvsdbServer::Impl::run_periodic() {
    if (now_msec() < next_periodic) {
        return;
    }
    next_periodic = now_msec() + kStatusIntervalMsec;
    if (tls) {
        hnv_ovsdb_set_tls(null_if_empty(tls->private_key), null_if_empty(tls->certificate),
                          null_if_empty(tls->ca_certificate));
    }
    hnv_ovsdb_update_remote_status(server.get(), dbs.data(), dbs.size(), remote_views.data(),
                                   remote_views.size());
}

void OvsdbServer::Impl::deliver_contents(const ovsdb* db) {
    const std::string_view name = hnv_ovsdb_name(db);
    const ovsdb_table* table = nullptr;
    while ((table = hnv_ovsdb_next_table(db, table)) != nullptr) {
        const ovsdb_row* row = nullptr;
        while ((row = hnv_ovsdb_next_row(table, row)) != nullptr) {
            const Row copy(hnv_ovsdb_row_copy(row));
            listener->on_row(name, RowChange{.table = copy.table(),
                                             .uuid = copy.uuid(),
                                             .before = std::nullopt,
                                             .after = copy});
        }
    }
    listener->on_commit(name);
}

void OvsdbServer::Impl::deliver_event(const hnv_ovsdb_event& event) {
    const std::string_view name = hnv_ovsdb_name(event.db);
    switch (event.kind) {
        case HNV_OVSDB_EVENT_ROW: {
            RowChange change;
            change.foreign = event.foreign;
            if (event.before != nullptr) {
                change.before.emplace(event.before);
            }
            if (event.after != nullptr) {
                change.after.emplace(event.after);
            }
            const Row& row = change.after ? *change.after : *change.before;
            change.table = row.table();
            change.uuid = row.uuid();
            listener->on_row(name, change);
            return;
        }
        case HNV_OVSDB_EVENT_COMMIT:
            listener->on_commit(name);
            return;
        case HNV_OVSDB_EVENT_REPLACED:
            publish_due = true;  // The schema, in _Server.
            listener->on_replaced(name);
            // What was committed since is part of the contents that are told now.
            hnv_ovsdb_journal_discard(journal.get(), event.db);
            deliver_contents(event.db);
            return;
    }
}

void OvsdbServer::Impl::deliver() {
    delivering = true;
    hnv_ovsdb_event event{};
    while (hnv_ovsdb_journal_take(journal.get(), &event)) {
        deliver_event(event);
    }
    delivering = false;
}

OvsdbServer::OvsdbServer() : impl_(std::make_unique<Impl>()) { set_limits({}); }

OvsdbServer::~OvsdbServer() = default;

Status OvsdbServer::open(std::string_view schema_json, const std::string& file) {
    ovsdb* db = nullptr;
    Status opened = to_status(hnv_ovsdb_open(std::string(schema_json).c_str(), file.c_str(), &db));
    if (!opened) {
        return opened;
    }
    const std::string name = hnv_ovsdb_name(db);
    if (name.starts_with('_') || impl_->find(name) != nullptr) {
        hnv_ovsdb_destroy(db);
        return Error(file + ": database name " + name +
                     (name.starts_with('_') ? " is reserved" : " is served already"));
    }
    impl_->adopt(db);
    if (impl_->listener != nullptr) {
        impl_->follow(db);
    }
    return {};
}

void OvsdbServer::subscribe(CommitListener& listener) {
    if (impl_->listener != nullptr) {
        std::abort();  // One listener, once.
    }
    impl_->listener = &listener;
    for (std::size_t i = 1; i < impl_->dbs.size(); ++i) {
        impl_->follow(impl_->dbs[i]);
    }
}

void OvsdbServer::set_remotes(std::vector<Remote> remotes) {
    impl_->remotes = std::move(remotes);
    impl_->remote_views.clear();
    for (const Remote& remote : impl_->remotes) {
        impl_->remote_views.push_back({remote.target.c_str(), remote.read_only});
    }
    impl_->apply_remotes();
}

std::string OvsdbServer::remote_error() const { return impl_->remote_error; }

void OvsdbServer::set_tls(const TlsFiles& files) {
    impl_->tls = files;
    impl_->next_periodic = std::numeric_limits<std::int64_t>::min();
}

void OvsdbServer::set_limits(const ServerLimits& limits) {
    const hnv_ovsdb_limits all{.clients = limits.clients,
                               .message_bytes = limits.message_bytes,
                               .monitors = limits.monitors,
                               .waits = limits.waits,
                               .locks = limits.locks,
                               .backlog_bytes = limits.backlog_bytes};
    hnv_ovsdb_set_limits(impl_->server.get(), &all);
}

ServerCounters OvsdbServer::counters() const {
    hnv_ovsdb_counters all{};
    hnv_ovsdb_get_counters(impl_->server.get(), &all);
    return {.clients = all.clients,
            .clients_refused = all.clients_refused,
            .clients_stalled = all.clients_stalled,
            .untrusted = all.untrusted,
            .messages_refused = all.messages_refused,
            .monitors_refused = all.monitors_refused,
            .waits_refused = all.waits_refused,
            .locks_refused = all.locks_refused,
            .permissions_refused = all.permissions_refused};
}

void OvsdbServer::run() {
    impl_->apply_remotes();
    // Before the sessions: a "wait" that holds since the agent's own last transaction is answered
    // in this turn and not in the next one.
    for (ovsdb* db : impl_->dbs) {
        if (hnv_ovsdb_run(db)) {
            hnv_ovsdb_server_schema_changed(impl_->server.get(), db);
            impl_->publish_due = true;
        }
    }
    hnv_ovsdb_server_run(impl_->server.get());
    impl_->run_periodic();
    if (impl_->publish_due) {
        hnv_ovsdb_publish(impl_->dbs.front(), impl_->dbs.data(), impl_->dbs.size());
        impl_->publish_due = false;
    }
    impl_->deliver();
}

void OvsdbServer::deliver() { impl_->deliver(); }

void OvsdbServer::wait() {
    hnv_ovsdb_server_wait(impl_->server.get());
    for (ovsdb* db : impl_->dbs) {
        hnv_ovsdb_wait(db);
    }
    wake_at(impl_->next_periodic);
    if (impl_->publish_due || !hnv_ovsdb_journal_is_empty(impl_->journal.get())) {
        wake_now();
    }
}

Status OvsdbServer::write(std::string_view database, const std::string& operations_json) {
    if (impl_->delivering) {
        return Error("write from within a commit callback");
    }
    ovsdb* db = impl_->find(database);
    if (db == nullptr) {
        return Error("no database named " + std::string(database));
    }
    const Status status = to_status(hnv_ovsdb_execute(db, operations_json.c_str()));
    return status ? status : Status(status.error().with_context(database));
}

void OvsdbServer::post(std::string_view database, const std::string& operations_json,
                       const std::string& what) {
    const Status status = write(database, operations_json);
    if (status) {
        return;
    }
    if (storage().problem.empty()) {  // Else the log has the problem, and what to do.
        log::error("databases", what + " not written: " + status.error().message());
    }
}

Status OvsdbServer::compact(std::string_view database) {
    ovsdb* db = impl_->find(database);
    if (db == nullptr) {
        return Error("no database named " + std::string(database));
    }
    return to_status(hnv_ovsdb_compact(db));
}

bool OvsdbServer::compacting(std::string_view database) const {
    const ovsdb* db = impl_->find(database);
    return db != nullptr && hnv_ovsdb_compacting(db);
}

StorageState OvsdbServer::storage() const {
    StorageState state;
    for (const ovsdb* db : impl_->dbs) {
        std::uint64_t failed = 0;
        const char* problem = hnv_ovsdb_problem(db, &failed);
        state.failed += failed;
        if (problem != nullptr && state.problem.empty()) {
            state.problem = problem;
        }
    }
    return state;
}

void OvsdbServer::for_each_row(std::string_view database, std::string_view table,
                               const std::function<void(const Row&)>& visit) const {
    const ovsdb* db = impl_->find(database);
    const ovsdb_table* found =
        db == nullptr ? nullptr : hnv_ovsdb_find_table(db, std::string(table).c_str());
    if (found == nullptr) {
        return;
    }
    const ovsdb_row* row = nullptr;
    while ((row = hnv_ovsdb_next_row(found, row)) != nullptr) {
        visit(Row(hnv_ovsdb_row_copy(row)));
    }
}

std::vector<DatabaseInfo> OvsdbServer::databases() const {
    std::vector<DatabaseInfo> out;
    for (std::size_t i = 1; i < impl_->dbs.size(); ++i) {
        out.push_back({hnv_ovsdb_name(impl_->dbs[i]), hnv_ovsdb_version(impl_->dbs[i])});
    }
    return out;
}

}  // namespace hnv::ovs
