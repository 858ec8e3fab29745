#!/usr/bin/python3
"""The distributed router: subnets of one virtual network, over both encapsulations."""

import json
import unittest

from hnvlab.testing import LabTestCase, main

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# Name: host, VSID, address, MAC, encapsulation of its mapping.
GUESTS = {
    "app": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b", "vxlan"),
    "db": ("host2", 5002, "10.1.2.12", "00:15:5d:50:02:0c", "nvgre"),
    "cache": ("host1", 5002, "10.1.2.13", "00:15:5d:50:02:0d", "vxlan"),
    # Another tenant with the addresses of the first.
    "other-db": ("host2", 6002, "10.1.2.12", "00:15:5d:60:02:0c", "vxlan"),
    "other-app": ("host1", 6001, "10.1.1.99", "00:15:5d:60:01:63", "vxlan"),
}
TARGET = bytes([10, 1, 2, 13])
NETWORKS = {"contoso": (5001, 5002), "fabrikam": (6001, 6002)}


def policy(host):
    ports = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [
            {"id": name, "routed": True,
             "subnets": [{"vsid": first, "prefix": "10.1.1.0/24"},
                         {"vsid": second, "prefix": "10.1.2.0/24"}]}
            for name, (first, second) in NETWORKS.items()],
        "mappings": [
            {"vsid": vsid, "ca": address, "mac": mac, "pa": HOSTS[place],
             "encapsulation": encapsulation}
            for place, vsid, address, mac, encapsulation in GUESTS.values()],
        "ports": [{"name": name, "vsid": GUESTS[name][1]} for name in ports],
        "acls": [{"port": name, "id": direction, "layer": "controller", "direction": direction,
                  "action": "allow", "priority": 100}
                 for name in ports for direction in ("inbound", "outbound")],
    }


class Router(LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, _, address, mac, _) in GUESTS.items():
            guest = cls.lab.hosts[host].add_guest(name, mac, f"{address}/24")
            gateway = address.rsplit(".", 1)[0] + ".1"
            cls.lab.run_in(guest.namespace, ["ip", "route", "add", "default", "via", gateway])
        for name, host in cls.lab.hosts.items():
            host.agent.apply(policy(name))

    def ping(self, source, address, *options):
        """The lines of one ping, or "" when nothing came back."""
        done = self.lab.run_in(self.lab.guests[source].namespace,
                               ["ping", "-n", "-c1", "-W1", *options, address], check=False)
        return done.stdout if done.returncode == 0 else ""

    def test_subnets_on_two_hosts_are_joined_in_one_hop(self):
        # The first packets to a next hop are Open vSwitch's to lose: it asks for its MAC then.
        answer = self.eventually(lambda: self.ping("app", "10.1.2.12"), "db answers app")
        self.assertIn("ttl=63", answer)
        self.assertIn("ttl=63", self.eventually(lambda: self.ping("db", "10.1.1.11"),
                                                "app answers db"))

    def test_subnets_on_one_host_are_joined_without_the_underlay(self):
        with self.lab.capture_underlay(self.lab.hosts["host1"]) as capture:
            self.assertIn("ttl=63", self.ping("app", "10.1.2.13"))
            crossed = [frame for frame in capture.sync().frames if TARGET in frame.raw]
        self.assertFalse(crossed)

    def test_gateways_answer_ping(self):
        for gateway in ("10.1.1.1", "10.1.2.1"):
            self.assertIn("ttl=64", self.ping("app", gateway))

    def test_a_packet_whose_ttl_runs_out_is_not_routed(self):
        self.assertTrue(self.ping("app", "10.1.2.13", "-t2"))
        self.assertFalse(self.ping("app", "10.1.2.13", "-t1"))

    def test_two_networks_with_the_same_addresses_do_not_meet(self):
        self.assertTrue(self.eventually(lambda: self.ping("other-app", "10.1.2.12"),
                                        "the other tenant's own db answers"))
        self.assertFalse(self.ping("app", "10.1.1.99"))        # Exists in the other network alone.
        self.assertFalse(self.ping("other-app", "10.1.2.13"))  # Exists in the first alone.
        self.assertFalse(self.ping("db", "10.1.1.99"))

    def test_an_address_without_a_route_is_dropped_and_counted(self):
        def no_destination():
            answer = self.lab.hosts["host1"].agent.hnvctl("drops", "app", "--json").stdout
            return json.loads(answer)["ports"][0]["drops"]["no-destination"]
        before = no_destination()
        self.assertFalse(self.ping("app", "172.16.0.1"))
        self.assertTrue(self.eventually(lambda: no_destination() > before, "it is counted"))


if __name__ == "__main__":
    main()
