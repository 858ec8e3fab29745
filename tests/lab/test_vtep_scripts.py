#!/usr/bin/python3
"""networking-l2gw and OpenDaylight at hardware_vtep, as scripts of what they say.

Desk is on host 1, whose agent the scripts are played against; Cloud is on host 2, bound by hand.
Each script is played over a connection to the port for controllers, and over one that the agent
has dialled because of a Manager row.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, testing, vtep_scripts  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402
from hnvlab.vtep_scripts import Session, play, row_named  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.1.20"}
DESK = ("desk", "10.1.1.11", "02:00:00:00:00:0a")
CLOUD = ("cloud", "10.1.1.21", "02:00:00:00:00:1a")
SECOND = ("10.1.1.22", "02:00:00:00:00:1b")
VNI = 71
MONITOR = "0c2d8f5e-7c1a-4d9e-9b60-1f1d7d1f6f01"


class VtepScripts(testing.LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, pa in HOSTS.items():
            cls.lab.hosts[name].agent.apply(
                {"version": 1, "provider_addresses": [{"address": f"{pa}/24"}]})
        cls.host, cls.other = (cls.lab.hosts[name] for name in HOSTS)
        cls.agent = cls.host.agent
        cls.desk = cls.host.add_guest(DESK[0], DESK[2], f"{DESK[1]}/24")
        cls.cloud = cls.other.add_guest(CLOUD[0], CLOUD[2], f"{CLOUD[1]}/24")
        # Neither controller makes ports: it binds those that are there.
        cls.agent.transact("hnv_host", {
            "op": "mutate", "table": "Host", "where": [],
            "mutations": [["settings", "insert", ["map", [["vtep_list_ports", "true"]]]]]})
        wait_until(lambda: cls.vtep_ctl("host1", "list-ports", "host1") == "desk",
                   "Desk's port is listed")
        cls.vtep_ctl("host2", "add-ls", "office", "--", "set", "Logical_Switch", "office",
                     f"tunnel_key={VNI}", "--", "add-port", "host2", "cloud", "--",
                     "bind-ls", "host2", "cloud", "0", "office", "--",
                     "add-ucast-remote", "office", DESK[2], HOSTS["host1"])
        wait_until(lambda: cls.host.ping_host(cls.other) and cls.other.ping_host(cls.host),
                   "the hosts see another")

    @classmethod
    def vtep_ctl(cls, host, *words):
        return run(["vtep-ctl", f"--db={cls.lab.hosts[host].agent.socket}", *words]).stdout.strip()

    def setUp(self):
        self.names = {"pa": HOSTS["host2"], "other_pa": "192.168.1.30", "mac": CLOUD[2],
                      "ip": CLOUD[1], "second_ip": SECOND[0], "second_mac": SECOND[1],
                      "switch_name": "office", "vni": VNI, "port_name": "desk"}

    def tearDown(self):
        """Nothing stays of a script that failed half way."""
        self.agent.transact("hardware_vtep", {"op": "update", "table": "Physical_Port", "where": [],
                                              "row": {"vlan_bindings": ["map", []]}})
        self.eventually(lambda: self.agent.transact(
            "hardware_vtep", *({"op": "delete", "table": table, "where": []} for table in (
                "Ucast_Macs_Remote", "Mcast_Macs_Remote", "Logical_Switch"))), "all is deleted")
        self.eventually(lambda: not self.is_heard(), "Cloud is heard no more")

    def connect(self):
        """A connection to the port for controllers."""
        connection = netns.open_socket(self.host.namespace)
        connection.connect(("127.0.0.1", 6640))
        session = Session(connection)
        self.addCleanup(session.close)
        return session

    def be_dialled(self, *options):
        """A connection that the agent makes because a Manager row says so."""
        listener = netns.open_socket(self.host.namespace)
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(10)
        target = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        self.vtep_ctl("host1", *options, "set-manager", target)
        self.addCleanup(self.vtep_ctl, "host1", "del-manager")
        session = Session(listener.accept()[0])
        self.addCleanup(session.close)
        return session

    def is_heard(self):
        return self.desk.ping(CLOUD[1], count=1).received == 1

    def mapped(self):
        """{MAC: provider address} of what the agent has in its policy for the switch."""
        return {each["mac"]: each["pa"] for each in self.agent.report("mappings")
                if each["vsid"] == VNI}

    def is_told_of_desk(self, session):
        """Desk was learned: a controller tells the others of it by these rows."""
        switch = ["uuid", self.names["switch"]]
        local = session.wait_for_update(
            lambda table, change: table == "Ucast_Macs_Local" and
            change.get("new", {}).get("MAC") == DESK[2], "Desk's MAC is local")
        self.assertEqual(local["new"]["logical_switch"], switch)
        here = session.wait_for_update(
            lambda table, change: table == "Physical_Locator" and
            change.get("new", {}).get("dst_ip") == HOSTS["host1"], "this host's locator")
        self.assertEqual(here["new"]["encapsulation_type"], "vxlan_over_ipv4")
        flood = session.wait_for_update(lambda table, change: table == "Mcast_Macs_Local" and
                                        "new" in change, "who is to hear broadcasts")
        self.assertEqual((flood["new"]["MAC"], flood["new"]["logical_switch"]),
                         ("unknown-dst", switch))

    def is_told_that_desk_left(self, session):
        """Until then a switch can't be deleted, since local MACs refer to it: as on any VTEP."""
        for local in ("Ucast_Macs_Local", "Mcast_Macs_Local"):
            session.wait_for_update(lambda table, change, local=local: table == local and
                                    "new" not in change, f"no row of {local}")

    # --- networking-l2gw ---------------------------------------------------------------------

    def monitored(self, session):
        """What networking-l2gw keeps of its monitor's first answer."""
        [call] = vtep_scripts.L2GW_MONITOR
        contents = session.call(call.method, call.params)
        self.assertEqual(list(contents["Physical_Switch"].values())[0]["new"]["name"], "host1")
        self.names["port"] = row_named(contents, "Physical_Port", "desk")
        row = contents["Physical_Port"][self.names["port"]]["new"]
        self.assertLessEqual({"name", "vlan_bindings", "port_fault_status"}, set(row))
        self.assertEqual(row["vlan_bindings"], ["map", []])

    def perform_l2gw(self, monitor, writer):
        """`writer` gives the connection of each write."""
        self.monitored(monitor)
        self.assertFalse(self.is_heard())
        play(writer(), vtep_scripts.L2GW_CONNECT, self.names)
        switch, port = self.names["switch"], self.names["port"]
        bound = monitor.wait_for_update(
            lambda table, change: table == "Physical_Port" and
            change.get("new", {}).get("vlan_bindings") == ["map", [[0, ["uuid", switch]]]],
            "the port is bound")
        # Of a monitor that names no columns _version is one, and has changed too.
        self.assertEqual(set(bound["old"]), {"vlan_bindings", "_version"})
        self.assertEqual(bound["old"]["vlan_bindings"], ["map", []])
        self.assertEqual(bound["new"]["name"], "desk")
        for table in ("Logical_Switch", "Physical_Locator", "Ucast_Macs_Remote"):
            monitor.wait_for_update(lambda changed, change, table=table: changed == table and
                                    "new" in change and "old" not in change, f"a row of {table}")
        self.assertTrue(self.desk.reaches(CLOUD[1]))
        self.assertTrue(self.cloud.reaches(DESK[1]))
        self.is_told_of_desk(monitor)

        play(writer(), vtep_scripts.L2GW_ADD_MAC, self.names)
        self.eventually(lambda: self.mapped().get(SECOND[1]) == HOSTS["host2"], "it is mapped")
        play(writer(), vtep_scripts.L2GW_MOVE_MAC, self.names)
        self.eventually(lambda: self.mapped().get(SECOND[1]) == "192.168.1.30", "it has moved")

        play(writer(), vtep_scripts.L2GW_DISCONNECT, self.names)
        self.is_told_that_desk_left(monitor)
        for call in vtep_scripts.L2GW_DELETE:
            play(writer(), [call], self.names)
        gone = monitor.wait_for_update(lambda table, change: table == "Logical_Switch" and
                                       "new" not in change, "the switch is gone")
        self.assertEqual(gone["old"]["name"], "office")
        self.eventually(lambda: not self.is_heard(), "Cloud is heard no more")
        self.assertEqual(self.mapped(), {})
        self.assertEqual(monitor.updates[0][0], None)  # The monitor's id.
        self.assertTrue(port)

    def test_l2gw_connects_and_writes_each_on_a_connection_of_its_own(self):
        self.perform_l2gw(self.connect(), self.connect)

    def test_l2gw_is_dialled_and_waits_for_an_echo(self):
        """By default the agent asks for one when nothing was said for five seconds."""
        session = self.be_dialled()
        session.wait_for_first_echo()
        self.perform_l2gw(session, lambda: session)

    def test_l2gw_stays_as_long_as_it_answers_echoes(self):
        session = self.be_dialled("--inactivity-probe=1000")
        session.wait_for_first_echo()
        self.monitored(session)
        self.eventually(lambda: "ACTIVE" in self.vtep_ctl("host1", "--bare", "--columns=status",
                                                          "list", "Manager"), "its status is told")
        while session.echoes < 3:
            message = session.receive()
            self.assertIn(message["method"], ("echo", "update"))
            if message["method"] == "echo":
                session.answer_echo(message)
        # It answers no more, and is let go.
        with self.assertRaises((ConnectionError, socket.timeout)) as left:
            while True:
                session.receive()
        self.assertIsInstance(left.exception, ConnectionError)

    # --- OpenDaylight ------------------------------------------------------------------------

    def perform_odl(self, session):
        names = self.names
        play(session, vtep_scripts.ODL_FIRST, names)
        self.assertIn(vtep_scripts.DATABASE, names["databases"])
        tables = names["tables"]
        with open("/usr/share/openvswitch/vtep.ovsschema", encoding="utf-8") as file:
            self.assertEqual(set(tables), set(vtep_scripts.json.load(file)["tables"]))
        play(session, vtep_scripts.odl_select_everything(tables), names)
        [switch] = names["rows of Physical_Switch"]
        self.assertEqual(switch["name"], "host1")
        self.assertEqual(set(switch), {*tables["Physical_Switch"]["columns"], "_uuid", "_version"})
        self.assertEqual(switch["tunnel_ips"], HOSTS["host1"])
        play(session, vtep_scripts.odl_monitor_everything(tables, MONITOR), names)
        first = names["contents"]["Physical_Switch"]
        self.assertEqual([row["new"]["_uuid"] for row in first.values()], [switch["_uuid"]])

        self.assertFalse(self.is_heard())
        for script in (vtep_scripts.ODL_SWITCH, vtep_scripts.ODL_MACS, vtep_scripts.ODL_PORT):
            play(session, script, names)
        self.assertTrue(self.desk.reaches(CLOUD[1]))
        self.assertTrue(self.cloud.reaches(DESK[1]))
        session.wait_for_update(
            lambda table, change: table == "Physical_Port" and
            change.get("new", {}).get("vlan_bindings") == ["map", [[0, ["uuid", names["switch"]]]]],
            "the port is bound")
        session.wait_for_update(
            lambda table, change: table == "Mcast_Macs_Remote" and
            change.get("new", {}).get("_uuid") == ["uuid", names["group"]], "the group is there")
        self.is_told_of_desk(session)
        self.assertEqual({update[0] for update in session.updates}, {MONITOR})

        play(session, vtep_scripts.ODL_UNBIND, names)
        self.is_told_that_desk_left(session)
        play(session, vtep_scripts.ODL_DELETE, names)
        self.eventually(lambda: not self.is_heard(), "Cloud is heard no more")
        session.wait_for_update(lambda table, change: table == "Logical_Switch" and
                                "new" not in change, "the switch is gone")
        self.assertEqual(session.call("monitor_cancel", [MONITOR]), {})
        self.assertLess(session.slowest, 1.0)  # It gives up a call that takes longer.

    def test_odl_connects(self):
        self.perform_odl(self.connect())

    def test_odl_is_dialled(self):
        self.perform_odl(self.be_dialled())


if __name__ == "__main__":
    testing.main()
