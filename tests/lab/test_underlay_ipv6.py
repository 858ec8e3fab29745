#!/usr/bin/python3
"""Provider addresses of IPv6, alone and beside those of IPv4."""

import contextlib
import ipaddress
import itertools
import os
import secrets
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import foreign_host, packet, policy, testing  # noqa: E402
from hnvlab.foreign_host import IP, UDP, VXLAN, Ether, GRE, IPv6, Raw  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

# Name: the provider addresses of both versions.
HOSTS = {"host1": ("192.168.1.10/24", "fd00:0:0:1::10/64"),
         "host2": ("192.168.2.20/24", "fd00:0:0:2::20/64"),
         "host3": ("192.168.3.30/24", "fd00:0:0:3::30/64")}
# Hosts that are made of scapy: one that no policy knows, and one that host 1's does.
STRANGER, KNOWN = "fd00:0:0:4::66", "fd00:0:0:4::40"
# Name: host, VSID, CA, MAC, encapsulation, version of IP that its mapping names.
GUESTS = {
    "vx-1": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b", "vxlan", 6),
    "vx-2": ("host2", 5001, "10.1.1.12", "00:15:5d:50:01:0c", "vxlan", 6),
    "gre-1": ("host1", 5002, "10.1.2.11", "00:15:5d:50:02:0b", "nvgre", 6),
    "gre-2": ("host2", 5002, "10.1.2.12", "00:15:5d:50:02:0c", "nvgre", 6),
    # A subnet whose members are reached by either version. A host answers from its address of the
    # version that it is spoken to, so the others must know it by both: each has a member of each.
    "v4-1": ("host1", 5003, "10.1.3.11", "00:15:5d:50:03:0b", "vxlan", 4),
    "v6-1": ("host1", 5003, "10.1.3.21", "00:15:5d:50:03:15", "nvgre", 6),
    "v4-2": ("host2", 5003, "10.1.3.12", "00:15:5d:50:03:0c", "vxlan", 4),
    "v6-2": ("host2", 5003, "10.1.3.22", "00:15:5d:50:03:16", "nvgre", 6),
    "v4-3": ("host3", 5003, "10.1.3.13", "00:15:5d:50:03:0d", "nvgre", 4),
    "v6-3": ("host3", 5003, "10.1.3.23", "00:15:5d:50:03:17", "vxlan", 6),
}


def address(host, version):
    return HOSTS[host][version == 6].partition("/")[0]


def host_policy(host):
    local = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": cidr} for cidr in HOSTS[host]],
        "virtual_networks": [{"id": "contoso", "routed": False, "subnets": [
            {"vsid": vsid, "prefix": f"10.1.{vsid - 5000}.0/24"} for vsid in (5001, 5002, 5003)]}],
        "mappings": [{"vsid": vsid, "ca": ca, "mac": mac, "pa": address(place, version),
                      "encapsulation": encapsulation}
                     for place, vsid, ca, mac, encapsulation, version in GUESTS.values()
                     ] + [{"vsid": 5001, "ca": "10.1.1.40", "mac": "00:15:5d:50:01:28",
                           "pa": KNOWN}],
        "ports": [{"name": name, "vsid": GUESTS[name][1]} for name in local],
        "acls": [rule for name in local for rule in policy.allow_all(name)],
    }


def vsid_of(frame):
    return frame.vni if frame.vni is not None else frame.gre_key >> 8


class UnderlayIpv6(testing.LabTestCase):
    @classmethod
    def build(cls):
        hosts = []
        for name, (ipv4, ipv6) in HOSTS.items():
            host = cls.lab.add_host(name, ipv4)
            host.add_ipv6(ipv6)
            host.agent.launch()
            hosts.append(host)
        for host in hosts:
            host.agent.wait_ready()
        for name, (place, _, ca, mac, *_) in GUESTS.items():
            cls.lab.hosts[place].add_guest(name, mac, f"{ca}/24")
        for host in hosts:
            host.agent.apply(host_policy(host.name))
        for host in hosts:
            for gateway in (host.gateway, host.gateway6):
                wait_until(lambda: host.resolves_router(gateway), f"{host.name} knows {gateway}")
        cls.lab.add_ipv6_segment(ipaddress.ip_network("192.168.4.0/24"),
                                 ipaddress.ip_network("fd00:0:0:4::/64"))
        cls.stranger = foreign_host.ForeignHost(cls.lab, "stranger", "192.168.4.0/24", [])
        # Once all have asked, so that nobody has to ask again.
        wait_until(lambda: all(one.pings(other.pa) and one.pings(other.pa6)
                               for one in hosts for other in hosts if one is not other),
                   "the hosts reach each other by both versions")

    def guest(self, name):
        return self.lab.guests[name]

    def crossing(self, sender, receiver):
        """A ping from one guest to the other, and the tunnel packets on the sender's wire."""
        sender, receiver = self.guest(sender), self.guest(receiver)
        self.assertTrue(sender.reaches(receiver.ip), "the guests reach each other")
        with self.lab.capture_underlay(sender.host) as wire:
            result = sender.ping(receiver.ip, count=3)
            seen = wire.sync().select(lambda f: f.inner and f.inner.ip)
        self.assertEqual(result.lost, 0, result.output)
        return seen

    def check_outer(self, seen, protocol, vsid):
        self.assertEqual(len(seen), 6)
        one, two = address("host1", 6), address("host2", 6)
        self.assertEqual({(f.ethertype, f.ip.protocol, vsid_of(f)) for f in seen},
                         {(packet.ETH_IPV6, protocol, vsid)})
        self.assertEqual({(f.ip.src, f.ip.dst) for f in seen}, {(one, two), (two, one)})

    def test_vxlan(self):
        seen = self.crossing("vx-1", "vx-2")
        self.check_outer(seen, packet.UDP, 5001)
        self.assertTrue(all(f.vni == 5001 and f.ip.dport == packet.VXLAN_PORT for f in seen))

    def test_nvgre(self):
        seen = self.crossing("gre-1", "gre-2")
        self.check_outer(seen, packet.GRE, 5002)
        self.assertTrue(all(f.gre_key is not None for f in seen))

    def test_large_packets(self):
        """1500 bytes of a guest and the longest headers fit into the underlay's 1600."""
        for sender, receiver in (("vx-1", "vx-2"), ("gre-1", "gre-2")):
            sender, receiver = self.guest(sender), self.guest(receiver)
            sender.reaches(receiver.ip)
            done = sender.run("ping", "-n", "-c1", "-W2", "-M", "do", "-s", "1472", receiver.ip,
                              check=False)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_members_reach_each_other_by_both_versions(self):
        members = [name for name, guest in GUESTS.items() if guest[1] == 5003]
        for sender, receiver in itertools.permutations(members, 2):
            self.assertTrue(self.guest(sender).reaches(self.guest(receiver).ip),
                            f"{sender} reaches {receiver}")

    def test_broadcast_goes_to_addresses_of_both_versions(self):
        _, carried = self.broadcast("v4-1")
        self.assertEqual(carried, [(version, address(host, version), 5003)
                                   for version in (4, 6) for host in ("host2", "host3")])

    def test_broadcast_arrives_once_at_hosts_with_several_addresses(self):
        came_in, _ = self.broadcast("v4-1")
        self.assertEqual(set(came_in.values()), {1}, came_in)

    def broadcast(self, sender):
        """({member: copies}, tunnel packets on the sender's wire as (version, PA, VSID))."""
        sender, token = self.guest(sender), secrets.token_bytes(16)
        with contextlib.ExitStack() as stack:
            nics = {name: stack.enter_context(self.guest(name).capture())
                    for name, guest in GUESTS.items() if guest[1] == 5003 and name != sender.name}
            wire = stack.enter_context(self.lab.capture_underlay(sender.host))
            sender.send(packet.udp_frame(packet.BROADCAST, sender.mac, sender.ip, "10.1.3.255",
                                         token))
            for name, nic in nics.items():
                nic.wait_for(lambda f: token in f.raw, f"the broadcast at {name}")
            # By the same roads, and later: when these are there, so is all that was going to be.
            for name in nics:
                self.assertTrue(sender.reaches(self.guest(name).ip), name)
            counts = {name: len(nic.sync().select(lambda f: token in f.raw))
                      for name, nic in nics.items()}
            carried = sorted((f.ip.version, f.ip.dst, vsid_of(f)) for f in
                             wire.sync().select(lambda f: f.inner and token in f.raw))
        return counts, carried

    def test_provider_address_that_the_policy_does_not_know(self):
        guest = self.guest("vx-1")
        _, vsid, ca, mac, *_ = GUESTS["vx-1"]
        _, _, peer_ca, peer_mac, *_ = GUESTS["vx-2"]
        for encapsulate in (lambda inner: UDP(sport=54321, dport=4789) / VXLAN(vni=vsid) / inner,
                            lambda inner: GRE(key_present=1, key=vsid << 8, proto=0x6558) / inner):
            before = self.refused(guest.host)
            forged, honest = secrets.token_bytes(16), secrets.token_bytes(16)
            with guest.capture() as nic:
                for source, token in ((STRANGER, forged), (KNOWN, honest)):
                    self.stranger.send(IPv6(src=source, dst=address("host1", 6)) / encapsulate(
                        Ether(src=peer_mac, dst=mac) / IP(src=peer_ca, dst=ca) / UDP() /
                        Raw(token)))
                nic.wait_for(lambda f: honest in f.raw, "a frame from an address that is known")
                self.assertEqual(nic.sync().select(lambda f: forged in f.raw), [])
            self.eventually(lambda: self.refused(guest.host) > before, "it is counted")

    def refused(self, host):
        return sum(flow.packets for flow in host.flows()
                   if flow.table == 1 and flow.actions == "drop")

    def test_reported(self):
        for name, host in self.lab.hosts.items():
            told = {row["address"]: row["state"]
                    for row in host.agent.report("provider-addresses")}
            self.assertEqual(told, {cidr.partition("/")[0]: "present" for cidr in HOSTS[name]})
            self.assertEqual(host.agent.fault_keys(), [])


if __name__ == "__main__":
    testing.main()
