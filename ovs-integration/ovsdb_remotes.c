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
#include "ovs-integration/ovsdb_limits.h"
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
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_remotes);

struct hnv_ovsdb_server {
    struct ovsdb_jsonrpc_server* rpc;
    struct hnv_ovsdb_gate* gate;
    struct shash rights;  // What a remote's clients may do, as text, by target.
};

// Each is a socket or two, and a client can write any number of rows.
#define MAX_REMOTES 64

// The remotes that there are to be.
struct plan {
    struct shash targets;    // "struct ovsdb_jsonrpc_options" by target.
    struct shash databases;  // Those that a remote's role reaches: text, by target.
    struct ds errors;
};

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

static struct ovsdb_jsonrpc_options* add_target(struct plan* plan, const char* target,
                                                bool read_only) {
    struct ovsdb_jsonrpc_options* options = shash_find_data(&plan->targets, target);
    if (!options) {
        if (pstream_verify_name(target) && stream_verify_name(target)) {
            ds_put_format(&plan->errors, "%s: not a remote that can be used here\n", target);
            return NULL;
        }
        if (shash_count(&plan->targets) >= MAX_REMOTES) {
            ds_put_format(&plan->errors, "%s: there are %d remotes already\n", target, MAX_REMOTES);
            return NULL;
        }
        options = ovsdb_jsonrpc_default_options(target);
        shash_add(&plan->targets, target, options);
    }
    // Named twice, the stricter one holds: a client's row must not open the read-only port.
    options->read_only = options->read_only || read_only;
    return options;
}

// A row that has a role: of two for one target the first one read holds, and that is an error.
static void add_role(struct plan* plan, const struct ovsdb_row* row, const char* target,
                     struct ovsdb_jsonrpc_options* options) {
    const char* role;
    if (!ovsdb_util_read_string_column(row, "role", &role) || !role[0]) {
        return;
    }
    if (options->role && strcmp(options->role, role)) {
        ds_put_format(&plan->errors, "%s: named with role \"%s\" and with role \"%s\"\n", target,
                      options->role, role);
        return;
    }
    free(options->role);
    options->role = xstrdup(role);
    const char* databases = ovsdb_util_read_map_string_column(row, "other_config", "databases");
    if (databases) {
        free(shash_replace(&plan->databases, target, xstrdup(databases)));
    }
}

static void add_manager(struct plan* plan, const struct ovsdb_row* row, bool read_only) {
    const char* target;
    if (!ovsdb_util_read_string_column(row, "target", &target)) {
        ds_put_format(&plan->errors, "%s: rows have no \"target\"\n", row->table->schema->name);
        return;
    }
    struct ovsdb_jsonrpc_options* options = add_target(plan, target, read_only);
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
    add_role(plan, row, target, options);
    const char* dscp = ovsdb_util_read_map_string_column(row, "other_config", "dscp");
    int value;
    if (dscp && str_to_int(dscp, 10, &value) && value >= 0 && value <= 63) {
        options->dscp = value;
    }
}

static void add_place(struct plan* plan, const struct place* place, bool read_only) {
    const struct ovsdb_row* row;
    HMAP_FOR_EACH(row, hmap_node, &place->table->rows) {
        const struct ovsdb_datum* datum = &row->fields[place->column->index];
        for (size_t i = 0; i < datum->n; i++) {
            if (holds_strings(place)) {
                add_target(plan, json_string(datum->keys[i].s), read_only);
            } else if (holds_references(place)) {
                const struct ovsdb_row* manager = ovsdb_table_get_row(
                    place->column->type.key.uuid.refTable, &datum->keys[i].uuid);
                if (manager) {
                    add_manager(plan, manager, read_only);
                }
            }
        }
    }
}

// The server itself only logs that it could not listen (and tries again at each call).
static void note_failed_listeners(const struct ovsdb_jsonrpc_server* server, struct plan* plan) {
    const struct shash_node* node;
    SHASH_FOR_EACH(node, &plan->targets) {
        struct ovsdb_jsonrpc_remote_status status;
        if (!pstream_verify_name(node->name)) {
            if (!ovsdb_jsonrpc_server_get_remote_status(server, node->name, &status)) {
                ds_put_format(&plan->errors, "%s: cannot listen; the log tells why\n", node->name);
            }
            ovsdb_jsonrpc_server_free_remote_status(&status);
        }
    }
}

// Tells the gate what remotes allow. A role reaches the databases with role tables of their own,
// too: there libovsdb asks them.
static void set_rights(struct hnv_ovsdb_gate* gate, const struct plan* plan,
                       struct ovsdb* const* dbs, size_t n_dbs) {
    hnv_ovsdb_gate_clear_rights(gate);
    const struct shash_node* node;
    SHASH_FOR_EACH(node, &plan->targets) {
        const struct ovsdb_jsonrpc_options* options = node->data;
        if (!options->read_only && !options->role) {
            continue;
        }
        struct sset databases;
        const char* named = shash_find_data(&plan->databases, node->name);
        sset_from_delimited_string(&databases, named ? named : "", ", ");
        for (size_t i = 0; i < n_dbs; i++) {
            if (dbs[i]->rbac_role) {
                sset_add(&databases, dbs[i]->name);
            }
        }
        hnv_ovsdb_gate_set_rights(gate, node->name, options->read_only, options->role, &databases);
        sset_destroy(&databases);
    }
}

// libovsdb gives a remote its rights once, when it is made: one whose rights are others now has to
// be taken away first, and its clients with it.
static void remove_changed(struct hnv_ovsdb_server* server, const struct shash* targets) {
    struct shash rights = SHASH_INITIALIZER(&rights);
    struct shash unchanged = SHASH_INITIALIZER(&unchanged);
    const struct shash_node* node;
    SHASH_FOR_EACH(node, targets) {
        const struct ovsdb_jsonrpc_options* options = node->data;
        char* text = xasprintf("%d %s", options->read_only, options->role ? options->role : "");
        shash_add(&rights, node->name, text);
        const char* former = shash_find_data(&server->rights, node->name);
        if (!former || !strcmp(former, text)) {
            shash_add(&unchanged, node->name, node->data);
        }
    }
    if (shash_count(&unchanged) < shash_count(targets)) {
        ovsdb_jsonrpc_server_set_remotes(server->rpc, &unchanged);
    }
    shash_destroy(&unchanged);
    shash_swap(&server->rights, &rights);
    shash_destroy_free_data(&rights);
}

static void destroy_plan(struct plan* plan) {
    struct shash_node* node;
    SHASH_FOR_EACH(node, &plan->targets) {
        struct ovsdb_jsonrpc_options* options = node->data;
        free(options->role);
    }
    shash_destroy_free_data(&plan->targets);
    shash_destroy_free_data(&plan->databases);
    ds_destroy(&plan->errors);
}

static void add_remote(struct plan* plan, const struct hnv_ovsdb_remote* remote,
                       struct ovsdb* const* dbs, size_t n_dbs) {
    if (!is_place(remote->target)) {
        add_target(plan, remote->target, remote->read_only);
        return;
    }
    struct place place;
    char* error = find_place(remote->target, dbs, n_dbs, &place);
    if (error) {
        ds_put_format(&plan->errors, "%s\n", error);
        free(error);
    } else {
        add_place(plan, &place, remote->read_only);
    }
}

char* hnv_ovsdb_set_remotes(struct hnv_ovsdb_server* server, struct ovsdb* const* dbs, size_t n_dbs,
                            const struct hnv_ovsdb_remote* remotes, size_t n_remotes) {
    struct plan plan = {.errors = DS_EMPTY_INITIALIZER};
    shash_init(&plan.targets);
    shash_init(&plan.databases);
    // Rows come last: what was asked for at the start has its place, however many there are.
    for (int places = 0; places <= 1; places++) {
        for (size_t i = 0; i < n_remotes; i++) {
            if (is_place(remotes[i].target) == places) {
                add_remote(&plan, &remotes[i], dbs, n_dbs);
            }
        }
    }
    set_rights(server->gate, &plan, dbs, n_dbs);
    hnv_ovsdb_gate_enter(server->gate);
    remove_changed(server, &plan.targets);
    ovsdb_jsonrpc_server_set_remotes(server->rpc, &plan.targets);
    hnv_ovsdb_gate_leave();
    note_failed_listeners(server->rpc, &plan);

    ds_chomp(&plan.errors, '\n');
    char* error = plan.errors.length ? xstrdup(ds_cstr(&plan.errors)) : NULL;
    destroy_plan(&plan);
    return error;
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
    hnv_ovsdb_journal_own(true);
    struct ovsdb_error* error = ovsdb_txn_propose_commit_block(txn, false);
    hnv_ovsdb_journal_own(false);
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
        char* message = ovsdb_error_to_string_free(error);
        VLOG_ERR_RL(&rl, "%s: cannot write connection status: %s", place->db->name, message);
        free(message);
    }
}

void hnv_ovsdb_update_remote_status(const struct hnv_ovsdb_server* server, struct ovsdb* const* dbs,
                                    size_t n_dbs, const struct hnv_ovsdb_remote* remotes,
                                    size_t n_remotes) {
    for (size_t i = 0; i < n_remotes; i++) {
        struct place place;
        if (!is_place(remotes[i].target)) {
            continue;
        }
        char* error = find_place(remotes[i].target, dbs, n_dbs, &place);
        if (error) {
            free(error);  // hnv_ovsdb_set_remotes() has reported it.
        } else if (holds_references(&place)) {
            write_place_status(server->rpc, &place);
        }
    }
}

struct hnv_ovsdb_server* hnv_ovsdb_server_create(void) {
    struct hnv_ovsdb_server* server = xmalloc(sizeof *server);
    server->rpc = ovsdb_jsonrpc_server_create(false);
    server->gate = hnv_ovsdb_gate_create();
    hnv_ovsdb_waits_init(server->gate);
    shash_init(&server->rights);
    return server;
}

void hnv_ovsdb_server_destroy(struct hnv_ovsdb_server* server) {
    if (server) {
        hnv_ovsdb_gate_enter(server->gate);
        ovsdb_jsonrpc_server_destroy(server->rpc);
        hnv_ovsdb_gate_leave();
        hnv_ovsdb_waits_destroy(server->gate);
        hnv_ovsdb_gate_destroy(server->gate);
        shash_destroy_free_data(&server->rights);
        free(server);
    }
}

void hnv_ovsdb_server_add(struct hnv_ovsdb_server* server, struct ovsdb* db) {
    hnv_ovsdb_gate_enter(server->gate);
    const bool added = ovsdb_jsonrpc_server_add_db(server->rpc, db);
    hnv_ovsdb_gate_leave();
    ovs_assert(added);  // Names are unique: the caller has checked.
}

void hnv_ovsdb_server_remove(struct hnv_ovsdb_server* server, struct ovsdb* db) {
    hnv_ovsdb_gate_enter(server->gate);
    ovsdb_jsonrpc_server_remove_db(server->rpc, db,
                                   xasprintf("database %s is being closed", db->name));
    hnv_ovsdb_gate_leave();
}

void hnv_ovsdb_server_run(struct hnv_ovsdb_server* server) {
    hnv_ovsdb_gate_enter(server->gate);
    ovsdb_jsonrpc_server_run(server->rpc);
    hnv_ovsdb_gate_leave();
}

void hnv_ovsdb_server_wait(struct hnv_ovsdb_server* server) {
    ovsdb_jsonrpc_server_wait(server->rpc);
}

void hnv_ovsdb_server_schema_changed(struct hnv_ovsdb_server* server, const struct ovsdb* db) {
    hnv_ovsdb_gate_enter(server->gate);
    ovsdb_jsonrpc_server_reconnect(server->rpc, false,
                                   xasprintf("the schema of database %s changed", db->name));
    hnv_ovsdb_gate_leave();
}

void hnv_ovsdb_set_limits(struct hnv_ovsdb_server* server, const struct hnv_ovsdb_limits* limits) {
    hnv_ovsdb_gate_set_limits(server->gate, limits);
}

void hnv_ovsdb_get_counters(const struct hnv_ovsdb_server* server,
                            struct hnv_ovsdb_counters* counters) {
    hnv_ovsdb_gate_get_counters(server->gate, counters);
}
