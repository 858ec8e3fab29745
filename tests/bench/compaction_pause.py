#!/usr/bin/python3
"""How long a client waits while a database is compacted: the agent beside a stock ovsdb-server.

    HNV_BIN_DIR=build/bin tests/bench/compaction_pause.py [MAPPINGS [agent]]

With the word "agent" the stock one is left out. Both hold the same mappings, and one client goes on inserting more. Another one asks for a row all
the time; its longest wait is printed, without a compaction and with one, and the memory. Asserts
nothing. Run it on a quiet machine, and quote the figures of one run.
"""

import multiprocessing
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from bulk_mappings import load, mapping, memory_mib, SOURCE_SCHEMA  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

QUIET_SECONDS = 5


def ask(path, waits, stop):
    """Adds (end, seconds) of the waits that exceed a millisecond."""
    client = Client(path)
    question = {"op": "select", "table": "Global", "where": [], "columns": ["next_cfg"]}
    while not stop.is_set():
        begin = time.monotonic()
        client.transact("ms_vtep", question)
        end = time.monotonic()
        if end - begin > 0.001:
            waits.put((end, end - begin))
        time.sleep(0.001)
    waits.put(None)


def insert(path, subnet, place, stop, count):
    client = Client(path)
    number = 1 << 33
    while not stop.is_set():
        client.transact("ms_vtep", *(mapping(subnet, place, number + i) for i in range(10)))
        number += 10
    count.value = number - (1 << 33)


class Peak(threading.Thread):
    """The most memory that a process and its children have of their own until it is stopped."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.mib, self.over = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
                pids = [str(self.pid), *file.read().split()]
            total = 0
            for pid in pids:
                try:
                    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                        total += sum(int(line.split()[1]) for line in file
                                     if line.startswith("Pss:"))
                except (OSError, ProcessLookupError):
                    continue
            self.mib = max(self.mib, total / 1024)

    def stop(self):
        self.over.set()
        self.join()
        return self.mib


def measure(name, path, pid, db, compact, count):
    loading = Client(path)
    seconds, subnet = load(loading, count)
    place = loading.transact("ms_vtep", {
        "op": "select", "table": "Physical_Locator", "where": [], "columns": ["_uuid"]})[0][
            "rows"][0]["_uuid"]
    print(f"{name}: {count} mappings in {seconds:.1f} s, {memory_mib(pid):.0f} MiB", flush=True)
    waits, stop = multiprocessing.Queue(), multiprocessing.Event()
    inserted = multiprocessing.Value("q", 0)
    helpers = [multiprocessing.Process(target=ask, args=(path, waits, stop)),
               multiprocessing.Process(target=insert, args=(path, subnet, place, stop, inserted))]
    for helper in helpers:
        helper.start()
    time.sleep(QUIET_SECONDS)
    before = os.stat(db).st_ino
    begin = time.monotonic()
    peak = Peak(pid)
    compact()
    wait_until(lambda: os.stat(db).st_ino != before, "the file is a new one", 300, 0.01)
    end = time.monotonic() + 1
    time.sleep(1)
    stop.set()
    seen = list(iter(waits.get, None))
    for helper in helpers:
        helper.join()
    quiet = max((wait for when, wait in seen if when < begin), default=0)
    busy = max((wait for when, wait in seen if when >= begin), default=0)
    print(f"{name}: longest wait {quiet * 1e3:.0f} ms without, {busy * 1e3:.0f} ms with a "
          f"compaction of {end - 1 - begin:.1f} s; peak {peak.stop():.0f} MiB; "
          f"{inserted.value} more rows meanwhile", flush=True)


def measure_stock(lab, host, count):
    base = os.path.join(host.directory, "stock")
    run(["ovsdb-tool", "create", base + ".db", SOURCE_SCHEMA])
    server = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock",
                        f"--unixctl={base}.ctl", base + ".db"],
                       namespace=host.namespace, log="stock.log")
    wait_until(lambda: os.path.exists(base + ".sock"), "the stock server listens", 10)
    Client(base + ".sock").transact("ms_vtep", {"op": "insert", "table": "Global", "row": {}})
    compact = threading.Thread(target=run, args=(
        ["ovs-appctl", "-t", base + ".ctl", "ovsdb-server/compact"],),
        kwargs={"timeout": 300}).start
    measure("stock ovsdb-server", base + ".sock", server.pid, base + ".db", compact, count)
    server.end()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        if sys.argv[2:] != ["agent"]:
            measure_stock(lab, host, count)
        agent = host.agent
        agent.start()
        measure("agent", agent.socket.removeprefix("unix:"), agent.process.pid,
                os.path.join(agent.db_dir, "ms_vtep.db"),
                lambda: agent.appctl("ovsdb-server/compact", "ms_vtep"), count)
        with open(agent.log, encoding="utf-8") as log:
            print(*(line.split("|", 4)[4].strip() for line in log if "compacted from" in line))


if __name__ == "__main__":
    main()
