#!/usr/bin/python3
"""Transactions and monitor updates: the agent, with its programming on, beside a stock
ovsdb-server with the same schema and the same client.

    HNV_BIN_DIR=build/bin tests/bench/ovsdb_throughput.py [ROUNDS]

Each round does the same to both, one after the other, and starts and ends with no mappings. The
client sends requests that it has made before, so that what is measured is the server. Prints the
median of the rounds and the ratio of both; asserts nothing. CPU is what the server's own thread
took, since both cores are shared with the client and, for the agent, with the switch.
"""

import json
import os
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from bulk_mappings import confirm, locator, mapping, VSID  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

SINGLES = 2000
SIZES = (10_000, 100_000)
TICK = os.sysconf("SC_CLK_TCK")


def request(number, operations):
    return json.dumps({"id": number, "method": "transact",
                       "params": ["ms_vtep", *operations]}).encode()


class Raw:
    """A client that reads no more of a reply than where it ends."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def call(self, message):
        self.socket.sendall(message)
        depth, seen = 0, 0
        while seen == 0 or depth > 0:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError("the server closed the connection")
            depth += data.count(b"{") - data.count(b"}")
            seen += len(data)
            if b'"details"' in data:
                raise RuntimeError(data[:400])

    def close(self):
        self.socket.close()


class Watcher(threading.Thread):
    """A monitor of all mappings, which notes when it has seen as many inserts as it is to see."""

    NEEDLE = b'"insert":{'

    def __init__(self, path, count):
        super().__init__()
        self.count = count
        self.raw = Raw(path)
        self.raw.call(json.dumps({
            "id": 0, "method": "monitor_cond",
            "params": ["ms_vtep", None, {"Ucast_Macs_Remote": [{}]}]}).encode())
        self.done = None
        self.start()

    def run(self):
        seen, tail = 0, b""
        while seen < self.count:
            data = tail + self.raw.socket.recv(1 << 20)
            seen += data.count(self.NEEDLE)
            tail = data[-(len(self.NEEDLE) - 1):]
        self.done = time.perf_counter()
        self.raw.close()


class Server:
    def __init__(self, name, path, pid, agent):
        self.name = name
        self.path = path
        self.pid = pid
        self.agent = agent
        self.client = Client(path)
        self.subnet = self.client.transact("ms_vtep", {
            "op": "insert", "table": "Logical_Switch",
            "row": {"name": str(VSID), "tunnel_key": VSID, "description": "bench"}})[0]["uuid"]
        self.figures = {}

    def cpu(self):
        """Seconds of the thread that serves."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stat", encoding="utf-8") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
            if name.startswith("databases") or not self.agent:
                fields = rest.split()
                return (int(fields[11]) + int(fields[12])) / TICK
        raise RuntimeError("no thread that serves")

    def note(self, what, rate, cpu_us):
        self.figures.setdefault(what, []).append((rate, cpu_us))

    def clear(self):
        self.client.transact("ms_vtep", {"op": "delete", "table": "Ucast_Macs_Remote", "where": []})
        if self.agent:
            confirm(self.client)

    def measure(self, what, messages, rows):
        watcher = Watcher(self.path, rows)
        raw = Raw(self.path)
        cpu, begin = self.cpu(), time.perf_counter()
        for message in messages:
            raw.call(message)
        answered = time.perf_counter() - begin
        watcher.join(120)
        seen = (watcher.done or float("inf")) - begin
        used = (self.cpu() - cpu) / rows * 1e6
        raw.close()
        self.note(f"{what}, answered", rows / answered, used)
        self.note(f"{what}, seen by a monitor", rows / seen, used)
        self.clear()

    def singles(self):
        # The row of a locator lasts as long as something refers to it.
        first = self.client.transact("ms_vtep", locator(0), mapping(
            self.subnet, ["named-uuid", "peer0"], SINGLES))[0]["uuid"]
        messages = [request(number, [mapping(self.subnet, first, number)])
                    for number in range(SINGLES)]
        self.measure("1 row", messages, SINGLES)

    def bulk(self, size):
        operations = []
        for number in range(size):
            if number % 100 == 0:
                operations.append(locator(number // 100))
            operations.append(mapping(self.subnet, ["named-uuid", f"peer{number // 100}"], number))
        self.measure(f"{size} rows", [request(0, operations)], size)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        schema = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema",
                              "ms_vtep.ovsschema")
        base = os.path.join(host.directory, "stock")
        run(["ovsdb-tool", "create", base + ".db", schema])
        stock = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock", f"--unixctl={base}.ctl",
                           base + ".db"], namespace=host.namespace, log="stock.log")
        wait_until(lambda: os.path.exists(base + ".sock"), "the stock server listens", 10)
        Client(base + ".sock").transact("ms_vtep", {"op": "insert", "table": "Global", "row": {}})
        host.agent.start()
        host.agent.set_host(programming="proactive")
        servers = [Server("stock", base + ".sock", stock.pid, False),
                   Server("agent", host.agent.socket.removeprefix("unix:"),
                          host.agent.process.pid, True)]
        for _ in range(rounds):
            for server in servers:
                server.singles()
                for size in SIZES:
                    server.bulk(size)
        for what in servers[0].figures:
            medians = [[statistics.median(each) for each in zip(*server.figures[what])]
                       for server in servers]
            ratios = [ours[0] / theirs[0] for theirs, ours in zip(*(server.figures[what]
                                                                    for server in servers))]
            print(f"{what}: stock {medians[0][0]:,.0f} rows/s ({medians[0][1]:.1f} us of CPU a "
                  f"row), agent {medians[1][0]:,.0f} ({medians[1][1]:.1f} us), ratio "
                  f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
