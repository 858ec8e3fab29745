#!/usr/bin/python3
"""Where a controller says that broadcast and multicast go: sets of tunnel ends, or each guest."""

import contextlib
import os
import secrets
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, policy, testing  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

# Name: the provider addresses of both versions. The third has a guest behind one of them only.
HOSTS = {"host1": ("192.168.1.10", "fd00:0:0:1::10"),
         "host2": ("192.168.2.20", "fd00:0:0:2::20"),
         "host3": ("192.168.3.30", "fd00:0:0:3::30")}
# A host without any mapping: nothing but a set may name it.
ELSEWHERE = "192.168.4.40"
VSID = 5001
# Name: host, last part of its addresses, MAC, encapsulation, version of IP that its mapping names.
GUESTS = {
    "v4-1": ("host1", 11, "00:15:5d:50:01:0b", "vxlan", 4),
    "v6-1": ("host1", 21, "00:15:5d:50:01:15", "nvgre", 6),
    "v4-2": ("host2", 12, "00:15:5d:50:01:0c", "vxlan", 4),
    "v6-2": ("host2", 22, "00:15:5d:50:01:16", "nvgre", 6),
    "v4-3": ("host3", 13, "00:15:5d:50:01:0d", "nvgre", 4),
}
# Mapped to host 3's other address, and not running there.
ABSENT = ("host3", 23, "00:15:5d:50:01:17", "vxlan", 6)
MULTICAST, OTHER_MULTICAST = "01:00:5e:00:00:fb", "01:00:5e:00:00:12"


def pa_of(place, version):
    return HOSTS[place][version == 6]


PAS = {host: set(pas) for host, pas in HOSTS.items()}


def locator(agent, address, encapsulation="vxlan"):
    """(the operations that make a tunnel end, what refers to it)"""
    kind = f"{encapsulation}_over_ipv{6 if ':' in address else 4}"
    found = agent.rows("ms_vtep", "Physical_Locator", ["_uuid"],
                       [["dst_ip", "==", address], ["encapsulation_type", "==", kind]])
    if found:
        return [], found[0]["_uuid"]
    name = "row" + secrets.token_hex(4)
    return [{"op": "insert", "table": "Physical_Locator", "uuid-name": name,
             "row": {"dst_ip": address, "encapsulation_type": kind}}], ["named-uuid", name]


def locator_set(agent, addresses):
    """The same for a set of them; an address is text, or text and encapsulation."""
    made = [locator(agent, *((each,) if isinstance(each, str) else each)) for each in addresses]
    name = "set" + secrets.token_hex(4)
    return [*(operation for each, _ in made for operation in each),
            {"op": "insert", "table": "Physical_Locator_Set", "uuid-name": name,
             "row": {"locators": ["set", [ref for _, ref in made]]}}], ["named-uuid", name]


def host_policy(host):
    local = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host][0]}/24"},
                               {"address": f"{HOSTS[host][1]}/64"}],
        "virtual_networks": [{"id": "contoso", "routed": False,
                              "subnets": [{"vsid": VSID, "prefix": "10.1.1.0/24"}]}],
        # Of each guest two addresses: still one member.
        "mappings": [{"vsid": VSID, "ca": f"10.1.1.{last}", "mac": mac,
                      "pa": pa_of(place, version), "encapsulation": encapsulation}
                     for place, low, mac, encapsulation, version in (*GUESTS.values(), ABSENT)
                     for last in (low, low + 100)],
        "ports": [{"name": name, "vsid": VSID} for name in local],
        "acls": [rule for name in local for rule in policy.allow_all(name)],
    }


class Groups(testing.LabTestCase):
    @classmethod
    def build(cls):
        hosts = []
        for name, (ipv4, ipv6) in HOSTS.items():
            host = cls.lab.add_host(name, f"{ipv4}/24")
            host.add_ipv6(f"{ipv6}/64")
            host.agent.launch()
            hosts.append(host)
        for host in hosts:
            host.agent.wait_ready()
        for name, (place, last, mac, *_) in GUESTS.items():
            cls.lab.hosts[place].add_guest(name, mac, f"10.1.1.{last}/24")
        for host in hosts:
            host.agent.apply(host_policy(host.name))
        for host in hosts:
            for gateway in (host.gateway, host.gateway6):
                wait_until(lambda: host.resolves_router(gateway), f"{host.name} knows {gateway}")
        wait_until(lambda: all(one.pings(other.pa) and one.pings(other.pa6)
                               for one in hosts for other in hosts if one is not other),
                   "the hosts reach each other by both versions")

    def setUp(self):
        self.sender = self.lab.guests["v4-1"]
        self.agents = [host.agent for host in self.lab.hosts.values()]

    # --- as a controller does, to all hosts alike --------------------------------------------

    def commit(self, operations_for):
        """`operations_for(agent)` on each host; returns when the switches have it."""
        for agent in self.agents:
            agent.transact("ms_vtep", *operations_for(agent))
            agent.confirm()

    def send_group_to(self, mac, *addresses):
        """Frames to `mac` go to `addresses` (text, or text and encapsulation) for this test."""
        def operations(agent):
            made, locators = locator_set(agent, addresses)
            [subnet] = agent.rows("ms_vtep", "Logical_Switch", ["_uuid"])
            return *made, {"op": "insert", "table": "Mcast_Macs_Remote", "row": {
                "MAC": mac, "logical_switch": subnet["_uuid"], "locator_set": locators}}
        self.commit(operations)
        self.addCleanup(self.forget_group, mac)

    def change_set(self, mac, *addresses):
        def operations(agent):
            made, locators = locator_set(agent, addresses)
            return *made, {"op": "update", "table": "Mcast_Macs_Remote",
                           "where": [["MAC", "==", mac]], "row": {"locator_set": locators}}
        self.commit(operations)

    def forget_group(self, mac):
        self.commit(lambda agent: [{"op": "delete", "table": "Mcast_Macs_Remote",
                                    "where": [["MAC", "==", mac]]}])

    def replicate_per_vm(self):
        def mutate(*mutation):
            self.commit(lambda agent: [{"op": "mutate", "table": "Logical_Switch", "where": [],
                                        "mutations": [["other_config", *mutation]]}])
        mutate("insert", ["map", [["replication", "per-vm"]]])
        self.addCleanup(mutate, "delete", ["set", ["replication"]])

    # --- what becomes of a frame -------------------------------------------------------------

    def spread(self, mac=packet.BROADCAST):
        """({guest: [destination MAC of each copy that came in]}, [(PA, inner destination MAC) of
        each copy on the sender's wire])."""
        token = secrets.token_bytes(16)
        with contextlib.ExitStack() as stack:
            nics = {name: stack.enter_context(guest.capture())
                    for name, guest in self.lab.guests.items()}
            wire = stack.enter_context(self.lab.capture_underlay(self.sender.host))
            self.sender.send(packet.udp_frame(mac, self.sender.mac, self.sender.ip,
                                              "224.0.0.251", token))
            # By the same roads, and later: when these are there, so is all that was going to be.
            for guest in self.lab.guests.values():
                if guest is not self.sender:
                    self.assertTrue(self.sender.reaches(guest.ip), guest.name)
            came_in = {name: [f.dst for f in nic.sync().select(
                lambda f: token in f.raw and not f.outgoing)] for name, nic in nics.items()}
            carried = [(f.ip.dst, f.inner.dst)
                       for f in wire.sync().select(lambda f: f.inner and token in f.raw)]
        return {name: macs for name, macs in came_in.items() if macs}, carried

    def check(self, guests, pas, mac=packet.BROADCAST):
        """Each of `guests` has it once, and on the wire there is one copy for each of `pas`."""
        came_in, carried = self.spread(mac)
        self.assertEqual(sorted(carried), sorted((pa, mac) for pa in pas))
        self.assertEqual(came_in, {name: [mac] for name in guests})

    def check_default(self, mac=packet.BROADCAST):
        self.check(GUESTS.keys() - {"v4-1"}, PAS["host2"] | PAS["host3"], mac)

    def test_without_a_set_everybody_has_it_once(self):
        """Also at host 3: two copies get there, for its only guest."""
        self.check_default()
        self.check_default(MULTICAST)

    def test_a_set_for_everything_else(self):
        self.send_group_to("unknown-dst", *PAS["host2"])
        self.check(("v6-1", "v4-2", "v6-2"), PAS["host2"])
        self.check(("v6-1", "v4-2", "v6-2"), PAS["host2"], MULTICAST)
        self.forget_group("unknown-dst")
        self.check_default()

    def test_a_set_for_one_group(self):
        self.send_group_to(MULTICAST, *PAS["host2"])
        self.check(("v6-1", "v4-2", "v6-2"), PAS["host2"], MULTICAST)
        self.check_default()
        self.check_default(OTHER_MULTICAST)

    def test_a_set_for_broadcast(self):
        self.send_group_to(packet.BROADCAST, HOSTS["host3"][0])
        self.check(("v6-1", "v4-3"), [HOSTS["host3"][0]])
        self.check_default(MULTICAST)

    def test_the_groups_own_set_goes_before_everything_elses(self):
        self.send_group_to("unknown-dst", *PAS["host2"])
        self.send_group_to(MULTICAST, HOSTS["host3"][0])
        self.check(("v6-1", "v4-3"), [HOSTS["host3"][0]], MULTICAST)
        self.check(("v6-1", "v4-2", "v6-2"), PAS["host2"], OTHER_MULTICAST)

    def test_a_set_that_changes(self):
        self.send_group_to(MULTICAST, *PAS["host2"])
        self.change_set(MULTICAST, HOSTS["host3"][0])
        self.check(("v6-1", "v4-3"), [HOSTS["host3"][0]], MULTICAST)

    def test_a_set_with_one_address_of_a_host(self):
        """It brings the frame to all of the host's guests, whichever address they are mapped to."""
        for pa in HOSTS["host2"]:
            with self.subTest(pa=pa):
                self.send_group_to(MULTICAST, pa)
                self.check(("v6-1", "v4-2", "v6-2"), [pa], MULTICAST)
                self.forget_group(MULTICAST)

    def test_an_address_that_no_mapping_has(self):
        self.send_group_to(MULTICAST, ELSEWHERE, HOSTS["host3"][0])
        self.check(("v6-1", "v4-3"), [ELSEWHERE, HOSTS["host3"][0]], MULTICAST)

    def test_an_address_by_both_encapsulations_and_the_hosts_own(self):
        """One copy for the one, and none for the other: its guests have it without a tunnel."""
        address = HOSTS["host3"][0]
        self.send_group_to(MULTICAST, (address, "vxlan"), (address, "nvgre"), *PAS["host1"])
        self.check(("v6-1", "v4-3"), [address], MULTICAST)

    def test_a_copy_for_each_guest(self):
        self.replicate_per_vm()
        for mac in (packet.BROADCAST, MULTICAST):
            came_in, carried = self.spread(mac)
            remote = {name: guest for name, guest in GUESTS.items() if guest[0] != "host1"}
            self.assertEqual(sorted(carried), sorted(
                (pa_of(place, version), inner)
                for place, _, inner, _, version in (*remote.values(), ABSENT)))
            self.assertEqual(came_in, {"v6-1": [mac],
                                       **{name: [guest[2]] for name, guest in remote.items()}})

    def test_a_groups_set_goes_before_a_copy_for_each_guest(self):
        self.replicate_per_vm()
        self.send_group_to(MULTICAST, *PAS["host2"])
        self.check(("v6-1", "v4-2", "v6-2"), PAS["host2"], MULTICAST)

    def test_nothing_is_reported_as_wrong(self):
        for agent in self.agents:
            self.assertEqual(agent.fault_keys(), [])


if __name__ == "__main__":
    testing.main()
