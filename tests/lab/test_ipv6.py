#!/usr/bin/python3
"""Guests with addresses of both versions: neighbour discovery, routing, and the router's errors."""

import contextlib
import os
import secrets
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, packet, policy, testing  # noqa: E402
from hnvlab.foreign_host import Ether, IPv6, Raw  # noqa: E402
from hnvlab.guest import NIC  # noqa: E402
from hnvlab.policy import rule  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_RA,  # noqa: E402
                                ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# VSID: network, its prefixes.
SUBNETS = {
    5001: ("contoso", "10.1.1.0/24", "fd01:0:0:1::/64"),
    5002: ("contoso", "10.1.2.0/24", "fd01:0:0:2::/64"),
    # Another tenant with the prefixes of the first.
    6001: ("fabrikam", "10.1.1.0/24", "fd01:0:0:1::/64"),
}
# Name: host, VSID, MAC, IPv4 address, IPv6 address, encapsulation of its mappings.
GUESTS = {
    "app": ("host1", 5001, "00:15:5d:50:01:0b", "10.1.1.11", "fd01:0:0:1::11", "vxlan"),
    "mail": ("host1", 5001, "00:15:5d:50:01:0d", "10.1.1.13", "fd01:0:0:1::13", "vxlan"),
    "web": ("host2", 5001, "00:15:5d:50:01:0c", "10.1.1.12", "fd01:0:0:1::12", "vxlan"),
    "db": ("host2", 5002, "00:15:5d:50:02:0c", "10.1.2.12", "fd01:0:0:2::12", "nvgre"),
    "cache": ("host1", 5002, "00:15:5d:50:02:0d", "10.1.2.13", "fd01:0:0:2::13", "vxlan"),
    "other": ("host1", 6001, "00:15:5d:60:01:0b", "10.1.1.11", "fd01:0:0:1::11", "vxlan"),
    "other-web": ("host2", 6001, "00:15:5d:60:01:0c", "10.1.1.12", "fd01:0:0:1::12", "vxlan"),
    "other-own": ("host2", 6001, "00:15:5d:60:01:63", "10.1.1.99", "fd01:0:0:1::99", "vxlan"),
}
GATEWAYS = ("10.1.1.1", "fd01:0:0:1::1")  # of app's subnet
NS, NA = 135, 136
ROUTER, SOLICITED, OVERRIDE = 0x80, 0x40, 0x20  # flags of an advertisement, RFC 4861 section 4.4
UNDERLAY_MTU = 1600


def gateway_of(vsid, version):
    """The lowest address of the prefix, as text."""
    prefix = SUBNETS[vsid][1 if version == 4 else 2]
    return prefix.replace("0/24", "1") if version == 4 else prefix.replace("/64", "1")


def host_policy(host, acls):
    local = {name: guest for name, guest in GUESTS.items() if guest[0] == host}
    networks = sorted({network for network, _, _ in SUBNETS.values()})
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": network, "routed": True, "subnets": [
            {"vsid": vsid, "prefix": ipv4, "additional_prefixes": [{"prefix": ipv6}]}
            for vsid, (owner, ipv4, ipv6) in SUBNETS.items() if owner == network]}
            for network in networks],
        "mappings": [{"vsid": vsid, "ca": ca, "mac": mac, "pa": HOSTS[place],
                      "encapsulation": encapsulation}
                     for place, vsid, mac, *cas, encapsulation in GUESTS.values() for ca in cas],
        "ports": [{"name": name, "vsid": guest[1]} for name, guest in local.items()],
        "acls": [r for name in local for r in acls.get(name) or policy.allow_all(name)],
    }


class DualStackTestCase(testing.LabTestCase):
    """Both hosts with all guests. The guests' addresses are added as a system at boot does it."""

    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
        for name, (place, _, mac, ipv4, ipv6, _) in GUESTS.items():
            guest = cls.lab.hosts[place].add_guest(name, mac, f"{ipv4}/24", ipv6=True)
            guest.ip6 = ipv6
            netns.write_sysctls(guest.namespace, {f"net/ipv6/conf/{NIC}/accept_ra": 0})
        cls.apply({})
        for name, (_, vsid, *_) in GUESTS.items():
            guest = cls.guest(name)
            netns.ip_batch(guest.namespace, [
                f"addr add {guest.ip6}/64 dev {NIC}",
                *(f"route add default via {gateway_of(vsid, version)}" for version in (4, 6))])
        for host in hosts:
            wait_until(host.resolves_router, f"{host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")
        for guest in cls.lab.guests.values():
            wait_until(lambda: "tentative" not in guest.run("ip", "-6", "addr").stdout,
                       f"{guest.name} has its addresses")

    @classmethod
    def apply(cls, acls):
        for name, host in cls.lab.hosts.items():
            host.agent.apply(host_policy(name, acls))

    @classmethod
    def guest(cls, name):
        return cls.lab.guests[name]

    def ping(self, source, address, *options):
        """What one ping says; `answered` in it if it was."""
        done = self.guest(source).run("ping", "-n", "-c1", "-W1", *options, address, check=False)
        return done.stdout + ("answered" if done.returncode == 0 else "")

    def ping_says(self, source, address, what, *options):
        """Polls, since a guest's kernel limits the pace of the errors that it takes."""
        return self.eventually(lambda: what in (said := self.ping(source, address, *options))
                               and said, f"ping of {address} says {what!r}", 5)


def is_discovery(kind):
    return lambda f: f.ethertype == packet.ETH_IPV6 and f.ip and f.ip.icmp_type == kind


def target_of(frame):
    """Of a solicitation or an advertisement."""
    return packet.ip_text(frame.ip.payload[:16])


class Discovery(DualStackTestCase):
    def test_addresses_are_taken_for_unique(self):
        """Nobody objects to duplicate address detection, not even the agent, which knows them."""
        for guest in self.lab.guests.values():
            said = guest.run("ip", "-6", "addr", "show", "dev", NIC).stdout
            self.assertIn(guest.ip6, said)
            for word in ("tentative", "dadfailed"):
                self.assertNotIn(word, said)
        app = self.guest("app")
        with app.capture() as nic:
            app.run("ip", "addr", "del", f"{app.ip6}/64", "dev", NIC)
            app.run("ip", "addr", "add", f"{app.ip6}/64", "dev", NIC)
            asked = nic.wait_for(lambda f: is_discovery(NS)(f) and f.ip.src == "::"
                                 and target_of(f) == app.ip6, "the guest asks for its own address")
            self.eventually(lambda: "tentative" not in app.run("ip", "-6", "addr").stdout,
                            "the address is valid")
            self.assertTrue(asked)
            self.assertEqual(nic.sync().select(is_discovery(NA)), [])
        app.run("ip", "-6", "route", "replace", "default", "via", GATEWAYS[1])

    def advertisement(self, guest, address):
        """What the guest is told when it asks for an address; no other guest hears of it."""
        guest.run("ip", "-6", "neigh", "flush", "dev", NIC)
        others = [other for other in self.lab.guests.values() if other is not guest]
        with contextlib.ExitStack() as stack:
            captures = [stack.enter_context(other.capture()) for other in others]
            nic = stack.enter_context(guest.capture())
            self.ping(guest.name, address)
            [told] = nic.sync().select(lambda f: is_discovery(NA)(f) and not f.outgoing
                                       and target_of(f) == address)
            for capture in captures:
                heard = capture.sync().select(
                    lambda f: not f.outgoing and (is_discovery(NS)(f) or is_discovery(NA)(f))
                    and target_of(f) == address)
                self.assertEqual(heard, [])
        return told

    def test_the_agent_answers_for_a_neighbour(self):
        app, web = self.guest("app"), self.guest("web")
        with self.lab.capture_underlay(app.host) as wire:
            told = self.advertisement(app, web.ip6)
            self.assertEqual(wire.sync().select(
                lambda f: f.inner and is_discovery(NS)(f.inner)), [])
        self.assertEqual((told.src, told.dst, told.ip.src, told.ip.ttl),
                         (web.mac, app.mac, web.ip6, 255))
        self.assertEqual(told.raw[14 + 40 + 4], SOLICITED | OVERRIDE)
        self.assertEqual(app.neighbour(web.ip6)[1], web.mac)

    def test_the_agent_answers_for_the_gateway(self):
        told = self.advertisement(self.guest("app"), GATEWAYS[1])
        self.assertEqual(told.raw[14 + 40 + 4], ROUTER | SOLICITED | OVERRIDE)
        self.guest("app").ping(GATEWAYS[0], count=1)
        self.assertEqual(self.guest("app").neighbour(GATEWAYS[0])[1], told.src)

    def test_each_tenant_is_told_of_its_own(self):
        for asker, told in (("app", "web"), ("other", "other-web")):
            self.assertEqual(self.advertisement(self.guest(asker), self.guest(told).ip6).src,
                             self.guest(told).mac)

    def test_an_address_that_nobody_has_stays_unanswered(self):
        app = self.guest("app")
        for address in ("fd01:0:0:1::77", self.guest("other-own").ip6):
            with app.capture() as nic, self.lab.capture_underlay(app.host) as wire:
                self.assertNotIn("answered", self.ping("app", address, "-W4"))
                asked = nic.sync().select(lambda f: is_discovery(NS)(f)
                                          and target_of(f) == address)
                self.assertTrue(asked)
                self.assertEqual(nic.select(is_discovery(NA)), [])
                self.assertEqual(wire.sync().select(lambda f: f.inner), [])


    def test_no_guest_advertises_however_it_wraps_it(self):
        """Extension headers (RFC 7113) hide nothing from the switch."""
        app, mail, token = self.guest("app"), self.guest("mail"), secrets.token_bytes(16)
        web = self.guest("web")
        wraps = {"nothing": b"", "hop-by-hop": IPv6ExtHdrHopByHop(), "routing": IPv6ExtHdrRouting(),
                 "destination options": IPv6ExtHdrDestOpt(), "fragment": IPv6ExtHdrFragment(),
                 "several": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment()}
        claims = {"advertisement": ICMPv6ND_NA(tgt=web.ip6, R=0, S=0, O=1),
                  "router advertisement": ICMPv6ND_RA(), "redirect": ICMPv6ND_Redirect()}
        with mail.capture() as nic:
            for wrap in wraps.values():
                for claim in claims.values():
                    head = IPv6(src=app.ip6, dst=mail.ip6, hlim=255)
                    body = claim / ICMPv6NDOptDstLLAddr(lladdr=app.mac) / Raw(token)
                    app.send(bytes(Ether(src=app.mac, dst=mail.mac) /
                                   (head / wrap / body if wrap else head / body)))
            # The same roads, for what is allowed: so the wraps themselves are not what is refused.
            honest = secrets.token_bytes(16)
            app.send(bytes(Ether(src=app.mac, dst=mail.mac) / IPv6(src=app.ip6, dst=mail.ip6) /
                           IPv6ExtHdrDestOpt() / ICMPv6EchoRequest(data=honest)))
            nic.wait_for(lambda f: honest in f.raw, "an echo request")
            self.assertEqual(nic.sync().select(lambda f: token in f.raw), [])


class Reachability(DualStackTestCase):
    def test_members_of_a_subnet(self):
        for target in ("mail", "web"):
            self.ping_says("app", self.guest(target).ip6, "ttl=64")

    def test_subnets_are_joined_in_one_hop(self):
        for source, target in (("app", "db"), ("app", "cache"), ("db", "app"), ("web", "cache")):
            for address in (self.guest(target).ip, self.guest(target).ip6):
                self.ping_says(source, address, "ttl=63")

    def test_gateways_answer_ping(self):
        for vsid in (5001, 5002):
            for version in (4, 6):
                self.ping_says("app", gateway_of(vsid, version), "ttl=64")

    def test_tenants_are_apart(self):
        self.ping_says("other", self.guest("other-own").ip6, "ttl=64")
        own = self.guest("other-own")
        with own.capture() as nic:
            for address in (own.ip, own.ip6):
                self.assertNotIn("answered", self.ping("app", address))
                self.assertNotIn("answered", self.ping("db", address))
            self.assertNotIn("answered", self.ping("other", self.guest("db").ip6))
            self.assertEqual(nic.sync().select(lambda f: not f.outgoing), [])

    def test_tcp(self):
        server = self.guest("db")
        with server.socket(socket.AF_INET6) as listener, \
                self.guest("app").socket(socket.AF_INET6) as caller:
            listener.bind((server.ip6, 8080))
            listener.listen(1)
            listener.settimeout(5)
            caller.settimeout(5)
            caller.connect((server.ip6, 8080))
            accepted, peer = listener.accept()
            with accepted:
                accepted.sendall(b"x" * 100_000)
                accepted.shutdown(1)
                got = 0
                while chunk := caller.recv(65536):
                    got += len(chunk)
            self.assertEqual((got, peer[0]), (100_000, self.guest("app").ip6))

    def test_broadcast_of_ipv6_is_multicast(self):
        """All members of the subnet, once each, and nobody else."""
        app, token = self.guest("app"), secrets.token_bytes(16)
        names = [name for name in GUESTS if name != "app"]
        with contextlib.ExitStack() as stack:
            captures = {name: stack.enter_context(self.guest(name).capture()) for name in names}
            with app.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                sender.bind((app.ip6, 0))
                sender.sendto(token, ("ff15::1234", 5353))
            for name in ("mail", "web"):
                captures[name].wait_for(lambda f: token in f.raw, f"it arrives at {name}")
            counts = {name: len(capture.sync().select(lambda f: token in f.raw))
                      for name, capture in captures.items()}
        self.assertEqual(counts, {name: int(name in ("mail", "web")) for name in names})


class Firewall(DualStackTestCase):
    """Rules with IPv6 addresses and ICMPv6."""

    def setUp(self):
        self.addCleanup(self.apply, {})

    def test_icmpv6_is_not_icmp(self):
        self.apply({"web": [rule("web", "out", "outbound"),
                            rule("web", "ping", "inbound", protocols="ICMPv6")]})
        self.ping_says("app", self.guest("web").ip6, "answered")
        self.assertNotIn("answered", self.ping("app", self.guest("web").ip))

    def test_sources_by_prefix(self):
        self.apply({"cache": [rule("cache", "out", "outbound"),
                              rule("cache", "in", "inbound",
                                   source_addresses="fd01:0:0:1::10/124,10.1.1.0/24")]})
        cache = self.guest("cache")
        self.ping_says("app", cache.ip6, "answered")
        self.ping_says("app", cache.ip, "answered")
        self.assertNotIn("answered", self.ping("db", cache.ip6))
        self.assertNotIn("answered", self.ping("db", cache.ip))

    def test_replies_pass_and_nothing_else(self):
        self.apply({"mail": [rule("mail", "out", "outbound")]})
        self.ping_says("mail", self.guest("web").ip6, "answered")
        self.ping_says("mail", self.guest("db").ip6, "answered")
        self.assertNotIn("answered", self.ping("web", self.guest("mail").ip6))

    def test_datagrams_in_fragments(self):
        """Only the first fragment has the ports; the rules are about all of them."""
        self.apply({name: [rule(name, "out", "outbound"),
                           rule(name, "in", "inbound", protocols="UDP", destination_ports="5000")]
                    for name in ("web", "mail", "db")})
        for name in ("web", "mail", "db"):
            for family, address in ((socket.AF_INET, self.guest(name).ip),
                                    (socket.AF_INET6, self.guest(name).ip6)):
                with self.subTest(target=name, address=address):
                    self.check_fragments(self.guest(name), family, address)

    def check_fragments(self, target, family, address):
        app = self.guest("app")
        good, bad = secrets.token_bytes(16), secrets.token_bytes(16)
        with target.socket(family, socket.SOCK_DGRAM) as server, target.capture() as nic, \
                app.socket(family, socket.SOCK_DGRAM) as sender:
            server.bind((address, 5000))
            server.settimeout(0.3)
            sender.sendto(bad * 250, (address, 5001))

            def arrived():
                sender.sendto(good * 250, (address, 5000))
                with contextlib.suppress(socket.timeout):
                    return server.recv(8192)

            self.assertEqual(self.eventually(arrived, "a datagram of 4000 bytes", 5), good * 250)
            self.assertEqual(nic.sync().select(lambda f: bad in f.raw), [])
            self.assertTrue(all(len(f.raw) <= 1514 for f in nic.frames))

    def test_discovery_is_not_filtered(self):
        self.apply({"web": [rule("web", "none-in", "inbound", "block"),
                            rule("web", "none-out", "outbound", "block")]})
        web = self.guest("web")
        web.run("ip", "-6", "neigh", "flush", "dev", NIC)
        self.assertNotIn("answered", self.ping("web", self.guest("app").ip6))
        self.assertEqual(web.neighbour(self.guest("app").ip6)[1], self.guest("app").mac)


class RouterErrors(DualStackTestCase):
    """What the router can't pass on, it tells of in the name of the sender's gateway."""

    def told_by_gateway(self, address, what, *options, source="app"):
        version = 6 if ":" in address else 4
        said = self.ping_says(source, address, what, *options)
        self.assertIn(f"From {gateway_of(GUESTS[source][1], version)} icmp_seq=1 {what}", said)

    def test_time_exceeded(self):
        for name in ("db", "cache"):
            self.told_by_gateway(self.guest(name).ip, "Time to live exceeded", "-t1")
            self.told_by_gateway(self.guest(name).ip6, "Time exceeded: Hop limit", "-t1")
            for address in (self.guest(name).ip, self.guest(name).ip6):
                self.ping_says("app", address, "ttl=63", "-t2")

    def test_no_route(self):
        self.told_by_gateway("172.16.0.1", "Destination Net Unreachable")
        self.told_by_gateway("fd99::1", "Destination unreachable: No route")

    def test_nobody_has_the_address(self):
        self.told_by_gateway("10.1.2.77", "Destination Host Unreachable")
        self.told_by_gateway("fd01:0:0:2::77", "Destination unreachable: Address unreachable")

    def test_each_guest_hears_of_its_own_packets_only(self):
        with self.guest("mail").capture() as nic, self.guest("other").capture() as foreign:
            self.told_by_gateway("10.1.2.77", "Destination Host Unreachable")
            for capture in (nic, foreign):
                self.assertEqual(capture.sync().select(
                    lambda f: f.ip and f.ip.protocol == packet.ICMP), [])

    def test_no_error_about_an_error_or_to_a_group(self):
        """RFC 1122 section 3.2.2; an honest packet after them is complained of."""
        app = self.guest("app")
        self.ping("app", GATEWAYS[0])
        router = app.neighbour(GATEWAYS[0])[1]

        def lost(kind, destination=router):
            return packet.ipv4_frame(destination, app.mac, app.ip, "10.1.2.77", packet.ICMP,
                                     icmp_message(kind))

        with app.capture() as nic:
            for kind in (3, 5, 11, 12):  # Unreachable, redirect, time exceeded, parameter problem.
                app.send(lost(kind))
            app.send(lost(8, packet.BROADCAST))
            app.send(lost(8))
            nic.wait_for(lambda f: f.ip and f.ip.icmp_type == 3 and not f.outgoing,
                         "the error about the honest packet")
            errors = nic.sync().select(lambda f: f.ip and f.ip.icmp_type == 3 and not f.outgoing)
            self.assertEqual(len(errors), 1)


def icmp_message(kind):
    """ICMP (RFC 792) with eight bytes of zeros behind its type, code and checksum."""
    message = bytes([kind, 0, 0, 0]) + bytes(8)
    return message[:2] + packet.checksum(message).to_bytes(2, "big") + message[4:]


class PacketTooBig(DualStackTestCase):
    """Guests that take the network for one of 9000 bytes, over an underlay of 1600."""

    # Encapsulation over IPv4: its headers.
    OVERHEAD = {"vxlan": 14 + 20 + 8 + 8, "nvgre": 14 + 20 + 8}

    @classmethod
    def build(cls):
        super().build()
        for guest in cls.lab.guests.values():
            netns.ip_batch(guest.host.namespace, [f"link set {guest.interface} mtu 9000"])
            netns.ip_batch(guest.namespace, [f"link set {NIC} mtu 9000"])

    def check(self, target):
        target = self.guest(target)
        mtu = UNDERLAY_MTU - self.OVERHEAD[GUESTS[target.name][5]]
        app = self.guest("app")
        for address, header, what in (
                (target.ip, 28, f"Frag needed and DF set (mtu = {mtu})"),
                (target.ip6, 48, f"Packet too big: mtu={mtu}")):
            self.ping_says("app", address, "answered")
            with target.capture() as nic:  # The reply may go by an encapsulation with more.
                self.ping("app", address, "-M", "do", "-s", str(mtu - header))
                self.assertTrue(nic.sync().select(lambda f: len(f.raw) == 14 + mtu))
                told = self.ping("app", address, "-M", "do", "-s", str(mtu - header + 1))
                self.assertFalse(nic.sync().select(lambda f: len(f.raw) > 14 + mtu))
            self.assertIn(what, told)
            # And now that it knows, it sends what fits.
            self.ping_says("app", address, "answered", "-M", "dont", "-s", "3000")

    def test_a_sender_that_permits_fragments_is_told_too(self):
        """The switch can't fragment: the guest has to do so itself."""
        for address in (self.guest("web").ip, self.guest("web").ip6):
            self.ping_says("mail", address, "answered", "-M", "dont", "-s", "5000")

    def test_in_the_subnet(self):
        self.check("web")

    def test_over_the_router(self):
        self.check("db")

    def test_guests_of_one_host_need_no_underlay(self):
        for name in ("mail", "cache"):
            for address in (self.guest(name).ip, self.guest(name).ip6):
                self.ping_says("app", address, "answered", "-M", "do", "-s", "8000")


if __name__ == "__main__":
    testing.main()
