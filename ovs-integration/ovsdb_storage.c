// Databases and their log files (ovsdb(5), "standalone"): create, open, convert, compact.
//
// Whatever replaces a file's contents is written to a second file, synced, and renamed or linked
// into place: a crash at any moment leaves either the old contents or the new.
//
// A transaction is in its file before it counts in memory; one that can't be written is refused.
// Every such write passes through ovsdb_storage_write(), for which the linker puts
// __wrap_ovsdb_storage_write() (--wrap, given by this folder's CMake target): there a failure is
// noticed, said once, and tried again until there is an end of it.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/uuid.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_log_file.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb-error.h"
#include "ovsdb/file.h"
#include "ovsdb/log.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/storage.h"
#include "ovsdb/transaction.h"
#include "ovsdb/trigger.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_storage);

// After a failure: how long until the next try that no client asked for.
#define PROBE_MSEC 2000

struct ovsdb_write* __real_ovsdb_storage_write(struct ovsdb_storage*, const struct json*,
                                               const struct uuid*, struct uuid*, bool);
struct ovsdb_write* __wrap_ovsdb_storage_write(struct ovsdb_storage*, const struct json*,
                                               const struct uuid*, struct uuid*, bool);

// The file of an open database. libovsdb has no room for what is ours, so this is static; all
// belong to the server's thread.
struct file {
    struct ovs_list node;
    char* name;
    struct ovsdb* db;
    struct hnv_compaction* compaction;  // NULL: none under way.
    char* problem;                      // Why the last write failed; NULL: it went well.
    uint64_t n_failed;                  // Writes.
    long long next_probe;               // When to try again, monotonic, ms.
    bool has_refused;                   // It has a transaction that was refused: to be rewritten.
    bool compaction_cleans;             // … and none since the compaction under way began.
};
static struct ovs_list files = OVS_LIST_INITIALIZER(&files);

// NULL for a database in memory alone.
static struct file* find_file(const struct ovsdb_storage* storage) {
    struct file* file;
    LIST_FOR_EACH(file, node, &files) {
        if (file->db->storage == storage) {
            return file;
        }
    }
    return NULL;
}

// Consumes 'error'; NULL stays NULL.
static char* to_message(struct ovsdb_error* error) {
    return error ? ovsdb_error_to_string_free(error) : NULL;
}

static char* parse_schema(const char* schema_json, struct ovsdb_schema** schemap) {
    *schemap = NULL;
    struct json* json = json_from_string(schema_json);
    char* error = json->type == JSON_STRING ? xasprintf("schema is not JSON: %s", json_string(json))
                                            : to_message(ovsdb_schema_from_json(json, schemap));
    json_destroy(json);
    return error;
}

// Writes a new database file without rows under a temporary name.
static char* write_empty(const char* file, const struct ovsdb_schema* schema) {
    struct ovsdb_log* log;
    char* error = to_message(ovsdb_log_open(file, OVSDB_MAGIC, OVSDB_LOG_CREATE_EXCL, false, &log));
    if (error) {
        return error;
    }
    error = to_message(ovsdb_log_write_and_free(log, ovsdb_schema_to_json(schema)));
    if (!error) {
        // The first record after a schema is one that is on the disk, here as after a compaction:
        // what a crash may have cut short comes behind it.
        struct json* begin = json_object_create();
        json_object_put_string(begin, "_comment", "created by hnv-agent");
        json_object_put(begin, "_date", json_integer_create(time_wall_msec()));
        error = to_message(ovsdb_log_write_and_free(log, begin));
    }
    if (!error) {
        error = to_message(ovsdb_log_commit_block(log));
    }
    ovsdb_log_close(log);
    return error;
}

// Creates 'file', unless someone else has done so meanwhile: then theirs is taken.
static char* create_file(const char* file, const struct ovsdb_schema* schema) {
    char* temporary = xasprintf("%s.new.%ld", file, (long int)getpid());
    unlink(temporary);  // A leftover of a process that had our number and died just here.
    char* error = write_empty(temporary, schema);
    if (!error && link(temporary, file) && errno != EEXIST) {
        error = xasprintf("%s: cannot create (%s)", file, ovs_strerror(errno));
    }
    unlink(temporary);
    free(temporary);
    if (!error) {
        fsync_parent_dir(file);
    }
    return error;
}

// The next transaction that follows the schema, NULL at the end. A damaged end is cut off and said;
// other damage is an error.
static char* read_transaction(struct ovsdb* db, const char* file, struct json** jsonp) {
    struct ovsdb_schema* schema;
    struct uuid id;
    char* reason = to_message(ovsdb_storage_read(db->storage, &schema, jsonp, &id));
    if (!reason) {
        return NULL;
    }
    *jsonp = NULL;
    char* error = hnv_log_mend(file, reason);
    free(reason);
    return error;
}

// Reads the transactions that follow the schema into 'db'. One that can't be used is an error: to
// go on without it would be to lose it when the file is written next.
static char* read_transactions(struct ovsdb* db, const char* file) {
    for (size_t record = 1;; record++) {
        struct json* json;
        char* error = read_transaction(db, file, &json);
        if (error || !json) {
            return error;
        }
        struct ovsdb_txn* txn = NULL;
        char* reason = to_message(ovsdb_file_txn_from_json(db, json, false, &txn));
        json_destroy(json);
        if (!reason) {
            reason = to_message(ovsdb_txn_replay_commit(txn));
        }
        if (reason) {
            error = hnv_log_refuse(file, record, reason);
            free(reason);
            return error;
        }
    }
}

// A version that is no x.y.z (an empty one is allowed) counts as older than any.
static int compare_versions(const char* a, const char* b) {
    struct ovsdb_version v[2] = {{0, 0, 0}, {0, 0, 0}};
    if (!ovsdb_parse_version(a, &v[0])) {
        v[0] = (struct ovsdb_version){0, 0, 0};
    }
    if (!ovsdb_parse_version(b, &v[1])) {
        v[1] = (struct ovsdb_version){0, 0, 0};
    }
    return v[0].x != v[1].x   ? (v[0].x < v[1].x ? -1 : 1)
           : v[0].y != v[1].y ? (v[0].y < v[1].y ? -1 : 1)
           : v[0].z != v[1].z ? (v[0].z < v[1].z ? -1 : 1)
                              : 0;
}

static char* check_identity(const char* file, const struct ovsdb_schema* found,
                            const struct ovsdb_schema* wanted) {
    if (strcmp(found->name, wanted->name)) {
        return xasprintf("%s holds database %s, not %s", file, found->name, wanted->name);
    }
    if (compare_versions(found->version, wanted->version) > 0) {
        return xasprintf(
            "%s holds %s %s; this agent knows up to %s: install a newer agent or restore a backup",
            file, found->name, found->version, wanted->version);
    }
    return NULL;
}

// Converts 'db', file and contents, to 'wanted'. The file is replaced only once all went well.
static char* convert(struct ovsdb* db, const struct ovsdb_schema* wanted) {
    struct ovsdb* converted;
    char* error = to_message(ovsdb_convert(db, wanted, &converted));
    if (error) {
        return error;
    }
    struct json* schema = ovsdb_schema_to_json(wanted);
    struct json* rows = ovsdb_to_txn_json(converted, "converted by hnv-agent", true);
    struct ovsdb_txn_progress* progress = ovsdb_txn_propose_schema_change(db, schema, rows);
    // A standalone database's storage is synchronous.
    ovs_assert(ovsdb_txn_progress_is_complete(progress));
    error = to_message(ovsdb_error_clone(ovsdb_txn_progress_get_error(progress)));
    ovsdb_txn_progress_destroy(progress);
    json_destroy(rows);
    json_destroy(schema);
    if (error) {
        ovsdb_destroy(converted);
    } else {
        VLOG_INFO("%s: converted from version %s to %s", db->name, db->schema->version,
                  wanted->version);
        ovsdb_replace(db, converted);
    }
    return error;
}

// Makes of the reason why a file could not be opened or its schema read what a person can act on.
// Consumes 'reason'.
static char* explain(const char* file, char* reason) {
    char* error = NULL;
    if (strstr(reason, ovs_strerror(EROFS)) || (access(file, W_OK) && errno == EROFS)) {
        error = xasprintf("%s: cannot be written (%s): mount its file system read-write", file,
                          ovs_strerror(EROFS));
    } else if (!strstr(reason, "lock") && !access(file, R_OK | W_OK)) {
        error = hnv_log_mend(file, reason);
    }
    if (!error) {
        return reason;
    }
    free(reason);
    return error;
}

// Reads the file's own schema, checks it, and gives the database without its rows.
static char* open_existing(const char* file, const struct ovsdb_schema* wanted,
                           struct ovsdb** dbp) {
    struct ovsdb_storage* storage;
    char* error = to_message(ovsdb_storage_open(file, true, &storage));
    if (error) {
        return explain(file, error);
    }
    struct ovsdb_schema* found = NULL;
    struct json* json = NULL;
    if (ovsdb_storage_is_clustered(storage)) {
        error = xasprintf("%s holds a member of a cluster, not a standalone database", file);
    } else {
        error = to_message(ovsdb_storage_read(storage, &found, &json, NULL));
        error = error ? explain(file, error) : NULL;
    }
    if (!error) {
        error = found ? check_identity(file, found, wanted) : xasprintf("%s: no schema", file);
    }
    if (error) {
        ovsdb_schema_destroy(found);
        ovsdb_storage_close(storage);
        return error;
    }
    *dbp = ovsdb_create(found, storage);
    return NULL;
}

// What an agent left that ended in the middle of a compaction or conversion. The file is locked.
static void remove_leftovers(const char* file) {
    char* real_name = follow_symlinks(file);
    for (size_t i = 0; i < 2; i++) {
        char* leftover = xasprintf("%s.%s", real_name, i ? "compact" : "tmp");
        unlink(leftover);
        free(leftover);
    }
    free(real_name);
}

static void remember(struct ovsdb* db, const char* name) {
    struct file* file = xzalloc(sizeof *file);
    file->name = xstrdup(name);
    file->db = db;
    ovs_list_push_back(&files, &file->node);
}

static void forget(struct file* file) {
    if (file) {
        hnv_compaction_cancel(file->compaction);
        ovs_list_remove(&file->node);
        free(file->problem);
        free(file->name);
        free(file);
    }
}

char* hnv_ovsdb_open(const char* schema_json, const char* file, struct ovsdb** dbp) {
    *dbp = NULL;
    struct ovsdb_schema* wanted;
    char* error = parse_schema(schema_json, &wanted);
    if (error) {
        return error;
    }
    if (access(file, F_OK) && errno == ENOENT) {
        error = create_file(file, wanted);
    }
    struct ovsdb* db = NULL;
    if (!error) {
        error = open_existing(file, wanted, &db);
    }
    if (!error) {
        remove_leftovers(file);
        error = read_transactions(db, file);
    }
    if (!error && !ovsdb_schema_equal(db->schema, wanted)) {
        error = convert(db, wanted);
    }
    ovsdb_schema_destroy(wanted);
    if (error) {
        ovsdb_destroy(db);
    } else {
        remember(db, file);
        // None is kept, but "monitor_cond_since" goes through the list, which is not one before.
        ovsdb_txn_history_init(db, false);
        *dbp = db;
    }
    return error;
}

struct ovsdb* hnv_ovsdb_create_unbacked(const char* schema_json) {
    struct ovsdb_schema* schema;
    char* error = parse_schema(schema_json, &schema);
    if (error) {
        ovs_abort(0, "built-in schema: %s", error);
    }
    struct ovsdb* db = ovsdb_create(schema, ovsdb_storage_create_unbacked(NULL));
    ovsdb_txn_history_init(db, false);
    return db;
}

void hnv_ovsdb_destroy(struct ovsdb* db) {
    forget(find_file(db->storage));
    ovsdb_destroy(db);
}

const char* hnv_ovsdb_name(const struct ovsdb* db) { return db->name; }

const char* hnv_ovsdb_version(const struct ovsdb* db) { return db->schema->version; }

const char* hnv_ovsdb_problem(const struct ovsdb* db, uint64_t* n_failed) {
    const struct file* file = find_file(db->storage);
    *n_failed = file ? file->n_failed : 0;
    return file ? file->problem : NULL;
}

// Takes note of how a write of 'file' ended.
static void note_write(struct file* file, const struct ovsdb_error* error) {
    if (!error && file->problem) {
        VLOG_INFO("%s: can be written again; transactions are taken", file->name);
    }
    char* reason = error ? ovsdb_error_to_string(error) : NULL;
    const bool is_new = reason && !file->problem;
    free(file->problem);
    file->problem = NULL;
    if (!error) {
        return;
    }
    file->problem = xasprintf(
        "%s cannot be written, and its transactions are refused: make room "
        "in its file system, or mount it read-write (%s)",
        file->name, reason);
    file->next_probe = time_msec() + PROBE_MSEC;
    file->n_failed++;
    if (is_new) {
        VLOG_ERR(
            "%s. What was committed stands, forwarding goes on; this is tried again every "
            "%d ms",
            file->problem, PROBE_MSEC);
    }
    free(reason);
}

static off_t size_of(const struct file* file) {
    struct stat status;
    return stat(file->name, &status) ? 0 : status.st_size;
}

struct ovsdb_write* __wrap_ovsdb_storage_write(struct ovsdb_storage* storage,
                                               const struct json* data, const struct uuid* prereq,
                                               struct uuid* result, bool durable) {
    struct file* file = find_file(storage);
    const off_t before = file && durable ? size_of(file) : 0;
    struct ovsdb_write* write = __real_ovsdb_storage_write(storage, data, prereq, result, durable);
    if (file && ovsdb_write_is_complete(write)) {
        const struct ovsdb_error* error = ovsdb_write_get_error(write);
        note_write(file, error);
        // Written, but the disk would not confirm it: libovsdb refuses it and leaves the record.
        if (error && durable && size_of(file) > before) {
            file->has_refused = true;
            file->compaction_cleans = false;
        }
    }
    return write;
}

// Writes a transaction that changes nothing, to find out whether there is room again.
static void probe(struct file* file) {
    struct json* nothing = json_object_create();
    json_object_put_string(nothing, "_comment", "room again");
    json_object_put(nothing, "_date", json_integer_create(time_wall_msec()));
    ovsdb_write_destroy(
        __wrap_ovsdb_storage_write(file->db->storage, nothing, NULL, NULL, file->has_refused));
    json_destroy(nothing);
}

char* hnv_ovsdb_compact(struct ovsdb* db) {
    struct file* file = find_file(db->storage);
    if (!file) {
        return NULL;
    }
    if (file->compaction) {
        return xasprintf("%s is being compacted already", db->name);
    }
    file->compaction_cleans = true;
    return hnv_compaction_start(db, file->name, &file->compaction);
}

bool hnv_ovsdb_compacting(const struct ovsdb* db) {
    const struct file* file = find_file(db->storage);
    return file && file->compaction;
}

static char* run_compaction(struct file* file) {
    char* error;
    if (hnv_compaction_run(file->compaction, &error)) {
        file->compaction = NULL;
        file->has_refused &= error || !file->compaction_cleans;
    }
    return error;
}

static void run_file(struct file* file) {
    const bool due = time_msec() >= file->next_probe;
    char* error = NULL;
    if (file->compaction) {
        error = run_compaction(file);
    } else if (file->problem) {
        if (due) {
            probe(file);
        }
    } else if ((file->has_refused && due) || ovsdb_storage_should_snapshot(file->db->storage)) {
        error = hnv_ovsdb_compact(file->db);
    }
    if (error) {
        VLOG_WARN("%s: compaction failed, the file goes on as it is: %s", file->name, error);
        free(error);
        file->next_probe = time_msec() + PROBE_MSEC;
    }
}

bool hnv_ovsdb_run(struct ovsdb* db) {
    ovsdb_storage_run(db->storage);
    const bool replaced = ovsdb_trigger_run(db, time_msec());
    struct file* file = find_file(db->storage);
    if (file) {
        run_file(file);
    }
    return replaced;
}

void hnv_ovsdb_wait(struct ovsdb* db) {
    ovsdb_trigger_wait(db, time_msec());
    ovsdb_storage_wait(db->storage);
    const struct file* file = find_file(db->storage);
    if (file && file->compaction) {
        hnv_compaction_wait(file->compaction);
    } else if (file && (file->problem || file->has_refused)) {
        poll_timer_wait_until(file->next_probe);
    }
}
