#!/usr/bin/python3
"""Mappings in bulk, and one at a time: the agent beside a stock ovsdb-server that merely stores.

    HNV_BIN_DIR=build/bin tests/bench/bulk_mappings.py [MAPPINGS]

Raises one host with a real switch. Prints seconds, ratios and memory; asserts nothing. Run it on a
quiet machine, and quote the ratios of one run.
"""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

SOURCE_SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema",
                             "ms_vtep.ovsschema")
PER_TRANSACTION = 1000
PER_PEER = 100
VSID = 5001


def locator(peer):
    return {"op": "insert", "table": "Physical_Locator", "uuid-name": f"peer{peer}",
            "row": {"dst_ip": f"192.168.{2 + peer // 250}.{1 + peer % 250}",
                    "encapsulation_type": "vxlan_over_ipv4"}}


def mapping(subnet, place, number):
    return {"op": "insert", "table": "Ucast_Macs_Remote",
            "row": {"MAC": f"02:{number >> 32 & 255:02x}:{number >> 24 & 255:02x}:"
                           f"{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
                    "ipaddr": f"{10 + (number >> 32)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                    "logical_switch": subnet, "locator": place, "mapping_type": "default"}}


def load(client, count):
    """Inserts subnet, locators and mappings; returns seconds and the subnet."""
    subnet = client.transact("ms_vtep", {
        "op": "insert", "table": "Logical_Switch",
        "row": {"name": str(VSID), "tunnel_key": VSID, "description": "bench"}})[0]["uuid"]
    transactions = []
    for first in range(0, count, PER_TRANSACTION):
        operations = []
        for number in range(first, min(first + PER_TRANSACTION, count)):
            peer = number // PER_PEER
            if number % PER_PEER == 0:
                operations.append(locator(peer))
            operations.append(mapping(subnet, ["named-uuid", f"peer{peer}"], number))
        transactions.append(operations)
    begin = time.perf_counter()
    for operations in transactions:
        client.transact("ms_vtep", *operations)
    return time.perf_counter() - begin, subnet


NEXT = {"op": "mutate", "table": "Global", "where": [], "mutations": [["next_cfg", "+=", 1]]}


def confirm(client, *operations):
    """Commits, asks for confirmation of all so far, and waits for it."""
    asked = {"op": "select", "table": "Global", "where": [], "columns": ["next_cfg"]}
    number = client.transact("ms_vtep", *operations, NEXT, asked)[-1]["rows"][0]["next_cfg"]
    client.transact("ms_vtep", {"op": "wait", "table": "Global", "where": [],
                                "columns": ["cur_cfg"], "until": "==", "timeout": 120000,
                                "rows": [{"cur_cfg": number}]})


def memory_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def one_by_one(client, subnet, place, count, confirmed):
    times = []
    for number in range(count):
        operation = mapping(subnet, place, (1 << 33) + number)
        begin = time.perf_counter()
        if confirmed:
            confirm(client, operation)
        else:
            client.transact("ms_vtep", operation)
        times.append((time.perf_counter() - begin) * 1e6)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


def stock(lab, host, count):
    base = os.path.join(host.directory, "stock")
    run(["ovsdb-tool", "create", base + ".db", SOURCE_SCHEMA])
    server = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock", f"--unixctl={base}.ctl",
                        base + ".db"], namespace=host.namespace, log="stock.log")
    wait_until(lambda: os.path.exists(base + ".sock"), "the stock server listens", 10)
    client = Client(base + ".sock")
    client.transact("ms_vtep", {"op": "insert", "table": "Global", "row": {}})
    seconds, subnet = load(client, count)
    place = client.transact("ms_vtep", {"op": "select", "table": "Physical_Locator", "where": [],
                                        "columns": ["_uuid"]})[0]["rows"][0]["_uuid"]
    result = seconds, memory_mib(server.pid), one_by_one(client, subnet, place, 300, False)
    server.end()
    return result


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        stored, stored_mib, stored_one = stock(lab, host, count)
        print(f"stock ovsdb-server: {count} mappings stored in {stored:.2f} s, "
              f"{stored_mib:.0f} MiB; one: p50 {stored_one[0]:.0f} us, p99 {stored_one[1]:.0f} us",
              flush=True)
        host.agent.start()
        client = Client(host.agent.socket.removeprefix("unix:"))
        begin = time.perf_counter()
        answered, subnet = load(client, count)
        confirm(client)
        total = time.perf_counter() - begin
        status = host.agent.status()["switch"]
        print(f"agent: answered in {answered:.2f} s, in the switch in {total:.2f} s "
              f"(x{total / stored:.2f}), {status['flows']} flows, {status['bundles']} bundles, "
              f"{memory_mib(host.agent.process.pid):.0f} MiB", flush=True)
        place = client.transact("ms_vtep", {
            "op": "select", "table": "Physical_Locator", "where": [],
            "columns": ["_uuid"]})[0]["rows"][0]["_uuid"]
        p50, p99 = one_by_one(client, subnet, place, 300, True)
        print(f"agent: one mapping, until the switch has confirmed it: p50 {p50:.0f} us, "
              f"p99 {p99:.0f} us", flush=True)


if __name__ == "__main__":
    main()
