#!/usr/bin/python3
"""What a client writes into the agent's columns is put right, and said."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab.lab import Lab  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

from servers import start_agent  # noqa: E402

EMPTY_SET, EMPTY_MAP = ["set", []], ["map", []]
THEIRS_MAP = ["map", [["theirs", "yes"]]]
# Rows of a controller that have columns of the agent's.
CONTROLLERS = {
    "ms_vtep": [
        {"op": "insert", "table": "Logical_Switch", "uuid-name": "s", "row": {"name": "5001"}},
        {"op": "insert", "table": "Physical_Locator", "uuid-name": "l",
         "row": {"encapsulation_type": "vxlan_over_ipv4", "dst_ip": "192.0.2.7"}},
        {"op": "insert", "table": "Ucast_Macs_Remote",
         "row": {"MAC": "02:00:00:00:00:01", "ipaddr": "10.1.1.1", "mapping_type": "default",
                 "logical_switch": ["named-uuid", "s"], "locator": ["named-uuid", "l"]}},
        {"op": "insert", "table": "Physical_Port", "uuid-name": "p", "row": {"name": "port"}},
        {"op": "mutate", "table": "Physical_Switch", "where": [],
         "mutations": [["ports", "insert", ["named-uuid", "p"]]]},
        {"op": "insert", "table": "Manager", "uuid-name": "m",
         "row": {"target": "ptcp:6650:127.0.0.1"}},
        {"op": "mutate", "table": "Global", "where": [],
         "mutations": [["managers", "insert", ["named-uuid", "m"]]]}],
    "hardware_vtep": [
        {"op": "insert", "table": "ACL_entry", "uuid-name": "e",
         "row": {"sequence": 1, "action": "permit", "direction": "ingress"}},
        {"op": "insert", "table": "ACL",
         "row": {"acl_name": "x", "acl_entries": ["named-uuid", "e"]}},
        {"op": "insert", "table": "Logical_Router", "row": {"name": "r"}},
        {"op": "insert", "table": "Physical_Port", "uuid-name": "p", "row": {"name": "port"}},
        {"op": "mutate", "table": "Physical_Switch", "where": [],
         "mutations": [["ports", "insert", ["named-uuid", "p"]]]}],
    "hnv_host": [
        {"op": "insert", "table": "Provider_Address", "row": {"address": "192.0.2.1/24"}}],
}
COLUMNS = [
    ("ms_vtep", "Global", "cur_cfg", 7), ("ms_vtep", "Physical_Port", "status", THEIRS_MAP),
    ("ms_vtep", "Global", "db_version", "9.9.9"),
    ("ms_vtep", "Physical_Switch", "name", "theirs"),
    ("ms_vtep", "Physical_Switch", "tunnel_ips", ["set", ["192.0.2.9", "192.0.2.99"]]),
    ("ms_vtep", "Physical_Locator", "bfd_status", THEIRS_MAP),
    ("ms_vtep", "Manager", "status", THEIRS_MAP), ("ms_vtep", "Manager", "is_connected", True),
    ("ms_firewall", "FW_Global", "cur_cfg", 7), ("ms_service_insertion", "SI_Global", "cur_cfg", 7),
    ("ms_darv", "Global", "cur_cfg", 7), ("hnv_host", "Host", "cur_cfg", 7),
    ("hnv_host", "Host", "status", THEIRS_MAP),
    ("hnv_host", "Provider_Address", "status", THEIRS_MAP),
    ("hardware_vtep", "Physical_Switch", "name", "theirs"),
    ("hardware_vtep", "Physical_Switch", "tunnel_ips", "192.0.2.9"),
    ("hardware_vtep", "Physical_Switch", "switch_fault_status", "theirs"),
    ("hardware_vtep", "Physical_Port", "port_fault_status", "theirs"),
    ("hardware_vtep", "Logical_Router", "LR_fault_status", "theirs"),
    ("hardware_vtep", "ACL", "acl_fault_status", "theirs"),
    ("hardware_vtep", "ACL_entry", "acle_fault_status", "theirs"),
]
# They tell of what goes on: what was there a moment ago need not come back.
TELLING = {("hnv_host", "Host", "status"), ("ms_vtep", "Manager", "status")}


class Ownership(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.agent = start_agent(cls.lab)
        for database, operations in CONTROLLERS.items():
            cls.agent.transact(database, operations)
        wait_until(lambda: cls.host_status().get("version"), "the agent tells of itself")
        wait_until(lambda: cls.cell("hnv_host", "Provider_Address", "status") != EMPTY_MAP
                   and cls.cell("ms_vtep", "Manager", "status") != EMPTY_MAP, "and of the rows")

    @classmethod
    def rows(cls, database, table):
        return cls.agent.transact(database, [{"op": "select", "table": table, "where": []}])[0][
            "rows"]

    @classmethod
    def cell(cls, database, table, column):
        return cls.rows(database, table)[0][column]

    @classmethod
    def host_status(cls):
        return dict(cls.cell("hnv_host", "Host", "status")[1])

    def write(self, database, table, **row):
        self.agent.transact(database, [{"op": "update", "table": table, "where": [], "row": row}])

    def log(self):
        with open(self.agent.log, encoding="utf-8") as file:
            return file.read()

    def test_every_column_is_put_right(self):
        for database, table, column, theirs in COLUMNS:
            name = (database, table, column)
            with self.subTest(name):
                before = self.cell(*name)
                self.write(database, table, **{column: theirs})
                if name in TELLING:
                    wait_until(lambda: "theirs" not in json.dumps(self.cell(*name)), str(name))
                else:
                    wait_until(lambda: self.cell(*name) == before, f"{name} is {before}")

    def test_it_is_said_and_counted(self):
        def counted():
            return int(self.host_status().get("overruled_writes", 0))

        before = counted()
        self.write("ms_vtep", "Global", cur_cfg=99)
        wait_until(lambda: counted() > before, "the counter moves")
        [row] = self.rows("ms_vtep", "Global")
        self.assertRegex(self.log(), f"ownership: ms_vtep, table Global, row {row['_uuid'][1]}: "
                                     "a client wrote column cur_cfg")

    def test_the_log_is_bounded(self):
        for number in range(50):
            self.write("ms_darv", "Global", cur_cfg=1000 + number)
        wait_until(lambda: self.cell("ms_darv", "Global", "cur_cfg") == 0, "it is put right")
        self.assertLessEqual(self.log().count("a client wrote column"), 22)

    def test_who_writes_again_and_again_does_not_get_through(self):
        session = self.agent.session("hasty")
        for number in range(200):
            session.send({"id": number, "method": "transact", "params": ["ms_firewall", {
                "op": "update", "table": "FW_Global", "where": [], "row": {"cur_cfg": number + 1}}]})
        session.receive_reply(199)
        wait_until(lambda: self.cell("ms_firewall", "FW_Global", "cur_cfg") == 0, "put right")

    def test_a_number_that_is_not_confirmed_is_not_taken_for_it(self):
        """There is no switch: nothing is ever confirmed here."""
        self.write("ms_service_insertion", "SI_Global", next_cfg=5, cur_cfg=5)
        wait_until(lambda: self.cell("ms_service_insertion", "SI_Global", "cur_cfg") == 0,
                   "cur_cfg is what it was")
        self.assertEqual(self.cell("ms_service_insertion", "SI_Global", "next_cfg"), 5)
        self.write("ms_service_insertion", "SI_Global", next_cfg=0)

    def test_an_inserted_row_has_nothing_of_the_agents(self):
        self.agent.transact("hardware_vtep", [{"op": "insert", "table": "Logical_Router", "row": {
            "name": "with a fault", "LR_fault_status": "theirs"}}])
        wait_until(lambda: all(row["LR_fault_status"] == EMPTY_SET
                               for row in self.rows("hardware_vtep", "Logical_Router")), "it goes")

    def test_rows_among_the_agents_own_go(self):
        # A port's name is missing: a fault that stands.
        self.agent.transact("hnv_host", [{"op": "insert", "table": "Fault",
                                          "row": {"key": "theirs"}}])
        switch, locator = (self.rows("ms_vtep", table)[0]["_uuid"]
                           for table in ("Logical_Switch", "Physical_Locator"))
        local = {"MAC": "02:00:00:00:00:77", "logical_switch": switch}
        self.agent.transact("ms_vtep", [
            {"op": "insert", "table": "Ucast_Macs_Local", "row": {**local, "locator": locator}},
            {"op": "insert", "table": "Physical_Locator_Set", "uuid-name": "set",
             "row": {"locators": locator}},
            {"op": "insert", "table": "Mcast_Macs_Local",
             "row": {**local, "locator_set": ["named-uuid", "set"]}}])
        for database, table in (("hnv_host", "Fault"), ("ms_vtep", "Ucast_Macs_Local"),
                                ("ms_vtep", "Mcast_Macs_Local")):
            wait_until(lambda: "theirs" not in (text := json.dumps(self.rows(database, table)))
                       and "00:77" not in text, f"{table} has none of theirs")

    def test_what_the_agent_writes_itself_is_not_counted(self):
        def told(number):
            """What is counted, once the agent tells of so many provider addresses."""
            self.agent.transact("hnv_host", [{"op": "insert", "table": "Provider_Address",
                                              "row": {"address": f"192.0.2.{number}/24"}}])
            wait_until(lambda: self.host_status()["provider_addresses"] == str(number), "told")
            return self.host_status().get("overruled_writes", "0")

        self.assertEqual(told(2), told(3))


if __name__ == "__main__":
    unittest.main()
