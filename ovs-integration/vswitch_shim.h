/* The Open_vSwitch database's IDL, seen from C++.
 *
 * The generated IDL headers use `new` as a parameter's name and can't be included from C++. This
 * shim wraps exactly what vswitch_db.cpp and uplink_ports.cpp need: reading a few columns of four
 * tables, and the few edits that make bridges and ports and take them away. It decides nothing.
 *
 * Rows are borrowed: a row pointer and every string read from it stay valid until the next
 * hnv_vswitch_run(), hnv_txn_commit() or hnv_txn_abandon(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hnv_vswitch;
struct ovsdb_idl_txn;
struct ovsrec_bridge;
struct ovsrec_interface;
struct ovsrec_open_vswitch;
struct ovsrec_port;

struct hnv_string_pair {
    const char* key;
    const char* value;
};

/* The connection. */
struct hnv_vswitch* hnv_vswitch_open(const char* remote);
void hnv_vswitch_close(struct hnv_vswitch*);
void hnv_vswitch_run(struct hnv_vswitch*);
void hnv_vswitch_wait(struct hnv_vswitch*);
bool hnv_vswitch_is_connected(const struct hnv_vswitch*);
/* Changes whenever a monitored column does; 0 until the database has been read once. */
unsigned int hnv_vswitch_seqno(const struct hnv_vswitch*);

/* Reading. NULL: no such row, or an optional column that is empty. */
const struct ovsrec_open_vswitch* hnv_vswitch_root(const struct hnv_vswitch*);
size_t hnv_root_n_bridges(const struct ovsrec_open_vswitch*);
const struct ovsrec_bridge* hnv_root_bridge(const struct ovsrec_open_vswitch*, size_t index);
size_t hnv_root_n_datapath_types(const struct ovsrec_open_vswitch*);
const char* hnv_root_datapath_type(const struct ovsrec_open_vswitch*, size_t index);

const char* hnv_bridge_name(const struct ovsrec_bridge*);
const char* hnv_bridge_datapath_type(const struct ovsrec_bridge*);
const char* hnv_bridge_fail_mode(const struct ovsrec_bridge*);
const char* hnv_bridge_other_config(const struct ovsrec_bridge*, const char* key);
const char* hnv_bridge_external_id(const struct ovsrec_bridge*, const char* key);
bool hnv_bridge_has_protocol(const struct ovsrec_bridge*, const char* protocol);
size_t hnv_bridge_n_ports(const struct ovsrec_bridge*);
const struct ovsrec_port* hnv_bridge_port(const struct ovsrec_bridge*, size_t index);

const char* hnv_port_name(const struct ovsrec_port*);
const char* hnv_port_external_id(const struct ovsrec_port*, const char* key);
/* -1: none. */
int64_t hnv_port_tag(const struct ovsrec_port*);
size_t hnv_port_n_interfaces(const struct ovsrec_port*);
const struct ovsrec_interface* hnv_port_interface(const struct ovsrec_port*, size_t index);

const char* hnv_interface_name(const struct ovsrec_interface*);
const char* hnv_interface_type(const struct ovsrec_interface*);
/* 0: none assigned yet; -1: ovs-vswitchd could not make the interface. */
int64_t hnv_interface_ofport(const struct ovsrec_interface*);
const char* hnv_interface_mac(const struct ovsrec_interface*);
/* -1: none is asked for. */
int64_t hnv_interface_mtu_request(const struct ovsrec_interface*);
bool hnv_interface_link_is_up(const struct ovsrec_interface*);
const char* hnv_interface_error(const struct ovsrec_interface*);
const char* hnv_interface_option(const struct ovsrec_interface*, const char* key);
const char* hnv_interface_external_id(const struct ovsrec_interface*, const char* key);
/* Whether a map holds just these pairs, each key once. */
bool hnv_interface_has_options(const struct ovsrec_interface*, const struct hnv_string_pair*,
                               size_t n);
bool hnv_interface_has_bfd(const struct ovsrec_interface*, const struct hnv_string_pair*, size_t n);
/* Calls visit(aux, key, value) for each pair of bfd_status, in no particular order. */
void hnv_interface_for_each_bfd_status(const struct ovsrec_interface*,
                                       void (*visit)(void* aux, const char* key, const char* value),
                                       void* aux);

/* Writing: begin, any number of edits, commit until the outcome is not HNV_TXN_PENDING (with
 * hnv_vswitch_run() in between), abandon. At most one transaction is open at a time, and rows may
 * be edited only between begin and the first commit. Every inserted row is marked with `mark` in
 * its external_ids. */
enum hnv_txn_outcome {
    HNV_TXN_PENDING,
    HNV_TXN_DONE,    /* Committed, or there was nothing to change. */
    HNV_TXN_RETRY,   /* Transient: not connected, or somebody was faster. */
    HNV_TXN_REFUSED, /* hnv_txn_error() says why. */
};

struct ovsdb_idl_txn* hnv_txn_begin(struct hnv_vswitch*, const char* comment);
enum hnv_txn_outcome hnv_txn_commit(struct ovsdb_idl_txn*);
void hnv_txn_wait(const struct ovsdb_idl_txn*);
const char* hnv_txn_error(const struct ovsdb_idl_txn*);
void hnv_txn_abandon(struct ovsdb_idl_txn*);

/* A port with one interface of the same name. The port is in no bridge yet. */
struct ovsrec_port* hnv_txn_insert_port(struct ovsdb_idl_txn*, const char* name, const char* type,
                                        const struct hnv_string_pair* options, size_t n_options,
                                        struct hnv_string_pair mark);
/* A bridge with these ports, hung into the root row. */
struct ovsrec_bridge* hnv_txn_insert_bridge(struct ovsdb_idl_txn*,
                                            const struct ovsrec_open_vswitch*, const char* name,
                                            const char* datapath_type, struct ovsrec_port** ports,
                                            size_t n_ports, struct hnv_string_pair mark);
void hnv_bridge_add_port(const struct ovsrec_bridge*, const struct ovsrec_port*);
/* A port that is in no bridge any more goes, and so does a bridge that the root row does not name.
 */
void hnv_bridge_remove_port(const struct ovsrec_bridge*, const struct ovsrec_port*);
void hnv_root_remove_bridge(const struct ovsrec_open_vswitch*, const struct ovsrec_bridge*);
void hnv_bridge_set_fail_mode(const struct ovsrec_bridge*, const char* fail_mode);
/* Existing bridges: adds to what is there. */
void hnv_bridge_add_protocol(const struct ovsrec_bridge*, const char* protocol);
void hnv_bridge_put_other_config(const struct ovsrec_bridge*, const char* key, const char* value);
/* New bridges: replaces. */
void hnv_bridge_set_protocols(const struct ovsrec_bridge*, const char** protocols, size_t n);
void hnv_bridge_set_other_config(const struct ovsrec_bridge*, struct hnv_string_pair);
void hnv_interface_set_type(const struct ovsrec_interface*, const char* type);
void hnv_interface_put_option(const struct ovsrec_interface*, const char* key, const char* value);
/* These replace the map. */
void hnv_interface_set_options(const struct ovsrec_interface*, const struct hnv_string_pair*,
                               size_t n);
void hnv_interface_set_bfd(const struct ovsrec_interface*, const struct hnv_string_pair*, size_t n);
/* -1: no VLAN, no request. */
void hnv_port_set_tag(const struct ovsrec_port*, int64_t tag);
void hnv_interface_set_mac(const struct ovsrec_interface*, const char* mac);
void hnv_interface_set_mtu_request(const struct ovsrec_interface*, int64_t mtu);

#ifdef __cplusplus
}
#endif
