// Bounds on what clients may take of the JSON-RPC server: between ovsdb_remotes.c, which serves,
// and ovsdb_limits.c, which keeps the bounds. See the top of ovsdb_limits.c for how.
#ifndef HNV_OVSDB_LIMITS_H
#define HNV_OVSDB_LIMITS_H 1

#include <stdbool.h>

#include "ovs-integration/ovsdb_shim.h"
#include "sset.h"

// The bounds of one server, its clients and its counters.
struct hnv_ovsdb_gate;

struct hnv_ovsdb_gate* hnv_ovsdb_gate_create(void);
// The server must be gone. NULL is fine.
void hnv_ovsdb_gate_destroy(struct hnv_ovsdb_gate* gate);

// The part of a gate that counts waiting transactions: after create, before destroy.
void hnv_ovsdb_waits_init(struct hnv_ovsdb_gate* gate);
void hnv_ovsdb_waits_destroy(struct hnv_ovsdb_gate* gate);

// Between the two, what libovsdb does on this thread it does for the gate's server. Every call into
// libovsdb's JSON-RPC server has to be made so, from one thread at a time.
void hnv_ovsdb_gate_enter(struct hnv_ovsdb_gate* gate);
void hnv_ovsdb_gate_leave(void);

// Clients of the remote 'target' convert no database if it is read-only; if they have a role (or
// NULL), they change 'databases' alone. Takes copies.
void hnv_ovsdb_gate_set_rights(struct hnv_ovsdb_gate* gate, const char* target, bool read_only,
                               const char* role, const struct sset* databases);
void hnv_ovsdb_gate_clear_rights(struct hnv_ovsdb_gate* gate);

// These two are for any thread.
void hnv_ovsdb_gate_set_limits(struct hnv_ovsdb_gate* gate, const struct hnv_ovsdb_limits* limits);
void hnv_ovsdb_gate_get_counters(const struct hnv_ovsdb_gate* gate,
                                 struct hnv_ovsdb_counters* counters);

#endif
