// What libovsdb takes for granted of a request and does not look at: a request that would make it
// read beyond its parameters is refused here and never gets there (ovsdb_requests.c).
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovs-integration/ovsdb_gate.h"
#include "ovsdb-error.h"
#include "util.h"

// Whether 'wrong' holds for one of the <monitor-requests> or <monitor-cond-update-requests> of a
// parameter, which has an array of them for each table.
static struct ovsdb_error* find_wrong(const struct jsonrpc_msg* message, size_t parameter,
                                      bool (*wrong)(const struct json_array*), const char* what) {
    const struct json_array* params = json_array(message->params);
    if (parameter >= params->n || params->elems[parameter]->type != JSON_OBJECT) {
        return NULL;  // Libovsdb says so.
    }
    const struct shash_node* node;
    SHASH_FOR_EACH(node, json_object(params->elems[parameter])) {
        const struct json* requests = node->data;
        if (requests->type == JSON_ARRAY && wrong(json_array(requests))) {
            return ovsdb_syntax_error(requests, NULL, "table %s: %s", node->name, what);
        }
    }
    return NULL;
}

static bool is_empty(const struct json_array* requests) { return !requests->n; }

static bool lacks_where(const struct json_array* requests) {
    for (size_t i = 0; i < requests->n; i++) {
        const struct json* request = requests->elems[i];
        if (request->type == JSON_OBJECT && !shash_find(json_object(request), "where")) {
            return true;
        }
    }
    return false;
}

struct ovsdb_error* hnv_ovsdb_validate(const struct jsonrpc_msg* message) {
    if (!strcmp(message->method, "monitor")) {
        // <db-name>, <json-value>, <monitor-requests>: RFC 7047 section 4.1.5. That there is a
        // first one libovsdb looks itself, and of the other sorts of monitor it counts them.
        const size_t n = json_array(message->params)->n;
        return n == 1 || n == 2 ? ovsdb_syntax_error(message->params, NULL, "invalid parameters")
                                : NULL;
    }
    if (!strcmp(message->method, "monitor_cond") ||
        !strcmp(message->method, "monitor_cond_since")) {
        // Such a table would have no condition that "monitor_cond_change" could change.
        return find_wrong(message, 2, is_empty, "no monitor request");
    }
    return strcmp(message->method, "monitor_cond_change")
               ? NULL
               : find_wrong(message, 2, lacks_where, "a request without \"where\"");
}
