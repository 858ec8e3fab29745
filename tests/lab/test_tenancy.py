#!/usr/bin/python3
"""What a port leaves behind, and what a guest may say for another: nothing of one tenant reaches
the next, whoever has the port, its number or its connections afterwards.
"""

import contextlib
import ipaddress
import os
import secrets
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, policy, testing  # noqa: E402
from hnvlab.policy import CONTOSO, FABRIKAM, MACHINES, Machine, rule  # noqa: E402

HEIR = Machine("fabrikam-heir", FABRIKAM, "10.1.1.31", "00:15:5d:60:01:1f", "host1")
CLIENT_PORT, SERVER_PORT = 4000, 5000


def outbound_only(port):
    """Needs connection state: what comes in must be a reply."""
    return [rule(port, "out", "outbound")]


class Tenancy(testing.DeploymentTestCase):
    """Contoso's SQL on host 1 talks to its Web; then its port, or its port's number, is another's.

    Fabrikam's Web, which has the same address as Contoso's, then sends what would be a reply.
    """

    machines = (*MACHINES, HEIR)
    acls = {"contoso-sql": outbound_only("contoso-sql"), HEIR.name: outbound_only(HEIR.name)}

    def setUp(self):
        self.sql, self.heir = self.guest("contoso-sql"), self.guest(HEIR.name)
        self.friend, self.target = self.guest("fabrikam-web"), self.guest("fabrikam-sql")

    def tearDown(self):
        for guest in (self.sql, self.heir):
            guest.plug()
        self.deployment.apply()

    def connections(self, zone):
        text = self.host1.appctl("dpctl/dump-conntrack", f"zone={zone}")
        return [line for line in text.splitlines() if f"dport={SERVER_PORT}" in line]

    def make_a_connection(self):
        """One of Contoso's, tracked in its port's zone; returns the zone."""
        web, token = self.guest("contoso-web"), secrets.token_bytes(16)
        zone = self.host1.agent.port("contoso-sql")["ofport"]
        request = packet.udp_frame(web.mac, self.sql.mac, self.sql.ip, web.ip, token,
                                   sport=CLIENT_PORT, dport=SERVER_PORT)
        reply = packet.udp_frame(self.sql.mac, web.mac, web.ip, self.sql.ip, token,
                                 sport=SERVER_PORT, dport=CLIENT_PORT)
        with web.capture() as far, self.sql.capture() as near:
            self.sql.send(request)
            far.wait_for(lambda f: token in f.raw, "the request")
            web.send(reply)
            near.wait_for(lambda f: token in f.raw and not f.outgoing, "the reply")
        self.assertTrue(self.connections(zone))
        return zone

    def false_replies_arrive(self, guest):
        """Whether Fabrikam's Web reaches `guest` with a reply to Contoso's connection."""
        forged, honest = secrets.token_bytes(16), secrets.token_bytes(16)
        with guest.capture() as nic, self.target.capture() as other:
            self.friend.send(packet.udp_frame(guest.mac, self.friend.mac, self.friend.ip,
                                              self.sql.ip, forged, sport=SERVER_PORT,
                                              dport=CLIENT_PORT))
            # By the same road, and later: when it is there, so is all that was going to be.
            self.friend.send(packet.udp_frame(self.target.mac, self.friend.mac, self.friend.ip,
                                              self.target.ip, honest))
            other.wait_for(lambda f: honest in f.raw, "the honest frame")
            return bool(nic.sync().select(lambda f: forged in f.raw))

    def apply_with(self, change):
        for name, host in self.lab.hosts.items():
            content = policy.for_host(name, self.machines, self.acls)
            change(content)
            host.agent.apply(content)

    def test_a_port_that_moves_to_another_subnet(self):
        zone = self.make_a_connection()

        def move(content):
            content["mappings"].append(policy.mapping(MACHINES[0], vsid=FABRIKAM.vsid,
                                                      ca="10.1.1.21"))
            for port in content["ports"]:
                if port["name"] == "contoso-sql":
                    port["vsid"] = FABRIKAM.vsid

        self.apply_with(move)
        self.assertEqual(self.host1.agent.port("contoso-sql")["state"], "active")
        self.assertFalse(self.false_replies_arrive(self.sql))
        self.eventually(lambda: not self.connections(zone), "its connections are gone")

    def test_a_port_number_that_another_gets(self):
        number = self.make_a_connection()
        self.heir.unplug()
        self.sql.unplug()
        agent = self.host1.agent
        self.eventually(lambda: agent.port("contoso-sql")["state"] == "unplugged", "it is gone")
        self.heir.plug()
        self.host1.vsctl("set", "interface", self.heir.interface, f"ofport_request={number}")
        self.eventually(lambda: (port := agent.port(HEIR.name))["ofport"] == number
                        and port["state"] == "active", "the heir has the number")
        self.assertFalse(self.false_replies_arrive(self.heir))
        self.eventually(lambda: not self.connections(number), "the connections are gone")


def icmpv6_frame(eth_src, source, destination, kind, body):
    """ICMPv6 (RFC 4443) to a solicited-node or all-nodes group; hop limit as discovery needs it."""
    source, destination = (ipaddress.IPv6Address(a).packed for a in (source, destination))
    message = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = source + destination + struct.pack("!II", len(message), 58)
    checksum = packet.checksum(pseudo + message)
    message = message[:2] + struct.pack("!H", checksum) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + destination
    group = "33:33:" + packet.mac_text(destination[12:])
    return packet.ethernet(group, eth_src, packet.ETH_IPV6, head + message)


class Discovery(testing.DeploymentTestCase):
    """A guest must not tell its neighbours, by IPv6, who the router or another guest is."""

    def test_no_discovery_message_of_a_guest_arrives(self):
        for name, host in self.lab.hosts.items():
            content = policy.for_host(name)
            for port in content["ports"]:  # Else the addresses would be refused before.
                port["settings"] = {"ip_forwarding_allowed": True}
            host.agent.apply(content)
        web, sql = self.guest("contoso-web"), self.guest("contoso-sql")
        forged, honest = secrets.token_bytes(16), secrets.token_bytes(16)
        with sql.capture() as nic:
            for kind in range(133, 138):
                web.send(icmpv6_frame(web.mac, "fe80::1", "ff02::1", kind, bytes(4) + forged))
            web.send(icmpv6_frame(web.mac, "fe80::1", "ff02::1", 128, bytes(4) + honest))
            nic.wait_for(lambda f: honest in f.raw, "an echo request to the group")
            self.assertEqual(nic.sync().select(lambda f: forged in f.raw), [])


class Placeholder(testing.DeploymentTestCase):
    """An interface that comes before its row has one of the agent's, until it needs it no more."""

    LATE = Machine("contoso-late", CONTOSO, "10.1.1.41", "00:15:5d:50:01:29", "host1")

    def rows(self, name="contoso-late"):
        return self.host1.agent.rows("ms_vtep", "Physical_Port", ["_uuid", "status",
                                                                  "other_config"],
                                     [["name", "==", name]])

    def made_by_agent(self):
        return [dict(row["other_config"][1]).get("made-by") for row in self.rows()]

    @contextlib.contextmanager
    def late_guest(self):
        guest = self.deployment.plug(self.LATE)
        try:
            self.eventually(lambda: self.made_by_agent() == ["hnv-agent"], "the agent's row")
            yield guest
        finally:
            guest.unplug()

    def test_it_goes_when_the_controller_makes_its_own_and_when_the_interface_goes(self):
        agent = self.host1.agent
        content = policy.for_host("host1", (*MACHINES, self.LATE))
        content["ports"] = [p for p in content["ports"] if p["name"] != self.LATE.name]
        agent.apply(content)
        subnet = agent.rows("ms_vtep", "Logical_Switch", ["_uuid"],
                            [["tunnel_key", "==", CONTOSO.vsid]])[0]["_uuid"]
        with self.late_guest() as guest:
            self.assertEqual(dict(self.rows()[0]["status"][1])["state"], "blocked")
            agent.transact(
                "ms_vtep",
                {"op": "insert", "table": "Physical_Port", "uuid-name": "p",
                 "row": {"name": self.LATE.name, "vlan_bindings": ["map", [[0, subnet]]]}},
                {"op": "mutate", "table": "Physical_Switch", "where": [],
                 "mutations": [["ports", "insert", ["named-uuid", "p"]]]})
            self.eventually(lambda: self.made_by_agent() == [None], "the controller's row alone")
            self.eventually(lambda: agent.port(self.LATE.name)["state"] == "active", "active")
            self.assertEqual(agent.fault_keys(), [])
            self.assertTrue(guest.reaches(self.guest("contoso-sql").ip))
            agent.transact("ms_vtep", {
                "op": "mutate", "table": "Physical_Switch", "where": [],
                "mutations": [["ports", "delete", self.rows()[0]["_uuid"]]]})
            self.eventually(lambda: self.made_by_agent() == ["hnv-agent"], "the agent's again")
        self.eventually(lambda: self.rows() == [], "no row without the interface")


if __name__ == "__main__":
    testing.main()
