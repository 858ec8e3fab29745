#!/usr/bin/python3
"""hardware_vtep by vtep-ctl: a logical switch over two hosts, and the ACLs of its ports.

Alpha and Beta are on host 1, Gamma on host 2; all are in VSID 42.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
GUESTS = {"alpha": ("host1", "10.1.1.11", "02:00:00:00:00:0a"),
          "beta": ("host1", "10.1.1.12", "02:00:00:00:00:0b"),
          "gamma": ("host2", "10.1.1.13", "02:00:00:00:00:0c")}
SWITCH, VSID = "floor", 42  # Below those of ms_vtep.
WEB, OTHER = 80, 81


class VtepAcl(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, address, mac) in GUESTS.items():
            cls.lab.hosts[host].add_guest(name, mac, f"{address}/24", ipv6=True)
        for host, pa in HOSTS.items():
            cls.lab.hosts[host].agent.apply(
                {"version": 1, "provider_addresses": [{"address": f"{pa}/24"}]})
            cls.bind(host)
        cls.alpha, cls.beta, cls.gamma = (cls.lab.guests[name] for name in GUESTS)
        one, other = (cls.lab.hosts[name] for name in HOSTS)
        wait_until(lambda: one.ping_host(other) and other.ping_host(one), "the hosts see another")
        for guest in (cls.alpha, cls.gamma):
            for port in (WEB, OTHER):
                guest.serve(port)

    @classmethod
    def vtep_ctl(cls, host, *words):
        return run(["vtep-ctl", f"--db={cls.lab.hosts[host].agent.socket}", *words]).stdout.strip()

    @classmethod
    def bind(cls, host):
        """What a VTEP controller tells the host: its ports, and the MACs on the other one."""
        words = ["add-ls", SWITCH, "--", "set", "Logical_Switch", SWITCH, f"tunnel_key={VSID}"]
        for name, (place, address, mac) in GUESTS.items():
            if place == host:
                words += ["--", "add-port", host, name, "--", "bind-ls", host, name, "0", SWITCH]
            else:
                words += ["--", "add-ucast-remote", SWITCH, mac, HOSTS[place]]
        cls.vtep_ctl(host, *words)

    def setUp(self):
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        self.assertTrue(self.alpha.reaches(self.beta.ip))

    def tearDown(self):
        self.vtep_ctl("host1", "clear", "Physical_Port", "alpha", "acl_bindings", "--",
                      "--all", "destroy", "ACL", "--", "--all", "destroy", "ACL_entry")
        self.eventually(lambda: self.host1_faults() == [], "there is no fault left")

    def host1_faults(self):
        return self.lab.hosts["host1"].agent.fault_keys()

    def set_acl(self, *entries, vlan=0):
        """Gives Alpha a new ACL of these entries, each {column: value}, in one transaction."""
        words = ["--all", "destroy", "ACL", "--", "--all", "destroy", "ACL_entry", "--"]
        names = []
        for number, entry in enumerate(entries):
            names.append(f"@e{number}")
            words += [f"--id={names[-1]}", "create", "ACL_entry",
                      *[f"{column}={value}" for column, value in
                        {"sequence": 10 * number, **entry}.items()], "--"]
        words += ["--id=@acl", "create", "ACL", "acl_name=alpha",
                  f"acl_entries=[{','.join(names)}]", "--",
                  "set", "Physical_Port", "alpha", f"acl_bindings={vlan}=@acl"]
        self.vtep_ctl("host1", *words)

    def stops(self, condition, what):
        self.eventually(lambda: not condition(), f"{what} stops")

    @staticmethod
    def pings(one, other):
        return one.ping(other.ip, count=1).received == 1

    @staticmethod
    def calls(one, other, port):
        return one.ask(other.ip, port, timeout=1.0) is not None

    def status(self, table, row, column):
        return self.vtep_ctl("host1", "get", table, row, column)

    def found(self, column, table, condition):
        return self.vtep_ctl("host1", "--bare", f"--columns={column}", "find", table, condition)

    # --- without a list ----------------------------------------------------------------------

    def test_ports_find_each_other_here_and_on_the_other_host(self):
        for one, other in ((self.alpha, self.beta), (self.gamma, self.alpha),
                           (self.beta, self.gamma)):
            one.forget_neighbours()
            self.assertTrue(self.pings(one, other))
            self.assertEqual(one.neighbour(other.ip)[1], other.mac)
        self.assertTrue(self.calls(self.gamma, self.alpha, WEB))

    def test_neighbour_discovery_crosses_the_tunnel(self):
        addresses = {}
        for guest, address in ((self.alpha, "fd00::a"), (self.gamma, "fd00::c")):
            guest.run("ip", "addr", "replace", f"{address}/64", "dev", "eth0", "nodad")
            addresses[guest] = address
        self.eventually(lambda: self.alpha.ping(addresses[self.gamma], count=1).received == 1,
                        "Alpha reaches Gamma by IPv6")

    def test_any_source_may_speak(self):
        self.alpha.run("ip", "addr", "replace", "10.1.1.99/24", "dev", "eth0")
        try:
            self.eventually(lambda: self.gamma.ping("10.1.1.99", count=1).received == 1,
                            "Alpha answers at an address that nobody has been told of")
        finally:
            self.alpha.run("ip", "addr", "del", "10.1.1.99/24", "dev", "eth0")

    def test_the_switch_tells_what_it_is(self):
        self.assertEqual(self.vtep_ctl("host1", "list-ps"), "host1")
        self.assertIn(HOSTS["host1"], self.status("Physical_Switch", "host1", "tunnel_ips"))
        self.assertEqual(self.lab.hosts["host1"].agent.port("alpha")["state"], "active")
        self.assertEqual(self.host1_faults(), [])

    # --- with one ----------------------------------------------------------------------------

    def test_ingress_is_what_the_port_sends_and_what_no_entry_matches_passes(self):
        self.set_acl({"direction": "ingress", "action": "deny", "protocol": 17,
                      "dest_ip": self.gamma.ip},
                     {"direction": "ingress", "action": "deny", "protocol": 1, "icmp_type": 8,
                      "dest_ip": self.gamma.ip})
        self.stops(lambda: self.pings(self.alpha, self.gamma), "Alpha's ping to Gamma")
        self.assertTrue(self.pings(self.gamma, self.alpha))  # Its replies are of another type.
        self.assertTrue(self.pings(self.alpha, self.beta))
        self.assertTrue(self.calls(self.alpha, self.gamma, WEB))

    def test_egress_is_what_the_port_is_sent(self):
        self.set_acl({"direction": "egress", "action": "deny", "protocol": 6,
                      "dest_port_min": WEB, "dest_port_max": WEB})
        self.stops(lambda: self.calls(self.gamma, self.alpha, WEB), "Gamma's call")
        self.assertTrue(self.calls(self.gamma, self.alpha, OTHER))
        self.assertFalse(self.calls(self.beta, self.alpha, WEB))
        self.assertTrue(self.calls(self.alpha, self.gamma, WEB))

    def test_the_lowest_number_decides(self):
        permit = {"direction": "egress", "action": "permit", "source_ip": "10.0.0.12",
                  "source_mask": "255.0.0.255", "protocol": 6}  # Beta.
        deny = {"direction": "egress", "action": "deny", "protocol": 6}
        self.set_acl(permit, deny)
        self.stops(lambda: self.calls(self.alpha, self.gamma, WEB), "the answer to Alpha's call")
        self.assertTrue(self.calls(self.beta, self.alpha, WEB))
        self.set_acl({**permit, "sequence": 20}, {**deny, "sequence": 5})
        self.stops(lambda: self.calls(self.beta, self.alpha, WEB), "Beta's call")

    def test_tcp_flags_let_one_side_begin(self):
        self.set_acl({"direction": "egress", "action": "deny", "protocol": 6, "tcp_flags": 2,
                      "tcp_flags_mask": 0x12})  # SYN and no ACK.
        self.stops(lambda: self.calls(self.gamma, self.alpha, WEB), "Gamma's call")
        self.assertTrue(self.calls(self.alpha, self.gamma, WEB))

    def test_macs_and_ethertypes(self):
        self.set_acl({"direction": "egress", "action": "deny", "source_mac": f'"{self.gamma.mac}"'})
        self.stops(lambda: self.pings(self.gamma, self.alpha), "what Gamma sends")
        self.assertTrue(self.pings(self.beta, self.alpha))
        self.set_acl({"direction": "ingress", "action": "deny", "ethertype": "0x0806"})
        self.eventually(lambda: self.pings(self.gamma, self.alpha), "Gamma is heard again")
        with self.beta.capture() as capture:
            self.alpha.send_arp_request("10.1.1.200")
            self.alpha.send_arp_request("10.1.1.201")
            self.assertTrue(self.pings(self.alpha, self.beta))
            capture.sync()
            asked = capture.select(lambda f: f.arp and f.arp.target_ip.startswith("10.1.1.20"))
        self.assertEqual(asked, [])

    def test_fragments_do_not_slip_past_a_deny_by_port(self):
        self.set_acl({"direction": "ingress", "action": "deny", "protocol": 17,
                      "dest_port_min": 9, "dest_port_max": 9})
        self.eventually(lambda: any("tp_dst=9" in flow.match.split(",")
                                    for flow in self.lab.hosts["host1"].flows()),
                        "the entry is in force")
        with self.gamma.capture() as capture:
            with self.alpha.socket(kind=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x" * 3000, (self.gamma.ip, 9))
            self.assertTrue(self.pings(self.alpha, self.gamma))
            capture.sync()
            first = capture.select(lambda f: f.ip and f.ip.protocol == packet.UDP and
                                   f.ip.dport == 9)
        self.assertEqual(first, [])

    # --- faults ------------------------------------------------------------------------------

    def test_an_entry_that_can_not_be_is_told_and_the_others_are_in_force(self):
        self.set_acl({"direction": "ingress", "action": "deny", "protocol": 1},
                     {"direction": "ingress", "action": "deny", "protocol": 17, "icmp_type": 8})
        self.stops(lambda: self.pings(self.alpha, self.gamma), "Alpha's ping")
        self.eventually(lambda: self.found("acl_fault_status", "ACL", "acl_name=alpha") ==
                        "invalid_acl", "the list's fault is told")
        self.assertEqual(self.found("acle_fault_status", "ACL_entry", "protocol=17"),
                         "invalid_acl_entry")
        self.assertEqual(self.host1_faults(), ["acl-entry", "acl-incomplete"])

    def test_a_list_of_a_vlan_that_is_not_bound_is_told(self):
        self.set_acl({"direction": "ingress", "action": "deny"}, vlan=20)
        self.eventually(lambda: self.status("Physical_Port", "alpha", "port_fault_status") ==
                        "[invalid_ACL_binding]", "the port's fault is told")
        self.assertTrue(self.pings(self.alpha, self.gamma))

    def test_a_vsid_is_one_subnets_on_a_host(self):
        agent = self.lab.hosts["host1"].agent
        self.vtep_ctl("host1", "add-ls", "other", "--", "set", "Logical_Switch", "other",
                      f"tunnel_key={VSID}")
        self.eventually(lambda: agent.fault_keys() == ["vsid-duplicate"], "the second has a fault")
        [fault] = agent.report("faults")
        self.assertEqual((fault["database"], fault["table"]), ("hardware_vtep", "Logical_Switch"))
        self.vtep_ctl("host1", "del-ls", "other")
        self.eventually(lambda: agent.fault_keys() == [], "the fault is gone")

    def test_all_of_it_survives_a_restart(self):
        agent = self.lab.hosts["host1"].agent
        self.set_acl({"direction": "ingress", "action": "deny", "protocol": 1})
        self.stops(lambda: self.pings(self.alpha, self.gamma), "Alpha's ping")
        agent.confirm()
        agent.kill()
        agent.start()
        self.eventually(lambda: (s := agent.status()["switch"])["state"] == "idle" and
                        s["read_backs"] > 0, "the agent has read the switch back")
        status = agent.status()["switch"]
        self.assertEqual((status["repaired"], status["stray"]), (0, 0))
        self.assertEqual(agent.port("alpha")["state"], "active")
        self.assertFalse(self.pings(self.alpha, self.gamma))
        self.assertTrue(self.calls(self.alpha, self.gamma, WEB))


if __name__ == "__main__":
    testing.main()
