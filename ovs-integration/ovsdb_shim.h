// Plain C interface to libovsdb (Open vSwitch 3.1), for ovsdb_server.cpp alone.
//
// libovsdb's headers use C++ keywords as names, and its API moves between releases: every call
// into it is made in the ovsdb_*.c files beside this header, one responsibility each.
//
// Conventions: a function that can fail returns its error as a malloc()ed sentence, or NULL for
// success. No callback crosses this border, so that no C++ exception can reach a C frame. All
// objects belong to the one thread that runs the server's poll loop.
#ifndef HNV_OVSDB_SHIM_H
#define HNV_OVSDB_SHIM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ovsdb;
struct ovsdb_row;
struct ovsdb_table;

// -- ovsdb_storage.c: databases and their files ---------------------------------------------------

// Opens the standalone database in 'file', creating it with the schema if there is no such file,
// and brings it to that schema if the file's is older. Locks the file. An end that a crash left is
// cut off and kept beside the file; other damage is an error, as what it hid may have been
// committed. On failure stores NULL and leaves an existing file as it was.
char* hnv_ovsdb_open(const char* schema_json, const char* file, struct ovsdb** dbp);

// A database in memory alone. 'schema_json' must be valid.
struct ovsdb* hnv_ovsdb_create_unbacked(const char* schema_json);

// The database must have been removed from its jsonrpc server before.
void hnv_ovsdb_destroy(struct ovsdb* db);

const char* hnv_ovsdb_name(const struct ovsdb* db);
const char* hnv_ovsdb_version(const struct ovsdb* db);

// Retries waiting transactions, and compacts the file when it has grown enough. Returns true if a
// client's schema conversion replaced the database's contents.
bool hnv_ovsdb_run(struct ovsdb* db);
void hnv_ovsdb_wait(struct ovsdb* db);

// Starts to rewrite the log file so that it holds nothing but the present contents; hnv_ovsdb_run()
// does the rest. An error if that is under way already.
char* hnv_ovsdb_compact(struct ovsdb* db);
bool hnv_ovsdb_compacting(const struct ovsdb* db);

// Why transactions can't be written to the file at present, and what to do; NULL if they can. Until
// the next call of any of these functions. Stores how many writes have failed so far.
const char* hnv_ovsdb_problem(const struct ovsdb* db, uint64_t* n_failed);

// -- ovsdb_execute.c: the agent's own transactions ------------------------------------------------

// Executes a JSON array of RFC 7047 operations (section 5.2) as one transaction.
char* hnv_ovsdb_execute(struct ovsdb* db, const char* operations_json);

// -- ovsdb_remotes.c: the jsonrpc server and its remotes ------------------------------------------

// libovsdb's JSON-RPC server, and what bounds its clients.
struct hnv_ovsdb_server;

struct hnv_ovsdb_remote {
    const char* target;
    bool read_only;
};

struct hnv_ovsdb_server* hnv_ovsdb_server_create(void);
void hnv_ovsdb_server_destroy(struct hnv_ovsdb_server* server);
void hnv_ovsdb_server_add(struct hnv_ovsdb_server* server, struct ovsdb* db);
void hnv_ovsdb_server_remove(struct hnv_ovsdb_server* server, struct ovsdb* db);
void hnv_ovsdb_server_run(struct hnv_ovsdb_server* server);
void hnv_ovsdb_server_wait(struct hnv_ovsdb_server* server);
// Makes those clients reconnect that cannot cope with a changed schema.
void hnv_ovsdb_server_schema_changed(struct hnv_ovsdb_server* server, const struct ovsdb* db);

// Makes the server's remotes those of 'remotes', "db:" targets resolved in 'dbs'. The rest is
// served even if some fail; the error then names each of them, one a line.
char* hnv_ovsdb_set_remotes(struct hnv_ovsdb_server* server, struct ovsdb* const* dbs, size_t n_dbs,
                            const struct hnv_ovsdb_remote* remotes, size_t n_remotes);

// Writes connection status into the rows that "db:" remotes refer to (is_connected, status).
void hnv_ovsdb_update_remote_status(const struct hnv_ovsdb_server* server, struct ovsdb* const* dbs,
                                    size_t n_dbs, const struct hnv_ovsdb_remote* remotes,
                                    size_t n_remotes);

// -- ovsdb_tls.c: the server's certificates -------------------------------------------------------

// File names of PEM files, or NULL. Files that changed since the last call are loaded again; those
// that cannot be used are said in the log, and what was loaded before stays.
void hnv_ovsdb_set_tls(const char* private_key, const char* certificate,
                       const char* ca_certificate);

// -- ovsdb_limits.c, ovsdb_requests.c: bounds on clients ------------------------------------------

struct hnv_ovsdb_limits {
    uint64_t clients;        // Connected at once; some places more are the Unix socket's.
    uint64_t message_bytes;  // Of one message; and of a client's waiting transactions together.
    uint64_t monitors;       // Of a client; so are the next three.
    uint64_t waits;          // Transactions whose "wait" is not fulfilled yet.
    uint64_t locks;
    uint64_t backlog_bytes;  // Who has taken nothing for a minute, of more than this, is dropped.
};

struct hnv_ovsdb_counters {
    uint64_t clients;  // At this moment, dialled ones too. The others count since the start.
    uint64_t clients_refused;
    uint64_t clients_stalled;   // Dropped, since they took nothing of what was sent to them.
    uint64_t untrusted;         // TLS connections that ended before a certificate was shown.
    uint64_t messages_refused;  // Too long.
    uint64_t monitors_refused;
    uint64_t waits_refused;
    uint64_t locks_refused;
    uint64_t permissions_refused;  // By a role, in a database that has no role tables.
};

// Both for any thread. Before the first call no client is let in.
void hnv_ovsdb_set_limits(struct hnv_ovsdb_server* server, const struct hnv_ovsdb_limits* limits);
void hnv_ovsdb_get_counters(const struct hnv_ovsdb_server* server,
                            struct hnv_ovsdb_counters* counters);

// -- ovsdb_server_db.c: the _Server database ------------------------------------------------------

// Brings table Database of 'server_db' up to date with 'dbs'.
void hnv_ovsdb_publish(struct ovsdb* server_db, struct ovsdb* const* dbs, size_t n_dbs);

// -- ovsdb_row.c: reading tables, rows, cells -----------------------------------------------------

// A copy of a row as it stood: immutable, independent of its database, readable by any thread.
struct hnv_ovsdb_row;

enum hnv_ovsdb_type {
    HNV_OVSDB_NONE,  // As a value's type: the column is no map.
    HNV_OVSDB_INTEGER,
    HNV_OVSDB_REAL,
    HNV_OVSDB_BOOLEAN,
    HNV_OVSDB_STRING,
    HNV_OVSDB_UUID,
};

// A column's contents in one row: 'n' keys, in order, and for a map as many values. It lives as
// long as the row.
struct hnv_ovsdb_cell {
    size_t n;
    const void* keys;
    const void* values;
};

// Iteration: pass NULL for the first one; NULL comes back after the last. The database must not
// change meanwhile.
const struct ovsdb_table* hnv_ovsdb_next_table(const struct ovsdb* db,
                                               const struct ovsdb_table* previous);
const struct ovsdb_row* hnv_ovsdb_next_row(const struct ovsdb_table* table,
                                           const struct ovsdb_row* previous);
// NULL if there is no such table.
const struct ovsdb_table* hnv_ovsdb_find_table(const struct ovsdb* db, const char* name);

// The copy has one owner, who takes others in by ref; the last unref frees it. Copying is for the
// server's thread, the rest for any.
struct hnv_ovsdb_row* hnv_ovsdb_row_copy(const struct ovsdb_row* row);
void hnv_ovsdb_row_ref(struct hnv_ovsdb_row* row);
void hnv_ovsdb_row_unref(struct hnv_ovsdb_row* row);

const char* hnv_ovsdb_row_table_name(const struct hnv_ovsdb_row* row);
void hnv_ovsdb_row_uuid(const struct hnv_ovsdb_row* row, uint32_t uuid[4]);
// An empty cell if the table has no such column or the column is of another type.
struct hnv_ovsdb_cell hnv_ovsdb_row_cell(const struct hnv_ovsdb_row* row, const char* column,
                                         enum hnv_ovsdb_type key, enum hnv_ovsdb_type value);

// The i-th of a cell's keys or values; the type is the one that the cell was asked for.
int64_t hnv_ovsdb_atom_integer(const void* atoms, size_t i);
bool hnv_ovsdb_atom_boolean(const void* atoms, size_t i);
const char* hnv_ovsdb_atom_string(const void* atoms, size_t i);
void hnv_ovsdb_atom_uuid(const void* atoms, size_t i, uint32_t uuid[4]);

// -- ovsdb_journal.c: hearing of commits ----------------------------------------------------------

// What was committed in the databases that are being followed and has not been taken yet, in
// commit order. See the top of ovsdb_journal.c for how it learns of it.
struct hnv_ovsdb_journal;

enum hnv_ovsdb_event_kind {
    HNV_OVSDB_EVENT_ROW,       // One row of a transaction.
    HNV_OVSDB_EVENT_COMMIT,    // The transaction's last row has been taken.
    HNV_OVSDB_EVENT_REPLACED,  // Schema and contents were replaced as a whole.
};

struct hnv_ovsdb_event {
    enum hnv_ovsdb_event_kind kind;
    struct ovsdb* db;
    struct hnv_ovsdb_row* before;  // NULL: inserted. Rows only.
    struct hnv_ovsdb_row* after;   // NULL: deleted. Rows only.
    bool foreign;                  // Not of a transaction of the agent's own. Rows only.
};

struct hnv_ovsdb_journal* hnv_ovsdb_journal_create(void);
// No database may be followed any more.
void hnv_ovsdb_journal_destroy(struct hnv_ovsdb_journal* journal);

void hnv_ovsdb_journal_follow(struct hnv_ovsdb_journal* journal, struct ovsdb* db);
// Forgets what was not taken. Does nothing if the database is not followed.
void hnv_ovsdb_journal_unfollow(struct hnv_ovsdb_journal* journal, struct ovsdb* db);
// Forgets what was not taken of one database, which stays followed.
void hnv_ovsdb_journal_discard(struct hnv_ovsdb_journal* journal, const struct ovsdb* db);

bool hnv_ovsdb_journal_is_empty(const struct hnv_ovsdb_journal* journal);
// What is committed until the matching call with false is the agent's own.
void hnv_ovsdb_journal_own(bool own);
// Takes the oldest event, and its rows, which the caller has to unref; false if there is none.
bool hnv_ovsdb_journal_take(struct hnv_ovsdb_journal* journal, struct hnv_ovsdb_event* event);

#ifdef __cplusplus
}
#endif

#endif
