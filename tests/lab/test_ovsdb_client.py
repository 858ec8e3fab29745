#!/usr/bin/python3
"""Every command of ovsdb-client at hardware_vtep, beside a stock server with a backup of it."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import testing  # noqa: E402
from hnvlab.shell import run  # noqa: E402

PA = "192.168.1.10"
DATABASE = "hardware_vtep"
DATABASES = (DATABASE, "ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hnv_host")
CONTROLLER, DIAGNOSTICS = "tcp:127.0.0.1:6640", "tcp:127.0.0.1:6641"
ZERO = "00000000-0000-0000-0000-000000000000"
# What ovsdb-client prints of a database does not survive a restart, nor goes into a backup.
EPHEMERAL = {"Manager": ("is_connected", "status"), "Host": ("status",),
             "Provider_Address": ("status",)}
COMMANDS = {"list-dbs", "get-schema", "get-schema-version", "get-schema-cksum", "list-tables",
            "list-columns", "transact", "query", "monitor", "monitor-cond", "monitor-cond-since",
            "convert", "needs-conversion", "wait", "dump", "backup", "restore", "lock", "steal",
            "unlock"}


class OvsdbClient(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", f"{PA}/24")
        cls.agent = cls.host.agent
        cls.agent.start()
        cls.agent.apply({"version": 1, "provider_addresses": [{"address": f"{PA}/24"}]})
        run(["vtep-ctl", f"--db={cls.agent.socket}",
             "add-ls", "floor", "--", "set", "Logical_Switch", "floor", "tunnel_key=42",
             'description="the \\"first\\" floor"', "--",
             "add-port", "host1", "desk", "--", "bind-ls", "host1", "desk", "0", "floor", "--",
             "add-ucast-remote", "floor", "02:00:00:00:00:1a", "192.168.2.20", "--",
             "add-mcast-remote", "floor", "unknown-dst", "192.168.2.20", "--",
             "add-lr", "core"])

    def client(self, *words, check=True, **options):
        done = self.host.run("ovsdb-client", "--timeout=10", *words, check=check, **options)
        return done if not check else done.stdout

    def file(self, name, text):
        path = os.path.join(self.host.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def restore(self, address, path, check=True):
        """`ovsdb-client restore`; it reads a file that it can go back and forth in."""
        return self.host.run("sh", "-c", f"exec ovsdb-client --timeout=10 restore {address} "
                             f"{DATABASE} <{path}", check=check)

    def stock_server(self, databases):
        """Debian's ovsdb-server with a backup of each database; its address."""
        directory = os.path.join(self.host.directory, "stock")
        os.makedirs(directory, exist_ok=True)
        address = f"unix:{directory}/db.sock"
        files = [self.file(os.path.join("stock", f"{database}.db"),
                           self.client("backup", DIAGNOSTICS, database))
                 for database in databases]
        server = self.lab.spawn(
            ["ovsdb-server", *files, f"--remote=p{address}", f"--unixctl={directory}/ctl",
             "-vconsole:off"], namespace=self.host.namespace, log="stock.out")
        self.addCleanup(server.end)
        self.eventually(lambda: self.client("list-dbs", address), "the stock server serves")
        return address

    # --- beside the stock server -------------------------------------------------------------

    def dumped(self, address, database):
        """{table: its rows}, without columns that are not kept, rows in order."""
        tables = {}
        for table in self.client("list-tables", "--no-headings", "-f", "csv", address,
                                 database).split():
            dump = json.loads(self.client("dump", "-f", "json", address, database, table))
            left_out = [dump["headings"].index(column) for column in EPHEMERAL.get(table, ())
                        if column in dump["headings"]]
            tables[table] = sorted(json.dumps([value for index, value in enumerate(row)
                                               if index not in left_out])
                                   for row in dump["data"])
        return tables

    def test_a_backup_of_each_database_is_one_of_the_stock_servers(self):
        self.eventually(lambda: [row for row in self.agent.rows("hardware_vtep", "Tunnel")
                                 if row["bfd_config_local"][1]],
                        "the agent has made its rows")
        stock = self.stock_server(DATABASES)
        for database in DATABASES:
            with self.subTest(database=database):
                self.assertEqual(self.dumped(stock, database), self.dumped(DIAGNOSTICS, database))

    def test_what_is_asked_of_a_schema_is_answered_as_by_the_stock_server(self):
        stock = self.stock_server(DATABASES)
        self.assertEqual(self.client("list-dbs", DIAGNOSTICS), self.client("list-dbs", stock))
        for database in DATABASES:
            for command in ("get-schema", "get-schema-version", "get-schema-cksum", "list-tables",
                            "list-columns"):
                with self.subTest(command=command, database=database):
                    ours, theirs = (self.client(command, address, database).splitlines()
                                    for address in (DIAGNOSTICS, stock))
                    self.assertEqual(sorted(ours), sorted(theirs))  # In no order either.

    def test_requests_are_answered_as_by_the_stock_server(self):
        stock = self.stock_server([DATABASE])
        select = {"op": "select", "table": "Logical_Switch", "where": [["tunnel_key", ">", 41]],
                  "columns": ["name", "tunnel_key", "description"]}
        for command, operations in {
                "query": [select],
                "transact": [select, {"op": "comment", "comment": "no change"}],
                "transact ": [{"op": "insert", "table": "Logical_Switch",
                               "row": {"name": "floor"}}],
                "transact  ": [{"op": "insert", "table": "Rooms", "row": {}}]}.items():
            with self.subTest(command=command, operations=operations):
                ours, theirs = (
                    self.client(command.strip(), address, json.dumps([DATABASE, *operations]),
                                check=False) for address in (CONTROLLER, stock))
                hide = lambda text: re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID",
                                           text)
                self.assertEqual((ours.returncode, hide(ours.stdout)),
                                 (theirs.returncode, hide(theirs.stdout)))

    def test_a_query_changes_nothing(self):
        for address in (CONTROLLER, DIAGNOSTICS):
            self.client("query", address, json.dumps([DATABASE, {
                "op": "insert", "table": "Logical_Switch", "row": {"name": "attic"}}]),
                check=False)
        self.assertEqual([row["name"] for row in self.agent.rows(DATABASE, "Logical_Switch")],
                         ["floor"])

    # --- backup, restore, convert ------------------------------------------------------------

    def policy(self):
        """What a controller wrote, by names."""
        switches = {row["_uuid"][1]: row["name"]
                    for row in self.agent.rows(DATABASE, "Logical_Switch")}
        return {
            "switches": sorted((row["name"], row["tunnel_key"], row["description"])
                               for row in self.agent.rows(DATABASE, "Logical_Switch")),
            "ports": [(row["name"], [(vlan, switches[switch[1]])
                                     for vlan, switch in row["vlan_bindings"][1]])
                      for row in self.agent.rows(DATABASE, "Physical_Port")],
            "macs": [(row["MAC"], switches[row["logical_switch"][1]])
                     for row in self.agent.rows(DATABASE, "Ucast_Macs_Remote")],
            "groups": [row["MAC"] for row in self.agent.rows(DATABASE, "Mcast_Macs_Remote")],
            "routers": [row["name"] for row in self.agent.rows(DATABASE, "Logical_Router")]}

    def test_a_backup_restores_what_was_deleted(self):
        before = self.policy()
        self.assertEqual(before["ports"], [("desk", [(0, "floor")])])
        mappings = self.agent.report("mappings")
        backup = self.file("backup.db", self.client("backup", CONTROLLER, DATABASE))
        self.agent.transact(
            DATABASE, {"op": "update", "table": "Physical_Switch", "where": [],
                       "row": {"ports": ["set", []]}},
            *({"op": "delete", "table": table, "where": []} for table in (
                "Ucast_Macs_Remote", "Mcast_Macs_Remote", "Logical_Router")))
        self.agent.transact(DATABASE, {"op": "delete", "table": "Logical_Switch", "where": []})
        self.eventually(lambda: self.agent.report("mappings") == [], "the policy is gone")

        self.restore(CONTROLLER, backup)
        self.assertEqual(self.policy(), before)
        self.eventually(lambda: self.agent.report("mappings") == mappings, "the policy is back")
        # There is one switch, the one that was restored, and the agent goes on with it.
        [switch] = self.agent.rows(DATABASE, "Physical_Switch")
        self.assertEqual((switch["name"], switch["tunnel_ips"]), ("host1", PA))
        self.assertEqual(len(self.agent.rows(DATABASE, "Global")), 1)
        self.assertTrue(self.agent.status()["healthy"])

    def test_a_backup_is_not_restored_over_the_read_only_port(self):
        before = self.policy()
        backup = self.file("same.db", self.client("backup", DIAGNOSTICS, DATABASE))
        done = self.restore(DIAGNOSTICS, backup, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("read only", done.stdout + done.stderr)
        self.assertEqual(self.policy(), before)

    def test_conversion_is_not_needed_and_refused_where_nothing_is_written(self):
        text = self.client("get-schema", DIAGNOSTICS, DATABASE)
        same = self.file("same.ovsschema", text)
        other = self.file("other.ovsschema", text.replace('"columns":{',
                                                          '"columns":{"more":{"type":"string"},',
                                                          1))
        for address in (CONTROLLER, DIAGNOSTICS):
            self.assertEqual(self.client("needs-conversion", address, same).strip(), "no")
            self.assertEqual(self.client("needs-conversion", address, other).strip(), "yes")
        done = self.client("convert", DIAGNOSTICS, other, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("prohibit", done.stdout + done.stderr)
        self.assertEqual(self.client("get-schema", DIAGNOSTICS, DATABASE), text)

    # --- what lasts --------------------------------------------------------------------------

    def running(self, name, *words):
        """A command that runs on, and what it has said so far."""
        process = self.lab.spawn(["ovsdb-client", *words], namespace=self.host.namespace,
                                 log=f"{name}.out")
        self.addCleanup(process.end)

        def said():
            with open(process.log, encoding="utf-8") as file:
                return file.read()

        return process, said

    def test_monitors_of_hardware_vtep(self):
        table = ("Logical_Router", "name")
        kinds = {"monitor": (DATABASE, *table), "monitor-all": (DATABASE, "ALL"),
                 "monitor-cond": (DATABASE, '[["name","!=","edge"]]', *table),
                 "monitor-cond-since": (DATABASE, ZERO, "[true]", *table),
                 "monitor-changes": (DATABASE, "Logical_Router", "name,!initial")}
        for kind, words in kinds.items():
            with self.subTest(kind=kind):
                command = {"monitor-all": "monitor", "monitor-changes": "monitor"}.get(kind, kind)
                process, said = self.running(kind, command, "--format=csv", DIAGNOSTICS, *words)
                if kind == "monitor-changes":
                    # It says nothing at first: that it is there shows when it says of a change.
                    self.eventually(lambda: self.one_more_router() and "insert" in said(),
                                    "a change is said")
                    self.assertNotIn("initial", said())
                else:
                    self.eventually(lambda: "core" in said(), "the first rows are said")
                    name = self.one_more_router()
                    self.eventually(lambda: re.search(f"insert,.*{name}", said()), "the insert")
                self.agent.transact(DATABASE, {"op": "delete", "table": "Logical_Router",
                                               "where": [["name", "!=", "core"]]})
                self.eventually(lambda: "delete" in said(), "the delete")
                process.end()

    def one_more_router(self):
        name = f"router-{len(self.agent.rows(DATABASE, 'Logical_Router'))}"
        self.agent.transact(DATABASE, {"op": "insert", "table": "Logical_Router",
                                       "row": {"name": name}})
        return name

    def test_wait(self):
        for address in (CONTROLLER, DIAGNOSTICS):
            for state in ("added", "connected"):
                self.assertEqual(self.client("wait", address, DATABASE, state), "")
        process, _ = self.running("wait-removed", "--timeout=1", "wait", DIAGNOSTICS, DATABASE,
                                  "removed")
        self.eventually(lambda: not process.alive, "it gives up")
        self.assertEqual(process.exit_status, -14)  # SIGALRM: it is there still.

    def test_locks(self):
        first, first_said = self.running("lock", "lock", CONTROLLER, "the_lock")
        self.eventually(lambda: '"locked":true' in first_said(), "the first has the lock")
        second, second_said = self.running("lock-2", "lock", CONTROLLER, "the_lock")
        self.eventually(lambda: '"locked":false' in second_said(), "the second waits")
        thief, thief_said = self.running("steal", "steal", CONTROLLER, "the_lock")
        self.eventually(lambda: '"locked":true' in thief_said(), "the third has taken it")
        self.eventually(lambda: "stolen" in first_said(), "the first is told")
        self.assertNotIn('"locked":true', second_said())
        # A lock is its connection's: one that has none takes nothing away.
        self.running("unlock", "unlock", CONTROLLER, "the_lock")
        thief.end()
        self.eventually(lambda: re.search(r'locked\n\["the_lock"\]', first_said() + second_said()),
                        "one that waits has it")
        self.assertTrue(first.alive and second.alive)

    def test_every_command_of_its_help_is_here(self):
        text = run(["ovsdb-client", "--help"]).stdout.split("The default SERVER")[0]
        listed = set(re.findall(r"^  (?:\[--force\] )?([a-z][a-z-]+)(?= )", text, re.MULTILINE))
        self.assertEqual(listed, COMMANDS)
        with open(__file__, encoding="utf-8") as file:
            said = file.read().partition("class ")[2]
        self.assertEqual([command for command in sorted(COMMANDS) if f'"{command}"' not in said and
                          f" {command} " not in said],
                         [])


if __name__ == "__main__":
    testing.main()
