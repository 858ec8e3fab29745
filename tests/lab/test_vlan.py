#!/usr/bin/python3
"""Guests that send tagged frames: each VLAN of theirs is in a virtual subnet of its own."""

import contextlib
import os
import secrets
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, policy, testing  # noqa: E402
from hnvlab.policy import rule  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from hnvlab.trunk import Trunk, VlanStack  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# VSID: network, its prefixes without their last part.
SUBNETS = {
    5001: ("contoso", "10.1.1.", "fd01:0:0:1::"),
    5002: ("contoso", "10.1.2.", "fd01:0:0:2::"),
    5003: ("contoso", "10.1.3.", "fd01:0:0:3::"),
    # Another tenant with the prefixes of the first.
    6001: ("fabrikam", "10.1.1.", "fd01:0:0:1::"),
    6002: ("fabrikam", "10.1.2.", "fd01:0:0:2::"),
}
# Port: host, MAC, {VLAN: (VSID, last part of its addresses)}.
PORTS = {
    "trunk": ("host1", "00:15:5d:50:00:0b", {0: (5003, 11), 10: (5001, 11), 20: (5002, 11),
                                             30: (6001, 11)}),
    "trunk2": ("host1", "00:15:5d:50:00:0e", {110: (5001, 14)}),
    "mail": ("host1", "00:15:5d:50:01:0d", {0: (5001, 13)}),
    "web": ("host2", "00:15:5d:50:01:0c", {0: (5001, 12)}),
    "db": ("host2", "00:15:5d:50:02:0c", {0: (5002, 12)}),
    "store": ("host2", "00:15:5d:50:03:0c", {0: (5003, 12)}),
    "other-web": ("host2", "00:15:5d:60:01:0c", {0: (6001, 12)}),
    "other-own": ("host2", "00:15:5d:60:01:63", {0: (6001, 99)}),
    "other-db": ("host2", "00:15:5d:60:02:0d", {0: (6002, 13)}),
}


def host_policy(host, acls):
    local = {name: port for name, port in PORTS.items() if port[0] == host}
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": network, "routed": True, "subnets": [
            {"vsid": vsid, "prefix": f"{v4}0/24", "additional_prefixes": [{"prefix": f"{v6}/64"}]}
            for vsid, (owner, v4, v6) in SUBNETS.items() if owner == network]}
            for network in ("contoso", "fabrikam")],
        "mappings": [{"vsid": vsid, "ca": f"{prefix}{last}", "mac": mac, "pa": HOSTS[place]}
                     for place, mac, vlans in PORTS.values() for vsid, last in vlans.values()
                     for prefix in SUBNETS[vsid][1:]],
        "ports": [{"name": name, "trunk": [{"vlan": vlan, "vsid": vsid}
                                           for vlan, (vsid, _) in vlans.items()]}
                  for name, (_, _, vlans) in local.items()],
        "acls": [r for name in local for r in acls.get(name) or policy.allow_all(name)],
    }


class VlanTestCase(testing.LabTestCase):
    """`nodes`: a stack for each VLAN of each port; "trunk-10" is what trunk is in VLAN 10."""

    acls = {}

    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
        cls.nodes, cls.trunks = {}, []
        for name, (place, mac, vlans) in PORTS.items():
            cls.add_port(name, cls.lab.hosts[place], mac, vlans)
        for name, host in cls.lab.hosts.items():
            host.agent.apply(host_policy(name, cls.acls))
        for host in hosts:
            wait_until(host.resolves_router, f"{host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")

    @classmethod
    def tearDownClass(cls):
        for trunk in cls.trunks:
            trunk.close()
        super().tearDownClass()

    @classmethod
    def add_port(cls, name, host, mac, vlans):
        def address(vlan):
            vsid, last = vlans[vlan]
            return f"{SUBNETS[vsid][1]}{last}/24", f"{SUBNETS[vsid][2]}{last}/64"

        ipv4, ipv6 = address(0) if 0 in vlans else ("169.254.0.1/16", None)
        guest = host.add_guest(name, mac, ipv4, ipv6=ipv6 is not None)
        if ipv6:
            guest.run("ip", "addr", "add", ipv6, "dev", "eth0", "nodad")
            cls.nodes[name] = guest
        stacks = [VlanStack(guest, vlan, *address(vlan)) for vlan in vlans if vlan]
        cls.nodes.update({stack.name: stack for stack in stacks})
        if stacks:
            cls.trunks.append(Trunk(guest, stacks))
        for vlan, node in [(0, guest)] * (0 in vlans) + [(stack.vlan, stack) for stack in stacks]:
            _, v4, v6 = SUBNETS[vlans[vlan][0]]
            node.ip6 = f"{v6}{vlans[vlan][1]}"
            for gateway in (f"{v4}1", f"{v6}1"):
                node.run("ip", "route", "add", "default", "via", gateway)

    def ping(self, source, address, *options):
        """What one ping says, and "" if there was no answer."""
        done = self.nodes[source].run("ping", "-n", "-c1", "-W1", *options, address, check=False)
        return done.stdout if done.returncode == 0 else ""

    def reached(self, source, address):
        """What the ping that was answered says; the first packets may wait for an address."""
        return self.eventually(lambda: self.ping(source, address), f"{source} reaches {address}")

    def udp_copies(self, send, watched=None):
        """{guest: [VLAN of each copy that came in]} of the UDP datagram that `send` sends."""
        token = secrets.token_bytes(16)
        with contextlib.ExitStack() as stack:
            nics = {name: stack.enter_context(guest.capture())
                    for name, guest in self.lab.guests.items()}
            send(token)
            for name in watched or ():
                nics[name].wait_for(lambda f: token in f.raw and not f.outgoing,
                                    f"the datagram at {name}")
            # Behind it on all roads.
            self.reached("trunk-10", self.nodes["web"].ip)
            self.reached("trunk-30", self.nodes["other-web"].ip)
            self.reached("web", self.nodes["trunk2-110"].ip)
            # A guest's kernel sends the token back in an ICMP error: that is none of them.
            copies = {name: [f.vlan for f in nic.sync().select(
                lambda f: token in f.raw and not f.outgoing and f.ip.protocol == packet.UDP)]
                for name, nic in nics.items()}
        return {name: vlans for name, vlans in copies.items() if vlans}


class Trunking(VlanTestCase):
    def test_every_binding_is_in_force(self):
        for host in self.lab.hosts.values():
            self.assertEqual(host.agent.fault_keys(), [])
        self.assertEqual(self.lab.hosts["host1"].agent.port("trunk")["state"], "active")
        self.assertEqual(self.lab.hosts["host1"].agent.port("trunk2")["state"], "active")

    def test_arp_is_answered_in_the_vlan_of_the_request(self):
        trunk = self.lab.guests["trunk"]
        with trunk.capture() as nic:
            for vlan, own, target, owner in ((10, "10.1.1.11", "10.1.1.12", "web"),
                                             (30, "10.1.1.11", "10.1.1.12", "other-web"),
                                             (20, "10.1.2.11", "10.1.2.12", "db"),
                                             (None, "10.1.3.11", "10.1.3.12", "store")):
                request = packet.arp_frame(1, trunk.mac, own, target)
                trunk.send(packet.tagged(request, vlan) if vlan else request)
                [reply] = nic.wait_for(lambda f: f.arp and f.arp.operation == 2 and f.vlan == vlan
                                       and f.arp.sender_ip == target, f"a reply in VLAN {vlan}")
                self.assertEqual(reply.arp.sender_mac, PORTS[owner][1])
            self.assertEqual(len(nic.sync().select(lambda f: f.arp and f.arp.operation == 2)), 4)

    def test_neighbour_solicitations_are_answered_in_the_vlan_of_the_request(self):
        with self.lab.guests["trunk"].capture() as nic:
            for vlan, owner in ((10, "web"), (30, "other-web"), (20, "db")):
                asker, target = self.nodes[f"trunk-{vlan}"], self.nodes[owner]
                asker.forget_neighbours()
                self.reached(asker.name, target.ip6)
                self.assertEqual(asker.neighbour(target.ip6)[1], target.mac)
                told = nic.sync().select(lambda f: f.ip and f.ip.icmp_type == 136 and f.vlan == vlan
                                         and packet.ip_octets(target.ip6) in f.raw)
                self.assertTrue(told)
            self.assertEqual(nic.select(lambda f: f.ip and f.ip.icmp_type == 136 and f.vlan is None
                                        and not f.outgoing), [])

    def test_each_vlan_reaches_its_own_subnet(self):
        for source, target in (("trunk-10", "web"), ("trunk-20", "db"), ("trunk-30", "other-web"),
                               ("trunk-10", "mail"), ("trunk-10", "trunk2-110"),
                               ("trunk", "store"), ("web", "trunk-10"), ("db", "trunk-20")):
            for address in (self.nodes[target].ip, self.nodes[target].ip6):
                with self.subTest(source=source, target=target, address=address):
                    self.assertRegex(self.reached(source, address), "(ttl|hlim)=64")

    def test_the_gateway_answers_in_each_vlan(self):
        for source, gateway in (("trunk-10", "10.1.1.1"), ("trunk-20", "10.1.2.1"),
                                ("trunk-30", "10.1.1.1"), ("trunk-10", "fd01:0:0:1::1")):
            with self.subTest(source=source):
                self.assertIn("ttl=64", self.reached(source, gateway))

    def test_routed_between_vlans_of_one_port(self):
        for source, target in (("trunk-10", "trunk-20"), ("trunk-20", "trunk-10"),
                               ("trunk", "trunk-10"), ("trunk-20", "trunk")):
            for address in (self.nodes[target].ip, self.nodes[target].ip6):
                with self.subTest(source=source, target=target, address=address):
                    self.assertIn("ttl=63", self.reached(source, address))

    def test_routed_to_other_guests(self):
        for source, target in (("trunk-10", "db"), ("trunk-20", "web"), ("trunk2-110", "trunk-20"),
                               ("db", "trunk2-110"), ("trunk-30", "other-db")):
            with self.subTest(source=source, target=target):
                self.assertIn("ttl=63", self.reached(source, self.nodes[target].ip))

    def test_an_expired_ttl_is_told_in_the_vlan_of_the_packet(self):
        for source in ("trunk-10", "trunk-20"):
            said = self.nodes[source].run("ping", "-n", "-c1", "-W1", "-t1", self.nodes["store"].ip,
                                          check=False).stdout
            self.assertIn("Time to live exceeded", said)

    def test_tenants_do_not_meet(self):
        self.reached("trunk-30", self.nodes["other-own"].ip)
        for source, address in (("trunk-10", self.nodes["other-own"].ip),
                                ("trunk-10", self.nodes["other-own"].ip6),
                                ("trunk-20", self.nodes["other-db"].ip),
                                ("trunk-30", self.nodes["mail"].ip),
                                ("trunk-30", self.nodes["db"].ip),
                                ("trunk-30", self.nodes["trunk"].ip)):
            with self.subTest(source=source, address=address):
                self.assertFalse(self.ping(source, address))

    def datagram(self, target, vlan=None, source_ip="10.1.1.11"):
        """Sends a frame of trunk's to the MAC and the address of a guest, in any VLAN."""
        trunk, target = self.lab.guests["trunk"], self.nodes[target]

        def send(token):
            frame = packet.udp_frame(target.mac, trunk.mac, source_ip, target.ip, token)
            for tag in reversed(vlan or ()):
                frame = packet.tagged(frame, *tag)
            trunk.send(frame)
        return send

    def test_frames_reach_their_own_subnet_only(self):
        for tag, target in ((10, "web"), (30, "other-web")):
            copies = self.udp_copies(self.datagram(target, [(tag,)]), [target])
            self.assertEqual(copies, {target: [None]})

        def send(token):
            # The right MAC in the wrong VLAN; tags that are not bound; two tags; none.
            for tags, target in (([(30,)], "web"), ([(10,)], "other-web"), ([(20,)], "web"),
                                 ([(40,)], "web"), ([(4095,)], "web"), ([(10,), (20,)], "web"),
                                 ([(0,), (10,)], "web"), ([], "web")):
                self.datagram(target, tags)(token)
        self.assertEqual(self.udp_copies(send), {})

    def test_a_vlan_that_is_not_bound_is_dropped_and_counted(self):
        host, trunk = self.lab.hosts["host1"], self.lab.guests["trunk"]

        def dropped():
            return sum(flow.packets for flow in host.flows()
                       if flow.table == 0 and flow.actions == "drop")
        before = dropped()
        with trunk.capture() as nic:
            trunk.send(packet.tagged(packet.arp_frame(1, trunk.mac, "10.1.1.11", "10.1.1.12"), 40))
            self.eventually(lambda: dropped() > before, "the drop is counted")
            self.assertEqual(nic.sync().select(lambda f: f.arp and not f.outgoing), [])

    def test_a_priority_tag_is_no_vlan(self):
        copies = self.udp_copies(self.datagram("store", [(0, 5)], "10.1.3.11"), ["store"])
        self.assertEqual(copies, {"store": [None]})
        copies = self.udp_copies(self.datagram("web", [(10, 5)]), ["web"])
        self.assertEqual(copies, {"web": [None]})

    def broadcast(self, sender, tag=None):
        sender = self.nodes[sender]
        guest = self.lab.guests[sender.name.partition("-")[0]] if tag else sender

        def send(token):
            frame = packet.udp_frame(packet.BROADCAST, sender.mac, sender.ip, "255.255.255.255",
                                     token)
            guest.send(packet.tagged(frame, tag) if tag else frame)
        return send

    def test_broadcast_arrives_once_with_the_tag_of_each_member(self):
        everyone = {"trunk": [10], "trunk2": [110], "mail": [None], "web": [None]}
        for sender, tag in (("web", None), ("mail", None), ("trunk-10", 10), ("trunk2-110", 110)):
            with self.subTest(sender=sender):
                wanted = {name: vlans for name, vlans in everyone.items()
                          if name != sender.partition("-")[0]}
                self.assertEqual(self.udp_copies(self.broadcast(sender, tag), wanted), wanted)
        for sender, tag, wanted in (("other-web", None, {"trunk": [30], "other-own": [None]}),
                                    ("trunk-30", 30, {"other-web": [None], "other-own": [None]}),
                                    ("db", None, {"trunk": [20]}),
                                    ("store", None, {"trunk": [None]}),
                                    ("trunk", None, {"store": [None]})):
            with self.subTest(sender=sender):
                self.assertEqual(self.udp_copies(self.broadcast(sender, tag), wanted), wanted)

    def test_tcp(self):
        for name in ("web", "other-web"):
            self.nodes[name].serve(80, name)
        self.nodes["trunk-20"].serve(80, "trunk in VLAN 20")
        for source, target, says in (("trunk-10", "web", "I am web, you are 10.1.1.11"),
                                     ("trunk-30", "other-web", "I am other-web, you are 10.1.1.11"),
                                     ("trunk-10", "trunk-20",
                                      "I am trunk in VLAN 20, you are 10.1.1.11")):
            self.assertEqual(self.nodes[source].ask(self.nodes[target].ip, 80), says)


class Firewall(VlanTestCase):
    """A port whose rules need connection state: what it begins is answered; of all else, pings."""

    acls = {"trunk": [rule("trunk", "out", "outbound"),
                      rule("trunk", "ping", "inbound", priority=10, protocols="ICMP"),
                      rule("trunk", "in", "inbound", "block")]}
    PORTS = (5000, 6000)

    def bound(self, name, port):
        node = self.nodes[name]
        sock = node.socket(kind=socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(("0.0.0.0", port))
        sock.settimeout(1)
        return sock

    def heard(self, sock):
        try:
            return sock.recv(64)
        except socket.timeout:
            return None

    def test_a_connection_of_one_tenant_opens_nothing_for_another(self):
        own, far = self.PORTS
        ours, theirs = self.bound("trunk-10", own), self.bound("trunk-30", own)
        web, other = self.bound("web", far), self.bound("other-web", far)
        there, here = (self.nodes["web"].ip, far), (self.nodes["trunk-10"].ip, own)
        self.eventually(lambda: ours.sendto(b"begin", there) and self.heard(web), "web hears", 5)
        web.sendto(b"answer", here)
        self.assertEqual(self.heard(ours), b"answer")
        # The same 5-tuple, in the other tenant's network.
        other.sendto(b"intrusion", here)
        self.assertIsNone(self.heard(theirs))
        self.assertIsNone(self.heard(ours))
        self.eventually(lambda: theirs.sendto(b"begin", there) and self.heard(other), "it hears", 5)
        other.sendto(b"their answer", here)
        self.assertEqual(self.heard(theirs), b"their answer")
        web.sendto(b"our answer", here)
        self.assertEqual(self.heard(ours), b"our answer")

    def test_tcp_with_the_same_ports_in_both(self):
        def call(source, target):
            self.nodes[target].serve(81, target)
            with self.nodes[source].socket() as caller:
                caller.settimeout(5)
                caller.bind(("0.0.0.0", 7000))
                caller.connect((self.nodes[target].ip, 81))
                return caller.recv(100).decode().split(",")[0]
        self.assertEqual(call("trunk-10", "web"), "I am web")
        self.assertEqual(call("trunk-30", "other-web"), "I am other-web")

    def test_routed_between_vlans_of_one_port(self):
        """What leaves in one VLAN is judged again where it enters, in the other."""
        for source, target in (("trunk-10", "trunk-20"), ("trunk-20", "trunk-10")):
            self.assertIn("ttl=63", self.reached(source, self.nodes[target].ip))
        self.nodes["trunk-20"].serve(82, "trunk")
        self.assertIsNone(self.nodes["trunk-10"].ask(self.nodes["trunk-20"].ip, 82, timeout=1))


if __name__ == "__main__":
    testing.main()
