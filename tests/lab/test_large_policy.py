#!/usr/bin/python3
"""Much of everything at the agent's server: rows, monitors, clients, and clients that don't read.

Sizes are those of a test that takes two minutes. A bigger run, by hand:
    HNV_LARGE_ROWS=1000000 HNV_LARGE_CLIENTS=400 HNV_LARGE_SECONDS=3600 tests/lab/test_large_policy.py
Each test prints its figures: seconds, and MiB of the agent's resident memory.
"""

import json
import multiprocessing
import os
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

import bulk_mappings  # noqa: E402
from hnvlab import netns, testing  # noqa: E402
from hnvlab.jsonrpc import Closed, Peer  # noqa: E402

ROWS = int(os.environ.get("HNV_LARGE_ROWS", "100000"))
CLIENTS = int(os.environ.get("HNV_LARGE_CLIENTS", "200"))
CONNECTIONS = int(os.environ.get("HNV_LARGE_CONNECTIONS", "1000"))
CHANGES = int(os.environ.get("HNV_LARGE_CHANGES", "20000"))
# For what depends on the machine: a transaction of ROWS rows, a monitor of them.
SECONDS = float(os.environ.get("HNV_LARGE_SECONDS", "120"))
CONTROLLER = 6640
ROUTERS = {"Logical_Router": [{"columns": ["name", "description"]}]}
MAPPINGS = {"Ucast_Macs_Remote": [{"columns": ["MAC", "ipaddr", "locator", "logical_switch"]}]}


def insert_router(name):
    return {"op": "insert", "table": "Logical_Router", "row": {"name": name}}


def mappings(count):
    """One transaction: a subnet, its locators, and `count` mappings."""
    operations = [{"op": "insert", "table": "Logical_Switch", "uuid-name": "subnet",
                   "row": {"name": "large", "tunnel_key": bulk_mappings.VSID}}]
    for number in range(count):
        peer = number // bulk_mappings.PER_PEER
        if number % bulk_mappings.PER_PEER == 0:
            operations.append(bulk_mappings.locator(peer))
        operations.append(bulk_mappings.mapping(["named-uuid", "subnet"],
                                                ["named-uuid", f"peer{peer}"], number))
    return operations


class Pulse:
    """A client that asks for a row all the time; `longest` is its longest wait, in seconds.

    It is a process of its own, which this one's work does not hold up.
    """

    def __init__(self, peer, database="ms_firewall", table="FW_Global"):
        self._question = (database, {"op": "select", "table": table, "where": [],
                                     "columns": ["next_cfg"]})
        context = multiprocessing.get_context("fork")
        self._ended = context.Event()
        self._longest, self._asked = context.Value("d", 0.0), context.Value("i", 0)
        self._process = context.Process(target=self._run, args=(peer,), daemon=True)

    def _run(self, peer):
        signal.alarm(0)
        while not self._ended.wait(0.01):
            begin = time.monotonic()
            peer.result("transact", *self._question)
            self._longest.value = max(self._longest.value, time.monotonic() - begin)
            self._asked.value += 1

    @property
    def longest(self):
        return self._longest.value

    @property
    def asked(self):
        return self._asked.value

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._process.join(SECONDS)


class LargePolicy(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", "192.168.1.10/24")
        cls.agent = cls.host.agent
        cls.agent.start()

    def local(self, timeout=SECONDS):
        peer = Peer.unix(self.agent.socket.removeprefix("unix:"), timeout=timeout)
        self.addCleanup(peer.close)
        return peer

    def tcp(self):
        connected = netns.open_socket(self.host.namespace)
        self.addCleanup(connected.close)
        connected.settimeout(10)
        connected.connect(("127.0.0.1", CONTROLLER))
        return Peer(connected)

    def memory(self):
        return bulk_mappings.memory_mib(self.agent.process.pid)

    def say(self, text):
        print(f"\n    {text}", file=sys.stderr, flush=True)

    def test_1_a_transaction_and_a_monitor_of_all_its_rows(self):
        peer = self.local()
        operations = mappings(ROWS)
        message = json.dumps({"method": "transact", "params": ["ms_vtep", *operations], "id": "t"})
        before = self.memory()
        with Pulse(self.local()) as pulse:
            begin = time.monotonic()
            peer.send_text(message)
            answer = peer.answer("t")
            answered = time.monotonic() - begin
            self.assertEqual(len(answer["result"]), len(operations))
            self.assertFalse([r for r in answer["result"] if "error" in (r or {})])
            number = peer.result("transact", "ms_vtep", bulk_mappings.NEXT, {
                "op": "select", "table": "Global", "where": [],
                "columns": ["next_cfg"]})[1]["rows"][0]["next_cfg"]
            peer.result("transact", "ms_vtep", {
                "op": "wait", "table": "Global", "where": [], "columns": ["cur_cfg"],
                "until": "==", "timeout": int(SECONDS * 1000), "rows": [{"cur_cfg": number}]})
            confirmed = time.monotonic() - begin
        self.assertEqual(self.agent.status()["policy"]["mappings"], ROWS)
        self.say(f"{ROWS} mappings in one transaction of {len(message) >> 20} MiB: answered in "
                 f"{answered:.1f} s, in the switch in {confirmed:.1f} s; another client waited "
                 f"{pulse.longest:.2f} s at most ({pulse.asked} requests); memory {before:.0f} > "
                 f"{self.memory():.0f} MiB")
        self.assertGreater(pulse.asked, 0)
        self.assertLess(pulse.longest, SECONDS / 4)
        self.monitor_all()

    def monitor_all(self):
        before = self.memory()
        with Pulse(self.local()) as pulse:
            begin = time.monotonic()
            rows = self.local().result("monitor", "ms_vtep", "all", MAPPINGS)
            took = time.monotonic() - begin
        self.assertEqual(len(rows["Ucast_Macs_Remote"]), ROWS)
        self.say(f"a monitor of {ROWS} rows: {took:.1f} s; another client waited "
                 f"{pulse.longest:.2f} s at most; memory {before:.0f} > {self.memory():.0f} MiB")
        # One that asks for the same and leaves it where it is: see the last test.
        type(self).deaf = Peer.unix(self.agent.socket.removeprefix("unix:"))
        self.deaf.send("monitor", ["ms_vtep", "all", MAPPINGS])

    def test_2_many_clients_see_each_change(self):
        peers = [self.tcp() if i % 2 else self.local() for i in range(CLIENTS)]
        for peer in peers:
            peer.result("monitor", "ms_vtep", "routers", ROUTERS)
        writer = self.local()
        begin = time.monotonic()
        for number in range(20):
            name = f"seen-{number}"
            writer.result("transact", "ms_vtep", insert_router(name))
            for peer in peers:
                while name not in json.dumps(peer.next_update(10)["params"]):
                    pass
        took = time.monotonic() - begin
        self.assertGreaterEqual(self.agent.status()["server"]["clients"], CLIENTS)
        self.say(f"{CLIENTS} clients with monitors: 20 changes, one after another, seen by all in "
                 f"{took:.1f} s")

    def test_3_a_client_that_never_reads_costs_a_bounded_amount(self):
        for make in (self.local, self.tcp):
            deaf = make()
            deaf.result("monitor", "ms_vtep", "routers", ROUTERS)
        writer = self.local()
        self.lasting = "lasting"
        writer.result("transact", "ms_vtep", insert_router(self.lasting))
        self.churn(writer, 2000)  # What the C library keeps from now on is not the client's.
        before, longest = self.memory(), 0.0
        for _ in range(CHANGES // 1000):
            longest = max(longest, self.churn(writer, 1000))
        grown = self.memory() - before
        self.say(f"two clients that don't read, {CHANGES} changes: memory grows by {grown:.0f} MiB; "
                 f"the writer waited {longest * 1000:.0f} ms at most for one")
        self.assertLess(grown, 50)
        self.assertLess(longest, 10)

    def churn(self, writer, count):
        """Rows of 1 KiB that come, change and go; returns the longest wait for an answer."""
        longest = 0.0
        for number in range(0, count, 4):
            name, other = f"{number} " + "x" * 1000, f"{number} " + "y" * 1000
            where = [["name", "==", other]]
            for operation in (
                    insert_router(name),
                    {"op": "update", "table": "Logical_Router", "where": [["name", "==", name]],
                     "row": {"name": other}},
                    {"op": "update", "table": "Logical_Router",
                     "where": [["name", "==", self.lasting]], "row": {"description": name}},
                    {"op": "delete", "table": "Logical_Router", "where": where}):
                begin = time.monotonic()
                writer.result("transact", "ms_vtep", operation)
                longest = max(longest, time.monotonic() - begin)
        return longest

    def test_4_a_storm_of_connections(self):
        before = self.memory()
        begin, served, ended = time.monotonic(), 0, 0
        with Pulse(self.local()) as pulse:
            for number in range(CONNECTIONS):
                try:
                    with self.tcp() as peer:
                        if number % 10 == 0:
                            peer.result("list_dbs")
                            served += 1
                        elif number % 10 < 5:
                            peer.send_text('{"id":1,"method":"transact","params":["ms_v')
                except (Closed, ConnectionError):
                    ended += 1
        took = time.monotonic() - begin
        self.say(f"{CONNECTIONS} connections in {took:.1f} s, {ended} of them refused; another "
                 f"client waited {pulse.longest:.2f} s at most; memory {before:.0f} > "
                 f"{self.memory():.0f} MiB")
        self.assertEqual(served, CONNECTIONS // 10)
        self.eventually(lambda: self.agent.status()["server"]["clients"] < 20, "they are gone", 20)
        self.assertLess(self.memory() - before, 50)
        self.assertLess(pulse.longest, 10)

    def test_5_more_connections_at_once_than_are_served(self):
        """All of them open at the same time: some are refused, and that harms nobody."""
        with Pulse(self.local()) as pulse:
            opened = []
            for _ in range(700):
                opened.append(self.tcp().socket)
            refused = 0
            deadline = time.monotonic() + 20
            while refused < 700 - 512 and time.monotonic() < deadline:
                ready, _, _ = select.select(opened, [], [], 1)
                for one in ready:
                    try:
                        text = one.recv(1 << 16)
                    except ConnectionError:
                        text = b""
                    if not text:
                        refused += 1
                        opened.remove(one)
        self.assertGreaterEqual(refused, 700 - 512)
        self.assertGreaterEqual(self.agent.status()["server"]["clients_refused"], 700 - 512)
        self.assertLess(pulse.longest, 10)
        self.say(f"700 connections at once: {refused} refused; another client waited "
                 f"{pulse.longest:.2f} s at most")

    def test_6_who_takes_nothing_of_much_is_disconnected_after_a_minute(self):
        held = self.memory()
        self.eventually(lambda: self.agent.status()["server"]["clients_stalled"] == 1,
                        "the client of the first test is disconnected", 75)
        self.deaf.wait_closed()
        self.deaf.close()
        self.say(f"memory {held:.0f} > {self.memory():.0f} MiB")


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    if SECONDS > 120:
        testing.SECONDS_FOR_A_SCRIPT = int(SECONDS)
    testing.main()
