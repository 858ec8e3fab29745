#!/usr/bin/python3
"""An address that several guests share: each connection has one of them, and keeps it."""

import collections
import contextlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, policy, testing  # noqa: E402
from hnvlab.policy import rule  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402
from hnvlab.talkers import Chatter, Conversation, TalkingServer  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# VSID: its prefixes without their last part. The third is another tenant's, with the same ones.
SUBNETS = {5001: ("10.1.1.", "fd01:0:0:1::"), 5002: ("10.1.2.", "fd01:0:0:2::"),
           6001: ("10.1.1.", "fd01:0:0:1::")}
NETWORKS = {"contoso": (5001, 5002), "fabrikam": (6001,)}
# Name: host, VSID, MAC, last part of its addresses.
GUESTS = {
    "near": ("host1", 5001, "00:15:5d:50:01:32", 50),
    "routed": ("host1", 5002, "00:15:5d:50:02:33", 51),
    "far": ("host2", 5002, "00:15:5d:50:02:34", 52),
    "backend1": ("host1", 5001, "00:15:5d:50:01:0b", 11),
    "backend2": ("host2", 5001, "00:15:5d:50:01:0c", 12),
    "backend3": ("host2", 5001, "00:15:5d:50:01:0d", 13),
    "other-near": ("host1", 6001, "00:15:5d:60:01:32", 50),
    "other-backend": ("host2", 6001, "00:15:5d:60:01:0c", 12),
}
CLIENTS = ("near", "routed", "far")
BACKENDS = ("backend1", "backend2", "backend3")
OTHER_BACKEND = "other-backend"
ENCAPSULATIONS = {"backend3": "nvgre"}
VIP, VIP6, PORT = "10.1.1.100", "fd01:0:0:1::64", 80
CONNECTIONS = 40  # That one of three backends gets none of them has a chance of 1 in 3 million.
# Connection state on both sides: a client that is called by nobody, a backend with one open port.
ACLS = {
    "routed": [rule("routed", "out", "outbound"), rule("routed", "in", "inbound", "block")],
    "backend2": [rule("backend2", "out", "outbound", "block"),
                 rule("backend2", "in", "inbound", protocols="TCP,UDP",
                      destination_ports=str(PORT))],
}


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def mappings(backends):
    for name, (place, vsid, mac, last) in GUESTS.items():
        common = {"vsid": vsid, "mac": mac, "pa": HOSTS[place],
                  "encapsulation": ENCAPSULATIONS.get(name, "vxlan")}
        for prefix in SUBNETS[vsid]:
            yield {**common, "ca": f"{prefix}{last}"}
        if name in (*backends, OTHER_BACKEND):
            for address in (VIP, VIP6):
                yield {**common, "ca": address, "type": "load_balanced"}


def host_policy(host, backends):
    local = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": network, "routed": True, "subnets": [
            {"vsid": vsid, "prefix": f"{SUBNETS[vsid][0]}0/24",
             "additional_prefixes": [{"prefix": f"{SUBNETS[vsid][1]}/64"}]} for vsid in vsids]}
            for network, vsids in NETWORKS.items()],
        "mappings": list(mappings(backends)),
        "ports": [{"name": name, "vsid": GUESTS[name][1]} for name in local],
        "acls": [r for name in local for r in ACLS.get(name) or policy.allow_all(name)],
    }


class LoadBalance(testing.LabTestCase):
    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
        for name, (place, vsid, mac, last) in GUESTS.items():
            cls.add_guest(name, cls.lab.hosts[place], mac, last, *SUBNETS[vsid])
        cls.apply(BACKENDS)
        for host in hosts:
            wait_until(host.resolves_router, f"{host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")
        for guest in cls.lab.guests.values():  # It asks for its neighbours from its own address.
            wait_until(lambda: "tentative" not in guest.run("ip", "-6", "addr").stdout,
                       f"{guest.name} has its link-local address")

    @classmethod
    def add_guest(cls, name, host, mac, last, v4, v6):
        guest = host.add_guest(name, mac, f"{v4}{last}/24", ipv6=True)
        netns.write_sysctls(guest.namespace, {"net/ipv6/conf/eth0/accept_ra": 0})
        vips = [f"addr add {VIP}/32 dev lo", f"addr add {VIP6}/128 dev lo nodad"]
        netns.ip_batch(guest.namespace, [
            f"addr add {v6}{last}/64 dev eth0 nodad", f"route add default via {v4}1",
            f"route add default via {v6}1", *(vips if "backend" in name else [])])

    @classmethod
    def apply(cls, backends):
        for name, host in cls.lab.hosts.items():
            host.agent.apply(host_policy(name, backends))

    def setUp(self):
        self.apply(BACKENDS)
        for name in (*BACKENDS, OTHER_BACKEND):
            for address in (VIP, VIP6):
                self.addCleanup(TalkingServer(self.lab.guests[name], name, address, PORT).close)

    def connect(self, client, address=VIP, count=CONNECTIONS):
        made = [Conversation(self.lab.guests[client], address, PORT) for _ in range(count)]
        for conversation in made:
            self.addCleanup(conversation.close)
        return made

    def check_shared(self, conversations, backends):
        spread = collections.Counter(each.first for each in conversations)
        self.assertEqual(set(spread), set(backends), spread)

    def check_kept(self, conversations):
        self.assertEqual([(each.first, who) for each in conversations
                          if (who := each.ask()) != each.first], [])

    def test_connections_are_shared(self):
        for client in CLIENTS:
            for address in (VIP, VIP6):
                with self.subTest(client=client, address=address):
                    made = self.connect(client, address)
                    self.check_shared(made, BACKENDS)
                    self.check_kept(made)

    def serve_datagrams(self, name, address):
        """Says its name and the length for each datagram."""
        sock = self.lab.guests[name].socket(family_of(address), socket.SOCK_DGRAM)
        sock.bind((address, PORT))
        stopping = threading.Event()

        def work():
            sock.settimeout(0.2)
            while not stopping.is_set():
                with contextlib.suppress(socket.timeout):
                    data, caller = sock.recvfrom(65536)
                    sock.sendto(f"{name} {len(data)}".encode(), caller)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(sock.close)
        self.addCleanup(thread.join)
        self.addCleanup(stopping.set)

    def datagrams(self, client, address, lengths):
        """Who answers each of the datagrams of one flow; "nobody" if nobody does."""
        answers = []
        with self.lab.guests[client].socket(family_of(address), socket.SOCK_DGRAM) as caller:
            caller.settimeout(2)
            caller.connect((address, PORT))
            for length in lengths:
                caller.send(bytes(length))
                try:
                    name, heard = caller.recv(100).decode().split()
                    answers.append(name if int(heard) == length else "a part")
                except OSError:
                    answers.append("nobody")
        return answers

    def test_datagrams_of_a_flow_have_one_backend(self):
        """Also those in fragments, of which only the first shows its ports."""
        for name in BACKENDS:
            for address in (VIP, VIP6):
                self.serve_datagrams(name, address)
        for client in CLIENTS:
            for address in (VIP, VIP6):
                for lengths in ((100, 4000, 100, 4000), (4000, 100, 4000)):
                    flows = [self.datagrams(client, address, lengths) for _ in range(8)]
                    with self.subTest(client=client, address=address, lengths=lengths):
                        self.assertEqual([flow for flow in flows if len(set(flow)) != 1], [])
                        self.assertLessEqual({flow[0] for flow in flows}, set(BACKENDS))

    def test_nothing_is_reported_as_wrong(self):
        for host in self.lab.hosts.values():
            self.assertEqual(host.agent.fault_keys(), [])

    def test_each_backend_has_its_own_address_besides(self):
        for client in CLIENTS:
            self.assertTrue(self.lab.guests[client].reaches(self.lab.guests["backend3"].ip))

    def test_connections_keep_their_backend_when_others_come_and_go(self):
        self.apply(BACKENDS[:2])
        busy = [each for client in CLIENTS for each in self.connect(client)]
        busy += self.connect("routed", VIP6)
        idle = self.connect("near") + self.connect("far", VIP6)
        self.check_shared(busy, BACKENDS[:2])
        self.check_shared(idle, BACKENDS[:2])
        with Chatter(busy) as chatter:
            chatter.a_round_more()
            self.apply(BACKENDS)
            chatter.a_round_more()
            new = self.connect("near") + self.connect("routed")
            self.check_shared(new, BACKENDS)
            self.assertEqual(chatter.changed, {})
            self.apply(BACKENDS[1:])
            chatter.a_round_more()
            self.check_broken(chatter, busy)
        # Those that said nothing all the while, and whose cached flows are gone by now.
        for host in self.lab.hosts.values():
            host.forget_flow_cache()
        self.check_kept([each for each in idle + new if each.first != "backend1"])
        self.assertEqual({each.ask() for each in idle + new if each.first == "backend1"}, {None})
        self.check_shared(self.connect("routed"), BACKENDS[1:])

    def check_broken(self, chatter, conversations):
        """Those with the backend that went, and they alone."""
        self.assertEqual(set(chatter.changed),
                         {each for each in conversations if each.first == "backend1"})
        self.assertEqual(set(chatter.changed.values()), {None})

    def test_the_same_connection_of_another_tenant_goes_to_its_own_backend(self):
        for address, first_port in ((VIP, 7000), (VIP6, 7100)):
            for port in range(first_port, first_port + 10):
                ours, theirs = (Conversation(self.lab.guests[client], address, PORT, own_port=port)
                                for client in ("near", "other-near"))
                self.addCleanup(ours.close)
                self.addCleanup(theirs.close)
                self.assertIn(ours.first, BACKENDS)
                self.assertEqual(theirs.first, OTHER_BACKEND)
                self.check_kept([ours, theirs])

    def test_connections_outlive_a_crash_of_the_agents(self):
        made = [each for client in CLIENTS for each in self.connect(client)]
        with Chatter(made) as chatter:
            for host in self.lab.hosts.values():
                host.agent.kill()
                host.agent.start()
            chatter.a_round_more()
            self.assertEqual(chatter.changed, {})
        self.check_shared(self.connect("near"), BACKENDS)

    def test_without_any_backend_nobody_answers(self):
        self.apply(())
        self.assertFalse(self.lab.guests["near"].ping(VIP, count=1).received)
        self.apply(BACKENDS[:1])
        self.check_shared(self.connect("near", count=5), BACKENDS[:1])


if __name__ == "__main__":
    testing.main()
