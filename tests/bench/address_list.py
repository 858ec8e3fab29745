#!/usr/bin/python3
"""One address comes to a list of 10,000 that 50 ports use, or goes from it.

    HNV_BIN_DIR=build/bin tests/bench/address_list.py [SHAPE]... [--addresses=10000] [--ports=50]

The list as a controller can state it:
    split   ms_firewall: 100 rules of 100 addresses at each port; a change updates one rule of each
    rows    ms_firewall: a rule for each address at each port, each with a priority of its own
    rank    the same, all of one priority
    acl     hardware_vtep: one ACL with an entry for each address, which all ports are bound to
Without a shape, all of them.

Prints how long the change takes until the switch has confirmed it, and beside it how long a stock
ovsdb-server takes merely to store it; asserts nothing. Run it on a quiet machine.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from bulk_mappings import memory_mib  # noqa: E402
from firewall_rules import plug  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

CHANGES = 200
PER_TRANSACTION = 2000
PER_RULE = 100


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def rule(port, ident, addresses, priority):
    return {"vnic_id": f"port{port}", "rule_id": ident, "rule_type": "RuleWithControllerPriority",
            "rule_state": "Enabled", "logging_state": "Disabled", "action": "Allow",
            "direction": "Inbound", "priority": priority, "protocols": "TCP",
            "src_ip_addresses": ",".join(addresses), "dst_ip_addresses": "*", "src_ports": "*",
            "dst_ports": "443"}


class Split:
    """Rules with a part of the list each."""

    database = "ms_firewall"
    own_rows = [{"op": "insert", "table": "FW_Global", "row": {}}]

    def __init__(self, ports, addresses):
        self._ports, self._rules = ports, addresses // PER_RULE

    def _rule(self, port, part, more=()):
        members = [address(part * PER_RULE + i) for i in range(PER_RULE)]
        return rule(port, f"part-{part}", [*members, *more], 100 + part)

    def load(self, client):
        rows = [self._rule(port, part)
                for part in range(self._rules) for port in range(self._ports)]
        answers = insert_all(client, self.database, "FW_Rules", rows)
        middle = self._rules // 2 * self._ports
        self._changed = answers[middle:middle + self._ports]

    def change(self, client, turn):
        row = self._rule(0, self._rules // 2, [address(1 << 20)] if turn % 2 == 0 else [])
        column = {"src_ip_addresses": row["src_ip_addresses"]}
        client.transact(self.database, *(
            {"op": "update", "table": "FW_Rules", "where": [["_uuid", "==", ["uuid", uuid]]],
             "row": column} for uuid in self._changed))


class Rows:
    """A rule for each address."""

    database = "ms_firewall"
    own_rows = [{"op": "insert", "table": "FW_Global", "row": {}}]

    def __init__(self, ports, addresses, one_rank=False):
        self._ports, self._addresses, self._one_rank = ports, addresses, one_rank
        self._added = []

    def _rule(self, port, number):
        return rule(port, f"address-{number}", [address(number)],
                    100 if self._one_rank else 100 + number)

    def load(self, client):
        insert_all(client, self.database, "FW_Rules",
                   [self._rule(port, number)
                    for number in range(self._addresses) for port in range(self._ports)])

    def change(self, client, turn):
        if self._added:
            client.transact(self.database, *(
                {"op": "delete", "table": "FW_Rules", "where": [["_uuid", "==", ["uuid", uuid]]]}
                for uuid in self._added))
            self._added = []
        else:
            self._added = insert_all(client, self.database, "FW_Rules",
                                     [self._rule(port, self._addresses + turn)
                                      for port in range(self._ports)])


class AccessList:
    """One list in the database, which ports are bound to."""

    database = "hardware_vtep"
    own_rows = [{"op": "insert", "table": "Physical_Switch", "uuid-name": "switch",
                 "row": {"name": "host"}},
                {"op": "insert", "table": "Global", "row": {"switches": ["named-uuid", "switch"]}}]

    def __init__(self, ports, addresses):
        self._ports, self._addresses = ports, addresses
        self._added = None

    @staticmethod
    def _entry(number):
        return {"op": "insert", "table": "ACL_entry", "uuid-name": f"entry{number}",
                "row": {"sequence": number, "source_ip": address(number),
                        "source_mask": "255.255.255.255", "ethertype": "0x0800", "protocol": 6,
                        "direction": "egress", "action": "permit"}}

    def load(self, client):
        entries = range(self._addresses)
        acl = {"op": "insert", "table": "ACL", "uuid-name": "list",
               "row": {"acl_name": "list", "acl_entries":
                       ["set", [["named-uuid", f"entry{number}"] for number in entries]]}}
        subnet = {"op": "insert", "table": "Logical_Switch", "uuid-name": "subnet",
                  "row": {"name": "subnet", "tunnel_key": 5001}}
        ports = [{"op": "insert", "table": "Physical_Port", "uuid-name": f"port{port}",
                  "row": {"name": f"port{port}",
                          "vlan_bindings": ["map", [[0, ["named-uuid", "subnet"]]]],
                          "acl_bindings": ["map", [[0, ["named-uuid", "list"]]]]}}
                 for port in range(self._ports)]
        client.transact(
            self.database, *map(self._entry, entries), acl, subnet, *ports,
            {"op": "mutate", "table": "Physical_Switch", "where": [], "mutations": [
                ["ports", "insert",
                 ["set", [["named-uuid", f"port{port}"] for port in range(self._ports)]]]]})

    def change(self, client, turn):
        def mutate(how, entry):
            return {"op": "mutate", "table": "ACL", "where": [],
                    "mutations": [["acl_entries", how, ["set", [entry]]]]}
        if self._added:
            client.transact(self.database, mutate("delete", ["uuid", self._added]))
            self._added = None
        else:
            number = self._addresses + turn
            self._added = client.transact(
                self.database, self._entry(number),
                mutate("insert", ["named-uuid", f"entry{number}"]))[0]["uuid"][1]


SHAPES = {"split": Split, "rows": Rows,
          "rank": lambda ports, addresses: Rows(ports, addresses, one_rank=True),
          "acl": AccessList}


def insert_all(client, database, table, rows):
    """The new rows' ids."""
    ids = []
    for first in range(0, len(rows), PER_TRANSACTION):
        answers = client.transact(database, *({"op": "insert", "table": table, "row": row}
                                              for row in rows[first:first + PER_TRANSACTION]))
        ids += [answer["uuid"][1] for answer in answers]
    return ids


def confirm(client):
    """Waits until the switch has confirmed all that was committed, in whichever database."""
    number = client.transact(
        "hnv_host",
        {"op": "mutate", "table": "Host", "where": [], "mutations": [["next_cfg", "+=", 1]]},
        {"op": "select", "table": "Host", "where": [], "columns": ["next_cfg"]},
    )[-1]["rows"][0]["next_cfg"]
    client.transact("hnv_host", {"op": "wait", "table": "Host", "where": [],
                                 "columns": ["cur_cfg"], "until": "==", "timeout": 300000,
                                 "rows": [{"cur_cfg": number}]})


def changes(shape, client, after):
    times = []
    for turn in range(CHANGES):
        begin = time.perf_counter()
        shape.change(client, turn)
        after(client)
        times.append((time.perf_counter() - begin) * 1e3)
    times.sort()
    return f"p50 {statistics.median(times):.2f} ms, p99 {times[int(len(times) * 0.99)]:.2f} ms"


@contextlib.contextmanager
def stock_server(lab, host, database):
    """A client of a stock server with a new database of the agent's schema, and its process id."""
    base = os.path.join(host.directory, "stock")
    schema = run(["ovsdb-client", "get-schema", host.agent.socket, database]).stdout
    with open(base + ".ovsschema", "w", encoding="utf-8") as file:
        file.write(schema)
    run(["ovsdb-tool", "create", base + ".db", base + ".ovsschema"])
    server = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock", f"--unixctl={base}.ctl",
                        base + ".db"], namespace=host.namespace, log="stock.log")
    wait_until(lambda: os.path.exists(base + ".sock"), "the stock server listens", 10)
    yield Client(base + ".sock"), server.pid
    server.end()


def stock(lab, host, shape):
    with stock_server(lab, host, shape.database) as (client, pid):
        client.transact(shape.database, *shape.own_rows)
        begin = time.perf_counter()
        shape.load(client)
        loaded = time.perf_counter() - begin
        one = changes(shape, client, lambda _: None)
        print(f"  stock ovsdb-server: stored in {loaded:.2f} s, {memory_mib(pid):.0f} MiB; "
              f"one address, stored: {one}", flush=True)


def measure(name, ports, addresses):
    print(f"{name}: {addresses} addresses, {ports} ports", flush=True)
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        plug(host, ports)
        stock(lab, host, SHAPES[name](ports, addresses))
        client = Client(host.agent.socket.removeprefix("unix:"))
        shape = SHAPES[name](ports, addresses)
        begin = time.perf_counter()
        shape.load(client)
        confirm(client)
        loaded = time.perf_counter() - begin
        flows = host.agent.status()["switch"]["flows"]
        one = changes(shape, client, confirm)
        print(f"  agent: in the switch in {loaded:.2f} s, {flows} flows, "
              f"{memory_mib(host.agent.process.pid):.0f} MiB; one address, confirmed: {one}",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", choices=[[], *SHAPES], default=[])
    parser.add_argument("--addresses", type=int, default=10_000)
    parser.add_argument("--ports", type=int, default=50)
    wanted = parser.parse_args()
    for name in wanted.shapes or SHAPES:
        measure(name, wanted.ports, wanted.addresses)


if __name__ == "__main__":
    main()
