#!/usr/bin/python3
"""Crashes and restarts of the agent and of the switch: forwarding and data come through."""

import collections
import signal
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import steps_operation, testing  # noqa: E402
from hnvlab.agent import binary  # noqa: E402

DURABLE = (("ms_vtep", "Ucast_Macs_Remote"), ("ms_vtep", "Logical_Switch"),
           ("ms_vtep", "Logical_Router"), ("ms_vtep", "Physical_Locator"),
           ("ms_firewall", "FW_Rules"), ("hnv_host", "Provider_Address"))
EPHEMERAL = ("status",)


def durable_rows(agent):
    """{(table, uuid): row} without what needn't survive."""
    found = {}
    for database, table in DURABLE:
        for row in agent.rows(database, table):
            uuid = row.pop("_uuid")[1]
            row.pop("_version", None)
            found[table, uuid] = {k: str(v) for k, v in row.items() if k not in EPHEMERAL}
    return found


def shape(host):
    """What the host's flows are, regardless of when they were added."""
    return {(flow.key, flow.actions) for flow in host.flows()}


def outline(host):
    """How many flows there are of a kind; unlike their shape it survives new port numbers."""
    return collections.Counter((flow.table, flow.priority) for flow in host.flows())


class Restart(testing.DeploymentTestCase):
    def setUp(self):
        self.web, self.sql = self.guest("contoso-web"), self.guest("contoso-sql")
        for host in (self.host1, self.host2):
            if not host.agent.running:  # a test that failed may have left it so
                host.agent.start()
        self.assertTrue(self.web.reaches(self.sql.ip))

    def test_crashes_of_agents_lose_no_packet(self):
        crashes, result, in_time, _ = steps_operation.crash_under_traffic(self.deployment)
        self.assertTrue(in_time)
        self.assertEqual(result.lost, 0, result.output)
        for crash in crashes:
            self.assertTrue(crash.compare().clean, crash.compare())

    def test_a_controller_does_not_see_the_ports_go_and_come(self):
        """What the agent tells of its ports and their faults stands through a crash."""
        agent = self.host1.agent
        self.deployment.acls = {"fabrikam-sql": []}
        self.deployment.apply()
        self.addCleanup(self.deployment.apply)
        self.addCleanup(self.deployment.acls.clear)
        self.eventually(lambda: agent.fault_keys() == ["port-no-acl"], "a fault")
        before = self.told()
        self.assertEqual([len(rows) for rows in before], [1, 2, 1])
        agent.kill()
        agent.start()
        # Rows that went and came would be others.
        self.assertEqual(self.told(), before)

    def told(self):
        agent = self.host1.agent
        return [sorted(map(str, agent.rows(database, table, columns)))
                for database, table, columns in (
                    ("ms_vtep", "Ucast_Macs_Local", ["_uuid", "MAC", "ipaddr"]),
                    ("ms_vtep", "Physical_Port", ["_uuid", "name", "status"]),
                    ("hnv_host", "Fault", ["_uuid", "key", "since"]))]

    def test_an_orderly_stop_leaves_the_flows(self):
        before = shape(self.host1)
        self.host1.agent.kill(signal.SIGTERM)
        # Ended by the signal itself, as Open vSwitch's daemons are, after cleaning up.
        self.assertIn(self.host1.agent.process.exit_status, (0, -signal.SIGTERM))
        for name in ("hnv-agent.pid", "hnv-agent.ctl", "db.sock"):
            self.assertFalse(os.path.exists(os.path.join(self.host1.agent.run_dir, name)), name)
        self.assertEqual(shape(self.host1), before)
        self.assertEqual(self.web.ping(self.sql.ip, count=5).lost, 0)
        self.host1.agent.start()
        self.assertEqual(shape(self.host1), before)

    def test_committed_data_survive_a_crash(self):
        agent = self.host1.agent
        before = durable_rows(agent)
        self.assertGreater(len(before), 10)
        agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                   "row": {"name": "written just before the crash"}})
        agent.kill()
        agent.start()
        after = durable_rows(agent)
        self.assertIn("written just before the crash",
                      [row.get("name") for row in after.values()])
        agent.transact("ms_vtep", {"op": "delete", "table": "Logical_Router",
                                   "where": [["name", "==", "written just before the crash"]]})
        self.assertEqual(durable_rows(agent), before)

    def test_a_wrong_flow_is_mended_and_the_right_ones_left(self):
        host = self.host1
        before = {flow.key: flow for flow in host.flows()}
        victim = next(f for f in before.values() if f.table > 0 and f.match)
        host.agent.kill()
        bridge = f"unix:{host.ovs_dir}/br-hnv.mgmt"
        match = f"table={victim.table},priority={victim.priority},{victim.match}"
        host.ofctl("--strict", "del-flows", bridge, match)
        host.ofctl("add-flow", bridge, "table=0,priority=77,dl_type=0x1234,actions=drop")
        host.agent.start()
        self.eventually(lambda: {f.key for f in host.flows()} == set(before),
                        "the deleted flow is back and the foreign one gone")
        after = {flow.key: flow for flow in host.flows()}
        rewritten = [key for key, flow in before.items()
                     if key != victim.key and after[key].duration < flow.duration]
        self.assertEqual(rewritten, [])

    def test_flows_come_back_after_a_switch_crash(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(signal=number):
                before = outline(self.host1)
                self.host1.restart_vswitchd(number)
                self.eventually(lambda: outline(self.host1) == before, "all flows are back", 20)
                self.assertTrue(self.web.reaches(self.sql.ip, timeout=20))

    def test_both_crash_together(self):
        before = outline(self.host2)
        self.host2.agent.kill()
        self.host2.restart_vswitchd(signal.SIGKILL)
        self.host2.agent.start()
        self.eventually(lambda: outline(self.host2) == before, "all flows are back", 20)
        self.assertTrue(self.web.reaches(self.sql.ip, timeout=20))

    def test_a_replugged_guest_works_again(self):
        before = outline(self.host2)
        self.addCleanup(self.web.plug)
        self.web.unplug()
        self.eventually(lambda: self.host2.agent.port("contoso-web")["state"] == "unplugged",
                        "the port is seen to be gone")
        self.eventually(lambda: outline(self.host2) != before, "its flows are gone")
        self.web.plug()
        self.eventually(lambda: outline(self.host2) == before, "its flows are back")
        self.assertTrue(self.web.reaches(self.sql.ip, timeout=20))


    def test_a_second_agent_in_the_same_directory_is_refused_and_harms_nothing(self):
        first = self.host1.agent
        before = shape(self.host1)
        for directory in (first.db_dir, os.path.join(self.host1.directory, "other-db")):
            os.makedirs(directory, exist_ok=True)
            second = self.lab.spawn(
                [binary("hnv-agent"), f"--db-dir={directory}", f"--run-dir={first.run_dir}",
                 f"--ovs-run-dir={self.host1.ovs_dir}", "--name=second", "--bridge=br-hnv",
                 "--datapath-type=netdev"],
                namespace=self.host1.namespace, log="second-agent.out", env=self.host1.env)
            self.eventually(lambda: not second.alive, "the second agent gives up")
            self.assertGreater(second.exit_status, 0)
            self.assertTrue(first.running)
            self.assertEqual(first.status()["pid"], self.agent_pid())
            self.assertEqual(first.rows("ms_vtep", "Physical_Switch", ["name"]),
                             [{"name": "host1"}])
            self.assertEqual(shape(self.host1), before)
        first.kill()
        first.start()
        self.assertEqual(shape(self.host1), before)

    def agent_pid(self):
        with open(f"{self.host1.agent.run_dir}/hnv-agent.pid", encoding="ascii") as file:
            return int(file.read())


if __name__ == "__main__":
    testing.main()
