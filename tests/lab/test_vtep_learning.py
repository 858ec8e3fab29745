#!/usr/bin/python3
"""Ports of hardware_vtep: MACs that are learned from traffic, and unknown destinations.

Alpha and Beta are on host 1, Gamma on host 2; all are in VSID 42. The controller maps no MAC: each
host is told by unknown-dst where the others are. Trunk, on host 1, is in VSID 42 by VLAN 10.
"""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
GUESTS = {"alpha": ("host1", "10.1.1.11", "02:00:00:00:00:0a"),
          "beta": ("host1", "10.1.1.12", "02:00:00:00:00:0b"),
          "gamma": ("host2", "10.1.1.13", "02:00:00:00:00:0c"),
          "trunk": ("host1", "10.1.1.14", "02:00:00:00:00:0d")}
SWITCH, VSID, TRUNK_VLAN = "floor", 42, 10
BEHIND = "02:00:00:00:aa:{:02x}"  # Stations behind a guest, as of a bridge.
NOBODY = "02:00:00:00:ff:ff"
AGING = 5


class VtepLearning(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, address, mac) in GUESTS.items():
            # Without attached-mac: who is there the agent learns.
            cls.lab.hosts[host].add_guest(name, mac, f"{address}/24", ipv6=True,
                                          attached_mac=False)
        for host, pa in HOSTS.items():
            cls.lab.hosts[host].agent.apply(
                {"version": 1, "provider_addresses": [{"address": f"{pa}/24"}]})
            cls.bind(host)
        cls.alpha, cls.beta, cls.gamma, cls.trunk = (cls.lab.guests[name] for name in GUESTS)
        cls.one, cls.other = (cls.lab.hosts[name] for name in HOSTS)
        wait_until(lambda: cls.one.ping_host(cls.other) and cls.other.ping_host(cls.one),
                   "the hosts see another")

    @classmethod
    def vtep_ctl(cls, host, *words):
        return run(["vtep-ctl", f"--db={cls.lab.hosts[host].agent.socket}", *words]).stdout.strip()

    @classmethod
    def bind(cls, host):
        words = ["add-ls", SWITCH, "--", "set", "Logical_Switch", SWITCH, f"tunnel_key={VSID}"]
        for name, (place, _, _) in GUESTS.items():
            if place == host:
                vlan = TRUNK_VLAN if name == "trunk" else 0
                words += ["--", "add-port", host, name, "--",
                          "bind-ls", host, name, str(vlan), SWITCH]
        for name, pa in HOSTS.items():
            if name != host:
                words += ["--", "add-mcast-remote", SWITCH, "unknown-dst", pa]
        cls.vtep_ctl(host, *words)

    def setUp(self):
        for host in (self.one, self.other):
            if not host.agent.running:  # A test that failed may have left it so.
                host.agent.start()
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        self.assertTrue(self.alpha.reaches(self.beta.ip))
        self.eventually(lambda: self.told("host1", self.alpha.mac), "Alpha is learned")

    # --- what is told ------------------------------------------------------------------------

    def local(self, host):
        """{MAC: address} of Ucast_Macs_Local."""
        agent = self.lab.hosts[host].agent
        return {row["MAC"]: row["ipaddr"] for row in
                agent.rows("hardware_vtep", "Ucast_Macs_Local", ["MAC", "ipaddr"])}

    def told(self, host, mac):
        return mac in self.local(host)

    def ports(self, host):
        """{MAC: (port, VLAN)} as the agent remembers it."""
        agent = self.lab.hosts[host].agent
        return {row["mac"]: (row["port"], row["vlan"]) for row in
                agent.rows("hnv_host", "Learned_MAC", ["mac", "port", "vlan"])}

    def counter(self, name, host="host1"):
        return self.lab.hosts[host].agent.status()["learning"][name]

    def locators(self, host, *row):
        pa = self.vtep_ctl(host, "--bare", "--columns=dst_ip", "list", "Physical_Locator", *row)
        return pa.split()

    def settle(self):
        self.one.appctl("revalidator/wait")

    def set_host(self, **settings):
        values = [[key, str(value)] for key, value in settings.items()]
        self.one.agent.transact("hnv_host", {"op": "update", "table": "Host", "where": [],
                                             "row": {"settings": ["map", values]}})

    # --- what stations say -------------------------------------------------------------------

    @staticmethod
    def speak(guest, mac, target=NOBODY, source="10.1.1.99"):
        guest.send(packet.udp_frame(target, mac, source, "10.1.1.98", b"hello"))

    def hears(self, guest, mac, say, times=1):
        """Whether a frame from this MAC comes to the guest once it has been sent."""
        with guest.capture() as capture:
            say()
            capture.wait_for(lambda frame: frame.src == mac and not frame.outgoing,
                             f"{guest.name} hears {mac}", count=times)

    def deaf(self, guest, mac, say, witness):
        """That no such frame comes to the guest, while the witness has it."""
        with guest.capture() as capture:
            self.hears(witness, mac, say)
            capture.sync()
            # The group's own reports of IGMP and MLD come to everybody at any time.
            self.assertEqual(capture.select(lambda frame: frame.src == mac and
                                            not frame.outgoing and not frame.raw[0] & 1), [])

    # --- tests -------------------------------------------------------------------------------

    def test_what_speaks_is_told_to_the_other_hosts(self):
        self.eventually(lambda: self.told("host2", self.gamma.mac), "Gamma is learned")
        self.assertEqual(self.local("host1")[self.alpha.mac], self.alpha.ip)
        self.assertEqual(self.local("host2")[self.gamma.mac], self.gamma.ip)
        self.assertNotIn(self.alpha.mac, self.local("host2"))
        row = self.vtep_ctl("host1", "--bare", "--columns=locator", "find", "Ucast_Macs_Local",
                            f'MAC="{self.alpha.mac}"')
        self.assertEqual(self.locators("host1", row), [HOSTS["host1"]])
        self.assertIn(f"unknown-dst -> vxlan_over_ipv4/{HOSTS['host1']}",
                      self.vtep_ctl("host1", "list-local-macs", SWITCH))
        self.assertEqual(self.ports("host1")[self.alpha.mac], ("alpha", 0))

    def test_a_known_mac_is_reached_and_nobody_else_hears_it(self):
        self.deaf(self.beta, self.gamma.mac, witness=self.alpha,
                  say=lambda: self.speak(self.gamma, self.gamma.mac, self.alpha.mac))

    def test_an_unknown_mac_is_looked_for_everywhere_but_at_the_sender(self):
        unknown = BEHIND.format(1)
        with self.alpha.capture() as own, self.beta.capture() as here, \
                self.gamma.capture() as there:
            self.speak(self.alpha, unknown)
            for capture in (here, there):
                capture.wait_for(lambda frame: frame.src == unknown, "the frame comes")
                capture.sync()
                self.assertEqual(len(capture.select(lambda frame: frame.src == unknown)), 1)
            own.sync()
            self.assertEqual(own.select(
                lambda frame: frame.src == unknown and not frame.outgoing), [])

    def test_without_unknown_dst_it_is_looked_for_here_alone(self):
        self.vtep_ctl("host1", "del-mcast-remote", SWITCH, "unknown-dst", HOSTS["host2"], "--",
                      "add-ucast-remote", SWITCH, self.gamma.mac, HOSTS["host2"])
        self.addCleanup(self.vtep_ctl, "host1", "add-mcast-remote", SWITCH, "unknown-dst",
                        HOSTS["host2"], "--", "del-ucast-remote", SWITCH, self.gamma.mac)
        self.eventually(lambda: self.flood_part() == "local", "the flows have changed")
        self.settle()
        self.deaf(self.gamma, BEHIND.format(2), witness=self.beta,
                  say=lambda: self.speak(self.alpha, BEHIND.format(2)))
        self.assertTrue(self.alpha.reaches(self.gamma.ip))

    def flood_part(self):
        flows = self.one.ofctl("dump-flows", "br-hnv", "table=22")
        return "local" if any("0xffff->reg5" in line for line in flows.splitlines()) else "all"

    def test_what_comes_by_a_tunnel_never_leaves_by_one(self):
        with self.one.capture_uplink() as capture:
            self.hears(self.beta, BEHIND.format(3),
                       lambda: self.speak(self.gamma, BEHIND.format(3)))
            capture.sync()
            self.assertEqual(capture.select(
                lambda frame: frame.inner and frame.inner.src == BEHIND.format(3) and
                frame.ip.src == HOSTS["host1"]), [])

    def test_a_mac_follows_its_station_to_another_port(self):
        mac = BEHIND.format(4)
        moved = self.counter("moved")
        for guest in (self.alpha, self.beta):
            self.speak(guest, mac)
            self.eventually(lambda: self.ports("host1").get(mac) == (guest.name, 0),
                            f"it is behind {guest.name}")
            self.settle()
            self.hears(guest, self.gamma.mac, lambda: self.speak(self.gamma, self.gamma.mac, mac))
        self.assertEqual(self.counter("moved"), moved + 1)
        self.assertEqual(self.one.agent.fault_keys(), [])

    def test_a_mac_that_moves_to_and_fro_is_held_and_told_of(self):
        mac = BEHIND.format(5)

        def flap():
            for guest in (self.alpha, self.beta):
                self.speak(guest, mac)
            return "mac-flap" in self.one.agent.fault_keys()

        held = self.counter("held")
        self.eventually(flap, "there is a fault")
        self.assertGreater(self.counter("held"), held)
        moved = self.counter("moved")
        for guest in (self.alpha, self.beta):
            self.speak(guest, mac)
        self.settle()
        self.assertEqual(self.counter("moved"), moved)
        with self.alpha.capture() as alpha, self.beta.capture() as beta:
            def there():
                """Where its frames go."""
                self.speak(self.gamma, self.gamma.mac, mac)
                return [name for name, capture in (("alpha", alpha), ("beta", beta))
                        if capture.select(lambda frame: frame.src == self.gamma.mac and
                                          frame.dst == mac)]

            [where] = self.eventually(there, "it is reached")
        self.eventually(lambda: self.ports("host1")[mac] == (where, 0), "that is what is told")
        # The port goes, and what it has shown with it; the fault lasts as long as the hold.
        self.addCleanup(self.eventually, lambda: self.one.agent.fault_keys() == [],
                        "the hold ends", 40.0)

    def test_a_port_shows_no_more_macs_than_it_may(self):
        agent = self.one.agent
        agent.transact("hnv_host", {"op": "insert", "table": "Port_Settings",
                                    "row": {"name": "beta", "other_config":
                                            ["map", [["learned_macs_limit", "3"]]]}})

        def replug():
            self.beta.unplug()
            self.eventually(lambda: "beta" not in {port for port, _ in
                                                   self.ports("host1").values()},
                            "what it has shown is forgotten")
            self.beta.plug()
            self.eventually(lambda: agent.port("beta")["state"] == "active", "it is back")

        def forget():
            agent.transact("hnv_host", {"op": "delete", "table": "Port_Settings", "where": []})
            replug()
            self.eventually(lambda: "mac-limit" not in agent.fault_keys(), "the fault is gone")

        self.addCleanup(forget)
        replug()

        def speak():
            for number in range(16, 24):
                self.speak(self.beta, BEHIND.format(number))
            return "mac-limit" in agent.fault_keys()

        self.eventually(speak, "there is a fault")
        self.eventually(lambda: len([place for place in self.ports("host1").values()
                                     if place == ("beta", 0)]) == 3, "it has those three")
        self.assertGreater(self.counter("refused"), 0)
        # What is not learned speaks all the same.
        self.hears(self.gamma, BEHIND.format(23), lambda: self.speak(self.beta, BEHIND.format(23)))

    def test_a_silent_mac_is_forgotten_and_a_speaking_one_is_not(self):
        self.set_host(mac_aging_seconds=AGING)
        self.addCleanup(self.set_host)
        mac = BEHIND.format(6)
        self.speak(self.alpha, mac)
        self.eventually(lambda: self.told("host1", mac), "it is learned")

        def gone():
            self.assertTrue(self.alpha.reaches(self.gamma.ip))
            return not self.told("host1", mac)

        self.eventually(gone, "it is forgotten", 3 * AGING)
        self.assertTrue(self.told("host1", self.alpha.mac))
        self.assertGreater(self.counter("aged_out"), 0)

    def test_the_storm_limit_holds_for_frames_to_unknown_macs(self):
        limit = 5
        self.one.agent.transact("hnv_host", {"op": "insert", "table": "Port_Settings",
                                             "row": {"name": "alpha", "storm_limit_pps": limit}})
        self.addCleanup(self.one.agent.transact, "hnv_host",
                        {"op": "delete", "table": "Port_Settings", "where": []})
        self.eventually(lambda: "meter" in self.one.ofctl("dump-flows", "br-hnv", "table=22"),
                        "the limit is in force")
        self.settle()
        mac, sent = BEHIND.format(11), 400
        with self.beta.capture() as here:
            begin = time.monotonic()
            for _ in range(sent):
                self.speak(self.alpha, mac)
            here.sync()
            seconds = time.monotonic() - begin
            heard = len(here.select(lambda frame: frame.src == mac and not frame.outgoing))
        self.assertGreater(heard, 0)
        self.assertLess(heard, min(limit * (seconds + 2), sent))
        # A known one has no limit.
        self.assertEqual(self.alpha.ping(self.beta.ip, count=50, interval=0.01).lost, 0)

    def test_what_is_behind_a_port_goes_with_it(self):
        mac = BEHIND.format(7)
        self.speak(self.beta, mac)
        self.eventually(lambda: self.told("host1", mac), "it is learned")
        self.beta.unplug()
        self.eventually(lambda: not self.told("host1", mac), "it is gone")
        self.beta.plug()
        self.assertTrue(self.alpha.reaches(self.beta.ip))

    def test_a_source_that_is_no_station_is_dropped(self):
        for mac in ("01:00:5e:00:00:05", "00:00:00:00:00:00"):
            self.speak(self.alpha, mac)
        self.hears(self.beta, BEHIND.format(8), lambda: self.speak(self.alpha, BEHIND.format(8)))
        self.assertNotIn("00:00:00:00:00:00", self.local("host1"))
        self.assertNotIn("01:00:5e:00:00:05", self.local("host1"))

    def test_a_trunk_shows_its_macs_in_their_vlan(self):
        mac = BEHIND.format(9)
        self.trunk.send(packet.tagged(
            packet.udp_frame(NOBODY, mac, "10.1.1.99", "10.1.1.98", b"hello"), TRUNK_VLAN))
        self.eventually(lambda: self.ports("host1").get(mac) == ("trunk", TRUNK_VLAN),
                        "it is learned in its VLAN")
        self.settle()
        with self.trunk.capture() as capture:
            self.speak(self.gamma, self.gamma.mac, mac)
            frame = capture.wait_for(lambda frame: frame.dst == mac and not frame.outgoing,
                                     "it is reached")[0]
            self.assertEqual(frame.vlan, TRUNK_VLAN)

    def test_an_address_of_ipv6_is_learned_from_neighbour_discovery(self):
        for guest, address in ((self.alpha, "fd00::a"), (self.gamma, "fd00::c")):
            guest.run("ip", "addr", "replace", f"{address}/64", "dev", "eth0", "nodad")
        self.eventually(lambda: self.alpha.ping("fd00::c", count=1).received == 1,
                        "Alpha reaches Gamma by IPv6")
        self.eventually(lambda: "fd00::a" in str(
            self.one.agent.rows("hnv_host", "Learned_MAC", ["ipaddr"])), "it is learned")

    def test_what_a_controller_writes_there_is_put_right(self):
        before = self.local("host1")
        self.vtep_ctl("host1", "del-ucast-local", SWITCH, self.alpha.mac)
        self.eventually(lambda: self.local("host1") == before, "the row is back")
        self.vtep_ctl("host1", "add-ucast-local", SWITCH, NOBODY, "192.0.2.1")
        self.eventually(lambda: self.local("host1") == before, "the foreign row is gone")
        self.vtep_ctl("host1", "clear-local-macs", SWITCH)
        self.eventually(lambda: self.local("host1") == before and "unknown-dst" in
                        self.vtep_ctl("host1", "list-local-macs", SWITCH), "all is back")
        self.one.agent.transact("hnv_host", {"op": "delete", "table": "Learned_MAC", "where": []})
        self.eventually(lambda: self.ports("host1").get(self.alpha.mac) == ("alpha", 0),
                        "it is remembered again")

    def test_a_switch_whose_ports_are_unbound_can_be_deleted(self):
        self.vtep_ctl("host1", "add-ls", "attic", "--", "set", "Logical_Switch", "attic",
                      f"tunnel_key={VSID + 1}", "--", "bind-ls", "host1", "trunk", "20", "attic")
        self.eventually(lambda: "unknown-dst" in
                        self.vtep_ctl("host1", "list-local-macs", "attic"), "the switch is told")
        self.vtep_ctl("host1", "unbind-ls", "host1", "trunk", "20")
        # The rows that tell of it refer to it.
        self.eventually(lambda: self.vtep_ctl("host1", "del-ls", "attic") == "",
                        "it can be deleted")
        self.assertEqual(self.vtep_ctl("host1", "list-ls"), SWITCH)

    def test_a_crash_of_the_agent_loses_no_packet_and_forgets_nothing(self):
        self.eventually(lambda: self.told("host2", self.gamma.mac), "Gamma is learned")
        before = {flow.key for flow in self.one.flows()}
        rows = self.rows_of("host1")
        ping = self.lab.spawn(["ping", "-n", "-i", "0.02", "-c", "100", self.gamma.ip],
                              namespace=self.alpha.namespace, log="crash-ping.out")
        self.one.agent.kill()
        self.one.agent.start()
        self.eventually(lambda: self.counter("macs") >= 1, "it remembers")
        self.one.agent.appctl("hnv/audit")
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        ping.wait_gone(20.0)
        with open(ping.log, encoding="utf-8") as log:
            self.assertIn(" 0% packet loss", log.read())
        self.assertEqual(self.rows_of("host1"), rows)
        self.assertEqual({flow.key for flow in self.one.flows()}, before)

    def rows_of(self, host):
        """Rows that went and came would be others."""
        agent = self.lab.hosts[host].agent
        return [sorted(map(str, agent.rows(database, table, ["_uuid"])))
                for database, table in (("hardware_vtep", "Ucast_Macs_Local"),
                                        ("hardware_vtep", "Mcast_Macs_Local"),
                                        ("hnv_host", "Learned_MAC"))]

    def test_a_restart_of_the_switch_brings_the_macs_back(self):
        mac = BEHIND.format(10)
        self.speak(self.alpha, mac)
        self.eventually(lambda: self.told("host1", mac), "it is learned")
        self.one.restart_vswitchd(signal.SIGKILL)
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        self.eventually(lambda: mac in str(self.one.ofctl("dump-flows", "br-hnv")),
                        "its flow is back, without a word from it")
        self.assertTrue(self.told("host1", mac))


if __name__ == "__main__":
    testing.main()
