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


    def test_the_same_rows_of_a_conflict_are_in_force_after_each_restart(self):
        """Which came first, the databases don't tell; yet a restart must change nothing."""
        numbers = range(7100, 7104)
        try:
            for number in numbers:
                self.insert_conflicts(number)
            self.eventually(lambda: len(self.faults()) == 4 * len(numbers), "all faults")
            before = self.conflicts(), self.shape()
            for _ in range(3):
                self.agent.kill()
                self.agent.start()
                self.eventually(lambda: (self.conflicts(), self.shape()) == before,
                                "the same rows are at fault, and the flows are the same")
        finally:
            self.agent.transact(
                "ms_vtep",
                {"op": "delete", "table": "Ucast_Macs_Remote",
                 "where": [["mapping_type", "==", "learning_disabled"]]},
                *[{"op": "delete", "table": table, "where": [["name", "==", f"{word} {number}"]]}
                  for table in ("Logical_Router", "Logical_Switch")
                  for number in numbers for word in ("first", "second")])
        self.eventually(lambda: self.faults() == [], "the faults are gone")

    def insert_conflicts(self, vsid):
        """A subnet, a router and a mapping; then for each another that contradicts it."""
        locators = [row["_uuid"] for row in self.agent.rows("ms_vtep", "Physical_Locator")]
        self.assertEqual(len(locators), 2)
        mac, other = (f"02:00:00:00:{vsid % 100:02x}:{last}" for last in ("01", "02"))

        def insert(table, **row):
            return {"op": "insert", "table": table, "row": row}

        def mapping(subnet, mac, ca, locator):
            return insert("Ucast_Macs_Remote", MAC=mac, ipaddr=ca, logical_switch=subnet,
                          locator=locator, mapping_type="learning_disabled")

        def router(word, subnet, prefix):
            return insert("Logical_Router", name=f"{word} {vsid}", enable_logical_router=True,
                          switch_binding=["map", [[prefix, subnet]]])

        new = ["named-uuid", "s"]
        answer = self.agent.transact(
            "ms_vtep",
            {**insert("Logical_Switch", name=f"first {vsid}", tunnel_key=vsid), "uuid-name": "s"},
            router("first", new, "10.9.0.0/24"), mapping(new, mac, "10.9.0.11", locators[0]))
        subnet = answer[0]["uuid"]
        self.agent.transact(
            "ms_vtep", insert("Logical_Switch", name=f"second {vsid}", tunnel_key=vsid),
            router("second", subnet, "10.9.0.254/24"),
            mapping(subnet, mac, "10.9.0.12", locators[1]),
            mapping(subnet, other, "10.9.0.11", locators[0]))

    def conflicts(self):
        return sorted((row["key"], str(row["row"])) for row in self.faults())

    def shape(self):
        return {(flow.key, flow.actions) for flow in self.host1.flows()}


class ForeignTunnel(testing.LabTestCase):
    """Somebody else's tunnel port has what the agent's would need."""

    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", policy.HOSTS["host1"])
        cls.host.vsctl("add-br", "br-foreign", "--", "set", "bridge", "br-foreign",
                       "datapath_type=netdev", "--", "add-port", "br-foreign", "foreign", "--",
                       "set", "interface", "foreign", "type=vxlan", "options:remote_ip=flow",
                       "options:key=flow", "options:dst_port=4789")
        cls.host.agent.start()

    def test_local_traffic_passes_and_the_problem_is_told(self):
        agent = self.host.agent
        machines = [policy.Machine(f"contoso-{i}", policy.CONTOSO, f"10.1.1.{10 + i}",
                                   f"00:15:5d:50:02:{i:02x}", "host1") for i in (1, 2)]
        one, two = (self.host.add_guest(m.name, m.mac, f"{m.ca}/24") for m in machines)
        agent.apply(policy.for_host("host1", machines))
        self.assertTrue(one.reaches(two.ip))
        self.eventually(lambda: any("hnv-vxlan" in problem
                                    for problem in agent.status()["problems"]), "it is told")
        self.assertFalse(agent.status()["healthy"])
        self.host.vsctl("del-br", "br-foreign")
        self.eventually(lambda: agent.status()["healthy"], "given up, the port is made")
        self.assertTrue(one.reaches(two.ip))


if __name__ == "__main__":
    testing.main()
