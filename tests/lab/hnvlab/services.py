"""Rules of ms_service_insertion, as a controller writes them."""

from .shell import wait_until

DATABASE = "ms_service_insertion"


def rule(port, identity, kind, routing, *, priority=100, **fields):
    """One row; the 5-tuple is open unless given by the columns' names."""
    return {"vnic_id": port, "rule_id": identity, "rule_type": kind, "priority": priority,
            "routing_information": routing, **fields}


def mirror(port, routing, identity="mirror", **fields):
    return rule(port, identity, "MirrorSource", routing, **fields)


def arrival(port, key, *pas, identity="arrival"):
    return rule(port, identity, "MirrorDestinaion", f"key={key} from={';'.join(pas)}")


def insertion(port, routing, identity="insertion", **fields):
    return rule(port, identity, "ServiceInsertion", routing, **fields)


def write(agent, *rules):
    """Replaces all rules of a host, and returns once packets meet the new ones."""
    agent.transact(DATABASE, {"op": "delete", "table": "SI_Rule", "where": []},
                   *({"op": "insert", "table": "SI_Rule", "row": row} for row in rules),
                   {"op": "mutate", "table": "SI_Global", "where": [],
                    "mutations": [["next_cfg", "+=", 1]]})

    def confirmed():
        [row] = agent.rows(DATABASE, "SI_Global")
        return row["cur_cfg"] == row["next_cfg"]
    wait_until(confirmed, "the rules are confirmed")
    # Until the revalidators have run, the datapath may still do what the old rules say.
    agent.host.appctl("revalidator/wait")
