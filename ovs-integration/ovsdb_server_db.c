// The _Server database (ovsdb-server(5)): what a client reads to learn which databases there are.
//
// All of ours are standalone, so that a row changes only with its database's schema.
#include <string.h>

#include "lib/uuid.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb-error.h"
#include "ovsdb/ovsdb-util.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "ovsdb/transaction.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_server_db);

static const struct ovsdb_row* find_database_row(const struct ovsdb_table* table,
                                                 const char* name) {
    const struct ovsdb_row* row;
    HMAP_FOR_EACH(row, hmap_node, &table->rows) {
        const char* row_name;
        if (ovsdb_util_read_string_column(row, "name", &row_name) && !strcmp(row_name, name)) {
            return row;
        }
    }
    return NULL;
}

static void describe_database(struct ovsdb_row* row, const struct ovsdb* db) {
    ovsdb_util_write_string_column(row, "name", db->name);
    ovsdb_util_write_string_column(row, "model", "standalone");
    ovsdb_util_write_bool_column(row, "connected", true);
    ovsdb_util_write_bool_column(row, "leader", true);

    struct json* schema = ovsdb_schema_to_json(db->schema);
    char* schema_text = json_to_string(schema, JSSF_SORT);
    ovsdb_util_write_string_column(row, "schema", schema_text);
    free(schema_text);
    json_destroy(schema);
}

void hnv_ovsdb_publish(struct ovsdb* server_db, struct ovsdb* const* dbs, size_t n_dbs) {
    struct ovsdb_table* table = ovsdb_get_table(server_db, "Database");
    struct ovsdb_txn* txn = ovsdb_txn_create(server_db);
    for (size_t i = 0; i < n_dbs; i++) {
        const struct ovsdb_row* row = find_database_row(table, dbs[i]->name);
        if (row) {
            describe_database(ovsdb_txn_row_modify(txn, row), dbs[i]);
        } else {
            struct ovsdb_row* inserted = ovsdb_row_create(table);
            uuid_generate(ovsdb_row_get_uuid_rw(inserted));
            describe_database(inserted, dbs[i]);
            ovsdb_txn_row_insert(txn, inserted);
        }
    }
    struct ovsdb_error* error = ovsdb_txn_propose_commit_block(txn, false);
    if (error) {
        char* message = ovsdb_error_to_string_free(error);
        VLOG_ERR("cannot update database _Server: %s", message);
        free(message);
    }
}
