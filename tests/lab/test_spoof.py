#!/usr/bin/python3
"""Anti-spoofing: a guest speaks with its own MAC and its own addresses, or not at all."""

import secrets
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, policy, testing  # noqa: E402

FOREIGN_MAC = "00:15:5d:50:01:77"
FOREIGN_IP = "10.1.1.77"


class Spoof(testing.DeploymentTestCase):
    @classmethod
    def build(cls):
        super().build()
        cls.web = cls.lab.guests["contoso-web"]
        cls.sql = cls.lab.guests["contoso-sql"]

    def arrives(self, mac, address):
        """Whether SQL gets a frame from these addresses; an honest one after it always does."""
        tokens = secrets.token_bytes(16), secrets.token_bytes(16)
        with self.sql.capture() as nic:
            self.web.send(packet.udp_frame(self.sql.mac, mac, address, self.sql.ip, tokens[0]))
            self.web.send(packet.udp_frame(self.sql.mac, self.web.mac, self.web.ip, self.sql.ip,
                                           tokens[1]))
            nic.wait_for(lambda f: tokens[1] in f.raw, "the honest frame")
            return bool(nic.sync().select(lambda f: tokens[0] in f.raw))

    def is_answered(self, **changes):
        """Whether an ARP request for SQL gets a reply; an honest one after it always does."""
        with self.web.capture() as nic:
            self.web.send_arp_request(self.sql.ip, **changes)
            self.web.send_arp_request(self.sql.ip)
            replies = nic.wait_for(lambda f: f.arp and f.arp.operation == 2, "the honest reply")
            nic.sync()
            replies = nic.select(lambda f: f.arp and f.arp.operation == 2)
            return len(replies) > 1

    def with_settings(self, **settings):
        for name, host in self.lab.hosts.items():
            content = policy.for_host(name)
            for port in content["ports"]:
                if port["name"] == self.web.name and settings:
                    port["settings"] = settings
            host.agent.apply(content)
            # What the datapath remembers of the settings before goes a little later.
            host.appctl("revalidator/wait")

    def test_own_addresses_pass(self):
        self.assertTrue(self.arrives(self.web.mac, self.web.ip))
        self.assertTrue(self.is_answered())

    def test_foreign_mac_is_dropped(self):
        self.assertFalse(self.arrives(FOREIGN_MAC, self.web.ip))
        self.assertFalse(self.arrives(self.guest("fabrikam-web").mac, self.web.ip))
        self.assertFalse(self.arrives(self.sql.mac, self.web.ip))

    def test_foreign_ip_is_dropped(self):
        self.assertFalse(self.arrives(self.web.mac, FOREIGN_IP))
        self.assertFalse(self.arrives(self.web.mac, self.sql.ip))

    def test_foreign_arp_sender_gets_no_reply(self):
        self.assertFalse(self.is_answered(sender_ip=FOREIGN_IP))
        self.assertFalse(self.is_answered(sender_mac=FOREIGN_MAC))
        self.assertFalse(self.is_answered(sender_mac=FOREIGN_MAC, eth_src=self.web.mac))
        self.assertFalse(self.is_answered(eth_src=FOREIGN_MAC))

    def test_arp_replies_of_guests_poison_nobody(self):
        victim = self.sql
        self.assertTrue(self.web.reaches(victim.ip))
        with victim.capture() as nic:
            self.web.send(packet.arp_frame(2, self.web.mac, FOREIGN_IP, victim.ip,
                                           target_mac=victim.mac, eth_dst=victim.mac))
            self.web.send(packet.arp_frame(2, self.web.mac, self.web.ip, victim.ip,
                                           target_mac=victim.mac, eth_dst=victim.mac))
            token = secrets.token_bytes(16)
            self.web.send(packet.udp_frame(victim.mac, self.web.mac, self.web.ip, victim.ip,
                                           token))
            nic.wait_for(lambda f: token in f.raw, "the frame after them")
            self.assertEqual(nic.sync().select(lambda f: f.arp and not f.outgoing
                                               and f.src == self.web.mac), [])

    def test_settings_allow_it(self):
        try:
            self.with_settings(mac_spoofing_allowed=True)
            self.assertTrue(self.arrives(FOREIGN_MAC, self.web.ip))
            self.with_settings(ip_forwarding_allowed=True)
            self.assertTrue(self.arrives(self.web.mac, FOREIGN_IP))
            self.assertFalse(self.arrives(FOREIGN_MAC, self.web.ip))
        finally:
            self.with_settings()
        self.assertFalse(self.arrives(self.web.mac, FOREIGN_IP))


if __name__ == "__main__":
    testing.main()
