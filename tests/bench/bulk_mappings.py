#!/usr/bin/python3
"""Mappings in bulk, and one at a time: the agent beside a stock ovsdb-server that merely stores.

    HNV_BIN_DIR=build/bin tests/bench/bulk_mappings.py [--quick|--full]

Raises one host with a real switch. Its limits: a stock ovsdb-server that stores the same rows, and
for one change that server's answer and one flow-mod with its barrier. Asserts nothing. Run it on a
quiet machine, and quote the ratios of one run.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from harness.figures import Figure, percentiles  # noqa: E402
from harness.limits import StockServer, hand_made_flows  # noqa: E402
from harness.machine import memory_mib  # noqa: E402
from harness.scenario import main  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402

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
    return percentiles(times)


def any_locator(client):
    return client.transact("ms_vtep", {"op": "select", "table": "Physical_Locator", "where": [],
                                       "columns": ["_uuid"]})[0]["rows"][0]["_uuid"]


def stock(lab, host, count, changes):
    """Seconds, MiB, and (p50, p99) µs of one row, of a server that merely stores."""
    server = StockServer(lab, host)
    seconds, subnet = load(server.client, count)
    result = (seconds, memory_mib(server.process.pid),
              one_by_one(server.client, subnet, any_locator(server.client), changes, False))
    server.end()
    return result


def measure(lab, count, changes):
    host = lab.add_host("host1", "192.168.1.10/24")
    stored, stored_mib, stored_one = stock(lab, host, count, changes)
    # On a switch of its own: what a bundle took, ovs-vswitchd keeps.
    loaded, flows = hand_made_flows(lab.add_host("limit", "192.168.1.11/24"), count, changes)
    flow_one = [seconds * 1e6 for seconds in percentiles(flows)]
    host.agent.start()
    host.agent.set_host(programming="proactive")
    client = Client(host.agent.socket.removeprefix("unix:"))
    begin = time.perf_counter()
    answered, subnet = load(client, count)
    confirm(client)
    total = time.perf_counter() - begin
    name = f"bulk {count}"
    yield Figure(f"{name}: answered", answered, "s", stored)
    yield Figure(f"{name}: confirmed", total, "s", stored)
    yield Figure(f"{name}: confirmed, beside storing and hand-made flows", total, "s",
                 stored + loaded)
    yield Figure(f"{name}: memory of the agent", memory_mib(host.agent.process.pid), "MiB",
                 stored_mib)
    yield Figure(f"{name}: memory of ovs-vswitchd", memory_mib(host.vswitchd.pid), "MiB")
    yield Figure(f"{name}: flows", host.agent.status()["switch"]["flows"], "flows", count)
    one = one_by_one(client, subnet, any_locator(client), changes, True)
    for place, what in enumerate(("p50", "p99")):
        yield Figure(f"{name}: one change {what}", one[place], "us",
                     stored_one[place] + flow_one[place])


def scenario(arguments):
    sizes = [500] if arguments.quick else [1000, 100_000]
    if arguments.full:
        sizes.append(1_000_000)
    for count in sizes:
        with Lab() as lab:
            yield from measure(lab, count, 20 if arguments.quick else 300)


if __name__ == "__main__":
    main(__doc__, scenario)
