#!/usr/bin/python3
"""What a port may not do is dropped, and `hnvctl drops` says how often and why.

The guards of Port_Settings against DHCP servers and routers, the limits of broadcast and of
connections, and the counters by reason.
"""

import concurrent.futures
import json
import os
import secrets
import signal
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, policy, testing  # noqa: E402
from hnvlab.foreign_host import Ether, ForeignHost, Raw, vxlan  # noqa: E402
from hnvlab.policy import CONTOSO, MACHINES, Machine, rule  # noqa: E402

APP = Machine("contoso-app", CONTOSO, "10.1.1.13", "00:15:5d:50:01:0d", "host2")
FOREIGN_MAC, FOREIGN_IP = "00:15:5d:50:01:77", "10.1.1.77"
UNKNOWN_MAC, UNKNOWN_IP = "00:15:5d:50:01:78", "10.1.1.78"
ALL_NODES = "33:33:00:00:00:01"
LINK_LOCAL = "fe80::215:5dff:fe50:10c"
DHCP_SERVER, DHCP_CLIENT, DHCPV6_SERVER, DHCPV6_CLIENT = 67, 68, 547, 546


def ipv6_frame(eth_dst, eth_src, source, destination, protocol, payload, checksum_at):
    """With the checksum of an upper layer that has one at that offset (RFC 8200 section 8.1)."""
    ends = packet.ip_octets(source) + packet.ip_octets(destination)
    pseudo = ends + struct.pack("!II", len(payload), protocol)
    checksum = struct.pack("!H", packet.checksum(pseudo + payload))
    payload = payload[:checksum_at] + checksum + payload[checksum_at + 2:]
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
    return packet.ethernet(eth_dst, eth_src, packet.ETH_IPV6, head + ends + payload)


def discovery_frame(eth_src, kind, body, *, source=LINK_LOCAL, eth_dst=ALL_NODES):
    return ipv6_frame(eth_dst, eth_src, source, "ff02::1", packet.ICMPV6,
                      struct.pack("!BBHI", kind, 0, 0, 0) + body, 2)


def udp6_frame(eth_dst, eth_src, source, destination, sport, dport, body):
    head = struct.pack("!HHHH", sport, dport, 8 + len(body), 0)
    return ipv6_frame(eth_dst, eth_src, source, destination, packet.UDP, head + body, 6)


class GuardsTestCase(testing.DeploymentTestCase):
    machines = (*MACHINES, APP)

    def setUp(self):
        self.web, self.app, self.sql = (self.guest(f"contoso-{n}") for n in ("web", "app", "sql"))

    def tearDown(self):
        self.deployment.apply()

    def with_settings(self, guest=None, **settings):
        """The policy as it was deployed, and these settings of one port."""
        content = policy.for_host("host2", self.machines, self.acls)
        for port in content["ports"]:
            if guest and port["name"] == guest.name:
                port["settings"] = settings
        self.host2.agent.apply(content)

    @staticmethod
    def drops(guest):
        """{reason: packets} of the guest's port."""
        answer = json.loads(guest.host.agent.hnvctl("drops", guest.name, "--json").stdout)
        [port] = answer["ports"]
        return port["drops"]

    @staticmethod
    def host_drops(host):
        return json.loads(host.agent.appctl("hnv/drops"))["host"]

    def expect_drops(self, guest, act, **wanted):
        """After `act` exactly these reasons have counted exactly so many packets more."""
        wanted = {reason.replace("_", "-"): count for reason, count in wanted.items()}
        before = self.drops(guest)
        act()

        def grown():
            now = self.drops(guest)
            return {reason: now[reason] - before[reason] for reason in now
                    if now[reason] != before[reason]}
        self.eventually(lambda: sum(grown().values()) >= sum(wanted.values()),
                        f"the counters show {wanted}")
        self.assertEqual(grown(), wanted)

    def arrives(self, frame, at, token):
        """Whether the frame of WEB gets there; an honest one after it always does."""
        honest = secrets.token_bytes(16)
        with at.capture() as nic:
            self.web.send(frame)
            self.web.send(packet.udp_frame(at.mac, self.web.mac, self.web.ip, at.ip, honest))
            nic.wait_for(lambda f: honest in f.raw, "the honest frame")
            return bool(nic.sync().select(lambda f: token in f.raw))


class Reasons(GuardsTestCase):
    """Each drop is counted at the port that is to answer for it, under its reason."""

    machines = (*MACHINES, APP,
                Machine("contoso-mute", CONTOSO, "10.1.1.14", "00:15:5d:50:01:0e", "host2"))
    acls = {"contoso-mute": [],
            "contoso-app": [rule("contoso-app", "out", "outbound", protocols="UDP"),
                            rule("contoso-app", "none", "outbound", "block", priority=2000)]}

    def setUp(self):
        super().setUp()
        self.mac = self.web.mac

    def udp(self, **changes):
        fields = {"eth_dst": self.sql.mac, "eth_src": self.mac, "ip_src": self.web.ip,
                  "ip_dst": self.sql.ip, "payload": b"x" * 16, **changes}
        self.web.send(packet.udp_frame(**fields))

    def test_what_is_not_the_ports_own(self):
        def spoof():
            for _ in range(2):
                self.udp(eth_src=FOREIGN_MAC)
            for _ in range(3):
                self.udp(ip_src=FOREIGN_IP)
            self.web.send_arp_request(self.sql.ip, sender_ip=FOREIGN_IP)
            self.web.send_arp_request(self.sql.ip, sender_mac=FOREIGN_MAC, eth_src=self.mac)
            self.web.send(udp6_frame(self.sql.mac, self.mac, "fd01::77", "fd01::b", 1, 2, b""))
            self.web.send(discovery_frame(self.mac, 136, packet.ip_octets("fd01::77")))
            self.web.send(packet.ethernet(self.sql.mac, self.mac, 0x88CC, b"x"))

        self.expect_drops(self.web, spoof, mac_guard=2, ipv4_guard=3, arp_guard=2, ipv6_guard=2,
                          other_protocol=1)

    def test_routers_are_guarded_against_of_every_port_that_may_not_forward(self):
        def advertise():
            self.web.send(discovery_frame(self.mac, 134, b""))
            self.web.send(discovery_frame(self.mac, 137, bytes(32)))

        self.expect_drops(self.web, advertise, router_guard=2)

    def test_no_destination(self):
        router_mac = self.web.neighbour("10.1.1.1")[1]
        if router_mac is None:
            self.web.ping("10.1.1.1", count=1)
            router_mac = self.web.neighbour("10.1.1.1")[1]

        def ask_for_nobody():
            self.udp(eth_dst=UNKNOWN_MAC)
            self.udp(eth_dst=router_mac, ip_dst=UNKNOWN_IP)
            self.udp(eth_dst=router_mac, ip_dst="203.0.113.1")

        self.expect_drops(self.web, ask_for_nobody, no_destination=3)

    def test_what_rules_forbid(self):
        app, web = self.app, self.web

        def talk():
            app.send(packet.ipv4_frame(web.mac, app.mac, app.ip, web.ip, 132, bytes(12)))
            for _ in range(2):  # APP takes in nothing but replies.
                web.send(packet.udp_frame(app.mac, web.mac, web.ip, app.ip, b"x" * 16))

        self.expect_drops(app, talk, firewall_outbound=1, firewall_inbound=2)

    def test_a_blocked_port(self):
        mute = self.guest("contoso-mute")
        self.expect_drops(mute, lambda: mute.send_arp_request(self.sql.ip), blocked=1)

    def test_broadcast_is_no_drop_at_its_sender(self):
        token = secrets.token_bytes(16)

        def shout():
            with self.sql.capture() as nic:
                self.udp(eth_dst=packet.BROADCAST, ip_dst="10.1.1.255", payload=token)
                nic.wait_for(lambda f: token in f.raw, "the broadcast")
            self.udp(eth_src=FOREIGN_MAC)

        self.expect_drops(self.web, shout, mac_guard=1)

    def test_of_the_host_what_comes_by_a_tunnel(self):
        stranger = ForeignHost(self.lab, "stranger", "192.168.9.0/24", ["192.168.9.9"])
        inner = Ether(bytes(packet.udp_frame(self.sql.mac, self.mac, self.web.ip, self.sql.ip,
                                             b"x" * 16)))
        before = self.host_drops(self.host1)
        for vni in (5001, 4242):
            stranger.send(vxlan("192.168.9.9", self.host1.pa, vni, inner / Raw()))

        def grown():
            now = self.host_drops(self.host1)
            return {reason: now[reason] - before[reason] for reason in now}
        self.eventually(lambda: grown()["unknown-outer-source"] and grown()["vsid-mismatch"],
                        "both are counted")
        self.assertEqual(grown(), {"no-destination": 0, "router-guard": 0, "not-bfd": 0,
                                   "vsid-mismatch": 1, "unknown-outer-source": 1})

    def test_a_person_sees_what_was_met(self):
        self.expect_drops(self.web, lambda: self.udp(eth_src=FOREIGN_MAC), mac_guard=1)
        shown = self.host2.agent.hnvctl("drops", self.web.name).stdout
        self.assertRegex(shown, r"(?m)^PORT +REASON +PACKETS$")
        self.assertRegex(shown, r"(?m)^contoso-web +mac-guard +[1-9]")
        self.assertNotIn("storm-limit", shown)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # Several persons do.
            answers = list(pool.map(lambda _: self.drops(self.web)["mac-guard"], range(24)))
        self.assertEqual(set(answers), {self.drops(self.web)["mac-guard"]})
        refused = self.host2.agent.hnvctl("drops", "nobody", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("there is no port named nobody", refused.stderr)

    def test_a_switch_that_does_not_answer_is_told_of(self):
        agent = self.host2.agent
        self.host2.vswitchd.signal(signal.SIGSTOP)
        try:
            refused = agent.hnvctl("drops", self.web.name, check=False, timeout=20)
        finally:
            self.host2.vswitchd.signal(signal.SIGCONT)
        self.assertIn("the switch did not answer in time", refused.stderr)
        self.assertGreaterEqual(self.drops(self.web)["mac-guard"], 0)


class DhcpGuard(GuardsTestCase):
    def answers(self):
        """Frames of a DHCP server, (frame, token)."""
        for sport, dport in ((DHCP_SERVER, DHCP_CLIENT), (1000, DHCP_CLIENT)):
            token = secrets.token_bytes(16)
            yield packet.udp_frame(packet.BROADCAST, self.web.mac, self.web.ip, "255.255.255.255",
                                   token, sport=sport, dport=dport), token
        token = secrets.token_bytes(16)
        yield udp6_frame(self.app.mac, self.web.mac, LINK_LOCAL, "fe80::d", DHCPV6_SERVER,
                         DHCPV6_CLIENT, token), token

    def requests(self):
        token = secrets.token_bytes(16)
        yield packet.udp_frame(packet.BROADCAST, self.web.mac, self.web.ip, "255.255.255.255",
                               token, sport=DHCP_CLIENT, dport=DHCP_SERVER), token
        token = secrets.token_bytes(16)
        yield udp6_frame(self.app.mac, self.web.mac, LINK_LOCAL, "fe80::d", DHCPV6_CLIENT,
                         DHCPV6_SERVER, token), token

    def test_servers_are_dropped_and_counted_while_it_is_on(self):
        # As of a router, so that the IPv6 addresses are not what it is dropped for.
        may = {"ip_forwarding_allowed": True}
        self.with_settings(self.web, **may)
        for frame, token in (*self.answers(), *self.requests()):
            self.assertTrue(self.arrives(frame, self.app, token))
        self.with_settings(self.web, dhcp_guard=True, **may)

        def serve():
            for frame, token in self.answers():
                self.assertFalse(self.arrives(frame, self.app, token))
        self.expect_drops(self.web, serve, dhcp_guard=3)
        for frame, token in self.requests():
            self.assertTrue(self.arrives(frame, self.app, token))


class RouterGuard(GuardsTestCase):
    """APP takes in only what its rules allow, which advertisements are not subject to."""

    acls = {"contoso-app": [rule("contoso-app", "out", "outbound"),
                            rule("contoso-app", "udp", "inbound", protocols="UDP")]}

    def advertisement_arrives(self, at, kind=134, **changes):
        token = secrets.token_bytes(16)
        return self.arrives(discovery_frame(self.web.mac, kind, token, **changes), at, token)

    def test_a_port_that_may_forward_advertises_itself_to_its_subnet_on_its_host(self):
        self.with_settings(self.web, ip_forwarding_allowed=True)
        token = secrets.token_bytes(16)
        with self.web.capture() as own, self.lab.capture_underlay(self.host2) as wire:
            self.assertTrue(self.arrives(discovery_frame(self.web.mac, 134, token), self.app,
                                         token))
            self.assertEqual(own.sync().select(lambda f: token in f.raw and not f.outgoing), [])
            self.assertEqual(wire.sync().select(lambda f: token in f.raw), [])
        self.assertFalse(self.advertisement_arrives(self.sql))
        self.assertTrue(self.advertisement_arrives(self.app))
        # From no address that a host would take for a router's (RFC 4861 section 6.1.2).
        self.assertFalse(self.advertisement_arrives(self.app, source="fd01::77"))
        self.assertFalse(self.advertisement_arrives(self.app, kind=137))
        with self.guest("fabrikam-web").capture() as nic:
            self.assertTrue(self.advertisement_arrives(self.app))
            self.assertEqual(nic.sync().select(lambda f: f.ip and f.ip.icmp_type == 134), [])

    def test_it_keeps_such_a_port_from_it_and_counts(self):
        self.with_settings(self.web, ip_forwarding_allowed=True, router_guard=True)
        self.expect_drops(self.web, lambda: self.assertFalse(self.advertisement_arrives(self.app)),
                          router_guard=1)


class Storm(GuardsTestCase):
    LIMIT = 20

    def test_broadcast_and_multicast_beyond_the_limit_are_dropped_and_counted(self):
        self.with_settings(self.web, storm_limit_pps=self.LIMIT)
        sent, token = 400, secrets.token_bytes(16)
        groups = ((packet.BROADCAST, "10.1.1.255"), ("01:00:5e:00:00:fb", "224.0.0.251"))
        before = self.drops(self.web)["storm-limit"]
        with self.app.capture() as nic:
            for number in range(sent):
                mac, address = groups[number % 2]
                self.web.send(packet.udp_frame(mac, self.web.mac, self.web.ip, address, token))

            def passed():
                return len(nic.sync().select(lambda f: token in f.raw))

            def dropped():
                return self.drops(self.web)["storm-limit"] - before
            self.eventually(lambda: passed() + dropped() == sent, "each has passed or is counted")
            self.assertLess(passed(), sent / 2)
            self.assertGreater(passed(), 0)

    def test_unicast_is_not_limited(self):
        self.with_settings(self.web, storm_limit_pps=1)
        for _ in range(50):
            token = secrets.token_bytes(16)
            self.assertTrue(self.arrives(packet.udp_frame(
                self.app.mac, self.web.mac, self.web.ip, self.app.ip, token), self.app, token))


class FlowLimit(GuardsTestCase):
    """How many connections a port may have."""

    LIMIT = 10
    acls = {"contoso-web": [rule("contoso-web", "out", "outbound"),
                            rule("contoso-web", "in", "inbound", protocols="UDP")]}

    def limits(self):
        """{zone: limit} in the switch."""
        lines = [dict(word.split("=") for word in line.split(","))
                 for line in self.host2.appctl("dpctl/ct-get-limits").splitlines()
                 if line.startswith("zone=")]
        return {int(line["zone"]): int(line["limit"]) for line in lines}

    def test_the_switch_has_it_as_long_as_the_port_has(self):
        zone = self.host2.agent.port(self.web.name)["ofport"]
        self.host2.appctl("dpctl/ct-set-limits", "zone=40000,limit=7")  # Somebody else's.
        self.with_settings(self.web, flow_limit=self.LIMIT)
        self.eventually(lambda: self.limits() == {zone: self.LIMIT, 40000: 7}, "the limit is set")
        self.with_settings(self.web, flow_limit=2 * self.LIMIT)
        self.eventually(lambda: self.limits() == {zone: 2 * self.LIMIT, 40000: 7}, "it is changed")
        self.host2.agent.kill()
        self.host2.agent.start()
        self.assertEqual(self.limits(), {zone: 2 * self.LIMIT, 40000: 7})
        self.host2.restart_vswitchd(signal.SIGTERM)
        self.eventually(lambda: self.limits() == {zone: 2 * self.LIMIT}, "it is set again", 30)
        self.with_settings(self.web)
        self.eventually(lambda: self.limits() == {}, "it is gone")


    def passed(self, sender, receiver, count, own_port):
        """How many of `count` new connections between the two get through."""
        tokens = [secrets.token_bytes(16) for _ in range(count)]
        with receiver.capture() as nic:
            for number, token in enumerate(tokens):
                sender.send(packet.udp_frame(receiver.mac, sender.mac, sender.ip, receiver.ip,
                                             token, sport=own_port + number, dport=53))

            def there():
                return sum(any(token in f.raw for f in nic.sync().frames) for token in tokens)
            self.eventually(lambda: there() + self.over_limit() == count, "passed or counted")
            return there()

    def over_limit(self):
        return self.drops(self.web)["flow-limit"] - self.before

    def check_limit(self, own_port):
        # From ports that no connection has been made from: those of before a limit do not count.
        self.with_settings(self.web, flow_limit=self.LIMIT)
        zone = self.host2.agent.port(self.web.name)["ofport"]
        self.eventually(lambda: self.limits() == {zone: self.LIMIT}, "the limit is set")
        self.before = self.drops(self.web)["flow-limit"]
        self.assertEqual(self.passed(self.web, self.sql, 3 * self.LIMIT, own_port), self.LIMIT)
        # What has passed goes on, what comes in is no exception.
        self.before = self.drops(self.web)["flow-limit"]
        self.assertEqual(self.passed(self.web, self.sql, self.LIMIT, own_port), self.LIMIT)
        self.assertEqual(self.passed(self.app, self.web, 5, own_port + 100), 0)
        self.with_settings(self.web)
        self.eventually(lambda: self.limits() == {}, "the limit is gone")
        self.before = self.drops(self.web)["flow-limit"]
        self.assertEqual(self.passed(self.web, self.sql, 2 * self.LIMIT, own_port + 200), 2 * self.LIMIT)

    def test_connections_beyond_the_limit_are_dropped_and_counted(self):
        self.check_limit(20000)

    def test_a_port_whose_rules_allow_all_is_limited_too(self):
        self.acls = {}
        self.check_limit(30000)


class BadValues(GuardsTestCase):
    def test_a_limit_that_is_too_high_is_a_fault_and_no_limit(self):
        agent = self.host2.agent
        self.with_settings(self.web, storm_limit_pps=50, inbound_max_mbps=5_000_000)
        self.eventually(lambda: agent.fault_keys() == ["bad-setting"], "the fault")
        [fault] = agent.report("faults")
        self.assertIn("inbound_max_mbps 5000000 of Port_Settings contoso-web", fault["message"])
        meters = self.host2.ofctl("dump-meters", f"unix:{self.host2.ovs_dir}/br-hnv.mgmt")
        self.assertIn("rate=50 ", meters)  # The rest of the row holds.
        self.assertNotIn("kbps", meters)
        self.assertTrue(self.web.reaches(self.sql.ip))
        self.with_settings(self.web, inbound_max_mbps=500)
        self.eventually(lambda: agent.fault_keys() == [], "it is mended")


if __name__ == "__main__":
    testing.main()
