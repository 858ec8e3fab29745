#!/usr/bin/python3
"""Provider addresses that the agents make from rows alone: two uplinks, two addresses of one
provider subnet on VLAN 11, a gateway, and nothing on the hosts before."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, packet, team, testing  # noqa: E402
from hnvlab.capture import Capture, send_frame  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

VLAN = 11
GATEWAY = "10.9.0.1"
BEYOND = "192.0.2.7"  # Only a gateway leads there.
PAS = {"host1": ("10.9.0.11", "10.9.0.12"), "host2": ("10.9.0.21", "10.9.0.22")}
VXLAN, NVGRE = "hnv-vxlan", "hnv-nvgre"
KEYS = {VXLAN: "0x1389", NVGRE: "0x138900"}
MACS = {"host1": "00:15:5d:50:01:0b", "host2": "00:15:5d:50:01:0c"}
CAS = {"host1": "10.1.1.11", "host2": "10.1.1.12"}


def row(address, uplink, **columns):
    return {"address": f"{address}/24", "gateway": GATEWAY, "vlan": VLAN, "uplink": uplink,
            **columns}


def insert(host, columns):
    host.agent.transact("hnv_host", {"op": "insert", "table": "Provider_Address", "row": columns})


def update(host, address, columns):
    host.agent.transact("hnv_host", {"op": "update", "table": "Provider_Address",
                                     "where": [["address", "==", f"{address}/24"]],
                                     "row": columns})


def delete(host, address):
    host.agent.transact("hnv_host", {"op": "delete", "table": "Provider_Address",
                                     "where": [["address", "==", f"{address}/24"]]})


def report(host, address):
    """What the agent says of it; it hears of a row soon after the row was committed."""
    return next((entry for entry in host.agent.report("provider-addresses")
                 if entry["address"] == address), {"state": "not heard of"})


def ready(host, address):
    """The address is there, its compartment leads out, and the gateway's MAC is known."""
    entry = report(host, address)
    if entry["state"] != "present":
        return None
    looked_up = host.appctl("ovs/route/lookup", BEYOND, f"pkt_mark={entry['mark']}").split()
    known = [line.split()[::2] for line in host.appctl("tnl/neigh/show").splitlines()]
    bridge = host.vsctl("port-to-br", entry["interface"])
    return (looked_up == ["src", address, "gateway", GATEWAY, "dev", entry["interface"]] and
            [GATEWAY, bridge] in known and entry)


class ProviderAddresses(testing.LabTestCase):
    @classmethod
    def build(cls):
        team.add_segment(cls.lab)
        cls.gateway, cls.gateway_nic = team.add_gateway(cls.lab, "gateway", VLAN,
                                                        [f"{GATEWAY}/24"])
        cls.hosts = [team.add_team_host(cls.lab, name) for name in PAS]
        cls.host1, cls.host2 = cls.hosts
        cls.routes_before = {host.name: host.routes() for host in cls.hosts}
        for host in cls.hosts:
            host.agent.launch()
        for host in cls.hosts:
            host.agent.wait_ready()
            for address, nic in zip(PAS[host.name], host.nics):
                insert(host, row(address, nic))
        for host in cls.hosts:
            for address in PAS[host.name]:
                wait_until(lambda h=host, a=address: ready(h, a), f"{address} is made", 15)

    def entries(self, host):
        return [report(host, address) for address in PAS[host.name]]

    def test_the_main_routing_table_gains_nothing(self):
        for host in self.hosts:
            self.assertEqual(host.routes(), self.routes_before[host.name])
            self.assertEqual(sorted(host.addresses()),
                             [f"{address}/24" for address in PAS[host.name]])

    def test_the_agent_tells_what_it_made(self):
        for host in self.hosts:
            for address, entry in zip(PAS[host.name], self.entries(host)):
                self.assertTrue(entry["made"])
                self.assertEqual(entry["mtu"], team.MTU)
                rows = host.agent.rows("hnv_host", "Provider_Address", ["status"],
                                       [["address", "==", f"{address}/24"]])
                status = dict(rows[0]["status"][1])
                self.assertEqual(status["interface"], entry["interface"])
                self.assertEqual((status["made"], status["mark"], status["mtu"]),
                                 ("true", str(entry["mark"]), str(team.MTU)))
            self.assertEqual(len({entry["mark"] for entry in self.entries(host)}), 2)
            self.assertEqual(host.agent.fault_keys(), [])

    def test_each_answers_arp_with_its_own_mac_on_its_own_uplink_alone(self):
        mac = self.gateway.mac_of(self.gateway_nic)
        for host in self.hosts:
            wires = [host.wire_of(nic) for nic in host.nics]
            for address, wire in zip(PAS[host.name], wires):
                own = host.mac_of(report(host, address)["interface"])
                with Capture(self.lab.router, wires[0]) as first, \
                        Capture(self.lab.router, wires[1]) as second, \
                        Capture(self.gateway.namespace, self.gateway_nic) as asker:
                    send_frame(self.gateway.namespace, self.gateway_nic,
                               packet.arp_frame(1, mac, GATEWAY, address))
                    def answers(capture):
                        return capture.select(lambda f: f.arp and f.arp.operation == 2 and
                                              f.arp.sender_ip == address)
                    asker.wait_for(lambda f: f.arp and f.arp.operation == 2, "an answer")
                    # A second question behind the first: what would answer late has by then.
                    send_frame(self.gateway.namespace, self.gateway_nic,
                               packet.arp_frame(1, mac, GATEWAY, address))
                    self.eventually(lambda: len(answers(asker)) >= 2, "a second answer")
                    seen = {wires[0]: answers(first.sync()), wires[1]: answers(second.sync())}
                    self.assertEqual([f.arp.sender_mac for f in answers(asker.sync())], [own] * 2)
                for name, frames in seen.items():
                    # The other wire of the host does not see the answer: the segment has learned.
                    from_host = [f for f in frames if not f.outgoing]
                    self.assertEqual(len(from_host), 2 if name == wire else 0, (address, name))

    def test_an_agent_that_restarts_makes_nothing_anew(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            before = {h.name: (h.addresses(), h.bridges(), self.entries(h)) for h in self.hosts}
            ports = self.host1.vsctl("--columns=_uuid", "--bare", "list", "port")
            self.host1.agent.kill(number)
            self.host1.agent.start()
            for address in PAS["host1"]:
                self.eventually(lambda a=address: ready(self.host1, a), f"{address} is known")
            self.assertEqual({h.name: (h.addresses(), h.bridges(), self.entries(h))
                              for h in self.hosts}, before)
            self.assertEqual(self.host1.vsctl("--columns=_uuid", "--bare", "list", "port"), ports)

    def test_tunnels_by_mark_leave_by_their_own_uplink(self):
        guests = {}
        for host in self.hosts:
            name = f"guest-{host.name}"
            guests[host.name] = host.add_guest(name, MACS[host.name], f"{CAS[host.name]}/24")
        for host, other in ((self.host1, self.host2), (self.host2, self.host1)):
            self.lab.run_in(guests[host.name].namespace,
                            ["ip", "neigh", "replace", CAS[other.name], "lladdr", MACS[other.name],
                             "nud", "permanent", "dev", "eth0"])
            host.agent.kill(signal.SIGTERM)  # It would take the flows below away.
        self.addCleanup(lambda: [host.agent.start() for host in self.hosts])
        marks = {host.name: self.marks(host) for host in self.hosts}
        for tunnel in (VXLAN, NVGRE):
            for mine in (0, 1):
                for other in (0, 1):
                    with self.subTest(tunnel=tunnel, mine=mine, other=other):
                        self.point(self.host1, self.host2, marks, tunnel, mine, other)
                        self.point(self.host2, self.host1, marks, tunnel, other, mine)
                        self.check_tunnel(guests, mine, other)

    def marks(self, host):
        """By the names of the made interfaces: the lower bits of the mark are in them."""
        found = host.addresses()
        return [0x48000000 | int(found[f"{address}/24"][0].removeprefix("hnvpa-"), 16)
                for address in PAS[host.name]]

    def point(self, host, other, marks, tunnel, mine, theirs):
        bridge = f"unix:{host.ovs_dir}/br-hnv.mgmt"
        ports = {name: host.vsctl("get", "interface", name, "ofport")
                 for name in (VXLAN, NVGRE, f"guest-{host.name}"[:15])}
        guest = ports.pop(f"guest-{host.name}"[:15])
        flows = [f"priority=60000,in_port={guest},actions=set_field:{marks[host.name][mine]}->"
                 f"pkt_mark,set_field:{PAS[other.name][theirs]}->tun_dst,"
                 f"set_field:{KEYS[tunnel]}->tun_id,output:{ports[tunnel]}"]
        flows += [f"priority=60000,in_port={port},actions=output:{guest}"
                  for port in ports.values()]
        host.ofctl("add-flows", bridge, "-", stdin="\n".join(flows) + "\n")

    def check_tunnel(self, guests, mine, theirs):
        one, two = guests["host1"], guests["host2"]

        def ping(count):
            return self.lab.run_in(one.namespace, ["ping", "-n", "-c", str(count), "-i", "0.05",
                                                   "-W", "1", CAS["host2"]], check=False)
        # The first packet to a neighbour is Open vSwitch's to lose: it asks for its MAC then.
        self.eventually(lambda: ping(1).returncode == 0, "the guests reach each other")
        with Capture(self.lab.router, self.host1.wire_of(self.host1.nics[mine])) as wire:
            done = ping(10)
            self.assertIn("10 received", done.stdout)
            self.assertNotIn("DUP", done.stdout)
            sent = [f for f in wire.sync().frames if not f.outgoing and f.ip and
                    f.ip.src == PAS["host1"][mine] and f.ip.dst == PAS["host2"][theirs]]
        self.assertGreaterEqual(len(sent), 10)


class RowsThatChange(testing.LabTestCase):
    """One host: what rows that come, change and go do to it."""

    @classmethod
    def build(cls):
        team.add_segment(cls.lab)
        cls.gateway, _ = team.add_gateway(cls.lab, "gateway", VLAN, [f"{GATEWAY}/24", "2001:db8::1/64"])
        cls.host = team.add_team_host(cls.lab, "host1", ("eth1", "eth2"))
        cls.host.agent.start()

    def setUp(self):
        self.addCleanup(self.leave_nothing)  # First in, last out.

    def leave_nothing(self):
        self.host.agent.transact("hnv_host", {"op": "delete", "table": "Provider_Address",
                                              "where": []})
        self.eventually(lambda: self.host.bridges() == {"br-hnv"} and not self.host.addresses(),
                        "nothing is left")

    def make(self, address, uplink, **columns):
        insert(self.host, row(address, uplink, **columns))
        return self.eventually(lambda: ready(self.host, address), f"{address} is made")

    def gone(self, interface):
        def check():
            lookup = self.host.appctl("ovs/route/show")
            return (interface not in lookup and
                    interface not in self.host.run("ip", "-o", "link").stdout)
        self.eventually(check, f"{interface} and its routes are gone")

    def test_a_row_that_goes_takes_all_along(self):
        first = self.make("10.9.0.11", "eth1")
        second = self.make("10.9.0.12", "eth1")
        delete(self.host, "10.9.0.11")
        self.gone(first["interface"])
        self.assertEqual(self.host.bridges(), {"br-hnv", "hnvu-eth1"})
        self.eventually(lambda: ready(self.host, "10.9.0.12"), "the other one stays")
        self.assertEqual(report(self.host, "10.9.0.12"), second)
        delete(self.host, "10.9.0.12")
        self.gone(second["interface"])
        self.eventually(lambda: self.host.bridges() == {"br-hnv"}, "the bridge is gone")
        self.assertEqual(self.host.run("cat", "/proc/sys/net/ipv4/conf/eth1/arp_ignore").stdout,
                         "0\n")  # As the agent found it.

    def test_vlan_mac_and_uplink_follow_the_row(self):
        entry = self.make("10.9.0.11", "eth1")
        interface = entry["interface"]
        update(self.host, "10.9.0.11", {"mac": "02:00:00:00:09:11"})
        self.eventually(lambda: self.host.mac_of(interface) == "02:00:00:00:09:11", "the MAC")
        self.eventually(lambda: ready(self.host, "10.9.0.11"), "it is ready again")
        update(self.host, "10.9.0.11", {"uplink": "eth2"})
        self.eventually(lambda: self.host.bridges() == {"br-hnv", "hnvu-eth2"}, "the bridge")
        self.eventually(lambda: ready(self.host, "10.9.0.11"), "it is ready on the other NIC")
        update(self.host, "10.9.0.11", {"vlan": 12})
        self.eventually(lambda: self.host.vsctl("get", "port", interface, "tag") == "12", "VLAN")
        self.assertEqual(report(self.host, "10.9.0.11")["mark"], entry["mark"])

    def test_a_bridge_of_the_operator_is_used_and_left(self):
        self.host.vsctl("add-br", "br-op", "--", "set", "bridge", "br-op", "datapath_type=netdev",
                        "--", "add-port", "br-op", "eth2")
        self.addCleanup(self.host.vsctl, "del-br", "br-op")
        self.host.run("ip", "link", "set", "eth2", "up")
        entry = self.make("10.9.0.11", "br-op")
        self.assertEqual(self.host.vsctl("port-to-br", entry["interface"]), "br-op")
        delete(self.host, "10.9.0.11")
        self.gone(entry["interface"])
        self.assertEqual(self.host.vsctl("list-ports", "br-op"), "eth2")

    def test_an_address_that_the_host_gets_is_adopted(self):
        entry = self.make("10.9.0.11", "eth1")
        self.host.run("ip", "link", "set", "eth2", "up")
        self.host.run("ip", "addr", "add", "10.9.0.11/24", "dev", "eth2", "noprefixroute")
        self.gone(entry["interface"])
        adopted = self.eventually(lambda: (e := report(self.host, "10.9.0.11"))["state"] ==
                                  "present" and e, "it is adopted")
        self.assertEqual((adopted["interface"], adopted["made"], adopted["mark"]),
                         ("eth2", False, 0))
        self.host.run("ip", "addr", "del", "10.9.0.11/24", "dev", "eth2")
        # The agent waits some seconds: the host's own configuration may be about to give it back.
        again = self.eventually(lambda: ready(self.host, "10.9.0.11"), "it is made again", 20)
        self.assertEqual(again["mark"], entry["mark"])

    def test_a_restarted_switch_gets_it_all_again(self):
        entry = self.make("10.9.0.11", "eth1")
        for number in (signal.SIGKILL, signal.SIGTERM):
            team.restart_switch(self.host, number)
            again = self.eventually(lambda: ready(self.host, "10.9.0.11"), "it is ready again", 20)
            self.assertEqual(again["mark"], entry["mark"])

    def test_a_gateway_that_the_switch_forgot_is_asked_for_again(self):
        self.make("10.9.0.11", "eth1")
        self.host.appctl("tnl/neigh/flush")
        # The answer is of a flow that the datapath has cached; the switch learns from those it
        # looks up.
        self.host.forget_flow_cache()
        self.eventually(lambda: ready(self.host, "10.9.0.11"), "it is known again", 20)

    def test_ipv6_has_its_compartment_and_its_gateway(self):
        address, gateway = "2001:db8::11", "2001:db8::1"
        insert(self.host, {"address": f"{address}/64", "gateway": gateway, "vlan": VLAN,
                           "uplink": "eth1"})
        entry = self.eventually(lambda: (e := report(self.host, address))["state"] == "present"
                                and e, "it is made")
        self.eventually(lambda: self.host.appctl(
            "ovs/route/lookup", "2001:db8:9::1", f"pkt_mark={entry['mark']}").split() ==
            ["src", address, "gateway", gateway, "dev", entry["interface"]], "its route")
        self.eventually(lambda: [gateway, "hnvu-eth1"] in [
            line.split()[::2] for line in self.host.appctl("tnl/neigh/show").splitlines()],
            "its gateway")
        self.assertEqual(list(self.host.addresses()), [f"{address}/64"])
        self.assertNotIn("fe80", self.host.run("ip", "-6", "addr").stdout)
        self.assertNotIn("2001", self.host.routes())
        mac = self.gateway.mac_of("gw")
        with Capture(self.gateway.namespace, "gw") as asker:
            send_frame(self.gateway.namespace, "gw", team.solicitation(mac, gateway, address))
            answer = asker.wait_for(lambda f: f.ethertype == packet.ETH_IPV6 and
                                    f.raw[20] == 58 and f.raw[54] == 136, "an advertisement")
        self.assertEqual(answer[0].src, self.host.mac_of(entry["interface"]))

    def test_two_on_one_uplink_hear_only_what_is_theirs(self):
        """Without VLAN, on a bridge whose own address is of the same subnet as well."""
        host = self.host
        host.vsctl("add-br", "br-op", "--", "set", "bridge", "br-op", "datapath_type=netdev",
                   "--", "add-port", "br-op", "eth2")
        self.addCleanup(host.vsctl, "del-br", "br-op")
        host.run("ip", "link", "set", "eth2", "up")
        host.run("ip", "link", "set", "br-op", "up")
        host.run("ip", "addr", "add", "10.8.0.9/24", "dev", "br-op", "noprefixroute")
        for address in ("10.8.0.11", "10.8.0.12"):
            insert(host, {"address": f"{address}/24", "uplink": "br-op"})
        macs = {}
        for address in ("10.8.0.11", "10.8.0.12"):
            entry = self.eventually(lambda a=address: (e := report(host, a))["state"] == "present"
                                    and e, "it is made")
            macs[address] = host.mac_of(entry["interface"])
            self.eventually(lambda m=macs[address]: any(
                line.split()[2:] == [m, "static"]
                for line in host.appctl("fdb/show", "br-op").splitlines()[1:]), "its MAC")
        # A switch that has to learn a MAC address unpacks the packet once for each of its ports.
        host.appctl("fdb/flush", "br-op")
        for address, mac in macs.items():
            trace = host.appctl("ofproto/trace", "br-op",
                                f"in_port=eth2,dl_src=02:00:00:00:08:01,dl_dst={mac},"
                                "dl_type=0x0800,nw_proto=17,nw_src=10.8.0.1,"
                                f"nw_dst={address},nw_ttl=64,udp_dst=4789")
            self.assertEqual(trace.count("tnl_pop"), 1, trace)
        macs["10.8.0.9"] = host.mac_of("br-op")
        asker_mac, wire = "02:00:00:00:08:01", host.wire_of("eth2")
        for address, mac in macs.items():
            with Capture(self.lab.router, wire) as capture:
                for _ in range(2):
                    send_frame(self.lab.router, wire,
                               packet.arp_frame(1, asker_mac, "10.8.0.1", address))
                replies = capture.wait_for(lambda f: f.arp and f.arp.operation == 2, "answers",
                                           count=2)
                self.assertEqual({f.arp.sender_mac for f in replies}, {mac})
                self.assertEqual(len(capture.sync().select(
                    lambda f: f.arp and f.arp.operation == 2)), 2)

    def test_a_path_filter_that_silences_arp_is_a_fault(self):
        key = "net/ipv4/conf/all/rp_filter"
        netns.write_sysctls(self.host.namespace, {key: 2})
        self.addCleanup(netns.write_sysctls, self.host.namespace, {key: 0})
        self.make("10.9.0.11", "eth1")
        fault = self.eventually(lambda: self.host.agent.report("faults"), "a fault")[0]
        self.assertIn("rp_filter", fault["message"])
        netns.write_sysctls(self.host.namespace, {key: 0})
        self.eventually(lambda: self.host.agent.fault_keys() == [], "it is mended", 15)

    def test_of_two_adopted_ones_that_with_a_gateway_gets_a_compartment(self):
        self.host.vsctl("add-br", "br-op", "--", "set", "bridge", "br-op", "datapath_type=netdev",
                        "--", "add-port", "br-op", "eth2")
        self.addCleanup(self.host.vsctl, "del-br", "br-op")
        self.host.run("ip", "link", "set", "br-op", "up")
        for address in ("10.9.0.31", "10.7.0.31"):
            self.host.run("ip", "addr", "add", f"{address}/24", "dev", "br-op", "noprefixroute")
        insert(self.host, row("10.9.0.31", "br-op"))
        self.eventually(lambda: report(self.host, "10.9.0.31")["state"] == "present", "adopted")
        self.assertEqual(report(self.host, "10.9.0.31")["mark"], 0)
        insert(self.host, {"address": "10.7.0.31/24"})
        entry = self.eventually(lambda: (e := report(self.host, "10.9.0.31"))["mark"] and e,
                                "a compartment")
        self.eventually(lambda: self.host.appctl(
            "ovs/route/lookup", BEYOND, f"pkt_mark={entry['mark']}").split()[1] == "10.9.0.31",
            "its route")
        self.assertEqual(report(self.host, "10.7.0.31")["mark"], 0)
        delete(self.host, "10.7.0.31")
        self.eventually(lambda: "User:" not in self.host.appctl("ovs/route/show"), "it goes")
        self.assertIn("10.9.0.31/24", self.host.addresses())
        self.host.run("ip", "addr", "flush", "dev", "br-op")

    def test_what_can_not_be_made_is_a_fault_that_says_what_to_do(self):
        self.host.run("ip", "addr", "add", "198.51.100.5/24", "dev", "eth2")
        self.addCleanup(self.host.run, "ip", "addr", "flush", "dev", "eth2")
        for columns, word in ((row("10.9.0.11", "eth9"), "eth9"),
                              (row("10.9.0.11", ""), "uplink"),
                              (row("10.9.0.11", "br-hnv"), "guests' bridge"),
                              (row("10.9.0.11", "eth2"), "cut off"),
                              ({"address": "10.9.0.11", "uplink": "eth1"}, "prefix length")):
            with self.subTest(columns=columns):
                insert(self.host, columns)
                fault = self.eventually(
                    lambda w=word: next((f for f in self.host.agent.report("faults")
                                         if f["key"] == "pa-missing" and w in f["message"]), None),
                    f"a fault with {word}")
                self.assertNotIn("eth2", self.host.vsctl("list-ports", "br-hnv"), fault)
                self.host.agent.transact("hnv_host", {"op": "delete", "table": "Provider_Address",
                                                      "where": []})
                self.eventually(lambda: self.host.agent.fault_keys() == [], "it is mended")

    def test_an_uplink_too_small_for_guests_is_a_fault(self):
        self.host.run("ip", "link", "set", "eth1", "mtu", "1500")
        self.addCleanup(self.host.run, "ip", "link", "set", "eth1", "mtu", str(team.MTU))
        self.make("10.9.0.11", "eth1")
        fault = self.eventually(lambda: self.host.agent.report("faults"), "a fault")[0]
        self.assertEqual(fault["key"], "underlay-mtu")
        self.assertIn("1500", fault["message"])
        self.assertIn("1550", fault["message"])
        self.host.run("ip", "link", "set", "eth1", "mtu", str(team.MTU))
        self.eventually(lambda: self.host.agent.fault_keys() == [], "it is mended")


if __name__ == "__main__":
    testing.main()
