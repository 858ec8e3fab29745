// Bounds on what clients may take of the JSON-RPC server.
//
// libovsdb has none: any number of clients, messages, monitors, locks and waiting transactions,
// each of any size. Its calls from the server (ovsdb/jsonrpc-server.c) into its connections
// (lib/jsonrpc.c, lib/stream.c) and its triggers do cross files, and there the linker puts the
// __wrap_ functions below in their places (--wrap, given by this folder's CMake target):
//
//   pstream_accept, jsonrpc_pstream_open, pstream_close      who may come in, and by which remote
//   listen                                                   how many wait for that
//   jsonrpc_session_open, _open_unreliably, _close           which connections are the server's
//   jsonrpc_session_run                                      who takes what is sent to him
//   jsonrpc_session_recv, _send, json_parser_feed            what is asked, how long it is
//   ovsdb_trigger_init, _destroy                             transactions that wait (ovsdb_waits.c)
//
// Other users of these functions (the agent's own connections to the switch, its control socket)
// are let through as they are: a wrapper acts only while this thread is inside the server, between
// hnv_ovsdb_gate_enter() and _leave(), and on that server's connections.
//
// A request over a bound gets an error reply and goes no further. A client that goes on in spite of
// a bound, or can't be told, is disconnected at its next turn (jsonrpc_session_force_reconnect);
// one that the agent has dialled is dialled again after its backoff. All state belongs to the
// thread that is inside, but for limits and counters, which are atomic.
#include "ovs-integration/ovsdb_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_gate.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_limits);

// A message a minute, and some at once: who is kept out must not fill the log.
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

// The Unix socket takes so many clients more: a person gets in to look.
#define RESERVED_CLIENTS 16
// TLS clients that have not shown a certificate yet: this part of all clients, and this long.
#define HANDSHAKES_PART 8
#define HANDSHAKE_MSEC 10000
// Who takes nothing of what is sent to him is disconnected: soon if it is much, else later.
#define STALLED_MSEC 60000
#define STALLED_LONG_MSEC 600000
// Connections that are refused in one turn.
#define REFUSED_AT_ONCE 32
// Files that the process needs besides those of clients.
#define OTHER_FILES 512
// Connections that wait to be accepted, one a turn. libopenvswitch has 10, and a TCP client that
// finds no place tries again only after a second.
#define LISTEN_BACKLOG 512

_Thread_local struct hnv_ovsdb_gate* hnv_ovsdb_inside;

// -- Clients --------------------------------------------------------------------------------------

struct client* hnv_ovsdb_find_client(const struct jsonrpc_session* session) {
    if (!hnv_ovsdb_inside) {
        return NULL;
    }
    struct client* client;
    HMAP_FOR_EACH_WITH_HASH(client, node, hash_pointer(session, 0), &hnv_ovsdb_inside->clients) {
        if (client->session == session) {
            return client;
        }
    }
    return NULL;
}

const char* hnv_ovsdb_client_name(const struct client* client) {
    return jsonrpc_session_get_name(client->session);
}

static void publish_clients(struct hnv_ovsdb_gate* gate) {
    __atomic_store_n(&gate->counters.clients, hmap_count(&gate->clients), __ATOMIC_RELAXED);
}

// A connection begins, or begins anew: what the former one had is gone.
static void begin(struct client* client) {
    hnv_ovsdb_inside->partial_bytes -= client->partial_bytes;
    client->partial_bytes = client->message_bytes = 0;
    client->monitors = client->locks = 0;
    client->since = client->taken_at = time_msec();
    client->seqno = jsonrpc_session_get_seqno(client->session);
    client->trusted = client->expelled = false;
}

static void add_client(struct jsonrpc_session* session, const char* target, bool accepted) {
    struct client* client = xzalloc(sizeof *client);
    client->session = session;
    client->target = xstrdup(target);
    client->accepted = accepted;
    client->tls = !strncmp(jsonrpc_session_get_name(session), "ssl:", 4);
    hmap_insert(&hnv_ovsdb_inside->clients, &client->node, hash_pointer(session, 0));
    begin(client);
    publish_clients(hnv_ovsdb_inside);
}

void hnv_ovsdb_forget_question(struct client* client) {
    client->question = NOTHING;
    json_destroy(client->question_id);
    client->question_id = NULL;
}

static void remove_client(struct client* client) {
    if (client->accepted && client->tls && !client->trusted) {
        COUNT(hnv_ovsdb_inside, untrusted);
    }
    if (hnv_ovsdb_inside->heard == client) {
        hnv_ovsdb_inside->heard = NULL;
    }
    hnv_ovsdb_inside->partial_bytes -= client->partial_bytes;
    hmap_remove(&hnv_ovsdb_inside->clients, &client->node);
    publish_clients(hnv_ovsdb_inside);
    hnv_ovsdb_forget_question(client);
    free(client->target);
    free(client);
}

void hnv_ovsdb_expel(struct client* client) {
    client->expelled = true;
    jsonrpc_session_force_reconnect(client->session);
}

// -- Who comes in ---------------------------------------------------------------------------------

static struct listener* find_listener(const struct pstream* pstream) {
    if (!hnv_ovsdb_inside) {
        return NULL;
    }
    struct listener* listener;
    HMAP_FOR_EACH_WITH_HASH(listener, node, hash_pointer(pstream, 0),
                            &hnv_ovsdb_inside->listeners) {
        if (listener->pstream == pstream) {
            return listener;
        }
    }
    return NULL;
}

static uint64_t count_accepted(void) {
    uint64_t n = 0;
    const struct client* client;
    HMAP_FOR_EACH(client, node, &hnv_ovsdb_inside->clients) {
        n += client->accepted && !client->expelled;
    }
    return n;
}

static bool is_handshaking(const struct client* client) {
    return client->accepted && client->tls && !client->trusted && !client->expelled;
}

// Makes room for another handshake: strangers must not take the places of those who have a
// certificate. The oldest one goes, since an honest one would be done by now.
static void bound_handshakes(void) {
    const uint64_t most = MAX(1, LIMIT(hnv_ovsdb_inside, clients) / HANDSHAKES_PART);
    struct client* oldest = NULL;
    uint64_t n = 0;
    struct client* client;
    HMAP_FOR_EACH(client, node, &hnv_ovsdb_inside->clients) {
        if (is_handshaking(client)) {
            n++;
            oldest = !oldest || client->since < oldest->since ? client : oldest;
        }
    }
    if (n >= most) {
        VLOG_WARN_RL(&rl, "%s: disconnecting: %" PRIu64 " TLS handshakes are unfinished",
                     hnv_ovsdb_client_name(oldest), n);
        hnv_ovsdb_expel(oldest);
    }
}

static bool admit(const struct listener* listener, const struct stream* stream) {
    const bool local = !strncmp(listener->target, "punix:", 6);
    const uint64_t most = LIMIT(hnv_ovsdb_inside, clients) + (local ? RESERVED_CLIENTS : 0);
    if (!strncmp(listener->target, "pssl:", 5)) {
        bound_handshakes();
    }
    if (count_accepted() < most) {
        return true;
    }
    VLOG_WARN_RL(&rl, "%s: refused a client (%s): there are %" PRIu64 " already", listener->target,
                 stream_get_name(stream), most);
    COUNT(hnv_ovsdb_inside, clients_refused);
    return false;
}

int __real_pstream_accept(struct pstream*, struct stream**);
int __wrap_pstream_accept(struct pstream*, struct stream**);
int __wrap_pstream_accept(struct pstream* pstream, struct stream** streamp) {
    const struct listener* listener = find_listener(pstream);
    for (int i = 0; listener && i < REFUSED_AT_ONCE; i++) {
        const int error = __real_pstream_accept(pstream, streamp);
        if (error) {
            return error;
        }
        if (admit(listener, *streamp)) {
            hnv_ovsdb_inside->accepted_from = listener->target;
            return 0;
        }
        stream_close(*streamp);
        *streamp = NULL;
    }
    return listener ? EAGAIN : __real_pstream_accept(pstream, streamp);
}

int __real_jsonrpc_pstream_open(const char*, struct pstream**, uint8_t);
int __wrap_jsonrpc_pstream_open(const char*, struct pstream**, uint8_t);
int __wrap_jsonrpc_pstream_open(const char* target, struct pstream** pstreamp, uint8_t dscp) {
    const int error = __real_jsonrpc_pstream_open(target, pstreamp, dscp);
    if (!error && hnv_ovsdb_inside) {
        struct listener* listener = xmalloc(sizeof *listener);
        listener->pstream = *pstreamp;
        listener->target = xstrdup(target);
        hmap_insert(&hnv_ovsdb_inside->listeners, &listener->node, hash_pointer(*pstreamp, 0));
    }
    return error;
}

int __real_listen(int, int);
int __wrap_listen(int, int);
int __wrap_listen(int fd, int backlog) {
    return __real_listen(fd, hnv_ovsdb_inside ? MAX(backlog, LISTEN_BACKLOG) : backlog);
}

void __real_pstream_close(struct pstream*);
void __wrap_pstream_close(struct pstream*);
void __wrap_pstream_close(struct pstream* pstream) {
    struct listener* listener = find_listener(pstream);
    if (listener) {
        hmap_remove(&hnv_ovsdb_inside->listeners, &listener->node);
        free(listener->target);
        free(listener);
    }
    __real_pstream_close(pstream);
}

struct jsonrpc_session* __real_jsonrpc_session_open_unreliably(struct jsonrpc*, uint8_t);
struct jsonrpc_session* __wrap_jsonrpc_session_open_unreliably(struct jsonrpc*, uint8_t);
struct jsonrpc_session* __wrap_jsonrpc_session_open_unreliably(struct jsonrpc* rpc, uint8_t dscp) {
    struct jsonrpc_session* session = __real_jsonrpc_session_open_unreliably(rpc, dscp);
    if (hnv_ovsdb_inside && hnv_ovsdb_inside->accepted_from) {
        add_client(session, hnv_ovsdb_inside->accepted_from, true);
        hnv_ovsdb_inside->accepted_from = NULL;
    }
    return session;
}

struct jsonrpc_session* __real_jsonrpc_session_open(const char*, bool);
struct jsonrpc_session* __wrap_jsonrpc_session_open(const char*, bool);
struct jsonrpc_session* __wrap_jsonrpc_session_open(const char* target, bool retry) {
    struct jsonrpc_session* session = __real_jsonrpc_session_open(target, retry);
    if (hnv_ovsdb_inside) {
        add_client(session, target, false);
    }
    return session;
}

void __real_jsonrpc_session_close(struct jsonrpc_session*);
void __wrap_jsonrpc_session_close(struct jsonrpc_session*);
void __wrap_jsonrpc_session_close(struct jsonrpc_session* session) {
    struct client* client = hnv_ovsdb_find_client(session);
    if (client) {
        remove_client(client);
    }
    __real_jsonrpc_session_close(session);
}

// -- Handshakes, and clients that take nothing ----------------------------------------------------

static void check_handshake(struct client* client, long long int now) {
    if (!client->tls || client->trusted) {
        return;
    }
    // A name comes of the certificate, bytes that can be read after the handshake.
    client->trusted =
        jsonrpc_session_get_id(client->session) || client->partial_bytes || client->message_bytes;
    if (is_handshaking(client) && now - client->since >= HANDSHAKE_MSEC) {
        VLOG_WARN_RL(&rl, "%s: disconnecting: the TLS handshake is not finished after %d s",
                     hnv_ovsdb_client_name(client), HANDSHAKE_MSEC / 1000);
        hnv_ovsdb_expel(client);
    }
}

// 'before': the backlog when this turn's sending began. What was queued since the last turn must
// not hide what the client took.
static void check_backlog(struct client* client, size_t before, long long int now) {
    const size_t backlog = jsonrpc_session_get_backlog(client->session);
    if (!before || backlog < before) {
        client->taken_at = now;
    }
    const long long int patience =
        backlog > LIMIT(hnv_ovsdb_inside, backlog_bytes) ? STALLED_MSEC : STALLED_LONG_MSEC;
    if (!client->expelled && now - client->taken_at >= patience) {
        VLOG_WARN_RL(&rl, "%s: disconnecting: has taken nothing for %lld s, of %" PRIuSIZE " bytes",
                     hnv_ovsdb_client_name(client), patience / 1000, backlog);
        COUNT(hnv_ovsdb_inside, clients_stalled);
        hnv_ovsdb_expel(client);
    }
}

void __real_jsonrpc_session_run(struct jsonrpc_session*);
void __wrap_jsonrpc_session_run(struct jsonrpc_session*);
void __wrap_jsonrpc_session_run(struct jsonrpc_session* session) {
    const size_t before = jsonrpc_session_get_backlog(session);
    __real_jsonrpc_session_run(session);
    struct client* client = hnv_ovsdb_find_client(session);
    if (!client) {
        return;
    }
    if (!client->accepted && client->seqno != jsonrpc_session_get_seqno(session)) {
        begin(client);
    }
    const long long int now = time_msec();
    check_handshake(client, now);
    check_backlog(client, before, now);
}

// -- The gate -------------------------------------------------------------------------------------

struct hnv_ovsdb_gate* hnv_ovsdb_gate_create(void) {
    struct hnv_ovsdb_gate* gate = xzalloc(sizeof *gate);
    hmap_init(&gate->clients);
    hmap_init(&gate->listeners);
    shash_init(&gate->rights);
    return gate;
}

void hnv_ovsdb_gate_destroy(struct hnv_ovsdb_gate* gate) {
    if (gate) {
        ovs_assert(hmap_is_empty(&gate->clients));
        hnv_ovsdb_gate_clear_rights(gate);
        shash_destroy(&gate->rights);
        hmap_destroy(&gate->clients);
        hmap_destroy(&gate->listeners);
        free(gate);
    }
}

void hnv_ovsdb_gate_enter(struct hnv_ovsdb_gate* gate) {
    ovs_assert(!hnv_ovsdb_inside);
    hnv_ovsdb_inside = gate;
}

void hnv_ovsdb_gate_leave(void) { hnv_ovsdb_inside = NULL; }

void hnv_ovsdb_gate_set_rights(struct hnv_ovsdb_gate* gate, const char* target, bool read_only,
                               const char* role, const struct sset* databases) {
    struct rights* rights = xmalloc(sizeof *rights);
    rights->read_only = read_only;
    rights->role = nullable_xstrdup(role);
    sset_clone(&rights->databases, databases);
    shash_add(&gate->rights, target, rights);
}

void hnv_ovsdb_gate_clear_rights(struct hnv_ovsdb_gate* gate) {
    struct shash_node* node;
    SHASH_FOR_EACH(node, &gate->rights) {
        struct rights* rights = node->data;
        free(rights->role);
        sset_destroy(&rights->databases);
    }
    shash_clear_free_data(&gate->rights);
}

// Running out of files would stop more than the one who took them.
static void raise_file_limit(uint64_t clients) {
    struct rlimit files;
    const rlim_t wanted = clients + OTHER_FILES;
    if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < wanted) {
        files.rlim_cur = MIN(wanted, files.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur < wanted) {
            VLOG_WARN_RL(&rl, "%" PRIu64 " clients need %llu open files; the process may have %llu",
                         clients, (unsigned long long)wanted, (unsigned long long)files.rlim_cur);
        }
    }
}

void hnv_ovsdb_gate_set_limits(struct hnv_ovsdb_gate* gate, const struct hnv_ovsdb_limits* limits) {
    raise_file_limit(limits->clients);
    __atomic_store_n(&gate->limits.clients, limits->clients, __ATOMIC_RELAXED);
    __atomic_store_n(&gate->limits.message_bytes, limits->message_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&gate->limits.monitors, limits->monitors, __ATOMIC_RELAXED);
    __atomic_store_n(&gate->limits.waits, limits->waits, __ATOMIC_RELAXED);
    __atomic_store_n(&gate->limits.locks, limits->locks, __ATOMIC_RELAXED);
    __atomic_store_n(&gate->limits.backlog_bytes, limits->backlog_bytes, __ATOMIC_RELAXED);
}

void hnv_ovsdb_gate_get_counters(const struct hnv_ovsdb_gate* gate,
                                 struct hnv_ovsdb_counters* counters) {
#define COPY(NAME) counters->NAME = __atomic_load_n(&gate->counters.NAME, __ATOMIC_RELAXED)
    COPY(clients);
    COPY(clients_refused);
    COPY(clients_stalled);
    COPY(untrusted);
    COPY(messages_refused);
    COPY(monitors_refused);
    COPY(waits_refused);
    COPY(locks_refused);
    COPY(permissions_refused);
#undef COPY
}
