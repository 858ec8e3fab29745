"""monitor_cond, monitor_cond_change, monitor_cond_since: ovsdb-server(7), sections 4.1.12 on."""

from case import Case, call, delete_all, insert, transact, uuid
from normalise import fixed_uuid
from testschema import DATABASE


def do(*operations, on="a"):
    return transact(DATABASE, *operations, on=on)


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def watch(requests, identity="m", on="m"):
    return call("monitor_cond", DATABASE, identity, requests, on=on)


def since(requests, last, identity="m", on="m"):
    return call("monitor_cond_since", DATABASE, identity, requests, last, on=on)


def change(requests, old="m", new="m", on="m"):
    return call("monitor_cond_change", old, new, requests, on=on)


def where(*conditions, table="Leaf", **more):
    return {table: [{"where": list(conditions), **more}]}


def leaf(name, number):
    return insert("Leaf", {"name": name}, uuid=number)


IS_A, IS_B = ["name", "==", "a"], ["name", "==", "b"]
LIFE = (
    do(leaf("a", 1), leaf("b", 2), leaf("c", 3)),
    do(update("Leaf", [IS_A], name="b")),
    do(update("Leaf", [["name", "==", "c"]], name="a")),
    do({"op": "delete", "table": "Leaf", "where": [IS_B]}),
    do(delete_all("Leaf")),
)
TYPES = {"integer": 1, "real": 0.5, "boolean": True, "string": "x", "uuid": uuid(5),
         "integer_optional": 4, "integer_set": ["set", [1, 2]], "string_set": ["set", ["a", "b"]],
         "string_map": ["map", [["a", "b"], ["c", "d"]]], "integer_map": ["map", [["x", 1]]]}
OTHER = {"integer": 2, "real": 1.5, "boolean": False, "string": "y", "uuid": uuid(6),
         "integer_optional": ["set", []], "integer_set": ["set", [2, 3]],
         "string_set": ["set", ["b", "c", "d"]], "string_map": ["map", [["a", "x"], ["e", "f"]]],
         "integer_map": ["map", []]}
ZERO = "00000000-0000-0000-0000-000000000000"


def by_type(column, function, value):
    return Case(f"monitor_cond: where {column} {function} {value}",
                do(insert("Types", TYPES, uuid=1), insert("Types", OTHER, uuid=2)),
                watch(where([column, function, value], table="Types",
                            columns=["integer", column] if column != "integer" else [column])),
                do(update("Types", [["integer", "==", 1]], **{**OTHER, "integer": 11})),
                do(update("Types", [["integer", "==", 2]], **{**TYPES, "integer": 12})),
                do(delete_all("Types")))


CASES = [
    Case("monitor_cond: without conditions", watch({"Leaf": [{}]}), *LIFE),
    Case("monitor_cond: one condition", watch(where(IS_A)), *LIFE),
    Case("monitor_cond: conditions, any of which holds", watch(where(IS_A, IS_B)), *LIFE),
    Case("monitor_cond: true, false, none", watch(where(True), 1), watch(where(False), 2),
         watch(where(), 3), *LIFE),
    Case("monitor_cond: columns other than those of the condition",
         do(insert("Bounded", {"colour": "red"}, uuid=1)),
         watch(where(["colour", "==", "red"], table="Bounded", columns=["number"])),
         do(update("Bounded", [], number=2)), do(update("Bounded", [], colour="blue")),
         do(update("Bounded", [], number=3)), do(update("Bounded", [], colour="red"))),
    Case("monitor_cond: selects", *(watch(where(IS_A, select=choice), i) for i, choice in enumerate((
        {"initial": False}, {"insert": False}, {"delete": False}, {"modify": False}))), *LIFE),
    Case("monitor_cond: differences of sets and maps", do(insert("Types", TYPES, uuid=1)),
         watch({"Types": [{}]}), do(update("Types", [], **OTHER)), do(update("Types", [], **TYPES)),
         do({"op": "mutate", "table": "Types", "where": [], "mutations": [
             ["integer_set", "insert", 9], ["string_map", "delete", ["set", ["a"]]]]}),
         do(delete_all("Types"))),
    *(by_type(column, function, value) for column, function, value in (
        ("integer", "==", 1), ("integer", "!=", 1), ("integer", "<", 2), ("integer", ">=", 2),
        ("real", "==", 0.5), ("real", ">", 1), ("boolean", "==", True), ("boolean", "!=", True),
        ("string", "==", "x"), ("string", "excludes", "x"), ("uuid", "==", uuid(5)),
        ("_uuid", "==", uuid(1)), ("integer_optional", "<", 5), ("integer_optional", "==", 4),
        ("integer_set", "includes", 1), ("integer_set", "excludes", ["set", [1]]),
        ("integer_set", "==", ["set", [1, 2]]), ("string_set", "includes", ["set", ["a", "b"]]),
        ("string_map", "includes", ["map", [["a", "b"]]]),
        ("string_map", "excludes", ["map", [["a", "b"]]]),
        ("integer_map", "!=", ["map", []]), ("string", "<", "y"), ("none", "==", 1),
        ("integer", "==", "x"), ("integer_set", "<", 1))),
    Case("monitor_cond: not well formed",
         *(call("monitor_cond", DATABASE, i, {"Leaf": value}) for i, value in enumerate((
             None, 1, "x", {}, [None], [{"where": None}], [{"where": "x"}], [{"where": {}}],
             [{"where": [[]]}], [{"where": [1]}], [{"where": [["name"]]}],
             [{"where": [["name", "=", "x"]]}], [{"more": 1}], [{"columns": "name"}],
             [{"where": [], "columns": ["name", "name"]}]))),
         call("monitor_cond", DATABASE, "t", {"None": [{}]}), call("monitor_cond", DATABASE),
         call("monitor_cond", "none", "m", {}), call("monitor_cond")),
    Case("monitor_cond_change: another condition", *LIFE[:1], watch(where(IS_A)),
         change(where(IS_B)), change(where(IS_A, IS_B)), change(where(False)), change(where(True)),
         change(where()), *LIFE[1:]),
    Case("monitor_cond_change: another id", *LIFE[:1], watch(where(IS_A)),
         change(where(IS_B), new="n"), change(where(IS_A)), change(where(IS_A), "n", "n"), *LIFE[1:],
         call("monitor_cancel", "n", on="m")),
    Case("monitor_cond_change: an id that is in use", watch({"Leaf": [{}]}, 1),
         watch({"Leaf": [{}]}, 2), change(where(IS_A), 1, 2), *LIFE),
    Case("monitor_cond_change: a table that is not watched", watch({"Leaf": [{}]}),
         change(where(["name", "==", "x"], table="Three")), change({"None": [{"where": [True]}]})),
    Case("monitor_cond_change: an unknown id", change(where(IS_A)), change(where(IS_A), None, None)),
    Case("monitor_cond_change: of a plain monitor",
         call("monitor", DATABASE, "m", {"Leaf": {}}, on="m"), change(where(IS_A)), *LIFE),
    # One without "where" ends the stock server: see test_agent_alone.py.
    Case("monitor_cond_change: not well formed", watch({"Leaf": [{}]}),
         *(change(value) for value in (None, [], "x", {"Leaf": None}, {"Leaf": []}, {"Leaf": [1]},
                                       {"Leaf": [{"where": 1}]},
                                       {"Leaf": [{"where": [["none", "==", 1]]}]},
                                       {"Leaf": [{"where": [], "columns": ["name"]}]},
                                       {"Leaf": {"where": [False]}})),
         call("monitor_cond_change", on="m"), call("monitor_cond_change", "m", on="m"),
         call("monitor_cond_change", "m", "m", {}, {}, on="m"), *LIFE),
    Case("monitor_cond_change: no tables", watch({"Leaf": [{}]}), change({}), *LIFE[:1]),
    Case("monitor_cond_change: _uuid conditions, as an IDL makes them", *LIFE[:1],
         watch(where(["_uuid", "==", uuid(1)])),
         change(where(["_uuid", "==", uuid(1)], ["_uuid", "==", uuid(3)])),
         change(where(["_uuid", "==", uuid(2)])), *LIFE[1:]),
    Case("monitor_cond_since: nothing known", *LIFE[:1], since({"Leaf": [{}]}, ZERO), *LIFE[1:]),
    Case("monitor_cond_since: an id that nobody knows", *LIFE[:1],
         since({"Leaf": [{}]}, fixed_uuid(77)), *LIFE[1:3]),
    Case("monitor_cond_since: with conditions", *LIFE[:1], since(where(IS_A), ZERO),
         change(where(IS_B)), *LIFE[1:]),
    Case("monitor_cond_since: not well formed",
         *(since({"Leaf": [{}]}, value) for value in (None, 1, "", "x", [], {}, ["uuid", ZERO])),
         call("monitor_cond_since", DATABASE, "m", {"Leaf": [{}]}),
         call("monitor_cond_since", DATABASE), call("monitor_cond_since")),
    Case("monitor_cond_since: three sorts of monitor in one session",
         call("monitor", DATABASE, 1, {"Leaf": {}}, on="m"), watch({"Leaf": [{}]}, 2),
         since({"Leaf": [{}]}, ZERO, 3), *LIFE),
]
