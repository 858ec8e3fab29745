#!/usr/bin/python3
"""NAT at gateway ports: guests of two tenants with the same addresses speak with the outside."""

import contextlib
import json
import os
import selectors
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, policy, testing  # noqa: E402
from hnvlab.policy import rule  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from hnvlab.talkers import Conversation  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# Each tenant has a subnet of guests and one with its gateway port; both tenants the same prefixes.
GUEST_PREFIX, GATEWAY_PREFIX = ("10.1.1.", "fd01:1::"), ("10.1.9.", "fd01:9::")
NETWORKS = {"contoso": (5001, 5009), "fabrikam": (6001, 6009)}
# Name: host, VSID, MAC, last part of its addresses.
GUESTS = {
    "near": ("host1", 5001, "00:15:5d:50:01:0b", 11),
    "far": ("host2", 5001, "00:15:5d:50:01:0c", 12),
    "pair": ("host2", 5001, "00:15:5d:50:01:0d", 13),
    "scarce": ("host1", 5001, "00:15:5d:50:01:0e", 14),
    "other": ("host2", 6001, "00:15:5d:60:01:0b", 11),
    "contoso-gw": ("host1", 5009, "00:15:5d:50:09:fe", 254),
    "fabrikam-gw": ("host1", 6009, "00:15:5d:60:09:fe", 254),
}
GATEWAYS = ("contoso-gw", "fabrikam-gw")
# Prefixes beyond each gateway: the one that the external addresses are in, on the link to the
# port; and the one between the provider's router and the outside.
ON_LINK = {"contoso-gw": ("203.0.113.", "2001:db8:113::"),
           "fabrikam-gw": ("192.0.2.", "2001:db8:2::")}
UPSTREAM = {"contoso-gw": ("198.51.100.", "2001:db8:100::"),
            "fabrikam-gw": ("198.51.101.", "2001:db8:101::")}
SERVER, SERVER6 = "198.51.102.1", "2001:db8:102::1"
PORT, CLOSED = 80, 81
POOL, POOL6 = "203.0.113.1", "2001:db8:113::1"
PAIR, PAIR6 = "203.0.113.13", "2001:db8:113::d"
SCARCE, SCARCE_PORTS = "203.0.113.14", ("2000-2003", 4)
OTHER_POOL = "192.0.2.1"
# The contoso gateway's ACL is written with customer addresses, and keeps state: from outside a
# connection may be opened to the pair's CA alone.
GATEWAY_ACL = [
    rule("contoso-gw", "in", "inbound"),
    rule("contoso-gw", "pair", "outbound", priority=100,
         destination_addresses="10.1.1.13,fd01:1::d"),
    rule("contoso-gw", "rest", "outbound", "block", priority=200)]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def nat_row(name, port, kind, internal, external, ports=None):
    return {"name": name, "port": port, "type": kind, "internal": ["set", list(internal)],
            "external": external, **({"ports": ports} if ports else {})}


def nat_rows():
    """All but the scarce one have those of IPv6 beside them."""
    return [
        nat_row("pool", "contoso-gw", "dynamic", ["10.1.1.0/24"], POOL),
        nat_row("pool6", "contoso-gw", "dynamic", ["fd01:1::/64"], POOL6),
        nat_row("pair", "contoso-gw", "static", ["10.1.1.13"], PAIR),
        nat_row("pair6", "contoso-gw", "static", ["fd01:1::d"], PAIR6),
        nat_row("scarce", "contoso-gw", "dynamic", ["10.1.1.14"], SCARCE, SCARCE_PORTS[0]),
        nat_row("other", "fabrikam-gw", "dynamic", ["10.1.1.0/24"], OTHER_POOL)]


class EchoOfAddress:
    """Tells whoever speaks to it, by TCP or UDP, from which address and port that seems to be."""

    def __init__(self, namespace, address, port):
        self._selector = selectors.DefaultSelector()
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = netns.open_socket(namespace, family_of(address), kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            if kind == socket.SOCK_STREAM:
                sock.listen(64)
            self._selector.register(sock, selectors.EVENT_READ, kind)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self):
        self._stopping.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _work(self):
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.2):
                with contextlib.suppress(OSError):
                    self._serve(key.fileobj, key.data)

    def _serve(self, sock, kind):
        if kind == socket.SOCK_STREAM:
            self._selector.register(sock.accept()[0], selectors.EVENT_READ, "connection")
        elif kind == socket.SOCK_DGRAM:
            _, caller = sock.recvfrom(4096)
            sock.sendto(f"{caller[0]} {caller[1]}".encode(), caller)
        else:
            try:
                data = sock.recv(256)
            except OSError:
                data = b""
            if not data:
                self._selector.unregister(sock)
                sock.close()
            else:
                caller = sock.getpeername()
                sock.sendall(f"{caller[0]} {caller[1]}\n".encode() * len(data))


def seen(conversation):
    """The address that the server takes the caller for."""
    return conversation.first.split()[0]


class Nat(testing.LabTestCase):
    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
        for name, (place, vsid, mac, last) in GUESTS.items():
            cls.add_guest(name, cls.lab.hosts[place], mac, last,
                          *(GATEWAY_PREFIX if name in GATEWAYS else GUEST_PREFIX))
        cls.add_outside()
        for host in hosts:
            cls.write_policy(host)
        cls.agent = cls.lab.hosts["host1"].agent
        for host in hosts:
            wait_until(host.resolves_router, f"{host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")
        for guest in cls.lab.guests.values():
            wait_until(lambda: "tentative" not in guest.run("ip", "-6", "addr").stdout,
                       f"{guest.name} has its link-local address")

    @classmethod
    def add_guest(cls, name, host, mac, last, v4, v6):
        guest = host.add_guest(name, mac, f"{v4}{last}/24", ipv6=True)
        netns.write_sysctls(guest.namespace, {"net/ipv6/conf/eth0/accept_ra": 0})
        netns.ip_batch(guest.namespace, [f"addr add {v6}{last:x}/64 dev eth0 nodad"])
        ways = ("10.1.0.0/16", "fd01::/16") if name in GATEWAYS else ("default", "default")
        netns.ip_batch(guest.namespace, [f"route add {ways[0]} via {v4}1",
                                         f"route add {ways[1]} via {v6}1"])

    @classmethod
    def add_outside(cls):
        """The provider's routers, which are what is behind the gateway ports, and one server."""
        cls.outside = cls.lab.add_namespace("outside", ipv6=True)
        netns.ip_batch(cls.outside, [f"addr add {SERVER}/32 dev lo",
                                     f"addr add {SERVER6}/128 dev lo nodad"])
        for index, name in enumerate(GATEWAYS):
            home, wire = cls.lab.guests[name].namespace, f"up{index}"
            near, far = ON_LINK[name], UPSTREAM[name]
            netns.write_sysctls(home, {"net/ipv4/ip_forward": 1,
                                       "net/ipv6/conf/all/forwarding": 1})
            netns.ip_batch(home, [
                f"link add up0 type veth peer name {wire} netns {cls.outside}",
                f"addr add {near[0]}254/24 dev eth0", f"addr add {near[1]}fe/64 dev eth0 nodad",
                f"addr add {far[0]}1/24 dev up0", f"addr add {far[1]}1/64 dev up0 nodad",
                "link set up0 up"])
            netns.ip_batch(cls.outside, [
                f"addr add {far[0]}2/24 dev {wire}", f"addr add {far[1]}2/64 dev {wire} nodad",
                f"link set {wire} up",
                f"route add {near[0]}0/24 via {far[0]}1 src {SERVER}",
                f"route add {near[1]}/64 via {far[1]}1 src {SERVER6}"])
            netns.ip_batch(home, [f"route add {SERVER}/32 via {far[0]}2",
                                  f"route add {SERVER6}/128 via {far[1]}2"])
            netns.no_offloads(home, "up0")
            netns.no_offloads(cls.outside, wire)

    @classmethod
    def write_policy(cls, host):
        host.agent.apply(cls.host_policy(host.name))
        gateway = GATEWAY_PREFIX
        host.agent.transact("ms_vtep", {
            "op": "update", "table": "Logical_Router", "where": [], "row": {
                "static_routes": ["map", [["0.0.0.0/0", f"{gateway[0]}254"],
                                          ["::/0", f"{gateway[1]}fe"]]]}})

    @staticmethod
    def host_policy(host):
        local = [name for name, guest in GUESTS.items() if guest[0] == host]
        prefixes = {vsid: prefix for vsids in NETWORKS.values()
                    for vsid, prefix in zip(vsids, (GUEST_PREFIX, GATEWAY_PREFIX))}
        return {
            "version": 1,
            "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
            "virtual_networks": [{"id": network, "routed": True, "subnets": [
                {"vsid": vsid, "prefix": f"{prefixes[vsid][0]}0/24",
                 "additional_prefixes": [{"prefix": f"{prefixes[vsid][1]}/64"}]}
                for vsid in vsids]} for network, vsids in NETWORKS.items()],
            "mappings": [{"vsid": vsid, "ca": ca, "mac": mac, "pa": HOSTS[place]}
                         for place, vsid, mac, last in GUESTS.values()
                         for ca in (f"{prefixes[vsid][0]}{last}", f"{prefixes[vsid][1]}{last:x}")],
            "ports": [{"name": name, "vsid": GUESTS[name][1],
                       **({"settings": {"ip_forwarding_allowed": True}}
                          if name in GATEWAYS else {})} for name in local],
            "acls": [r for name in local for r in (
                GATEWAY_ACL if name == "contoso-gw" else policy.allow_all(name))]}

    # --- what a test does --------------------------------------------------------------------

    def setUp(self):
        self.write_nat([{"op": "delete", "table": "NAT", "where": []},
                        *({"op": "insert", "table": "NAT", "row": row} for row in nat_rows())])
        self.assertEqual(self.agent.fault_keys(), [])
        for address in (SERVER, SERVER6):
            self.addCleanup(EchoOfAddress(self.outside, address, PORT).close)

    def write_nat(self, operations):
        """Returns once the switch has confirmed it."""
        self.agent.transact("hnv_host", *operations, {
            "op": "mutate", "table": "Host", "where": [], "mutations": [["next_cfg", "+=", 1]]})

        def confirmed():
            [row] = self.agent.rows("hnv_host", "Host", ["cur_cfg", "next_cfg"])
            return row["cur_cfg"] == row["next_cfg"]
        self.eventually(confirmed, "the switch has confirmed the rows")

    def guest(self, name):
        return self.lab.guests[name]

    def connect(self, name, address=SERVER, **options):
        conversation = Conversation(self.guest(name), address, PORT, **options)
        self.addCleanup(conversation.close)
        return conversation

    def datagram(self, name, address=SERVER, port=PORT):
        """A UDP socket of the guest's that has said something."""
        sock = self.guest(name).socket(family_of(address), socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(2)
        sock.connect((address, port))
        sock.send(b"?")
        return sock

    @staticmethod
    def answer_to(sock):
        """What was said back; None if nothing was."""
        try:
            return sock.recv(256).decode()
        except OSError:
            return None

    def counters(self, port="contoso-gw"):
        nat = json.loads(self.agent.hnvctl("nat", "--json").stdout)
        return next(p for p in nat["ports"] if p["port"] == port)

    # --- outwards ----------------------------------------------------------------------------

    def test_many_are_behind_one_address(self):
        for address, external in ((SERVER, POOL), (SERVER6, POOL6)):
            names = ["near", "far"]
            made = {name: [self.connect(name, address) for _ in range(3)] for name in names}
            for name, conversations in made.items():
                with self.subTest(guest=name, address=address):
                    self.assertEqual({seen(each) for each in conversations}, {external})
                    self.assertEqual([c.ask() for c in conversations],
                                     [c.first for c in conversations])
                    self.assertEqual(self.answer_to(self.datagram(name, address)).split()[0],
                                     external)
                    self.assertTrue(self.guest(name).reaches(address))
            everyone = [each.first for conversations in made.values() for each in conversations]
            self.assertEqual(len(set(everyone)), len(everyone))

    def test_the_same_port_of_two_guests_becomes_two(self):
        made = [self.connect(name, own_port=7001) for name in ("near", "far")]
        self.assertEqual({seen(each) for each in made}, {POOL})
        self.assertNotEqual(made[0].first, made[1].first)
        self.assertEqual([each.ask() for each in made], [each.first for each in made])

    def test_tenants_with_the_same_address_have_their_own_gateways(self):
        made = {name: self.connect(name, own_port=7002) for name in ("near", "other")}
        self.assertEqual(seen(made["near"]), POOL)
        self.assertEqual(seen(made["other"]), OTHER_POOL)
        for conversation in made.values():
            self.assertEqual(conversation.ask(), conversation.first)

    def test_the_gateway_itself_is_spoken_with_untranslated(self):
        gateway = f"{GATEWAY_PREFIX[0]}254"
        self.addCleanup(EchoOfAddress(self.guest("contoso-gw").namespace, gateway, PORT).close)
        for name in ("near", "far"):
            answer = self.answer_to(self.datagram(name, gateway))
            self.assertEqual(answer and answer.split()[0], self.guest(name).ip)

    def test_fragments_are_translated(self):
        for name in ("near", "far"):
            for address, external in ((SERVER, POOL), (SERVER6, POOL6)):
                with self.subTest(guest=name, address=address):
                    sock = self.datagram(name, address)
                    self.assertTrue(self.answer_to(sock))
                    sock.send(bytes(4000))
                    self.assertEqual((self.answer_to(sock) or "").split()[:1], [external])

    def test_a_pair_is_reached_from_inside_by_its_external_address(self):
        self.addCleanup(EchoOfAddress(self.guest("pair").namespace, "10.1.1.13", PORT).close)
        conversation = self.connect("near", PAIR)
        self.assertEqual(seen(conversation), POOL)
        self.assertEqual(conversation.ask(), conversation.first)

    # --- inwards -----------------------------------------------------------------------------

    def test_a_pair_is_one_address_both_ways(self):
        for ca, external, address in (("10.1.1.13", PAIR, SERVER), ("fd01:1::d", PAIR6, SERVER6)):
            with self.subTest(external=external):
                self.assertEqual(seen(self.connect("pair", address)), external)
                server = EchoOfAddress(self.guest("pair").namespace, ca, PORT)
                self.addCleanup(server.close)
                with netns.open_socket(self.outside, family_of(address)) as caller:
                    caller.settimeout(3)
                    caller.bind((address, 0))
                    caller.connect((external, PORT))
                    for _ in range(3):
                        caller.sendall(b"?")
                        self.assertEqual(caller.recv(256).decode().split()[0], address)

    def test_what_nobody_asked_for_is_dropped_and_counted(self):
        before = self.counters()["unsolicited"]
        with netns.open_socket(self.outside, kind=socket.SOCK_DGRAM) as stranger:
            for _ in range(5):
                stranger.sendto(b"!", (POOL, 4242))
        self.eventually(lambda: self.counters()["unsolicited"] >= before + 5, "they are counted")
        self.assertTrue(self.guest("near").reaches(SERVER))

    def test_external_addresses_are_answered_for_at_their_gateway_alone(self):
        at_home, elsewhere = self.guest("contoso-gw"), self.guest("fabrikam-gw")
        at_home.forget_neighbours()
        self.connect("near")
        self.assertEqual(at_home.neighbour(POOL)[1], "00:15:5d:ff:ff:fe")
        with elsewhere.capture() as capture:
            elsewhere.send_arp_request(POOL, sender_ip="10.1.9.254")
            elsewhere.send_arp_request(OTHER_POOL, sender_ip="10.1.9.254")
            capture.wait_for(lambda f: f.ethertype == 0x0806 and not f.outgoing, "one answer")
            answers = capture.sync().select(lambda f: f.ethertype == 0x0806 and not f.outgoing)
        self.assertEqual(len(answers), 1)

    def test_hnvctl_shows_rows_and_counts(self):
        self.connect("near")
        self.connect("pair")
        self.assertGreaterEqual(self.counters()["connections"], 2)
        text = self.agent.hnvctl("nat").stdout
        self.assertRegex(text, r"(?m)^pool +contoso-gw +dynamic +10\.1\.1\.0/24 +203\.0\.113\.1 ")
        self.assertRegex(text, r"(?m)^contoso-gw( +\d+){4}$")

    # --- ICMP errors -------------------------------------------------------------------------

    def errors_of(self, sock):
        """Where the ICMP error for a datagram came from: (sender, type, code)."""
        def read():
            _, extra, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            return extra
        [(_, _, data)] = self.eventually(read, "the error is heard")[:1]
        kind, code = data[5], data[6]
        v6 = sock.family == socket.AF_INET6
        where = data[24:40] if v6 else data[20:24]
        return socket.inet_ntop(sock.family, where), kind, code

    @staticmethod
    def let_hear_errors(sock):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
        else:
            sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR

    def hearing_errors(self, name, address, port, ttl=None):
        sock = self.guest(name).socket(family_of(address), socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        v6 = sock.family == socket.AF_INET6
        self.let_hear_errors(sock)
        if ttl and v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        elif ttl:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.settimeout(3)
        sock.connect((address, port))
        sock.send(b"?")
        return sock

    def test_errors_about_a_translated_packet_are_heard(self):
        for name in ("near", "far", "pair"):
            for address, router, kinds in (
                    (SERVER, ON_LINK["contoso-gw"][0] + "254", ((11, 0), (3, 3))),
                    (SERVER6, ON_LINK["contoso-gw"][1] + "fe", ((3, 0), (1, 4)))):
                with self.subTest(guest=name, address=address):
                    expired = self.hearing_errors(name, address, PORT, ttl=2)
                    self.assertEqual(self.errors_of(expired), (router, *kinds[0]))
                    refused = self.hearing_errors(name, address, CLOSED)
                    self.assertEqual(self.errors_of(refused), (address, *kinds[1]))

    def test_errors_about_what_came_from_outside_have_the_external_address(self):
        for external, source in ((PAIR, SERVER), (PAIR6, SERVER6)):
            with self.subTest(external=external):
                sock = netns.open_socket(self.outside, family_of(external), socket.SOCK_DGRAM)
                self.addCleanup(sock.close)
                self.let_hear_errors(sock)
                sock.bind((source, 0))
                sock.connect((external, CLOSED))
                sock.send(b"?")
                self.assertEqual(self.errors_of(sock)[0], external)

    # --- scarcity ----------------------------------------------------------------------------

    def test_ports_that_run_out_are_counted_and_others_go_on(self):
        _, ports = SCARCE_PORTS
        before = self.counters()["exhausted"]
        callers = [self.datagram("scarce") for _ in range(ports + 3)]
        for caller in callers:
            caller.settimeout(1)
        answers = [answer for caller in callers if (answer := self.answer_to(caller))]
        self.assertEqual({answer.split()[0] for answer in answers}, {SCARCE})
        self.assertEqual(sorted(int(answer.split()[1]) for answer in answers),
                         [2000, 2001, 2002, 2003])
        self.eventually(lambda: self.counters()["exhausted"] == before + 3, "they are counted")
        self.assertEqual(seen(self.connect("near")), POOL)

    # --- changes -----------------------------------------------------------------------------

    def test_a_row_that_goes_ends_its_connections_and_no_others(self):
        ours, theirs, pair = self.connect("near"), self.connect("other"), self.connect("pair")
        self.write_nat([{"op": "delete", "table": "NAT", "where": [["name", "==", "pool"]]}])
        self.assertIsNone(ours.ask())
        self.assertEqual(theirs.ask(), theirs.first)
        self.assertEqual(pair.ask(), pair.first)

    def test_a_row_that_changes_gives_new_connections_its_new_address(self):
        before = self.connect("near")
        self.write_nat([{"op": "update", "table": "NAT", "where": [["name", "==", "pool"]],
                         "row": {"external": "203.0.113.7"}}])
        self.assertIsNone(before.ask())
        self.assertEqual(seen(self.connect("near")), "203.0.113.7")

    def test_a_flow_that_never_pauses_has_the_new_address_too(self):
        sock = self.datagram("near")
        self.assertEqual(self.answer_to(sock).split()[0], POOL)
        self.write_nat([{"op": "update", "table": "NAT", "where": [["name", "==", "pool"]],
                         "row": {"external": "203.0.113.7"}}])
        sock.settimeout(0.2)

        def has_moved():
            sock.send(b"?")
            return (self.answer_to(sock) or "").startswith("203.0.113.7 ")
        self.eventually(has_moved, "the flow goes on from the new address")

    def test_a_new_row_leaves_connections_alone(self):
        before = self.connect("near")
        self.write_nat([{"op": "insert", "table": "NAT", "row": nat_row(
            "own", "contoso-gw", "dynamic", ["10.1.1.11"], "203.0.113.8")}])
        self.assertEqual(before.ask(), before.first)
        self.assertEqual(seen(self.connect("near")), "203.0.113.8")

    def test_connections_outlive_a_crash_of_the_agent(self):
        made = [self.connect(name) for name in ("near", "far", "pair", "other")]
        self.agent.kill()
        self.assertEqual([each.ask() for each in made], [each.first for each in made])
        self.agent.start()
        self.assertEqual([each.ask() for each in made], [each.first for each in made])
        self.assertEqual(seen(self.connect("near")), POOL)

    def test_rows_that_contradict_have_no_effect_and_say_so(self):
        rows = [nat_row("twin", "contoso-gw", "static", ["10.1.1.13"], "203.0.113.99"),
                nat_row("taken", "contoso-gw", "static", ["10.1.1.50"], PAIR),
                nat_row("inside", "contoso-gw", "static", ["10.1.1.51"], "10.1.1.12"),
                nat_row("nowhere", "no-such-port", "dynamic", ["10.1.1.0/24"], POOL),
                nat_row("guarded", "near", "dynamic", ["10.1.1.0/24"], "203.0.113.98"),
                nat_row("mixed", "contoso-gw", "dynamic", ["fd01:1::/64"], "203.0.113.97")]
        self.write_nat([{"op": "insert", "table": "NAT", "row": row} for row in rows])
        self.eventually(lambda: self.agent.fault_keys() == [
            "bad-address", "nat-conflict", "nat-conflict", "nat-conflict", "nat-port",
            "nat-port"], "each has its fault")
        self.assertEqual(seen(self.connect("pair")), PAIR)
        self.agent.kill()
        self.agent.start()
        self.assertEqual(len(self.agent.fault_keys()), 6)
        self.assertEqual(seen(self.connect("pair")), PAIR)


if __name__ == "__main__":
    testing.main()
