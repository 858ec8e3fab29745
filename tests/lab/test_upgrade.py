#!/usr/bin/python3
"""A newer agent takes the place of an older one: its databases are converted, its flows go on."""

import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import agent as agent_module  # noqa: E402
from hnvlab import steps_operation, testing  # noqa: E402
from hnvlab.agent import SOURCE_DIR, binary  # noqa: E402
from hnvlab.shell import run  # noqa: E402

FIXTURES = os.path.join(SOURCE_DIR, "schema", "fixtures")
# The agent writes these itself.
AGENT_OWNED = {"_uuid", "_version", "cur_cfg", "status", "tunnel_ips", "management_ips",
               "tunnels", "vlan_stats"}
PINGS = 6000
INTERVAL = 0.001


def fixtures():
    """{database: [path, …]}, the newest version last."""
    found = {}
    for name in sorted(os.listdir(FIXTURES)):
        if name.endswith(".db"):
            found.setdefault(name.partition("-")[0], []).append(os.path.join(FIXTURES, name))
    return found


def schema_of(path):
    with open(path, "rb") as file:
        length = int(file.readline().split()[2])
        return json.loads(file.read(length))


def rows_of(path):
    """{(table, uuid): row} of a file."""
    database = schema_of(path)["name"]
    found = {}
    for table in schema_of(path)["tables"]:
        answer = run(["ovsdb-tool", "query", path, json.dumps(
            [database, {"op": "select", "table": table, "where": []}])]).stdout
        for row in json.loads(answer)[0]["rows"]:
            found[table, row["_uuid"][1]] = row
    return found


class Fixtures(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", "192.168.1.10/24")
        cls.agent = cls.host.agent

    def test_databases_of_older_versions_are_converted_and_keep_their_data(self):
        found = fixtures()
        self.assertEqual(set(found), {"hnv_host", "ms_vtep", "ms_firewall", "ms_darv",
                                      "ms_service_insertion", "hardware_vtep"})
        for turn in range(max(map(len, found.values()))):
            chosen = {database: paths[min(turn, len(paths) - 1)]
                      for database, paths in found.items()}
            with self.subTest(files=sorted(map(os.path.basename, chosen.values()))):
                shutil.rmtree(self.agent.db_dir, ignore_errors=True)
                os.makedirs(self.agent.db_dir)
                before = {}
                for database, path in chosen.items():
                    copy = os.path.join(self.agent.db_dir, database + ".db")
                    shutil.copy(path, copy)
                    before[database] = rows_of(copy)
                self.agent.start()
                self.addCleanup(lambda: self.agent.running and self.agent.kill())
                self.assert_kept(before)
                self.agent.kill()
                self.agent.start()  # What was written is as good as what was in memory.
                self.assert_kept(before)
                self.agent.kill()

    def assert_kept(self, before):
        for database, rows in before.items():
            schema = json.loads(run(["ovsdb-client", "get-schema", self.agent.socket,
                                     database]).stdout)
            file = os.path.join(self.agent.db_dir, database + ".db")
            self.assertEqual(run(["ovsdb-tool", "db-version", file]).stdout.strip(),
                             schema["version"])
            self.assertGreaterEqual(len(rows), 2)
            now = {}
            for table in schema["tables"]:
                for row in self.agent.rows(database, table):
                    now[table, row["_uuid"][1]] = row
            for (table, uuid), row in rows.items():
                self.assertIn((table, uuid), now, f"{database}: {row}")
                for column in row.keys() - AGENT_OWNED:
                    self.assertEqual(now[table, uuid][column], row[column],
                                     f"{database} {table}.{column}")


class Upgrade(testing.DeploymentTestCase):
    def test_a_newer_binary_takes_over_and_no_packet_is_lost(self):
        """The older one's databases are of older versions; traffic goes on at 1,000 packets/s."""
        web, sql = self.guest("contoso-web"), self.guest("contoso-sql")
        self.assertTrue(web.reaches(sql.ip))
        agent = self.host1.agent
        newer = os.path.join(self.lab.state_dir, "newer")
        os.makedirs(newer)
        for name in ("hnv-agent", "hnvctl"):
            shutil.copy(binary(name), newer)
        versions = self.versions(agent)
        before = {(flow.key, flow.actions) for flow in self.host1.flows()}
        with steps_operation.steady_ping(web, sql.ip, PINGS, INTERVAL) as (nic, ping):
            nic.wait_for(steps_operation.is_echo_reply, "traffic", count=100)
            agent.kill(signal.SIGTERM)
            self.make_older(agent)
            self.assertNotEqual(self.versions_on_disk(agent), versions)
            directory = os.environ.get("HNV_BIN_DIR")
            os.environ["HNV_BIN_DIR"] = newer
            try:
                self.assertEqual(os.path.dirname(agent_module.binary("hnv-agent")), newer)
                agent.start()
            finally:
                if directory is None:
                    del os.environ["HNV_BIN_DIR"]
                else:
                    os.environ["HNV_BIN_DIR"] = directory
            in_time = ping.alive
            result = steps_operation.ping_result(ping, PINGS, INTERVAL)
        self.assertTrue(in_time, "the newer agent was there before the traffic ended")
        self.assertEqual((result.sent, result.lost), (PINGS, 0), result.output)
        self.assertEqual(self.versions(agent), versions)
        self.assertEqual(self.versions_on_disk(agent), versions)
        self.assertEqual({(flow.key, flow.actions) for flow in self.host1.flows()}, before)
        print(f"{result.sent} packets, {result.lost} lost", file=sys.stderr)

    def make_older(self, agent):
        """Turns the databases into those of an older version, by their schemas."""
        for database, paths in fixtures().items():
            path = os.path.join(self.lab.state_dir, database + ".ovsschema")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(schema_of(paths[-1]), file)
            run(["ovsdb-tool", "convert", os.path.join(agent.db_dir, database + ".db"), path])

    def versions(self, agent):
        return {database: json.loads(run(["ovsdb-client", "get-schema", agent.socket,
                                          database]).stdout)["version"] for database in fixtures()}

    def versions_on_disk(self, agent):
        return {database: schema_of(os.path.join(agent.db_dir, database + ".db"))["version"]
                for database in fixtures()}


if __name__ == "__main__":
    testing.main()
