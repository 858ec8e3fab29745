"""monitor and monitor_cancel: RFC 7047 sections 4.1.5 to 4.1.7."""

from case import Case, call, delete_all, insert, select, transact, uuid
from testschema import DATABASE


def do(*operations, on="a"):
    return transact(DATABASE, *operations, on=on)


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def watch(requests, identity="m", on="m", database=DATABASE):
    return call("monitor", database, identity, requests, on=on)


LIFE = (
    do(insert("Leaf", {"name": "a"}, uuid=1)),
    do(insert("Leaf", {"name": "b"}, uuid=2), insert("Leaf", {"name": "c"}, uuid=3)),
    do(update("Leaf", [["name", "==", "a"]], name="d")),
    do(update("Leaf", [["name", "==", "d"]], name="d")),
    do(update("Leaf", [["name", "==", "b"]], name="e"),
       {"op": "delete", "table": "Leaf", "where": [["name", "==", "c"]]}),
    do(insert("Leaf", {"name": "f"}), {"op": "abort"}),
    do(insert("Leaf", {"name": "f"}, uuid=4), delete_all("Leaf")),
)
SELECTS = [{}, *({name: value} for name in ("initial", "insert", "delete", "modify")
                 for value in (True, False)),
           {"initial": False, "insert": False, "delete": False, "modify": False},
           {"initial": False, "insert": True, "delete": False, "modify": False},
           {"initial": False, "insert": False, "delete": True, "modify": False},
           {"initial": False, "insert": False, "delete": False, "modify": True},
           {"initial": True, "insert": False, "delete": False, "modify": False}]
THERE = do(insert("Leaf", {"name": "there"}, uuid=9))
TYPES = {"integer": 1, "real": 0.5, "boolean": True, "string": "x", "uuid": uuid(5),
         "integer_set": ["set", [1, 2]], "string_map": ["map", [["a", "b"]]]}
BOUNDED = do(insert("Bounded", {"colour": "red"}, uuid=1))

CASES = [
    *(Case(f"monitor: select {choice}", THERE, watch({"Leaf": {"select": choice}}), *LIFE)
      for choice in SELECTS),
    Case("monitor: a request in a list", THERE, watch({"Leaf": [{}]}), *LIFE),
    Case("monitor: several requests for one table", do(insert("Bounded", {"colour": "red"}, uuid=1)),
         watch({"Bounded": [{"columns": ["colour"]},
                            {"columns": ["number"], "select": {"initial": False}},
                            {"columns": ["some"], "select": {"modify": False}}]}),
         do(update("Bounded", [], colour="blue")), do(update("Bounded", [], number=3)),
         do(update("Bounded", [], some=3)), do(delete_all("Bounded"))),
    Case("monitor: a column in two requests",
         watch({"Bounded": [{"columns": ["colour"]}, {"columns": ["colour"]}]})),
    Case("monitor: no columns", THERE, watch({"Leaf": {"columns": []}}), *LIFE),
    Case("monitor: _uuid and _version", THERE, watch({"Leaf": {"columns": ["_uuid"]}}, 1),
         watch({"Leaf": {"columns": ["name", "_uuid"]}}, 2),
         do(update("Leaf", [], name="x"))),
    Case("monitor: of a column that does not change", BOUNDED,
         watch({"Bounded": {"columns": ["number"]}}), do(update("Bounded", [], colour="blue")),
         do(update("Bounded", [], number=2))),
    Case("monitor: ephemeral and immutable columns", BOUNDED,
         watch({"Bounded": {"columns": ["passing", "fixed"]}}), do(update("Bounded", [], passing=2))),
    Case("monitor: every type", do(insert("Types", {}, uuid=1)), watch({"Types": {}}),
         do(update("Types", [], **TYPES)), do(delete_all("Types"))),
    Case("monitor: all tables", THERE, watch({name: {} for name in
                                              ("Leaf", "Types", "Bounded", "Three", "Indexed")}),
         *LIFE),
    Case("monitor: no tables", watch({}), *LIFE[:2]),
    Case("monitor: null and other ids", *(watch({"Leaf": {}}, identity) for identity in
                                          (None, 0, "", [1, "x"], {"a": 1}, True)), LIFE[0]),
    Case("monitor: an id that is in use", watch({"Leaf": {}}), watch({"Leaf": {}}), LIFE[0],
         watch({"Leaf": {}}, on="n"), LIFE[1]),
    Case("monitor_cancel: and the id again", watch({"Leaf": {}}), LIFE[0],
         call("monitor_cancel", "m", on="m"), LIFE[1], watch({"Leaf": {}}), LIFE[2]),
    Case("monitor_cancel: unknown", call("monitor_cancel", "m"), call("monitor_cancel", None),
         watch({"Leaf": {}}), call("monitor_cancel", "m"), LIFE[0]),
    Case("monitor: two of one table", watch({"Leaf": {}}, 1),
         watch({"Leaf": {"columns": ["name"], "select": {"modify": False}}}, 2), *LIFE),
    Case("monitor: its session's own transactions", watch({"Leaf": {}}, on="a"), *LIFE),
    Case("monitor: an unknown table", watch({"None": {}}), watch({"Leaf": {}, "None": {}}),
         watch({"Leaf": {}}), LIFE[0]),
    Case("monitor: an unknown column", watch({"Leaf": {"columns": ["none"]}}),
         watch({"Leaf": {"columns": ["name", "name"]}}), watch({"Leaf": {}}), LIFE[0]),
    Case("monitor: an unknown database", call("monitor", "none", "m", {}),
         call("monitor", None, "m", {}), call("monitor")),
    # Fewer than three may end the stock server: see test_agent_alone.py.
    Case("monitor: parameters that are something else", call("monitor", DATABASE, "m", {}, {}),
         *(call("monitor", DATABASE, i, value) for i, value in
           enumerate((None, [], "x", 1, True, {"Leaf": None}, {"Leaf": "x"}, {"Leaf": [None]},
                      {"Leaf": {"columns": "name"}}, {"Leaf": {"columns": [1]}},
                      {"Leaf": {"columns": None}}, {"Leaf": {"select": None}},
                      {"Leaf": {"select": {"initial": 1}}}, {"Leaf": {"select": {"more": True}}},
                      {"Leaf": {"more": 1}}, {"Leaf": {"where": []}}, {"Leaf": []})))),
    Case("monitor: references", watch({"Parent": {}, "Child": {}}),
         do(insert("Child", {"name": "c"}, uuid=1), insert("Parent", {"child": uuid(1)}, uuid=2)),
         do(delete_all("Parent"))),
    Case("monitor: inserted and deleted within one transaction", watch({"Leaf": {}}),
         do(insert("Leaf", {"name": "x"}), delete_all("Leaf")),
         do(insert("Leaf", {"name": "y"}, uuid=5)),
         do(delete_all("Leaf"), insert("Leaf", {"name": "y"}, uuid=6))),
    Case("monitor: a hundred rows at once", watch({"Leaf": {}}),
         do(*(insert("Leaf", {"name": f"n{i}"}, uuid=i) for i in range(100))),
         do(update("Leaf", [], name="same")), do(delete_all("Leaf")), do(select("Leaf"))),
]
