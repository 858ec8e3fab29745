"""Writes a policy into the agent's databases as a controller would, and waits for cur_cfg.

What is written is the difference to the policy that was written before: a row that stays is not
touched.
"""

import dataclasses
import ipaddress
import json
import time

from policy import bindings_in_force, in_force
from rpc import RpcError, transact
from spelling import Spelling
from transaction import Transaction

_LAYERS = {"admin": "RuleWithAdminPriority", "controller": "RuleWithControllerPriority"}
_KINDS = {"mirror": "MirrorSource", "arrival": "MirrorDestinaion", "insertion": "ServiceInsertion"}
DATABASES = {"hnv_host": "Host", "ms_firewall": "FW_Global", "ms_service_insertion": "SI_Global",
             "ms_darv": "Global", "ms_vtep": "Global"}  # and the table with the sequence numbers
ATTEMPTS = 5


def ovsdb_map(pairs):
    return ["map", sorted(pairs)]


def mapping_key(mapping):
    """What stays of a mapping's row when the row is updated."""
    return mapping.vsid, mapping.ca, mapping.mac, mapping.kind


class Writer:
    def __init__(self, switch, random):
        self.switch = switch
        self.random = random
        self.spell = Spelling(random)
        self.rows = {name: {} for name in DATABASES}  # see Transaction
        self.plugged = {}  # port: attached MAC

    @property
    def rpc(self):
        return self.switch.agent_rpc

    def write(self, policy):
        """Returns once the switch has confirmed the policy."""
        self._plug(policy)
        self._write_rows(self._without_young(policy))
        self._write_rows(policy)
        # Whatever the databases say already: interfaces may have come and gone.
        transact(self.rpc, "ms_vtep", [{"op": "mutate", "table": "Global", "where": [],
                                        "mutations": [["next_cfg", "+=", 1]]}])
        self.wait_confirmed()

    def _without_young(self, policy):
        """The policy but for what is new and contradicts something older: that has to come later.
        """
        there = self.rows["ms_vtep"].get("Ucast_Macs_Remote", {})
        older = in_force(policy.mappings)
        mappings = [m for m in policy.mappings if m in older or mapping_key(m) in there]
        bound = {name: [vsid for _, vsid in plain[1]] for name, (_, plain) in
                 self.rows["ms_vtep"].get("Logical_Router", {}).items()}
        routers = {}
        for router in policy.routers.values():
            own = bindings_in_force(policy, router)
            routers[router.name] = dataclasses.replace(router, bindings={
                key: vsid for key, vsid in router.bindings.items()
                if key in own or vsid in bound.get(router.name, [])})
        return dataclasses.replace(policy, mappings=mappings, routers=routers)

    def _write_rows(self, policy):
        databases = [self._write_host, self._write_darv, self._write_firewall,
                     self._write_services, self._write_vtep]
        self.random.shuffle(databases)
        for write in databases:
            write(policy)

    def _transaction(self, database):
        return Transaction(self.rpc, database, self.rows[database])

    def wait_confirmed(self):
        """Until cur_cfg is next_cfg in each database."""
        deadline = time.monotonic() + 20
        for database, table in DATABASES.items():
            while not self._current(database, table):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"cur_cfg of {database} does not reach next_cfg")
                time.sleep(0.0005)

    def _current(self, database, table):
        [found] = transact(self.rpc, database, [
            {"op": "select", "table": table, "where": [], "columns": ["cur_cfg", "next_cfg"]}])
        row = found["rows"][0]
        return row["cur_cfg"] == row["next_cfg"]

    # --- interfaces --------------------------------------------------------------------------

    def _plug(self, policy):
        wanted = {p.name: p.attached_mac for p in policy.ports.values() if p.plugged}
        for name in [n for n, mac in self.plugged.items() if wanted.get(n) != mac]:
            self.switch.unplug(name)
            del self.plugged[name]
            self._wait_ports()
        for name in sorted(wanted.keys() - self.plugged.keys()):
            self.switch.plug(name, self.spell.port(name), wanted[name])
            self.plugged[name] = wanted[name]
        self._wait_ports()

    def _wait_ports(self):
        """Until the agent has seen the interfaces that are there now, and no others."""
        deadline = time.monotonic() + 20
        there = self.rows["ms_darv"].get("Ports", {})  # for now what these say is the port's MAC
        wanted = {name: (name in there and there[name][1].mac) or mac
                  for name, mac in self.plugged.items()}
        while True:
            ports = json.loads(self.switch.agent_ctl.call("hnv/ports", []))
            seen = {p["interface"]: p["mac"] for p in ports if p["interface"] and p["ofport"] > 0}
            if seen == wanted:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the agent sees {seen} and not {wanted}")
            time.sleep(0.001)

    # --- databases ---------------------------------------------------------------------------

    def _write_host(self, policy):
        change = self._transaction("hnv_host")
        change.table("Provider_Address", {address: address for address in policy.own_pas},
                     lambda _, address: {"address": self.spell.ip(address)})
        settings = {port.name: (port.mac_spoofing, port.ip_forwarding, port.dhcp_guard,
                                port.router_guard)
                    for port in policy.ports.values()}
        settings = {name: values for name, values in settings.items() if any(values)}
        change.table("Port_Settings", settings, lambda name, value: {
            "name": self.spell.port(name), "mac_spoofing_allowed": value[0],
            "ip_forwarding_allowed": value[1], "dhcp_guard": value[2], "router_guard": value[3]})
        change.table("NAT", {nat.name: nat for nat in policy.nats}, lambda name, nat: {
            "name": name, "port": self.spell.port(nat.port),
            "vlan": ["set", [nat.vlan] if nat.vlan else []],
            "type": "static" if nat.static else "dynamic",
            "internal": ["set", [self.spell.ip(prefix) for prefix in nat.internal]],
            "external": nat.external})
        change.commit("Host")

    def _write_darv(self, policy):
        change = self._transaction("ms_darv")
        addresses = {(name, text): "" for name, adapter in policy.adapters.items()
                     for text in adapter.addresses}
        change.table("IP_Addresses", addresses, lambda key, _: self._adapter_address(key[1]))
        change.table("Ports", policy.adapters, lambda name, adapter: {
            "name": self.spell.port(name), "mac_address": self.spell.mac(adapter.mac),
            "enable_ip_forwarding": adapter.ip_forwarding,
            "ip_addresses": ["set", [change.reference("IP_Addresses", (name, text))
                                     for text in adapter.addresses]]})
        change.commit("Global")

    def _adapter_address(self, text):
        bound = ipaddress.ip_interface(text)
        masks = [str(bound.network.prefixlen)]
        if bound.version == 4:
            masks.append(str(bound.netmask))
        return {"address": self.spell.ip(str(bound.ip)), "mask": self.random.choice(masks)}

    def _write_firewall(self, policy):
        def row(_, rule):
            return {
                "vnic_id": self.spell.port(rule.port), "rule_id": rule.ident,
                "rule_type": _LAYERS[rule.layer], "direction": rule.direction.capitalize(),
                "rule_state": "Enabled" if rule.enabled else "Disabled",
                "logging_state": "Enabled" if rule.logged else "Disabled",
                "action": "Allow" if rule.allow else "Block",
                "priority": rule.priority, "protocols": rule.protocols,
                "src_ip_addresses": rule.src, "dst_ip_addresses": rule.dst,
                "src_ports": rule.src_ports, "dst_ports": rule.dst_ports}

        change = self._transaction("ms_firewall")
        rules = {(rule.port, rule.ident, rule.layer): rule for rule in policy.rules}
        change.table("FW_Rules", rules, row)
        change.commit("FW_Global")

    def _routing(self, rule):
        if rule.kind == "insertion":
            items = [f"next-hop={self.spell.ip(rule.next_hop)}"] + ["fail=open"] * rule.fail_open
        elif rule.kind == "arrival":
            items = [f"key={rule.key}", "from=" + ";".join(map(self.spell.ip, rule.sources))]
        else:
            items = [f"direction={rule.directions[0]}"] if len(rule.directions) == 1 else []
            items += [f"port={self.spell.port(rule.analyzer)}"] if rule.analyzer else [
                f"destination={self.spell.ip(rule.locator.pa)}", f"key={rule.key}",
                f"encapsulation={rule.locator.encapsulation}"]
        self.random.shuffle(items)
        return self.random.choice([" ", ", ", ","]).join(items)

    def _write_services(self, policy):
        def row(_, rule):
            return {
                "vnic_id": self.spell.port(rule.port), "rule_id": rule.ident,
                "rule_type": _KINDS[rule.kind], "priority": rule.priority,
                "routing_information": self._routing(rule), "protocols": rule.protocols,
                "src_ip_addresses": rule.src, "dst_ip_addresses": rule.dst,
                "src_ports": rule.src_ports, "dst_ports": rule.dst_ports}

        change = self._transaction("ms_service_insertion")
        change.table("SI_Rule", {(rule.port, rule.ident): rule for rule in policy.services}, row)
        change.commit("SI_Global")

    def _write_vtep(self, policy):
        """One transaction, in which rows may be referred to before they are there."""
        for attempt in range(ATTEMPTS):
            try:
                change = _VtepChange(self._transaction("ms_vtep"), self.spell)
                return change.write(policy)
            except RpcError as error:
                # The agent may have made or dropped a locator of its own meanwhile.
                of_references = "constraint" in str(error) or "referential" in str(error)
                if not of_references or attempt == ATTEMPTS - 1:
                    raise


class _VtepChange:
    """One transaction of ms_vtep, table by table."""

    def __init__(self, transaction, spell):
        self.change = transaction
        self.spell = spell
        # The agent has locators of its own here, and those nobody uses are gone by themselves.
        self.locators = {(row["dst_ip"], row["encapsulation_type"]): row["_uuid"]
                         for row in self._rows("Physical_Locator")}

    def _rows(self, table):
        [found] = transact(self.change.rpc, "ms_vtep", [
            {"op": "select", "table": table, "where": []}])
        return found["rows"]

    def write(self, policy):
        self._subnets(policy)
        self._ports(policy)
        self._routers(policy)
        self._mappings(policy)
        self._switch(policy)
        self._mcast(policy)
        self.change.commit("Global")

    def _subnet(self, vsid):
        return self.change.reference("Logical_Switch", vsid)

    def _locator(self, locator):
        family = "ipv6" if ":" in locator.pa else "ipv4"
        key = (locator.pa, f"{locator.encapsulation}_over_{family}")
        if key not in self.locators:
            name = self.change.new_name()
            self.change.add({"op": "insert", "table": "Physical_Locator", "uuid-name": name,
                             "row": {"dst_ip": key[0], "encapsulation_type": key[1]}})
            self.locators[key] = ["named-uuid", name]
        return self.locators[key]

    def _static_routes(self, pairs):
        return ovsdb_map([[self.spell.ip(prefix), self.spell.ip(via)] for prefix, via in pairs])

    # --- tables ------------------------------------------------------------------------------

    def _subnets(self, policy):
        wanted = {subnet.vsid: (subnet.rdid, sorted(subnet.routes.items()), subnet.per_vm)
                  for subnet in policy.subnets.values()}
        for vsid, (uuid, _) in self.change.there("Logical_Switch").items():
            if vsid not in wanted:  # the agent's own rows would hold it
                self.change.add({"op": "delete", "table": "Ucast_Macs_Local",
                                 "where": [["logical_switch", "==", ["uuid", uuid]]]})
        self.change.table("Logical_Switch", wanted, lambda vsid, value: {
            "name": str(vsid), "tunnel_key": vsid, "description": value[0],
            "static_routes": self._static_routes(value[1]),
            "other_config": ovsdb_map([["replication", "per-vm"]] if value[2] else [])})

    def _ports(self, policy):
        wanted = {port.name: sorted((vlan, vsid) for vlan, vsid in port.bindings.items()
                                    if vsid in policy.subnets) for port in policy.ports.values()}
        self.change.table("Physical_Port", wanted, lambda name, value: {
            "name": self.spell.port(name),
            "vlan_bindings": ovsdb_map([[vlan, self._subnet(vsid)] for vlan, vsid in value])})
        changed = self.change.changed("Physical_Port")
        for verb, stays in (("delete", False), ("insert", True)):
            ports = [self.change.reference("Physical_Port", name)
                     for name, there in changed.items() if there == stays]
            if ports:
                self.change.add({"op": "mutate", "table": "Physical_Switch", "where": [],
                                 "mutations": [["ports", verb, ["set", ports]]]})

    def _routers(self, policy):
        wanted = {router.name: (router.enabled,
                                sorted((key, vsid) for key, vsid in router.bindings.items()
                                       if vsid in policy.subnets),
                                sorted(router.routes.items()))
                  for router in policy.routers.values()}
        self.change.table("Logical_Router", wanted, lambda name, value: {
            "name": name, "enable_logical_router": value[0],
            "switch_binding": ovsdb_map([[self.spell.ip(key), self._subnet(vsid)]
                                         for key, vsid in value[1]]),
            "static_routes": self._static_routes(value[2])})

    def _mappings(self, policy):
        wanted = {mapping_key(m): m for m in policy.mappings}
        there = self.change.there("Ucast_Macs_Remote")
        self.change.table("Ucast_Macs_Remote", wanted, lambda key, m: {
            "MAC": self.spell.mac(m.mac), "ipaddr": self.spell.ip(m.ca),
            **({} if key in there else {"mapping_type": m.kind}),  # immutable
            "logical_switch": self._subnet(m.vsid), "locator": self._locator(m.locator)})

    def _switch(self, policy):
        """The one row is the agent's; ours is a column of it."""
        there = self.change.there("Physical_Switch")
        if not there:
            [row] = self._rows("Physical_Switch")
            there["this host"] = (row["_uuid"][1], "")
        self.change.table("Physical_Switch", {"this host": policy.router_mac}, lambda _, mac: {
            "distributed_router_mac": self.spell.mac(mac)})

    def _mcast(self, policy):
        def row(key, locators):
            uuids = [self._locator(locator) for locator in locators]
            name = self.change.new_name()
            self.change.add({"op": "insert", "table": "Physical_Locator_Set", "uuid-name": name,
                             "row": {"locators": ["set", uuids]}})
            return {"MAC": self.spell.mac(key[1]), "logical_switch": self._subnet(key[0]),
                    "locator_set": ["named-uuid", name]}

        self.change.table("Mcast_Macs_Remote", policy.mcast, row)
