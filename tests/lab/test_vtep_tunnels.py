#!/usr/bin/python3
"""hardware_vtep: its tunnels, BFD through them, and service nodes that BFD chooses between.

Alpha is on host 1 and Beta on host 2. The service nodes are hosts with nothing but an Open vSwitch,
which speaks BFD as a hypervisor does.
"""

import os
import re
import secrets
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import foreign_host, netns, packet, team, testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
NODES = {"node1": "192.168.3.30", "node2": "192.168.4.40"}
STRANGER = "192.168.5.50"
GUESTS = {"alpha": ("host1", "10.1.1.11", "02:00:00:00:00:0a"),
          "beta": ("host2", "10.1.1.12", "02:00:00:00:00:0b")}
SWITCH, VSID = "floor", 42
FAST = ("bfd_params:enable=true", "bfd_params:min_rx=100", "bfd_params:min_tx=100")
# Three intervals of 100 ms, and what the switch, its database and the agent need to pass it on.
DETECTION = 3.0


class VtepTunnels(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, pa in NODES.items():
            cls.add_node(cls.lab.add_host(name, f"{pa}/24"))
        for name, (host, address, mac) in GUESTS.items():
            cls.lab.hosts[host].add_guest(name, mac, f"{address}/24")
        for host, pa in HOSTS.items():
            cls.lab.hosts[host].agent.apply(
                {"version": 1, "provider_addresses": [{"address": f"{pa}/24"}]})
            cls.bind(host)
        cls.host1, cls.host2 = (cls.lab.hosts[name] for name in HOSTS)
        cls.alpha, cls.beta = (cls.lab.guests[name] for name in GUESTS)
        hosts = list(cls.lab.hosts.values())
        for host in hosts:
            wait_until(host.resolves_router, f"the switch of {host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other")

    @classmethod
    def add_node(cls, host):
        host.vsctl("add-br", "br-node", "--", "set", "bridge", "br-node", "datapath_type=netdev",
                   "--", "add-port", "br-node", "to-host1", "--", "set", "interface", "to-host1",
                   "type=vxlan", f"options:remote_ip={HOSTS['host1']}", "options:key=flow",
                   "bfd:enable=true", "bfd:min_rx=100", "bfd:min_tx=100")

    @classmethod
    def bind(cls, host):
        """What a VTEP controller tells the host: its port, and the MAC on the other one."""
        words = ["add-ls", SWITCH, "--", "set", "Logical_Switch", SWITCH, f"tunnel_key={VSID}"]
        for name, (place, _, mac) in GUESTS.items():
            if place == host:
                words += ["--", "add-port", host, name, "--", "bind-ls", host, name, "0", SWITCH]
            else:
                words += ["--", "add-ucast-remote", SWITCH, mac, HOSTS[place]]
        cls.vtep_ctl(host, *words)

    @classmethod
    def vtep_ctl(cls, host, *words):
        return run(["vtep-ctl", f"--db={cls.lab.hosts[host].agent.socket}", *words]).stdout.strip()

    def setUp(self):
        self.agent1 = self.host1.agent
        self.eventually(lambda: self.alpha.reaches(self.beta.ip), "Alpha reaches Beta")

    # --- what is told ------------------------------------------------------------------------

    def tunnels(self, host="host1"):
        """{remote address: row} of the tunnels of the host."""
        agent = self.lab.hosts[host].agent
        ends = {row["_uuid"][1]: row["dst_ip"] for row in agent.rows(
            "hardware_vtep", "Physical_Locator", ["_uuid", "dst_ip"])}
        found = {}
        for row in agent.rows("hardware_vtep", "Tunnel"):
            remote = ends[row["remote"][1]]
            self.assertNotIn(remote, found)
            self.assertEqual(ends[row["local"][1]], HOSTS[host])
            found[remote] = row
        return found

    def status(self, remote, host="host1"):
        """bfd_status of the tunnel to `remote`; empty when there is no such tunnel."""
        row = self.tunnels(host).get(remote)
        return dict(row["bfd_status"][1]) if row else {}

    def bfd(self, remote, *params, host="host1"):
        """Sets bfd_params of the tunnel to `remote`, for this test."""
        row = wait_until(lambda: self.tunnels(host).get(remote), f"a tunnel to {remote}")
        self.vtep_ctl(host, "set", "Tunnel", row["_uuid"][1], *params)

    def no_bfd(self, host):
        for row in self.tunnels(host).values():
            self.vtep_ctl(host, "clear", "Tunnel", row["_uuid"][1], "bfd_params")

    def comes_up(self, remote, host="host1"):
        def is_up():
            status = self.status(remote, host)
            return (status.get("state") == status.get("remote_state") == "up" and
                    status["forwarding"] == "true")
        self.eventually(is_up, f"BFD of {host} to {remote} is up")

    def bfd_ports(self, host):
        """{name: bfd_status of the switch} of the ports that BFD has."""
        names = [name for name in host.vsctl("list-ports", "br-hnv").split()
                 if name.startswith("hnvb-")]
        return {name: dict(re.findall(r"(\w+)=\"?([^,}\"]+)",
                                      host.vsctl("get", "interface", name, "bfd_status")))
                for name in names}

    def cut(self, host, up=False):
        netns.ip_batch(self.lab.router, [f"link set {host.wire} {'up' if up else 'down'}"])

    # --- rows --------------------------------------------------------------------------------

    def test_a_tunnel_for_each_end_that_is_used(self):
        self.eventually(lambda: self.tunnels().keys() == {HOSTS["host2"]}, "the tunnel is there")
        self.assertEqual(dict(self.tunnels()[HOSTS["host2"]]["bfd_config_local"][1]),
                         {"bfd_dst_ip": "169.254.1.0", "bfd_dst_mac": "00:23:20:00:00:01"})
        self.vtep_ctl("host1", "add-ucast-remote", SWITCH, "02:00:00:00:00:77", STRANGER)
        self.eventually(lambda: STRANGER in self.tunnels(), "one more")
        self.vtep_ctl("host1", "add-mcast-remote", SWITCH, "unknown-dst", NODES["node1"])
        self.eventually(lambda: NODES["node1"] in self.tunnels(), "one more, of a group")
        listed = self.vtep_ctl("host1", "get", "Physical_Switch", "host1", "tunnels")
        self.assertEqual(len(re.findall(r"[0-9a-f-]{36}", listed)), 3)
        self.vtep_ctl("host1", "del-ucast-remote", SWITCH, "02:00:00:00:00:77", "--",
                      "del-mcast-remote", SWITCH, "unknown-dst", NODES["node1"])
        self.eventually(lambda: self.tunnels().keys() == {HOSTS["host2"]}, "both are gone")
        self.assertEqual(sorted(row["dst_ip"] for row in self.agent1.rows(
            "hardware_vtep", "Physical_Locator")), sorted(HOSTS.values()))
        self.assertEqual(self.agent1.fault_keys(), [])

    def test_a_controllers_own_row_is_kept_and_used(self):
        self.eventually(lambda: HOSTS["host2"] in self.tunnels(), "the tunnel is there")
        ours = self.tunnels()[HOSTS["host2"]]
        self.agent1.transact(
            "hardware_vtep",
            {"op": "insert", "table": "Tunnel", "uuid-name": "own", "row": {
                "local": ours["local"], "remote": ours["remote"],
                "bfd_params": ["map", [["enable", "false"]]]}},
            {"op": "mutate", "table": "Physical_Switch", "where": [],
             "mutations": [["tunnels", "insert", ["named-uuid", "own"]]]})

        def rows():
            return self.agent1.rows("hardware_vtep", "Tunnel")
        self.eventually(lambda: len(rows()) == 1 and rows()[0]["_uuid"] != ours["_uuid"],
                        "the controller's row alone is left")
        own = rows()[0]["_uuid"]
        self.agent1.kill()
        self.agent1.start()
        self.eventually(lambda: self.alpha.reaches(self.beta.ip), "Alpha reaches Beta")
        self.assertEqual([row["_uuid"] for row in rows()], [own])
        self.agent1.transact("hardware_vtep", {
            "op": "mutate", "table": "Physical_Switch", "where": [],
            "mutations": [["tunnels", "delete", own]]})
        self.eventually(lambda: [row["_uuid"] for row in rows()] == [ours["_uuid"]],
                        "the agent makes its own again")

    # --- BFD ---------------------------------------------------------------------------------

    def test_two_agents_watch_each_other_and_a_cut_is_seen(self):
        for host, other in (("host1", "host2"), ("host2", "host1")):
            self.bfd(HOSTS[other], *FAST, host=host)
            self.addCleanup(self.no_bfd, host)
        for host, other in (("host1", "host2"), ("host2", "host1")):
            self.comes_up(HOSTS[other], host)
        status = self.status(HOSTS["host2"])
        self.assertEqual((status["enabled"], status["remote_state"], status["diagnostic"]),
                         ("true", "up", "No Diagnostic"))
        self.addCleanup(self.cut, self.host2, up=True)
        began = time.monotonic()
        self.cut(self.host2)
        self.eventually(lambda: self.status(HOSTS["host2"]).get("forwarding") == "false",
                        "the cut is seen", DETECTION)
        print(f"  seen after {time.monotonic() - began:.2f} s", file=sys.stderr)
        self.assertEqual(self.status(HOSTS["host2"])["diagnostic"],
                         "Control Detection Time Expired")
        self.cut(self.host2, up=True)
        self.comes_up(HOSTS["host2"])
        self.comes_up(HOSTS["host1"], "host2")
        self.eventually(lambda: self.alpha.reaches(self.beta.ip), "Alpha reaches Beta again")

    def test_concatenated_path_down_is_heard(self):
        for host, other in (("host1", "host2"), ("host2", "host1")):
            self.bfd(HOSTS[other], *FAST, host=host)
            self.addCleanup(self.no_bfd, host)
        self.comes_up(HOSTS["host2"])
        self.bfd(HOSTS["host1"], "bfd_params:cpath_down=true", host="host2")
        self.eventually(lambda: (s := self.status(HOSTS["host2"]))["forwarding"] == "false" and
                        s["state"] == "up", "host 2 is up, and not to be sent to")
        self.assertEqual(self.status(HOSTS["host2"])["remote_diagnostic"],
                         "Concatenated Path Down")

    def test_disabled_the_session_and_its_status_are_gone(self):
        self.bfd(HOSTS["host2"], *FAST)
        self.eventually(lambda: self.status(HOSTS["host2"]).get("enabled") == "true", "it runs")
        self.assertEqual(len(self.bfd_ports(self.host1)), 1)
        self.bfd(HOSTS["host2"], "bfd_params:enable=false")
        self.eventually(lambda: self.status(HOSTS["host2"]) == {}, "the status is cleared")
        self.eventually(lambda: self.bfd_ports(self.host1) == {}, "the port is gone")
        self.no_bfd("host1")

    def test_a_row_that_goes_takes_the_session_along(self):
        self.vtep_ctl("host1", "add-ucast-remote", SWITCH, "02:00:00:00:00:77", STRANGER)
        self.bfd(STRANGER, *FAST)
        self.eventually(lambda: self.status(STRANGER).get("state") == "down", "nobody answers")
        self.vtep_ctl("host1", "del-ucast-remote", SWITCH, "02:00:00:00:00:77")
        self.eventually(lambda: self.bfd_ports(self.host1) == {}, "the port is gone")

    def test_a_restart_is_no_flap_and_traffic_goes_on(self):
        for host, other in (("host1", "host2"), ("host2", "host1")):
            self.bfd(HOSTS[other], *FAST, host=host)
            self.addCleanup(self.no_bfd, host)
        for host, other in (("host1", "host2"), ("host2", "host1")):
            self.comes_up(HOSTS[other], host)
        before = {host.name: self.bfd_ports(host) for host in (self.host1, self.host2)}
        ports = self.host1.vsctl("--columns=_uuid,name,ofport", "list", "interface")
        self.agent1.kill()
        during = self.alpha.ping(self.beta.ip, count=5)
        self.agent1.start()
        self.eventually(lambda: (s := self.agent1.status()["switch"])["state"] == "idle" and
                        s["read_backs"] > 0, "the agent has read the switch back")
        self.comes_up(HOSTS["host2"])
        after = self.alpha.ping(self.beta.ip, count=5)
        self.assertEqual((during.lost, after.lost), (0, 0))
        self.assertEqual({host.name: self.bfd_ports(host) for host in (self.host1, self.host2)},
                         before)
        self.assertEqual(self.host1.vsctl("--columns=_uuid,name,ofport", "list", "interface"),
                         ports)
        status = self.agent1.status()["switch"]
        self.assertEqual((status["repaired"], status["stray"]), (0, 0))

    def test_what_is_no_bfd_is_dropped_and_counted_and_guests_are_not_concerned(self):
        stranger = foreign_host.ForeignHost(self.lab, "stranger", "192.168.5.0/24", [STRANGER])
        self.vtep_ctl("host1", "add-ucast-remote", SWITCH, "02:00:00:00:00:77", STRANGER)
        self.addCleanup(self.vtep_ctl, "host1", "del-ucast-remote", SWITCH, "02:00:00:00:00:77")
        self.bfd(STRANGER, *FAST)
        self.eventually(lambda: self.status(STRANGER).get("state") == "down", "nobody answers")

        def dropped():
            text = self.agent1.hnvctl("drops").stdout
            found = re.search(r"not-bfd +(\d+)", text)
            return int(found[1]) if found else 0

        def frame(vni, token):
            inner = (foreign_host.Ether(src="02:00:00:00:00:77", dst=self.alpha.mac) /
                     foreign_host.IP(src="10.1.1.77", dst=self.alpha.ip) /
                     foreign_host.UDP(sport=5000, dport=5001) / token)
            return foreign_host.vxlan(STRANGER, HOSTS["host1"], vni, inner)
        key0, own = secrets.token_bytes(16), secrets.token_bytes(16)
        before = dropped()
        with self.alpha.capture() as nic:
            stranger.send(frame(0, key0))
            stranger.send(frame(VSID, own))
            nic.wait_for(lambda f: own in f.raw, "what has the subnet's VNI")
            self.assertEqual(nic.sync().select(lambda f: key0 in f.raw), [])
        self.eventually(lambda: dropped() == before + 1, "the other one is counted")

    def test_a_setting_that_can_not_be_is_told(self):
        self.addCleanup(self.no_bfd, "host1")
        self.bfd(HOSTS["host2"], "bfd_params:enable=true", "bfd_params:min_rx=soon")
        self.eventually(lambda: self.agent1.fault_keys() == ["bad-setting"], "the fault is told")
        self.eventually(lambda: "unspecified_fault" in self.vtep_ctl(
            "host1", "get", "Physical_Switch", "host1", "switch_fault_status"),
            "the switch's fault is told")
        self.bfd(HOSTS["host2"], "bfd_params:min_rx=300")
        self.eventually(lambda: self.agent1.fault_keys() == [], "it is mended")
        self.eventually(lambda: self.vtep_ctl(
            "host1", "get", "Physical_Switch", "host1", "switch_fault_status") == "[]",
            "the switch's fault is gone")

    # --- service nodes -----------------------------------------------------------------------

    def flood(self):
        """Where the copies of a broadcast of Alpha go."""
        token = secrets.token_bytes(16)
        with self.lab.capture_underlay(self.host1) as wire:
            self.alpha.send(packet.udp_frame(packet.BROADCAST, self.alpha.mac, self.alpha.ip,
                                             "10.1.1.255", token))
            self.assertTrue(self.alpha.reaches(self.beta.ip))
            return sorted(f.ip.dst for f in
                          wire.sync().select(lambda f: f.inner and token in f.raw))

    def goes_to(self, *nodes, timeout=10.0):
        def settled():
            self.host1.appctl("revalidator/wait")
            return self.flood() == sorted(NODES[name] for name in nodes)
        self.eventually(settled, f"copies go to {' and '.join(nodes)}", timeout)

    def test_service_nodes_and_source_nodes(self):
        self.vtep_ctl("host1", "add-mcast-remote", SWITCH, "unknown-dst", NODES["node1"], "--",
                      "add-mcast-remote", SWITCH, "unknown-dst", NODES["node2"])
        self.addCleanup(self.vtep_ctl, "host1", "clear-remote-macs", SWITCH, "--",
                        "add-ucast-remote", SWITCH, self.beta.mac, HOSTS["host2"], "--",
                        "clear", "Logical_Switch", SWITCH, "replication_mode")
        self.vtep_ctl("host1", "set-replication-mode", SWITCH, "source_node")
        self.goes_to("node1", "node2")
        self.vtep_ctl("host1", "set-replication-mode", SWITCH, "service_node")
        self.eventually(lambda: len(self.flood()) == 1, "one of the two has it")
        [chosen] = [name for name, pa in NODES.items() if [pa] == self.flood()]
        [other] = NODES.keys() - {chosen}
        for name in NODES:
            self.bfd(NODES[name], *FAST)
        for name in NODES:
            self.comes_up(NODES[name])
        self.goes_to(chosen)

        self.addCleanup(self.cut, self.lab.hosts[chosen], up=True)
        began = time.monotonic()
        self.cut(self.lab.hosts[chosen])
        self.goes_to(other)
        print(f"  moved after {time.monotonic() - began:.2f} s", file=sys.stderr)
        self.cut(self.lab.hosts[chosen], up=True)
        self.comes_up(NODES[chosen])
        self.goes_to(other)  # Not at once: it has to stay up for a while.
        self.goes_to(chosen, timeout=15)
        self.assertEqual(self.agent1.fault_keys(), [])


class Compartments(testing.LabTestCase):
    """Hosts whose addresses the agents make, two on each, and a routing compartment for each."""

    PAS = {"host1": ("10.9.0.11", "10.9.0.12"), "host2": ("10.9.0.21", "10.9.0.22")}

    @classmethod
    def build(cls):
        team.add_segment(cls.lab)
        team.add_gateway(cls.lab, "gateway", 11, ["10.9.0.1/24"])
        hosts = [team.add_team_host(cls.lab, name) for name in cls.PAS]
        for host in hosts:
            host.agent.start()
            for address, nic in zip(cls.PAS[host.name], host.nics):
                host.agent.transact("hnv_host", {
                    "op": "insert", "table": "Provider_Address", "row": {
                        "address": f"{address}/24", "gateway": "10.9.0.1", "vlan": 11,
                        "uplink": nic}})
        for host, other in (hosts, hosts[::-1]):
            run(["vtep-ctl", f"--db={host.agent.socket}", "add-ls", SWITCH, "--", "set",
                 "Logical_Switch", SWITCH, f"tunnel_key={VSID}", "--", "add-ucast-remote", SWITCH,
                 "02:00:00:00:00:77", cls.PAS[other.name][0]])
        cls.hosts = hosts

    def test_bfd_goes_by_the_compartment_of_its_address(self):
        def status(host):
            return [dict(row["bfd_status"][1]).get("state")
                    for row in host.agent.rows("hardware_vtep", "Tunnel", ["bfd_status"])]
        for host in self.hosts:
            self.eventually(lambda: len(status(host)) == 1, "the tunnel is there")
            host.agent.transact("hardware_vtep", {
                "op": "update", "table": "Tunnel", "where": [],
                "row": {"bfd_params": ["map", [["enable", "true"], ["min_rx", "100"]]]}})
        for host in self.hosts:
            self.eventually(lambda: status(host) == ["up"], f"BFD of {host.name} is up", 20)


if __name__ == "__main__":
    testing.main()
