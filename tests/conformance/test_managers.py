#!/usr/bin/python3
"""Manager rows, dialled and listening, of the agent and of the stock server side by side."""

import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

from servers import Pair  # noqa: E402
from session import CLOSED, Session  # noqa: E402

PORT = 6650
DIAL, LISTEN = f"tcp:127.0.0.1:{PORT}", f"ptcp:{PORT}:127.0.0.1"
VTEPS = ("ms_vtep", "hardware_vtep")


class Peer:
    """A controller that a server dials: each session is a connection that was accepted."""

    def __init__(self, server, port=PORT):
        self.listener = netns.open_socket(server.namespace)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()

    def accept(self, timeout=12.0):
        self.listener.settimeout(timeout)
        return Session(self.listener.accept()[0])

    def close(self):
        self.listener.close()


class Managers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pair = Pair()
        cls.addClassCleanup(cls.pair.close)

    def on_both(self, observe):
        """What `observe(server)` returns has to be the same of both; returns it."""
        seen = {}
        for server in self.pair.both:
            with self.subTest(server.name):
                try:
                    seen[server.name] = observe(server)
                finally:
                    for database in VTEPS:
                        self.set_managers(server, database)
        stock, agent = (seen.get(server.name) for server in self.pair.both)
        self.assertEqual(agent, stock)
        return agent

    def set_managers(self, server, database, *rows):
        server.transact(database, [
            *({"op": "insert", "table": "Manager", "uuid-name": f"m{i}", "row": row}
              for i, row in enumerate(rows)),
            {"op": "update", "table": "Global", "where": [],
             "row": {"managers": ["set", [["named-uuid", f"m{i}"] for i in range(len(rows))]]}}])

    def peer(self, server, port=PORT):
        peer = Peer(server, port)
        self.addCleanup(peer.close)
        return peer

    def status(self, server, database="ms_vtep"):
        [row] = server.transact(database, [
            {"op": "select", "table": "Manager", "where": []}])[0]["rows"]
        return row["is_connected"], dict(row["status"][1])

    def told(self, server, *conditions, database="ms_vtep"):
        """The row once each condition holds of (is_connected, status); seconds as "seconds"."""
        def all_hold():
            connected, status = self.status(server, database)
            return (connected, status) if all(
                condition(connected, status) for condition in conditions) else None

        connected, status = wait_until(all_hold, f"{server.name} tells of its Manager", 15)
        return connected, {key: "seconds" if key.startswith("sec_") else value
                           for key, value in status.items()}

    def test_a_listener_and_its_clients(self):
        def observe(server):
            self.set_managers(server, "ms_vtep", {"target": LISTEN})
            seen, clients = [], []
            for number in range(4):
                seen.append(self.told(
                    server, lambda connected, _, n=number: connected == (n > 0),
                    lambda _, status, n=number: int(status.get("n_connections", min(n, 1))) == n,
                    lambda _, status: "bound_port" in status))
                clients.append(netns.open_socket(server.namespace))
                self.addCleanup(clients[-1].close)
                wait_until(lambda: clients[-1].connect_ex(("127.0.0.1", PORT)) in (0, 106), "in")
            for client in clients:
                client.close()
            seen.append(self.told(server, lambda connected, _: not connected))
            return seen

        self.assertEqual(self.on_both(observe)[3][1]["n_connections"], "3")

    def test_nobody_answers(self):
        def observe(server):
            self.set_managers(server, "ms_vtep", {"target": DIAL})
            connected, status = self.told(server, lambda _, status: "state" in status)
            self.assertIn(status.pop("state"), ("BACKOFF", "CONNECTING"))
            return connected, status

        self.assertFalse(self.on_both(observe)[0])

    def test_connected_and_cut_off(self):
        def observe(server):
            peer = self.peer(server)
            self.set_managers(server, "ms_vtep", {"target": DIAL})
            session = peer.accept()
            seen = [self.told(server, lambda connected, _: connected)]
            session.close()
            peer.close()
            connected, status = self.told(server, lambda connected, _: not connected,
                                          lambda _, status: "sec_since_disconnect" in status)
            self.assertIn(status.pop("state"), ("BACKOFF", "CONNECTING"))
            status.pop("last_error", None)  # Of the connection, or of an attempt since.
            return seen + [(connected, status)]

        self.assertEqual(self.on_both(observe)[0][1]["state"], "ACTIVE")

    def test_locks_are_told(self):
        def observe(server):
            peer = self.peer(server)
            self.set_managers(server, "ms_vtep", {"target": DIAL})
            session = peer.accept()
            session.send({"id": 1, "method": "lock", "params": ["mine"]})
            session.receive_reply(1)
            other = server.session("other")
            for method in ("lock", "steal"):
                other.send({"id": method, "method": method, "params": ["theirs"]})
            other.receive_reply("steal")
            session.send({"id": 2, "method": "lock", "params": ["theirs"]})
            session.receive_reply(2)
            told = self.told(server, lambda _, status: "locks_waiting" in status)
            server.close_sessions()
            session.close()
            return told

        status = self.on_both(observe)[1]
        self.assertEqual((status["locks_held"], status["locks_waiting"]), ("mine", "theirs"))

    def test_max_backoff(self):
        def observe(server):
            peer = self.peer(server)
            self.set_managers(server, "ms_vtep", {"target": DIAL, "max_backoff": 1000})
            gaps, last = [], time.monotonic()
            for _ in range(4):
                peer.accept().close()
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
            peer.close()
            return all(gap < 1.9 for gap in gaps[1:])

        self.assertTrue(self.on_both(observe))

    def silent(self, server, probe):
        """What a peer that never answers hears, and after how long it is cut off."""
        peer = self.peer(server)
        self.set_managers(server, "ms_vtep", {"target": DIAL, "inactivity_probe": probe})
        accepted, _ = (peer.listener.settimeout(12.0), peer.listener.accept())[1]
        peer.close()
        accepted.settimeout(4.0)
        begin, heard = time.monotonic(), b""
        try:
            while data := accepted.recv(65536):
                heard += data
            after = time.monotonic() - begin
        except TimeoutError:
            after = None
        accepted.close()
        return heard, after

    def test_inactivity_probe(self):
        def observe(server):
            heard, after = self.silent(server, 1000)
            self.assertIsNotNone(after, "it is cut off")
            self.assertTrue(1.5 < after < 3.5, after)
            return heard

        self.assertIn(b'"echo"', self.on_both(observe))

    def test_no_inactivity_probe(self):
        self.assertEqual(self.on_both(lambda server: self.silent(server, 0)), (b"", None))

    def test_the_target_is_changed_and_the_row_removed(self):
        def observe(server):
            first, second = self.peer(server), self.peer(server, PORT + 1)
            self.set_managers(server, "ms_vtep", {"target": DIAL})
            one = first.accept()
            server.transact("ms_vtep", [{"op": "update", "table": "Manager", "where": [],
                                         "row": {"target": f"tcp:127.0.0.1:{PORT + 1}"}}])
            other = second.accept()
            one.receive_reply("none", 10)
            self.set_managers(server, "ms_vtep")
            other.receive_reply("none", 10)
            return one.take(), other.take()

        self.assertEqual(self.on_both(observe), ([CLOSED], [CLOSED]))

    def test_a_row_of_one_target_in_both_databases(self):
        def observe(server):
            peer = self.peer(server)
            for database in VTEPS:
                self.set_managers(server, database, {"target": DIAL})
            session = peer.accept()
            seen = [self.told(server, lambda connected, _: connected, database=database)
                    for database in VTEPS]
            self.set_managers(server, "ms_vtep")
            session.send({"id": 1, "method": "echo", "params": ["still"]})
            session.receive_reply(1)
            self.set_managers(server, "hardware_vtep")
            session.receive_reply("none", 10)
            with self.assertRaises(TimeoutError):
                peer.accept(0.5)
            return seen, session.take()

        self.assertEqual(self.on_both(observe)[1][-1], CLOSED)

    def test_rows_of_different_targets_in_both_databases(self):
        def observe(server):
            peers = [self.peer(server, PORT + i) for i in range(2)]
            for i, database in enumerate(VTEPS):
                self.set_managers(server, database, {"target": f"tcp:127.0.0.1:{PORT + i}"})
            sessions = [peer.accept() for peer in peers]
            seen = [self.told(server, lambda connected, _: connected, database=database)
                    for database in VTEPS]
            for session in sessions:
                session.close()
            return seen

        self.on_both(observe)

    def test_a_target_that_is_none(self):
        def observe(server):
            self.set_managers(server, "ms_vtep", {"target": "nonsense"}, {"target": LISTEN})
            client = netns.open_socket(server.namespace)
            self.addCleanup(client.close)
            wait_until(lambda: client.connect_ex(("127.0.0.1", PORT)) in (0, 106), "the other one")
            rows = server.transact("ms_vtep", [{"op": "select", "table": "Manager", "where": [
                ["target", "==", "nonsense"]], "columns": ["is_connected"]}])[0]["rows"]
            return rows

        self.on_both(observe)


if __name__ == "__main__":
    unittest.main()
