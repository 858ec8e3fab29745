#!/usr/bin/python3
"""Cost curves: what a policy costs as it grows in mappings, in ports, in virtual subnets.

    HNV_BIN_DIR=build/bin tests/bench/cost_curves.py [--quick|--full]

For each size, on a host of its own: seconds from the first transaction until the switch has
confirmed all, memory of the agent and of ovs-vswitchd, and what one more mapping takes then. The
subnets are all of one virtual network, which is the worst for them. The point at x = 0 is the
constant cost. Ports are internal ones of the switch, made before the clock runs.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from bulk_mappings import any_locator, confirm, load, locator, mapping, one_by_one  # noqa: E402
from harness.figures import Figure  # noqa: E402
from harness.machine import memory_mib  # noqa: E402
from harness.scenario import main  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

BRIDGE = "br-hnv"
FIRST_VSID = 5001
PER_TRANSACTION = 500
PA = "192.168.1.10"


class Subject:
    """A host with its agent, and a client of it."""

    def __init__(self, lab):
        self.host = lab.add_host("host1", f"{PA}/24")
        self.host.agent.start()
        self.host.agent.set_host(programming="proactive")
        self.client = Client(self.host.agent.socket.removeprefix("unix:"))

    def memory(self):
        return {"memory of the agent": memory_mib(self.host.agent.process.pid),
                "memory of ovs-vswitchd": memory_mib(self.host.vswitchd.pid)}


def grow_mappings(subject, count):
    """Returns seconds, and the subnet to which one mapping is added after."""
    begin = time.perf_counter()
    _, subnet = load(subject.client, count)
    confirm(subject.client)
    return time.perf_counter() - begin, subnet


def batches(operations):
    return [operations[at:at + PER_TRANSACTION] for at in range(0, len(operations),
                                                                PER_TRANSACTION)]


def subnet_row(number):
    return {"op": "insert", "table": "Logical_Switch", "uuid-name": f"subnet{number}",
            "row": {"name": str(FIRST_VSID + number), "tunnel_key": FIRST_VSID + number,
                    "description": "bench"}}


def grow_subnets(subject, count):
    """As many subnets, a mapping in each, then the router that binds them all."""
    client, subnets = subject.client, []
    begin = time.perf_counter()
    place = ["named-uuid", "peer0"]
    for numbers in batches(range(count)):
        operations = [] if subnets else [locator(0)]
        at = len(operations)
        operations += [subnet_row(number) for number in numbers]
        operations += [mapping(["named-uuid", f"subnet{number}"], place, number << 8)
                       for number in numbers]
        answers = client.transact("ms_vtep", *operations)
        if not subnets:
            place = answers[0]["uuid"]
        subnets += [answer["uuid"] for answer in answers[at:at + len(numbers)]]
    binding = [[f"10.{number >> 8}.{number & 255}.0/24", uuid]
               for number, uuid in enumerate(subnets)]
    client.transact("ms_vtep", {"op": "insert", "table": "Logical_Router", "row": {
        "name": "bench", "enable_logical_router": True, "switch_binding": ["map", binding]}})
    confirm(client)
    return time.perf_counter() - begin, subnets[0]


def plug(host, count):
    """Internal ports whose interface is bound to port0, port1…; waits until the agent has them."""
    for numbers in batches(range(count)):
        words = []
        for number in numbers:
            words += ["--", "add-port", BRIDGE, f"tap{number}", "--", "set", "Interface",
                      f"tap{number}", "type=internal", f"external_ids:iface-id=port{number}",
                      f'external_ids:attached-mac="{port_mac(number)}"']
        host.vsctl("--no-wait", *words)
    wait_until(lambda: host.agent.status()["policy"]["ports"] >= count, "the ports are seen", 120)
    wait_until(lambda: len(host.agent.rows("ms_vtep", "Physical_Port", ["name"])) >= count,
               "the ports have rows", 120)


def port_mac(number):
    return mapping(None, None, number)["row"]["MAC"]


def allow(port, direction):
    return {"op": "insert", "table": "FW_Rules", "row": {
        "vnic_id": port, "rule_id": f"{port}-{direction}", "rule_state": "Enabled",
        "rule_type": "RuleWithControllerPriority", "logging_state": "Disabled", "action": "Allow",
        "direction": direction, "priority": 100, "protocols": "*", "src_ip_addresses": "*",
        "dst_ip_addresses": "*", "src_ports": "*", "dst_ports": "*"}}


def grow_ports(subject, count):
    """Ports of one subnet, each with a mapping to here and two rules that allow everything."""
    host, client = subject.host, subject.client
    client.transact("hnv_host", {"op": "insert", "table": "Provider_Address",
                                 "row": {"address": f"{PA}/24", "uplink": "br-pa"}})
    plug(host, count)
    here = {**locator(0), "row": {"dst_ip": PA, "encapsulation_type": "vxlan_over_ipv4"}}
    begin = time.perf_counter()
    subnet, place, *_ = (answer["uuid"] for answer in client.transact(
        "ms_vtep", subnet_row(0), here,
        mapping(["named-uuid", "subnet0"], ["named-uuid", "peer0"], 0)))
    for numbers in batches(range(count)):
        client.transact("ms_firewall", *(allow(f"port{number}", direction) for number in numbers
                                         for direction in ("Inbound", "Outbound")))
        client.transact("ms_vtep", *(
            operation for number in numbers for operation in (
                {"op": "update", "table": "Physical_Port",
                 "where": [["name", "==", f"port{number}"]],
                 "row": {"vlan_bindings": ["map", [[0, subnet]]]}},
                mapping(subnet, place, number))[:1 if number == 0 else 2]))
    confirm(client)
    seconds = time.perf_counter() - begin
    active = sum(port["state"] == "active" for port in host.agent.report("ports"))
    if active != count:
        raise RuntimeError(f"{active} of {count} ports are active")
    return seconds, subnet


def points(what, grow, sizes, changes):
    """The figures of one curve."""
    for count in sizes:
        with Lab() as lab:
            subject = Subject(lab)
            if count == sizes[0]:
                begin = time.perf_counter()
                confirm(subject.client)
                yield point(what, 0, "confirmed", time.perf_counter() - begin, "s")
                for name, mib in subject.memory().items():
                    yield point(what, 0, name, mib, "MiB")
            seconds, subnet = grow(subject, count)
            yield point(what, count, "confirmed", seconds, "s")
            for name, mib in subject.memory().items():
                yield point(what, count, name, mib, "MiB")
            p50, p99 = one_by_one(subject.client, subnet, any_locator(subject.client), changes,
                                  True)
            yield point(what, count, "one change p50", p50, "us")
            yield point(what, count, "one change p99", p99, "us")


def point(what, count, name, value, unit):
    return Figure(f"{what} {count}: {name}", value, unit, curve=f"{what}, {name}", x=count)


def scenario(arguments):
    quick = arguments.quick
    mappings = [100, 300] if quick else [1000, 10_000, 100_000]
    if arguments.full:
        mappings.append(1_000_000)
    changes = 10 if quick else 200
    yield from points("mappings", grow_mappings, mappings, changes)
    yield from points("ports", grow_ports, [1, 3] if quick else [10, 100, 1000], changes)
    yield from points("subnets", grow_subnets, [1, 10] if quick else [1, 100, 10_000], changes)


if __name__ == "__main__":
    main(__doc__, scenario)
