// The OVSDB server (RFC 7047) inside the agent, on libovsdb.
//
// One server holds several databases, each in a log file of its own, and serves them on any
// number of remotes. What clients commit is handed to a CommitListener as rows, in process and
// in commit order; what the agent itself has to say is written with write(). libovsdb offers no
// commit hook: ovsdb_journal.c puts one in at link time and queues what is committed until the next
// run(), which hands it to the listener when nothing is half done.
//
// Thread: everything here belongs to one thread, the one whose poll loop calls run() and wait(); in
// the agent that is a thread of the server's own (ovsdb_thread.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/databases.h"
#include "ovs-integration/result.h"
#include "ovs-integration/row.h"
#include "ovs-integration/server_limits.h"
#include "ovs-integration/uuid.h"

namespace hnv::ovs {

// One row of one committed transaction. Insert: no before. Delete: no after.
struct RowChange {
    std::string_view table;  // Of the row, and alive as long.
    Uuid uuid;
    std::optional<Row> before;
    std::optional<Row> after;
    // A client's doing, and not the agent's own; false of rows that were there at the start.
    bool foreign = false;
};

// Called from run(), subscribe() and open(). A callback must not write(): the error says so.
class CommitListener {
  public:
    virtual ~CommitListener() = default;
    // Each row that a transaction changed, in no particular order within the transaction.
    virtual void on_row(std::string_view database, const RowChange& change) = 0;
    // The end of the transaction.
    virtual void on_commit(std::string_view database) = 0;
    // The database was replaced as a whole (a client converted its schema): every row known so far
    // is void; the new contents follow as inserts and one on_commit().
    virtual void on_replaced(std::string_view database) = 0;
};

// Where the server listens (punix:, ptcp:, pssl:), whom it dials (unix:, tcp:, ssl:), or a column
// that says so ("db:DATABASE,TABLE,COLUMN", as the stock server has it).
struct Remote {
    std::string target;
    bool read_only = false;
};

struct TlsFiles {
    std::string private_key;
    std::string certificate;
    std::string ca_certificate;
};

class OvsdbServer final : public Databases {
  public:
    OvsdbServer();
    ~OvsdbServer() override;
    OvsdbServer(const OvsdbServer&) = delete;
    OvsdbServer& operator=(const OvsdbServer&) = delete;

    // Opens the database that `schema_json` describes in `file`; creates the file if there is none.
    // A file with an older schema version is converted in place, its data kept; one with a newer
    // version, with another database's name, or corrupt from the start is refused and not touched.
    [[nodiscard]] Status open(std::string_view schema_json, const std::string& file);

    // Calls the listener with all rows of each database as inserts, then on_commit(). From then on
    // run() hands it what is committed. One listener for all databases, those opened later too; it
    // must outlive the server. At most once.
    void subscribe(CommitListener& listener);

    // Replaces the set of remotes. Errors (an address in use, a bad target) are logged, kept in
    // remote_error() and tried again at each run().
    void set_remotes(std::vector<Remote> remotes);
    [[nodiscard]] std::string remote_error() const override;
    void set_tls(const TlsFiles& files);

    // Both for any thread.
    void set_limits(const ServerLimits& limits);
    [[nodiscard]] ServerCounters counters() const override;

    // One turn: remotes, client sessions, triggers, storage, compaction when due, Manager status,
    // the _Server database; then the listener.
    void run();
    void wait();
    // The last part of run(): the listener hears of what was committed.
    void deliver();

    // Executes RFC 7047 operations ("[{\"op\":\"insert\",...},...]", without the database name) as
    // one transaction of the agent's own. The listener hears of it like of any other. On any
    // operation's error nothing is committed and the error says which operation and why.
    [[nodiscard]] Status write(std::string_view database, const std::string& operations_json);

    // write(), of which nobody waits for the outcome.
    void post(std::string_view database, const std::string& operations_json,
              const std::string& what) override;

    // Starts to rewrite a database's log file so that it holds nothing but the present contents,
    // beside the running server. run() starts it by itself when the file has grown much; this is
    // for the person who asks for it. How it ended is in the log.
    [[nodiscard]] Status compact(std::string_view database);
    [[nodiscard]] bool compacting(std::string_view database) const;

    [[nodiscard]] StorageState storage() const override;

    // Calls `visit` for each row of a table as it stands now. `visit` must not write().
    void for_each_row(std::string_view database, std::string_view table,
                      const std::function<void(const Row&)>& visit) const override;

    [[nodiscard]] std::vector<DatabaseInfo> databases() const override;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
