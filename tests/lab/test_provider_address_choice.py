#!/usr/bin/python3
"""Guests over provider addresses that the agents made: each by the one that its port is given."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import team, testing  # noqa: E402
from hnvlab.capture import Capture  # noqa: E402
from hnvlab.policy import allow_all  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

VLAN = 11
VSID = 5001
# Name: host, its NIC, the provider address on it, CA, MAC, encapsulation of its mapping.
GUESTS = {
    "sql": ("host1", "eth1", "10.9.0.11", "10.1.1.11", "00:15:5d:50:01:0b", "vxlan"),
    "app": ("host1", "eth2", "10.9.0.12", "10.1.1.12", "00:15:5d:50:01:0c", "nvgre"),
    "web": ("host2", "eth1", "10.9.0.21", "10.1.1.21", "00:15:5d:50:01:15", "vxlan"),
    "mail": ("host2", "eth2", "10.9.0.22", "10.1.1.22", "00:15:5d:50:01:16", "nvgre"),
}


def policy(host):
    local = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [
            {"address": f"{GUESTS[name][2]}/24", "uplink": GUESTS[name][1], "vlan": VLAN}
            for name in local],
        "virtual_networks": [{"id": "contoso", "routed": True,
                              "subnets": [{"vsid": VSID, "prefix": "10.1.1.0/24"}]}],
        "mappings": [{"vsid": VSID, "ca": ca, "mac": mac, "pa": pa, "encapsulation": encapsulation}
                     for _, _, pa, ca, mac, encapsulation in GUESTS.values()],
        "ports": [{"name": name, "vsid": VSID, "settings": {"provider_address": GUESTS[name][2]}}
                  for name in local],
        "acls": [rule for name in local for rule in allow_all(name)],
    }


class Choice(testing.LabTestCase):
    @classmethod
    def build(cls):
        team.add_segment(cls.lab)
        cls.hosts = {name: team.add_team_host(cls.lab, name) for name in ("host1", "host2")}
        cls.routes_before = {name: host.routes() for name, host in cls.hosts.items()}
        for host in cls.hosts.values():
            host.agent.launch()
        for host in cls.hosts.values():
            host.agent.wait_ready()
        for name, (host, _, _, ca, mac, _) in GUESTS.items():
            cls.hosts[host].add_guest(name, mac, f"{ca}/24")
        for name, host in cls.hosts.items():
            host.agent.apply(policy(name))
        for host in cls.hosts.values():
            wait_until(lambda h=host: all(entry["state"] == "present" and entry["ports"] == 1
                                          for entry in h.agent.report("provider-addresses")),
                       f"the addresses of {host.name} are made and used", 15)

    def ping(self, source, target, count=1):
        done = self.lab.run_in(self.lab.guests[source].namespace,
                               ["ping", "-n", "-c", count, "-i", "0.05", "-W", "1",
                                GUESTS[target][3]], check=False)
        return done.stdout if done.returncode == 0 else ""

    def check(self, source, target):
        host, nic, pa, *_ = GUESTS[source]
        far = GUESTS[target][2]
        # The first packet to a neighbour is Open vSwitch's to lose: it asks for its MAC then.
        self.eventually(lambda: self.ping(source, target), f"{source} reaches {target}")
        with Capture(self.lab.router, self.hosts[host].wire_of(nic)) as wire:
            answer = self.ping(source, target, 10)
            self.assertIn("10 received", answer)
            self.assertNotIn("DUP", answer)
            sent = wire.sync().select(lambda f: not f.outgoing and f.ip and
                                      (f.ip.src, f.ip.dst) == (pa, far))
        self.assertGreaterEqual(len(sent), 10)

    def test_guests_reach_each_other_each_from_its_own_address_and_uplink(self):
        for source, target in (("sql", "web"), ("sql", "mail"), ("app", "web"), ("app", "mail"),
                               ("web", "sql"), ("mail", "sql")):
            with self.subTest(source=source, target=target):
                self.check(source, target)
        for name, host in self.hosts.items():
            self.assertEqual(host.routes(), self.routes_before[name])
            self.assertEqual(host.agent.fault_keys(), [])

    def test_a_crash_of_the_agent_changes_no_flow(self):
        host = self.hosts["host1"]
        self.check("sql", "web")
        before = {flow.key: flow for flow in host.flows()}
        host.agent.kill(signal.SIGKILL)
        self.assertIn("10 received", self.ping("sql", "web", 10))
        host.agent.start()
        self.eventually(lambda: len(host.agent.report("provider-addresses")) == 2, "it is back")
        after = {flow.key: flow for flow in host.flows()}
        self.assertEqual(set(after), set(before))
        self.assertEqual([key for key, flow in before.items()
                          if after[key].duration < flow.duration], [])

    def test_a_restarted_switch_carries_them_again(self):
        host = self.hosts["host2"]
        for number in (signal.SIGKILL, signal.SIGTERM):
            team.restart_switch(host, number)
            self.eventually(lambda: self.ping("sql", "web"), "web is reached again", 20)
            self.eventually(lambda: self.ping("mail", "app"), "mail reaches app again", 20)


    def test_the_ports_of_an_address_that_goes_send_from_another_at_once(self):
        host = self.hosts["host1"]
        gone, other = GUESTS["sql"][2], GUESTS["app"][2]
        self.check("sql", "web")
        stream = self.lab.spawn(["ping", "-n", "-q", "-i", "0.01", GUESTS["web"][3]],
                                namespace=self.lab.guests["sql"].namespace, log="stream.out")
        with Capture(self.lab.router, host.wire_of("eth2")) as wire:
            begin = time.time()
            host.agent.transact("hnv_host", {"op": "delete", "table": "Provider_Address",
                                             "where": [["address", "==", f"{gone}/24"]]})
            moved = wire.wait_for(lambda f: not f.outgoing and f.ip and f.inner and
                                  (f.ip.src, f.ip.dst) == (other, GUESTS["web"][2]),
                                  "what sql sends comes from the other address")
        stream.end()
        gap = moved[0].time - begin
        print(f"moved after {gap * 1000:.0f} ms", file=sys.stderr)
        self.assertLess(gap, 5)  # A second on a machine that is not busy.
        self.assertEqual(host.agent.port("sql")["provider_address"], other)
        self.eventually(lambda: "pa-missing" in host.agent.fault_keys(), "its wish is a fault")
        host.agent.apply(policy("host1"))
        self.eventually(lambda: host.agent.port("sql")["provider_address"] == gone, "it is back")
        # A packet that still went the other way would not be the first one on this one.
        host.agent.confirm()
        host.appctl("revalidator/wait")
        self.check("sql", "web")


if __name__ == "__main__":
    testing.main()
