#!/usr/bin/python3
"""What a controller was told is committed stays, whatever ends the agent or meets its files."""

import json
import os
import random
import shutil
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ovs.jsonrpc  # noqa: E402
import ovs.stream  # noqa: E402

from hnvlab import testing  # noqa: E402
from hnvlab.agent import SOURCE_DIR, binary  # noqa: E402

KILLS = 25
PAIR = ("first", "second")


def pair(number):
    """One transaction of two rows, each in a table of its own, and the sequence number to it."""
    operations = [
        {"op": "insert", "table": "Logical_Switch",
         "row": {"name": f"first {number}", "tunnel_key": 5000 + number}},
        {"op": "insert", "table": "Logical_Router", "row": {"name": f"second {number}"}},
        {"op": "update", "table": "Global", "where": [], "row": {"next_cfg": number}}]
    if number % 3 == 0:
        operations.append({"op": "commit", "durable": True})
    return operations


class Controller(threading.Thread):
    """Writes one transaction after the other as fast as they are answered, until it is cut off."""

    def __init__(self, remote, first):
        super().__init__()
        self.remote = remote
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
        request = ovs.jsonrpc.Message.create_request("transact", ["ms_vtep", *pair(self.next)])
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
        self.agent.transact("ms_vtep", *({"op": "delete", "table": table, "where": []}
                                         for table in ("Logical_Router", "Logical_Switch")))

    def numbers(self, table, word):
        """The numbers of the rows whose name begins with the word."""
        names = [row["name"] for row in self.agent.rows("ms_vtep", table, ["name"])]
        return {int(name.split()[1]) for name in names if name.startswith(word)}

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

    def test_what_was_answered_survives_kills(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        answered = set()
        number = 1
        for kill in range(KILLS):
            controller = Controller(self.agent.socket, number)
            controller.start()
            self.assertTrue(controller.some.wait(10), "the controller gets answers")
            # Anywhere within the next transactions.
            threading.Event().wait(chance.uniform(0, 0.05))
            self.agent.kill()
            controller.join(10)
            self.assertFalse(controller.is_alive())
            self.assertIsNone(controller.refused)
            self.assertGreaterEqual(len(controller.answered), 3)
            answered |= set(controller.answered)
            number = controller.next
            self.agent.start()
            first = self.numbers("Logical_Switch", PAIR[0])
            second = self.numbers("Logical_Router", PAIR[1])
            context = f"kill {kill}, seed {seed}"
            self.assertEqual(answered - first, set(), f"answered and lost: {context}")
            self.assertEqual(first, second, f"half a transaction: {context}")
            self.assert_confirmed(max(first), context)
        print(f"{KILLS} kills, {len(answered)} answered transactions", file=sys.stderr)

    def assert_confirmed(self, least, context):
        row = self.agent.rows("ms_vtep", "Global")[0]
        self.assertEqual(row["next_cfg"], least, context)
        self.eventually(lambda: self.agent.rows("ms_vtep", "Global")[0]["cur_cfg"] == least,
                        f"cur_cfg is next_cfg again: {context}")

    def test_a_damaged_end_is_left_out_and_told(self):
        path = os.path.join(self.agent.db_dir, "ms_vtep.db")
        self.agent.transact("ms_vtep", *pair(1))
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
