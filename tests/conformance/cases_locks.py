"""Locks: RFC 7047 sections 4.1.8 to 4.1.10, between sessions."""

from case import Case, call, insert, select, transact
from testschema import DATABASE


def asserting(lock, on):
    return transact(DATABASE, {"op": "assert", "lock": lock}, insert("Leaf", {"name": on}), on=on)


LEAVES = transact(DATABASE, select("Leaf"), on="z")

CASES = [
    Case("lock: free", call("lock", "x"), asserting("x", "a"), call("unlock", "x"),
         asserting("x", "a")),
    Case("lock: the second waits and is told", call("lock", "x"), call("lock", "x", on="b"),
         asserting("x", "b"), call("unlock", "x"), asserting("x", "b"), asserting("x", "a"), LEAVES),
    Case("lock: three in turn", call("lock", "x"), call("lock", "x", on="b"),
         call("lock", "x", on="c"), call("unlock", "x"), call("unlock", "x", on="b"),
         asserting("x", "c"), call("unlock", "x", on="c")),
    Case("lock: who waits gives up", call("lock", "x"), call("lock", "x", on="b"),
         call("lock", "x", on="c"), call("unlock", "x", on="b"), call("unlock", "x"),
         asserting("x", "c")),
    Case("lock: twice by one session", call("lock", "x"), call("lock", "x"), call("unlock", "x"),
         call("unlock", "x"), call("lock", "x")),
    Case("lock: several of one session", call("lock", "x"), call("lock", "y"),
         call("lock", "x", on="b"), call("unlock", "y"), call("unlock", "x"), asserting("x", "b")),
    Case("steal: what is free", call("steal", "x"), asserting("x", "a")),
    Case("steal: from its owner, who is told", call("lock", "x"), call("steal", "x", on="b"),
         asserting("x", "a"), asserting("x", "b"), LEAVES),
    Case("steal: and it comes back", call("lock", "x"), call("steal", "x", on="b"),
         call("unlock", "x", on="b"), asserting("x", "a")),
    Case("steal: past those who wait", call("lock", "x"), call("lock", "x", on="b"),
         call("steal", "x", on="c"), call("unlock", "x", on="c"), call("unlock", "x"),
         asserting("x", "b")),
    Case("steal: what was stolen", call("lock", "x"), call("steal", "x", on="b"),
         call("steal", "x", on="c"), call("unlock", "x", on="c"), call("unlock", "x", on="b"),
         asserting("x", "a")),
    Case("steal: what one has", call("lock", "x"), call("steal", "x")),
    Case("unlock: what one does not have", call("unlock", "x"), call("lock", "x", on="b"),
         call("unlock", "x"), asserting("x", "b")),
    Case("unlock: what was stolen", call("lock", "x"), call("steal", "x", on="b"),
         call("unlock", "x"), call("unlock", "x", on="b"), asserting("x", "a")),
    *(Case(f"{method}: parameters", call(method), call(method, "x", "y"),
           *(call(method, value) for value in
             (None, 1, True, [], {}, "", "a b", "a-b", "a.b", "_x", "9x", "\u00e4")))
      for method in ("lock", "steal", "unlock")),
    Case("assert: a lock that is no id", *(
        transact(DATABASE, {"op": "assert", "lock": lock}) for lock in ("", "a b", 1, None, "9"))),
    Case("assert: the lock is had in the middle of the queue", call("lock", "x"),
         call("lock", "x", on="b"), asserting("x", "b"), LEAVES),
]
