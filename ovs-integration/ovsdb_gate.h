// The state behind ovsdb_limits.h, for ovsdb_limits.c (connections) and ovsdb_requests.c (what is
// asked on them) alone.
#ifndef HNV_OVSDB_GATE_H
#define HNV_OVSDB_GATE_H 1

#include <inttypes.h>

#include "hash.h"
#include "jsonrpc.h"
#include "openvswitch/hmap.h"
#include "openvswitch/shash.h"
#include "ovs-integration/ovsdb_limits.h"

struct json;
struct ovsdb_error;
struct ovsdb_trigger;
struct pstream;

// What a client has asked for and not been answered yet, if the answer changes its account.
enum question { NOTHING, MONITOR, MONITOR_CANCEL, LOCK, UNLOCK };

struct client {
    struct hmap_node node;  // In the gate's 'clients', by 'session'.
    struct jsonrpc_session* session;
    char* target;   // The remote that it belongs to.
    bool accepted;  // Not dialled.
    bool tls;
    bool trusted;  // TLS: the handshake is done.
    bool expelled;
    long long int since;  // Of the connection, in msec.
    unsigned int seqno;   // Of the connection; a dialled client's changes.

    size_t partial_bytes;  // Of a message that is not complete yet.
    size_t message_bytes;  // Of the last complete one.
    enum question question;
    struct json* question_id;
    uint64_t monitors;
    uint64_t locks;
    uint64_t waits;
    size_t wait_bytes;

    long long int taken_at;  // When the backlog last shrank or was empty.
};

// A transaction that waits for its condition.
struct wait {
    struct hmap_node node;  // In the gate's 'waits', by 'trigger'.
    const struct ovsdb_trigger* trigger;
    struct client* client;
    size_t bytes;
};

struct listener {
    struct hmap_node node;  // In the gate's 'listeners', by 'pstream'.
    const struct pstream* pstream;
    char* target;
};

// What the clients of a remote may do, where that is not everything.
struct rights {
    bool read_only;
    char* role;             // Or NULL.
    struct sset databases;  // Those that the role reaches.
};

struct hnv_ovsdb_gate {
    struct hmap clients;
    struct hmap waits;
    struct hmap listeners;
    struct shash rights;        // "struct rights" by target.
    const char* accepted_from;  // The target of the connection that was just accepted.
    struct client* receiving;   // Whose bytes are being parsed.
    struct client* heard;       // Whose message is being handled.
    size_t partial_bytes;       // Of all clients.
    size_t wait_bytes;          // The same.

    struct hnv_ovsdb_limits limits;      // Atomic, each.
    struct hnv_ovsdb_counters counters;  // Atomic, each.
};

// The gate of the server that this thread is inside of, or NULL.
extern _Thread_local struct hnv_ovsdb_gate* hnv_ovsdb_inside;

#define LIMIT(GATE, NAME) __atomic_load_n(&(GATE)->limits.NAME, __ATOMIC_RELAXED)
#define COUNT(GATE, NAME) __atomic_fetch_add(&(GATE)->counters.NAME, 1, __ATOMIC_RELAXED)

// The client of a connection; NULL if the connection is not of the server that this thread is
// inside of.
struct client* hnv_ovsdb_find_client(const struct jsonrpc_session* session);

const char* hnv_ovsdb_client_name(const struct client* client);

// Disconnects the client at its next turn; nothing more is read of it.
void hnv_ovsdb_expel(struct client* client);

void hnv_ovsdb_forget_question(struct client* client);

// -- ovsdb_validate.c -----------------------------------------------------------------------------

// The error for a request that must not get to libovsdb; NULL for any other.
struct ovsdb_error* hnv_ovsdb_validate(const struct jsonrpc_msg* message);

#endif
