#!/usr/bin/python3
"""The lab itself, without an agent: two hosts, hand-written flows, guests that ping over VXLAN."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, testing  # noqa: E402
from hnvlab.policy import HOSTS, MACHINES  # noqa: E402


def plug_by_hand(lab, machine):
    guest = lab.hosts[machine.host].add_guest(machine.name, machine.mac, f"{machine.ca}/24")
    for other in MACHINES:
        if other.tenant == machine.tenant and other != machine:
            guest.set_neighbour(other.ca, other.mac)
    return guest


def flows_by_hand(host):
    """Static tunnels: every local guest by VSID and MAC, every other by its host's address."""
    ports = {m.name: host.vsctl("get", "interface", m.name, "ofport")
             for m in MACHINES if m.host == host.name}
    tunnel = host.vsctl("get", "interface", "vxlan0", "ofport")
    lines = []
    for machine in MACHINES:
        key = f"tun_id={machine.tenant.vsid},dl_dst={machine.mac}"
        pa = HOSTS[machine.host].partition("/")[0]
        if machine.host == host.name:
            port = ports[machine.name]
            lines.append(f"in_port={port} actions=set_field:{machine.tenant.vsid}->tun_id,"
                         "resubmit(,1)")
            lines.append(f"table=1,{key} actions=output:{port}")
        else:
            lines.append(f"table=1,{key} actions=set_field:{pa}->tun_dst,output:{tunnel}")
    lines.append(f"in_port={tunnel} actions=resubmit(,1)")
    host.ofctl("add-flows", f"unix:{host.ovs_dir}/br-hnv.mgmt", "-", stdin="\n".join(lines))


class BareLab(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, address in HOSTS.items():
            cls.lab.add_host(name, address)
        for machine in MACHINES:
            plug_by_hand(cls.lab, machine)
        for host in cls.lab.hosts.values():
            host.vsctl("add-port", "br-hnv", "vxlan0", "--", "set", "interface", "vxlan0",
                       "type=vxlan", "options:remote_ip=flow", "options:key=flow")
            flows_by_hand(host)

    def test_underlay_is_routed(self):
        one, two = self.lab.hosts.values()
        self.assertTrue(one.ping_host(two))
        self.assertTrue(two.ping_host(one))

    def test_guests_reach_their_own_tenant(self):
        for tenant in ("contoso", "fabrikam"):
            server = self.lab.guests[f"{tenant}-sql"]
            client = self.lab.guests[f"{tenant}-web"]
            server.serve(1433)
            self.assertTrue(client.reaches(server.ip))
            self.assertEqual(client.ask(server.ip, 1433),
                             f"I am {server.vm_name}, you are {client.ip}")

    def test_capture_decodes_the_tunnel(self):
        web, sql = self.lab.guests["contoso-web"], self.lab.guests["contoso-sql"]
        with self.lab.capture_underlay(self.lab.hosts["host1"]) as wire:
            self.assertTrue(web.reaches(sql.ip))
            wire.sync()
        seen = wire.select(lambda f: f.vni == 5001 and f.inner.src == web.mac)
        self.assertTrue(seen)
        self.assertEqual((seen[0].ip.src, seen[0].ip.dst), ("192.168.2.20", "192.168.1.10"))
        self.assertEqual(seen[0].inner.ip.dst, sql.ip)

    def test_flows_are_read(self):
        flows = self.lab.hosts["host1"].flows()
        self.assertEqual(len(flows), 7)
        self.assertEqual({flow.table for flow in flows}, {0, 1})

    def test_full_size_frames_pass(self):
        web, sql = self.lab.guests["contoso-web"], self.lab.guests["contoso-sql"]
        self.assertTrue(web.reaches(sql.ip))
        web.run("ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1472", sql.ip)

    def test_switch_crash_is_survived_by_the_underlay(self):
        one, two = self.lab.hosts.values()
        for number in (signal.SIGKILL, signal.SIGTERM):
            two.restart_vswitchd(number)
            self.eventually(lambda: two.ping_host(one), "the underlay works again")
        flows_by_hand(two)
        self.assertTrue(self.lab.guests["contoso-web"].reaches("10.1.1.11"))

    def test_namespaces_are_the_labs_own(self):
        for namespace in self.lab._namespaces:
            self.assertTrue(namespace.startswith(self.lab.prefix))
            self.assertTrue(netns.exists(namespace))


if __name__ == "__main__":
    testing.main()
