#!/usr/bin/python3
"""Firewall rules in bulk, and one changed among them.

    HNV_BIN_DIR=build/bin tests/bench/firewall_rules.py [all|port|host|shared|lists]

    port    4,000 rules on one port
    host    120,000 on a host: 30 ports, each with 4,000 that no other has
    shared  120,000 on a host: 30 ports with the same 4,000
    lists   1,000 rules of 100 prefixes each, the same on 50 ports

Raises one host with a real switch for each. Prints seconds until the switch has confirmed, flows,
memory, and what one changed rule takes; asserts nothing. Run it on a quiet machine.
"""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from bulk_mappings import memory_mib  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

PER_TRANSACTION = 2000
CHANGES = 300
BRIDGE = "br-hnv"


def rule(port, number, *, shared, prefixes=1):
    ident = f"rule-{number}" if shared else f"rule-{port}-{number}"
    sources = ",".join(f"10.{(number * prefixes + i) >> 8 & 255}.{(number * prefixes + i) & 255}.0/24"
                       for i in range(prefixes))
    return {"vnic_id": f"port{port}", "rule_id": ident, "rule_type": "RuleWithControllerPriority",
            "rule_state": "Enabled", "logging_state": "Disabled", "action": "Allow",
            "direction": "Inbound", "priority": 100 + number, "protocols": "TCP",
            "src_ip_addresses": sources, "dst_ip_addresses": "*", "src_ports": "*",
            "dst_ports": str(1024 + number)}


def confirm(client, *operations):
    """Commits, asks for confirmation of all so far, and waits for it."""
    number = client.transact(
        "ms_firewall", *operations,
        {"op": "mutate", "table": "FW_Global", "where": [], "mutations": [["next_cfg", "+=", 1]]},
        {"op": "select", "table": "FW_Global", "where": [], "columns": ["next_cfg"]},
    )[-1]["rows"][0]["next_cfg"]
    client.transact("ms_firewall", {
        "op": "wait", "table": "FW_Global", "where": [], "columns": ["cur_cfg"], "until": "==",
        "timeout": 300000, "rows": [{"cur_cfg": number}]})


def plug(host, ports):
    words = []
    for port in range(ports):
        words += ["--", "add-port", BRIDGE, f"tap{port}", "--", "set", "Interface", f"tap{port}",
                  "type=internal", f"external_ids:iface-id=port{port}",
                  f'external_ids:attached-mac="02:00:00:00:01:{port:02x}"']
    host.vsctl(*words[1:])
    wait_until(lambda: host.agent.status()["policy"]["ports"] >= ports, "the ports are seen", 30)


def change_one(client, port, number, shared, prefixes):
    times = []
    row = rule(port, number, shared=shared, prefixes=prefixes)
    uuid = client.transact("ms_firewall", {
        "op": "select", "table": "FW_Rules", "columns": ["_uuid"],
        "where": [["vnic_id", "==", row["vnic_id"]], ["rule_id", "==", row["rule_id"]]]},
    )[0]["rows"][0]["_uuid"]
    where = [["_uuid", "==", uuid]]  # A controller knows it; any other condition reads the table.
    for turn in range(CHANGES):
        row["dst_ports"] = str(30000 + turn)
        begin = time.perf_counter()
        confirm(client, {"op": "update", "table": "FW_Rules", "where": where, "row": row})
        times.append((time.perf_counter() - begin) * 1e3)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


def measure(name, ports, rules, *, shared, prefixes=1):
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        plug(host, ports)
        client = Client(host.agent.socket.removeprefix("unix:"))
        before = host.agent.status()["switch"]["flows"]
        operations = [{"op": "insert", "table": "FW_Rules",
                       "row": rule(port, number, shared=shared, prefixes=prefixes)}
                      for port in range(ports) for number in range(rules)]
        begin = time.perf_counter()
        for first in range(0, len(operations), PER_TRANSACTION):
            client.transact("ms_firewall", *operations[first:first + PER_TRANSACTION])
        answered = time.perf_counter() - begin
        confirm(client)
        total = time.perf_counter() - begin
        flows = host.agent.status()["switch"]["flows"] - before
        p50, p99 = change_one(client, 0, rules // 2, shared, prefixes)
        print(f"{name}: {len(operations)} rules on {ports} ports: answered in {answered:.2f} s, in "
              f"the switch in {total:.2f} s, {flows} flows, "
              f"{memory_mib(host.agent.process.pid):.0f} MiB; one changed, confirmed: "
              f"p50 {p50:.2f} ms, p99 {p99:.2f} ms", flush=True)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    cases = {"port": lambda name: measure(name, 1, 4000, shared=False),
             "host": lambda name: measure(name, 30, 4000, shared=False),
             "shared": lambda name: measure(name, 30, 4000, shared=True),
             "lists": lambda name: measure(name, 50, 1000, shared=True, prefixes=100)}
    for name, run in cases.items():
        if wanted in ("all", name):
            run(name)


if __name__ == "__main__":
    main()
