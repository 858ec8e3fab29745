#!/usr/bin/python3
"""The comparison notices what it is there for: a switch that does something else."""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import compare
import policy as p
from hnvlab.shell import run
from switch import BRIDGE, Switch
from verdict import Mismatch

TENANTS = {5001: "00:15:5d:00:00:0b", 6001: "00:15:5d:00:00:0c"}  # VSID: MAC of its local machine
FARAWAY = "00:15:5d:00:00:0d"


def two_tenants():
    """Two subnets without anything in common but their addresses, a port and a peer in each."""
    mappings = []
    for vsid, mac in TENANTS.items():
        mappings += [p.Mapping(vsid, "10.1.1.11", mac, p.Locator("192.168.1.10", "vxlan")),
                     p.Mapping(vsid, "10.1.1.12", FARAWAY, p.Locator("192.168.1.20", "vxlan"))]
    ports = {name: p.Port(name, True, TENANTS[vsid], {0: vsid})
             for name, vsid in (("port1", 5001), ("port2", 6001))}
    rules = [p.Rule(name, way, "controller", way, True, 100)
             for name in ports for way in ("inbound", "outbound")]
    return p.Policy(own_pas=["192.168.1.10/24"], subnets={v: p.Subnet(v) for v in TENANTS},
                    mappings=mappings, ports=ports, rules=rules)


def ping(**fields):
    return p.Packet(**{"eth_src": TENANTS[5001], "eth_dst": FARAWAY, "port": "port1",
                       "src": "10.1.1.11", "dst": "10.1.1.12", "proto": 1, "sport": 8, **fields})


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.switch = Switch(["192.168.1.10/24"])
        cls.addClassCleanup(cls.switch.close)

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        chosen = argparse.Namespace(seed=1, save=self.directory)
        self.comparison = compare.Comparison(self.switch, chosen)
        self.policy = two_tenants()
        self.comparison.writer.write(self.policy)
        self.addCleanup(self.restore)

    def restore(self):
        self.comparison.writer.write(p.Policy())
        self.switch.restart_agent(None)

    def sabotage(self, flow):
        run(["ovs-ofctl", "-O", "OpenFlow14", "add-flow",
             f"unix:{self.switch.ovs_dir}/{BRIDGE}.mgmt", flow], env=self.switch.env)

    def verdict(self, packet):
        [(_, verdict)] = self.comparison.verdicts(self.policy, [packet])
        return verdict

    def test_an_honest_switch_is_found_honest(self):
        verdict = self.verdict(ping())
        self.assertFalse(verdict.wrong)
        self.assertEqual(["vxlan"], [out.name for out in verdict.got])

    def test_a_packet_that_is_dropped_is_noticed(self):
        self.sabotage("table=0,priority=65000,icmp actions=drop")
        self.assertTrue(self.verdict(ping()).wrong)

    def test_a_second_copy_is_noticed(self):
        ports = dict(self.switch.datapath_ports().values())
        tunnel = "set_field:5001->tun_id,set_field:192.168.1.20->tun_dst"
        self.sabotage(f"table=0,priority=65000,in_port={ports['port1']},icmp actions={tunnel},"
                      f"output:{ports['hnv-vxlan']},output:{ports['hnv-vxlan']}")
        verdict = self.verdict(ping())
        self.assertEqual(2, len(verdict.got))
        self.assertTrue(verdict.wrong and not verdict.crossed)

    def test_a_packet_that_crosses_into_another_network_is_noticed(self):
        ports = dict(self.switch.datapath_ports().values())
        for actions in (f"output:{ports['port2']}",
                        f"set_field:6001->tun_id,set_field:192.168.1.20->tun_dst,"
                        f"output:{ports['hnv-vxlan']}"):
            self.sabotage(f"table=0,priority=65000,in_port={ports['port1']},icmp "
                          f"actions={actions}")
            verdict = self.verdict(ping())
            self.assertTrue(verdict.crossed, verdict.got)

    def test_a_mismatch_is_made_small_and_can_be_repeated(self):
        self.sabotage(f"table=0,priority=65000,icmp,dl_src={TENANTS[5001]} actions=drop")
        packet = ping()
        verdict = self.verdict(packet)
        self.assertTrue(verdict.wrong)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.comparison.report(p.Policy(), self.policy, packet, verdict)
        [name] = os.listdir(self.directory)
        self.assertIn(name, said.getvalue())
        small = Mismatch.load(os.path.join(self.directory, name))
        self.assertEqual(["port1"], list(small.policy.ports))
        self.assertEqual([5001], list(small.policy.subnets))
        self.assertTrue(self.comparison.repeat(small).wrong)


if __name__ == "__main__":
    unittest.main(verbosity=2)
