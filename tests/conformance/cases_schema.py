"""get_schema of and convert to a schema with all that a schema can have. The last ones: they
convert the database again."""

import copy

from case import Case, after, await_reply, call, insert, select, send, transact
from testschema import DATABASE, EXTENDED, a_set, reference


def changed(change):
    schema = copy.deepcopy(EXTENDED)
    change(schema)
    return schema


def added(name, definition):
    return changed(lambda schema: schema["tables"]["Leaf"]["columns"].update({name: definition}))


def tables(**more):
    return changed(lambda schema: schema["tables"].update(more))


def refused(name, schema):
    return Case(f"convert: {name}", call("convert", DATABASE, schema), call("echo", "still"))


MORE = added("more", {"type": "integer"})
AWARE = call("set_db_change_aware", True)
WAITING = {"op": "wait", "table": "Leaf", "where": [], "columns": ["name"], "until": "==",
           "rows": [{"name": "x"}]}

CASES = [
    Case("get_schema: the extended one", call("get_schema", DATABASE)),
    refused("no schema", None),
    refused("an empty one", {}),
    refused("no tables", {"name": DATABASE, "version": "1.1.0", "tables": {}}),
    refused("another name", {**EXTENDED, "name": "other"}),
    refused("a version that is none", {**EXTENDED, "version": "one"}),
    refused("a member that nobody knows", {**EXTENDED, "more": 1}),
    refused("a table's name", tables(_x={"columns": {"a": {"type": "string"}}})),
    refused("a table without columns", tables(Empty={"columns": {}})),
    refused("a column's name", added("_more", {"type": "integer"})),
    refused("a type that nobody knows", added("more", {"type": "number"})),
    refused("a reference to no table", added("more", a_set(reference("None")))),
    refused("an optional map key of two types", added("more", {"type": {"key": ["x", "y"]}})),
    refused("min above 1", added("more", {"type": {"key": "integer", "min": 2, "max": 3}})),
    refused("max of nothing", added("more", {"type": {"key": "integer", "min": 0, "max": 0}})),
    refused("bounds upside down", added("more", {"type": {"key": {
        "type": "integer", "minInteger": 3, "maxInteger": 1}}})),
    refused("an enum of nothing", added("more", {"type": {"key": {
        "type": "string", "enum": ["set", []]}}})),
    refused("an enum with bounds", added("more", {"type": {"key": {
        "type": "integer", "enum": ["set", [1]], "minInteger": 1}}})),
    refused("an index over nothing", changed(lambda s: s["tables"]["Leaf"].update(indexes=[[]]))),
    refused("an index over an unknown column",
            changed(lambda s: s["tables"]["Leaf"].update(indexes=[["none"]]))),
    refused("an index over an ephemeral column",
            changed(lambda s: s["tables"]["Bounded"].update(indexes=[["passing"]]))),
    refused("maxRows of nothing", changed(lambda s: s["tables"]["Leaf"].update(maxRows=0))),
    Case("convert: parameters", call("convert"), call("convert", DATABASE),
         call("convert", "none", {}), call("convert", DATABASE, EXTENDED, 1)),
    Case("convert: rows that a new index forbids",
         transact(DATABASE, insert("Leaf", {"name": "x"}), insert("Leaf", {"name": "x"})),
         AWARE, call("convert", DATABASE, changed(
             lambda s: s["tables"]["Leaf"].update(indexes=[["name"]]))),
         transact(DATABASE, select("Leaf", columns=["name"]))),
    Case("convert: to what it is", AWARE, call("convert", DATABASE, EXTENDED),
         call("get_schema", DATABASE)),
    Case("convert: keeps the rows", AWARE,
         transact(DATABASE, insert("Leaf", {"name": "x"}, uuid=1),
                  insert("Bounded", {"colour": "red", "passing": 7}, uuid=2)),
         call("convert", DATABASE, MORE), transact(DATABASE, select("Leaf"), select("Bounded")),
         call("convert", DATABASE, EXTENDED), transact(DATABASE, select("Leaf"))),
    Case("convert: who does not know of changes is cut off",
         transact(DATABASE, select("Leaf"), on="plain"), call("set_db_change_aware", True, on="aware"),
         AWARE, call("convert", DATABASE, MORE), call("echo", on="aware"),
         call("convert", DATABASE, EXTENDED)),
    Case("convert: monitors are cancelled", call("set_db_change_aware", True, on="m"), AWARE,
         call("monitor_cond", DATABASE, "m", {"Leaf": [{}]}, on="m"),
         call("monitor", "ms_vtep", "other", {"Logical_Router": {}}, on="m"),
         call("convert", DATABASE, MORE), transact(DATABASE, insert("Leaf", {"more": 1})),
         call("monitor_cond", DATABASE, "m", {"Leaf": [{}]}, on="m"),
         call("convert", DATABASE, EXTENDED)),
    Case("convert: _Server tells of the new schema", call("set_db_change_aware", True, on="m"), AWARE,
         call("monitor_cond", "_Server", "m", {"Database": [{"columns": ["name", "schema"]}]}, on="m"),
         call("convert", DATABASE, MORE), after(50, call("echo", on="m")),
         call("convert", DATABASE, EXTENDED), after(50, call("echo", on="m"))),
    Case("convert: a transaction that waits goes on", AWARE,
         send("w", "transact", DATABASE, {**WAITING, "timeout": 20000}),
         call("convert", DATABASE, MORE), transact(DATABASE, insert("Leaf", {"name": "x"})),
         await_reply("w"), call("convert", DATABASE, EXTENDED)),
    # What the two differ in: see differences.py.
    Case("diagnostics: convert", call("convert", DATABASE, EXTENDED, on="readonly")),
]
