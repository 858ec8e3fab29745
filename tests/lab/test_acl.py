#!/usr/bin/python3
"""Firewall rules on real traffic: Web of Contoso on host 2 calls SQL of Contoso on host 1."""

import contextlib
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import testing  # noqa: E402
from hnvlab.policy import rule  # noqa: E402

SQL = "contoso-sql"
OPEN_PORT, OTHER_PORT = 80, 81
STALL = 0.8  # Seconds; a lost segment comes again after 0.2 at the least, two of them after 0.6.


class Acl(testing.DeploymentTestCase):
    @classmethod
    def build(cls):
        super().build()
        cls.sql = cls.lab.guests[SQL]
        cls.web = cls.lab.guests["contoso-web"]
        for port in (OPEN_PORT, OTHER_PORT):
            cls.sql.serve(port)
        cls.web.serve(OPEN_PORT)

    def setUp(self):
        self.set_rules()
        self.assertTrue(self.web.reaches(self.sql.ip))

    def set_rules(self, *rules):
        """Gives SQL these rules; none given: everything allowed."""
        self.deployment.acls = {SQL: list(rules)} if rules else {}
        self.deployment.apply()

    def pings(self):
        return self.web.ping(self.sql.ip, count=3).received

    def calls(self, port):
        return self.web.ask(self.sql.ip, port, timeout=1.5) is not None

    def calls_out(self):
        return self.sql.ask(self.web.ip, OPEN_PORT, timeout=1.5) is not None

    def recorded_status(self):
        rows = self.host1.agent.rows("ms_vtep", "Physical_Port", ["status"],
                                     [["name", "==", SQL]])
        return dict(rows[0]["status"][1])

    def test_a_port_without_acl_is_blocked(self):
        agent = self.host1.agent
        self.deployment.acls = {SQL: []}
        self.deployment.apply()
        self.eventually(lambda: agent.port(SQL)["state"] == "blocked", "the port is blocked")
        self.eventually(lambda: "port-no-acl" in agent.fault_keys(), "there is a fault")
        status = self.recorded_status()
        self.assertEqual(status["state"], "blocked")
        self.assertTrue(status["reason"])
        self.assertEqual(self.pings(), 0)
        self.assertFalse(self.calls(OPEN_PORT))
        self.assertFalse(self.calls_out())
        # The neighbour's port is no concern of this fault.
        self.assertTrue(self.guest("fabrikam-web").reaches(self.guest("fabrikam-sql").ip))
        self.set_rules()
        self.eventually(lambda: agent.port(SQL)["state"] == "active", "the port is active again")
        self.eventually(lambda: agent.fault_keys() == [], "the fault is gone")
        self.assertTrue(self.web.reaches(self.sql.ip))

    def test_disabled_rules_are_no_acl(self):
        self.set_rules(rule(SQL, "a", "inbound", enabled=False),
                       rule(SQL, "b", "outbound", enabled=False))
        self.eventually(lambda: self.host1.agent.port(SQL)["state"] == "blocked",
                        "the port is blocked")
        self.assertEqual(self.pings(), 0)

    def test_block_all(self):
        self.set_rules(rule(SQL, "in", "inbound", "block"), rule(SQL, "out", "outbound", "block"))
        self.assertEqual(self.host1.agent.port(SQL)["state"], "active")
        self.assertEqual(self.pings(), 0)
        self.assertFalse(self.calls(OPEN_PORT))
        self.assertFalse(self.calls_out())

    def test_the_lower_priority_number_decides(self):
        self.set_rules(
            rule(SQL, "no-icmp", "inbound", "block", priority=100, protocols="ICMP",
                 source_addresses="10.1.1.12"),
            rule(SQL, "in", "inbound", priority=200), rule(SQL, "out", "outbound", priority=200))
        self.assertEqual(self.pings(), 0)
        self.assertTrue(self.calls(OPEN_PORT))
        self.set_rules(
            rule(SQL, "no-icmp", "inbound", "block", priority=300, protocols="ICMP"),
            rule(SQL, "in", "inbound", priority=200), rule(SQL, "out", "outbound", priority=200))
        self.assertEqual(self.pings(), 3)

    def test_one_port_allowed_and_replies_pass(self):
        self.set_rules(rule(SQL, "web", "inbound", protocols="TCP",
                            destination_ports=str(OPEN_PORT)))
        self.assertTrue(self.calls(OPEN_PORT))
        self.assertFalse(self.calls(OTHER_PORT))
        self.assertEqual(self.pings(), 0)
        # No rule for outbound: allowed, and its replies come in although inbound is shut.
        self.assertTrue(self.calls_out())

    def test_outbound_rule_blocks_new_connections_only(self):
        self.set_rules(rule(SQL, "in", "inbound", protocols="TCP"),
                       rule(SQL, "out", "outbound", "block"))
        self.assertTrue(self.calls(OPEN_PORT))
        self.assertFalse(self.calls_out())

    def test_both_layers_have_to_agree(self):
        everything = [rule(SQL, "in", "inbound"), rule(SQL, "out", "outbound")]
        admin = [rule(SQL, "admin-in", "inbound", layer="admin", protocols="TCP",
                      destination_ports=f"{OTHER_PORT}-{OTHER_PORT + 9}")]
        self.set_rules(*everything, *admin)
        self.assertFalse(self.calls(OPEN_PORT))
        self.assertTrue(self.calls(OTHER_PORT))
        self.set_rules(*everything)
        self.assertTrue(self.calls(OPEN_PORT))

    def test_an_allowed_connection_ends_with_its_rule(self):
        allowed = rule(SQL, "echo", "inbound", protocols="UDP", destination_ports="7000")
        self.set_rules(allowed)
        with self.web.socket(kind=2) as caller, self.sql.socket(kind=2) as server:
            server.bind((self.sql.ip, 7000))
            server.settimeout(0.5)
            caller.connect((self.sql.ip, 7000))

            def arrives():
                caller.send(b"still there?")
                try:
                    return server.recv(100) == b"still there?"
                except TimeoutError:
                    return False

            self.eventually(arrives, "the datagram arrives")
            self.set_rules(rule(SQL, "out", "outbound"))
            self.assertFalse(arrives())


    def test_replies_end_with_the_rule_that_allowed_the_request(self):
        """Outbound: what comes back is judged by the rule for what went out."""
        others = rule(SQL, "in", "inbound", protocols="TCP")
        self.set_rules(rule(SQL, "out", "outbound", protocols="UDP"), others)
        with self.sql.socket(kind=2) as caller, self.web.socket(kind=2) as server:
            server.bind((self.web.ip, 7001))
            caller.connect((self.web.ip, 7001))
            caller.settimeout(0.5)
            server.settimeout(0.5)

            def asked():
                caller.send(b"ask")
                try:
                    return server.recvfrom(100)[1]
                except TimeoutError:
                    return None

            def answers(to):
                server.sendto(b"answer", to)
                try:
                    return caller.recv(100) == b"answer"
                except TimeoutError:
                    return False

            client = self.eventually(asked, "the request arrives")
            self.assertTrue(answers(client))
            self.set_rules(rule(SQL, "out", "outbound", "block"), others)
            self.assertFalse(answers(client))
            self.assertIsNone(asked())
            # Allowed again, the same connection goes on.
            self.set_rules(rule(SQL, "out", "outbound", protocols="UDP"), others)
            self.eventually(asked, "the request arrives")
            self.assertTrue(answers(client))

    def test_a_connection_does_not_feel_another_rule_change(self):
        allowed = rule(SQL, "echo", "inbound", protocols="TCP", destination_ports="7002")
        self.set_rules(allowed)
        with self.sql.socket() as listener, self.web.socket() as caller:
            listener.bind((self.sql.ip, 7002))
            listener.listen()
            caller.settimeout(10)
            caller.connect((self.sql.ip, 7002))
            server = listener.accept()[0]
            with server, Exchange(caller, server) as exchange:
                for i in range(6):
                    self.set_rules(allowed, rule(SQL, f"other-{i}", "inbound", protocols="UDP",
                                                 destination_ports=str(8000 + i)))
                self.set_rules(allowed)
            self.assertGreater(exchange.rounds, 100)
            self.assertLess(exchange.longest, STALL)


class Exchange:
    """While a `with` block runs: a line goes there and back, over and over, on one connection."""

    def __init__(self, caller, server):
        self.caller, self.server = caller, server
        self.rounds = 0
        self.longest = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        self.server.settimeout(10)
        while not self._stopping.is_set():
            begin = time.monotonic()
            for sender, receiver in ((self.caller, self.server), (self.server, self.caller)):
                sender.sendall(b"x" * 100)
                got = 0
                while got < 100:
                    got += len(receiver.recv(100 - got))
            self.longest = max(self.longest, time.monotonic() - begin)
            self.rounds += 1


class Fragments(testing.DeploymentTestCase):
    """A datagram that is too long for one packet is judged by its ports all the same."""

    @classmethod
    def build(cls):
        super().build()
        cls.sql = cls.lab.guests[SQL]
        cls.web = cls.lab.guests["contoso-web"]
        cls.deployment.acls = {SQL: [
            rule(SQL, "in", "inbound", protocols="UDP", destination_ports=str(OPEN_PORT)),
            rule(SQL, "no", "outbound", "block", priority=50, protocols="UDP",
                 destination_ports=str(OTHER_PORT)),
            rule(SQL, "out", "outbound")]}
        cls.deployment.apply()

    def arrives(self, source, target, port, length, tries=1):
        """Whether one of some datagrams comes in: a busy switch may lose the first ones."""
        with target.socket(kind=socket.SOCK_DGRAM) as server, \
                source.socket(kind=socket.SOCK_DGRAM) as client:
            server.bind(("0.0.0.0", port))
            server.settimeout(1.0)
            for _ in range(tries):
                client.sendto(bytes(length), (target.ip, port))
                with contextlib.suppress(TimeoutError):
                    return len(server.recv(65536)) == length
        return False

    def test_of_an_allowed_port_arrive(self):
        for length in (100, 4000):
            self.assertTrue(self.arrives(self.web, self.sql, OPEN_PORT, length, 5), length)

    def test_of_a_port_that_is_not_allowed_do_not(self):
        for length in (100, 4000):
            self.assertFalse(self.arrives(self.web, self.sql, OTHER_PORT, length), length)

    def test_of_a_blocked_port_do_not_leave(self):
        for length in (100, 4000):
            self.assertFalse(self.arrives(self.sql, self.web, OTHER_PORT, length), length)
            self.assertTrue(self.arrives(self.sql, self.web, OPEN_PORT, length, 5), length)


if __name__ == "__main__":
    testing.main()
