#!/usr/bin/python3
"""Logical routers of hardware_vtep: written by vtep-ctl and a VTEP controller's transactions.

Alpha (VSID 41) and Beta (42) are on host 1, Gamma (42) on host 2, and one router joins the two
subnets. Another tenant has the same addresses: Delta (51) on host 1, Epsilon (52) on host 2.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
SWITCHES = {"floor1": 41, "floor2": 42, "other1": 51, "other2": 52}
# Name: host, switch, address, MAC.
GUESTS = {"alpha": ("host1", "floor1", "10.1.1.11", "02:00:00:00:00:0a"),
          "beta": ("host1", "floor2", "10.1.2.12", "02:00:00:00:00:0b"),
          "gamma": ("host2", "floor2", "10.1.2.13", "02:00:00:00:00:0c"),
          "delta": ("host1", "other1", "10.1.1.11", "02:00:00:00:01:0a"),
          "epsilon": ("host2", "other2", "10.1.2.99", "02:00:00:00:01:0e")}
ROUTERS = {"building": {"10.1.1.0/24": "floor1", "10.1.2.254/24": "floor2",
                        "fd01:1::1/64": "floor1", "fd01:2::1/64": "floor2"},
           "others": {"10.1.1.0/24": "other1", "10.1.2.254/24": "other2"}}
GATEWAYS = {"10.1.1": "10.1.1.1", "10.1.2": "10.1.2.254"}
IPV6 = {"alpha": ("fd01:1::a", "fd01:1::1"), "gamma": ("fd01:2::c", "fd01:2::1")}
ROUTER_MAC = "00:15:5d:ff:ff:fe"


def insert(table, label=None, /, **row):
    return {"op": "insert", "table": table, "row": row, **({"uuid-name": label} if label else {})}


def named(name):
    return ["named-uuid", name]


def controllers_view(host):
    """Switches, ports, mappings and routers as a VTEP controller gives them to a host."""
    operations = [insert("Logical_Switch", switch, name=switch, tunnel_key=vsid)
                  for switch, vsid in SWITCHES.items()]
    operations += [insert("Physical_Locator", place, encapsulation_type="vxlan_over_ipv4",
                          dst_ip=pa) for place, pa in HOSTS.items()]
    for name, (place, switch, address, mac) in GUESTS.items():
        addresses = [address, *([IPV6[name][0]] if name in IPV6 else [])]
        operations += [insert("Ucast_Macs_Remote", MAC=mac, ipaddr=each, locator=named(place),
                              logical_switch=named(switch)) for each in addresses]
        if place == host:
            operations += [
                insert("Physical_Port", f"port_{name}", name=name,
                       vlan_bindings=["map", [[0, named(switch)]]]),
                {"op": "mutate", "table": "Physical_Switch", "where": [],
                 "mutations": [["ports", "insert", ["set", [named(f"port_{name}")]]]]}]
    operations += [insert("Logical_Router", name=name, switch_binding=[
        "map", [[prefix, named(switch)] for prefix, switch in bindings.items()]])
        for name, bindings in ROUTERS.items()]
    return operations


class VtepRouter(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, _, address, mac) in GUESTS.items():
            guest = cls.lab.hosts[host].add_guest(name, mac, f"{address}/24", ipv6=name in IPV6)
            guest.run("ip", "route", "add", "default", "via",
                      GATEWAYS[address.rpartition(".")[0]])
        for name, (address, gateway) in IPV6.items():
            guest = cls.lab.guests[name]
            guest.run("ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
            guest.run("ip", "-6", "route", "add", "default", "via", gateway)
        for name, host in cls.lab.hosts.items():
            host.agent.apply({"version": 1,
                              "provider_addresses": [{"address": f"{HOSTS[name]}/24"}]})
            host.agent.transact("hardware_vtep", *controllers_view(name))
        cls.host1, cls.host2 = (cls.lab.hosts[name] for name in HOSTS)
        for name in GUESTS:
            setattr(cls, name, cls.lab.guests[name])
        wait_until(lambda: cls.host1.ping_host(cls.host2) and cls.host2.ping_host(cls.host1),
                   "the hosts see another")

    def vtep_ctl(self, *words):
        return run(["vtep-ctl", f"--db={self.host1.agent.socket}", *words]).stdout.strip()

    def router_row(self, name="building"):
        return self.vtep_ctl("--bare", "--columns=_uuid", "find", "Logical_Router", f"name={name}")

    def ping(self, guest, address, *options):
        """The lines of one ping, or "" when nothing came back."""
        done = guest.run("ping", "-n", "-c1", "-W1", *options, address, check=False)
        return done.stdout if done.returncode == 0 else ""

    def told(self, guest, address, *options):
        """What one ping that is not answered says."""
        return guest.run("ping", "-n", "-c1", "-W1", *options, address, check=False).stdout

    # --- what it does ------------------------------------------------------------------------

    def test_a_gateway_is_asked_for_and_answers(self):
        self.alpha.forget_neighbours()
        with self.gamma.capture() as capture:
            self.assertIn("ttl=64", self.ping(self.alpha, "10.1.1.1"))
            self.assertIn("ttl=64", self.ping(self.gamma, "10.1.2.254"))
            capture.sync()
            asked = capture.select(lambda f: f.arp and f.arp.target_ip == "10.1.1.1")
        self.assertEqual(self.alpha.neighbour("10.1.1.1")[1], ROUTER_MAC)
        self.assertEqual(self.gamma.neighbour("10.1.2.254")[1], ROUTER_MAC)
        self.assertEqual(asked, [])

    def test_the_question_for_a_gateway_is_the_agents_alone(self):
        self.beta.forget_neighbours()
        with self.gamma.capture() as capture:
            self.beta.send_arp_request("10.1.2.254")
            self.beta.send_arp_request("10.1.2.77")
            self.eventually(lambda: capture.select(
                lambda f: f.arp and f.arp.target_ip == "10.1.2.77"), "other questions are frames")
            asked = capture.select(lambda f: f.arp and f.arp.target_ip == "10.1.2.254")
        self.assertEqual(asked, [])

    def test_subnets_are_joined_on_one_host_and_over_two(self):
        for guest, address in ((self.alpha, "10.1.2.12"), (self.alpha, "10.1.2.13"),
                               (self.gamma, "10.1.1.11"), (self.beta, "10.1.1.11")):
            answer = self.eventually(lambda: self.ping(guest, address), f"{address} answers")
            self.assertIn("ttl=63", answer)
        # Within a subnet nothing is routed.
        self.assertIn("ttl=64", self.eventually(lambda: self.ping(self.beta, "10.1.2.13"),
                                                "Gamma answers Beta"))

    def test_subnets_are_joined_by_ipv6(self):
        for guest in (self.alpha, self.gamma):
            guest.forget_neighbours()
        self.assertIn("ttl=64", self.eventually(
            lambda: self.ping(self.alpha, IPV6["alpha"][1]), "the gateway answers"))
        self.assertIn("ttl=63", self.eventually(
            lambda: self.ping(self.alpha, IPV6["gamma"][0]), "Gamma answers by IPv6"))

    def test_two_routers_with_the_same_addresses_do_not_meet(self):
        self.assertTrue(self.eventually(lambda: self.ping(self.delta, "10.1.2.99"),
                                        "Epsilon answers Delta"))
        self.assertFalse(self.ping(self.delta, "10.1.2.12"))
        self.assertFalse(self.ping(self.alpha, "10.1.2.99"))
        self.assertFalse(self.ping(self.gamma, "10.1.2.99"))

    def test_the_router_tells_who_can_not_be_reached(self):
        self.assertTrue(self.eventually(lambda: self.ping(self.alpha, "10.1.2.12", "-t2"),
                                        "Beta answers"))
        self.assertIn("From 10.1.1.1", told := self.told(self.alpha, "10.1.2.12", "-t1"))
        self.assertIn("Time to live exceeded", told)
        self.assertIn("Destination Host Unreachable", self.told(self.alpha, "10.1.2.200"))
        self.assertIn("Destination Net Unreachable", self.told(self.alpha, "172.16.0.1"))

    def test_a_static_route_leads_to_a_next_hop(self):
        row = self.router_row()
        self.vtep_ctl("set", "Logical_Router", row, 'static_routes={"172.16.0.0/12"="10.1.2.13"}')
        self.gamma.run("ip", "addr", "add", "172.16.5.5/32", "dev", "eth0")
        try:
            self.assertIn("ttl=63", self.eventually(lambda: self.ping(self.alpha, "172.16.5.5"),
                                                    "Gamma answers at the routed address"))
            self.assertFalse(self.ping(self.delta, "172.16.5.5"))
        finally:
            self.gamma.run("ip", "addr", "del", "172.16.5.5/32", "dev", "eth0")
            self.vtep_ctl("clear", "Logical_Router", row, "static_routes")

    def test_the_ports_list_comes_before_the_router(self):
        self.vtep_ctl("--id=@e", "create", "ACL_entry", "sequence=1", "direction=ingress",
                      "action=deny", "dest_ip=10.1.2.12", "--",
                      "--id=@a", "create", "ACL", "acl_name=alpha", "acl_entries=@e", "--",
                      "set", "Physical_Port", "alpha", "acl_bindings=0=@a")
        try:
            self.eventually(lambda: not self.ping(self.alpha, "10.1.2.12"), "Beta is out of reach")
            self.assertTrue(self.eventually(lambda: self.ping(self.alpha, "10.1.2.13"),
                                            "Gamma is not"))
        finally:
            self.vtep_ctl("clear", "Physical_Port", "alpha", "acl_bindings", "--",
                          "--all", "destroy", "ACL", "--", "--all", "destroy", "ACL_entry")

    # --- what it says ------------------------------------------------------------------------

    def test_a_list_of_a_router_is_told_to_have_no_effect(self):
        agent, row = self.host1.agent, self.router_row()
        self.vtep_ctl("--id=@e", "create", "ACL_entry", "sequence=1", "direction=ingress",
                      "action=deny", "--", "--id=@a", "create", "ACL", "acl_name=door",
                      "acl_entries=@e", "--", "set", "Logical_Router", row,
                      'acl_binding={"10.1.1.1"=@a}')
        self.eventually(lambda: self.vtep_ctl("get", "Logical_Router", row, "LR_fault_status") ==
                        "[invalid_ACL_binding]", "the router's fault is told")
        [fault] = agent.report("faults")
        self.assertEqual((fault["table"], fault["key"]), ("Logical_Router", "acl-binding"))
        self.vtep_ctl("clear", "Logical_Router", row, "acl_binding", "--",
                      "--all", "destroy", "ACL", "--", "--all", "destroy", "ACL_entry")
        self.eventually(lambda: self.vtep_ctl("get", "Logical_Router", row, "LR_fault_status") ==
                        "[]" and agent.fault_keys() == [], "the fault is gone")

    def arp_sources(self):
        """[(MAC, provider address)] of Arp_Sources_Local."""
        agent = self.host1.agent
        locators = {row["_uuid"][1]: row["dst_ip"]
                    for row in agent.rows("hardware_vtep", "Physical_Locator")}
        return [(row["src_mac"], locators[row["locator"][1]])
                for row in agent.rows("hardware_vtep", "Arp_Sources_Local")]

    def test_the_routers_mac_is_told_and_put_right(self):
        expected = [(ROUTER_MAC, HOSTS["host1"])]
        self.eventually(lambda: self.arp_sources() == expected, "the MAC is told")
        agent = self.host1.agent
        agent.transact("hardware_vtep", {"op": "update", "table": "Arp_Sources_Local", "where": [],
                                         "row": {"src_mac": "02:00:00:00:00:99"}})
        self.eventually(lambda: self.arp_sources() == expected, "it is as it was")
        agent.transact("hardware_vtep", {"op": "delete", "table": "Arp_Sources_Local",
                                         "where": []})
        self.eventually(lambda: self.arp_sources() == expected, "it is there again")

    def test_a_prefix_that_is_none_is_told_and_the_others_are_in_force(self):
        row = self.router_row()
        self.vtep_ctl("--id=@ls", "create", "Logical_Switch", "name=attic", "tunnel_key=43", "--",
                      "set", "Logical_Router", row, 'switch_binding:"10.1.3"=@ls')
        self.eventually(lambda: self.vtep_ctl("get", "Logical_Router", row, "LR_fault_status") ==
                        "[unspecified_fault]", "the router's fault is told")
        self.assertTrue(self.ping(self.alpha, "10.1.2.12"))
        self.vtep_ctl("remove", "Logical_Router", row, "switch_binding", '"10.1.3"', "--",
                      "del-ls", "attic")
        self.eventually(lambda: self.host1.agent.fault_keys() == [], "the fault is gone")

    def test_without_its_router_a_subnet_is_not_routed(self):
        agent = self.host1.agent
        self.assertTrue(self.eventually(lambda: self.ping(self.delta, "10.1.2.99"),
                                        "Epsilon answers"))
        [router] = agent.rows("hardware_vtep", "Logical_Router", where=[["name", "==", "others"]])
        agent.transact("hardware_vtep", {"op": "delete", "table": "Logical_Router",
                                         "where": [["name", "==", "others"]]})
        self.eventually(lambda: not self.ping(self.delta, "10.1.2.99"), "Epsilon is not reached")
        agent.transact("hardware_vtep", insert("Logical_Router", name="others",
                                               switch_binding=router["switch_binding"]))
        self.assertTrue(self.eventually(lambda: self.ping(self.delta, "10.1.2.99"),
                                        "Epsilon answers again"))

    def test_all_of_it_survives_a_restart(self):
        self.assertTrue(self.eventually(lambda: self.ping(self.alpha, "10.1.2.13"),
                                        "Gamma answers"))
        agent = self.host1.agent
        agent.confirm()  # What the tests before took back is gone from the switch, too.
        # A MAC learned a moment ago is not yet remembered, and would be learned anew.
        self.eventually(lambda: len(agent.rows("hnv_host", "Learned_MAC", ["mac"])) ==
                        agent.status()["learning"]["macs"], "all MACs are remembered")
        agent.kill()
        self.assertIn("ttl=63", self.ping(self.alpha, "10.1.2.13"))
        agent.start()
        self.eventually(lambda: (s := agent.status()["switch"])["state"] == "idle" and
                        s["read_backs"] > 0, "the agent has read the switch back")
        status = agent.status()["switch"]
        self.assertEqual((status["repaired"], status["stray"]), (0, 0))
        self.alpha.forget_neighbours()
        self.assertIn("ttl=63", self.ping(self.alpha, "10.1.2.13"))

    def test_what_a_guest_says_as_the_gateway_reaches_nobody_by_a_question(self):
        """A gratuitous request in the gateway's name would take its place at the others."""
        with self.gamma.capture() as capture:
            self.beta.send(packet.arp_frame(1, self.beta.mac, "10.1.2.254", "10.1.2.254"))
            self.beta.send_arp_request("10.1.2.78")
            self.eventually(lambda: capture.select(
                lambda f: f.arp and f.arp.target_ip == "10.1.2.78"), "what came after is there")
            spoofed = capture.select(lambda f: f.arp and f.arp.sender_ip == "10.1.2.254")
        self.assertEqual(spoofed, [])


if __name__ == "__main__":
    testing.main()
