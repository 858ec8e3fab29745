// Bounds on what a client asks: how long a message is, how many monitors, locks and waiting
// transactions it has, which databases its role lets it change. The other half of ovsdb_limits.c,
// whose top tells how the functions here come into play.
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_gate.h"
#include "ovsdb-error.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_requests);

// A message a minute, and some at once.
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

// Half-received messages of all clients together: so many times the bound of one.
#define PARTIAL_MESSAGES 2
// The waiting transactions of all clients may together be so many times the longest message.
#define WAITING_MESSAGES 2
// What stays as long as the client does (a monitor, a lock) is asked for in no more than this.
#define MAX_LASTING_REQUEST (4u << 20)

// -- What is asked --------------------------------------------------------------------------------

static bool is_lasting(const char* method) {
    return !strncmp(method, "monitor", 7) || !strcmp(method, "lock") || !strcmp(method, "steal");
}

static enum question question_of(const char* method) {
    return !strcmp(method, "monitor_cancel")                     ? MONITOR_CANCEL
           : !strcmp(method, "monitor_cond_change")              ? NOTHING
           : !strncmp(method, "monitor", 7)                      ? MONITOR
           : !strcmp(method, "lock") || !strcmp(method, "steal") ? LOCK
           : !strcmp(method, "unlock")                           ? UNLOCK
                                                                 : NOTHING;
}

static bool changes_rows(const struct json* operation) {
    const struct json* op =
        operation->type == JSON_OBJECT ? shash_find_data(json_object(operation), "op") : NULL;
    static const char* const changes[] = {"insert", "update", "mutate", "delete"};
    for (size_t i = 0; op && op->type == JSON_STRING && i < ARRAY_SIZE(changes); i++) {
        if (!strcmp(json_string(op), changes[i])) {
            return true;
        }
    }
    return false;
}

// libovsdb refuses the transactions of a read-only session, but not to convert a database. Where a
// database has role tables of its own it knows of roles, and decides row by row; elsewhere a role
// is decided about here.
static struct ovsdb_error* check_rights(const struct client* client,
                                        const struct jsonrpc_msg* request) {
    const struct rights* rights = shash_find_data(&hnv_ovsdb_inside->rights, client->target);
    const struct json* params = request->params;
    if (!rights || params->type != JSON_ARRAY || !json_array(params)->n ||
        json_array(params)->elems[0]->type != JSON_STRING) {
        return NULL;
    }
    const char* database = json_string(json_array(params)->elems[0]);
    if (!strcmp(request->method, "convert")) {
        return rights->read_only
                   ? ovsdb_perm_error("a read-only remote prohibits \"convert\" of database %s",
                                      database)
                   : NULL;
    }
    if (!rights->role || sset_contains(&rights->databases, database)) {
        return NULL;
    }
    for (size_t i = 1; i < json_array(params)->n; i++) {
        if (changes_rows(json_array(params)->elems[i])) {
            return ovsdb_perm_error("role \"%s\" prohibits changes of database %s", rights->role,
                                    database);
        }
    }
    return NULL;
}

// Libovsdb's word for it is that of RFC 7047 section 3.1.
static struct ovsdb_error* exhausted(const struct client* client, const char* what, uint64_t most) {
    VLOG_WARN_RL(&rl, "%s: refused a request: %s: %" PRIu64 " at most",
                 hnv_ovsdb_client_name(client), what, most);
    return ovsdb_error("resources exhausted", "%s: %" PRIu64 " at most", what, most);
}

static struct ovsdb_error* check_request(const struct client* client,
                                         const struct jsonrpc_msg* request) {
    if (!strcmp(request->method, "transact") || !strcmp(request->method, "convert")) {
        if (client->waits >= LIMIT(hnv_ovsdb_inside, waits)) {
            COUNT(hnv_ovsdb_inside, waits_refused);
            return exhausted(client, "waiting transactions of a client",
                             LIMIT(hnv_ovsdb_inside, waits));
        }
        const uint64_t most = LIMIT(hnv_ovsdb_inside, message_bytes);
        if (client->wait_bytes && client->wait_bytes + client->message_bytes > most) {
            COUNT(hnv_ovsdb_inside, waits_refused);
            return exhausted(client, "bytes of waiting transactions of a client", most);
        }
        if (hnv_ovsdb_inside->wait_bytes > most * WAITING_MESSAGES) {
            COUNT(hnv_ovsdb_inside, waits_refused);
            return exhausted(client, "bytes of waiting transactions", most * WAITING_MESSAGES);
        }
        struct ovsdb_error* error = check_rights(client, request);
        if (error) {
            COUNT(hnv_ovsdb_inside, permissions_refused);
        }
        return error;
    }
    if (is_lasting(request->method) && client->message_bytes > MAX_LASTING_REQUEST) {
        COUNT(hnv_ovsdb_inside, messages_refused);
        return exhausted(client, "bytes of such a request", MAX_LASTING_REQUEST);
    }
    switch (question_of(request->method)) {
        case MONITOR:
            if (client->monitors >= LIMIT(hnv_ovsdb_inside, monitors)) {
                COUNT(hnv_ovsdb_inside, monitors_refused);
                return exhausted(client, "monitors of a client", LIMIT(hnv_ovsdb_inside, monitors));
            }
            return NULL;
        case LOCK:
            if (client->locks >= LIMIT(hnv_ovsdb_inside, locks)) {
                COUNT(hnv_ovsdb_inside, locks_refused);
                return exhausted(client, "locks of a client", LIMIT(hnv_ovsdb_inside, locks));
            }
            return NULL;
        case NOTHING:
        case MONITOR_CANCEL:
        case UNLOCK:
            return NULL;
    }
    OVS_NOT_REACHED();
}

// A transaction that fails is answered by results, the error in the place of the operation that
// failed and null for what follows (RFC 7047 section 4.1.3); any other request by an error.
static struct jsonrpc_msg* refusal(const struct jsonrpc_msg* request, struct ovsdb_error* error) {
    struct json* reason = ovsdb_error_to_json_free(error);
    if (strcmp(request->method, "transact")) {
        return jsonrpc_create_error(reason, request->id);
    }
    struct json* results = json_array_create_1(reason);
    const size_t n = request->params->type == JSON_ARRAY ? json_array(request->params)->n : 0;
    for (size_t i = 2; i < n; i++) {
        json_array_add(results, json_null_create());
    }
    return jsonrpc_create_reply(results, request->id);
}

// -- How long it is -------------------------------------------------------------------------------

size_t __real_json_parser_feed(struct json_parser*, const char*, size_t);
size_t __wrap_json_parser_feed(struct json_parser*, const char*, size_t);
size_t __wrap_json_parser_feed(struct json_parser* parser, const char* input, size_t n) {
    const size_t used = __real_json_parser_feed(parser, input, n);
    struct client* client = hnv_ovsdb_inside ? hnv_ovsdb_inside->receiving : NULL;
    if (client) {
        client->partial_bytes += used;
        hnv_ovsdb_inside->partial_bytes += used;
        if (json_parser_is_done(parser)) {
            hnv_ovsdb_inside->partial_bytes -= client->partial_bytes;
            client->message_bytes = client->partial_bytes;
            client->partial_bytes = 0;
        }
    }
    return used;
}

static void expel_for_length(struct client* client) {
    VLOG_WARN_RL(&rl, "%s: disconnecting: sends a message of more than %" PRIuSIZE " bytes",
                 hnv_ovsdb_client_name(client), client->partial_bytes);
    COUNT(hnv_ovsdb_inside, messages_refused);
    // It counts no longer, though its connection ends a little later: who sends the next piece
    // meanwhile must not pay for it.
    hnv_ovsdb_inside->partial_bytes -= client->partial_bytes;
    client->partial_bytes = 0;
    hnv_ovsdb_expel(client);
}

static void check_lengths(struct client* client) {
    const uint64_t most = LIMIT(hnv_ovsdb_inside, message_bytes);
    if (client->partial_bytes > most) {
        expel_for_length(client);
    } else if (hnv_ovsdb_inside->partial_bytes > PARTIAL_MESSAGES * most) {
        struct client* longest = NULL;
        HMAP_FOR_EACH(client, node, &hnv_ovsdb_inside->clients) {
            if (!client->expelled && (!longest || client->partial_bytes > longest->partial_bytes)) {
                longest = client;
            }
        }
        if (longest) {
            expel_for_length(longest);
        }
    }
}

struct jsonrpc_msg* __real_jsonrpc_session_recv(struct jsonrpc_session*);
struct jsonrpc_msg* __wrap_jsonrpc_session_recv(struct jsonrpc_session*);
int __real_jsonrpc_session_send(struct jsonrpc_session*, struct jsonrpc_msg*);
int __wrap_jsonrpc_session_send(struct jsonrpc_session*, struct jsonrpc_msg*);

struct jsonrpc_msg* __wrap_jsonrpc_session_recv(struct jsonrpc_session* session) {
    struct client* client = hnv_ovsdb_find_client(session);
    if (!client) {
        return __real_jsonrpc_session_recv(session);
    }
    hnv_ovsdb_forget_question(client);
    hnv_ovsdb_inside->heard = NULL;
    if (client->expelled) {
        return NULL;
    }
    hnv_ovsdb_inside->receiving = client;
    struct jsonrpc_msg* message = __real_jsonrpc_session_recv(session);
    hnv_ovsdb_inside->receiving = NULL;
    check_lengths(client);
    if (!message || message->type != JSONRPC_REQUEST) {
        return message;
    }
    struct ovsdb_error* error = hnv_ovsdb_validate(message);
    if (!error) {
        error = check_request(client, message);
    }
    if (error) {
        __real_jsonrpc_session_send(session, refusal(message, error));
        jsonrpc_msg_destroy(message);
        return NULL;
    }
    hnv_ovsdb_inside->heard = client;
    client->question = question_of(message->method);
    if (client->question != NOTHING) {
        client->question_id = json_clone(message->id);
    }
    return message;
}

// The answer says whether there is a monitor or a lock more, or one less.
static void take_answer(struct client* client, const struct jsonrpc_msg* message) {
    if (message->type == JSONRPC_NOTIFY && !strcmp(message->method, "monitor_canceled")) {
        client->monitors -= client->monitors > 0;
        return;
    }
    if (client->question == NOTHING || message->type != JSONRPC_REPLY ||
        !json_equal(message->id, client->question_id)) {
        return;
    }
    if (!message->error || message->error->type == JSON_NULL) {
        client->monitors += client->question == MONITOR;
        client->monitors -= client->question == MONITOR_CANCEL && client->monitors;
        client->locks += client->question == LOCK;
        client->locks -= client->question == UNLOCK && client->locks;
    }
    hnv_ovsdb_forget_question(client);
}

int __wrap_jsonrpc_session_send(struct jsonrpc_session* session, struct jsonrpc_msg* message) {
    struct client* client = hnv_ovsdb_find_client(session);
    if (client) {
        take_answer(client, message);
    }
    return __real_jsonrpc_session_send(session, message);
}
