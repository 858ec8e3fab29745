#!/usr/bin/python3
"""ARP: the agent with many mappings beside a controller that answers and looks nothing up.

    HNV_BIN_DIR=build/bin tests/bench/arp.py [MAPPINGS [ROUNDS]]

One switch has both: the agent's bridge, and a bridge whose only flow sends ARP to `arp_bounce`.
Each round asks both, one after the other: latency at 1,000/s, and the highest rate that loses no
reply. Then both are asked at once, at 1,000/s, while a transaction of as many mappings more is
committed and programmed. Prints one line of JSON for each measurement and one with the ratios;
asserts nothing. Needs the build's targets arp_generator and arp_bounce. Quote ratios of one run.
"""

import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import bulk_mappings  # noqa: E402
from hnvlab import netns  # noqa: E402
from hnvlab.agent import binary  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from hnvlab.policy import allow_all  # noqa: E402

VSID = 5001
RDID = "b3f6a2c1-5d0e-4c7a-9f21-6e8d40c75001"
MAC, ADDRESS = "02:bb:00:00:00:01", "10.200.0.1"
FIRST = "10.1.0.0"
SECONDS = 2
LIMIT_BRIDGE = "br-limit"


def ca(number):
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def policy(count, pa, guests):
    """A subnet of `count` mappings at other hosts; `guests`: [(port, MAC, address)] are here."""
    remote = [{"vsid": VSID, "ca": ca(i), "pa": f"192.168.{2 + i // 100 // 250}.{1 + i // 100 % 250}",
               "mac": f"02:00:00:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x}"}
              for i in range(count)]
    local = [{"vsid": VSID, "ca": address, "mac": mac, "pa": pa} for _, mac, address in guests]
    return {"version": 1,
            "provider_addresses": [{"address": f"{pa}/24", "uplink": "br-pa"}],
            "virtual_networks": [{"id": RDID, "description": "bench", "routed": True,
                                  "subnets": [{"vsid": VSID, "prefix": "10.0.0.0/8"}]}],
            "mappings": remote + local,
            "ports": [{"name": name, "vsid": VSID} for name, _, _ in guests],
            "acls": [rule for name, _, _ in guests for rule in allow_all(name)]}


class Side:
    """Where to ask: a namespace and its interface."""

    def __init__(self, name, namespace, interface, count):
        self.name, self.namespace, self.interface, self.count = name, namespace, interface, count

    def begin(self, rate, seconds):
        return subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, binary("arp_generator"), self.interface, MAC,
             ADDRESS, FIRST, str(self.count), str(rate), str(seconds)],
            stdout=subprocess.PIPE, text=True)

    @staticmethod
    def end(generator):
        said, _ = generator.communicate(timeout=120)
        return json.loads(said)

    def ask(self, rate, seconds=SECONDS):
        return self.end(self.begin(rate, seconds))

    def without_loss(self, rate):
        """Whether `rate` is answered to the last request, and could be asked."""
        said = self.ask(rate)
        return said["replies"] == said["sent"] and said["sent"] > 0.98 * rate * SECONDS

    def highest(self):
        good, bad = 4000, None
        while bad is None and good < 1_000_000:
            if self.without_loss(good * 2):
                good *= 2
            else:
                bad = good * 2
        for _ in range(4):
            middle = (good + bad) // 2
            if self.without_loss(middle):
                good = middle
            else:
                bad = middle
        return good


def add_limit(lab, host):
    """A bridge that sends ARP to its controller, in the same switch."""
    namespace = lab.add_namespace("limit")
    netns.ip_batch(host.namespace, [
        f"link add limit0 type veth peer name eth0 address {MAC} netns {namespace}",
        "link set limit0 up"])
    netns.ip_batch(namespace, ["link set eth0 up"])
    host.vsctl("add-br", LIMIT_BRIDGE, "--", "set", "bridge", LIMIT_BRIDGE, "datapath_type=netdev",
               "fail_mode=secure", "--", "add-port", LIMIT_BRIDGE, "limit0")
    management = f"{host.ovs_dir}/{LIMIT_BRIDGE}.mgmt"
    host.ofctl("add-flow", f"unix:{management}", "arp,arp_op=1,actions=CONTROLLER:65535")
    lab.spawn([binary("arp_bounce"), management], namespace=host.namespace, log="bounce.log")
    return namespace


def told(side, what, figures):
    print(json.dumps({"who": side.name, "what": what, **figures}), flush=True)
    return figures


def while_programming(host, sides, count):
    """Both are asked while one transaction of `count` mappings is committed and programmed."""
    client = Client(host.agent.socket.removeprefix("unix:"))
    operations = [{"op": "insert", "table": "Logical_Switch", "uuid-name": "more",
                   "row": {"name": "7001", "tunnel_key": 7001, "description": "more"}}]
    for number in range(count):
        if number % 100 == 0:
            place = bulk_mappings.locator(10_000 + number // 100)
            operations.append(place)
        operations.append(bulk_mappings.mapping(["named-uuid", "more"],
                                                ["named-uuid", place["uuid-name"]], number))
    seconds = 3 + count * 3e-4  # Longer than the programming takes on a busy machine.
    generators = [(side, side.begin(1000, seconds)) for side in sides]
    begin = time.monotonic()
    client.transact("ms_vtep", *operations)
    bulk_mappings.confirm(client)
    took = time.monotonic() - begin
    return {side.name: told(side, "1,000/s while programming",
                            {"programming_s": round(took, 2), "asked_s": seconds,
                             **side.end(generator)})
            for side, generator in generators}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        guest = host.add_guest("asker", MAC, f"{ADDRESS}/8")
        host.agent.apply(policy(count, host.pa, [("asker", MAC, ADDRESS)]), timeout=120)
        host.agent.transact("hnv_host", {"op": "insert", "table": "Port_Settings", "row": {
            "name": "asker", "other_config": ["map", [["arp_limit_pps", "4000000"]]]}})
        host.agent.confirm()
        sides = [Side("agent", guest.namespace, "eth0", count),
                 Side("limit", add_limit(lab, host), "eth0", count)]
        for side in sides:
            wait_until(lambda s=side: s.ask(1000, 0.2)["replies"], f"{side.name} answers")
        latency, rates = {s.name: [] for s in sides}, {s.name: [] for s in sides}
        for _ in range(rounds):
            for side in sides:
                latency[side.name].append(told(side, "1,000/s", side.ask(1000)))
            for side in sides:
                rates[side.name].append(side.highest())
                told(side, "without loss", {"per_second": rates[side.name][-1]})
        busy = while_programming(host, sides, count)
        middle = statistics.median
        p99 = {name: middle(each["p99_us"] for each in said) for name, said in latency.items()}
        print(json.dumps({
            "mappings": count, "rate_ratio": round(middle(rates["agent"]) / middle(rates["limit"]), 3),
            "p99_ratio": round(p99["agent"] / p99["limit"], 3),
            "p99_while_programming_ms": {n: round(b["p99_us"] / 1e3, 2) for n, b in busy.items()},
            "switch": host.agent.status()["switch"]}), flush=True)


if __name__ == "__main__":
    main()
