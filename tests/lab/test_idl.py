#!/usr/bin/python3
"""The agent behind Python's ovs.db.idl, as controllers written with it see it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ovs.db.idl  # noqa: E402
import ovs.jsonrpc  # noqa: E402
import ovs.stream  # noqa: E402

from hnvlab import netns, policy, testing  # noqa: E402
from hnvlab.agent import SOURCE_DIR  # noqa: E402

REMOTE = "tcp:127.0.0.1:6640"
ZERO = "00000000-0000-0000-0000-000000000000"


class Client:
    """An IDL on some tables of a database; whatever it does it does in the host's namespace."""

    def __init__(self, test, database, tables):
        helper = ovs.db.idl.SchemaHelper(
            os.path.join(SOURCE_DIR, "schema", f"{database}.ovsschema"))
        for table in tables:
            helper.register_table(table)
        self.test = test
        self.idl = ovs.db.idl.Idl(REMOTE, helper)
        test.addCleanup(self.idl.close)

    def rows(self, table):
        return list(self.idl.tables[table].rows.values())

    def until(self, condition, what):
        def turn():
            with netns.entered(self.test.host.namespace):
                self.idl.run()
            return self.idl.has_ever_connected() and condition()

        return self.test.eventually(turn, what)

    def write(self, change):
        """Runs `change(transaction)` as one transaction."""
        transaction = ovs.db.idl.Transaction(self.idl)
        change(transaction)
        status = [transaction.commit()]

        def ended():
            if status[0] == ovs.db.idl.Transaction.INCOMPLETE:
                status[0] = transaction.commit()
            return status[0] != ovs.db.idl.Transaction.INCOMPLETE

        self.until(ended, "the transaction has an end")
        self.test.assertIn(status[0], (ovs.db.idl.Transaction.SUCCESS,
                                       ovs.db.idl.Transaction.UNCHANGED),
                           transaction.get_error())

    @property
    def table_ids(self):
        return {table: set(self.idl.tables[table].rows) for table in self.idl.tables}


class PythonIdl(testing.LabTestCase):
    TABLES = ("Global", "Logical_Switch", "Physical_Locator", "Ucast_Macs_Remote")

    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", policy.HOSTS["host1"])
        cls.agent = cls.host.agent
        cls.agent.start()
        cls.agent.apply(policy.for_host("host1"))

    def client(self, tables=TABLES):
        return Client(self, "ms_vtep", tables)

    def test_it_reads_every_table(self):
        for database in ("ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hnv_host"):
            helper = ovs.db.idl.SchemaHelper(
                os.path.join(SOURCE_DIR, "schema", f"{database}.ovsschema"))
            with self.subTest(database=database):
                tables = helper.schema_json["tables"]
                client = Client(self, database, tables)
                client.until(lambda: True, "the first contents")
                for table in tables:
                    expected = {row["_uuid"][1] for row in self.agent.rows(database, table)}
                    client.until(lambda: {str(uuid) for uuid in client.table_ids[table]} ==
                                 expected, f"the rows of {table}")

    def test_references_are_followed(self):
        client = self.client()
        client.until(lambda: client.rows("Ucast_Macs_Remote"), "the mappings")
        seen = {(row.logical_switch[0].tunnel_key[0] if isinstance(row.logical_switch, list)
                 else row.logical_switch.tunnel_key[0], row.ipaddr)
                for row in client.rows("Ucast_Macs_Remote")}
        self.assertEqual(seen, {(m.tenant.vsid, m.ca) for m in policy.MACHINES})

    def test_a_mapping_is_written_and_confirmed(self):
        client = self.client()
        client.until(lambda: client.rows("Logical_Switch"), "the subnets")
        wanted = client.rows("Global")[0].next_cfg + 1

        def change(transaction):
            subnet = next(row for row in client.rows("Logical_Switch") if row.name == "5001")
            locator = transaction.insert(client.idl.tables["Physical_Locator"])
            locator.dst_ip = "192.168.3.30"
            locator.encapsulation_type = "vxlan_over_ipv4"
            mapping = transaction.insert(client.idl.tables["Ucast_Macs_Remote"])
            mapping.MAC = "00-15-5D-50-01-63"
            mapping.ipaddr = "10.1.1.99"
            mapping.logical_switch = subnet
            mapping.locator = locator
            mapping.mapping_type = "default"
            client.rows("Global")[0].next_cfg = wanted

        client.write(change)
        client.until(lambda: client.rows("Global")[0].cur_cfg == wanted, "cur_cfg follows")
        # Confirmed: it is in the policy and in the switch.
        mapping = next(m for m in self.agent.report("mappings") if m["ca"] == "10.1.1.99")
        self.assertEqual((mapping["vsid"], mapping["pa"]), (5001, "192.168.3.30"))
        self.assertTrue(any("00:15:5d:50:01:63" in flow.match for flow in self.host.flows()))

        def undo(_):
            for row in client.rows("Ucast_Macs_Remote"):
                if row.ipaddr == "10.1.1.99":
                    row.delete()
            client.rows("Global")[0].next_cfg = wanted + 1

        client.write(undo)
        client.until(lambda: client.rows("Global")[0].cur_cfg == wanted + 1, "cur_cfg follows")
        self.assertFalse(any("00:15:5d:50:01:63" in flow.match for flow in self.host.flows()))

    def test_two_clients_see_each_other(self):
        one, other = self.client(("Logical_Router",)), self.client(("Logical_Router",))
        other.until(lambda: True, "connected")
        one.until(lambda: True, "connected")

        def change(transaction):
            transaction.insert(one.idl.tables["Logical_Router"]).name = "by one"

        one.write(change)
        other.until(lambda: "by one" in [row.name for row in other.rows("Logical_Router")],
                    "the other sees it")

    def test_conditions_choose_the_rows(self):
        client = self.client(("Logical_Switch",))
        client.idl.cond_change("Logical_Switch", [["name", "==", "5001"]])
        client.until(lambda: [r.name for r in client.rows("Logical_Switch")] == ["5001"],
                     "only the row that was asked for")
        client.idl.cond_change("Logical_Switch", [["name", "==", "6001"]])
        client.until(lambda: [r.name for r in client.rows("Logical_Switch")] == ["6001"],
                     "now the other one")
        client.idl.cond_change("Logical_Switch", [True])
        client.until(lambda: len(client.rows("Logical_Switch")) == 2, "both")

    def test_it_comes_back_after_the_agents_restart(self):
        client = self.client()
        client.until(lambda: client.rows("Ucast_Macs_Remote"), "the mappings")
        before = client.table_ids
        self.agent.kill()
        self.agent.start()
        self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Switch",
                                        "row": {"name": "after", "tunnel_key": 7777}})
        self.addCleanup(self.agent.transact, "ms_vtep",
                        {"op": "delete", "table": "Logical_Switch",
                         "where": [["name", "==", "after"]]})
        client.until(lambda: "after" in [r.name for r in client.rows("Logical_Switch")],
                     "connected again")
        after = client.table_ids
        self.assertEqual(after["Ucast_Macs_Remote"], before["Ucast_Macs_Remote"])
        self.assertEqual(len(after["Logical_Switch"]), len(before["Logical_Switch"]) + 1)


class Monitors(testing.LabTestCase):
    """monitor_cond and monitor_cond_since message by message."""

    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", policy.HOSTS["host1"])
        cls.agent = cls.host.agent
        cls.agent.start()

    def setUp(self):
        error, stream = ovs.stream.Stream.open_block(
            ovs.stream.Stream.open(self.agent.socket), 5000)
        self.assertEqual(error, 0)
        self.connection = ovs.jsonrpc.Connection(stream)
        self.heard = []
        self.addCleanup(self.connection.close)
        self.agent.transact("ms_vtep", {"op": "delete", "table": "Logical_Router", "where": []})

    def ask(self, method, *parameters):
        request = ovs.jsonrpc.Message.create_request(method, list(parameters))
        self.assertEqual(self.connection.send_block(request), 0)
        while True:
            message = self.receive()
            if message.id == request.id:
                self.assertIsNone(message.error)
                return message.result
            self.heard.append(message)  # An update may come before the reply that it belongs to.

    def receive(self):
        error, message = self.connection.recv_block()
        self.assertEqual(error, 0)
        return message

    def notified(self, method):
        message = self.heard.pop(0) if self.heard else self.receive()
        self.assertEqual(message.method, method)
        return message.params

    def insert(self, name):
        self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                        "row": {"name": name}})

    @staticmethod
    def wanted(name):
        return {"Logical_Router": [{"columns": ["name"], "where": [["name", "==", name]]}]}

    @staticmethod
    def names(updates):
        return [row["name"] for change in updates.get("Logical_Router", {}).values()
                for kind, row in change.items() if kind in ("initial", "insert", "modify")]

    def test_monitor_cond(self):
        self.insert("a")
        self.insert("b")
        self.assertEqual(self.names(self.ask("monitor_cond", "ms_vtep", 1, self.wanted("a"))),
                         ["a"])
        self.ask("monitor_cond_change", 1, 1,
                 {"Logical_Router": [{"where": [["name", "==", "c"]]}]})
        self.insert("d")
        self.insert("c")
        gone, new = self.notified("update2")[1], self.notified("update2")[1]
        self.assertEqual([list(row) for row in gone["Logical_Router"].values()], [["delete"]])
        self.assertEqual(self.names(new), ["c"])
        self.ask("monitor_cancel", 1)

    def test_monitor_cond_since(self):
        # Without a history on disk there is no transaction to go on from, as in the stock server.
        found, _, updates = self.ask("monitor_cond_since", "ms_vtep", 2,
                                        {"Logical_Router": [{"columns": ["name"]}]}, ZERO)
        self.assertEqual((found, updates), (False, {}))
        self.insert("e")
        identity, _, updates = self.notified("update3")
        self.assertEqual((identity, self.names(updates)), (2, ["e"]))
        self.ask("monitor_cancel", 2)


if __name__ == "__main__":
    testing.main()
