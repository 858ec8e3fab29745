"""The vocabulary of the cases: a case is a name and the steps of it, one request each."""

import dataclasses
import itertools

from normalise import fixed_uuid

__all__ = ["Case", "Step", "after", "await_reply", "call", "delete_all", "insert", "raw", "select",
           "send", "transact", "uuid"]


@dataclasses.dataclass(frozen=True)
class Step:
    session: str
    kind: str  # "call": send and read the reply; "send": send; "await": read; "raw": bytes.
    message: object
    pause: float = 0.0


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    steps: tuple

    def __init__(self, name, *steps):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "steps", tuple(steps))
        if not all(isinstance(step, Step) for step in steps):
            raise TypeError(f"{name}: a step is no Step")


_ids = itertools.count(1)


def uuid(number):
    """A UUID that a request can give a row: ["uuid", …]."""
    return ["uuid", fixed_uuid(number)]


def call(method, *params, on="a"):
    """A request, and its reply."""
    return Step(on, "call", {"id": next(_ids), "method": method, "params": list(params)})


def send(identity, method, *params, on="a"):
    """A request whose reply may be late: see await_reply()."""
    return Step(on, "send", {"id": identity, "method": method, "params": list(params)})


def await_reply(identity, on="a"):
    return Step(on, "await", identity)


def raw(data, on="a"):
    """Bytes as they are."""
    return Step(on, "raw", data if isinstance(data, bytes) else data.encode())


def after(milliseconds, step):
    """The step, no earlier than so long after the one before: for timeouts of the protocol."""
    return dataclasses.replace(step, pause=milliseconds / 1000)


def transact(database, *operations, on="a"):
    return call("transact", database, *operations, on=on)


# --- operations ------------------------------------------------------------------------------

def insert(table, row, **members):
    if isinstance(members.get("uuid"), int):
        members["uuid"] = fixed_uuid(members["uuid"])
    return {"op": "insert", "table": table, "row": row,
            **{key.replace("_", "-"): value for key, value in members.items()}}


def select(table, *where, columns=None):
    operation = {"op": "select", "table": table, "where": list(where)}
    return operation if columns is None else {**operation, "columns": columns}


def delete_all(table):
    return {"op": "delete", "table": table, "where": []}
