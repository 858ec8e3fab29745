// Copies of rows: what is handed out of libovsdb.
//
// libovsdb's own rows live and die with its transactions, share their strings by counters that are
// not atomic, and point into the schema that a client may replace. A copy is one block of memory
// that needs nothing of all that: any thread may read it, for as long as it likes.
//
//   row ─▶ layout (the table's columns, by name; shared by all copies of the table's rows)
//    │
//    └──── cells ─▶ atoms ─▶ strings, all behind the row in the same block
#include <stdlib.h>
#include <string.h>

#include "hash.h"
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

void __real_ovsdb_table_destroy(struct ovsdb_table*);
void __wrap_ovsdb_table_destroy(struct ovsdb_table*);

struct layout_column {
    const char* name;
    enum hnv_ovsdb_type key;
    enum hnv_ovsdb_type value;
    size_t field;  // Where libovsdb's row has it.
};

// Immutable once made, but for its counter.
struct layout {
    size_t n_refs;  // Atomic.
    char* table;
    size_t n_columns;
    struct layout_column columns[];  // By name.
};

union copied_atom {
    int64_t integer;
    double real;
    bool boolean;
    const char* string;
    uint32_t uuid[4];
};

struct hnv_ovsdb_row {
    size_t n_refs;  // Atomic.
    struct layout* layout;
    uint32_t uuid[4];
    struct hnv_ovsdb_cell cells[];  // One for each column of the layout.
};

// -- Layouts --------------------------------------------------------------------------------------

// Those of the tables that there are. Static, since a table has no room for ours; it belongs to the
// server's thread, as the tables do.
struct known_layout {
    struct hmap_node node;
    const struct ovsdb_table* table;
    struct layout* layout;
};
static struct hmap known_layouts = HMAP_INITIALIZER(&known_layouts);

static enum hnv_ovsdb_type type_of(const struct ovsdb_base_type* base) {
    switch (base->type) {
        case OVSDB_TYPE_INTEGER:
            return HNV_OVSDB_INTEGER;
        case OVSDB_TYPE_REAL:
            return HNV_OVSDB_REAL;
        case OVSDB_TYPE_BOOLEAN:
            return HNV_OVSDB_BOOLEAN;
        case OVSDB_TYPE_STRING:
            return HNV_OVSDB_STRING;
        case OVSDB_TYPE_UUID:
            return HNV_OVSDB_UUID;
        case OVSDB_TYPE_VOID:
        case OVSDB_N_TYPES:
        default:
            return HNV_OVSDB_NONE;
    }
}

static int compare_columns(const void* a_, const void* b_) {
    const struct layout_column* a = a_;
    const struct layout_column* b = b_;
    return strcmp(a->name, b->name);
}

// The names are behind the columns, in the same block.
static struct layout* layout_create(const struct ovsdb_table_schema* schema) {
    size_t text = strlen(schema->name) + 1;
    const struct shash_node* node;
    SHASH_FOR_EACH(node, &schema->columns) { text += strlen(node->name) + 1; }
    const size_t n = shash_count(&schema->columns);
    struct layout* layout = xmalloc(sizeof *layout + n * sizeof layout->columns[0] + text);
    char* next = (char*)&layout->columns[n];
    layout->n_refs = 1;
    layout->table = next;
    next = stpcpy(next, schema->name) + 1;
    layout->n_columns = 0;
    SHASH_FOR_EACH(node, &schema->columns) {
        const struct ovsdb_column* column = node->data;
        layout->columns[layout->n_columns++] = (struct layout_column){
            .name = next,
            .key = type_of(&column->type.key),
            .value = type_of(&column->type.value),
            .field = column->index,
        };
        next = stpcpy(next, node->name) + 1;
    }
    qsort(layout->columns, n, sizeof layout->columns[0], compare_columns);
    return layout;
}

static struct layout* layout_ref(struct layout* layout) {
    __atomic_fetch_add(&layout->n_refs, 1, __ATOMIC_RELAXED);
    return layout;
}

static void layout_unref(struct layout* layout) {
    if (__atomic_fetch_sub(&layout->n_refs, 1, __ATOMIC_ACQ_REL) == 1) {
        free(layout);
    }
}

static struct known_layout* find_layout(const struct ovsdb_table* table) {
    struct known_layout* known;
    HMAP_FOR_EACH_WITH_HASH(known, node, hash_pointer(table, 0), &known_layouts) {
        if (known->table == table) {
            return known;
        }
    }
    return NULL;
}

static struct layout* layout_of(const struct ovsdb_table* table) {
    struct known_layout* known = find_layout(table);
    if (!known) {
        known = xmalloc(sizeof *known);
        known->table = table;
        known->layout = layout_create(table->schema);
        hmap_insert(&known_layouts, &known->node, hash_pointer(table, 0));
    }
    return known->layout;
}

// Tables go when their database is closed or converted; another one may get the same address.
void __wrap_ovsdb_table_destroy(struct ovsdb_table* table) {
    struct known_layout* known = find_layout(table);
    if (known) {
        hmap_remove(&known_layouts, &known->node);
        layout_unref(known->layout);
        free(known);
    }
    __real_ovsdb_table_destroy(table);
}

// -- Copying --------------------------------------------------------------------------------------

static size_t text_size(const union ovsdb_atom* atoms, size_t n, enum hnv_ovsdb_type type) {
    size_t size = 0;
    if (type == HNV_OVSDB_STRING) {
        for (size_t i = 0; i < n; i++) {
            size += strlen(json_string(atoms[i].s)) + 1;
        }
    }
    return size;
}

// Where the next atoms and the next string go.
struct place {
    union copied_atom* atoms;
    char* text;
};

static void copy_atom(const union ovsdb_atom* from, enum hnv_ovsdb_type type, union copied_atom* to,
                      struct place* place) {
    switch (type) {
        case HNV_OVSDB_INTEGER:
            to->integer = from->integer;
            return;
        case HNV_OVSDB_REAL:
            to->real = from->real;
            return;
        case HNV_OVSDB_BOOLEAN:
            to->boolean = from->boolean;
            return;
        case HNV_OVSDB_STRING:
            to->string = place->text;
            place->text = stpcpy(place->text, json_string(from->s)) + 1;
            return;
        case HNV_OVSDB_UUID:
            memcpy(to->uuid, from->uuid.parts, sizeof to->uuid);
            return;
        case HNV_OVSDB_NONE:
            return;
    }
}

static const void* copy_atoms(const union ovsdb_atom* from, size_t n, enum hnv_ovsdb_type type,
                              struct place* place) {
    union copied_atom* to = place->atoms;
    place->atoms += n;
    for (size_t i = 0; i < n; i++) {
        copy_atom(&from[i], type, &to[i], place);
    }
    return to;
}

struct hnv_ovsdb_row* hnv_ovsdb_row_copy(const struct ovsdb_row* row) {
    struct layout* layout = layout_of(row->table);
    size_t n_atoms = 0;
    size_t text = 0;
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct layout_column* column = &layout->columns[i];
        const struct ovsdb_datum* datum = &row->fields[column->field];
        n_atoms += datum->n * (column->value == HNV_OVSDB_NONE ? 1 : 2);
        text += text_size(datum->keys, datum->n, column->key) +
                text_size(datum->values, datum->n, column->value);
    }
    const size_t cells = layout->n_columns * sizeof(struct hnv_ovsdb_cell);
    struct hnv_ovsdb_row* copy =
        xmalloc(sizeof *copy + cells + n_atoms * sizeof(union copied_atom) + text);
    copy->n_refs = 1;
    copy->layout = layout_ref(layout);
    memcpy(copy->uuid, ovsdb_row_get_uuid(row)->parts, sizeof copy->uuid);
    struct place place;
    place.atoms = (union copied_atom*)&copy->cells[layout->n_columns];
    place.text = (char*)(place.atoms + n_atoms);
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct layout_column* column = &layout->columns[i];
        const struct ovsdb_datum* datum = &row->fields[column->field];
        struct hnv_ovsdb_cell* cell = &copy->cells[i];
        cell->n = datum->n;
        cell->keys = copy_atoms(datum->keys, datum->n, column->key, &place);
        cell->values = column->value == HNV_OVSDB_NONE
                           ? NULL
                           : copy_atoms(datum->values, datum->n, column->value, &place);
    }
    return copy;
}

void hnv_ovsdb_row_ref(struct hnv_ovsdb_row* row) {
    __atomic_fetch_add(&row->n_refs, 1, __ATOMIC_RELAXED);
}

void hnv_ovsdb_row_unref(struct hnv_ovsdb_row* row) {
    if (row && __atomic_fetch_sub(&row->n_refs, 1, __ATOMIC_ACQ_REL) == 1) {
        layout_unref(row->layout);
        free(row);
    }
}

// -- Reading --------------------------------------------------------------------------------------

const char* hnv_ovsdb_row_table_name(const struct hnv_ovsdb_row* row) { return row->layout->table; }

void hnv_ovsdb_row_uuid(const struct hnv_ovsdb_row* row, uint32_t uuid[4]) {
    memcpy(uuid, row->uuid, sizeof row->uuid);
}

struct hnv_ovsdb_cell hnv_ovsdb_row_cell(const struct hnv_ovsdb_row* row, const char* column,
                                         enum hnv_ovsdb_type key, enum hnv_ovsdb_type value) {
    const struct hnv_ovsdb_cell none = {0, NULL, NULL};
    const struct layout* layout = row->layout;
    const struct layout_column wanted = {.name = column};
    const struct layout_column* found =
        bsearch(&wanted, layout->columns, layout->n_columns, sizeof wanted, compare_columns);
    if (!found || found->key != key || found->value != value) {
        return none;
    }
    return row->cells[found - layout->columns];
}

static const union copied_atom* atom_at(const void* atoms, size_t i) {
    return (const union copied_atom*)atoms + i;
}

int64_t hnv_ovsdb_atom_integer(const void* atoms, size_t i) { return atom_at(atoms, i)->integer; }

bool hnv_ovsdb_atom_boolean(const void* atoms, size_t i) { return atom_at(atoms, i)->boolean; }

const char* hnv_ovsdb_atom_string(const void* atoms, size_t i) { return atom_at(atoms, i)->string; }

void hnv_ovsdb_atom_uuid(const void* atoms, size_t i, uint32_t uuid[4]) {
    memcpy(uuid, atom_at(atoms, i)->uuid, sizeof atom_at(atoms, i)->uuid);
}

// -- Tables ---------------------------------------------------------------------------------------

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
