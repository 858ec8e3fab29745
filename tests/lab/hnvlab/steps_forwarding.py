"""Steps 1 to 4 of the quick start: ARP, TCP, and what the underlay carries.

A step takes the scene (a `policy.Deployment` that is up) and a `Report`.
"""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

from . import packet
from .shell import Timeout, run, wait_until

SQL_PORT = 1433
UNKNOWN_CA = "10.1.1.77"
FLOWS_PER_TENANT = 8


def is_arp(frame):
    return frame.arp is not None or (frame.inner is not None and frame.inner.arp is not None)


def _is_customers(arp):
    return arp.target_ip.startswith("10.1.1.") or arp.sender_ip.startswith("10.1.1.")


def _customer_arp(frames):
    """(in the clear, encapsulated): ARP frames about customer addresses."""
    clear = [f for f in frames if f.arp and _is_customers(f.arp)]
    tunnelled = [f for f in frames if f.inner and f.inner.arp]
    return len(clear), len(tunnelled)


@contextlib.contextmanager
def _both_wires(scene):
    """Captures on the wires of both hosts; complete when the block ends."""
    lab = scene.lab
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(lab.capture_underlay(host)) for host in lab.hosts.values()]
        yield wires
        for wire in wires:
            wire.sync()


def _asks_for(guest, address):
    return lambda f: f.arp and f.arp.operation == 1 and f.outgoing and f.arp.target_ip == address


def _is_told(guest, address):
    return lambda f: f.arp and f.arp.operation == 2 and not f.outgoing and (
        f.arp.sender_ip == address)


def _arp_exchange(report, web, sql):
    """One guest asks for its own tenant's server; the answer that it got."""
    web.forget_neighbours()
    with web.capture() as nic:
        web.run("ping", "-n", "-c", "1", "-W", "1", sql.ip, check=False)
        answers = nic.wait_for(_is_told(web, sql.ip), "an ARP reply")
        asked = nic.select(_asks_for(web, sql.ip))[0]
    delay = (answers[0].time - asked.time) * 1e3
    report.show(f"{web.name}: who has {sql.ip}?  "
                f"reply: {answers[0].arp.sender_mac}  after {delay:.2f} ms")
    state, mac = web.neighbour(sql.ip)
    report.check(answers[0].arp.sender_mac == sql.mac and mac == sql.mac,
                 f"{web.name} got the MAC of {sql.name} (its neighbour entry: {mac}, {state})")


def arp_is_answered(scene, report):
    """Web asks by ARP for 10.1.1.11; the agent answers, and the underlay sees nothing of it."""
    agent = scene.lab.hosts["host2"].agent
    before = agent.status()["arp"]["answered"]
    with _both_wires(scene) as wires, scene["fabrikam-web"].capture() as neighbour:
        _arp_exchange(report, scene["contoso-web"], scene["contoso-sql"])
        neighbour.sync()
        heard = neighbour.select(is_arp)
        _arp_exchange(report, scene["fabrikam-web"], scene["fabrikam-sql"])
    after = agent.status()["arp"]["answered"]
    report.check(after >= before + 2,
                 f"the agent of host2 answered: its counter went from {before} to {after}")
    report.check(not heard, "the guest beside it, of the other tenant, heard nothing of the first")
    for host, wire in zip(scene.lab.hosts.values(), wires):
        clear, tunnelled = _customer_arp(wire.frames)
        own = len(wire.select(lambda f: f.arp)) - clear
        report.check(clear + tunnelled == 0,
                     f"ARP frames of guests on the wire of {host.name}: {clear} in the clear, "
                     f"{tunnelled} encapsulated (of {len(wire.frames)} frames; "
                     f"{own} are the host's own ARP with its router)")


def unknown_stays_unanswered(scene, report):
    """An address that is in no mapping: no reply, and the agent counts it."""
    web = scene["contoso-web"]
    agent = scene.lab.hosts["host2"].agent
    before = agent.status()["arp"]["missed"]
    with _both_wires(scene) as wires, web.capture() as nic:
        result = web.ping(UNKNOWN_CA, count=1, wait=4)
        nic.sync()
        asked = nic.select(_asks_for(web, UNKNOWN_CA))
        told = nic.select(_is_told(web, UNKNOWN_CA))
    report.show(next((line for line in result.output.splitlines() if "nreachable" in line),
                     result.output.strip()))
    state, _ = web.neighbour(UNKNOWN_CA)
    report.check(asked and not told,
                 f"{web.name} asked {len(asked)} times for {UNKNOWN_CA} and got "
                 f"{len(told)} replies")
    report.check(state in ("FAILED", "INCOMPLETE") and "nreachable" in result.output,
                 f"its neighbour entry ends as {state}; ping says unreachable")
    after = agent.status()["arp"]["missed"]
    report.check(after - before >= len(asked),
                 f"the agent counted the misses: from {before} to {after}")
    report.check(not any(sum(_customer_arp(wire.frames)) for wire in wires),
                 "nothing of it on either underlay wire")


def start_servers(scene):
    """Each SQL machine says who it is to whoever connects."""
    for tenant in ("contoso", "fabrikam"):
        scene[f"{tenant}-sql"].serve(SQL_PORT)


def each_reaches_its_own(scene, report):
    """TCP from each Web to its own SQL, both tenants at once, with the same addresses."""
    def ask(tenant):
        return scene[f"{tenant}-web"].ask(scene[f"{tenant}-sql"].ip, SQL_PORT)

    tenants = ("contoso", "fabrikam") * 5
    with ThreadPoolExecutor(len(tenants)) as together:
        answers = list(together.map(ask, tenants))
    for tenant in ("contoso", "fabrikam"):
        web, sql = scene[f"{tenant}-web"], scene[f"{tenant}-sql"]
        said = [answer for who, answer in zip(tenants, answers) if who == tenant]
        report.show(f"{web.name} {web.ip} -> {sql.ip}:{SQL_PORT}  {said[0]!r}")
        wanted = f"I am {sql.vm_name}, you are {web.ip}"
        report.check(said == [wanted] * len(said),
                     f"{len(said)} connections of {web.name} all ended at {sql.name}")


def _decoded(path, count):
    """tcpdump's reading of the first packets of a file: somebody else's decoder."""
    text = run(["tcpdump", "-n", "-t", "-r", path, "-c", str(count)]).stdout
    return text.rstrip()


def _check_outer(report, vsid, seen):
    outer = {(f.ip.src, f.ip.dst, f.ip.protocol, f.ip.dport) for f in seen}
    report.check(outer == {("192.168.2.20", "192.168.1.10", packet.UDP, packet.VXLAN_PORT)},
                 f"VNI {vsid}: {len(seen)} packets, outer 192.168.2.20 -> 192.168.1.10, UDP 4789")
    by_flow = {}
    for frame in seen:
        by_flow.setdefault(frame.inner.ip.sport, set()).add(frame.ip.sport)
    ports = set().union(*by_flow.values())
    report.check(len(by_flow) >= FLOWS_PER_TENANT and len(ports) > len(by_flow) // 2
                 and all(len(used) == 1 for used in by_flow.values()),
                 f"VNI {vsid}: {len(by_flow)} flows use {len(ports)} outer source ports, "
                 "each flow one")


def _follow_flows(scene, web, sql):
    """(sent by web, seen on the wire, received by sql): the frames of a few new connections."""
    def is_sent(frame):
        return frame.ip and frame.ip.protocol == packet.TCP and frame.src == web.mac

    host1 = scene.lab.hosts["host1"]
    with scene.lab.capture_underlay(host1) as wire, web.capture() as start, sql.capture() as end:
        for _ in range(FLOWS_PER_TENANT):
            web.ask(sql.ip, SQL_PORT)
        # Connections of an earlier step may still be closing: only those that began here count.
        syns = start.sync().select(lambda f: is_sent(f) and f.ip.payload[13] & 0x02)
        mine = {f.ip.sport for f in syns}

        def followed():
            return (start.select(lambda f: is_sent(f) and f.ip.sport in mine),
                    wire.select(lambda f: f.inner and is_sent(f.inner)
                                and f.inner.ip.sport in mine),
                    end.select(lambda f: is_sent(f) and f.ip.sport in mine))

        with contextlib.suppress(Timeout):  # what is missing then will be told
            wait_until(lambda: len(set(map(len, followed()))) == 1, "the last frames arrive", 3)
        return followed()


def _one_tenants_packets(scene, report, tenant):
    web, sql = scene[f"{tenant}-web"], scene[f"{tenant}-sql"]
    vsid = next(m.tenant.vsid for m in scene.machines if m.name == sql.name)
    sent, seen, received = _follow_flows(scene, web, sql)
    path = os.path.join(scene.lab.state_dir, f"underlay-vni-{vsid}.pcap")
    packet.write_pcap(path, seen)
    report.show(_decoded(path, 1))
    _check_outer(report, vsid, seen)
    left, arrived = [f.raw for f in sent], [f.raw for f in received]
    carried = [f.inner.raw for f in seen]
    report.check(left and left == carried == arrived,
                 f"VNI {vsid}: the {len(left)} frames that {web.name} sent, the {len(carried)} in "
                 f"the tunnel and the {len(arrived)} that {sql.name} got are the same bytes")
    report.check({f.vni for f in seen} == {vsid}, f"VNI {vsid} and no other carried them")
    report.show(f"kept in {path}")


def encapsulation_is_right(scene, report):
    """The encapsulated packets, as captured between the hosts."""
    for tenant in ("contoso", "fabrikam"):
        _one_tenants_packets(scene, report, tenant)
