"""Conditions: RFC 7047 section 5.1, <condition>; every function on every type."""

from case import Case, insert, select, transact, uuid
from testschema import DATABASE

FUNCTIONS = ("<", "<=", "==", "!=", ">=", ">", "includes", "excludes")

VALUES = {
    "integer": (1, 2, 3), "real": (0.5, 1, 2.5), "boolean": (False, True),
    "string": ("", "a", "b"), "uuid": (uuid(1), uuid(2)),
}
ROWS = [
    insert("Types", {
        **{kind: values[i % len(values)] for kind, values in VALUES.items()},
        **{f"{kind}_optional": ["set", [values[i % len(values)]]] for kind, values in VALUES.items()
           if i},
        **{f"{kind}_set": ["set", list(values[:i])] for kind, values in VALUES.items()},
        **{f"{kind}_map": ["map", [["x", value] for value in values[i % 2:i % 2 + 1]]]
           for kind, values in VALUES.items()},
    }, uuid=10 + i) for i in range(3)]


def queries(column, *values):
    return [transact(DATABASE, select("Types", [column, function, value], columns=["_uuid"]))
            for value in values for function in FUNCTIONS]


def over(column, *values):
    return Case(f"conditions: on {column}", transact(DATABASE, *ROWS), *queries(column, *values))


CASES = [
    *(over(kind, values[0], values[1]) for kind, values in VALUES.items()),
    *(over(f"{kind}_optional", ["set", []], values[0], ["set", [values[1]]])
      for kind, values in VALUES.items()),
    *(over(f"{kind}_set", ["set", []], values[0], ["set", list(values)])
      for kind, values in VALUES.items()),
    *(over(f"{kind}_map", ["map", []], ["map", [["x", values[0]]]],
           ["map", [["x", values[0]], ["y", values[1]]]], values[0])
      for kind, values in VALUES.items()),
    over("by_integer", ["map", [[1, "a"]]]),
    over("by_uuid", ["map", [[uuid(1), "a"]]]),
    over("_uuid", uuid(10), uuid(99), "no uuid"),
    over("_version", uuid(1)),
    over("none", 1),
    Case("conditions: wrong types", transact(DATABASE, *ROWS),
         *(step for value in ("x", True, None, [], {}, ["set", ["x"]], ["uuid", "x"], ["map", []])
           for step in queries("integer", value)[:3])),
    Case("conditions: true and false", transact(DATABASE, *ROWS),
         transact(DATABASE, select("Types", True)), transact(DATABASE, select("Types", False)),
         transact(DATABASE, select("Types", True, ["integer", "==", 1], columns=["_uuid"])),
         transact(DATABASE, select("Types", False, ["integer", "==", 1]))),
    Case("conditions: not well formed",
         *(transact(DATABASE, {"op": "select", "table": "Types", "where": where})
           for where in (None, {}, "x", 5, [[]], [["integer"]], [["integer", "=="]],
                         [["integer", "==", 1, 2]], [[1, "==", 1]], [["integer", 1, 1]],
                         [["integer", "=", 1]], [["integer", "EQ", 1]], ["integer", "==", 1],
                         [None], ["x"], [{}]))),
]
