"""The schema that most cases run against: ms_darv's, and tables with what the others lack.

A client may convert a database; both servers are asked to. The agent reacts to none of the tables
added here, so that it differs in nothing from a server that reacts to none at all.
"""

from servers import schema_text

DATABASE = "ms_darv"


def column(key, value=None, minimum=1, maximum=1, **more):
    kind = {"key": key, "min": minimum, "max": maximum}
    if value is not None:
        kind["value"] = value
    return {"type": kind, **more}


def a_set(key, **more):
    return column(key, minimum=0, maximum="unlimited", **more)


def a_map(key, value, **more):
    return column(key, value, minimum=0, maximum="unlimited", **more)


def reference(table, kind="strong"):
    return {"type": "uuid", "refTable": table, "refType": kind}


def table(columns, root=True, **more):
    return {"columns": columns, "isRoot": root, **more}


ATOMS = ("integer", "real", "boolean", "string", "uuid")

_types = {
    **{kind: {"type": kind} for kind in ATOMS},
    **{f"{kind}_optional": column(kind, minimum=0) for kind in ATOMS},
    **{f"{kind}_set": a_set(kind) for kind in ATOMS},
    **{f"{kind}_map": a_map("string", kind) for kind in ATOMS},
    "by_integer": a_map("integer", "string"), "by_real": a_map("real", "string"),
    "by_boolean": a_map("boolean", "string"), "by_uuid": a_map("uuid", "string"),
}

_bounded = {
    "number": column({"type": "integer", "minInteger": 0, "maxInteger": 10}),
    "fraction": column({"type": "real", "minReal": 0.5, "maxReal": 2.5}, minimum=0),
    "text": column({"type": "string", "minLength": 2, "maxLength": 5}, minimum=0),
    "colour": column({"type": "string", "enum": ["set", ["red", "green", "blue"]]}),
    "prime": column({"type": "integer", "enum": ["set", [2, 3, 5, 7]]}, minimum=0),
    "only": column({"type": "string", "enum": "this"}, minimum=0),
    "some": column("integer", minimum=0, maximum=3),
    "pairs": column("string", "integer", minimum=0, maximum=2),
    "bounded_values": a_map("string", {"type": "integer", "minInteger": 1, "maxInteger": 9}),
    "fixed": column("integer", mutable=False),
    "passing": column("integer", ephemeral=True),
    "passing_set": a_set("string", ephemeral=True),
}

_references = {
    "name": {"type": "string"},
    "children": a_set(reference("Child")),
    "child": column(reference("Child"), minimum=0),
    "by_name": a_map("string", reference("Child")),
    "to_name": a_map(reference("Child"), "string"),
    "leaves": a_set(reference("Leaf", "weak")),
    "leaf_by_name": a_map("string", reference("Leaf", "weak")),
    "name_by_leaf": a_map(reference("Leaf", "weak"), "string"),
}

_added = {
    "Types": table(_types),
    "Bounded": table(_bounded),
    "Parent": table(_references),
    "Child": table({"name": {"type": "string"}, "next": column(reference("Child"), minimum=0)},
                   root=False),
    "Leaf": table({"name": {"type": "string"}}),
    "Needy": table({"leaf": column(reference("Leaf", "weak")), "name": {"type": "string"}}),
    "Demanding": table({"child": column(reference("Child"))}),
    "Three": table({"name": {"type": "string"}}, maxRows=3),
    "Indexed": table({"key": {"type": "string"}, "a": {"type": "integer"}, "b": a_set("integer"),
                      "rest": {"type": "string"}}, indexes=[["key"], ["a", "b"]]),
}

EXTENDED = schema_text(DATABASE)
EXTENDED["tables"] = {**EXTENDED["tables"], **_added}

# What cases write to, to be emptied after each; the rows that the agent makes for itself stay.
TABLES = {
    "ms_vtep": ["Logical_Router", "Ucast_Macs_Remote", "Mcast_Macs_Remote", "Logical_Switch"],
    "ms_firewall": ["FW_Rules"],
    "ms_service_insertion": ["SI_Rule"],
    "ms_darv": ["Ports", "Switches"],
    "hardware_vtep": ["Ucast_Macs_Remote", "Mcast_Macs_Remote", "Logical_Router", "ACL",
                      "ACL_entry", "Logical_Switch"],
    "hnv_host": ["Provider_Address", "Port_Settings", "NAT"],
    "_Server": [],
}
_ADDED_ROOTS = [name for name, added in _added.items() if added["isRoot"]]


def used_by(case):
    """The databases that the case's transactions name."""
    names = set()
    for step in case.steps:
        message = step.message
        if isinstance(message, dict) and message["method"] == "transact" and message["params"]:
            names.add(str(message["params"][0]))
    return sorted(names & TABLES.keys())


def converted():
    """From now on DATABASE has the added tables."""
    TABLES[DATABASE] = TABLES[DATABASE] + _ADDED_ROOTS
