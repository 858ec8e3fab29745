"""Constraints of columns, indexes, maxRows, immutable and ephemeral columns."""

from case import Case, delete_all, insert, select, transact
from testschema import DATABASE

OK = {"colour": "red"}


def do(*operations):
    return transact(DATABASE, *operations)


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def mutate(table, *mutations, where=()):
    return {"op": "mutate", "table": table, "where": list(where), "mutations": list(mutations)}


def bounded(column, *values):
    """Each value inserted, and each written into a row that is there."""
    return Case(f"bounds of {column}",
                *(do(insert("Bounded", {**OK, column: value}), select("Bounded", columns=[column]))
                  for value in values),
                do(delete_all("Bounded"), insert("Bounded", OK)),
                *(do(update("Bounded", [], **{column: value})) for value in values),
                *(do(select("Bounded", [column, "==", value])) for value in values))


def indexed(key, a=0, b=(), rest=""):
    number = 16 * ord(key) + a
    return insert("Indexed", {"key": key, "a": a, "b": ["set", list(b)], "rest": rest},
                  uuid=number)


TWO = do(indexed("x", 1), indexed("y", 2))

CASES = [
    bounded("number", 0, 10, -1, 11),
    bounded("fraction", 0.5, 2.5, 0.4999, 2.50001, 1, 3),
    bounded("text", "ab", "abcde", "", "a", "abcdef", "\u00e4", "\u00e4\u00f6", "\U0001f600"),
    bounded("colour", "red", "blue", "Red", "", "yellow"),
    bounded("prime", 2, 7, 4, 0),
    bounded("only", "this", "that"),
    bounded("some", ["set", []], 1, ["set", [1, 2, 3]], ["set", [1, 2, 3, 4]]),
    bounded("pairs", ["map", [["a", 1]]], ["map", [["a", 1], ["b", 2], ["c", 3]]]),
    bounded("bounded_values", ["map", [["a", 1]]], ["map", [["a", 10]]], ["map", [["a", 0]]]),
    Case("bounds: defaults that break them", do(insert("Bounded", {})), do(select("Bounded"))),
    Case("bounds: by mutation", do(insert("Bounded", {**OK, "number": 9, "prime": 5})),
         do(mutate("Bounded", ["number", "+=", 1])), do(mutate("Bounded", ["number", "+=", 1])),
         do(mutate("Bounded", ["number", "-=", 11])), do(mutate("Bounded", ["prime", "+=", 2])),
         do(mutate("Bounded", ["prime", "+=", 1])), do(select("Bounded"))),
    Case("bounds: elements by mutation", do(insert("Bounded", {**OK, "some": ["set", [1, 2]]})),
         do(mutate("Bounded", ["some", "insert", 3])), do(mutate("Bounded", ["some", "insert", 4])),
         do(mutate("Bounded", ["some", "insert", ["set", [1, 2, 3]]])),
         do(mutate("Bounded", ["some", "insert", ["set", [5, 6, 7, 8]]])),
         do(mutate("Bounded", ["pairs", "insert", ["map", [["a", 1], ["b", 2], ["c", 3]]]])),
         do(select("Bounded"))),
    Case("immutable: update and mutate", do(insert("Bounded", {**OK, "fixed": 3})),
         do(update("Bounded", [], fixed=4)), do(update("Bounded", [], fixed=3)),
         do(update("Bounded", [["number", "==", 99]], fixed=4)),
         do(mutate("Bounded", ["fixed", "+=", 1])), do(select("Bounded"))),
    Case("ephemeral: read as others are", do(insert("Bounded", {**OK, "passing": 5})),
         do(mutate("Bounded", ["passing", "+=", 1], ["passing_set", "insert", "x"])),
         do(select("Bounded", ["passing", "==", 6])), do(select("Bounded", ["passing", "!=", 6]))),
    Case("maxRows: no more than three", *(do(insert("Three", {"name": n})) for n in "abcd"),
         do(delete_all("Three"), *(insert("Three", {"name": n}) for n in "abc")),
         do(delete_all("Three"), *(insert("Three", {"name": n}) for n in "abcd")),
         do(insert("Three", {"name": "d"}), {"op": "delete", "table": "Three",
                                             "where": [["name", "==", "a"]]}),
         do(select("Three"))),
    Case("index: a duplicate is refused", do(indexed("x")), do(indexed("x", 1)), do(indexed("y")),
         do(indexed("y", 1), indexed("y", 2)), do(select("Indexed"))),
    Case("index: of two columns, one a set", do(indexed("x", 1, [1, 2])), do(indexed("y", 1, [2, 1])),
         do(indexed("y", 1, [2])), do(indexed("z", 2, [2])), do(indexed("w", 1, [])),
         do(select("Indexed"))),
    Case("index: by update", TWO, do(update("Indexed", [["key", "==", "y"]], key="x")),
         do(update("Indexed", [], key="z")), do(update("Indexed", [["key", "==", "y"]], key="y")),
         do(select("Indexed"))),
    Case("index: by mutation", do(indexed("x", 1, [1]), indexed("y", 1, [2])),
         do(mutate("Indexed", ["b", "insert", ["set", [1, 2]]])),
         do(mutate("Indexed", ["b", "+=", 1], where=[["key", "==", "x"]])), do(select("Indexed"))),
    Case("index: values swapped in one transaction", TWO,
         do(update("Indexed", [["key", "==", "x"]], key="t"),
            update("Indexed", [["key", "==", "y"]], key="x"),
            update("Indexed", [["key", "==", "t"]], key="y")), do(select("Indexed"))),
    Case("index: a duplicate for a moment only", TWO,
         do(update("Indexed", [["key", "==", "x"]], key="y"),
            update("Indexed", [["a", "==", 2]], key="x")), do(select("Indexed"))),
    Case("index: delete and insert in one transaction", TWO,
         do({"op": "delete", "table": "Indexed", "where": [["key", "==", "x"]]}, indexed("x", 9)),
         do(indexed("y", 9), {"op": "delete", "table": "Indexed", "where": [["a", "==", 2]]}),
         do(select("Indexed"))),
    Case("index: freed by an update, taken by an insert", TWO,
         do(update("Indexed", [["key", "==", "x"]], key="z"), indexed("x", 9)), do(select("Indexed"))),
]
