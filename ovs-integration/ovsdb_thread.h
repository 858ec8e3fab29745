// The OVSDB server in a thread of its own: clients are answered while the policy's thread makes
// flows of what they wrote.
//
//   server's thread                            policy's thread
//   OvsdbServer ──commits, as immutable rows──▶ CommitListener
//               ◀──post()──────────────────────
//
// What was committed is heard of later, in commit order and each transaction as a whole. A bounded
// number of rows may wait: beyond it the server answers nobody until some have been taken, so that
// controllers are slowed down to what can be realised.
//
// Threads: the policy's, except where it says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ovs-integration/databases.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/ovsdb_server.h"
#include "ovs-integration/thread.h"

namespace hnv::ovs {

class OvsdbThread final : public Databases, private CommitListener {
  public:
    using Table = std::pair<std::string, std::string>;  // Database, table.

    struct Bounds {
        // Rows that may wait to be taken; one transaction more may be on its way.
        std::size_t waiting_rows = 100'000;
        // As many are handed over in one run(), and the rest of their transaction.
        std::size_t rows_a_run = 10'000;
    };

    // `server` belongs to the caller until start(), to the thread from then on. `unkept`: tables
    // that for_each_row() is never asked for, because they are large and nobody has to look.
    OvsdbThread(OvsdbServer& server, std::set<Table> unkept, Bounds bounds);
    OvsdbThread(OvsdbServer& server, std::set<Table> unkept)
        : OvsdbThread(server, std::move(unkept), Bounds{}) {}
    // Stops the thread once what was posted has been executed.
    ~OvsdbThread() override;
    OvsdbThread(const OvsdbThread&) = delete;
    OvsdbThread& operator=(const OvsdbThread&) = delete;

    // Calls the listener, at once, with all rows that there are; see OvsdbServer::subscribe().
    // Before start(), once.
    void subscribe(CommitListener& listener);
    void start();

    // Hands over what was committed.
    void run();
    void wait();

    void for_each_row(std::string_view database, std::string_view table,
                      const std::function<void(const Row&)>& visit) const override;
    void post(std::string_view database, const std::string& operations_json,
              const std::string& what) override;
    // Has `task` done in the server's thread, after what was posted before.
    void call(std::function<void(OvsdbServer&)> task);
    // Whether all that was posted has been executed and heard of.
    [[nodiscard]] bool settled() const { return posted_ == heard_; }

    // As of the server's last turn.
    [[nodiscard]] std::vector<DatabaseInfo> databases() const override;
    [[nodiscard]] std::string remote_error() const override;
    [[nodiscard]] StorageState storage() const override;
    [[nodiscard]] ServerCounters counters() const override { return server_.counters(); }

  private:
    struct Event {
        enum class Kind : std::uint8_t { Commit, Executed };
        Kind kind;
        std::string database{};
        bool replaced = false;  // What was known of the database is void; `rows` are all there are.
        std::vector<RowChange> rows{};
        std::uint64_t number = 0;  // Executed: of the last task.
    };

    // The server's thread.
    void serve();
    void execute(const std::vector<std::function<void(OvsdbServer&)>>& tasks);
    void publish();
    void push(Event event);
    void on_row(std::string_view database, const RowChange& change) override;
    void on_commit(std::string_view database) override;
    void on_replaced(std::string_view database) override;

    void deliver(const Event& event);
    void deliver_row(std::string_view database, const RowChange& change);

    OvsdbServer& server_;
    const std::set<Table> unkept_;
    const Bounds bounds_;
    CommitListener* listener_ = nullptr;

    // The policy's thread alone.
    std::map<Table, std::unordered_map<Uuid, Row>> kept_;
    std::uint64_t posted_ = 0;
    std::uint64_t heard_ = 0;

    // The server's thread alone, once it runs.
    Event gathering_{Event::Kind::Commit};  // The transaction whose rows are being told.
    std::uint64_t executed_ = 0;
    bool events_due_ = false;  // The policy's thread has to be woken for what was pushed.
    bool replaced_ = false;    // A schema is another one than was published.

    bool started_ = false;  // Set before the thread is.
    Notifier to_server_;
    Notifier to_policy_;
    std::atomic<std::size_t> waiting_rows_{0};
    mutable std::mutex mutex_;  // Of what follows.
    std::vector<std::function<void(OvsdbServer&)>> tasks_;
    std::deque<Event> events_;
    std::vector<DatabaseInfo> databases_;
    std::string remote_error_;
    StorageState storage_;
    bool stopping_ = false;

    std::optional<Thread> thread_;  // Last: it uses all of the above.
};

}  // namespace hnv::ovs
