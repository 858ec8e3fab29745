#!/usr/bin/python3
"""Port mirroring: what is copied, where to, and that a copy is the end of it."""

import secrets
import socket
import threading

from hnvlab import packet, services
from hnvlab.policy import allow_all, rule
from hnvlab.services import arrival, mirror
from hnvlab.testing import LabTestCase, main

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# Name: host, VSID, address, MAC.
GUESTS = {
    "app": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b"),
    "near": ("host1", 5001, "10.1.1.13", "00:15:5d:50:01:0d"),
    "cache": ("host1", 5002, "10.1.2.14", "00:15:5d:50:02:0e"),
    "db": ("host2", 5001, "10.1.1.12", "00:15:5d:50:01:0c"),
}
# Analyzers: plugged, and nothing else. The agent calls them blocked.
ANALYZERS = {"ids1": ("host1", "00:15:5d:99:00:01"), "ids2": ("host2", "00:15:5d:99:00:02")}
KEY, OTHER_KEY = 990001, 990002
TO_HOST2 = f"destination={HOSTS['host2']} key={KEY}"
BLOCKED_PORT = 4444
# Table, agent/pipeline/layout.h.
TUNNEL_GUARD = 1
IP_AND_VXLAN = 50


def policy(host):
    ports = {name: guest for name, guest in GUESTS.items() if guest[0] == host}
    refused = [rule(name, f"no-{direction}", direction, "block", priority=10, protocols="UDP",
                    destination_ports=str(BLOCKED_PORT))
               for name in ports for direction in ("inbound", "outbound")]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [
            {"id": "contoso", "routed": True,
             "subnets": [{"vsid": 5001, "prefix": "10.1.1.0/24"},
                         {"vsid": 5002, "prefix": "10.1.2.0/24"}]}],
        "mappings": [{"vsid": vsid, "ca": ca, "mac": mac, "pa": HOSTS[place]}
                     for place, vsid, ca, mac in GUESTS.values()],
        "ports": [{"name": name, "vsid": guest[1]} for name, guest in ports.items()],
        "acls": [line for name in ports for line in allow_all(name)] + refused,
    }


class Mirror(LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, _, address, mac) in GUESTS.items():
            guest = cls.lab.hosts[host].add_guest(name, mac, f"{address}/24")
            guest.run("ip", "route", "add", "default", "via", address.rsplit(".", 1)[0] + ".1")
        for name, (host, mac) in ANALYZERS.items():
            cls.lab.hosts[host].add_guest(name, mac, "203.0.113.9/24")
        cls.host1, cls.host2 = cls.lab.hosts["host1"], cls.lab.hosts["host2"]
        for name, host in cls.lab.hosts.items():
            host.agent.apply(policy(name))
        for host in cls.lab.hosts.values():
            host.resolves_router()
        assert cls.lab.guests["app"].reaches("10.1.1.12")
        assert cls.lab.guests["app"].reaches("10.1.2.14")
        # Somebody listens everywhere: an ICMP error would quote what it is about.
        cls.listeners = [cls.listen(guest, port) for guest in GUESTS
                         for port in (53, 54, 40001, BLOCKED_PORT)]
        # Each guest knows the others, so that only what a test sends is on the wires.
        for name, (_, vsid, _, _) in GUESTS.items():
            for other, (_, its, address, mac) in GUESTS.items():
                if vsid == its and other != name:
                    cls.lab.guests[name].set_neighbour(address, mac)

    @classmethod
    def listen(cls, guest, port):
        listener = cls.lab.guests[guest].socket(kind=socket.SOCK_DGRAM)
        listener.bind(("0.0.0.0", port))
        return listener

    @classmethod
    def tearDownClass(cls):
        for listener in cls.listeners:
            listener.close()
        super().tearDownClass()

    def setUp(self):
        for host in self.lab.hosts.values():
            services.write(host.agent)

    def guest(self, name):
        return self.lab.guests[name]

    def datagram(self, source, target, *, dport=40001, size=0):
        """Sends one from guest to guest; returns what tells its frames from all others."""
        token = secrets.token_bytes(8).hex().encode()
        with self.guest(source).socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(token.ljust(size, b"."), (GUESTS[target][2], dport))
        return token

    @staticmethod
    def having(token):
        return lambda frame: token in frame.raw

    def assert_copies(self, capture, token, count):
        """As many frames as that, and no more by the time that a marker has come by."""
        if count:
            capture.wait_for(self.having(token), "the copies", count=count)
        self.assertEqual(len(capture.sync().select(self.having(token))), count)

    # --- what is copied ----------------------------------------------------------------------

    def test_a_port_of_the_host_gets_what_a_port_sends_and_receives_as_it_is(self):
        services.write(self.host1.agent, mirror("app", "port=ids1"))
        with self.guest("ids1").capture() as copies, self.guest("app").capture() as own, \
                self.guest("db").capture() as far:
            for source, target in (("app", "db"), ("db", "app"), ("app", "near"), ("near", "app"),
                                   ("app", "cache"), ("cache", "app")):
                token = self.datagram(source, target)
                self.assert_copies(copies, token, 1)
                [original] = own.wait_for(self.having(token), "the packet itself")
                [copy] = copies.select(self.having(token))
                self.assertEqual(copy.raw, original.raw, f"{source} to {target}")
                if target == "db":
                    [arrived] = far.wait_for(self.having(token), "the packet at its destination")
                    self.assertEqual(arrived.raw, original.raw)

    def test_one_direction_alone(self):
        for direction, wanted in (("in", (0, 1)), ("out", (1, 0))):
            services.write(self.host1.agent, mirror("app", f"direction={direction},port=ids1"))
            with self.guest("ids1").capture() as copies, self.guest("app").capture() as own:
                sent = self.datagram("app", "near")
                received = self.datagram("near", "app")
                own.wait_for(self.having(received), "the packet itself")
                self.assert_copies(copies, sent, wanted[0])
                self.assert_copies(copies, received, wanted[1])

    def test_the_lowest_priority_that_matches_decides(self):
        services.write(
            self.host1.agent,
            mirror("app", "port=ids1", "names", priority=10, protocols="udp", dst_ports="53"),
            mirror("app", TO_HOST2, "rest", priority=20, dst_ip_addresses="10.1.1.0/24"))
        services.write(self.host2.agent, arrival("ids2", KEY, HOSTS["host1"]))
        with self.guest("ids1").capture() as here, self.guest("ids2").capture() as there:
            name = self.datagram("app", "near", dport=53)
            other = self.datagram("app", "near", dport=54)
            elsewhere = self.datagram("app", "cache")
            last = self.datagram("app", "near", dport=54)
            self.assert_copies(there, last, 1)
            self.assert_copies(there, other, 1)
            self.assert_copies(here, name, 1)
            for capture, token in ((there, name), (here, other), (here, elsewhere),
                                   (there, elsewhere)):
                self.assert_copies(capture, token, 0)

    def test_all_fragments_of_a_packet_are_copied(self):
        services.write(self.host1.agent, mirror("app", "direction=out port=ids1",
                                                protocols="UDP", dst_ports="40001"))
        with self.guest("ids1").capture() as copies, self.guest("app").capture() as own:
            token = self.datagram("app", "near", size=4000)
            [first] = own.wait_for(self.having(token), "the first fragment")
            identity = first.raw[18:20]

            def of_it(frame):
                return frame.ip and frame.ip.src == "10.1.1.11" and frame.raw[18:20] == identity
            copies.wait_for(of_it, "all fragments", count=3)
            self.assertEqual([frame.raw for frame in copies.sync().select(of_it)],
                             [frame.raw for frame in own.sync().select(of_it)])

    def test_what_is_sent_is_copied_before_the_firewall_and_what_is_received_after_it(self):
        services.write(self.host1.agent, mirror("app", "port=ids1"))
        with self.guest("ids1").capture() as copies, self.guest("near").capture() as near:
            sent = self.datagram("app", "near", dport=BLOCKED_PORT)
            refused = self.datagram("db", "app", dport=BLOCKED_PORT)
            last = self.datagram("near", "app")
            self.assert_copies(copies, last, 1)
            self.assert_copies(copies, sent, 1)
            self.assert_copies(copies, refused, 0)
            self.assertFalse(near.sync().select(self.having(sent)))

    def test_each_mirrored_port_that_gets_a_broadcast_has_its_own_copy(self):
        services.write(self.host1.agent, mirror("near", "port=ids1 direction=in"),
                       mirror("app", "port=ids1 direction=out"))
        token = secrets.token_bytes(8)
        app = self.guest("app")
        with self.guest("ids1").capture() as copies, self.guest("db").capture() as far, \
                self.guest("near").capture() as near:
            app.send(packet.udp_frame(packet.BROADCAST, app.mac, app.ip, "10.1.1.255", token))
            for capture in (far, near):
                self.assert_copies(capture, token, 1)
            self.assert_copies(copies, token, 2)

    # --- to another host ---------------------------------------------------------------------

    def test_a_port_of_another_host_gets_them_by_either_encapsulation(self):
        services.write(self.host2.agent, arrival("ids2", KEY, "192.168.9.9", HOSTS["host1"]))
        for encapsulation in ("vxlan", "nvgre"):
            services.write(self.host1.agent,
                           mirror("app", f"{TO_HOST2} encapsulation={encapsulation}"))
            with self.guest("ids2").capture() as copies, self.guest("app").capture() as own, \
                    self.lab.capture_underlay(self.host1) as underlay:
                for source, target in (("app", "db"), ("db", "app"), ("cache", "app")):
                    token = self.datagram(source, target)
                    self.assert_copies(copies, token, 1)
                    [original] = own.wait_for(self.having(token), "the packet itself")
                    [copy] = copies.select(self.having(token))
                    self.assertEqual(copy.raw, original.raw)
                    [carried] = underlay.sync().select(
                        lambda frame, token=token: token in frame.raw and
                        KEY in (frame.vni, (frame.gre_key or 0) >> 8))
                    self.assertEqual(carried.vni is None, encapsulation == "nvgre")
                    self.assertEqual((carried.ip.src, carried.ip.dst),
                                     (HOSTS["host1"], HOSTS["host2"]))

    def test_copies_of_a_stranger_and_of_another_key_are_dropped(self):
        services.write(self.host1.agent, mirror("app", TO_HOST2))

        def dropped(table):
            return sum(flow.packets for flow in self.host2.flows() if flow.table == table and
                       flow.priority in (0, 50) and flow.actions == "drop")
        for key, stranger, table in ((KEY, "192.168.9.9", TUNNEL_GUARD),
                                     (OTHER_KEY, HOSTS["host1"], 0)):
            services.write(self.host2.agent, arrival("ids2", key, stranger))
            before = dropped(table)
            with self.guest("ids2").capture() as copies, self.guest("db").capture() as far:
                token = self.datagram("app", "db")
                self.assert_copies(far, token, 1)
                self.eventually(lambda before=before, table=table: dropped(table) > before,
                                "the copy is counted as dropped")
                self.assert_copies(copies, token, 0)

    def test_a_copy_that_is_too_long_is_dropped_and_nobody_is_told(self):
        services.write(self.host1.agent, mirror("app", TO_HOST2))
        services.write(self.host2.agent, arrival("ids2", KEY, HOSTS["host1"]))
        try:
            self.host1.run("ip", "link", "set", "br-pa", "mtu", "1400")
            self.eventually(lambda: self.fits(1400 - IP_AND_VXLAN), "the agent has measured it")
            with self.guest("ids2").capture() as copies, self.guest("app").capture() as own, \
                    self.guest("near").capture() as near:
                long = self.datagram("app", "near", size=1472)
                self.assert_copies(near, long, 1)
                short = self.datagram("app", "near", size=1000)
                self.assert_copies(copies, short, 1)
                self.assert_copies(copies, long, 0)
                self.assertFalse(own.sync().select(lambda frame: frame.ip and
                                                   frame.ip.protocol == packet.ICMP))
        finally:
            self.host1.run("ip", "link", "set", "br-pa", "mtu", "1600")
            self.eventually(lambda: self.fits(1600 - IP_AND_VXLAN), "the underlay is as it was")

    def fits(self, length):
        """Whether the switch takes packets of that length, and no longer ones, into VXLAN."""
        return any(f"check_pkt_larger({length + 14})" in flow.actions
                   for flow in self.host1.flows())

    # --- the end of it -----------------------------------------------------------------------

    def test_two_hosts_that_mirror_to_each_other_make_one_copy_at_each_end(self):
        services.write(self.host1.agent, mirror("app", TO_HOST2),
                       arrival("app", OTHER_KEY, HOSTS["host2"]))
        services.write(self.host2.agent, arrival("db", KEY, HOSTS["host1"]),
                       mirror("db", f"destination={HOSTS['host1']} key={OTHER_KEY}"))
        with self.lab.capture_underlay(self.host1) as underlay, \
                self.guest("app").capture() as app, self.guest("db").capture() as db:
            tokens = [self.datagram("app", "db") for _ in range(20)]
            for token in tokens:
                self.assert_copies(db, token, 2)   # The packet, and app's copy of it.
                self.assert_copies(app, token, 2)  # What it sent, and db's copy of that.
            for token in tokens:
                self.assert_copies(underlay, token, 3)

    def test_two_ports_that_mirror_to_each_other_make_one_copy_each(self):
        services.write(self.host1.agent, mirror("app", "port=cache"), mirror("cache", "port=app"))
        with self.guest("app").capture() as app, self.guest("cache").capture() as cache:
            for _ in range(20):
                token = self.datagram("app", "cache")
                self.assert_copies(cache, token, 2)
                self.assert_copies(app, token, 2)

    def test_an_analyzers_copies_are_not_copied_again(self):
        services.write(self.host1.agent, mirror("app", "port=near"),
                       mirror("near", "port=ids1", "near"), mirror("ids1", TO_HOST2, "ids1"))
        services.write(self.host2.agent, arrival("ids2", KEY, HOSTS["host1"]))
        with self.guest("near").capture() as near, self.guest("ids1").capture() as ids1, \
                self.guest("ids2").capture() as ids2:
            token = self.datagram("app", "cache")
            self.assert_copies(near, token, 1)
            own = self.datagram("near", "cache")
            self.assert_copies(ids1, own, 1)
            self.assert_copies(ids1, token, 0)
            self.assert_copies(ids2, token, 0)
            self.assert_copies(ids2, own, 0)

    # --- and the traffic itself --------------------------------------------------------------

    def test_a_mirrored_connection_carries_all_that_it_should(self):
        services.write(self.host1.agent, mirror("app", TO_HOST2))
        services.write(self.host2.agent, arrival("ids2", KEY, HOSTS["host1"]),
                       mirror("db", "port=ids2"))
        data = secrets.token_bytes(1 << 20) * 8
        with self.guest("db").socket() as listener:
            listener.bind((GUESTS["db"][2], 5555))
            listener.listen()
            listener.settimeout(30)
            received = []

            def serve():
                with listener.accept()[0] as connection:
                    while part := connection.recv(1 << 16):
                        received.append(part)
            server = threading.Thread(target=serve, daemon=True)
            server.start()
            with self.guest("app").socket() as sender:
                sender.settimeout(60)
                sender.connect((GUESTS["db"][2], 5555))
                sender.sendall(data)
            server.join(60)
        self.assertEqual(b"".join(received), data)

    def test_a_mirror_follows_its_analyzer_and_ends_with_its_rule(self):
        services.write(self.host1.agent, mirror("app", "port=ids1 direction=out"))
        ids1 = self.guest("ids1")

        def copied():
            with ids1.capture() as copies, self.guest("near").capture() as near:
                token = self.datagram("app", "near")
                self.assert_copies(near, token, 1)
                return len(copies.sync().select(self.having(token)))
        self.assertEqual(copied(), 1)
        ids1.unplug()
        self.eventually(lambda: copied() == 0, "nothing is copied")
        self.assertEqual(self.host1.agent.fault_keys().count("mirror-target"), 0)
        ids1.plug()
        self.eventually(lambda: copied() == 1, "the mirror goes on")
        services.write(self.host1.agent)
        self.assertEqual(copied(), 0)

    def test_rules_that_cannot_be_say_why(self):
        services.write(self.host1.agent, mirror("app", "port=app"),
                       mirror("near", f"destination={HOSTS['host2']} key=5001"),
                       mirror("cache", "to=nowhere"))
        self.eventually(lambda: [key for key in self.host1.agent.fault_keys()
                                 if key in ("mirror-target", "rule-syntax")] ==
                        ["mirror-target", "mirror-target", "rule-syntax"], "three faults")
        services.write(self.host1.agent)
        self.eventually(lambda: not {"mirror-target", "rule-syntax"} &
                        set(self.host1.agent.fault_keys()), "no faults")


if __name__ == "__main__":
    main()
