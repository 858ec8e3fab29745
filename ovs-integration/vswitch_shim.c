#include "ovs-integration/vswitch_shim.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ovsdb-idl.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/util.h"
#include "smap.h"
#include "util.h"

struct hnv_vswitch {
    struct ovsdb_idl* idl;
};

static void monitor_columns(struct ovsdb_idl* idl) {
    /* Only what is read: the switch refreshes statistics every few seconds, and a client that
     * monitors them is woken each time for nothing. */
    static const struct ovsdb_idl_column* const columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_open_vswitch_col_datapath_types,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_datapath_type,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_protocols,
        &ovsrec_bridge_col_other_config,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_external_ids,
        &ovsrec_port_col_name,
        &ovsrec_port_col_tag,
        &ovsrec_port_col_external_ids,
        &ovsrec_port_col_interfaces,
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_type,
        &ovsrec_interface_col_options,
        &ovsrec_interface_col_external_ids,
        &ovsrec_interface_col_ofport,
        &ovsrec_interface_col_mac,
        &ovsrec_interface_col_mtu_request,
        &ovsrec_interface_col_link_state,
        &ovsrec_interface_col_error,
        &ovsrec_interface_col_bfd,
        &ovsrec_interface_col_bfd_status,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

struct hnv_vswitch* hnv_vswitch_open(const char* remote) {
    struct hnv_vswitch* vswitch = xmalloc(sizeof *vswitch);

    vswitch->idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, true);
    monitor_columns(vswitch->idl);
    /* Local and never part of a cluster: any server will do. */
    ovsdb_idl_set_leader_only(vswitch->idl, false);
    return vswitch;
}

void hnv_vswitch_close(struct hnv_vswitch* vswitch) {
    if (vswitch) {
        ovsdb_idl_destroy(vswitch->idl);
        free(vswitch);
    }
}

void hnv_vswitch_run(struct hnv_vswitch* vswitch) { ovsdb_idl_run(vswitch->idl); }

void hnv_vswitch_wait(struct hnv_vswitch* vswitch) { ovsdb_idl_wait(vswitch->idl); }

bool hnv_vswitch_is_connected(const struct hnv_vswitch* vswitch) {
    return ovsdb_idl_is_connected(vswitch->idl);
}

unsigned int hnv_vswitch_seqno(const struct hnv_vswitch* vswitch) {
    return ovsdb_idl_get_seqno(vswitch->idl);
}

const struct ovsrec_open_vswitch* hnv_vswitch_root(const struct hnv_vswitch* vswitch) {
    return ovsrec_open_vswitch_first(vswitch->idl);
}

size_t hnv_root_n_bridges(const struct ovsrec_open_vswitch* root) { return root->n_bridges; }

const struct ovsrec_bridge* hnv_root_bridge(const struct ovsrec_open_vswitch* root, size_t index) {
    return root->bridges[index];
}

size_t hnv_root_n_datapath_types(const struct ovsrec_open_vswitch* root) {
    return root->n_datapath_types;
}

const char* hnv_root_datapath_type(const struct ovsrec_open_vswitch* root, size_t index) {
    return root->datapath_types[index];
}

const char* hnv_bridge_name(const struct ovsrec_bridge* bridge) { return bridge->name; }

const char* hnv_bridge_datapath_type(const struct ovsrec_bridge* bridge) {
    return bridge->datapath_type;
}

const char* hnv_bridge_fail_mode(const struct ovsrec_bridge* bridge) { return bridge->fail_mode; }

const char* hnv_bridge_other_config(const struct ovsrec_bridge* bridge, const char* key) {
    return smap_get(&bridge->other_config, key);
}

const char* hnv_bridge_external_id(const struct ovsrec_bridge* bridge, const char* key) {
    return smap_get(&bridge->external_ids, key);
}

bool hnv_bridge_has_protocol(const struct ovsrec_bridge* bridge, const char* protocol) {
    for (size_t i = 0; i < bridge->n_protocols; i++) {
        if (!strcmp(bridge->protocols[i], protocol)) {
            return true;
        }
    }
    return false;
}

size_t hnv_bridge_n_ports(const struct ovsrec_bridge* bridge) { return bridge->n_ports; }

const struct ovsrec_port* hnv_bridge_port(const struct ovsrec_bridge* bridge, size_t index) {
    return bridge->ports[index];
}

const char* hnv_port_name(const struct ovsrec_port* port) { return port->name; }

const char* hnv_port_external_id(const struct ovsrec_port* port, const char* key) {
    return smap_get(&port->external_ids, key);
}

int64_t hnv_port_tag(const struct ovsrec_port* port) { return port->n_tag ? port->tag[0] : -1; }

size_t hnv_port_n_interfaces(const struct ovsrec_port* port) { return port->n_interfaces; }

const struct ovsrec_interface* hnv_port_interface(const struct ovsrec_port* port, size_t index) {
    return port->interfaces[index];
}

const char* hnv_interface_name(const struct ovsrec_interface* interface) { return interface->name; }

const char* hnv_interface_type(const struct ovsrec_interface* interface) { return interface->type; }

int64_t hnv_interface_ofport(const struct ovsrec_interface* interface) {
    return interface->n_ofport ? interface->ofport[0] : 0;
}

const char* hnv_interface_mac(const struct ovsrec_interface* interface) { return interface->mac; }

int64_t hnv_interface_mtu_request(const struct ovsrec_interface* interface) {
    return interface->n_mtu_request ? interface->mtu_request[0] : -1;
}

bool hnv_interface_link_is_up(const struct ovsrec_interface* interface) {
    return interface->link_state && !strcmp(interface->link_state, "up");
}

const char* hnv_interface_error(const struct ovsrec_interface* interface) {
    return interface->error;
}

const char* hnv_interface_option(const struct ovsrec_interface* interface, const char* key) {
    return smap_get(&interface->options, key);
}

const char* hnv_interface_external_id(const struct ovsrec_interface* interface, const char* key) {
    return smap_get(&interface->external_ids, key);
}

static bool holds(const struct smap* map, const struct hnv_string_pair* pairs, size_t n) {
    if (smap_count(map) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const char* value = smap_get(map, pairs[i].key);

        if (!value || strcmp(value, pairs[i].value)) {
            return false;
        }
    }
    return true;
}

bool hnv_interface_has_options(const struct ovsrec_interface* interface,
                               const struct hnv_string_pair* pairs, size_t n) {
    return holds(&interface->options, pairs, n);
}

bool hnv_interface_has_bfd(const struct ovsrec_interface* interface,
                           const struct hnv_string_pair* pairs, size_t n) {
    return holds(&interface->bfd, pairs, n);
}

void hnv_interface_for_each_bfd_status(const struct ovsrec_interface* interface,
                                       void (*visit)(void* aux, const char* key, const char* value),
                                       void* aux) {
    struct smap_node* node;

    SMAP_FOR_EACH(node, &interface->bfd_status) { visit(aux, node->key, node->value); }
}

struct ovsdb_idl_txn* hnv_txn_begin(struct hnv_vswitch* vswitch, const char* comment) {
    struct ovsdb_idl_txn* txn = ovsdb_idl_txn_create(vswitch->idl);

    ovsdb_idl_txn_add_comment(txn, "%s", comment);
    return txn;
}

enum hnv_txn_outcome hnv_txn_commit(struct ovsdb_idl_txn* txn) {
    switch (ovsdb_idl_txn_commit(txn)) {
        case TXN_UNCOMMITTED:
        case TXN_INCOMPLETE:
            return HNV_TXN_PENDING;
        case TXN_UNCHANGED:
        case TXN_SUCCESS:
            return HNV_TXN_DONE;
        case TXN_ABORTED:
        case TXN_TRY_AGAIN:
            return HNV_TXN_RETRY;
        case TXN_NOT_LOCKED:
        case TXN_ERROR:
            return HNV_TXN_REFUSED;
    }
    OVS_NOT_REACHED();
}

void hnv_txn_wait(const struct ovsdb_idl_txn* txn) { ovsdb_idl_txn_wait(txn); }

const char* hnv_txn_error(const struct ovsdb_idl_txn* txn) { return ovsdb_idl_txn_get_error(txn); }

void hnv_txn_abandon(struct ovsdb_idl_txn* txn) {
    if (txn) {
        ovsdb_idl_txn_destroy(txn);
    }
}

static void fill(struct smap* map, const struct hnv_string_pair* pairs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        smap_replace(map, pairs[i].key, pairs[i].value);
    }
}

struct ovsrec_port* hnv_txn_insert_port(struct ovsdb_idl_txn* txn, const char* name,
                                        const char* type, const struct hnv_string_pair* options,
                                        size_t n_options, struct hnv_string_pair mark) {
    struct ovsrec_interface* interface = ovsrec_interface_insert(txn);
    struct ovsrec_port* port = ovsrec_port_insert(txn);
    const struct smap marks = SMAP_CONST1(&marks, mark.key, mark.value);
    struct smap option_map = SMAP_INITIALIZER(&option_map);

    fill(&option_map, options, n_options);
    ovsrec_interface_set_name(interface, name);
    ovsrec_interface_set_type(interface, type);
    ovsrec_interface_set_options(interface, &option_map);
    ovsrec_interface_set_external_ids(interface, &marks);
    smap_destroy(&option_map);

    ovsrec_port_set_name(port, name);
    ovsrec_port_set_interfaces(port, &interface, 1);
    ovsrec_port_set_external_ids(port, &marks);
    return port;
}

struct ovsrec_bridge* hnv_txn_insert_bridge(struct ovsdb_idl_txn* txn,
                                            const struct ovsrec_open_vswitch* root,
                                            const char* name, const char* datapath_type,
                                            struct ovsrec_port** ports, size_t n_ports,
                                            struct hnv_string_pair mark) {
    struct ovsrec_bridge* bridge = ovsrec_bridge_insert(txn);
    const struct smap marks = SMAP_CONST1(&marks, mark.key, mark.value);

    ovsrec_bridge_set_name(bridge, name);
    ovsrec_bridge_set_datapath_type(bridge, datapath_type);
    ovsrec_bridge_set_external_ids(bridge, &marks);
    ovsrec_bridge_set_ports(bridge, ports, n_ports);
    /* A mutation, so that bridges which others add at the same time survive. */
    ovsrec_open_vswitch_update_bridges_addvalue(root, bridge);
    return bridge;
}

void hnv_bridge_add_port(const struct ovsrec_bridge* bridge, const struct ovsrec_port* port) {
    ovsrec_bridge_update_ports_addvalue(bridge, port);
}

/* Mutations, as above. */
void hnv_bridge_remove_port(const struct ovsrec_bridge* bridge, const struct ovsrec_port* port) {
    ovsrec_bridge_update_ports_delvalue(bridge, port);
}

void hnv_root_remove_bridge(const struct ovsrec_open_vswitch* root,
                            const struct ovsrec_bridge* bridge) {
    ovsrec_open_vswitch_update_bridges_delvalue(root, bridge);
}

void hnv_bridge_set_fail_mode(const struct ovsrec_bridge* bridge, const char* fail_mode) {
    ovsrec_bridge_set_fail_mode(bridge, fail_mode);
}

void hnv_bridge_add_protocol(const struct ovsrec_bridge* bridge, const char* protocol) {
    ovsrec_bridge_update_protocols_addvalue(bridge, protocol);
}

void hnv_bridge_put_other_config(const struct ovsrec_bridge* bridge, const char* key,
                                 const char* value) {
    ovsrec_bridge_update_other_config_setkey(bridge, key, value);
}

void hnv_bridge_set_protocols(const struct ovsrec_bridge* bridge, const char** protocols,
                              size_t n) {
    ovsrec_bridge_set_protocols(bridge, protocols, n);
}

void hnv_bridge_set_other_config(const struct ovsrec_bridge* bridge, struct hnv_string_pair pair) {
    const struct smap map = SMAP_CONST1(&map, pair.key, pair.value);

    ovsrec_bridge_set_other_config(bridge, &map);
}

void hnv_interface_set_type(const struct ovsrec_interface* interface, const char* type) {
    ovsrec_interface_set_type(interface, type);
}

void hnv_interface_put_option(const struct ovsrec_interface* interface, const char* key,
                              const char* value) {
    ovsrec_interface_update_options_setkey(interface, key, value);
}

void hnv_interface_set_options(const struct ovsrec_interface* interface,
                               const struct hnv_string_pair* pairs, size_t n) {
    struct smap map = SMAP_INITIALIZER(&map);

    fill(&map, pairs, n);
    ovsrec_interface_set_options(interface, &map);
    smap_destroy(&map);
}

void hnv_interface_set_bfd(const struct ovsrec_interface* interface,
                           const struct hnv_string_pair* pairs, size_t n) {
    struct smap map = SMAP_INITIALIZER(&map);

    fill(&map, pairs, n);
    ovsrec_interface_set_bfd(interface, &map);
    smap_destroy(&map);
}

void hnv_port_set_tag(const struct ovsrec_port* port, int64_t tag) {
    ovsrec_port_set_tag(port, &tag, tag >= 0);
}

void hnv_interface_set_mac(const struct ovsrec_interface* interface, const char* mac) {
    ovsrec_interface_set_mac(interface, mac);
}

void hnv_interface_set_mtu_request(const struct ovsrec_interface* interface, int64_t mtu) {
    ovsrec_interface_set_mtu_request(interface, &mtu, mtu >= 0);
}
