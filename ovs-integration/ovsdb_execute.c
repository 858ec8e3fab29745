// The agent's own transactions: RFC 7047 section 4.1.3 ("transact") without a session.
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb/ovsdb.h"
#include "util.h"

static const char* string_member(const struct json* object, const char* name) {
    if (object->type != JSON_OBJECT) {
        return NULL;
    }
    const struct json* member = shash_find_data(json_object(object), name);
    return member && member->type == JSON_STRING ? json_string(member) : NULL;
}

// Describes an <error> (RFC 7047 section 3.1): operation 'i' of 'operations', or the commit as a
// whole if 'i' is beyond them.
static char* describe_error(const struct json* operations, size_t i, const struct json* error) {
    struct ds text = DS_EMPTY_INITIALIZER;
    if (i < json_array(operations)->n) {
        const struct json* operation = json_array(operations)->elems[i];
        const char* op = string_member(operation, "op");
        const char* table = string_member(operation, "table");
        ds_put_format(&text, "operation %" PRIuSIZE " (%s%s%s): ", i, op ? op : "unnamed",
                      table ? " " : "", table ? table : "");
    } else {
        ds_put_cstr(&text, "commit: ");
    }
    const char* details = string_member(error, "details");
    ds_put_format(&text, "%s%s%s", string_member(error, "error"), details ? ": " : "",
                  details ? details : "");
    return ds_steal_cstr(&text);
}

// The first <error> among the results, described; NULL if there is none.
static char* find_error(const struct json* operations, const struct json* results) {
    if (string_member(results, "error")) {
        return describe_error(operations, json_array(operations)->n, results);
    }
    for (size_t i = 0; i < json_array(results)->n; i++) {
        const struct json* result = json_array(results)->elems[i];
        if (string_member(result, "error")) {
            return describe_error(operations, i, result);
        }
    }
    return NULL;
}

char* hnv_ovsdb_execute(struct ovsdb* db, const char* operations_json) {
    struct json* operations = json_from_string(operations_json);
    if (operations->type != JSON_ARRAY) {
        char* error = operations->type == JSON_STRING
                          ? xasprintf("operations are not JSON: %s", json_string(operations))
                          : xstrdup("operations are not a JSON array");
        json_destroy(operations);
        return error;
    }

    // With the parameters of "transact" the database's name comes first. The positions, counted
    // from 1 in what follows it, are those of the results.
    struct json* params = json_array_create_1(json_string_create(db->name));
    for (size_t i = 0; i < json_array(operations)->n; i++) {
        json_array_add(params, json_clone(json_array(operations)->elems[i]));
    }
    // No timeout: a "wait" that does not hold now is an error instead of a delay.
    hnv_ovsdb_journal_own(true);
    struct json* results = ovsdb_execute(db, NULL, params, false, NULL, NULL, 0, NULL);
    hnv_ovsdb_journal_own(false);
    char* error = find_error(operations, results);
    json_destroy(results);
    json_destroy(params);
    json_destroy(operations);
    return error;
}
