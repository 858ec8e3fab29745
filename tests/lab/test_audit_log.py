#!/usr/bin/python3
"""The audit log: Web of Contoso on host 2 calls SQL of Contoso on host 1, whose rules log."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import testing  # noqa: E402
from hnvlab.policy import rule  # noqa: E402

SQL, WEB = "contoso-sql", "contoso-web"
OPEN_PORT, CLOSED_PORT, SILENT_PORT = 80, 81, 82


class AuditLog(testing.DeploymentTestCase):
    acls = {SQL: [
        rule(SQL, "web", "inbound", priority=100, protocols="TCP",
             destination_ports=str(OPEN_PORT), logging=True),
        rule(SQL, "silent", "inbound", priority=150, protocols="TCP",
             destination_ports=str(SILENT_PORT)),
        rule(SQL, "no-tcp", "inbound", "block", priority=200, protocols="TCP", logging=True),
        rule(SQL, "ping", "inbound", priority=300, protocols="ICMP", logging=True),
        rule(SQL, "out", "outbound", priority=100, protocols="TCP", logging=True),
    ]}

    @classmethod
    def build(cls):
        super().build()
        cls.sql = cls.lab.guests[SQL]
        cls.web = cls.lab.guests[WEB]
        for port in (OPEN_PORT, SILENT_PORT):
            cls.sql.serve(port)
        cls.web.serve(OPEN_PORT)
        cls.file = os.path.join(cls.host1.agent.log_dir, "audit.log")

    def records(self, path=None, **wanted):
        """The log's records, of those that have these values."""
        try:
            with open(path or self.file, encoding="ascii") as log:
                lines = [json.loads(line) for line in log]
        except FileNotFoundError:
            return []
        return [line for line in lines
                if all(line.get(key) == value for key, value in wanted.items())]

    def comes(self, count, **wanted):
        self.eventually(lambda: len(self.records(**wanted)) >= count, f"{count} × {wanted}")
        found = self.records(**wanted)
        self.assertEqual(len(found), count, found)
        return found[-1]

    def counters(self):
        return self.host1.agent.status()["audit_log"]

    def call(self, port, source=0):
        """Calls SQL from this source port; the source port, and whether it answered."""
        with self.web.socket() as caller:
            caller.settimeout(0.7)  # One SYN, and none of its repeats.
            caller.bind((self.web.ip, source))
            source = caller.getsockname()[1]
            try:
                caller.connect((self.sql.ip, port))
                while caller.recv(4096):
                    pass
            except OSError:
                return source, False
        return source, True

    def test_an_allowed_connection_is_one_record_with_its_tuple(self):
        source, answered = self.call(OPEN_PORT)
        self.assertTrue(answered)
        record = self.comes(1, rule="web", src_port=source)
        time = record.pop("time")
        self.assertTrue(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time), time)
        self.assertEqual(record, {
            "rule": "web", "layer": "controller", "port": SQL, "direction": "Inbound",
            "verdict": "Allow", "vsid": 5001, "protocol": "TCP", "src_ip": self.web.ip,
            "dst_ip": self.sql.ip, "src_port": source, "dst_port": OPEN_PORT})
        # Neither its replies nor its further packets are records of their own.
        self.assertEqual(self.records(dst_port=source), [])

    def test_a_blocked_flow_is_one_record_whatever_it_sends(self):
        source, answered = self.call(CLOSED_PORT)
        self.assertFalse(answered)
        record = self.comes(1, rule="no-tcp", src_port=source)
        self.assertEqual((record["verdict"], record["dst_port"]), ("Block", CLOSED_PORT))
        before = self.counters()["suppressed"]
        self.call(CLOSED_PORT, source)
        self.eventually(lambda: self.counters()["suppressed"] > before, "the repeat is counted")
        self.comes(1, rule="no-tcp", src_port=source)

    def test_a_rule_without_logging_leaves_no_record(self):
        source, answered = self.call(SILENT_PORT)
        self.assertTrue(answered)
        later, _ = self.call(OPEN_PORT)
        self.comes(1, rule="web", src_port=later)
        self.assertEqual(self.records(src_port=source), [])

    def test_what_leaves_the_port_and_what_has_no_ports(self):
        self.assertIsNotNone(self.sql.ask(self.web.ip, OPEN_PORT))
        self.eventually(lambda: self.records(rule="out"), "the outbound record")
        record = self.records(rule="out")[0]
        self.assertEqual((record["direction"], record["src_ip"]), ("Outbound", self.sql.ip))
        self.assertTrue(self.web.reaches(self.sql.ip))
        self.eventually(lambda: self.records(rule="ping"), "the ping's record")
        record = self.records(rule="ping")[0]
        self.assertEqual((record["protocol"], record["icmp_type"]), ("ICMP", 8))
        self.assertNotIn("src_port", record)

    def test_the_file_is_opened_anew_when_asked(self):
        first, _ = self.call(OPEN_PORT)
        self.comes(1, rule="web", src_port=first)
        moved = self.file + ".moved"
        os.rename(self.file, moved)
        self.host1.agent.appctl("hnv/audit-log/reopen")
        second, _ = self.call(OPEN_PORT)
        self.comes(1, rule="web", src_port=second)
        self.assertEqual(len(self.records(moved, src_port=first)), 1)
        self.assertEqual(self.records(src_port=first), [])

    def test_the_counts_are_told(self):
        self.call(OPEN_PORT)
        self.eventually(lambda: self.counters()["written"] > 0, "a record is counted")
        self.assertEqual([self.counters()[key] for key in ("dropped", "errors", "malformed")],
                         [0, 0, 0])

        def status():
            [row] = self.host1.agent.rows("hnv_host", "Host", ["status"])
            return dict(row["status"][1])
        self.eventually(lambda: int(status()["audit_log_written"]) > 0, "Host.status tells it",
                        timeout=20)
        self.assertEqual(status()["audit_log_lost"], "0")


if __name__ == "__main__":
    testing.main()
