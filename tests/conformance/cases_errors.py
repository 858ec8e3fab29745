"""What is refused, and in which words: RFC 7047 sections 3.1 and 5.2."""

from case import Case, call, delete_all, insert, select, transact, uuid
from testschema import DATABASE

# Each operation as it should be, without "op".
GOOD = {
    "insert": {"table": "Leaf", "row": {"name": "x"}},
    "select": {"table": "Leaf", "where": []},
    "update": {"table": "Leaf", "where": [], "row": {"name": "x"}},
    "mutate": {"table": "Types", "where": [], "mutations": []},
    "delete": {"table": "Leaf", "where": []},
    "wait": {"table": "Leaf", "where": [], "columns": ["name"], "until": "==", "rows": [],
             "timeout": 0},
    "commit": {"durable": False},
    "abort": {},
    "comment": {"comment": "x"},
    "assert": {"lock": "x"},
}
WRONG = (None, True, 1, 1.5, "", "x", "_x", "0", [], ["x"], {}, {"x": 1}, [[]], ["set", []])


def do(*operations):
    return transact(DATABASE, *operations)


def without(name, member):
    return {"op": name, **{key: value for key, value in GOOD[name].items() if key != member}}


MEMBERS = [
    *(Case(f"{name}: without \"{member}\"", do(without(name, member)))
      for name, members in GOOD.items() for member in members),
    *(Case(f"{name}: \"{member}\" is something else",
           *(do({"op": name, **GOOD[name], member: value}) for value in WRONG))
      for name, members in GOOD.items() for member in members),
    *(Case(f"{name}: a member that nobody knows", do({"op": name, **GOOD[name], "more": 1}))
      for name in GOOD),
    Case("operation: not an object", *(do(value) for value in (None, 1, "insert", [], True))),
    Case("operation: no name", do({}), do({"table": "Leaf"})),
    Case("operation: an unknown name", *(do({"op": name}) for name in ("", "Insert", "none", "_x"))),
    Case("operation: its name is something else", *(do({"op": value}) for value in WRONG)),
]

INSERTS = [
    Case("insert: an unknown table", do(insert("None", {})), do(insert("leaf", {}))),
    Case("insert: an unknown column", do(insert("Leaf", {"none": 1}))),
    Case("insert: _uuid and _version are nobody's", do(insert("Leaf", {"_uuid": uuid(1)})),
         do(insert("Leaf", {"_version": uuid(1)}))),
    Case("insert: uuid-name twice", do(insert("Leaf", {}, uuid_name="x"),
                                       insert("Leaf", {}, uuid_name="x"))),
    Case("insert: uuid-name that is no id",
         *(do(insert("Leaf", {}, uuid_name=name)) for name in WRONG + ("a b", "a-b", "\u00e4"))),
    Case("insert: uuid that is none", *(do({"op": "insert", "table": "Leaf", "row": {},
                                            "uuid": value}) for value in WRONG)),
    Case("insert: uuid that is there", do(insert("Leaf", {}, uuid=1)), do(insert("Leaf", {}, uuid=1)),
         do(insert("Leaf", {}, uuid=2), insert("Leaf", {}, uuid=2))),
    Case("insert: uuid that is there in another table", do(insert("Leaf", {}, uuid=1)),
         do(insert("Three", {}, uuid=1))),
    Case("insert: a named-uuid of nobody", do(insert("Parent", {"leaves": ["named-uuid", "x"]})),
         do(insert("Types", {"uuid": ["named-uuid", "x"]}))),
    Case("insert: a named-uuid of another table", do(
        insert("Three", {}, uuid_name="x"), insert("Parent", {"leaves": ["named-uuid", "x"]}))),
]


def values(column, *wrong, table="Types"):
    return Case(f"values: that {table}.{column} does not take",
                *(do(insert(table, {column: value})) for value in wrong))


VALUES = [
    values("integer", "1", True, None, 1.5, 1e30, 9223372036854775808, -9223372036854775809,
           [], {}, ["set", []], ["set", [1, 2]], ["set", "x"], ["set"], ["set", [1], 2],
           ["map", []], ["uuid", "x"], ["none", []], [1]),
    values("real", "1", True, None, [], ["set", [1, "x"]]),
    values("boolean", 0, 1, "true", None, ["set", [True, False]]),
    values("string", 1, True, None, ["uuid", "x"], ["set", ["a", "b"]]),
    values("uuid", "x", 1, ["uuid"], ["uuid", 1], ["uuid", "x"], ["uuid", "x", "y"],
           ["uuid", "00000000-0000-0000-0000-00000000000"], ["named-uuid", 1], ["named-uuid", "x y"],
           ["uuid", "0000000G-0000-0000-0000-000000000000"],
           ["uuid", "{00000000-0000-0000-0000-000000000000}"]),
    values("integer_set", ["set", [1, "x"]], ["set", {}], ["set", [["set", [1]]]], ["map", [[1, 2]]]),
    values("string_map", ["map", [["a"]]], ["map", [["a", "b", "c"]]], ["map", ["a", "b"]],
           ["map", [["a", 1]]], ["map", [[1, "a"]]], ["map", {}], ["map", [["a", "b"], ["a", "c"]]],
           ["map", [["a", "b"], ["a", "b"]]], {"a": "b"}, "a", ["set", ["a"]]),
    values("integer_map", ["map", [["a", "1"]]], ["map", [["a", 1.5]]]),
]

NOT_THERE = [
    Case("unknown table: every operation",
         *(do({"op": name, **members, "table": "None"})
           for name, members in GOOD.items() if "table" in members)),
    Case("unknown column: select", do(select("Leaf", columns=["none"]))),
    Case("unknown column: update", do({"op": "update", "table": "Leaf", "where": [],
                                       "row": {"none": 1}})),
    Case("unknown column: update without rows to change", do(delete_all("Leaf")),
         do({"op": "update", "table": "Leaf", "where": [], "row": {"_uuid": uuid(1)}})),
    Case("unknown column: wait", do({**GOOD["wait"], "op": "wait", "columns": ["none"]}),
         do({**GOOD["wait"], "op": "wait", "rows": [{"none": 1}]})),
    Case("update: a row with an error among several",
         do(insert("Types", {"integer": 1}), insert("Types", {"integer": 2})),
         do({"op": "update", "table": "Types", "where": [], "row": {"integer": "x"}}),
         do(select("Types"))),
    Case("mutate: not well formed",
         *(do({"op": "mutate", "table": "Types", "where": [], "mutations": mutations})
           for mutations in ([None], [[]], [["integer"]], [["integer", "+="]],
                             [["integer", "+=", 1, 2]], [[1, "+=", 1]], [["integer", 1, 1]],
                             [["none", "+=", 1]], [["integer", "++", 1]], [["integer", "+=", "1"]],
                             [["integer", "+=", ["set", [1, 2]]]], [["integer", "+=", None]],
                             [["integer", "+=", 1.5]], [["real", "+=", 1.5]], {}, "x", None))),
]

PARAMETERS = [
    Case("transact: no parameters", call("transact")),
    Case("transact: the database is something else",
         *(call("transact", value) for value in WRONG + ("none", "Open_vSwitch", "MS_DARV"))),
    Case("get_schema: parameters", call("get_schema"), *(call("get_schema", v) for v in WRONG),
         call("get_schema", DATABASE, "more")),
    Case("list_dbs: parameters", call("list_dbs", "x"), call("list_dbs", None, {})),
    Case("echo: what is sent comes back", call("echo"), call("echo", None, 1, "x", [], {"a": [1]}),
         call("echo", "\u00e4\u0001", 1e300, -0.5, 9223372036854775807)),
    Case("get_server_id", call("get_server_id"), call("get_server_id", "x")),
    Case("set_db_change_aware", call("set_db_change_aware", True), call("set_db_change_aware"),
         call("set_db_change_aware", 1), call("set_db_change_aware", True, False),
         call("set_db_change_aware", False)),
    Case("unknown methods", *(call(name) for name in
                              ("", "none", "Transact", "monitor_none", "transact ", "_x", "reset"))),
    Case("methods of notifications, sent as requests",
         *(call(name, None, {}) for name in ("update", "update2", "update3", "locked", "stolen"))),
]

CASES = MEMBERS + INSERTS + VALUES + NOT_THERE + PARAMETERS
