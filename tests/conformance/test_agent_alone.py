#!/usr/bin/python3
"""Requests that may end the stock server, which reads what is not there: the agent refuses them.

No comparison is possible; that the agent answers, and others are served on, is.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab.lab import Lab  # noqa: E402

from normalise import fixed_uuid  # noqa: E402
from servers import start_agent  # noqa: E402

LEAF = {"Logical_Router": [{}]}


class RequestsThatLackSomething(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.agent = start_agent(cls.lab)

    def setUp(self):
        self.addCleanup(self.agent.close_sessions)

    def ask(self, method, *params):
        session = self.agent.session("a")
        session.send({"id": 1, "method": method, "params": list(params)})
        session.receive_reply(1)
        answer = session.take()[-1]
        self.assertIsInstance(answer, dict, f"{method} {params}")
        return answer

    def assert_refused(self, method, *params):
        self.assertEqual(self.ask(method, *params)["error"]["error"], "syntax error")
        self.assertTrue(self.agent.process.alive)
        self.assertIn("ms_vtep", self.agent.ask("list_dbs", []))

    def test_monitor_without_its_parameters(self):
        for _ in range(20):  # What is behind them in memory is a matter of luck.
            self.assert_refused("monitor", "ms_vtep")
            self.assert_refused("monitor", "ms_vtep", "m")
            self.assert_refused("monitor", "ms_vtep", ["x"] * 100)

    def test_a_change_of_condition_without_where(self):
        self.assertIsNone(self.ask("monitor_cond", "ms_vtep", "m", LEAF)["error"])
        self.assert_refused("monitor_cond_change", "m", "m", {"Logical_Router": [{}]})
        self.assert_refused("monitor_cond_change", "m", "m",
                            {"Logical_Router": [{"where": []}, {}]})

    def test_a_table_without_a_monitor_request(self):
        self.assert_refused("monitor_cond", "ms_vtep", "m", {"Logical_Router": []})
        self.assert_refused("monitor_cond_since", "ms_vtep", "m", {"Logical_Router": []},
                            fixed_uuid(1))

    def test_changes_since_a_transaction_that_nobody_knows(self):
        for database, table in (("ms_vtep", "Logical_Router"), ("_Server", "Database")):
            answer = self.ask("monitor_cond_since", database, table, {table: [{}]}, fixed_uuid(1))
            self.assertIs(answer["result"][0], False)

    def test_a_diagnostics_client_cannot_end_the_agent(self):
        session = self.agent.session("readonly")
        session.send({"id": 1, "method": "monitor", "params": ["ms_vtep"]})
        session.receive_reply(1)
        self.assertEqual(session.take()[-1]["error"]["error"], "syntax error")


if __name__ == "__main__":
    unittest.main()
