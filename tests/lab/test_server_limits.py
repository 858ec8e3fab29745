#!/usr/bin/python3
"""What one client, or a stranger, can take of the agent's server: bounded, counted, and no more."""

import contextlib
import json
import os
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, testing  # noqa: E402
from hnvlab.certificates import Certificates  # noqa: E402
from hnvlab.jsonrpc import Closed, Peer  # noqa: E402

CONTROLLER, DIAGNOSTICS = 6640, 6641
MIB = 1 << 20
NEVER = {"op": "wait", "table": "Global", "where": [], "columns": ["next_cfg"], "until": "==",
         "rows": [{"next_cfg": -1}]}
ALL = {"Global": [{"columns": ["next_cfg"]}]}


class ServerTestCase(testing.LabTestCase):
    settings = {}
    options = ()

    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", "192.168.1.10/24")
        cls.agent = cls.host.agent
        cls.prepare()
        cls.agent.start(*cls.options)
        cls.agent.transact("hnv_host", {"op": "update", "table": "Host", "where": [], "row": {
            "settings": ["map", list(cls.settings.items())]}})

    @classmethod
    def prepare(cls):
        """Override: what must be there before the agent starts."""

    def setUp(self):
        self.before = self.counters()

    def counters(self):
        return self.agent.status()["server"]

    def counted(self, name):
        return self.counters()[name] - self.before[name]

    def tcp(self, port=CONTROLLER):
        """A connection from within the host; a peer that is closed at the test's end."""
        connected = netns.open_socket(self.host.namespace)
        self.addCleanup(connected.close)
        connected.settimeout(10)
        connected.connect(("127.0.0.1", port))
        return Peer(connected)

    def local(self):
        peer = Peer.unix(self.agent.socket.removeprefix("unix:"))
        self.addCleanup(peer.close)
        return peer

    def assert_serves(self):
        """The server answers others, and a person."""
        self.assertIn("ms_vtep", self.local().result("list_dbs"))
        self.assertIn("server", self.agent.status())


class Caps(ServerTestCase):
    settings = {"server_max_clients": "20", "server_max_message_bytes": str(MIB),
                "server_max_monitors": "3", "server_max_waits": "2", "server_max_locks": "2"}

    def test_clients_over_the_bound_are_closed_and_the_unix_socket_still_serves(self):
        peers = []
        for _ in range(40):
            peers.append(self.tcp())
        served = []
        for peer in peers:
            try:
                peer.result("list_dbs")
                served.append(peer)
            except Closed:
                pass
        self.assertLessEqual(len(served), 20)
        self.assertGreaterEqual(len(served), 18)  # The lab's own may still be there.
        self.assertGreaterEqual(self.counted("clients_refused"), 20)
        self.assert_serves()
        self.assertIn("hnv_host", self.agent.hnvctl("status").stdout)
        for peer in peers:
            peer.close()

        def let_in():
            try:
                return self.tcp().result("list_dbs")
            except Closed:
                return None

        self.eventually(let_in, "there is room again")

    def test_a_message_that_is_too_long_ends_its_connection_alone(self):
        other, peer = self.local(), self.tcp()
        other.result("list_dbs")
        with self.assertRaises(Closed):
            peer.send_text('{"id":1,"method":"echo","params":["')
            for _ in range(100):
                peer.send_text("a" * MIB)
                self.agent.status()
        self.assertEqual(self.counted("messages_refused"), 1)
        other.result("list_dbs")
        # One that just fits is served.
        self.assertEqual(len(other.result("echo", "a" * (MIB - 100))[0]), MIB - 100)

    def test_half_messages_of_several_clients_are_bounded_together(self):
        peers = [self.tcp() for _ in range(5)]
        for peer in peers:
            with contextlib.suppress(Closed):
                peer.send_text('{"id":1,"method":"echo","params":["' + "a" * (MIB - 10000))
        # Two such halves may wait. Who was ended counts no longer: it is three, whoever they are.
        self.eventually(lambda: self.counted("messages_refused") >= 3, "the longest are ended")
        served = 0
        for peer in peers:
            with contextlib.suppress(Closed):
                peer.send_text('"]}')
                served += peer.answer(1)["result"] is not None
        self.assertEqual((served, self.counted("messages_refused")), (2, 3))
        self.assert_serves()

    def test_monitors_of_a_client_are_bounded(self):
        peer = self.local()
        for name in ("one", "two", "three"):
            peer.result("monitor", "ms_vtep", name, ALL)
        for method, more in (("monitor", []), ("monitor_cond", []),
                             ("monitor_cond_since", ["00000000-0000-0000-0000-000000000000"])):
            refused = peer.ask(method, "ms_vtep", "four", ALL, *more)
            self.assertEqual(refused["error"]["error"], "resources exhausted")
        self.assertEqual(self.counted("monitors_refused"), 3)
        self.local().result("monitor", "ms_vtep", "one", ALL)  # Another one's are its own.
        peer.result("monitor_cancel", "two")
        self.assertTrue(peer.ask("monitor", "ms_vtep", "bad", {"None": []})["error"])
        peer.result("monitor", "ms_vtep", "four", ALL)
        self.assertTrue(peer.ask("monitor", "ms_vtep", "five", ALL)["error"])
        # What was refused is not there, and what was granted is.
        self.agent.transact("ms_vtep", {"op": "mutate", "table": "Global", "where": [],
                                        "mutations": [["next_cfg", "+=", 1]]})
        told = {peer.next_update()["params"][0] for _ in range(3)}
        self.assertEqual(told, {"one", "three", "four"})

    def fill_with_monitors(self, peer):
        for name in ("one", "two", "three"):
            peer.result("monitor", "ms_firewall", name, {"FW_Global": []})
        self.assertTrue(peer.ask("monitor", "ms_firewall", "four", {"FW_Global": []})["error"])

    def test_monitors_that_a_conversion_cancelled_are_not_counted(self):
        peer = self.local()
        peer.result("set_db_change_aware", True)
        self.fill_with_monitors(peer)
        other = self.local()
        other.result("convert", "ms_firewall", other.result("get_schema", "ms_firewall"))
        told = [peer.next_update()["method"] for _ in range(3)]
        self.assertEqual(told, ["monitor_canceled"] * 3)
        self.fill_with_monitors(peer)

    def test_a_dialled_client_begins_anew_with_each_connection(self):
        with netns.open_socket(self.host.namespace) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.settimeout(10)
            self.agent.transact(
                "hnv_host",
                {"op": "insert", "table": "Connection", "uuid-name": "c", "row": {
                    "target": f"tcp:127.0.0.1:{listener.getsockname()[1]}", "max_backoff": 1000}},
                {"op": "update", "table": "Host", "where": [],
                 "row": {"connections": ["named-uuid", "c"]}})
            self.addCleanup(self.agent.transact, "hnv_host", {
                "op": "update", "table": "Host", "where": [],
                "row": {"connections": ["set", []]}})
            for _ in range(2):
                with Peer(listener.accept()[0]) as controller:
                    self.fill_with_monitors(controller)
                    for name in ("one", "two"):
                        controller.result("lock", name)
                    self.assertTrue(controller.ask("lock", "three")["error"])
                    controller.send("transact", ["ms_vtep", NEVER])
            # Too much of it is no reason not to dial it again.
            with Peer(listener.accept()[0]) as controller:
                with self.assertRaises(Closed):
                    controller.send_text('{"id":1,"method":"echo","params":["')
                    for _ in range(100):
                        controller.send_text("a" * MIB)
            with Peer(listener.accept()[0]) as controller:
                self.fill_with_monitors(controller)

    def test_waiting_transactions_of_a_client_are_bounded(self):
        peer = self.local()
        first = peer.send("transact", ["ms_vtep", NEVER])
        peer.send("transact", ["ms_vtep", NEVER])
        refused = peer.ask("transact", "ms_vtep", NEVER, {"op": "comment", "comment": "x"})
        self.assertEqual(refused["result"][0]["error"], "resources exhausted")
        self.assertEqual(refused["result"][1:], [None])
        self.assertEqual(self.counted("waits_refused"), 1)
        self.assertTrue(self.local().result("transact", "ms_vtep", {"op": "comment",
                                                                   "comment": "another's"}))
        peer.notify("cancel", [first])
        self.assertEqual(peer.result("transact", "ms_vtep", {"op": "comment", "comment": "x"}), [{}])
        self.assertEqual(peer.answer(peer.send("transact", ["ms_vtep", {**NEVER, "timeout": 10}]))[
            "result"][0]["error"], "timed out")

    def test_locks_of_a_client_are_bounded(self):
        peer = self.local()
        for name in ("one", "two"):
            self.assertEqual(peer.result("lock", name), {"locked": True})
        for method in ("lock", "steal"):
            self.assertEqual(peer.ask(method, "three")["error"]["error"], "resources exhausted")
        self.assertEqual(self.counted("locks_refused"), 2)
        peer.result("unlock", "one")
        self.assertEqual(peer.result("lock", "three"), {"locked": True})

    def test_counters_come_to_the_host_row(self):
        peer = self.local()
        for name in ("one", "two"):
            peer.result("lock", name)
        self.assertTrue(peer.ask("lock", "three")["error"])
        refused = self.counters()["locks_refused"]
        self.eventually(lambda: dict(self.agent.rows("hnv_host", "Host")[0]["status"][1])[
            "server_locks_refused"] == str(refused), "Host.status says so", 15)


class Certified(ServerTestCase):
    @classmethod
    def prepare(cls):
        cls.keys = Certificates(os.path.join(cls.lab.state_dir, "keys"))
        cls.keys.authority("ca")
        cls.keys.authority("other-ca")
        for name in ("agent", "controller", "port-a"):
            cls.keys.certify(name)
        cls.keys.certify("stranger", "other-ca")
        cls.keys.certify("expired", days=0)
        cls.options = cls.keys.options("agent")

    def tls(self, name=None, port=CONTROLLER, **versions):
        context = self.keys.context(name)
        for key, value in versions.items():
            setattr(context, key, value)
        raw = netns.open_socket(self.host.namespace)
        self.addCleanup(raw.close)
        raw.settimeout(10)
        raw.connect(("127.0.0.1", port))
        connected = context.wrap_socket(raw)
        self.addCleanup(connected.close)
        return Peer(connected)

    def assert_shut_out(self, name=None):
        with self.assertRaises((Closed, ssl.SSLError, ConnectionError)):
            self.tls(name).result("list_dbs")


class Strangers(Certified):
    """Who has no certificate gets nowhere, and takes nobody's place."""

    settings = {"server_max_clients": "64"}  # So many handshakes at once: 8.

    def tearDown(self):
        self.assertIn("ms_vtep", self.tls("controller").result("list_dbs"))

    def test_without_a_certificate(self):
        self.assert_shut_out()
        self.eventually(lambda: self.counted("untrusted") == 1, "it is counted")

    def test_with_a_certificate_of_another_authority(self):
        self.assert_shut_out("stranger")
        self.eventually(lambda: self.counted("untrusted") == 1, "it is counted")

    def test_with_an_expired_certificate(self):
        def shut_out():
            try:
                self.assert_shut_out("expired")
                return True
            except AssertionError:
                return False  # Not yet: it is good for a second.

        self.eventually(shut_out, "the certificate has expired")
        self.eventually(lambda: self.counted("untrusted") >= 1, "it is counted")

    def test_who_speaks_no_tls(self):
        for text in ('{"id":1,"method":"list_dbs","params":[]}', "GET / HTTP/1.0\r\n\r\n",
                     "\x16\x03\x01\x02\x00\x01", "\x00" * 70000):
            peer = self.tcp()
            try:
                peer.send_text(text)
                peer.socket.shutdown(socket.SHUT_WR)
            except (Closed, OSError):
                pass
            peer.wait_closed()
        self.eventually(lambda: self.counted("untrusted") == 4, "they are counted")

    def test_a_renegotiation_is_refused(self):
        done = self.host.run(
            "openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{CONTROLLER}", "-cert",
            self.keys.path("controller", "cert"), "-key", self.keys.path("controller", "key"),
            "-CAfile", self.keys.path("ca", "cert"), stdin="R\n" * 20, check=False, timeout=20)
        self.assertRegex(done.stdout + done.stderr, "RENEGOTIATING")
        self.assertRegex(done.stdout + done.stderr, "no renegotiation")

    def test_junk_after_the_handshake_ends_the_connection(self):
        for text in ("no JSON at all", "[" * 5000, '{"id":1}', '{"method":1,"params":2,"id":3}',
                     '"\\ud800"', "\x00\x01\x02"):
            peer = self.tls("controller")
            peer.send_text(text)
            peer.wait_closed()
        self.assertEqual(self.counted("untrusted"), 0)

    def test_handshakes_that_never_finish_are_few_and_short(self):
        silent = [self.tcp() for _ in range(60)]
        begin = time.monotonic()
        for _ in range(5):  # Those with a certificate are served meanwhile.
            self.assertIn("ms_vtep", self.tls("controller").result("list_dbs"))
        self.assertLess(time.monotonic() - begin, 5)
        self.assertLessEqual(self.counters()["clients"], 8 + 5 + 3)
        for peer in silent:
            peer.wait_closed(20)
        self.assertLess(time.monotonic() - begin, 20)
        self.eventually(lambda: self.counted("untrusted") == 60, "they are counted")
        self.assertEqual(self.counted("clients_refused"), 0)


def permission(table, columns, *, own):
    return {"op": "insert", "table": "RBAC_Permission", "uuid-name": "p", "row": {
        "table": table, "authorization": own, "insert_delete": True,
        "update": ["set", list(columns)]}}


class Roles(Certified):
    """Connection rows: what their clients may do, by the name in their certificate."""

    PORT = 6650

    @classmethod
    def build(cls):
        super().build()
        cls.agent.transact(
            "hnv_host", permission("Port_Settings", ["dhcp_guard"], own="name"),
            {"op": "insert", "table": "RBAC_Role", "row": {
                "name": "guest", "permissions": ["map", [["Port_Settings",
                                                          ["named-uuid", "p"]]]]}})

    def connection(self, **columns):
        self.agent.transact(
            "hnv_host",
            {"op": "insert", "table": "Connection", "uuid-name": "c",
             "row": {"target": f"pssl:{self.PORT}:127.0.0.1", **columns}},
            {"op": "update", "table": "Host", "where": [],
             "row": {"connections": ["named-uuid", "c"]}})
        self.addCleanup(self.agent.transact, "hnv_host", {
            "op": "update", "table": "Host", "where": [], "row": {"connections": ["set", []]}})

    def client(self, name):
        def connect():
            try:
                return self.tls(name, self.PORT)
            except (ConnectionError, ssl.SSLError):
                return None

        return self.eventually(connect, "the listener is there")

    def told(self, peer, database, *operations):
        """ "ok", or the error of the first operation that failed."""
        for result in peer.result("transact", database, *operations):
            if result and "error" in result:
                return result["error"]
        return "ok"

    @staticmethod
    def settings_of(port):
        return {"op": "insert", "table": "Port_Settings", "row": {"name": port}}

    def test_a_role_lets_its_clients_change_what_is_theirs(self):
        self.connection(role="guest")
        peer = self.client("port-a")
        self.assertEqual(self.told(peer, "hnv_host", self.settings_of("port-a")), "ok")
        guard = {"op": "update", "table": "Port_Settings", "where": [["name", "==", "port-a"]],
                 "row": {"dhcp_guard": True}}
        self.assertEqual(self.told(peer, "hnv_host", guard), "ok")
        for operation in (
                self.settings_of("port-b"), {**guard, "row": {"flow_limit": 1}},
                {"op": "insert", "table": "Provider_Address", "row": {"address": "10.0.0.1/24"}},
                {"op": "update", "table": "Host", "where": [], "row": {"next_cfg": 9}},
                {"op": "delete", "table": "RBAC_Role", "where": []}):
            self.assertEqual(self.told(peer, "hnv_host", operation), "permission error", operation)
        # The controller's own listener has no role.
        self.assertEqual(self.told(self.tls("controller"), "hnv_host", self.settings_of("port-b")),
                         "ok")

    def test_a_role_reads_other_databases_and_changes_none(self):
        self.connection(role="guest")
        peer = self.client("port-a")
        for database, table in (("ms_vtep", "Logical_Router"), ("hardware_vtep", "Logical_Router"),
                                ("ms_darv", "Switches")):
            read = {"op": "select", "table": table, "where": []}
            self.assertEqual(self.told(peer, database, read), "ok")
            for change in ({"op": "insert", "table": table, "row": {"name": "x"}},
                           {"op": "delete", "table": table, "where": []},
                           {"op": "update", "table": table, "where": [], "row": {"name": "x"}},
                           {"op": "mutate", "table": table, "where": [], "mutations": []}):
                self.assertEqual(self.told(peer, database, read, change), "permission error")
        self.assertEqual(self.counted("permissions_refused"), 12)
        schema = peer.result("get_schema", "ms_darv")
        self.assertEqual(peer.ask("convert", "ms_darv", schema)["error"]["error"],
                         "permission error")

    def test_other_config_names_the_databases_that_a_role_may_change(self):
        self.connection(role="guest", other_config=["map", [["databases", "ms_darv, ms_vtep"]]])
        peer = self.client("port-a")
        insert = {"op": "insert", "table": "Switches", "row": {"name": "by a role"}}
        self.assertEqual(self.told(peer, "ms_darv", insert), "ok")
        self.assertEqual(self.told(peer, "ms_firewall", {"op": "delete", "table": "FW_Rules",
                                                         "where": []}), "permission error")

    def test_a_role_that_is_not_defined_lets_nothing_be_changed(self):
        self.connection(role="nobody")
        peer = self.client("port-a")
        self.assertEqual(self.told(peer, "hnv_host", self.settings_of("port-c")),
                         "permission error")

    def test_a_changed_role_holds_for_those_who_are_connected(self):
        self.connection()
        peer = self.client("controller")
        self.assertEqual(self.told(peer, "ms_darv", {"op": "delete", "table": "Switches",
                                                     "where": []}), "ok")
        self.agent.transact("hnv_host", {"op": "update", "table": "Connection", "where": [],
                                         "row": {"role": "guest"}})
        peer.wait_closed()
        peer = self.client("controller")
        self.assertEqual(self.told(peer, "ms_darv", {"op": "delete", "table": "Switches",
                                                     "where": []}), "permission error")
        self.agent.transact("hnv_host", {"op": "update", "table": "Connection", "where": [],
                                         "row": {"read_only": True}})
        peer.wait_closed()
        peer = self.client("port-a")
        self.assertEqual(self.told(peer, "hnv_host", self.settings_of("port-d")),
                         "permission error")

    def test_a_connection_that_only_reads(self):
        self.connection(read_only=True)
        peer = self.client("controller")
        for database, table in (("hnv_host", "Port_Settings"), ("ms_darv", "Switches")):
            answer = peer.result("transact", database, {"op": "insert", "table": table,
                                                        "row": {"name": "x"}})
            self.assertIn("read only", json.dumps(answer))
        self.eventually(lambda: self.agent.rows("hnv_host", "Connection")[0]["is_connected"],
                        "its status is told")
        status = dict(self.agent.rows("hnv_host", "Connection")[0]["status"][1])
        self.assertEqual(status["bound_port"], str(self.PORT))

    def test_more_remotes_than_there_may_be(self):
        rows = [{"op": "insert", "table": "Connection", "uuid-name": f"c{i}",
                 "row": {"target": f"ptcp:{7000 + i}:127.0.0.1"}} for i in range(100)]
        self.agent.transact("hnv_host", *rows, {
            "op": "update", "table": "Host", "where": [],
            "row": {"connections": ["set", [["named-uuid", f"c{i}"] for i in range(100)]]}})
        self.eventually(lambda: any("remotes already" in problem
                                    for problem in self.agent.status()["problems"]),
                        "the status tells of it")
        self.assertIn("ms_vtep", self.tls("controller").result("list_dbs"))
        self.agent.transact("hnv_host", {"op": "update", "table": "Host", "where": [],
                                         "row": {"connections": ["set", []]}})
        self.eventually(lambda: not any("remotes already" in problem
                                        for problem in self.agent.status()["problems"]),
                        "the status is good again")


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    testing.main()
