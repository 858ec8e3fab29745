"""What stock VTEP controllers say to an OVSDB server, message by message, and a player of it.

The sequences are those of OpenStack's networking-l2gw (its agent's OVSDB client) and of
OpenDaylight's hwvtepsouthbound: which methods they call in which order, with which parameters, and
what they need of the answers. A script is a list of `Call`; "$NAME" in its parameters is what the
caller gave, or what an answer before had.
"""

import json
import socket
import time
from dataclasses import dataclass, field

DATABASE = "hardware_vtep"
ANYTHING = object()  # In an expected answer.
UUID = ("uuid",)  # The same: ["uuid", …].


@dataclass(frozen=True)
class Call:
    about: str
    method: str
    params: object
    answer: object = ANYTHING
    # What is remembered: name → the way to it in the answer, (index or key, …).
    keep: dict = field(default_factory=dict)


class BraceFramer:
    """Cuts a stream into messages as networking-l2gw does: by counting braces, wherever they are,
    but for those behind a backslash. An unbalanced one in a string would be its end."""

    def __init__(self):
        self._open = self._closed = 0
        self._before = ""
        self._text = []

    def feed(self, text):
        messages = []
        for character in text:
            self._text.append(character)
            if self._before != "\\":
                self._open += character == "{"
                self._closed += character == "}"
            self._before = character
            if self._closed > self._open:
                raise ValueError("more braces are closed than were opened")
            if self._open and self._open == self._closed:
                messages.append("".join(self._text))
                self._text.clear()
                self._open = self._closed = 0
        return messages


class Session:
    """One connection of a controller's, whoever began it; messages go out as they are."""

    def __init__(self, connection, timeout=10.0):
        self._socket = connection
        self._socket.settimeout(timeout)
        self._framer = BraceFramer()
        self._received = []
        self._number = 0
        self.updates = []  # Parameters of each `update` so far.
        self.echoes = 0  # Asked by the server, and answered.
        self.slowest = 0.0  # Seconds that the slowest call took.

    def close(self):
        self._socket.close()

    def send(self, message):
        self._socket.sendall(json.dumps(message).encode())

    def receive(self):
        """The next message of the server's."""
        while not self._received:
            chunk = self._socket.recv(4096)
            if not chunk:
                raise ConnectionError("the server has closed the connection")
            self._received += [json.loads(text) for text in self._framer.feed(chunk.decode())]
        return self._received.pop(0)

    def answer_echo(self, message):
        self.echoes += 1
        self.send({"result": message["params"], "error": None, "id": message["id"]})

    def _take(self, message):
        """Deals with what is no answer."""
        if message["method"] == "echo":
            self.answer_echo(message)
        elif message["method"] == "update":
            self.updates.append(message["params"])
        else:
            raise AssertionError(f"neither controller knows this: {message}")

    def call(self, method, params):
        """The result of a request; its id is text, as both controllers have it."""
        self._number += 1
        identity = f"{7_000_000_000_000_000_000 + self._number}"
        began = time.monotonic()
        self.send({"method": method, "params": params, "id": identity})
        while "method" in (message := self.receive()):
            self._take(message)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if message["id"] != identity or message["error"] is not None:
            raise AssertionError(f"{method} of {params} is answered {message}")
        return message["result"]

    def wait_for_first_echo(self):
        """As networking-l2gw does when it was dialled: it says nothing before it was asked for an
        echo, and takes what comes first for one whole message."""
        message = json.loads(self._socket.recv(4096))
        assert message["method"] == "echo", message
        self.answer_echo(message)

    def wait_for_update(self, matches, what):
        """Until a row of some update satisfies matches(table, {"old": …, "new": …})."""
        while True:
            for _, tables in self.updates:
                for table, rows in tables.items():
                    for change in rows.values():
                        if matches(table, change):
                            return change
            try:
                message = self.receive()
            except socket.timeout:
                raise AssertionError(f"no update says: {what}; there were {self.updates}") from None
            self._take(message)


def fill(value, names):
    """`value` with "$NAME" replaced."""
    if isinstance(value, str) and value.startswith("$"):
        return names[value[1:]]
    if isinstance(value, list):
        return [fill(each, names) for each in value]
    if isinstance(value, dict):
        return {fill(key, names): fill(each, names) for key, each in value.items()}
    return value


def agrees(expected, answer):
    """Whether an answer is as expected; of an object, the keys that are expected."""
    if expected is ANYTHING:
        return True
    if expected is UUID:
        return isinstance(answer, list) and len(answer) == 2 and answer[0] == "uuid"
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(
            map(agrees, expected, answer))
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(
            key in answer and agrees(each, answer[key]) for key, each in expected.items())
    return expected == answer


def play(session, script, names):
    """Plays the calls of a script; `names` grows by what they keep."""
    for call in script:
        result = session.call(call.method, fill(call.params, names))
        expected = fill(call.answer, names)
        if not agrees(expected, result):
            raise AssertionError(f"{call.about}: the answer is {result}, expected {expected}")
        for name, way in call.keep.items():
            found = result
            for part in way:
                found = found[part]
            names[name] = found


def row_named(contents, table, name):
    """The UUID of a row in a monitor's first answer, or in an update, by its column `name`."""
    return next(uuid for uuid, row in contents[table].items() if row["new"]["name"] == name)


def transaction(*operations):
    return [DATABASE, *operations]


def insert(table, row, name=None):
    operation = {"op": "insert", "table": table, "row": row}
    return {**operation, "uuid-name": name} if name else operation


def by_uuid(uuid):
    return [["_uuid", "==", ["uuid", uuid]]]


# --- networking-l2gw ------------------------------------------------------------------------------
#
# Its monitor names tables and no column, and its id is null. Each write is one transaction that
# ends in a durable commit, on a connection of its own unless it was dialled.

_COMMIT = {"op": "commit", "durable": True}
_ALL = {"select": {"initial": True, "insert": True, "delete": True, "modify": True}}
L2GW_TABLES = ("Logical_Switch", "Physical_Switch", "Physical_Port", "Ucast_Macs_Local",
               "Ucast_Macs_Remote", "Physical_Locator", "Mcast_Macs_Local",
               "Physical_Locator_Set")


def _l2gw_locator(address, name):
    return insert("Physical_Locator",
                  {"dst_ip": address, "encapsulation_type": "vxlan_over_ipv4"}, name)


def _l2gw_mac(mac, address, locator, switch, name):
    return insert("Ucast_Macs_Remote", {"MAC": mac, "ipaddr": address, "locator": locator,
                                        "logical_switch": switch}, name)


def _l2gw_bind(change, switch):
    return {"op": "mutate", "table": "Physical_Port", "where": by_uuid("$port"),
            "mutations": [["vlan_bindings", change, ["map", [[0, switch]]]]]}


L2GW_MONITOR = [Call("it asks for all rows of its tables", "monitor",
                     [DATABASE, None, {table: [_ALL] for table in L2GW_TABLES}])]

# $port, $switch_name, $vni; $mac and $ip of a machine behind $pa.
L2GW_CONNECT = [Call(
    "a network with a machine on it is connected to a port", "transact",
    transaction(
        insert("Logical_Switch", {"description": "of a network", "name": "$switch_name",
                                  "tunnel_key": "$vni"}, "a1201"),
        _l2gw_locator("$pa", "a1202"),
        _l2gw_mac("$mac", "$ip", ["named-uuid", "a1202"], ["named-uuid", "a1201"], "a1203"),
        _l2gw_bind("insert", ["named-uuid", "a1201"]),
        _COMMIT),
    answer=[{"uuid": UUID}, {"uuid": UUID}, {"uuid": UUID}, {"count": 1}, {}],
    keep={"switch": (0, "uuid", 1), "locator": (1, "uuid", 1)})]

# $second_mac and $second_ip of a machine behind the same locator.
L2GW_ADD_MAC = [Call(
    "another machine comes up", "transact",
    transaction(_l2gw_mac("$second_mac", "$second_ip", ["uuid", "$locator"], ["uuid", "$switch"],
                          "a1204"), _COMMIT),
    answer=[{"uuid": UUID}, {}], keep={"second": (0, "uuid", 1)})]

# It has moved to the node with $other_pa.
L2GW_MOVE_MAC = [Call(
    "a machine moves to another node", "transact",
    transaction(_l2gw_locator("$other_pa", "a1205"),
                {"op": "update", "table": "Ucast_Macs_Remote", "where": by_uuid("$second"),
                 "row": {"locator": ["named-uuid", "a1205"]}}, _COMMIT),
    answer=[{"uuid": UUID}, {"count": 1}, {}])]

L2GW_DISCONNECT = [Call(
    "the port is taken off", "transact",
    transaction(_l2gw_bind("delete", ["uuid", "$switch"]), _COMMIT),
    answer=[{"count": 1}, {}])]

L2GW_DELETE = [
    Call("the machines go", "transact",
         transaction(*({"op": "delete", "table": "Ucast_Macs_Remote",
                        "where": [["MAC", "==", mac],
                                  ["logical_switch", "==", ["uuid", "$switch"]]]}
                       for mac in ("$mac", "$second_mac")), _COMMIT),
         answer=[{"count": 1}, {"count": 1}, {}]),
    Call("the network goes", "transact",
         transaction({"op": "delete", "table": "Logical_Switch", "where": by_uuid("$switch")},
                     _COMMIT),
         answer=[{"count": 1}, {}])]


# --- OpenDaylight ---------------------------------------------------------------------------------
#
# It gives each call a second. Columns come from the schema that it was given, with _uuid among
# them; in a select also _version. Names of new rows begin with their table's.

ODL_FIRST = [
    Call("is anybody there", "echo", [], answer=[]),
    Call("which databases are there", "list_dbs", [], keep={"databases": ()}),
    Call("the schema", "get_schema", [DATABASE], answer={"name": DATABASE},
         keep={"tables": ("tables",)})]


def odl_select_everything(tables):
    """All of each table, as it reconciles what it has with what the device has."""
    return [Call(f"all of {table}", "transact",
                 transaction({"op": "select", "table": table, "where": [],
                              "columns": [*schema["columns"], "_uuid", "_version"]}),
                 answer=[{"rows": ANYTHING}], keep={f"rows of {table}": (0, "rows")})
            for table, schema in tables.items()]


def odl_monitor_everything(tables, identity):
    wanted = {}
    for table, schema in tables.items():
        if table != "Logical_Binding_Stats":
            columns = set(schema["columns"]) - ({"status"} if table == "Manager" else set())
            wanted[table] = {"columns": sorted(columns | {"_uuid"}), **_ALL}
    return [Call("a monitor of all tables", "monitor", [DATABASE, identity, wanted],
                 keep={"contents": ()})]


def _comment(text):
    return {"op": "comment", "comment": text}


ODL_SWITCH = [Call(
    "a logical switch", "transact",
    transaction(insert("Logical_Switch", {"name": "$switch_name", "description": "",
                                          "tunnel_key": ["set", ["$vni"]],
                                          "replication_mode": ["set", ["source_node"]]},
                       "LogicalSwitch_office"),
                _comment("Logical Switch: Creating office")),
    answer=[{"uuid": UUID}, {}], keep={"switch": (0, "uuid", 1)})]

ODL_MACS = [Call(
    "the machines, and where what is unknown goes", "transact",
    transaction(
        insert("Physical_Locator", {"dst_ip": "$pa", "encapsulation_type": "vxlan_over_ipv4"},
               "PhysicalLocator_5f0c"),
        insert("Ucast_Macs_Remote", {"MAC": "$mac", "ipaddr": "$ip",
                                     "logical_switch": ["uuid", "$switch"],
                                     "locator": ["named-uuid", "PhysicalLocator_5f0c"]}),
        insert("Physical_Locator_Set",
               {"locators": ["set", [["named-uuid", "PhysicalLocator_5f0c"]]]},
               "PhysicalLocatorSet_77a1"),
        insert("Mcast_Macs_Remote", {"MAC": "unknown-dst", "logical_switch": ["uuid", "$switch"],
                                     "locator_set": ["named-uuid", "PhysicalLocatorSet_77a1"]})),
    answer=[{"uuid": UUID}] * 4, keep={"locator": (0, "uuid", 1), "group": (3, "uuid", 1)})]

ODL_PORT = [Call(
    "the port's bindings, all of them", "transact",
    transaction({"op": "update", "table": "Physical_Port",
                 "row": {"name": "$port_name",
                         "vlan_bindings": ["map", [[0, ["uuid", "$switch"]]]]},
                 "where": [["name", "==", "$port_name"]]},
                _comment("Physical Port: Updating")),
    answer=[{"count": 1}, {}])]

ODL_UNBIND = [Call(
    "the port's bindings", "transact",
    transaction({"op": "update", "table": "Physical_Port",
                 "row": {"name": "$port_name", "vlan_bindings": ["map", []]},
                 "where": [["name", "==", "$port_name"]]}),
    answer=[{"count": 1}])]

ODL_DELETE = [
    Call("the machines, all of the switch", "transact",
         transaction({"op": "delete", "table": "Ucast_Macs_Remote",
                      "where": [["logical_switch", "==", ["uuid", "$switch"]]]},
                     {"op": "delete", "table": "Mcast_Macs_Remote", "where": by_uuid("$group")}),
         answer=[{"count": 1}, {"count": 1}]),
    Call("the switch", "transact",
         transaction({"op": "delete", "table": "Logical_Switch", "where": by_uuid("$switch")}),
         answer=[{"count": 1}])]
