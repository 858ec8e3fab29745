"""What the operations do: RFC 7047 section 5.2."""

from case import (Case, after, await_reply, call, delete_all, insert, select, send, transact, uuid)
from testschema import ATOMS, DATABASE

ROW = {"integer": 7, "real": 2.5, "boolean": True, "string": "seven", "uuid": uuid(7),
       "integer_set": ["set", [1, 2, 3]], "string_set": ["set", ["a", "b"]],
       "string_map": ["map", [["k", "v"], ["l", "w"]]], "integer_map": ["map", [["one", 1]]]}


def do(*operations, on="a"):
    return transact(DATABASE, *operations, on=on)


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def mutate(*mutations, table="Types", where=()):
    return {"op": "mutate", "table": table, "where": list(where), "mutations": list(mutations)}


def wait(rows, until="==", timeout=0, where=(), columns=("name",), table="Leaf"):
    operation = {"op": "wait", "table": table, "where": list(where), "columns": list(columns),
                 "until": until, "rows": list(rows)}
    return operation if timeout is None else {**operation, "timeout": timeout}


def leaf(name):
    return insert("Leaf", {"name": name})


INSERTS = [
    Case("insert: defaults of every type", do(insert("Types", {})), do(select("Types"))),
    Case("insert: every type of atom", do(insert("Types", ROW)), do(select("Types"))),
    Case("insert: uuid of our choice", do(insert("Leaf", {"name": "x"}, uuid=1)),
         do(select("Leaf"))),
    Case("insert: uuid and uuid-name", do(
        insert("Leaf", {"name": "x"}, uuid=1, uuid_name="x"),
        insert("Parent", {"leaves": ["named-uuid", "x"]})), do(select("Parent"))),
    Case("insert: uuid of a row deleted in the same transaction",
         do(insert("Leaf", {"name": "x"}, uuid=1)),
         do(delete_all("Leaf"), insert("Leaf", {"name": "y"}, uuid=1)), do(select("Leaf"))),
    Case("insert: a named-uuid before its row", do(
        insert("Parent", {"name": "p", "children": ["named-uuid", "c"]}),
        insert("Child", {"name": "c"}, uuid_name="c")), do(select("Parent"))),
    Case("insert: a named-uuid in a map, a set, a condition", do(
        insert("Child", {"name": "c"}, uuid_name="c"),
        insert("Parent", {"name": "p", "by_name": ["map", [["x", ["named-uuid", "c"]]]],
                          "children": ["set", [["named-uuid", "c"]]]}),
        select("Child", ["_uuid", "==", ["named-uuid", "c"]]))),
    Case("insert: a set written as an atom, an atom as a set", do(
        insert("Types", {"integer_set": 5, "integer": ["set", [6]]})), do(select("Types"))),
    Case("insert: duplicates in a set are one",
         do(insert("Types", {"integer_set": ["set", [3, 1, 3, 1]]})), do(select("Types"))),
    Case("insert: reals and integers meet", do(
        insert("Types", {"real": 3, "real_set": ["set", [1, 1.5, -0.0, 1e300]]})),
        do(select("Types"))),
    Case("insert: an integer written as a real", do(insert("Types", {"integer": 3.0})),
         do(select("Types"))),
    Case("insert: the ends of integers", do(insert("Types", {
        "integer_set": ["set", [9223372036854775807, -9223372036854775808]]})),
        do(select("Types"))),
    Case("insert: characters of all kinds", do(insert("Types", {
        "string": "\u00e4\u6f22\U0001f600 \"\\/\b\f\n\r\t\u0001\u007f"})), do(select("Types"))),
    Case("insert: the null character", do(insert("Types", {"string": "a\u0000b"})),
         do(select("Types"))),
    Case("insert: empty strings", do(insert("Types", {"string_set": ["set", ["", " "]]})),
         do(select("Types"))),
]

SELECTS = [
    Case("select: all columns", do(insert("Types", ROW)), do(select("Types"))),
    Case("select: some columns", do(insert("Types", ROW)),
         do(select("Types", columns=["integer", "_uuid"]))),
    Case("select: no columns", do(insert("Types", ROW)), do(select("Types", columns=[]))),
    Case("select: _uuid and _version",
         do(insert("Leaf", {"name": "x"}, uuid=1)), do(select("Leaf", columns=["_uuid"])),
         do(select("Leaf", columns=["_uuid", "_version"]))),
    Case("select: a column twice", do(select("Types", columns=["integer", "integer"]))),
    Case("select: nothing matches", do(select("Types", ["integer", "==", 1]))),
    Case("select: sees what the transaction did",
         do(leaf("x"), select("Leaf"), delete_all("Leaf"), select("Leaf"))),
    Case("select: several conditions all hold", do(leaf("x"), leaf("y")),
         do(select("Leaf", ["name", "==", "x"], ["name", "!=", "y"])),
         do(select("Leaf", ["name", "==", "x"], ["name", "==", "y"]))),
]

UPDATES = [
    Case("update: counts the rows", do(leaf("x"), leaf("y"), leaf("z")),
         do(update("Leaf", [["name", "!=", "z"]], name="w")), do(select("Leaf"))),
    Case("update: none matches", do(update("Leaf", [["name", "==", "z"]], name="w"))),
    Case("update: to what it is", do(leaf("x")), do(update("Leaf", [], name="x"))),
    Case("update: every column", do(insert("Types", {})), do(update("Types", [], **ROW)),
         do(select("Types"))),
    Case("update: back to empty", do(insert("Types", ROW)),
         do(update("Types", [], integer_set=["set", []], string_map=["map", []])),
         do(select("Types"))),
    Case("update: an empty row of columns", do(leaf("x")), do(update("Leaf", []))),
    Case("update: by _uuid", do(insert("Leaf", {"name": "x"}, uuid=1)),
         do(update("Leaf", [["_uuid", "==", uuid(1)]], name="y")), do(select("Leaf"))),
    Case("delete: counts the rows", do(leaf("x"), leaf("y"), leaf("z")),
         do({"op": "delete", "table": "Leaf", "where": [["name", "!=", "y"]]}),
         do(select("Leaf")), do(delete_all("Leaf")), do(delete_all("Leaf"))),
    Case("delete: and insert again in one transaction", do(leaf("x")),
         do(delete_all("Leaf"), leaf("x")), do(select("Leaf"))),
]


def mutation(column, mutator, value, **row):
    """One case of a mutator on one column."""
    words = f"{column} {mutator} {value}"
    return Case(f"mutate: {words} of {row or 'the default'}", do(insert("Types", row)),
                do(mutate([column, mutator, value])), do(select("Types", columns=[column])))


MUTATIONS = [
    *(mutation("integer", mutator, value, integer=17)
      for mutator in ("+=", "-=", "*=", "/=", "%=") for value in (5, -5, 0, 1, 9223372036854775807)),
    *(mutation("real", mutator, value, real=17.5)
      for mutator in ("+=", "-=", "*=", "/=", "%=") for value in (5, -2.5, 0, 1e308)),
    *(mutation("integer_set", mutator, value, integer_set=["set", [1, 2, 4]])
      for mutator in ("+=", "-=", "*=", "/=", "%=") for value in (2, 0)),
    *(mutation("real_set", mutator, 2, real_set=["set", [1, 2.5, 4]])
      for mutator in ("+=", "-=", "*=", "/=", "%=")),
    mutation("integer", "/=", -1, integer=-9223372036854775808),
    mutation("integer", "-=", 1, integer=-9223372036854775808),
    mutation("integer", "*=", 2, integer=9223372036854775807),
    mutation("integer_optional", "+=", 1),
    mutation("integer_optional", "+=", 1, integer_optional=1),
    *(mutation(f"{kind}_{shape}", mutator, value)
      for kind, value in (("string", "a"), ("boolean", True), ("uuid", uuid(1)))
      for shape in ("set",) for mutator in ("+=", "insert", "delete", "no such")),
    *(mutation("integer_set", mutator, value, integer_set=["set", [1, 2, 3]])
      for mutator in ("insert", "delete")
      for value in (1, 9, ["set", []], ["set", [1, 9]], ["set", [3, 3]], "x", ["map", []])),
    *(mutation("string_map", mutator, value, string_map=["map", [["k", "v"], ["l", "w"]]])
      for mutator in ("insert", "delete")
      for value in (["map", [["k", "other"]]], ["map", [["k", "v"]]], ["map", [["new", "x"]]],
                    ["map", []], ["set", ["k"]], ["set", ["k", "l", "m"]], "k")),
    *(mutation(column, mutator, 1) for column in ("string", "boolean", "uuid", "string_map", "_uuid",
                                                  "_version", "none")
      for mutator in ("+=", "insert")),
    mutation("integer", "insert", 1),
    mutation("integer", "delete", 0),
    mutation("integer_optional", "insert", 3),
    mutation("integer_optional", "insert", 3, integer_optional=2),
    mutation("integer_optional", "delete", 2, integer_optional=2),
    Case("mutate: several mutations in turn", do(insert("Types", {"integer": 3})),
         do(mutate(["integer", "+=", 2], ["integer", "*=", 10], ["integer", "%=", 7])),
         do(select("Types", columns=["integer"]))),
    Case("mutate: several rows", do(insert("Types", {"integer": 1}), insert("Types", {"integer": 2})),
         do(mutate(["integer", "+=", 5])), do(select("Types", columns=["integer"]))),
    Case("mutate: a set that becomes smaller", do(insert("Types", {"integer_set": ["set", [3, 4]]})),
         do(mutate(["integer_set", "/=", 4])), do(mutate(["integer_set", "*=", 0])),
         do(select("Types", columns=["integer_set"]))),
]

WAITS = [
    Case("wait: holds", do(leaf("x")), do(wait([{"name": "x"}]))),
    Case("wait: does not hold, and no time", do(wait([{"name": "x"}]))),
    Case("wait: !=", do(leaf("x")), do(wait([{"name": "y"}], "!=")),
         do(wait([{"name": "x"}], "!="))),
    Case("wait: no rows", do(wait([])), do(leaf("x")), do(wait([])), do(wait([], "!="))),
    Case("wait: with conditions", do(leaf("x"), leaf("y")),
         do(wait([{"name": "x"}], where=[["name", "==", "x"]]))),
    Case("wait: rows in another order", do(leaf("x"), leaf("y")),
         do(wait([{"name": "y"}, {"name": "x"}])), do(wait([{"name": "y"}, {"name": "y"}]))),
    Case("wait: columns that rows leave out", do(insert("Types", {"integer": 1})),
         do(wait([{"integer": 1}], columns=["integer", "string"], table="Types")),
         do(wait([{"integer": 1}], columns=["string"], table="Types"))),
    Case("wait: times out", send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=200)),
         await_reply("w")),
    Case("wait: comes true by another session",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=20000), leaf("after")),
         do(leaf("x"), on="b"), await_reply("w"), do(select("Leaf"))),
    Case("wait: for ever, and what follows goes on",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=None)),
         call("list_dbs"), do(leaf("y")), do(update("Leaf", [], name="x")), await_reply("w")),
    Case("wait: two of them, one comes true",
         send("one", "transact", DATABASE, wait([{"name": "x"}], timeout=None), leaf("one")),
         send("two", "transact", DATABASE, wait([{"name": "y"}], timeout=400), leaf("two"), on="b"),
         do(leaf("x"), on="c"), await_reply("one"), await_reply("two", on="b")),
    Case("cancel: a waiting transaction",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=None)),
         send(None, "cancel", "w"), await_reply("w"), do(leaf("x")), do(select("Leaf"))),
    Case("cancel: with an id, as a request is",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=300)),
         call("cancel", "w"), await_reply("w")),
    Case("cancel: what is not there", send(None, "cancel", "nothing"), call("echo", "still")),
    Case("cancel: nothing", send(None, "cancel"), call("echo", "still")),
    Case("cancel: of another session is not ours",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=300)),
         send(None, "cancel", "w", on="b"), await_reply("w")),
    Case("wait: its session goes", do(leaf("y")),
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=None), leaf("z"), on="b"),
         do(update("Leaf", [], name="x"), {"op": "abort"}), do(select("Leaf"))),
    Case("wait: the same id as one that waits",
         send("w", "transact", DATABASE, wait([{"name": "x"}], timeout=300)),
         send("w", "transact", DATABASE, leaf("y")), after(400, call("echo"))),
]

OTHERS = [
    Case("commit: durable or not", do(leaf("x"), {"op": "commit", "durable": True}),
         do(leaf("y"), {"op": "commit", "durable": False}), do({"op": "commit", "durable": True})),
    Case("commit: before other operations",
         do({"op": "commit", "durable": True}, leaf("x"), {"op": "commit", "durable": False})),
    Case("abort: nothing stays", do(leaf("x"), {"op": "abort"}, leaf("y")), do(select("Leaf"))),
    Case("comment: is stored", do({"op": "comment", "comment": "why"}, leaf("x"))),
    Case("comment: alone", do({"op": "comment", "comment": ""})),
    Case("assert: without the lock", do({"op": "assert", "lock": "mine"}, leaf("x")),
         do(select("Leaf"))),
    Case("assert: with the lock", call("lock", "mine"),
         do({"op": "assert", "lock": "mine"}, leaf("x")), do(select("Leaf"))),
    Case("transact: no operations", do()),
    Case("transact: what fails takes all with it, and what follows is null",
         do(leaf("x"), leaf("y"), {"op": "abort"}, leaf("z"), select("Leaf")), do(select("Leaf"))),
    Case("transact: a failure of the commit is told behind the results",
         do(leaf("x"), insert("Three", {}), insert("Three", {}), insert("Three", {}),
            insert("Three", {}), select("Three")), do(select("Leaf"))),
    *(Case(f"every type by itself: {kind}{shape}", do(insert("Types", {f"{kind}{shape}": value})),
           do(select("Types", columns=[f"{kind}{shape}"])))
      for kind in ATOMS for shape, value in (
          ("_optional", ["set", []]), ("_optional", ["set", [ROW[kind]]]), ("_optional", ROW[kind]),
          ("_set", ["set", [ROW[kind]]]), ("_map", ["map", [["x", ROW[kind]]]]))),
]

CASES = INSERTS + SELECTS + UPDATES + MUTATIONS + WAITS + OTHERS
