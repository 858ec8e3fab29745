#!/usr/bin/python3
"""Holds the schemas to their contract.

Diagnostic scripts read `ovsdb-client dump -f json` by the position of a column, so the lists below
are the contract itself: for each table the columns in the order of a dump (sorted as bytes, with
_uuid among them: upper case comes before it), each with its type. The ms_* lists never change.

usage: schema_test.py [SCHEMA_DIR]
"""

import pathlib
import sys
import unittest
import xml.dom.minidom

import ovs.db.schema
import ovs.json

SCHEMA_DIR = pathlib.Path(__file__).resolve().parents[3] / "schema"

MAPPINGS = "MAC string|_uuid|ipaddr string|{}|logical_switch ->Logical_Switch"
SET = MAPPINGS.format("locator_set ->Physical_Locator_Set")
LOCATOR = MAPPINGS.format("locator ->Physical_Locator")
SEQUENCE = "_uuid|cur_cfg integer|next_cfg integer"

# Notation: ? optional, * set or map of any size, + one or more, ~ ephemeral, ! immutable,
# a..b range, {a,b} enumeration, -> strong reference, k=v map.
CONTRACT = {
    "ms_vtep 1.1.1": {
        "Global": "_uuid|cur_cfg integer|db_version string?|managers ->Manager*|next_cfg integer|"
                  "other_config string=string*|switches ->Physical_Switch*",
        "Logical_Binding_Stats": "_uuid|bytes_from_local integer|bytes_to_local integer|"
                                 "packets_from_local integer|packets_to_local integer",
        "Logical_Router": "_uuid|description string|enable_logical_router boolean|name string|"
                          "other_config string=string*|static_routes string=string*|"
                          "switch_binding string=->Logical_Switch*",
        "Logical_Switch": "_uuid|description string|encryption_credential_thumbprint string|"
                          "name string|other_config string=string*|static_routes string=string*|"
                          "tunnel_key integer?",
        "Manager": "_uuid|inactivity_probe integer?|is_connected boolean~|"
                   "max_backoff integer 1000..?|other_config string=string*|"
                   "status string=string*~|target string",
        "Mcast_Macs_Local": SET,
        "Mcast_Macs_Remote": SET,
        "Physical_Locator": "_uuid|bfd string=string*|bfd_status string=string*|dst_ip string!|"
                            "encapsulation_type string {nvgre_over_ipv4,nvgre_over_ipv6,"
                            "vxlan_over_ipv4,vxlan_over_ipv6}!",
        "Physical_Locator_Set": "_uuid|locators ->Physical_Locator+!",
        "Physical_Port": "_uuid|description string|name string|other_config string=string*|"
                         "status string=string*|"
                         "vlan_bindings integer 0..4095=->Logical_Switch*|"
                         "vlan_stats integer 0..4095=->Logical_Binding_Stats*",
        "Physical_Switch": "_uuid|description string|distributed_router_mac string|"
                           "management_ips string*|name string|other_config string=string*|"
                           "ports ->Physical_Port*|tunnel_ips string*",
        "Ucast_Macs_Local": LOCATOR,
        "Ucast_Macs_Remote":
            LOCATOR + "|mapping_type string {default,learning_disabled,load_balanced}!",
    },
    "ms_firewall 1.0.1": {
        "FW_Global": SEQUENCE,
        "FW_Rules": "_uuid|action string {Allow,Block}|direction string {Inbound,Outbound}|"
                    "dst_ip_addresses string|dst_ports string|"
                    "logging_state string {Disabled,Enabled}|priority integer|protocols string|"
                    "rule_id string|rule_state string {Disabled,Enabled}|"
                    "rule_type string {RuleWithAdminPriority,RuleWithControllerPriority}|"
                    "src_ip_addresses string|src_ports string|vnic_id string",
    },
    "ms_service_insertion 1.0.0": {
        "SI_Global": SEQUENCE,
        "SI_Rule": "_uuid|dst_ip_addresses string|dst_ports string|priority integer|"
                   "protocols string|routing_information string|rule_id string|"
                   "rule_type string {MirrorDestinaion,MirrorSource,ServiceInsertion}|"
                   "src_ip_addresses string|src_ports string|vnic_id string",
    },
    "ms_darv 1.1.0": {
        "Global": SEQUENCE,
        "IP_Addresses": "_uuid|address string|dns_servers string*|dns_suffix string|"
                        "is_primary boolean|mask string|routers string*",
        "Ports": "_uuid|enable_ip_forwarding boolean|ip_addresses ->IP_Addresses*|"
                 "is_primary boolean|mac_address string|name string",
        "Switches": "_uuid|name string|vlans integer 0..4095*",
    },
    "hnv_host 1.1.0": {
        "Connection": "_uuid|inactivity_probe integer?|is_connected boolean~|"
                      "max_backoff integer 1000..?|other_config string=string*|"
                      "read_only boolean|role string|status string=string*~|target string",
        "Fault": "_uuid|database string|key string|message string|row uuid|since string|"
                 "table string",
        "Host": "_uuid|connections ->Connection*|cur_cfg integer|next_cfg integer|"
                "settings string=string*|status string=string*~",
        "Learned_MAC": "_uuid|ipaddr string*|logical_switch uuid|mac string|port string|"
                       "vlan integer 0..4095",
        "NAT": "_uuid|external string|internal string*|name string|other_config string=string*|"
               "port string|ports string?|type string {dynamic,static}|vlan integer 1..4094?",
        "Port_Settings": "_uuid|dhcp_guard boolean|flow_limit integer 0..|"
                         "inbound_max_mbps integer 0..?|ip_forwarding_allowed boolean|"
                         "mac_spoofing_allowed boolean|name string|other_config string=string*|"
                         "outbound_max_mbps integer 0..?|provider_address string?|"
                         "router_guard boolean|storm_limit_pps integer 0..",
        "Provider_Address": "_uuid|address string|gateway string?|mac string?|"
                            "status string=string*~|uplink string|vlan integer 1..4094?",
        "RBAC_Permission": "_uuid|authorization string*|insert_delete boolean|table string|"
                           "update string*",
        "RBAC_Role": "_uuid|name string|permissions string=->RBAC_Permission*",
    },
}

# Tables whose rows live without a reference. Where a schema marks no table, all are of that kind.
ROOTS = {
    "ms_vtep": {"Global", "Logical_Router", "Logical_Switch", "Mcast_Macs_Local",
                "Mcast_Macs_Remote", "Ucast_Macs_Local", "Ucast_Macs_Remote"},
    "ms_firewall": {"FW_Global", "FW_Rules"},
    "ms_service_insertion": {"SI_Global", "SI_Rule"},
    "ms_darv": {"Global", "Ports", "Switches"},
    "hnv_host": {"Fault", "Host", "Learned_MAC", "NAT", "Port_Settings", "Provider_Address",
                 "RBAC_Permission", "RBAC_Role"},
}

SINGLE_ROW = {"Global", "FW_Global", "SI_Global", "Host"}

INDEXES = {
    ("ms_vtep", "Manager"): [["target"]],
    ("ms_vtep", "Physical_Switch"): [["name"]],
    ("ms_vtep", "Logical_Switch"): [["name"]],
    ("ms_vtep", "Logical_Router"): [["name"]],
    ("ms_vtep", "Physical_Locator"): [["encapsulation_type", "dst_ip"]],
    ("ms_firewall", "FW_Rules"): [["rule_id", "vnic_id", "rule_type"]],
    ("ms_service_insertion", "SI_Rule"): [["rule_id", "vnic_id"]],
    ("ms_darv", "Ports"): [["name"]],
    ("ms_darv", "Switches"): [["name"]],
    ("hnv_host", "Provider_Address"): [["address"]],
    ("hnv_host", "Port_Settings"): [["name"]],
    ("hnv_host", "NAT"): [["name"]],
    ("hnv_host", "Connection"): [["target"]],
    ("hnv_host", "RBAC_Role"): [["name"]],
    ("hnv_host", "Learned_MAC"): [["logical_switch", "mac"]],
}


def base_text(base):
    if base.ref_table_name:
        arrow = "->" if base.ref_type == "strong" else "~>"
        return arrow + base.ref_table_name
    text = base.type.to_string()
    if base.enum is not None:
        names = sorted(atom.value for atom in base.enum.values)
        text += " {" + ",".join(names) + "}"
    if base.min is not None or base.max is not None:
        low = "" if base.min is None else base.min
        high = "" if base.max is None else base.max
        text += f" {low}..{high}"
    return text


def column_text(column):
    kind = column.type
    text = base_text(kind.key)
    if kind.value:
        text += "=" + base_text(kind.value)
    sizes = {(1, 1): "", (0, 1): "?", (0, sys.maxsize): "*", (1, sys.maxsize): "+"}
    text += sizes[(kind.n_min, kind.n_max)]
    if not column.persistent:
        text += "~"
    if not column.mutable:
        text += "!"
    return f"{column.name} {text}"


def table_lines(table):
    """The table's columns in the order of a dump. _version is not shown there."""
    lines = {name: column_text(column) for name, column in table.columns.items()
             if not name.startswith("_")}
    lines["_uuid"] = "_uuid"
    return [lines[name] for name in sorted(lines)]


def load(database):
    text = ovs.json.from_file(str(SCHEMA_DIR / f"{database}.ovsschema"))
    return ovs.db.schema.DbSchema.from_json(text)


class SchemaTest(unittest.TestCase):
    maxDiff = None

    def schemas(self):
        for key, tables in CONTRACT.items():
            name, version = key.split()
            yield name, version, load(name), tables

    def test_names_and_versions(self):
        for name, version, schema, _ in self.schemas():
            self.assertEqual((schema.name, schema.version), (name, version))

    def test_tables(self):
        for _, _, schema, tables in self.schemas():
            self.assertEqual(sorted(schema.tables), sorted(tables))

    def test_columns_by_position(self):
        for name, _, schema, tables in self.schemas():
            for table, columns in tables.items():
                with self.subTest(f"{name}.{table}"):
                    self.assertEqual(table_lines(schema.tables[table]), columns.split("|"))

    def test_root_tables(self):
        for name, _, schema, _ in self.schemas():
            marked = {table.name for table in schema.tables.values() if table.is_root}
            self.assertEqual(marked or set(schema.tables), ROOTS[name])

    def test_firewall_marks_no_root(self):
        # Exactly as clients see it in get_schema: no table of ms_firewall carries isRoot.
        text = ovs.json.from_file(str(SCHEMA_DIR / "ms_firewall.ovsschema"))
        self.assertFalse([t for t, body in text["tables"].items() if "isRoot" in body])

    def test_single_row_tables(self):
        for _, _, schema, _ in self.schemas():
            single = {t.name for t in schema.tables.values() if t.max_rows == 1}
            self.assertEqual(single, SINGLE_ROW & set(schema.tables))

    def test_indexes(self):
        for name, _, schema, _ in self.schemas():
            for table in schema.tables.values():
                found = [[c.name for c in index] for index in table.indexes]
                self.assertEqual(found, INDEXES.get((name, table.name), []), table.name)

    def test_every_column_is_documented(self):
        for name, _, schema, _ in self.schemas():
            root = xml.dom.minidom.parse(str(SCHEMA_DIR / f"{name}.xml")).documentElement
            self.assertEqual(root.getAttribute("name"), f"hnv-{name}")
            documented = {
                (table.getAttribute("name"), column.getAttribute("name"))
                for table in root.getElementsByTagName("table")
                for column in table.getElementsByTagName("column")}
            columns = {(table.name, column) for table in schema.tables.values()
                       for column in table.columns if not column.startswith("_")}
            self.assertEqual(documented, columns)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        SCHEMA_DIR = pathlib.Path(sys.argv.pop(1))
    unittest.main()
