// Reading tables, rows and cells of a libovsdb database.
#include <string.h>

#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb-data.h"
#include "ovsdb/column.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "util.h"

static const enum ovsdb_atomic_type atomic_types[] = {
    [HNV_OVSDB_NONE] = OVSDB_TYPE_VOID,       [HNV_OVSDB_INTEGER] = OVSDB_TYPE_INTEGER,
    [HNV_OVSDB_BOOLEAN] = OVSDB_TYPE_BOOLEAN, [HNV_OVSDB_STRING] = OVSDB_TYPE_STRING,
    [HNV_OVSDB_UUID] = OVSDB_TYPE_UUID,
};

const struct ovsdb_table* hnv_ovsdb_next_table(const struct ovsdb* db,
                                               const struct ovsdb_table* previous) {
    bool found = previous == NULL;
    struct shash_node* node;
    SHASH_FOR_EACH(node, &db->tables) {
        if (found) {
            return node->data;
        }
        found = node->data == previous;
    }
    return NULL;
}

const struct ovsdb_row* hnv_ovsdb_next_row(const struct ovsdb_table* table,
                                           const struct ovsdb_row* previous) {
    const struct hmap_node* node =
        previous ? hmap_next(&table->rows, &previous->hmap_node) : hmap_first(&table->rows);
    return node ? CONTAINER_OF(node, struct ovsdb_row, hmap_node) : NULL;
}

const struct ovsdb_table* hnv_ovsdb_find_table(const struct ovsdb* db, const char* name) {
    return ovsdb_get_table(db, name);
}

const char* hnv_ovsdb_table_name(const struct ovsdb_table* table) { return table->schema->name; }

const char* hnv_ovsdb_row_table_name(const struct ovsdb_row* row) {
    return row->table->schema->name;
}

void hnv_ovsdb_row_uuid(const struct ovsdb_row* row, uint32_t uuid[4]) {
    memcpy(uuid, ovsdb_row_get_uuid(row)->parts, sizeof ovsdb_row_get_uuid(row)->parts);
}

struct hnv_ovsdb_cell hnv_ovsdb_row_cell(const struct ovsdb_row* row, const char* column_name,
                                         enum hnv_ovsdb_type key, enum hnv_ovsdb_type value) {
    struct hnv_ovsdb_cell cell = {0, NULL, NULL};
    const struct ovsdb_column* column =
        ovsdb_table_schema_get_column(row->table->schema, column_name);
    if (column && column->type.key.type == atomic_types[key] &&
        column->type.value.type == atomic_types[value]) {
        const struct ovsdb_datum* datum = &row->fields[column->index];
        cell.n = datum->n;
        cell.keys = datum->keys;
        cell.values = datum->values;
    }
    return cell;
}

static const union ovsdb_atom* atom_at(const void* atoms, size_t i) {
    return (const union ovsdb_atom*)atoms + i;
}

int64_t hnv_ovsdb_atom_integer(const void* atoms, size_t i) { return atom_at(atoms, i)->integer; }

bool hnv_ovsdb_atom_boolean(const void* atoms, size_t i) { return atom_at(atoms, i)->boolean; }

const char* hnv_ovsdb_atom_string(const void* atoms, size_t i) {
    return json_string(atom_at(atoms, i)->s);
}

void hnv_ovsdb_atom_uuid(const void* atoms, size_t i, uint32_t uuid[4]) {
    memcpy(uuid, atom_at(atoms, i)->uuid.parts, sizeof atom_at(atoms, i)->uuid.parts);
}
