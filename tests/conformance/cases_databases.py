"""The six databases as they are: schemas, and what their own constraints let in."""

from case import Case, call, delete_all, insert, select, transact, uuid
from servers import OWN_SCHEMAS
from testschema import TABLES

DATABASES = (*OWN_SCHEMAS, "hardware_vtep")
SUBNET = insert("Logical_Switch", {"name": "5001", "tunnel_key": 5001}, uuid=1)
LOCATOR = insert("Physical_Locator", {"encapsulation_type": "vxlan_over_ipv4",
                                      "dst_ip": "192.0.2.7"}, uuid=2)
MAPPING = insert("Ucast_Macs_Remote", {
    "MAC": "02:00:00:00:00:01", "ipaddr": "10.1.1.1", "mapping_type": "default",
    "logical_switch": uuid(1), "locator": uuid(2)}, uuid=3)
RULE = {"rule_id": "r", "vnic_id": "v", "rule_type": "RuleWithAdminPriority", "action": "Allow",
        "direction": "Inbound", "rule_state": "Enabled", "logging_state": "Disabled"}


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def defaults(database, table):
    return Case(f"{database}: {table} with nothing but defaults",
                transact(database, insert(table, {}, uuid=1)), transact(database, select(table)))


CASES = [
    Case("list_dbs", call("list_dbs")),
    *(Case(f"get_schema: {database}", call("get_schema", database))
      for database in (*DATABASES, "_Server")),
    Case("_Server: what there is", transact("_Server", select("Database", columns=[
        "name", "model", "connected", "leader", "schema", "cid", "sid", "index"]))),
    Case("_Server: monitored", call("monitor_cond", "_Server", "m", {"Database": [
        {"columns": ["name", "model", "connected", "leader", "schema", "cid", "sid", "index"]}]})),
    Case("_Server: written to", transact("_Server", insert("Database", {"name": "x"})),
         transact("_Server", delete_all("Database")), transact("_Server", select(
             "Database", columns=["name"]))),
    Case("convert: _Server", call("convert", "_Server", {})),
    *(defaults(database, table) for database, tables in TABLES.items() for table in tables),
    Case("ms_vtep: a mapping and what it takes", transact("ms_vtep", SUBNET, LOCATOR, MAPPING),
         transact("ms_vtep", select("Ucast_Macs_Remote"), select("Physical_Locator"))),
    Case("ms_vtep: a locator that nothing refers to goes", transact("ms_vtep", LOCATOR),
         transact("ms_vtep", select("Physical_Locator"))),
    Case("ms_vtep: a locator goes with its last mapping",
         transact("ms_vtep", SUBNET, LOCATOR, MAPPING),
         transact("ms_vtep", delete_all("Ucast_Macs_Remote")),
         transact("ms_vtep", select("Physical_Locator"))),
    Case("ms_vtep: a subnet in use", transact("ms_vtep", SUBNET, LOCATOR, MAPPING),
         transact("ms_vtep", delete_all("Logical_Switch"))),
    Case("ms_vtep: mapping_type is immutable", transact("ms_vtep", SUBNET, LOCATOR, MAPPING),
         transact("ms_vtep", update("Ucast_Macs_Remote", [], mapping_type="load_balanced"))),
    Case("ms_vtep: a locator is immutable", transact("ms_vtep", SUBNET, LOCATOR, MAPPING),
         transact("ms_vtep", update("Physical_Locator", [], dst_ip="192.0.2.8"))),
    Case("ms_vtep: the same locator twice", transact("ms_vtep", SUBNET, LOCATOR, MAPPING, insert(
        "Physical_Locator", {"encapsulation_type": "vxlan_over_ipv4", "dst_ip": "192.0.2.7"},
        uuid_name="other"), insert("Ucast_Macs_Remote", {
            "logical_switch": uuid(1), "locator": ["named-uuid", "other"]}))),
    Case("ms_vtep: a mapping to nothing", transact("ms_vtep", MAPPING)),
    Case("ms_vtep: an unknown encapsulation", transact("ms_vtep", insert(
        "Physical_Locator", {"encapsulation_type": "vxlan", "dst_ip": "192.0.2.7"}))),
    Case("ms_vtep: a set of no locators", transact("ms_vtep", SUBNET, insert(
        "Physical_Locator_Set", {}, uuid_name="set"), insert("Mcast_Macs_Remote", {
            "logical_switch": uuid(1), "locator_set": ["named-uuid", "set"]}))),
    Case("ms_vtep: a second Global", transact("ms_vtep", insert("Global", {}))),
    Case("ms_vtep: a Manager's backoff too small", transact("ms_vtep", insert(
        "Manager", {"target": "ptcp:0", "max_backoff": 999}))),
    Case("ms_vtep: switch_binding", transact("ms_vtep", SUBNET, insert("Logical_Router", {
        "name": "r", "switch_binding": ["map", [["10.1.1.0/24", uuid(1)]]]}, uuid=5)),
        transact("ms_vtep", delete_all("Logical_Switch")),
        transact("ms_vtep", delete_all("Logical_Router"), delete_all("Logical_Switch"))),
    Case("ms_firewall: rules and their index", transact("ms_firewall", insert("FW_Rules", RULE, uuid=1)),
         transact("ms_firewall", insert("FW_Rules", RULE, uuid=2)),
         transact("ms_firewall", insert("FW_Rules", {**RULE, "vnic_id": "w", "priority": 5}, uuid=3)),
         transact("ms_firewall", insert("FW_Rules", {**RULE, "action": "allow", "vnic_id": "x"})),
         transact("ms_firewall", select("FW_Rules")),
         transact("ms_firewall", update("FW_Rules", [], vnic_id="w"))),
    Case("ms_firewall: a second FW_Global", transact("ms_firewall", insert("FW_Global", {}))),
    Case("ms_service_insertion: the spelling of MirrorDestinaion",
         transact("ms_service_insertion", insert("SI_Rule", {"rule_type": "MirrorDestinaion"})),
         transact("ms_service_insertion", insert("SI_Rule", {"rule_type": "MirrorDestination"})),
         transact("ms_service_insertion", select("SI_Rule"))),
    Case("ms_darv: a port and its addresses", transact("ms_darv", insert(
        "IP_Addresses", {"address": "10.1.1.1", "mask": "24"}, uuid_name="a"), insert("Ports", {
            "name": "p", "ip_addresses": ["named-uuid", "a"]})),
        transact("ms_darv", select("IP_Addresses")), transact("ms_darv", delete_all("Ports")),
        transact("ms_darv", select("IP_Addresses"))),
    Case("ms_darv: VLANs of a switch", transact("ms_darv", insert(
        "Switches", {"name": "s", "vlans": ["set", [0, 4095]]})),
        transact("ms_darv", insert("Switches", {"name": "t", "vlans": ["set", [4096]]})),
        transact("ms_darv", select("Switches"))),
    Case("hnv_host: bounds", transact("hnv_host", insert("Port_Settings", {
        "name": "p", "storm_limit_pps": -1})), transact("hnv_host", insert("Provider_Address", {
            "address": "192.0.2.1/24", "vlan": 4095})), transact("hnv_host", insert("NAT", {
                "name": "n", "type": "other"}))),
    Case("hardware_vtep: a switch with a tunnel key, twice",
         transact("hardware_vtep", insert("Logical_Switch", {"name": "x", "tunnel_key": 1})),
         transact("hardware_vtep", insert("Logical_Switch", {"name": "x"})),
         transact("hardware_vtep", select("Logical_Switch"))),
    Case("hardware_vtep: an ACL's sequence", transact("hardware_vtep", insert(
        "ACL_entry", {"sequence": 1, "action": "permit"}, uuid=1), insert(
            "ACL", {"acl_name": "x", "acl_entries": uuid(1)})),
        transact("hardware_vtep", insert("ACL_entry", {"sequence": 0, "action": "maybe"})),
        transact("hardware_vtep", delete_all("ACL_entry")),
        transact("hardware_vtep", select("ACL_entry", columns=["sequence", "action"]))),
    Case("hardware_vtep: monitored like networking-l2gw does", call("monitor", "hardware_vtep", None, {
        table: {"select": {"initial": True, "insert": True, "delete": True, "modify": True}}
        for table in ("Logical_Switch", "Ucast_Macs_Remote", "Physical_Locator")}),
        transact("hardware_vtep", insert("Logical_Switch", {"name": "x"}, uuid=1), on="b"),
        transact("hardware_vtep", delete_all("Logical_Switch"), on="b")),
    # What the two differ in: see differences.py.
    Case("diagnostics: a write", transact("ms_vtep", insert("Logical_Router", {"name": "x"}),
                                          on="readonly"),
         transact("ms_vtep", select("Logical_Router"), on="b")),
    Case("ownership: a column of the agent's",
         transact("hnv_host", update("Host", [], cur_cfg=7)),
         transact("hnv_host", {"op": "wait", "table": "Host", "where": [], "columns": ["cur_cfg"],
                               "until": "==", "rows": [{"cur_cfg": 0}], "timeout": 3000})),
    Case("diagnostics: a read", transact("ms_vtep", select("Logical_Router"), on="readonly"),
         call("list_dbs", on="readonly"), call("monitor", "ms_vtep", 1, {"Logical_Router": {}},
                                               on="readonly"),
         transact("ms_vtep", insert("Logical_Router", {"name": "x"}), on="b")),
]
