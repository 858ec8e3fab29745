#!/usr/bin/python3
"""Physical_Port.vlan_stats: what each binding of a port has carried, in both VTEP databases.

ms_vtep: Sql on host 1 and Web on host 2. hardware_vtep, all on host 1: Alpha is on the floor, Beta
in the attic, and Trunk is in both, by VLANs 10 and 20.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, policy, testing  # noqa: E402
from hnvlab.shell import Timeout, run, wait_until  # noqa: E402
from hnvlab.trunk import Trunk, VlanStack  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
SQL = ("sql", "10.5.0.11", "00:15:5d:50:01:0b")
WEB = ("web", "10.5.0.12", "00:15:5d:50:01:0c")
ALPHA = ("alpha", "10.1.1.11", "02:00:00:00:00:0a")
BETA = ("beta", "10.1.2.12", "02:00:00:00:00:0b")
TRUNK_MAC = "02:00:00:00:00:0c"
TRUNK = {10: "10.1.1.13", 20: "10.1.2.13"}
COLUMNS = ("packets_from_local", "bytes_from_local", "packets_to_local", "bytes_to_local")
PING = 14 + 20 + 8 + 56  # octets of one
SHORTEST = 60  # octets of a frame, to which an ARP request is padded
TAG = 4
INTERVAL = 1


def host_policy(host):
    local = {"host1": SQL, "host2": WEB}[host][0]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": "contoso", "subnets": [
            {"vsid": 5001, "prefix": "10.5.0.0/24"}]}],
        "mappings": [{"vsid": 5001, "ca": address, "mac": mac, "pa": HOSTS[place]}
                     for place, (_, address, mac) in (("host1", SQL), ("host2", WEB))],
        "ports": [{"name": local, "vsid": 5001}],
        "acls": policy.allow_all(local),
    }


def ports_of_hardware_vtep():
    def named(name):
        return ["named-uuid", name]
    operations = [{"op": "insert", "table": "Logical_Switch", "uuid-name": name,
                   "row": {"name": name, "tunnel_key": key}}
                  for name, key in (("floor", 41), ("attic", 42))]
    for name, bindings in (("alpha", [[0, named("floor")]]), ("beta", [[0, named("attic")]]),
                           ("trunk", [[10, named("floor")], [20, named("attic")]])):
        operations += [{"op": "insert", "table": "Physical_Port", "uuid-name": f"port_{name}",
                        "row": {"name": name, "vlan_bindings": ["map", bindings]}},
                       {"op": "mutate", "table": "Physical_Switch", "where": [],
                        "mutations": [["ports", "insert", ["set", [named(f"port_{name}")]]]]}]
    return operations


class VlanStats(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        cls.host1, cls.host2 = (cls.lab.hosts[name] for name in HOSTS)
        for host, (name, address, mac) in ((cls.host1, SQL), (cls.host2, WEB), (cls.host1, ALPHA),
                                           (cls.host1, BETA)):
            setattr(cls, name, host.add_guest(name, mac, f"{address}/24"))
        trunk = cls.host1.add_guest("trunk", TRUNK_MAC, "169.254.0.1/16")
        cls.stacks = {vlan: VlanStack(trunk, vlan, f"{address}/24")
                      for vlan, address in TRUNK.items()}
        for stack in cls.stacks.values():  # It would look for routers and groups, unasked.
            netns.write_sysctls(stack.namespace, {"net/ipv6/conf/eth0/disable_ipv6": 1})
        cls.trunk = Trunk(trunk, cls.stacks.values())
        for name, host in cls.lab.hosts.items():
            host.agent.apply(host_policy(name))
        cls.host1.agent.transact("hardware_vtep", *ports_of_hardware_vtep())
        cls.set_interval(INTERVAL)
        wait_until(lambda: cls.host1.ping_host(cls.host2) and cls.host2.ping_host(cls.host1),
                   "the hosts see another")
        # Nobody is to ask for an address while pings are counted.
        for one, other in ((cls.sql, cls.web), (cls.alpha, cls.stacks[10]),
                           (cls.beta, cls.stacks[20])):
            one.set_neighbour(other.ip, other.mac)
            other.set_neighbour(one.ip, one.mac)

    @classmethod
    def tearDownClass(cls):
        cls.trunk.close()
        super().tearDownClass()

    @classmethod
    def set_interval(cls, seconds):
        for host in cls.lab.hosts.values():
            host.agent.transact("hnv_host", {
                "op": "update", "table": "Host", "where": [],
                "row": {"settings": ["map", [["stats_interval_seconds", str(seconds)]]]}})

    # --- what is told ------------------------------------------------------------------------

    @staticmethod
    def rows(host, database):
        """{(port, VLAN): its counters}; checks that the two tables fit."""
        rows, ports = (result["rows"] for result in host.agent.transact(
            database, *[{"op": "select", "table": table, "where": []}
                        for table in ("Logical_Binding_Stats", "Physical_Port")]))
        stats = {row["_uuid"][1]: tuple(row[column] for column in COLUMNS) for row in rows}
        found = {(port["name"], vlan): stats[uuid] for port in ports
                 for vlan, (_, uuid) in port["vlan_stats"][1]}
        assert len(found) == len(stats), f"{len(stats) - len(found)} rows are nobody's"
        return found

    def counters(self, name, vlan=0, database="hardware_vtep", host=None):
        return self.rows(host or self.host1, database).get((name, vlan))

    def settled(self, name, vlan=0, database="hardware_vtep", host=None):
        """The counters, once they have not changed for some looks at the switch."""
        last = [None, time.monotonic()]

        def still():
            now = self.counters(name, vlan, database, host)
            if now is None or now != last[0]:
                last[:] = now, time.monotonic()
            return time.monotonic() - last[1] > 2.5 * INTERVAL and now
        return wait_until(still, f"the counters of {name} are settled", 20)

    def grows_by(self, before, packets, size, what, *, received=None, **where):
        """Expects `packets` of `size` octets sent, and as many received unless told otherwise."""
        back, back_size = received or (packets, size)
        expected = tuple(a + b for a, b in zip(
            before, (packets, packets * size, back, back * back_size)))
        try:
            wait_until(lambda: self.counters(**where) == expected, what, 10)
        except Timeout:
            self.assertEqual(self.counters(**where), expected, f"{what}, which was at {before}")

    def pings(self, guest, address, count):
        self.assertEqual(guest.ping(address, count=count, interval=0.05).received, count)

    # --- counting ----------------------------------------------------------------------------

    def test_each_binding_has_its_counters(self):
        self.eventually(lambda: set(self.rows(self.host1, "hardware_vtep")) == {
            ("alpha", 0), ("beta", 0), ("trunk", 10), ("trunk", 20)}, "hardware_vtep has its rows")
        self.eventually(lambda: set(self.rows(self.host1, "ms_vtep")) == {("sql", 0)},
                        "ms_vtep has its row")

    def test_pings_to_another_host_are_counted_on_both(self):
        self.assertTrue(self.sql.reaches(self.web.ip))
        places = [{"name": name, "database": "ms_vtep", "host": host}
                  for name, host in (("sql", self.host1), ("web", self.host2))]
        before = [self.settled(**place) for place in places]
        self.pings(self.sql, self.web.ip, 7)
        for place, counters in zip(places, before):
            self.grows_by(counters, 7, PING, place["name"], **place)

    def test_vlans_of_a_trunk_are_counted_apart(self):
        before = {place: self.settled(*place) for place in (("alpha", 0), ("trunk", 10),
                                                            ("trunk", 20), ("beta", 0))}
        self.pings(self.alpha, TRUNK[10], 5)
        self.pings(self.stacks[20], BETA[1], 3)
        # A frame counts as it came into the switch: with the tag that its sender used.
        self.grows_by(before["alpha", 0], 5, PING, "alpha", received=(5, PING + TAG), name="alpha")
        self.grows_by(before["trunk", 10], 5, PING + TAG, "VLAN 10", received=(5, PING),
                      name="trunk", vlan=10)
        self.grows_by(before["trunk", 20], 3, PING + TAG, "VLAN 20", received=(3, PING),
                      name="trunk", vlan=20)
        self.grows_by(before["beta", 0], 3, PING, "beta", received=(3, PING + TAG), name="beta")

    def test_a_broadcast_is_sent_once_and_received_by_each(self):
        before = {place: self.settled(*place) for place in (("alpha", 0), ("trunk", 10),
                                                            ("trunk", 20))}
        for _ in range(4):
            self.alpha.send_arp_request("10.1.1.200")
        self.grows_by(before["alpha", 0], 4, SHORTEST, "alpha", received=(0, 0), name="alpha")
        self.grows_by(before["trunk", 10], 0, 0, "VLAN 10", received=(4, SHORTEST), name="trunk", vlan=10)
        self.assertEqual(self.settled("trunk", 20), before["trunk", 20])

    def test_what_the_router_passes_on_is_counted(self):
        agent = self.host1.agent
        # The agent made it for the MACs that it has learned.
        locator = self.eventually(
            lambda: [row["_uuid"] for row in agent.rows("hardware_vtep", "Physical_Locator")
                     if row["dst_ip"] == HOSTS["host1"]], "the host's own locator is there")[0]
        agent.transact(
            "hardware_vtep",
            *[{"op": "insert", "table": "Ucast_Macs_Remote", "row": {
                "MAC": mac, "ipaddr": address, "locator": locator,
                "logical_switch": self.switch(name)}}
              for name, address, mac in (("floor", *ALPHA[1:]), ("attic", *BETA[1:]))],
            {"op": "insert", "table": "Logical_Router", "row": {"name": "stairs", "switch_binding":
             ["map", [["10.1.1.0/24", self.switch("floor")],
                      ["10.1.2.0/24", self.switch("attic")]]]}})
        for guest, gateway in ((self.alpha, "10.1.1.1"), (self.beta, "10.1.2.1")):
            guest.run("ip", "route", "replace", "default", "via", gateway)
            guest.set_neighbour(gateway, "00:15:5d:ff:ff:fe")
        self.assertTrue(self.alpha.reaches(BETA[1]))
        before = self.settled("alpha"), self.settled("beta")
        self.pings(self.alpha, BETA[1], 6)
        self.grows_by(before[0], 6, PING, "alpha", name="alpha")
        self.grows_by(before[1], 6, PING, "beta", name="beta")
        # The gateway's own answers come from no subnet.
        self.pings(self.alpha, "10.1.1.1", 2)
        self.grows_by(self.settled("beta"), 0, 0, "beta", name="beta")
        self.grows_by(before[0], 8, PING, "alpha", received=(6, PING), name="alpha")
        agent.transact("hardware_vtep", *[{"op": "delete", "table": table, "where": []}
                                          for table in ("Logical_Router", "Ucast_Macs_Remote")])

    def switch(self, name):
        [row] = self.host1.agent.rows("hardware_vtep", "Logical_Switch", ["_uuid"],
                                      [["name", "==", name]])
        return row["_uuid"]

    # --- life --------------------------------------------------------------------------------

    def test_a_row_comes_and_goes_with_its_binding(self):
        def vtep_ctl(*words):
            return run(["vtep-ctl", f"--db={self.host1.agent.socket}", *words]).stdout
        vtep_ctl("unbind-ls", "host1", "trunk", "20")
        self.eventually(lambda: ("trunk", 20) not in self.rows(self.host1, "hardware_vtep"),
                        "its row is gone")
        self.assertEqual(self.counters("trunk", 20), None)
        vtep_ctl("bind-ls", "host1", "trunk", "20", "attic")
        self.eventually(lambda: self.counters("trunk", 20) is not None, "it is there again")
        self.assertTrue(self.stacks[20].reaches(BETA[1]))
        before = self.settled("trunk", 20)
        self.pings(self.stacks[20], BETA[1], 2)
        self.grows_by(before, 2, PING + TAG, "VLAN 20", received=(2, PING), name="trunk", vlan=20)
        # As a person looks at them.
        self.assertIn("packets_from_local", vtep_ctl("list", "Logical_Binding_Stats"))

    def test_counters_that_a_controller_writes_are_put_right(self):
        before = self.settled("sql", database="ms_vtep")
        self.host1.agent.transact("ms_vtep", {
            "op": "update", "table": "Logical_Binding_Stats", "where": [],
            "row": {"packets_to_local": 1_000_000}})
        self.eventually(lambda: self.counters("sql", database="ms_vtep") == before,
                        "the row is as it was")
        self.host1.agent.transact("ms_vtep", {
            "op": "update", "table": "Physical_Port", "where": [["name", "==", "sql"]],
            "row": {"vlan_stats": ["map", []]}})
        self.eventually(lambda: self.counters("sql", database="ms_vtep") == before,
                        "the port has its row again")

    def test_a_restart_of_the_agent_loses_no_packet_of_ms_vtep(self):
        where = {"name": "sql", "database": "ms_vtep"}
        self.assertTrue(self.sql.reaches(self.web.ip))
        before = self.settled(**where)
        self.host1.agent.kill()
        self.pings(self.sql, self.web.ip, 4)
        self.host1.agent.start()
        self.grows_by(before, 4, PING, "while the agent was away", **where)
        self.pings(self.sql, self.web.ip, 3)
        self.grows_by(before, 7, PING, "and after", **where)

    def test_a_restart_of_the_switch_takes_nothing_back(self):
        where = {"name": "trunk", "vlan": 10}
        self.assertTrue(self.alpha.reaches(TRUNK[10]))
        before = self.settled(**where)
        self.host1.restart_vswitchd(9)
        self.eventually(lambda: (s := self.host1.agent.status()["switch"])["connected"] and
                        s["state"] == "idle", "the switch is programmed again")
        self.assertTrue(self.alpha.reaches(TRUNK[10]))
        after = self.settled(**where)
        self.assertTrue(all(a >= b for a, b in zip(after, before)), (before, after))
        self.pings(self.alpha, TRUNK[10], 3)
        self.grows_by(after, 3, PING + TAG, "VLAN 10", received=(3, PING), **where)

    def test_no_interval_no_counters(self):
        self.set_interval(0)
        try:
            for database in ("ms_vtep", "hardware_vtep"):
                self.eventually(lambda: self.rows(self.host1, database) == {},
                                f"{database} tells nothing")
        finally:
            self.set_interval(INTERVAL)
        self.eventually(lambda: len(self.rows(self.host1, "hardware_vtep")) == 4,
                        "the rows are there again")


if __name__ == "__main__":
    testing.main()
