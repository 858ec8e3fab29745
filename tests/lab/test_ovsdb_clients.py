#!/usr/bin/python3
"""The agent as an OVSDB server, with the stock clients: ovsdb-client and Python's IDL."""

import json
import subprocess
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ovs.db.idl  # noqa: E402
import ovs.poller  # noqa: E402

from hnvlab import policy, testing  # noqa: E402
from hnvlab.agent import SOURCE_DIR  # noqa: E402
from hnvlab.shell import CommandError, wait_until  # noqa: E402

CONTROLLER, DIAGNOSTICS = 6640, 6641
DATABASES = {"ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hnv_host"}
VTEP_SCHEMA = "/usr/share/openvswitch/vtep.ovsschema"


def insert_router(name):
    return json.dumps(["ms_vtep", {"op": "insert", "table": "Logical_Router",
                                   "row": {"name": name}}])


class Idl:
    """Python's OVSDB client, polled with a deadline."""

    def __init__(self, agent, database, tables):
        path = os.path.join(SOURCE_DIR, "schema", f"{database}.ovsschema")
        helper = ovs.db.idl.SchemaHelper(path)
        for table in tables:
            helper.register_table(table)
        self.idl = ovs.db.idl.Idl(agent.socket, helper)

    def until(self, condition, what):
        def turn():
            self.idl.run()
            return condition()

        return wait_until(turn, what)

    def commit(self, transaction):
        """Runs a transaction to its end; "success", "unchanged" or what went wrong."""
        def turn():
            status = transaction.commit()
            self.idl.run()
            return status if status != ovs.db.idl.Transaction.INCOMPLETE else None

        return wait_until(turn, "the transaction has an end")

    def names(self, table):
        return sorted(row.name for row in self.idl.tables[table].rows.values())


class OvsdbClients(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", policy.HOSTS["host1"])
        cls.agent = cls.host.agent
        cls.agent.start()
        for machine in policy.MACHINES:
            if machine.host == "host1":
                cls.host.add_guest(machine.name, machine.mac, f"{machine.ca}/24")
        cls.agent.apply(policy.for_host("host1"))

    def test_list_dbs(self):
        for port in (CONTROLLER, DIAGNOSTICS):
            listed = set(self.agent.client("list-dbs", port).stdout.split())
            self.assertLessEqual(DATABASES | {"hardware_vtep", "_Server"}, listed)

    def test_schema_is_the_one_in_the_source(self):
        for database in DATABASES:
            served = json.loads(self.agent.client("get-schema", DIAGNOSTICS, database).stdout)
            with open(os.path.join(SOURCE_DIR, "schema", f"{database}.ovsschema"),
                      encoding="utf-8") as file:
                source = json.load(file)
            self.assertEqual(served["version"], source["version"])
            self.assertEqual(served["tables"].keys(), source["tables"].keys())

    def test_the_vtep_schema_is_that_of_open_vswitch(self):
        served = json.loads(self.agent.client("get-schema", DIAGNOSTICS, "hardware_vtep").stdout)
        with open(VTEP_SCHEMA, encoding="utf-8") as file:
            self.assertEqual(served["cksum"], json.load(file)["cksum"])

    def test_dump(self):
        text = self.agent.client("dump", DIAGNOSTICS, "ms_vtep", "Ucast_Macs_Remote", "-f",
                                 "json").stdout
        dumped = json.loads(text)
        self.assertEqual(dumped["headings"], sorted(dumped["headings"]))
        self.assertEqual(len(dumped["data"]), len(policy.MACHINES))

    def test_agent_made_rows(self):
        switches = self.agent.rows("ms_vtep", "Physical_Switch")
        self.assertEqual([row["name"] for row in switches], ["host1"])
        for database, table in (("ms_vtep", "Global"), ("ms_firewall", "FW_Global"),
                                ("ms_service_insertion", "SI_Global"), ("ms_darv", "Global"),
                                ("hnv_host", "Host")):
            self.assertEqual(len(self.agent.rows(database, table)), 1)

    def test_transact_on_the_controllers_port(self):
        self.agent.client("transact", CONTROLLER, insert_router("by ovsdb-client"))
        names = [row["name"] for row in self.agent.rows("ms_vtep", "Logical_Router")]
        self.assertIn("by ovsdb-client", names)

    def test_diagnostics_port_refuses_writes(self):
        before = self.agent.rows("ms_vtep", "Logical_Router")
        try:
            answer = self.agent.client("transact", DIAGNOSTICS, insert_router("forbidden")).stdout
        except CommandError as error:
            answer = error.stderr + error.stdout
        self.assertIn("error", answer)
        self.assertEqual(self.agent.rows("ms_vtep", "Logical_Router"), before)

    def test_constraints_are_kept(self):
        self.agent.client("transact", CONTROLLER, insert_router("only once"))
        with self.assertRaises(CommandError) as refused:
            self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                            "row": {"name": "only once"}})
        self.assertIn("constraint violation", str(refused.exception))

    def monitor(self, *words):
        """A running ovsdb-client; its output is in the file that is returned with it."""
        log = f"monitor-{words[0]}.out"
        process = self.lab.spawn(["ovsdb-client", *words], namespace=self.host.namespace, log=log)
        return process, os.path.join(self.lab.log_dir, log)

    def said(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_monitors_see_changes(self):
        server = f"tcp:127.0.0.1:{DIAGNOSTICS}"
        table = ("Logical_Router", "name")
        kinds = {
            "monitor": ("monitor", server, "ms_vtep", *table),
            "monitor-cond": ("monitor-cond", server, "ms_vtep", "[true]", *table),
            "monitor-cond-since": ("monitor-cond-since", server, "ms_vtep",
                                   "00000000-0000-0000-0000-000000000000", "[true]", *table),
        }
        for kind, words in kinds.items():
            with self.subTest(kind=kind):
                process, log = self.monitor(*words)
                self.eventually(lambda: policy.CONTOSO.rdid in self.said(log), "initial rows")
                self.agent.client("transact", CONTROLLER, insert_router(f"seen by {kind}"))
                self.eventually(lambda: f"seen by {kind}" in self.said(log), "the insert")
                process.end()

    def test_cur_cfg_follows_next_cfg(self):
        for database, table in (("ms_vtep", "Global"), ("ms_firewall", "FW_Global"),
                                ("ms_service_insertion", "SI_Global"), ("ms_darv", "Global"),
                                ("hnv_host", "Host")):
            wanted = self.agent.rows(database, table)[0]["next_cfg"] + 5
            self.agent.transact(database, {"op": "update", "table": table, "where": [],
                                           "row": {"next_cfg": wanted}})
            self.eventually(lambda: self.agent.rows(database, table)[0]["cur_cfg"] == wanted,
                            f"cur_cfg of {database} is {wanted}")

    def test_python_idl_reads_and_writes(self):
        client = Idl(self.agent, "ms_vtep", ["Logical_Router", "Logical_Switch"])
        client.until(lambda: client.names("Logical_Switch") == ["5001", "6001"],
                     "the IDL has the subnets")
        change = ovs.db.idl.Transaction(client.idl)
        change.insert(client.idl.tables["Logical_Router"]).name = "by the IDL"
        self.assertEqual(client.commit(change), ovs.db.idl.Transaction.SUCCESS)
        names = [row["name"] for row in self.agent.rows("ms_vtep", "Logical_Router")]
        self.assertIn("by the IDL", names)
        client.until(lambda: "by the IDL" in client.names("Logical_Router"),
                     "the IDL sees its own write")
        client.idl.close()

    def test_backup_is_readable(self):
        """A backup taken from the server is a database file that the stock tools accept."""
        done = self.agent.client("backup", DIAGNOSTICS, "ms_vtep")
        path = os.path.join(self.lab.state_dir, "backup.db")
        with open(path, "w", encoding="utf-8") as file:
            file.write(done.stdout)
        version = subprocess.run(["ovsdb-tool", "db-version", path], capture_output=True,
                                 text=True, check=True, timeout=10).stdout.strip()
        self.assertEqual(version, "1.1.1")


if __name__ == "__main__":
    testing.main()
