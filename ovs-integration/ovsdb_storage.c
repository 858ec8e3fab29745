// Databases and their log files (ovsdb(5), "standalone"): create, open, convert, compact.
//
// Whatever replaces a file's contents is written to a second file, synced, and renamed or linked
// into place: a crash at any moment leaves either the old contents or the new.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/uuid.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
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

// Reads the transactions that follow the schema into 'db'. A damaged record ends the reading: most
// likely a write that a crash cut short, which no client was told of. What precedes it counts; the
// next write replaces it.
static void read_transactions(struct ovsdb* db, const char* file) {
    for (;;) {
        struct ovsdb_schema* schema;
        struct json* json;
        struct uuid id;
        struct ovsdb_error* error = ovsdb_storage_read(db->storage, &schema, &json, &id);
        if (!error && !json) {
            return;
        }
        struct ovsdb_txn* txn = NULL;
        if (!error) {
            error = ovsdb_file_txn_from_json(db, json, false, &txn);
            if (error) {
                ovsdb_storage_unread(db->storage);
            }
        }
        json_destroy(json);
        if (error) {
            char* message = to_message(error);
            VLOG_ERR("%s: using the contents up to a damaged record: %s", file, message);
            free(message);
            return;
        }
        char* message = to_message(ovsdb_txn_replay_commit(txn));
        if (message) {
            VLOG_ERR("%s: skipping a transaction: %s", file, message);
            free(message);
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

// Reads the file's own schema, checks it, and gives the database without its rows.
static char* open_existing(const char* file, const struct ovsdb_schema* wanted,
                           struct ovsdb** dbp) {
    struct ovsdb_storage* storage;
    char* error = to_message(ovsdb_storage_open(file, true, &storage));
    if (error) {
        return error;
    }
    struct ovsdb_schema* found = NULL;
    struct json* json = NULL;
    if (ovsdb_storage_is_clustered(storage)) {
        error = xasprintf("%s holds a member of a cluster, not a standalone database", file);
    } else {
        error = to_message(ovsdb_storage_read(storage, &found, &json, NULL));
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
        read_transactions(db, file);
        if (!ovsdb_schema_equal(db->schema, wanted)) {
            error = convert(db, wanted);
        }
    }
    ovsdb_schema_destroy(wanted);
    if (error) {
        ovsdb_destroy(db);
    } else {
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
    return ovsdb_create(schema, ovsdb_storage_create_unbacked(NULL));
}

void hnv_ovsdb_destroy(struct ovsdb* db) { ovsdb_destroy(db); }

const char* hnv_ovsdb_name(const struct ovsdb* db) { return db->name; }

const char* hnv_ovsdb_version(const struct ovsdb* db) { return db->schema->version; }

char* hnv_ovsdb_compact(struct ovsdb* db) { return to_message(ovsdb_snapshot(db, true)); }

bool hnv_ovsdb_run(struct ovsdb* db) {
    ovsdb_storage_run(db->storage);
    const bool replaced = ovsdb_trigger_run(db, time_msec());
    if (ovsdb_storage_should_snapshot(db->storage)) {
        char* error = hnv_ovsdb_compact(db);
        if (error) {
            VLOG_WARN("%s: compaction failed: %s", db->name, error);
            free(error);
        }
    }
    return replaced;
}

void hnv_ovsdb_wait(struct ovsdb* db) {
    ovsdb_trigger_wait(db, time_msec());
    ovsdb_storage_wait(db->storage);
}
