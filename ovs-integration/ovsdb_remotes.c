// The JSON-RPC server's remotes: literal targets, and those that a column of a served database
// names ("db:DATABASE,TABLE,COLUMN", ovsdb-server(1)): a column of strings, or one that refers to
// rows with a "target", as Manager tables have it.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb-error.h"
#include "ovsdb/column.h"
#include "ovsdb/jsonrpc-server.h"
#include "ovsdb/ovsdb-util.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "ovsdb/transaction.h"
#include "socket-util.h"
#include "stream-ssl.h"
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_remotes);

// What a "db:" target names.
struct place {
    struct ovsdb* db;
    const struct ovsdb_table* table;
    const struct ovsdb_column* column;
};

static bool is_place(const char* target) { return !strncmp(target, "db:", 3); }

static char* find_place(const char* target, struct ovsdb* const* dbs, size_t n_dbs,
                        struct place* place) {
    memset(place, 0, sizeof *place);
    char* names = xstrdup(target + strlen("db:"));
    char* rest = names;
    const char* db_name = strsep(&rest, ",");
    const char* table_name = strsep(&rest, ",");
    const char* column_name = strsep(&rest, ",");
    char* error = NULL;
    if (!db_name || !table_name || !column_name || rest) {
        error = xasprintf("%s: not of the form db:DATABASE,TABLE,COLUMN", target);
        goto out;
    }
    for (size_t i = 0; i < n_dbs; i++) {
        if (!strcmp(dbs[i]->name, db_name)) {
            place->db = dbs[i];
        }
    }
    if (!place->db) {
        error = xasprintf("%s: no such database", target);
        goto out;
    }
    place->table = ovsdb_get_table(place->db, table_name);
    place->column =
        place->table ? ovsdb_table_schema_get_column(place->table->schema, column_name) : NULL;
    if (!place->column) {
        error = xasprintf("%s: no such %s", target, place->table ? "column" : "table");
    }
out:
    free(names);
    return error;
}

static bool holds_strings(const struct place* place) {
    return place->column->type.key.type == OVSDB_TYPE_STRING &&
           place->column->type.value.type == OVSDB_TYPE_VOID;
}

static bool holds_references(const struct place* place) {
    return place->column->type.key.type == OVSDB_TYPE_UUID &&
           place->column->type.key.uuid.refTable &&
           place->column->type.value.type == OVSDB_TYPE_VOID;
}

static struct ovsdb_jsonrpc_options* add_target(struct shash* targets, const char* target,
                                                bool read_only, struct ds* errors) {
    struct ovsdb_jsonrpc_options* options = shash_find_data(targets, target);
    if (!options) {
        if (pstream_verify_name(target) && stream_verify_name(target)) {
            ds_put_format(errors, "%s: not a remote that can be used here\n", target);
            return NULL;
        }
        options = ovsdb_jsonrpc_default_options(target);
        shash_add(targets, target, options);
    }
    // Named twice, the stricter one holds: a client's row must not open the read-only port.
    options->read_only = options->read_only || read_only;
    return options;
}

static void add_manager(struct shash* targets, const struct ovsdb_row* row, bool read_only,
                        struct ds* errors) {
    const char* target;
    if (!ovsdb_util_read_string_column(row, "target", &target)) {
        ds_put_format(errors, "%s: rows have no \"target\"\n", row->table->schema->name);
        return;
    }
    struct ovsdb_jsonrpc_options* options = add_target(targets, target, read_only, errors);
    if (!options) {
        return;
    }
    long long int number;
    if (ovsdb_util_read_integer_column(row, "max_backoff", &number)) {
        options->max_backoff = (int)MIN(number, INT_MAX);
    }
    if (ovsdb_util_read_integer_column(row, "inactivity_probe", &number)) {
        options->probe_interval = (int)MAX(0, MIN(number, INT_MAX));
    }
    bool flag;
    if (ovsdb_util_read_bool_column(row, "read_only", &flag)) {
        options->read_only = options->read_only || flag;
    }
    const char* role;
    if (ovsdb_util_read_string_column(row, "role", &role)) {
        free(options->role);
        options->role = xstrdup(role);
    }
    const char* dscp = ovsdb_util_read_map_string_column(row, "other_config", "dscp");
    int value;
    if (dscp && str_to_int(dscp, 10, &value) && value >= 0 && value <= 63) {
        options->dscp = value;
    }
}

static void add_place(struct shash* targets, const struct place* place, bool read_only,
                      struct ds* errors) {
    const struct ovsdb_row* row;
    HMAP_FOR_EACH(row, hmap_node, &place->table->rows) {
        const struct ovsdb_datum* datum = &row->fields[place->column->index];
        for (size_t i = 0; i < datum->n; i++) {
            if (holds_strings(place)) {
                add_target(targets, json_string(datum->keys[i].s), read_only, errors);
            } else if (holds_references(place)) {
                const struct ovsdb_row* manager = ovsdb_table_get_row(
                    place->column->type.key.uuid.refTable, &datum->keys[i].uuid);
                if (manager) {
                    add_manager(targets, manager, read_only, errors);
                }
            }
        }
    }
}

// The server itself only logs that it could not listen (and tries again at each call).
static void note_failed_listeners(const struct ovsdb_jsonrpc_server* server,
                                  const struct shash* targets, struct ds* errors) {
    struct shash_node* node;
    SHASH_FOR_EACH(node, targets) {
        struct ovsdb_jsonrpc_remote_status status;
        if (!pstream_verify_name(node->name)) {
            if (!ovsdb_jsonrpc_server_get_remote_status(server, node->name, &status)) {
                ds_put_format(errors, "%s: cannot listen; the log tells why\n", node->name);
            }
            ovsdb_jsonrpc_server_free_remote_status(&status);
        }
    }
}

// libovsdb refuses the transactions of a read-only session, but lets it convert a database to
// another schema unless it has a role. In databases without role tables a role means nothing else.
static void forbid_conversion(const struct shash* targets) {
    const struct shash_node* node;
    SHASH_FOR_EACH(node, targets) {
        struct ovsdb_jsonrpc_options* options = node->data;
        if (options->read_only && (!options->role || !options->role[0])) {
            free(options->role);
            options->role = xstrdup("read-only");
        }
    }
}

char* hnv_ovsdb_set_remotes(struct ovsdb_jsonrpc_server* server, struct ovsdb* const* dbs,
                            size_t n_dbs, const struct hnv_ovsdb_remote* remotes,
                            size_t n_remotes) {
    struct ds errors = DS_EMPTY_INITIALIZER;
    struct shash targets = SHASH_INITIALIZER(&targets);
    for (size_t i = 0; i < n_remotes; i++) {
        const struct hnv_ovsdb_remote* remote = &remotes[i];
        if (!is_place(remote->target)) {
            add_target(&targets, remote->target, remote->read_only, &errors);
            continue;
        }
        struct place place;
        char* error = find_place(remote->target, dbs, n_dbs, &place);
        if (error) {
            ds_put_format(&errors, "%s\n", error);
            free(error);
        } else {
            add_place(&targets, &place, remote->read_only, &errors);
        }
    }
    forbid_conversion(&targets);
    ovsdb_jsonrpc_server_set_remotes(server, &targets);
    note_failed_listeners(server, &targets, &errors);

    struct shash_node* node;
    SHASH_FOR_EACH(node, &targets) {
        struct ovsdb_jsonrpc_options* options = node->data;
        free(options->role);
    }
    shash_destroy_free_data(&targets);
    ds_chomp(&errors, '\n');
    return errors.length ? ds_steal_cstr(&errors) : NULL;
}

// A map<string,string> on its way into a row.
struct status_map {
    char* keys[9];
    char* values[9];
    size_t n;
};

static void put_status(struct status_map* map, const char* key, char* value) {
    ovs_assert(map->n < ARRAY_SIZE(map->keys));
    map->keys[map->n] = xstrdup(key);
    map->values[map->n++] = value;
}

static void put_lock_status(struct status_map* map, const char* key, const char* locks) {
    if (locks && locks[0]) {
        put_status(map, key, xstrdup(locks));
    }
}

// The keys and their meaning are those of ovsdb-server, which controllers know (vtep(5), "Manager:
// Status").
static void write_status(const struct ovsdb_jsonrpc_server* server, struct ovsdb_txn* txn,
                         const struct ovsdb_row* manager) {
    const char* target;
    if (!ovsdb_util_read_string_column(manager, "target", &target)) {
        return;
    }
    struct ovsdb_jsonrpc_remote_status status;
    ovsdb_jsonrpc_server_get_remote_status(server, target, &status);
    struct status_map map = {.n = 0};
    if (status.state) {
        put_status(&map, "state", xstrdup(status.state));
    }
    if (status.sec_since_connect != UINT_MAX) {
        put_status(&map, "sec_since_connect", xasprintf("%u", status.sec_since_connect));
    }
    if (status.sec_since_disconnect != UINT_MAX) {
        put_status(&map, "sec_since_disconnect", xasprintf("%u", status.sec_since_disconnect));
    }
    if (status.last_error) {
        put_status(&map, "last_error", xstrdup(ovs_retval_to_string(status.last_error)));
    }
    put_lock_status(&map, "locks_held", status.locks_held);
    put_lock_status(&map, "locks_waiting", status.locks_waiting);
    put_lock_status(&map, "locks_lost", status.locks_lost);
    if (status.n_connections > 1) {
        put_status(&map, "n_connections", xasprintf("%d", status.n_connections));
    }
    if (status.bound_port != htons(0)) {
        put_status(&map, "bound_port", xasprintf("%d", ntohs(status.bound_port)));
    }

    // The commit drops a row that turns out not to have changed.
    struct ovsdb_row* row = ovsdb_txn_row_modify(txn, manager);
    ovsdb_util_write_bool_column(row, "is_connected", status.is_connected);
    ovsdb_util_write_string_string_column(row, "status", map.keys, map.values, map.n);
    ovsdb_jsonrpc_server_free_remote_status(&status);
}

static void write_place_status(const struct ovsdb_jsonrpc_server* server,
                               const struct place* place) {
    struct ovsdb_txn* txn = ovsdb_txn_create(place->db);
    const struct ovsdb_row* row;
    HMAP_FOR_EACH(row, hmap_node, &place->table->rows) {
        const struct ovsdb_datum* datum = &row->fields[place->column->index];
        for (size_t i = 0; i < datum->n; i++) {
            const struct ovsdb_row* manager =
                ovsdb_table_get_row(place->column->type.key.uuid.refTable, &datum->keys[i].uuid);
            if (manager) {
                write_status(server, txn, manager);
            }
        }
    }
    struct ovsdb_error* error = ovsdb_txn_propose_commit_block(txn, false);
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
        char* message = ovsdb_error_to_string_free(error);
        VLOG_ERR_RL(&rl, "%s: cannot write connection status: %s", place->db->name, message);
        free(message);
    }
}

void hnv_ovsdb_update_remote_status(const struct ovsdb_jsonrpc_server* server,
                                    struct ovsdb* const* dbs, size_t n_dbs,
                                    const struct hnv_ovsdb_remote* remotes, size_t n_remotes) {
    for (size_t i = 0; i < n_remotes; i++) {
        struct place place;
        if (!is_place(remotes[i].target)) {
            continue;
        }
        char* error = find_place(remotes[i].target, dbs, n_dbs, &place);
        if (error) {
            free(error);  // hnv_ovsdb_set_remotes() has reported it.
        } else if (holds_references(&place)) {
            write_place_status(server, &place);
        }
    }
}

struct ovsdb_jsonrpc_server* hnv_ovsdb_server_create(void) {
    return ovsdb_jsonrpc_server_create(false);
}

void hnv_ovsdb_server_destroy(struct ovsdb_jsonrpc_server* server) {
    if (server) {
        ovsdb_jsonrpc_server_destroy(server);
    }
}

void hnv_ovsdb_server_add(struct ovsdb_jsonrpc_server* server, struct ovsdb* db) {
    const bool added = ovsdb_jsonrpc_server_add_db(server, db);
    ovs_assert(added);  // Names are unique: the caller has checked.
}

void hnv_ovsdb_server_remove(struct ovsdb_jsonrpc_server* server, struct ovsdb* db) {
    ovsdb_jsonrpc_server_remove_db(server, db, xasprintf("database %s is being closed", db->name));
}

void hnv_ovsdb_server_run(struct ovsdb_jsonrpc_server* server) { ovsdb_jsonrpc_server_run(server); }

void hnv_ovsdb_server_wait(struct ovsdb_jsonrpc_server* server) {
    ovsdb_jsonrpc_server_wait(server);
}

void hnv_ovsdb_server_schema_changed(struct ovsdb_jsonrpc_server* server, const struct ovsdb* db) {
    ovsdb_jsonrpc_server_reconnect(server, false,
                                   xasprintf("the schema of database %s changed", db->name));
}

void hnv_ovsdb_set_tls(const char* private_key, const char* certificate,
                       const char* ca_certificate) {
    stream_ssl_set_key_and_cert(private_key, certificate);
    stream_ssl_set_ca_cert_file(ca_certificate, false);
}
