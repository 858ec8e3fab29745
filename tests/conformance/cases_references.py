"""Strong and weak references, and rows that go because nothing refers to them."""

from case import Case, call, delete_all, insert, select, transact, uuid
from testschema import DATABASE


def do(*operations, on="a"):
    return transact(DATABASE, *operations, on=on)


def update(table, where, **row):
    return {"op": "update", "table": table, "where": list(where), "row": row}


def mutate(table, *mutations):
    return {"op": "mutate", "table": table, "where": [], "mutations": list(mutations)}


def delete(table, number):
    return {"op": "delete", "table": table, "where": [["_uuid", "==", uuid(number)]]}


def child(number, **row):
    return insert("Child", {"name": f"c{number}", **row}, uuid=number)


def leaf(number):
    return insert("Leaf", {"name": f"l{number}"}, uuid=number)


ALL = do(select("Parent"), select("Child"), select("Leaf"), select("Needy"), select("Demanding"))
FAMILY = do(child(1), child(2), child(3),
            insert("Parent", {"name": "p", "children": ["set", [uuid(1), uuid(2)]], "child": uuid(3),
                              "by_name": ["map", [["x", uuid(1)]]]}, uuid=10))
LEAVES = do(leaf(1), leaf(2), leaf(3),
            insert("Parent", {"name": "p", "leaves": ["set", [uuid(1), uuid(2)]],
                              "leaf_by_name": ["map", [["x", uuid(1)], ["y", uuid(3)]]],
                              "name_by_leaf": ["map", [[uuid(1), "x"]]]}, uuid=10))

CASES = [
    Case("strong: to a row that is not there", do(insert("Parent", {"children": uuid(1)})),
         do(insert("Parent", {"children": ["set", [uuid(1), uuid(2)]]})),
         do(insert("Parent", {"by_name": ["map", [["x", uuid(1)]]]})),
         do(insert("Parent", {"to_name": ["map", [[uuid(1), "x"]]]})), ALL),
    Case("strong: to a row of another table", do(leaf(1)), do(insert("Parent", {"children": uuid(1)}))),
    Case("strong: a default that refers to nothing", do(insert("Demanding", {})), ALL),
    Case("strong: the row referred to is deleted", FAMILY, do(delete("Child", 1)), ALL,
         do(delete("Child", 3)), ALL),
    Case("strong: the row and the reference in one transaction", FAMILY,
         do(delete("Child", 3), update("Parent", [], child=["set", []])), ALL),
    Case("garbage: a child that nothing refers to", do(child(1)), ALL,
         do(child(1), select("Child"))),
    Case("garbage: a child loses its last reference", FAMILY,
         do(update("Parent", [], children=uuid(2))), ALL,
         do(mutate("Parent", ["by_name", "delete", ["set", ["x"]]])), ALL,
         do(mutate("Parent", ["children", "delete", uuid(2)])), ALL),
    Case("garbage: the parent goes", FAMILY, do(delete_all("Parent")), ALL),
    Case("garbage: and is referred to again in the same transaction", FAMILY,
         do(delete_all("Parent"), insert("Parent", {"child": uuid(3)}, uuid=11)), ALL),
    Case("garbage: a chain goes as one",
         do(child(3), child(2, next=uuid(3)), child(1, next=uuid(2)),
            insert("Parent", {"child": uuid(1)}, uuid=10)), ALL,
         do(update("Parent", [], child=uuid(2))), ALL, do(delete_all("Parent")), ALL),
    Case("garbage: a ring stays, as each is referred to",
         do(child(1, next=uuid(2)), child(2, next=uuid(1))), ALL, do(delete_all("Child")), ALL),
    Case("garbage: one that refers to itself", do(child(1, next=uuid(1))), ALL,
         do(delete_all("Child")), ALL),
    Case("garbage: deleted by hand what is garbage already", FAMILY,
         do(delete_all("Parent"), delete_all("Child")), ALL),
    Case("weak: to a row that is not there", do(insert("Parent", {"name": "p", "leaves": uuid(1)})),
         do(insert("Parent", {"leaf_by_name": ["map", [["x", uuid(1)]]]})), ALL),
    Case("weak: to a row of another table", FAMILY, do(insert("Parent", {"leaves": uuid(1)})), ALL),
    Case("weak: goes with the row referred to", LEAVES, do(delete("Leaf", 1)), ALL,
         do(delete("Leaf", 3)), ALL, do(delete_all("Leaf")), ALL),
    Case("weak: deleted and referred to in one transaction", LEAVES,
         do(delete("Leaf", 3), mutate("Parent", ["leaves", "insert", uuid(3)])), ALL),
    Case("weak: the row comes back under its uuid", LEAVES, do(delete("Leaf", 1)), do(leaf(1)), ALL,
         do(delete("Leaf", 2), leaf(2)), ALL),
    Case("weak: one that must be", do(insert("Needy", {"name": "n"})), do(leaf(1)),
         do(insert("Needy", {"leaf": uuid(1)})), do(delete_all("Leaf")), ALL,
         do(delete_all("Leaf"), delete_all("Needy")), ALL),
    Case("weak: seen by a monitor when the row goes", LEAVES,
         call("monitor", DATABASE, "m", {"Parent": {}, "Leaf": {}}, on="m"), do(delete("Leaf", 1)),
         do(delete_all("Leaf"))),
    Case("garbage: seen by a monitor", FAMILY,
         call("monitor", DATABASE, "m", {"Parent": {}, "Child": {}}, on="m"),
         do(update("Parent", [], children=["set", []], by_name=["map", []])),
         do(delete_all("Parent")), do(child(9))),
    Case("named-uuid: rows that refer to each other", do(
        insert("Child", {"name": "a", "next": ["named-uuid", "b"]}, uuid_name="a"),
        insert("Child", {"name": "b", "next": ["named-uuid", "a"]}, uuid_name="b"),
        insert("Parent", {"child": ["named-uuid", "a"]})), ALL),
]
