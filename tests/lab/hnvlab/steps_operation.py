"""Steps 5 to 7 of the quick start: isolation, the policy as people see it, the agent's crash."""

import contextlib
import json
import re
import secrets
import time
from dataclasses import dataclass

from . import packet, policy
from .guest import parse_ping
from .process import Daemon
from .shell import CommandError, wait_until
from .steps_forwarding import SQL_PORT

# A machine that only Fabrikam has, so that there is an address which is Fabrikam's alone.
FABRIKAM_DB = policy.Machine("fabrikam-db", policy.FABRIKAM, "10.1.1.99", "00:15:5d:60:01:63",
                             "host1")
PINGS = 600
PING_INTERVAL = 0.01


def add_machine(scene, machine):
    """Plugs in one more machine and tells both hosts about it, as a controller would."""
    scene.plug(machine)
    scene.machines = (*scene.machines, machine)
    scene.apply()


def _try_addresses(scene, report):
    web, db = scene["contoso-web"], scene["fabrikam-db"]
    answer = web.ask("10.1.1.11", SQL_PORT)
    report.check(answer and scene["contoso-sql"].vm_name in answer,
                 f"10.1.1.11 is Contoso's own for Contoso: {answer!r}")
    report.check(scene["fabrikam-web"].reaches(db.ip),
                 f"{db.ip} is there for Fabrikam: fabrikam-web has its ping answered")
    with db.capture() as nic:
        lost = web.ping(db.ip, count=1, wait=4)
        state, _ = web.neighbour(db.ip)
        report.check(lost.received == 0 and state in ("FAILED", "INCOMPLETE"),
                     f"{db.ip} is not there for Contoso: no ARP reply, neighbour entry {state}")
        web.set_neighbour(db.ip, db.mac)
        lost = web.ping(db.ip, count=3)
        nic.sync()
        arrived = nic.select(lambda f: f.src == web.mac)
    web.run("ip", "neigh", "del", db.ip, "dev", "eth0")
    report.check(lost.received == 0 and not arrived,
                 f"nor when Contoso knows its MAC: {lost.sent} pings sent, {lost.received} "
                 f"answered, {len(arrived)} frames at fabrikam-db")


def _forgeries(scene, token):
    """Frames of contoso-web that would please Fabrikam's machines if they could get there."""
    web = scene["contoso-web"]
    fabrikam = [scene[m.name] for m in scene.machines if m.tenant is policy.FABRIKAM]
    for source in (web, scene["fabrikam-web"]):
        for target in fabrikam:
            yield packet.udp_frame(target.mac, source.mac, source.ip, target.ip, token)
        yield packet.udp_frame(packet.BROADCAST, source.mac, source.ip, "10.1.1.255", token)


def _inject(scene, report):
    web = scene["contoso-web"]
    fabrikam = [scene[m.name] for m in scene.machines if m.tenant is policy.FABRIKAM]
    forged, honest = (secrets.token_bytes(16) for _ in range(2))
    frames = list(_forgeries(scene, forged))
    with contextlib.ExitStack() as stack:
        nics = [stack.enter_context(guest.capture()) for guest in fabrikam]
        wires = [stack.enter_context(scene.lab.capture_underlay(host))
                 for host in scene.lab.hosts.values()]
        for frame in frames:
            web.send(frame)
        # Sent last and by the same road: once it has arrived, so has all that was going to.
        friend, target = scene["fabrikam-web"], scene["fabrikam-sql"]
        friend.send(packet.udp_frame(target.mac, friend.mac, friend.ip, target.ip, honest))
        nics[fabrikam.index(target)].wait_for(lambda f: honest in f.raw, "Fabrikam's own frame")
        for capture in (*nics, *wires):
            capture.sync()
    arrived = sum(len(nic.select(lambda f: forged in f.raw)) for nic in nics)
    leaked = sum(len(wire.select(lambda f: forged in f.raw and f.vni == policy.FABRIKAM.vsid))
                 for wire in wires)
    report.check(arrived == 0 and leaked == 0,
                 f"of {len(frames)} frames that contoso-web forged with Fabrikam's MACs and "
                 f"addresses, {arrived} arrived at Fabrikam's machines and {leaked} entered VNI "
                 f"{policy.FABRIKAM.vsid} (Fabrikam's own, sent after them, arrived)")


def tenants_are_apart(scene, report):
    """Contoso can't reach Fabrikam by any address."""
    if FABRIKAM_DB not in scene.machines:
        add_machine(scene, FABRIKAM_DB)
    _try_addresses(scene, report)
    _inject(scene, report)


def _dumped_mappings(agent):
    """(vsid, ca, mac, pa) of each mapping, from the diagnostics port's JSON."""
    def table(name):
        text = agent.client("dump", 6641, "ms_vtep", name, "-f", "json").stdout
        dumped = json.loads(text)
        return [dict(zip(dumped["headings"], row)) for row in dumped["data"]]

    switches = {row["_uuid"][1]: row["tunnel_key"] for row in table("Logical_Switch")}
    locators = {row["_uuid"][1]: row["dst_ip"] for row in table("Physical_Locator")}
    return {(switches[row["logical_switch"][1]], row["ipaddr"], row["MAC"],
             locators[row["locator"][1]]) for row in table("Ucast_Macs_Remote")}


def _try_to_write(agent):
    """What the diagnostics port says to a change."""
    write = '["ms_vtep",{"op":"update","table":"Global","where":[],"row":{"next_cfg":1}}]'
    try:
        said = agent.client("transact", 6641, write).stdout
    except CommandError as error:
        said = f"error: {error.stderr or error.stdout}"
    return re.sub(r"\s+", " ", said).strip()


def policy_can_be_seen(scene, report):
    """The policy, on the diagnostics port and by hnvctl."""
    agent = scene.lab.hosts["host1"].agent
    report.show("$ ovsdb-client dump tcp:127.0.0.1:6641 ms_vtep Ucast_Macs_Remote "
                "MAC ipaddr mapping_type")
    report.show(agent.client("dump", 6641, "ms_vtep", "Ucast_Macs_Remote", "MAC", "ipaddr",
                             "mapping_type").stdout)
    wanted = {(m.tenant.vsid, m.ca, m.mac, policy.HOSTS[m.host].partition("/")[0])
              for m in scene.machines}
    report.check(_dumped_mappings(agent) == wanted,
                 f"the dump has the {len(wanted)} mappings: VSID, CA, MAC and PA")
    said = _try_to_write(agent)
    report.check("error" in said, f"the diagnostics port is read-only, to a write it says: {said}")
    for words in ("ports", "mappings", "provider-addresses"):
        report.show(f"$ hnvctl {words}")
        report.show(agent.hnvctl(words).stdout)
    _check_hnvctl(scene, report, agent, wanted)


def _check_hnvctl(scene, report, agent, wanted):
    ports = json.loads(agent.hnvctl("ports", "--json").stdout)
    local = {m.name for m in scene.machines if m.host == "host1"}
    active = {port["name"] for port in ports if port["state"] == "active"}
    report.check(active == local, f"hnvctl shows the ports of host1, active: "
                                  f"{', '.join(sorted(active)) or 'none'}")
    mappings = json.loads(agent.hnvctl("mappings", "--json").stdout)
    seen = {(m["vsid"], m["ca"], m["mac"], m["pa"]) for m in mappings}
    report.check(seen == wanted, f"hnvctl shows the {len(wanted)} mappings")
    addresses = json.loads(agent.hnvctl("provider-addresses", "--json").stdout)
    report.check(any(a["address"].startswith("192.168.1.10") for a in addresses),
                 "hnvctl shows the provider address 192.168.1.10")


@dataclass(frozen=True)
class Comparison:
    """A host's flows as they were before a crash, and what has become of them."""
    total: int
    kept: int  # the same, and older than the crash: never rewritten
    lost: int
    extra: int

    @property
    def clean(self):
        return self.total > 0 and self.kept == self.total and self.extra == 0


class Crash:
    """A kill -9 of a host's agent and its start; what that did to the flows can be asked later."""

    def __init__(self, host):
        self.host = host
        self._before = {flow.key: flow for flow in host.flows()}
        self._begin = time.monotonic()
        host.agent.kill()
        host.agent.start()
        self.absent = time.monotonic() - self._begin

    def compare(self):
        age = time.monotonic() - self._begin
        after = {flow.key: flow for flow in self.host.flows()}
        # A flow that was rewritten starts its duration anew, so it is younger than the crash.
        kept = sum(1 for key, flow in self._before.items()
                   if key in after and after[key].actions == flow.actions
                   and after[key].duration >= flow.duration + age - 0.01)
        return Comparison(len(self._before), kept, len(self._before.keys() - after.keys()),
                          len(after.keys() - self._before.keys()))


@contextlib.contextmanager
def steady_ping(guest, address, count=PINGS, interval=PING_INTERVAL):
    """A ping in the background; yields the capture that sees its replies come in."""
    log = f"{guest.name}-ping-{secrets.token_hex(2)}.out"
    with guest.capture() as nic:
        ping = guest.lab.spawn(["ping", "-n", "-i", interval, "-c", count, "-W", "1", address],
                               namespace=guest.namespace, log=log)
        try:
            yield nic, ping
        finally:
            ping.end()


def is_echo_reply(frame):
    return frame.ip is not None and frame.ip.protocol == packet.ICMP and frame.ip.icmp_type == 0 \
        and not frame.outgoing


def ping_result(ping: Daemon, count, interval):
    """Waits for the ping's end; its own count of what came back."""
    wait_until(lambda: not ping.alive, "the ping ends", count * interval + 10)
    with open(ping.log, encoding="utf-8") as file:
        return parse_ping(file.read())


def longest_gap(frames):
    times = [frame.time for frame in frames]
    return max((b - a for a, b in zip(times, times[1:])), default=0.0)


def crash_under_traffic(scene):
    """Both agents are killed and restarted, one after the other, under a ping that goes on."""
    web, sql = scene["contoso-web"], scene["contoso-sql"]
    wait_until(lambda: web.reaches(sql.ip), "the guests talk")
    with steady_ping(web, sql.ip) as (nic, ping):
        crashes = []
        for host in (scene.lab.hosts["host2"], scene.lab.hosts["host1"]):
            heard = len(nic.select(is_echo_reply))
            nic.wait_for(is_echo_reply, "pings around the crash", count=heard + 50)
            crashes.append(Crash(host))
        in_time = ping.alive
        result = ping_result(ping, PINGS, PING_INTERVAL)
        nic.sync()
        gap = longest_gap(nic.select(is_echo_reply))
    return crashes, result, in_time, gap


def crash_changes_nothing(scene, report):
    """The agents are killed with -9 and started again under a running ping."""
    crashes, result, in_time, gap = crash_under_traffic(scene)
    report.check(in_time, "both crashes and restarts happened while the ping was running")
    for crash in crashes:
        host, flows = crash.host.name, crash.compare()
        report.show(f"{host}: kill -9, ready again after {crash.absent * 1e3:.0f} ms; "
                    f"{flows.total} flows, {flows.lost} lost, {flows.extra} added")
        report.check(flows.clean, f"{host}: {flows.kept} of {flows.total} flows were not "
                                  "rewritten, their durations go on")
    report.check(result.sent == PINGS and result.lost == 0,
                 f"{result.sent} pings at {1 / PING_INTERVAL:.0f} a second: {result.received} "
                 f"answered, {result.lost} lost; the longest silence was {gap * 1e3:.0f} ms")
