// Counts the transactions of clients that wait for their condition (RFC 7047 section 5.2.6), for
// ovsdb_requests.c to bound. A file of its own: it alone needs libovsdb, which hnvctl goes without.
#include <stdlib.h>

#include "ovs-integration/ovsdb_gate.h"
#include "ovsdb/trigger.h"
#include "util.h"

void hnv_ovsdb_waits_init(struct hnv_ovsdb_gate* gate) { hmap_init(&gate->waits); }

void hnv_ovsdb_waits_destroy(struct hnv_ovsdb_gate* gate) {
    ovs_assert(hmap_is_empty(&gate->waits));
    hmap_destroy(&gate->waits);
}

bool __real_ovsdb_trigger_init(struct ovsdb_session*, struct ovsdb*, struct ovsdb_trigger*,
                               struct jsonrpc_msg*, long long int, bool, const char*, const char*);
bool __wrap_ovsdb_trigger_init(struct ovsdb_session*, struct ovsdb*, struct ovsdb_trigger*,
                               struct jsonrpc_msg*, long long int, bool, const char*, const char*);
bool __wrap_ovsdb_trigger_init(struct ovsdb_session* session, struct ovsdb* db,
                               struct ovsdb_trigger* trigger, struct jsonrpc_msg* request,
                               long long int now, bool read_only, const char* role,
                               const char* id) {
    const bool disconnect =
        __real_ovsdb_trigger_init(session, db, trigger, request, now, read_only, role, id);
    struct client* client = hnv_ovsdb_inside ? hnv_ovsdb_inside->heard : NULL;
    if (client && !ovsdb_trigger_is_complete(trigger)) {
        struct wait* wait = xmalloc(sizeof *wait);
        wait->trigger = trigger;
        wait->client = client;
        wait->bytes = client->message_bytes;
        hmap_insert(&hnv_ovsdb_inside->waits, &wait->node, hash_pointer(trigger, 0));
        client->waits++;
        client->wait_bytes += wait->bytes;
        hnv_ovsdb_inside->wait_bytes += wait->bytes;
    }
    return disconnect;
}

void __real_ovsdb_trigger_destroy(struct ovsdb_trigger*);
void __wrap_ovsdb_trigger_destroy(struct ovsdb_trigger*);
void __wrap_ovsdb_trigger_destroy(struct ovsdb_trigger* trigger) {
    struct wait* wait;
    if (hnv_ovsdb_inside) {
        HMAP_FOR_EACH_WITH_HASH(wait, node, hash_pointer(trigger, 0), &hnv_ovsdb_inside->waits) {
            if (wait->trigger == trigger) {
                wait->client->waits--;
                wait->client->wait_bytes -= wait->bytes;
                hnv_ovsdb_inside->wait_bytes -= wait->bytes;
                hmap_remove(&hnv_ovsdb_inside->waits, &wait->node);
                free(wait);
                break;
            }
        }
    }
    __real_ovsdb_trigger_destroy(trigger);
}
