#!/usr/bin/python3
"""On-demand programming: what a host with many mappings takes, and what a first packet waits for.

    HNV_BIN_DIR=build/bin tests/bench/on_demand.py [--quick|--full]

A guest sends to MACs of another host, each for the first time: how long such a packet takes from
the guest's port to the uplink. Its limit: the same when all flows are there, and the switch alone
has to find the packet's way. Then the guest asks for more addresses than a port may have
destinations, as a scan does, while another one pings.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from arp import policy  # noqa: E402
from harness.figures import Figure, percentiles  # noqa: E402
from harness.machine import memory_mib  # noqa: E402
from harness.scenario import main  # noqa: E402
from hnvlab import packet  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

GUESTS = [("sender", "02:bb:00:00:00:01", "10.200.0.1"),
          ("other", "02:bb:00:00:00:02", "10.200.0.2")]
PEER = "192.168.1.20"
PAUSE = 0.003  # Between first packets: the pace, not a wait.


def policy_for(host, count):
    content = policy(count, host.pa, GUESTS)
    for mapping in content["mappings"][:count]:
        mapping["pa"] = PEER
    return content


def first_packets(host, guest, macs):
    """(p50, p99) in µs from the guest's port to the uplink."""
    with guest.capture() as sent, host.capture_uplink() as seen:
        for mac in macs:
            guest.send(packet.udp_frame(mac, guest.mac, guest.ip, "10.255.0.1", b"first"))
            time.sleep(PAUSE)
        arrived = seen.wait_for(lambda frame: frame.inner and frame.inner.dst in macs,
                                "all first packets", count=len(macs))
        sent.sync()
        began = {frame.dst: frame.time for frame in sent.frames}
    return percentiles([(frame.time - began[frame.inner.dst]) * 1e6 for frame in arrived])


def scan(host, guest, other, addresses):
    """The agent's counters after a scan, and what another guest's pings lost meanwhile."""
    for address in addresses:
        guest.send_arp_request(address)
    ping = other.ping(guest.ip, count=50, interval=0.02)
    wait_until(lambda: host.agent.status()["switch"]["state"] == "idle", "it is worked off", 60)
    return host.agent.status()["on_demand"], ping.lost


def measure(lab, count, samples):
    host = lab.add_host("host1", "192.168.1.10/24")
    peer = lab.add_host("host2", f"{PEER}/24")
    peer.agent.start()
    peer.agent.apply({"version": 1, "provider_addresses": [{"address": f"{PEER}/24"}]})
    host.agent.start()
    host.agent.set_host(programming="on-demand")
    sender, other = (host.add_guest(name, mac, f"{ca}/8") for name, mac, ca in GUESTS)
    content = policy_for(host, count)
    host.agent.apply(content, timeout=600)
    # The switch learns where the peer is from an answer that comes while it has a tunnel.
    wait_until(lambda: host.ping_host(peer) and peer.ping_host(host), "the hosts see each other")
    macs = [mapping["mac"] for mapping in content["mappings"][:count]]
    name = f"on demand {count}"
    yield Figure(f"{name}: memory of the agent", memory_mib(host.agent.process.pid), "MiB")
    yield Figure(f"{name}: memory of ovs-vswitchd", memory_mib(host.vswitchd.pid), "MiB")
    yield Figure(f"{name}: flows", host.agent.status()["switch"]["flows"], "flows")
    # The first of all also wakes what sleeps.
    first_packets(host, sender, macs[:10])
    asked = first_packets(host, sender, macs[10:10 + samples])
    status, lost = scan(host, sender, other,
                        [mapping["ca"] for mapping in content["mappings"][samples:count]])
    yield Figure(f"{name}: destinations after a scan", status["destinations"], "MACs")
    yield Figure(f"{name}: pings that another guest lost meanwhile", lost, "packets")
    host.agent.set_host(programming="proactive")
    host.agent.confirm(timeout=600)
    first_packets(host, sender, macs[-10:])
    there = first_packets(host, sender, macs[-10 - samples:-10])
    for place, what in enumerate(("p50", "p99")):
        yield Figure(f"{name}: first packet {what}", asked[place], "us", there[place])


def scenario(arguments):
    sizes = [2000] if arguments.quick else [100_000]
    if arguments.full:
        sizes.append(1_000_000)
    for count in sizes:
        with Lab() as lab:
            yield from measure(lab, count, 100 if arguments.quick else 500)


if __name__ == "__main__":
    main(__doc__, scenario)
