#!/usr/bin/python3
"""The columns of the ms_* tables as `ovsdb-client dump` gives them: scripts read cells by position."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab.lab import Lab  # noqa: E402

from servers import start_agent  # noqa: E402

# In the order of `dump`: by byte, so that capitals come before "_uuid".
POSITIONS = {
    "ms_vtep": {
        "Global": ["_uuid", "cur_cfg", "db_version", "managers", "next_cfg", "other_config",
                   "switches"],
        "Logical_Binding_Stats": ["_uuid", "bytes_from_local", "bytes_to_local",
                                  "packets_from_local", "packets_to_local"],
        "Logical_Router": ["_uuid", "description", "enable_logical_router", "name", "other_config",
                           "static_routes", "switch_binding"],
        "Logical_Switch": ["_uuid", "description", "encryption_credential_thumbprint", "name",
                           "other_config", "static_routes", "tunnel_key"],
        "Manager": ["_uuid", "inactivity_probe", "is_connected", "max_backoff", "other_config",
                    "status", "target"],
        "Mcast_Macs_Local": ["MAC", "_uuid", "ipaddr", "locator_set", "logical_switch"],
        "Mcast_Macs_Remote": ["MAC", "_uuid", "ipaddr", "locator_set", "logical_switch"],
        "Physical_Locator": ["_uuid", "bfd", "bfd_status", "dst_ip", "encapsulation_type"],
        "Physical_Locator_Set": ["_uuid", "locators"],
        "Physical_Port": ["_uuid", "description", "name", "other_config", "status",
                          "vlan_bindings", "vlan_stats"],
        "Physical_Switch": ["_uuid", "description", "distributed_router_mac", "management_ips",
                            "name", "other_config", "ports", "tunnel_ips"],
        "Ucast_Macs_Local": ["MAC", "_uuid", "ipaddr", "locator", "logical_switch"],
        "Ucast_Macs_Remote": ["MAC", "_uuid", "ipaddr", "locator", "logical_switch",
                              "mapping_type"],
    },
    "ms_firewall": {
        "FW_Global": ["_uuid", "cur_cfg", "next_cfg"],
        "FW_Rules": ["_uuid", "action", "direction", "dst_ip_addresses", "dst_ports",
                     "logging_state", "priority", "protocols", "rule_id", "rule_state",
                     "rule_type", "src_ip_addresses", "src_ports", "vnic_id"],
    },
    "ms_service_insertion": {
        "SI_Global": ["_uuid", "cur_cfg", "next_cfg"],
        "SI_Rule": ["_uuid", "dst_ip_addresses", "dst_ports", "priority", "protocols",
                    "routing_information", "rule_id", "rule_type", "src_ip_addresses",
                    "src_ports", "vnic_id"],
    },
    "ms_darv": {
        "Global": ["_uuid", "cur_cfg", "next_cfg"],
        "IP_Addresses": ["_uuid", "address", "dns_servers", "dns_suffix", "is_primary", "mask",
                         "routers"],
        "Ports": ["_uuid", "enable_ip_forwarding", "ip_addresses", "is_primary", "mac_address",
                  "name"],
        "Switches": ["_uuid", "name", "vlans"],
    },
}
MAPPING = [
    {"op": "insert", "table": "Logical_Switch", "uuid-name": "s", "row": {"name": "5001"}},
    {"op": "insert", "table": "Physical_Locator", "uuid-name": "l",
     "row": {"encapsulation_type": "vxlan_over_ipv4", "dst_ip": "192.0.2.7"}},
    {"op": "insert", "table": "Ucast_Macs_Remote",
     "row": {"MAC": "02:00:00:00:00:01", "ipaddr": "10.1.1.1", "mapping_type": "default",
             "logical_switch": ["named-uuid", "s"], "locator": ["named-uuid", "l"]}}]


class Positions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.agent = start_agent(cls.lab)

    def dump(self, database):
        """{table: (headings, rows)}; a table for each line, as the stock client prints them."""
        done = self.lab.run_in(self.agent.namespace, [
            "ovsdb-client", "dump", "tcp:127.0.0.1:6641", "-f", "json", database])
        tables = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        return {table["caption"].removesuffix(" table"): (table["headings"], table["data"])
                for table in tables}

    def test_every_column_is_where_scripts_read_it(self):
        for database, tables in POSITIONS.items():
            found = {name: headings for name, (headings, _) in self.dump(database).items()}
            self.assertEqual(found, tables, database)

    def test_a_mapping_is_read_by_position(self):
        self.agent.transact("ms_vtep", MAPPING)
        _, [row] = self.dump("ms_vtep")["Ucast_Macs_Remote"]
        self.assertEqual((row[0], row[2], row[5]), ("02:00:00:00:00:01", "10.1.1.1", "default"))
        for position in (1, 3, 4):
            self.assertEqual(row[position][0], "uuid")


if __name__ == "__main__":
    unittest.main()
