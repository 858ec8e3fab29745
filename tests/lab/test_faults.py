#!/usr/bin/python3
"""Faults: a row that can't be realised is named, its neighbours work, and mending heals it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import policy, testing  # noqa: E402


class Faults(testing.DeploymentTestCase):
    def setUp(self):
        self.agent = self.host1.agent
        self.eventually(lambda: self.faults() == [], "there are no faults to begin with")

    def faults(self):
        return self.agent.rows("hnv_host", "Fault")

    def fault(self, key):
        return next((row for row in self.faults() if row["key"] == key), None)

    def insert_switch(self, name, vsid):
        answer = self.agent.transact("ms_vtep", {
            "op": "insert", "table": "Logical_Switch",
            "row": {"name": name, "tunnel_key": vsid, "description": "faulty"}})
        self.addCleanup(self.delete_switch, name)
        return answer[0]["uuid"][1]

    def update_switch(self, name, **columns):
        self.agent.transact("ms_vtep", {"op": "update", "table": "Logical_Switch",
                                        "where": [["name", "==", name]], "row": columns})

    def delete_switch(self, name):
        self.agent.transact("ms_vtep", {"op": "delete", "table": "Logical_Switch",
                                        "where": [["name", "==", name]]})

    def check_neighbours(self):
        for tenant in ("contoso", "fabrikam"):
            self.assertTrue(self.guest(f"{tenant}-web").reaches(self.guest(f"{tenant}-sql").ip))

    def test_vsid_out_of_range(self):
        for vsid in (4095, 16777215):
            with self.subTest(vsid=vsid):
                name = f"vsid {vsid}"
                uuid = self.insert_switch(name, vsid)
                row = self.eventually(lambda: self.fault("vsid-range"), "a fault")
                self.assertEqual((row["database"], row["table"]), ("ms_vtep", "Logical_Switch"))
                self.assertIn(uuid, str(row["row"]))
                self.assertIn(str(vsid), row["message"])
                self.check_neighbours()
                self.update_switch(name, tunnel_key=7000)
                self.eventually(lambda: self.faults() == [], "mended, the fault is gone")
                self.delete_switch(name)

    def test_vsid_twice(self):
        self.insert_switch("the second 5001", policy.CONTOSO.vsid)
        self.eventually(lambda: self.fault("vsid-duplicate"), "a fault")
        self.update_switch("the second 5001", tunnel_key=7001)
        self.eventually(lambda: self.faults() == [], "mended, the fault is gone")
        self.check_neighbours()

    def test_rest_of_the_transaction_is_realised(self):
        content = policy.for_host("host1")
        content["acls"].append(policy.rule("contoso-sql", "unreadable", "inbound",
                                           priority=500, source_addresses="10.1.1.300"))
        content["mappings"].append({"vsid": 5001, "ca": "10.1.1.50", "mac": "00:15:5d:50:01:50",
                                    "pa": "192.168.2.20"})
        try:
            self.apply_rows(content)
            self.eventually(lambda: self.fault("rule-syntax"), "a fault")
            self.assertTrue(any(m["ca"] == "10.1.1.50" for m in self.agent.report("mappings")))
            self.check_neighbours()
        finally:
            self.agent.apply(policy.for_host("host1"))
        self.eventually(lambda: self.faults() == [], "mended, the fault is gone")

    def apply_rows(self, content):
        """Writes past hnvctl, which would refuse the rule that is wrong on purpose."""
        wrong = content["acls"].pop()
        self.agent.apply(content)
        self.agent.transact("ms_firewall", {"op": "insert", "table": "FW_Rules", "row": {
            "rule_id": wrong["id"], "vnic_id": wrong["port"], "action": "Allow",
            "direction": "Inbound", "priority": wrong["priority"], "rule_state": "Enabled",
            "rule_type": "RuleWithControllerPriority", "logging_state": "Disabled",
            "src_ip_addresses": wrong["source_addresses"], "dst_ip_addresses": "*",
            "src_ports": "*", "dst_ports": "*", "protocols": "*"}})

    def test_provider_address_that_the_host_lacks(self):
        address = {"op": "insert", "table": "Provider_Address",
                   "row": {"address": "192.168.9.9/24"}}
        self.agent.transact("hnv_host", address)
        self.eventually(lambda: self.fault("pa-missing"), "a fault")
        self.check_neighbours()
        self.agent.transact("hnv_host", {"op": "delete", "table": "Provider_Address",
                                         "where": [["address", "==", "192.168.9.9/24"]]})
        self.eventually(lambda: self.faults() == [], "the fault is gone")

    def test_faults_survive_a_restart_as_long_as_their_cause(self):
        self.insert_switch("too low", 100)
        self.eventually(lambda: self.fault("vsid-range"), "a fault")
        self.agent.kill()
        self.agent.start()
        self.eventually(lambda: len(self.faults()) == 1, "one fault, as before")
        self.delete_switch("too low")
        self.eventually(lambda: self.faults() == [], "the fault is gone")


if __name__ == "__main__":
    testing.main()
