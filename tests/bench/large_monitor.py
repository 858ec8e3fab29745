#!/usr/bin/python3
"""A monitor of very many rows: the agent beside a stock ovsdb-server with the same schema and rows.

    HNV_BIN_DIR=build/bin tests/bench/large_monitor.py [ROWS]

Raises one host with a real switch. Prints seconds and memory (resident; the most there ever was),
and how long another client waited for an answer at most; asserts nothing.
"""

import json
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

import bulk_mappings  # noqa: E402
import test_large_policy as large  # noqa: E402
from hnvlab.jsonrpc import Peer  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

PER_TRANSACTION = 10_000


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def load(path, count):
    peer = Peer.unix(path, timeout=600)
    bulk_mappings.PER_TRANSACTION = PER_TRANSACTION

    class Writer:
        """What bulk_mappings.load() writes by, with a Peer."""

        def transact(self, database, *operations):
            return peer.result("transact", database, *operations)

    seconds, _ = bulk_mappings.load(Writer(), count)
    peer.close()
    return seconds


def monitor(path):
    """Asks for all rows and takes the bytes as they come; returns seconds and bytes.

    The server handles a client's next request once the answer to the last one is sent: the end of
    the rows is the answer to an echo.
    """
    end = '"id":"the end"'
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        requests = [{"method": "monitor", "params": ["ms_vtep", "all", large.MAPPINGS], "id": 1},
                    {"method": "echo", "params": [], "id": "the end"}]
        begin = time.monotonic()
        client.sendall("".join(json.dumps(request) for request in requests).encode())
        tail, received = b"", 0
        while end.encode() not in tail:
            data = client.recv(1 << 20)
            received += len(data)
            tail = (tail + data)[-200:]
        return time.monotonic() - begin, received


def measure(name, path, pid, count):
    loaded = load(path, count)
    resident, peak = bulk_mappings.memory_mib(pid), peak_mib(pid)
    with large.Pulse(Peer.unix(path, timeout=600), "ms_vtep", "Global") as pulse:
        seconds, received = monitor(path)
    print(f"{name}: {count} rows stored in {loaded:.1f} s, {resident:.0f} MiB (peak {peak:.0f}); "
          f"a monitor of them: {received >> 20} MiB in {seconds:.1f} s, "
          f"{bulk_mappings.memory_mib(pid):.0f} MiB (peak {peak_mib(pid):.0f}); another client "
          f"waited {pulse.longest:.2f} s at most", flush=True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    large.SECONDS = 600
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        base = os.path.join(host.directory, "stock")
        run(["ovsdb-tool", "create", base + ".db",
             os.path.join(HERE, "..", "..", "schema", "ms_vtep.ovsschema")])
        stock = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock", f"--unixctl={base}.ctl",
                           base + ".db"], namespace=host.namespace, log="stock.log")
        wait_until(lambda: os.path.exists(base + ".sock"), "the stock server listens", 10)
        measure("stock ovsdb-server", base + ".sock", stock.pid, count)
        stock.end()
        host.agent.start()
        measure("agent", host.agent.socket.removeprefix("unix:"), host.agent.process.pid, count)


if __name__ == "__main__":
    main()
