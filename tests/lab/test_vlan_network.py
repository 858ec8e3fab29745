#!/usr/bin/python3
"""A subnet that is a plain VLAN of the underlay, beside a virtual subnet with the same addresses."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, packet, testing  # noqa: E402
from hnvlab.policy import allow_all  # noqa: E402

# Both hosts are on one segment of the physical network, where VLAN 100 is.
HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
VLAN = 100
PHYSICAL = "10.1.1.50"  # A machine in VLAN 100 without any agent.
# Name: host, address, MAC. The first two are in the VLAN, the others in VSID 5001.
BRIDGED = {"vlan-1": ("host1", "10.1.1.11", "00:15:5d:10:00:0b"),
           "vlan-2": ("host2", "10.1.1.12", "00:15:5d:10:00:0c")}
VIRTUAL = {"virt-1": ("host1", "10.1.1.11", "00:15:5d:50:01:0b"),
           "virt-2": ("host2", "10.1.1.12", "00:15:5d:50:01:0c")}


def virtual_policy(host):
    ports = [name for name, guest in VIRTUAL.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": "contoso", "subnets": [{"vsid": 5001,
                                                             "prefix": "10.1.1.0/24"}]}],
        "mappings": [{"vsid": 5001, "ca": address, "mac": mac, "pa": HOSTS[place],
                      "encapsulation": "vxlan"} for place, address, mac in VIRTUAL.values()],
        "ports": [{"name": name, "vsid": 5001} for name in ports],
        "acls": [rule for name in ports for rule in allow_all(name)],
    }


def bridged_operations(host, uplink="br-pa"):
    """The rows of the VLAN and of this host's port in it."""
    name, (_, address, mac) = next((name, guest) for name, guest in BRIDGED.items()
                                   if guest[0] == host)
    switch = ["named-uuid", "vlan"]
    return [
        {"op": "insert", "table": "Logical_Switch", "uuid-name": "vlan",
         "row": {"name": "vlan-100",
                 "other_config": ["map", [["vlan", str(VLAN)], ["uplink", uplink]]]}},
        {"op": "insert", "table": "Physical_Locator", "uuid-name": "here",
         "row": {"dst_ip": HOSTS[host], "encapsulation_type": "nvgre_over_ipv4"}},
        {"op": "insert", "table": "Ucast_Macs_Remote",
         "row": {"MAC": mac, "ipaddr": address, "logical_switch": switch,
                 "locator": ["named-uuid", "here"], "mapping_type": "default"}},
        {"op": "insert", "table": "Physical_Port", "uuid-name": "port",
         "row": {"name": name, "vlan_bindings": ["map", [[0, switch]]]}},
        {"op": "mutate", "table": "Physical_Switch", "where": [],
         "mutations": [["ports", "insert", ["named-uuid", "port"]]]}]


def firewall_operations(name):
    return [{"op": "insert", "table": "FW_Rules",
             "row": {"rule_id": direction, "vnic_id": name, "direction": direction,
                     "action": "Allow", "priority": 100, "rule_state": "Enabled",
                     "rule_type": "RuleWithControllerPriority",
                     "logging_state": "Disabled"}}
            for direction in ("Inbound", "Outbound")]


class VlanNetwork(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        cls.add_physical_machine()
        for name, (host, address, mac) in {**BRIDGED, **VIRTUAL}.items():
            cls.lab.hosts[host].add_guest(name, mac, f"{address}/24")
        for name, host in cls.lab.hosts.items():
            if name in HOSTS:
                host.agent.apply(virtual_policy(name))
                host.agent.transact("ms_vtep", *bridged_operations(name))
                port = next(each for each, guest in BRIDGED.items() if guest[0] == name)
                host.agent.transact("ms_firewall", *firewall_operations(port))

    @classmethod
    def add_physical_machine(cls):
        """A host without an agent: an access port of VLAN 100 on its bridge."""
        cls.physical = cls.lab.add_host("physical", "192.168.1.30/24")
        cls.physical.vsctl("add-port", "br-pa", "vlan100", f"tag={VLAN}", "--", "set", "interface",
                           "vlan100", "type=internal")
        netns.ip_batch(cls.physical.namespace, [
            "link set vlan100 up", f"addr add {PHYSICAL}/24 dev vlan100"])

    def guest(self, name):
        return self.lab.guests[name]

    def test_its_machines_reach_each_other_and_the_physical_one(self):
        one = self.guest("vlan-1")
        self.assertTrue(one.reaches("10.1.1.12"))
        self.assertTrue(one.reaches(PHYSICAL))
        self.assertTrue(self.guest("vlan-2").reaches(PHYSICAL))
        self.assertEqual(one.neighbour("10.1.1.12")[1], BRIDGED["vlan-2"][2])

    def test_frames_leave_with_the_tag_and_without_encapsulation(self):
        one = self.guest("vlan-1")
        self.assertTrue(one.reaches("10.1.1.12"))
        with self.lab.capture_underlay(self.lab.hosts["host1"]) as capture:
            self.assertEqual(one.ping("10.1.1.12", count=3).received, 3)
            target = bytes(int(part, 16) for part in BRIDGED["vlan-2"][2].split(":"))
            sent = [frame for frame in capture.sync().frames if frame.raw[:6] == target]
        self.assertGreaterEqual(len(sent), 3)
        self.assertEqual({frame.vlan for frame in sent}, {VLAN})

    def test_the_virtual_subnet_beside_it_does_not_meet_it(self):
        virtual = self.guest("virt-1")
        self.assertTrue(virtual.reaches("10.1.1.12"))
        self.assertEqual(virtual.neighbour("10.1.1.12")[1], VIRTUAL["virt-2"][2])
        self.assertEqual(virtual.ping(PHYSICAL, count=1).received, 0)

    def test_a_guest_is_guarded_there_too(self):
        one = self.guest("vlan-1")
        token = b"a spoofed datagram"
        with self.lab.capture_underlay(self.lab.hosts["host1"]) as capture:
            one.send(packet.udp_frame(packet.BROADCAST, one.mac, "10.1.1.99", "10.1.1.255", token))
            one.send(packet.udp_frame(packet.BROADCAST, one.mac, one.ip, "10.1.1.255", token + b"!"))
            capture.wait_for(lambda frame: token + b"!" in frame.raw, "the honest one")
            sent = [frame for frame in capture.sync().frames if token in frame.raw]
        self.assertEqual(len(sent), 1)

    def test_an_uplink_that_leads_nowhere_is_a_fault(self):
        agent = self.lab.hosts["host1"].agent
        agent.transact("ms_vtep", {
            "op": "insert", "table": "Logical_Switch",
            "row": {"name": "vlan-200",
                    "other_config": ["map", [["vlan", "200"], ["uplink", "nowhere"]]]}})
        self.eventually(lambda: "subnet-vlan" in agent.fault_keys(), "there is a fault")
        agent.transact("ms_vtep", {"op": "delete", "table": "Logical_Switch",
                                   "where": [["name", "==", "vlan-200"]]})
        self.eventually(lambda: "subnet-vlan" not in agent.fault_keys(), "it is gone")
        self.assertTrue(self.guest("vlan-1").reaches(PHYSICAL))


if __name__ == "__main__":
    testing.main()
