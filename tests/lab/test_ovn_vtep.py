#!/usr/bin/python3
"""OVN and hardware_vtep: ovn-controller-vtep between a real OVN and the agent.

Desk and Lamp are behind hnv-agent on host 1, Cloud on a hypervisor of OVN; all are in one subnet.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import ovn, packet, testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

AGENT_HOST, HYPERVISOR = "192.168.1.10", "192.168.2.20"
OVN_SWITCH, VTEP_SWITCH, VTEP_PORT = "office", "floor", "office-floor"
DESK = ("desk", "10.1.1.11", "02:00:00:00:00:0a")
LAMP = ("lamp", "10.1.1.12", "02:00:00:00:00:0b")
CLOUD = ("cloud", "10.1.1.21", "02:00:00:00:00:1a")
RAIN = ("rain", "10.1.1.22", "02:00:00:00:00:1b")


class OvnVtep(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.central = ovn.Central(cls.lab, "192.168.3.30/24")
        cls.host = cls.lab.add_host("host1", f"{AGENT_HOST}/24")
        cls.agent = cls.host.agent
        cls.agent.start()
        cls.agent.apply({"version": 1, "provider_addresses": [{"address": f"{AGENT_HOST}/24"}]})
        cls.hypervisor = cls.lab.add_host("hv1", f"{HYPERVISOR}/24")
        ovn.make_hypervisor(cls.hypervisor, cls.central)
        cls.controller = ovn.start_controller_vtep(cls.host, cls.central, cls.agent.socket)
        for name, address, mac in (DESK, LAMP):
            cls.host.add_guest(name, mac, f"{address}/24")
        for name, address, mac in (CLOUD, RAIN):
            cls.hypervisor.add_guest(name, mac, f"{address}/24")
        cls.desk, cls.lamp, cls.cloud, cls.rain = (
            cls.lab.guests[name] for name, _, _ in (DESK, LAMP, CLOUD, RAIN))
        cls.join()
        for host in (cls.host, cls.hypervisor):
            wait_until(host.resolves_router, f"the switch of {host.name} knows its router")
        wait_until(lambda: cls.host.ping_host(cls.hypervisor) and
                   cls.hypervisor.ping_host(cls.host), "the hosts reach each other")
        cls.desk.serve(80)
        cls.cloud.serve(80)

    @classmethod
    def join(cls):
        """One logical switch: OVN's part of it, and the VTEP's."""
        cls.central.nbctl("ls-add", OVN_SWITCH)
        cls.central.add_port(OVN_SWITCH, "cloud", f"{CLOUD[2]} {CLOUD[1]}")
        cls.central.add_vtep_port(OVN_SWITCH, VTEP_PORT, "host1", VTEP_SWITCH)
        words = ["add-ls", VTEP_SWITCH]
        for name, _, _ in (DESK, LAMP):
            words += ["--", "add-port", "host1", name, "--", "bind-ls", "host1", name, "0",
                      VTEP_SWITCH]
        cls.vtep_ctl(*words)

    @classmethod
    def vtep_ctl(cls, *words):
        return run(["vtep-ctl", "--timeout=10", f"--db={cls.agent.socket}",
                    *words]).stdout.strip()

    def vni(self):
        """OVN's key of the logical switch."""
        return int(self.central.sbctl("--bare", "--columns=tunnel_key", "find",
                                      "Datapath_Binding", f"external_ids:name={OVN_SWITCH}"))

    def remote_macs(self):
        return self.vtep_ctl("list-remote-macs", VTEP_SWITCH)

    # --- what either side learns of the other ------------------------------------------------

    def test_the_agents_host_is_a_chassis_of_ovn(self):
        self.eventually(lambda: AGENT_HOST in self.central.sbctl("show"), "OVN has its address")
        self.assertEqual(self.central.sbctl("get", "Chassis", "host1", "other_config:is-vtep"),
                         '"true"')
        self.assertIn(VTEP_SWITCH, self.central.sbctl("get", "Chassis", "host1",
                                                      "vtep_logical_switches"))
        self.eventually(lambda: self.central.nbctl("lsp-get-up", VTEP_PORT) == "up",
                        "the VTEP's port is up")

    def test_ovn_gives_the_logical_switch_its_key_and_its_mode(self):
        self.eventually(lambda: self.vtep_ctl("get", "Logical_Switch", VTEP_SWITCH, "tunnel_key") ==
                        str(self.vni()), "the key is OVN's")
        self.assertEqual(self.vtep_ctl("get-replication-mode", VTEP_SWITCH), "source_node")
        self.assertEqual(self.agent.port("desk")["state"], "active")
        self.assertEqual(self.agent.fault_keys(), [])

    def test_ovn_tells_where_its_machines_are(self):
        self.eventually(lambda: f"{CLOUD[2]} -> vxlan_over_ipv4/{HYPERVISOR}" in self.remote_macs(),
                        "Cloud is mapped to its hypervisor")
        self.assertIn(f"unknown-dst -> vxlan_over_ipv4/{HYPERVISOR}", self.remote_macs())

    # --- packets -----------------------------------------------------------------------------

    def test_guests_of_either_side_reach_each_other(self):
        for one, other in ((self.desk, self.cloud), (self.cloud, self.lamp),
                           (self.lamp, self.cloud), (self.cloud, self.desk)):
            with self.subTest(one=one.name, other=other.name):
                one.forget_neighbours()
                self.assertTrue(one.reaches(other.ip, 20))
                self.assertEqual(one.neighbour(other.ip)[1], other.mac)
                self.assertEqual(one.ping(other.ip, count=10, interval=0.05).lost, 0)

    def test_tcp_both_ways(self):
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        self.assertEqual(self.desk.ask(self.cloud.ip, 80),
                         f"I am cloud, you are {self.desk.ip}")
        self.assertEqual(self.cloud.ask(self.desk.ip, 80), f"I am desk, you are {self.cloud.ip}")

    def test_they_meet_in_vxlan_with_ovns_key(self):
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        with self.lab.capture_underlay(self.host) as capture:
            self.assertEqual(self.desk.ping(self.cloud.ip, count=2).received, 2)
            capture.sync()
            seen = {(frame.ip.src, frame.vni) for frame in capture.select(
                lambda f: f.vni is not None and f.inner.ip and
                f.inner.ip.protocol == packet.ICMP)}
        self.assertEqual(seen, {(AGENT_HOST, self.vni()), (HYPERVISOR, self.vni())})

    def test_machines_that_nobody_told_of_are_found(self):
        """Fog's MAC is learned by the agent from what it sends, Mist's by OVN."""
        fog = self.host.add_guest("fog", "02:00:00:00:00:0c", "10.1.1.13/24", attached_mac=False)
        mist = self.hypervisor.add_guest("mist", "02:00:00:00:00:1c", "10.1.1.23/24")
        self.vtep_ctl("add-port", "host1", "fog", "--",
                      "bind-ls", "host1", "fog", "0", VTEP_SWITCH)
        self.central.add_port(OVN_SWITCH, "mist", "unknown")
        try:
            self.assertTrue(fog.reaches(self.cloud.ip, 20))
            self.assertTrue(self.cloud.reaches(fog.ip))
            self.eventually(lambda: f"{fog.mac} -> vxlan_over_ipv4/{AGENT_HOST}" in
                            self.vtep_ctl("list-local-macs", VTEP_SWITCH), "Fog is published")
            self.assertNotIn(mist.mac, self.remote_macs())
            self.assertTrue(self.desk.reaches(mist.ip, 20))
            self.assertTrue(mist.reaches(fog.ip))
        finally:
            self.vtep_ctl("del-port", "host1", "fog")
            self.central.nbctl("lsp-del", "mist")
            fog.unplug()
            mist.unplug()
        self.eventually(lambda: fog.mac not in self.vtep_ctl("list-local-macs", VTEP_SWITCH),
                        "Fog is gone")

    def test_ovns_router_carries_them_to_another_subnet(self):
        """The router's gateway chassis is the hypervisor: there its MAC is found."""
        gateway, far_gateway, far = "10.1.1.1", "10.2.2.1", "10.2.2.22"
        nbctl = self.central.nbctl
        nbctl("ls-add", "garden", "--", "lr-add", "door")
        for number, (switch, address) in enumerate(((OVN_SWITCH, gateway),
                                                    ("garden", far_gateway))):
            nbctl("lrp-add", "door", f"door-{switch}", f"02:00:00:00:01:0{number}",
                  f"{address}/24", "--", "lsp-add", switch, f"{switch}-door", "--",
                  "lsp-set-type", f"{switch}-door", "router", "--",
                  "lsp-set-addresses", f"{switch}-door", "router", "--",
                  "lsp-set-options", f"{switch}-door", f"router-port=door-{switch}")
        nbctl("lrp-set-gateway-chassis", f"door-{OVN_SWITCH}", "hv1")
        self.central.add_port("garden", "rain", f"{RAIN[2]} {far}")
        try:
            self.rain.run("ip", "addr", "flush", "dev", "eth0")
            self.rain.run("ip", "addr", "add", f"{far}/24", "dev", "eth0")
            self.rain.run("ip", "route", "replace", "default", "via", far_gateway)
            self.desk.run("ip", "route", "replace", "default", "via", gateway)
            self.assertTrue(self.desk.reaches(gateway, 20))
            self.assertTrue(self.desk.reaches(far, 20))
            self.assertTrue(self.rain.reaches(self.desk.ip))
            self.assertEqual(self.rain.ask(self.desk.ip, 80), f"I am desk, you are {far}")
        finally:
            for guest in (self.rain, self.desk):
                guest.run("ip", "route", "flush", "default")
            self.rain.run("ip", "addr", "flush", "dev", "eth0")
            self.rain.run("ip", "addr", "add", self.rain.address, "dev", "eth0")
            nbctl("lsp-del", "rain", "--", "lsp-del", f"{OVN_SWITCH}-door", "--",
                  "lr-del", "door", "--", "ls-del", "garden")

    # --- what changes ------------------------------------------------------------------------

    def test_a_machine_comes_to_ovn_and_goes(self):
        self.assertFalse(self.desk.reaches(self.rain.ip, 0.5))
        self.central.add_port(OVN_SWITCH, "rain", f"{RAIN[2]} {RAIN[1]}")
        try:
            self.eventually(lambda: RAIN[2] in self.remote_macs(), "Rain is mapped")
            self.assertTrue(self.rain.reaches(self.desk.ip))
            self.assertTrue(self.desk.reaches(self.rain.ip))
        finally:
            self.central.nbctl("lsp-del", "rain")
        self.eventually(lambda: RAIN[2] not in self.remote_macs(), "Rain's mapping is gone")
        self.eventually(lambda: self.desk.ping(self.rain.ip, count=1).received == 0,
                        "Rain is heard no more")

    def test_the_switches_part_and_join_again(self):
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        self.central.nbctl("lsp-del", VTEP_PORT)
        try:
            # The controller takes a key away by writing 0, which is none.
            self.eventually(lambda: self.vtep_ctl("get", "Logical_Switch", VTEP_SWITCH,
                                                  "tunnel_key") == "0", "the key is taken away")
            self.eventually(lambda: "vsid-range" in self.agent.fault_keys(), "that is told")
            self.eventually(lambda: self.desk.ping(self.cloud.ip, count=1).received == 0,
                            "Cloud is heard no more")
        finally:
            self.central.add_vtep_port(OVN_SWITCH, VTEP_PORT, "host1", VTEP_SWITCH)
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        self.eventually(lambda: self.agent.fault_keys() == [], "no fault is left")

    def test_a_port_without_its_binding_hears_nothing(self):
        self.assertTrue(self.lamp.reaches(self.cloud.ip))
        self.vtep_ctl("unbind-ls", "host1", "lamp", "0")
        try:
            self.eventually(lambda: self.cloud.ping(self.lamp.ip, count=1).received == 0,
                            "Lamp is heard no more")
            self.assertTrue(self.desk.reaches(self.cloud.ip))
        finally:
            self.vtep_ctl("bind-ls", "host1", "lamp", "0", VTEP_SWITCH)
        self.assertTrue(self.lamp.reaches(self.cloud.ip))

    def test_the_agents_crash_changes_nothing_and_the_controller_comes_back(self):
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        before = self.remote_macs()
        self.agent.kill()
        try:
            self.assertEqual(self.desk.ping(self.cloud.ip, count=5).lost, 0)
        finally:
            self.agent.start()
        self.assertEqual(self.remote_macs(), before)
        self.assertEqual(self.desk.ping(self.cloud.ip, count=5).lost, 0)
        # A write of the controller's shows that it is back; it pauses up to 8 s between attempts.
        self.vtep_ctl("clear", "Logical_Switch", VTEP_SWITCH, "replication_mode")
        self.eventually(lambda: self.vtep_ctl("get-replication-mode", VTEP_SWITCH) ==
                        "source_node", "the controller is back", 20)

    def test_without_the_controller_nothing_changes(self):
        self.assertTrue(self.desk.reaches(self.cloud.ip))
        self.controller.signal(signal.SIGKILL)
        self.controller.wait_gone(5)
        self.central.add_port(OVN_SWITCH, "rain", f"{RAIN[2]} {RAIN[1]}")
        try:
            self.assertEqual(self.desk.ping(self.cloud.ip, count=5).lost, 0)
            self.assertNotIn(RAIN[2], self.remote_macs())
        finally:
            # It comes back by the other way to the agent.
            type(self).controller = ovn.start_controller_vtep(self.host, self.central,
                                                              "tcp:127.0.0.1:6640")
        self.eventually(lambda: RAIN[2] in self.remote_macs(), "Rain is mapped after all")
        self.assertTrue(self.desk.reaches(self.rain.ip))
        self.central.nbctl("lsp-del", "rain")


if __name__ == "__main__":
    testing.main()
