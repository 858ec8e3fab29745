#!/usr/bin/python3
"""How the agent's server is reached: TLS, the diagnostics port, the remotes of Manager rows."""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ovs.jsonrpc  # noqa: E402
import ovs.stream  # noqa: E402

from hnvlab import netns, testing  # noqa: E402
from hnvlab.shell import run  # noqa: E402

CONTROLLER, DIAGNOSTICS = 6640, 6641
DATABASES = {"ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hardware_vtep", "hnv_host",
             "_Server"}


class RemotesTestCase(testing.LabTestCase):
    options = ()

    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", "192.168.1.10/24")
        cls.agent = cls.host.agent
        cls.prepare()
        cls.agent.start(*cls.options)

    @classmethod
    def prepare(cls):
        """Override: what must be there before the agent starts."""

    def client(self, *words):
        """Runs ovsdb-client in the host; returns its exit status and all that it said."""
        done = self.host.run("ovsdb-client", "--timeout=5", *words, check=False, timeout=10)
        return done.returncode, done.stdout + done.stderr

    def assert_serves(self, remote, *options):
        status, said = self.client(*options, "list-dbs", remote)
        self.assertEqual(status, 0, said)
        self.assertEqual(set(said.split()), DATABASES)

    def assert_closed(self, remote, *options):
        status, said = self.client(*options, "list-dbs", remote)
        self.assertNotEqual(status, 0, said)
        self.assertNotIn("ms_vtep", said)


class Tls(RemotesTestCase):
    """With keys the controllers' port is TLS, and both sides show a certificate."""

    @classmethod
    def prepare(cls):
        cls.keys = os.path.join(cls.lab.state_dir, "keys")
        os.makedirs(cls.keys, mode=0o700)
        for authority in ("ca", "other-ca"):
            cls.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        f"/CN={authority}", "-keyout", f"{authority}-key.pem", "-out",
                        f"{authority}-cert.pem")
        cls.certify("agent", "ca")
        cls.certify("controller", "ca")
        cls.certify("stranger", "other-ca")
        cls.options = cls.tls_options("agent")

    @classmethod
    def openssl(cls, *words):
        run(["sh", "-c", 'cd "$0" && exec openssl "$@"', cls.keys, *words], timeout=30)

    @classmethod
    def certify(cls, name, authority):
        cls.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                    f"{name}-key.pem", "-out", f"{name}-request.pem")
        cls.openssl("x509", "-req", "-in", f"{name}-request.pem", "-days", "2", "-CA",
                    f"{authority}-cert.pem", "-CAkey", f"{authority}-key.pem", "-CAcreateserial",
                    "-out", f"{name}-cert.pem")

    @classmethod
    def tls_options(cls, name):
        return (f"--private-key={cls.keys}/{name}-key.pem",
                f"--certificate={cls.keys}/{name}-cert.pem",
                f"--ca-cert={cls.keys}/ca-cert.pem")

    def test_a_controller_with_a_certificate_is_served(self):
        remote = f"ssl:127.0.0.1:{CONTROLLER}"
        self.assert_serves(remote, *self.tls_options("controller"))
        status, said = self.client(
            *self.tls_options("controller"), "transact", remote,
            '["ms_vtep",{"op":"insert","table":"Logical_Router","row":{"name":"by TLS"}}]')
        self.assertEqual(status, 0, said)
        self.assertIn("by TLS", [r["name"] for r in self.agent.rows("ms_vtep", "Logical_Router")])

    def test_a_certificate_of_another_authority_is_refused(self):
        self.assert_closed(f"ssl:127.0.0.1:{CONTROLLER}", *self.tls_options("stranger"))

    def test_a_client_without_certificate_gets_nowhere(self):
        """Plain `openssl s_client` shows no certificate; the handshake ends in an alert."""
        done = self.host.run("openssl", "s_client", "-connect", f"127.0.0.1:{CONTROLLER}",
                             "-CAfile", f"{self.keys}/ca-cert.pem", "-ign_eof",
                             stdin='{"id":1,"method":"list_dbs","params":[]}', check=False,
                             timeout=10)
        said = done.stdout + done.stderr
        self.assertNotIn("ms_vtep", said)
        self.assertRegex(said, "alert|handshake failure")

    def test_no_port_for_controllers_is_open_without_tls(self):
        self.assert_closed(f"tcp:127.0.0.1:{CONTROLLER}")

    def test_diagnostics_stay_plain(self):
        self.assert_serves(f"tcp:127.0.0.1:{DIAGNOSTICS}")

    def test_a_manager_row_can_listen_for_tls(self):
        add_manager(self, "pssl:6650:127.0.0.1")
        remote = "ssl:127.0.0.1:6650"
        self.eventually(
            lambda: self.client(*self.tls_options("controller"), "list-dbs", remote)[0] == 0,
            "the listener is there")
        self.assert_closed(remote, *self.tls_options("stranger"))


def add_manager(test, target, **columns):
    test.agent.transact(
        "ms_vtep",
        {"op": "insert", "table": "Manager", "uuid-name": "m", "row": {"target": target, **columns}},
        {"op": "mutate", "table": "Global", "where": [],
         "mutations": [["managers", "insert", ["named-uuid", "m"]]]})
    test.addCleanup(remove_managers, test)


def remove_managers(test):
    test.agent.transact("ms_vtep", {"op": "update", "table": "Global", "where": [],
                                    "row": {"managers": ["set", []]}})


class Plain(RemotesTestCase):
    def manager(self):
        row = self.agent.rows("ms_vtep", "Manager")[0]
        return row["is_connected"], dict(row["status"][1])

    def test_controllers_and_diagnostics(self):
        self.assert_serves(f"tcp:127.0.0.1:{CONTROLLER}")
        self.assert_serves(f"tcp:127.0.0.1:{DIAGNOSTICS}")

    def test_both_ports_are_of_this_machine_only(self):
        for port in (CONTROLLER, DIAGNOSTICS):
            self.assert_closed(f"tcp:{self.host.pa}:{port}")

    def test_diagnostics_refuse_to_write(self):
        before = self.agent.rows("ms_vtep", "Logical_Router")
        for database, operation in (
                ("ms_vtep", '{"op":"insert","table":"Logical_Router","row":{"name":"x"}}'),
                ("hnv_host", '{"op":"delete","table":"Host","where":[]}'),
                ("ms_firewall", '{"op":"update","table":"FW_Global","where":[],'
                                '"row":{"next_cfg":9}}')):
            _, said = self.client("transact", f"tcp:127.0.0.1:{DIAGNOSTICS}",
                                  f'["{database}",{operation}]')
            self.assertIn("read only", said)
        self.assertEqual(self.agent.rows("ms_vtep", "Logical_Router"), before)
        self.assertEqual(len(self.agent.rows("hnv_host", "Host")), 1)

    def test_diagnostics_refuse_to_convert(self):
        before = self.schema()
        status, said = self.client("convert", f"tcp:127.0.0.1:{DIAGNOSTICS}",
                                   self.schema_with_a_column(before))
        self.assertNotEqual(status, 0)
        self.assertIn("prohibit", said)
        self.assertEqual(self.schema(), before)

    def test_a_controller_may_convert_and_the_policy_is_read_again(self):
        self.agent.transact("ms_firewall", {"op": "insert", "table": "FW_Rules", "row": {
            "rule_id": "kept", "vnic_id": "p", "action": "Allow", "direction": "Inbound",
            "rule_state": "Enabled", "rule_type": "RuleWithControllerPriority",
            "logging_state": "Disabled"}})
        before = self.schema()
        for remote in (f"tcp:127.0.0.1:{CONTROLLER}", self.agent.socket):
            for text in (self.schema_with_a_column(before), self.schema_file(before)):
                status, said = self.client("convert", remote, text)
                self.assertEqual(status, 0, said)
                self.assertTrue(self.agent.running)
                self.assertEqual(self.agent.status()["policy"]["rules"], 1)
                self.confirm_a_change()
        status, said = self.client("convert", self.agent.socket, self.schema_with_a_column(before))
        self.assertEqual(status, 0, said)
        self.agent.kill()
        self.agent.start(*self.options)
        self.assertEqual(self.agent.status()["policy"]["rules"], 1)
        self.confirm_a_change()

    def confirm_a_change(self):
        """The database's sequence number still goes round."""
        for database, table in (("ms_firewall", "FW_Global"), ("ms_vtep", "Global"),
                                ("ms_service_insertion", "SI_Global"), ("ms_darv", "Global"),
                                ("hnv_host", "Host")):
            number = self.agent.rows(database, table)[0]["next_cfg"] + 1
            self.agent.transact(database, {"op": "update", "table": table, "where": [],
                                           "row": {"next_cfg": number}})
            self.eventually(lambda: self.agent.rows(database, table)[0]["cur_cfg"] == number,
                            f"{database} is confirmed")

    def test_rows_of_the_agents_own_come_back(self):
        for database, operation in (
                ("hnv_host", {"op": "delete", "table": "Host", "where": []}),
                ("ms_firewall", {"op": "delete", "table": "FW_Global", "where": []}),
                ("ms_service_insertion", {"op": "delete", "table": "SI_Global", "where": []}),
                ("ms_darv", {"op": "delete", "table": "Global", "where": []}),
                ("ms_vtep", {"op": "update", "table": "Global", "where": [],
                             "row": {"switches": ["set", []]}}),
                ("ms_vtep", {"op": "delete", "table": "Global", "where": []})):
            self.agent.transact(database, operation)
            self.eventually(lambda: self.agent.rows("hnv_host", "Host")
                            and self.agent.rows("ms_firewall", "FW_Global")
                            and self.agent.rows("ms_service_insertion", "SI_Global")
                            and self.agent.rows("ms_darv", "Global")
                            and self.agent.rows("ms_vtep", "Global"), "the rows are there again")
            self.eventually(lambda: [row["name"] for row in self.agent.rows(
                "ms_vtep", "Physical_Switch")] == ["host1"], "the switch is there again")
            self.confirm_a_change()
        self.eventually(lambda: dict(self.agent.rows("hnv_host", "Host")[0]["status"][1]).get(
            "version"), "the host's status is told")

    def schema_file(self, text):
        path = os.path.join(self.lab.state_dir, "same.ovsschema")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def schema(self):
        status, text = self.client("get-schema", f"tcp:127.0.0.1:{CONTROLLER}", "ms_firewall")
        self.assertEqual(status, 0, text)
        return text

    def schema_with_a_column(self, text):
        path = os.path.join(self.lab.state_dir, "changed.ovsschema")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace('"columns":{', '"columns":{"more":{"type":"string"},', 1))
        return path

    def test_a_manager_row_adds_a_listener(self):
        add_manager(self, "ptcp:6650:127.0.0.1")
        self.eventually(lambda: self.client("list-dbs", "tcp:127.0.0.1:6650")[0] == 0,
                        "the listener is there")
        self.eventually(lambda: self.manager()[1].get("bound_port") == "6650", "its status")
        remove_managers(self)
        self.eventually(lambda: self.client("list-dbs", "tcp:127.0.0.1:6650")[0] != 0,
                        "the listener is gone")

    def test_a_manager_row_dials_a_controller(self):
        with netns.open_socket(self.host.namespace) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.settimeout(10)
            port = listener.getsockname()[1]
            add_manager(self, f"tcp:127.0.0.1:{port}", max_backoff=1000)
            controller = Served(listener)
            self.assertEqual(set(controller.ask("list_dbs", [])), DATABASES)
            answer = controller.ask("transact", ["ms_vtep", {
                "op": "insert", "table": "Logical_Router", "row": {"name": "by the dialled"}}])
            self.assertEqual(list(answer[0]), ["uuid"])
            self.eventually(lambda: self.manager()[0], "is_connected")
            status = self.manager()[1]
            self.assertEqual(status["state"], "ACTIVE")
            self.assertIn("sec_since_connect", status)
            # Cut off, it is dialled again.
            controller.close()
            again = Served(listener)
            self.assertEqual(set(again.ask("list_dbs", [])), DATABASES)
            again.close()
        # Nobody listens any more.
        self.eventually(lambda: not self.manager()[0], "is_connected is false again")

    def test_a_remote_that_does_not_work_is_told_and_the_others_serve(self):
        add_manager(self, "ptcp:6640:127.0.0.1")  # Taken.
        add_manager(self, "ptcp:6651:192.0.2.1")  # Not an address of this host.
        self.assert_serves(f"tcp:127.0.0.1:{CONTROLLER}")
        self.eventually(lambda: any("192.0.2.1" in problem
                                    for problem in self.agent.status()["problems"]),
                        "the status tells of it")
        remove_managers(self)
        self.eventually(lambda: self.agent.status()["healthy"], "the status is good again")


class Served:
    """A controller that the agent has dialled."""

    def __init__(self, listener):
        accepted, _ = listener.accept()
        accepted.setblocking(False)
        self.connection = ovs.jsonrpc.Connection(
            ovs.stream.Stream(accepted, "dialled", 0))

    def ask(self, method, parameters):
        request = ovs.jsonrpc.Message.create_request(method, parameters)
        error, reply = self.connection.transact_block(request)
        if error or reply.error:
            raise AssertionError(f"{method}: {error or reply.error}")
        return reply.result

    def close(self):
        self.connection.close()


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    testing.main()
