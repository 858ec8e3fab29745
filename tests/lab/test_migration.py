#!/usr/bin/python3
"""Live migration: a guest goes to another host, in another provider subnet, and talks on."""

import contextlib
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, packet, policy, testing  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from hnvlab.streams import TcpStream, UdpStream  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20", "host3": "192.168.3.30"}
VSID, MOVER = 5001, "mover"
# Name: CA, MAC, host (of the mover: at first).
GUESTS = {
    MOVER: ("10.1.1.11", "00:15:5d:50:01:0b", "host1"),
    "beside-1": ("10.1.1.12", "00:15:5d:50:01:0c", "host1"),
    "beside-2": ("10.1.1.13", "00:15:5d:50:01:0d", "host2"),
    "client": ("10.1.1.14", "00:15:5d:50:01:0e", "host3"),
}
LONGEST_GAP = 2.0  # seconds; a machine that is busy with other things is slow


def host_policy(host, ports, mover_at, acls):
    """`ports`: the guests that this host shall expect; `mover_at`: where the mapping says it is;
    `acls`: the rules of ports that have others than to allow all."""
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": "contoso", "routed": True, "subnets": [
            {"vsid": VSID, "prefix": "10.1.1.0/24"}]}],
        "mappings": [{"vsid": VSID, "ca": ca, "mac": mac,
                      "pa": HOSTS[mover_at if name == MOVER else home]}
                     for name, (ca, mac, home) in GUESTS.items()],
        "ports": [{"name": name, "vsid": VSID} for name in ports],
        "acls": [rule for name in ports
                 for rule in acls.get(name) or policy.allow_all(name)],
    }


@contextlib.contextmanager
def running(streams):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(stream) for stream in streams]


class Migration(testing.LabTestCase):
    acls = {}

    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
        for name, (ca, mac, home) in GUESTS.items():
            cls.lab.hosts[home].add_guest(name, mac, f"{ca}/24")
        cls.mover, cls.client = cls.lab.guests[MOVER], cls.lab.guests["client"]
        # The mover's NIC loses its link for a moment, which no virtual machine's does, and so it
        # has to ask for its neighbours anew; once a second, as is usual, would hide all else.
        netns.write_sysctls(cls.mover.namespace, {"net/ipv4/neigh/eth0/retrans_time_ms": 20,
                                                  "net/ipv4/neigh/eth0/mcast_solicit": 100})
        for host in HOSTS:
            cls.tell(host)
        for host in hosts:
            wait_until(host.resolves_router, f"{host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")

    @classmethod
    def tell(cls, host, mover_at=None, expects_mover=None):
        """What the controller writes to one host: by default, that all is as it is now."""
        here = cls.mover.host.name
        ports = [name for name, (_, _, home) in GUESTS.items() if name != MOVER and home == host]
        if host == here if expects_mover is None else expects_mover:
            ports.append(MOVER)
        cls.lab.hosts[host].agent.apply(host_policy(host, ports, mover_at or here,
                                                           cls.acls))

    def prepare(self):
        """(old, new) host; the new one has the port's policy before the guest comes."""
        old = self.mover.host
        new = self.lab.hosts["host2" if old.name == "host1" else "host1"]
        self.tell(new.name, expects_mover=True)
        return old, new

    def move(self, new):
        self.mover.move(new)
        self.eventually(lambda: (port := new.agent.port(MOVER)) and port["state"] == "active",
                        "the port is active on the new host")

    def tell_all(self):
        with ThreadPoolExecutor(len(HOSTS)) as together:
            list(together.map(self.tell, HOSTS))

    def streams(self):
        return (TcpStream(self.client, self.mover, 7000), TcpStream(self.mover, self.client, 7001),
                UdpStream(self.client, self.mover, 7002), UdpStream(self.mover, self.client, 7003))

    def flows_on(self, streams, count=200):
        """Waits for `count` more messages of each stream."""
        before = [len(stream.numbers) for stream in streams]
        self.eventually(lambda: all(len(s.numbers) >= n + count for s, n in zip(streams, before)),
                        "all streams flow", 20)

    def check_streams(self, streams):
        """After their end: TCP whole and in order; how long each was silent."""
        for stream in streams[:2]:
            self.assertIsNone(stream.error)
            self.assertEqual(stream.numbers, list(range(stream.sent)))
        to_mover, from_mover = streams[2:]
        print(f"\n  silence: {to_mover.longest_gap * 1e3:.0f} ms towards the guest, "
              f"{from_mover.longest_gap * 1e3:.0f} ms from it; TCP "
              f"{streams[0].longest_gap * 1e3:.0f} and {streams[1].longest_gap * 1e3:.0f} ms; "
              f"lost datagrams {to_mover.sent - len(to_mover.numbers)} of {to_mover.sent} and "
              f"{from_mover.sent - len(from_mover.numbers)} of {from_mover.sent}", flush=True)
        for stream in streams[2:]:
            self.assertLess(stream.longest_gap, LONGEST_GAP)
            self.assertEqual(len(set(stream.numbers)), len(stream.numbers), "none came twice")

    def check_everybody_reaches_it(self):
        for name in GUESTS:
            if name != MOVER:
                self.assertTrue(self.lab.guests[name].reaches(self.mover.ip), name)

    def test_connections_survive(self):
        _, new = self.prepare()
        with running(self.streams()) as streams:
            self.flows_on(streams)
            self.move(new)
            self.tell_all()
            self.flows_on(streams, 500)
        self.check_streams(streams)
        self.check_everybody_reaches_it()
        self.assertEqual([h.agent.fault_keys() for h in self.lab.hosts.values()], [[], [], []])
        # The tunnel ends where the guest is, and nowhere else.
        with self.lab.capture_underlay(self.client.host) as wire:
            self.assertEqual(self.client.ping(self.mover.ip, count=3).lost, 0)
            ends = {f.ip.dst for f in wire.sync().frames
                    if f.inner and f.inner.dst == self.mover.mac}
        self.assertEqual(ends, {new.pa})

    def test_a_sender_that_is_told_late_makes_no_loop(self):
        """Its packets come to the old host, which knows where the guest is: they end there."""
        old, new = self.prepare()
        with running(self.streams()) as streams:
            self.flows_on(streams)
            self.move(new)
            for host in (old.name, new.name):
                self.tell(host)
            tokens = [secrets.token_bytes(16) for _ in range(20)]
            with self.lab.capture_underlay(old) as wire, self.lab.capture_underlay(new) as other, \
                    self.mover.capture() as nic:
                for token in tokens:
                    self.client.send(packet.udp_frame(self.mover.mac, self.client.mac,
                                                      self.client.ip, self.mover.ip, token))
                wire.wait_for(lambda f: any(token in f.raw for token in tokens),
                              "packets still come to the old host", count=len(tokens))
                seen = [f for capture in (wire, other) for f in capture.sync().frames
                        if any(token in f.raw for token in tokens)]
                nic.sync()
            self.assertEqual({(f.ip.src, f.ip.dst) for f in seen}, {(self.client.host.pa, old.pa)})
            self.assertEqual(len(seen), len(tokens))
            self.assertFalse(nic.select(lambda f: any(token in f.raw for token in tokens)))
            self.tell(self.client.host.name)
            self.flows_on(streams, 500)
        self.check_streams(streams)
        self.check_everybody_reaches_it()

    def test_connection_of_a_guest_that_lets_nobody_in_survives(self):
        """The new host's switch has never seen the connection begin."""
        self.addCleanup(self.tell_all)
        self.addCleanup(setattr, type(self), "acls", {})
        type(self).acls = {MOVER: [policy.rule(MOVER, "out", "outbound")]}
        self.tell_all()
        self.assertFalse(self.client.reaches(self.mover.ip, timeout=1))
        _, new = self.prepare()
        with running([TcpStream(self.mover, self.client, 7004)]) as [stream]:
            self.flows_on([stream])
            self.move(new)
            self.tell_all()
            self.flows_on([stream], 500)
        self.assertIsNone(stream.error)
        self.assertEqual(stream.numbers, list(range(stream.sent)))
        self.assertFalse(self.client.reaches(self.mover.ip, timeout=1))

    def test_guest_is_reached_on_its_new_host_before_the_mappings_say_so(self):
        """A port that is active wins over a mapping that says elsewhere."""
        _, new = self.prepare()
        self.move(new)
        neighbour = self.lab.guests["beside-2" if new.name == "host2" else "beside-1"]
        self.assertTrue(neighbour.reaches(self.mover.ip))
        with self.lab.capture_underlay(new) as wire:
            self.assertEqual(neighbour.ping(self.mover.ip, count=3).lost, 0)
            crossed = wire.sync().select(lambda f: f.inner and f.inner.ip and
                                         f.inner.ip.protocol == packet.ICMP)
        self.assertEqual(crossed, [])
        self.tell_all()
        self.check_everybody_reaches_it()


if __name__ == "__main__":
    testing.main()
