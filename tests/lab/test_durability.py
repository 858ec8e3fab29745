#!/usr/bin/python3
"""What a controller was told is committed stays, whatever ends the agent or meets its files."""

import json
import os
import random
import re
import shutil
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ovs.jsonrpc  # noqa: E402
import ovs.stream  # noqa: E402

from hnvlab import testing  # noqa: E402
from hnvlab.agent import SOURCE_DIR, binary  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402

KILLS = int(os.environ.get("HNV_KILLS", "60"))
AFRESH = 20  # After so many kills the rows go: to read ever more would take all the time.


def vtep_rows(number, text):
    """Of a virtual subnet, every third one with a mapping, and of a router."""
    place = f"192.168.{2 + number // 250 % 250}.{1 + number % 250}"
    operations = [
        {"op": "insert", "table": "Logical_Switch", "uuid-name": "subnet",
         "row": {"name": f"first {number}", "tunnel_key": 5000 + number, "description": text}},
        {"op": "insert", "table": "Logical_Router",
         "row": {"name": f"second {number}", "description": text}},
        {"op": "update", "table": "Global", "where": [], "row": {"next_cfg": number}}]
    if number % 3 == 0:
        operations += [
            {"op": "insert", "table": "Physical_Locator", "uuid-name": "place",
             "row": {"dst_ip": place, "encapsulation_type": "vxlan_over_ipv4"}},
            {"op": "insert", "table": "Ucast_Macs_Remote",
             "row": {"MAC": mac_of(number), "ipaddr": place, "mapping_type": "default",
                     "locator": ["named-uuid", "place"], "logical_switch": ["named-uuid", "subnet"]}}]
    return operations


def hardware_vtep_rows(number, text):
    return [{"op": "insert", "table": "Logical_Switch",
             "row": {"name": f"first {number}", "description": text}},
            {"op": "insert", "table": "Logical_Router",
             "row": {"name": f"second {number}", "description": text}}]


def firewall_rows(number, text):
    rule = {"vnic_id": "none", "action": "Allow", "direction": "Inbound", "priority": 1,
            "rule_state": "Disabled", "logging_state": "Disabled", "src_ip_addresses": text}
    return [{"op": "insert", "table": "FW_Rules",
             "row": {**rule, "rule_id": f"{word} {number}", "rule_type": kind}}
            for word, kind in (("first", "RuleWithAdminPriority"),
                               ("second", "RuleWithControllerPriority"))] + [
            {"op": "update", "table": "FW_Global", "where": [], "row": {"next_cfg": number}}]


def darv_rows(number, text):
    return [{"op": "insert", "table": "Ports", "row": {"name": f"first {number}"}},
            {"op": "insert", "table": "Switches", "row": {"name": f"second {number} {text}"}},
            {"op": "update", "table": "Global", "where": [], "row": {"next_cfg": number}}]


# What a transaction writes: database, its operations, and where its two rows are found again.
# Of what a transaction writes "first" is in one row and "second" in another.
WORKS = {
    "ms_vtep": (vtep_rows, ("Logical_Switch", "name"), ("Logical_Router", "name"), "Global"),
    "ms_firewall": (firewall_rows, ("FW_Rules", "rule_id"), ("FW_Rules", "rule_id"), "FW_Global"),
    "ms_darv": (darv_rows, ("Ports", "name"), ("Switches", "name"), "Global"),
    "hardware_vtep": (hardware_vtep_rows, ("Logical_Switch", "name"), ("Logical_Router", "name"),
                      None),
}


def mac_of(number):
    return f"02:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:" \
           f"{number >> 8 & 255:02x}:{number & 255:02x}"


class Controller(threading.Thread):
    """Writes one transaction after the other as fast as they are answered, until it is cut off."""

    def __init__(self, remote, database, first, chance):
        super().__init__()
        self.remote, self.database = remote, database
        self.chance = random.Random(chance.random())
        self.next = first
        self.answered = []
        self.refused = None
        self.some = threading.Event()  # Enough were answered.

    def run(self):
        error, stream = ovs.stream.Stream.open_block(ovs.stream.Stream.open(self.remote), 5000)
        if error:
            self.refused = os.strerror(error)
            self.some.set()
            return
        connection = ovs.jsonrpc.Connection(stream)
        try:
            while self.transact(connection):
                self.answered.append(self.next)
                self.next += 1
                if len(self.answered) >= 3:
                    self.some.set()
        finally:
            self.next += 1  # That of the last one may have been used up.
            self.some.set()
            connection.close()

    def transact(self, connection):
        # Most rows are small, some larger than a pipe or a page cache's write takes at once.
        size = self.chance.choice((0, *[10] * 10, *[100] * 5, 1000, 1000, 5000, 70000))
        operations = WORKS[self.database][0](self.next, "x" * size)
        if self.chance.random() < 0.3:
            operations.append({"op": "commit", "durable": True})
        request = ovs.jsonrpc.Message.create_request("transact", [self.database, *operations])
        error, reply = connection.transact_block(request)
        if error:
            return False
        if reply.error or any(result and "error" in result for result in reply.result):
            self.refused = str(reply.error or reply.result)
            return False
        return True


class Durability(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", "192.168.1.10/24")
        cls.agent = cls.host.agent
        cls.agent.start()

    def setUp(self):
        if not self.agent.running:
            self.agent.start()
        self.delete_rows()

    def delete_rows(self):
        tables = {"ms_vtep": ["Ucast_Macs_Remote"]}
        for database, (_, *places, _) in WORKS.items():
            tables.setdefault(database, []).extend(sorted({table for table, _ in places}))
        for database, names in tables.items():
            self.agent.transact(database, *({"op": "delete", "table": table, "where": []}
                                            for table in names))

    def subnets(self):
        return self.agent.rows("ms_vtep", "Logical_Switch", ["_uuid", "name", "tunnel_key"])

    def restart_from(self, change):
        """Ends the agent, changes its files, starts it; returns what the log says from then on."""
        self.agent.kill()
        change()
        with open(self.agent.log, encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            self.agent.start()
            return log.read()

    def select(self, database, table, *columns):
        client = Client(self.agent.socket.removeprefix("unix:"))
        try:
            return client.transact(database, {"op": "select", "table": table, "where": [],
                                              "columns": list(columns)})[0]["rows"]
        finally:
            client.close()

    def numbers(self, database, place, word):
        """The numbers of the rows whose name begins with the word."""
        table, column = place
        words = [row[column].split() for row in self.select(database, table, column)]
        return {int(number) for first, number, *_ in words if first == word}

    def test_what_was_answered_survives_kills(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        answered = {database: set() for database in WORKS}
        number = dict.fromkeys(WORKS, 1)
        agreed, total = [], 0
        begin = time.monotonic()
        for kill in range(KILLS):
            context = f"kill {kill}, seed {seed}"
            if kill % AFRESH == 0:
                total += sum(map(len, answered.values()))
                answered = {database: set() for database in WORKS}
                self.delete_rows()
            controllers = [Controller(self.agent.socket, database, number[database], chance)
                           for database in WORKS]
            for controller in controllers:
                controller.start()
            for controller in controllers:
                self.assertTrue(controller.some.wait(10), f"answers: {context}")
            if chance.random() < 0.5:
                self.agent.appctl("ovsdb-server/compact")
            # Anywhere within the next transactions, or at some stage of the compaction.
            threading.Event().wait(chance.uniform(0, 0.05))
            self.agent.kill()
            for controller in controllers:
                controller.join(10)
                self.assertFalse(controller.is_alive())
                self.assertIsNone(controller.refused)
                self.assertGreaterEqual(len(controller.answered), 3)
                answered[controller.database] |= set(controller.answered)
                number[controller.database] = controller.next
            started = time.monotonic()
            self.agent.start()
            self.assert_confirmed(context)
            agreed.append(time.monotonic() - started)
            self.assert_nothing_lost(answered, context)
        total += sum(map(len, answered.values()))
        print(f"{KILLS} kills in {time.monotonic() - begin:.0f} s, {total} transactions answered, "
              "0 lost, 0 in half; from the restart until the switch agreed: median "
              f"{statistics.median(agreed) * 1e3:.0f} ms, at most {max(agreed) * 1e3:.0f} ms",
              file=sys.stderr)

    def assert_nothing_lost(self, answered, context):
        for database, (_, first_place, second_place, table) in WORKS.items():
            first = self.numbers(database, first_place, "first")
            second = self.numbers(database, second_place, "second")
            self.assertEqual(answered[database] - first, set(),
                             f"answered and lost: {database}, {context}")
            self.assertEqual(first, second, f"half a transaction: {database}, {context}")
            if table:
                next_cfg = self.select(database, table, "next_cfg")[0]["next_cfg"]
                self.assertEqual(next_cfg, max(first), f"{database}, {context}")

    def assert_confirmed(self, context):
        """cur_cfg is next_cfg in all databases, and the switch has the mappings that there are."""
        for database, (_, _, _, table) in WORKS.items():
            if table:
                def confirmed(database=database, table=table):
                    row = self.select(database, table, "cur_cfg", "next_cfg")[0]
                    return row["cur_cfg"] == row["next_cfg"]
                self.eventually(confirmed, f"{database} is confirmed: {context}", 5)
        wanted = {row["MAC"] for row in self.select("ms_vtep", "Ucast_Macs_Remote", "MAC")}
        self.eventually(lambda: self.mapped() == wanted, f"the mappings are in force: {context}", 5)

    def mapped(self):
        """The MACs that the switch has a mapping of."""
        return set(re.findall(r"dl_dst=(02:00:[0-9a-f:]+)[, ]",
                              self.host.ofctl("dump-flows", f"unix:{self.host.ovs_dir}/br-hnv.mgmt",
                                              "table=22")))

    def test_a_damaged_end_is_left_out_and_told(self):
        path = os.path.join(self.agent.db_dir, "ms_vtep.db")
        self.agent.transact("ms_vtep", *vtep_rows(1, ""))
        record = json.dumps({"Logical_Router": {}}).encode()
        for kind, garbage in (("no record", b"\0\xff garbage \n\n"),
                              ("a torn header", b"OVSDB JSON 1"),
                              ("a wrong checksum",
                               b"OVSDB JSON %d %s\n%s" % (len(record), b"0" * 40, record)),
                              ("a torn record", b"OVSDB JSON 4000 %s\n{\"Logi" % (b"a" * 40))):
            with self.subTest(kind=kind):
                before = self.subnets()

                def damage(garbage=garbage):
                    with open(path, "ab") as file:
                        file.write(garbage)

                said = self.restart_from(damage)
                self.assertIn("ms_vtep.db", said)
                self.assertRegex(said, "damaged|corrupt|parse error|unexpected end")
                self.assertEqual(self.subnets(), before)
                # What is written next replaces the damage: it is there after one more start.
                self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                                "row": {"name": f"after {kind}"}})
                said = self.restart_from(lambda: None)
                self.assertNotRegex(said, "damaged|corrupt")
                names = [row["name"] for row in self.agent.rows("ms_vtep", "Logical_Router")]
                self.assertIn(f"after {kind}", names)

    def test_a_database_of_a_newer_version_is_refused_and_not_touched(self):
        with open(os.path.join(SOURCE_DIR, "schema", "ms_vtep.ovsschema"),
                  encoding="utf-8") as file:
            schema = json.load(file)
        schema["version"] = "1.2.0"
        directory = os.path.join(self.lab.state_dir, "newer")
        os.makedirs(directory)
        schema_path = os.path.join(directory, "newer.ovsschema")
        with open(schema_path, "w", encoding="utf-8") as file:
            json.dump(schema, file)
        self.agent.kill()
        path = os.path.join(directory, "ms_vtep.db")
        shutil.copy(os.path.join(self.agent.db_dir, "ms_vtep.db"), path)
        self.host.run("ovsdb-tool", "convert", path, schema_path)
        with open(path, "rb") as file:
            before = file.read()
        done = self.host.run(
            binary("hnv-agent"), f"--db-dir={directory}", f"--run-dir={directory}",
            f"--ovs-run-dir={self.host.ovs_dir}", "--name=host1", "--datapath-type=netdev",
            check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("holds ms_vtep 1.2.0; this agent knows up to 1.1.1", done.stderr)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_ephemeral_columns_end_with_the_agent(self):
        self.agent.transact("ms_vtep", {
            "op": "insert", "table": "Manager", "uuid-name": "m",
            "row": {"target": "ptcp:6650:127.0.0.1", "status": ["map", [["kept", "no"]]]}},
            {"op": "mutate", "table": "Global", "where": [],
             "mutations": [["managers", "insert", ["named-uuid", "m"]]]})
        self.restart_from(lambda: None)
        manager = self.agent.rows("ms_vtep", "Manager")[0]
        self.assertEqual(manager["target"], "ptcp:6650:127.0.0.1")
        self.assertNotIn("kept", dict(manager["status"][1]))


if __name__ == "__main__":
    testing.main()
