#!/usr/bin/python3
"""Memory of mappings and of firewall rules: the agent beside a stock ovsdb-server that stores them.

    HNV_BIN_DIR=build/bin tests/bench/memory.py [MAPPINGS]... [--rules=120000]

For each number of mappings, and for the rules: resident MiB with the rows, and once they have gone
again, of the agent, of its ovs-vswitchd, and of the stock server with the same rows. Asserts
nothing; each measure has a host of its own.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import bulk_mappings  # noqa: E402
import firewall_rules  # noqa: E402
from address_list import confirm, insert_all, stock_server  # noqa: E402
from bulk_mappings import memory_mib  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402

PER_TRANSACTION = 1000
RULE_PORTS = 30
SETTLED = 3  # Seconds without a change after which a process has given back what it will.


class Mappings:
    database = "ms_vtep"
    table = "Ucast_Macs_Remote"
    ports = 0

    def __init__(self, count):
        self.count = count

    def load(self, client):
        bulk_mappings.load(client, self.count)


class Rules:
    database = "ms_firewall"
    table = "FW_Rules"
    ports = RULE_PORTS

    def __init__(self, count):
        self.count = count

    def load(self, client):
        insert_all(client, self.database, self.table,
                   [firewall_rules.rule(port, number, shared=False)
                    for port in range(self.ports)
                    for number in range(self.count // self.ports)])


def take_away(client, rows):
    """All of them, by their ids, in transactions of the size that they came in."""
    ids = [row["_uuid"] for row in client.transact(rows.database, {
        "op": "select", "table": rows.table, "where": [], "columns": ["_uuid"]})[0]["rows"]]
    for first in range(0, len(ids), PER_TRANSACTION):
        client.transact(rows.database, *(
            {"op": "delete", "table": rows.table, "where": [["_uuid", "==", uuid]]}
            for uuid in ids[first:first + PER_TRANSACTION]))


def settled(pid):
    """MiB, once they have not changed for a while."""
    before = memory_mib(pid)
    until = time.monotonic() + SETTLED
    while time.monotonic() < until:
        time.sleep(0.1)
        now = memory_mib(pid)
        if abs(now - before) > 1:
            before, until = now, time.monotonic() + SETTLED
    return before


def come_and_go(client, rows, pids, after):
    """MiB of each process before the rows, with them, and without them again."""
    measured = [[settled(pid) for pid in pids]]
    rows.load(client)
    after()
    measured.append([settled(pid) for pid in pids])
    take_away(client, rows)
    after()
    measured.append([settled(pid) for pid in pids])
    return list(zip(*measured))


def measure(rows):
    print(f"{rows.count} rows of {rows.table}", flush=True)
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        if rows.ports:
            firewall_rules.plug(host, rows.ports)
        with stock_server(lab, host, rows.database) as (client, pid):
            [stored] = come_and_go(client, rows, [pid], lambda: None)
        client = Client(host.agent.socket.removeprefix("unix:"))
        [agent, switch] = come_and_go(client, rows, [host.agent.process.pid, host.vswitchd.pid],
                                      lambda: confirm(client))
        for name, (before, held, after) in (("stock ovsdb-server", stored), ("agent", agent),
                                            ("ovs-vswitchd", switch)):
            print(f"  {name}: {before:.0f} MiB, with the rows {held:.0f} "
                  f"({(held - before) * 1024 * 1024 / rows.count:.0f} bytes a row), "
                  f"without them again {after:.0f}", flush=True)
        print(f"  agent / stock with the rows: x{agent[1] / stored[1]:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mappings", nargs="*", type=int, default=[1000, 100_000, 1_000_000])
    parser.add_argument("--rules", type=int, default=120_000)
    wanted = parser.parse_args()
    for count in wanted.mappings:
        measure(Mappings(count))
    if wanted.rules:
        measure(Rules(wanted.rules))


if __name__ == "__main__":
    main()
