#!/usr/bin/python3
"""On-demand programming: the flows of a remote MAC come with the first word to it, and go with time.

Alpha and Beta are on host 1, Gamma and Delta on host 2; Delta is in another subnet of their network.
"""

import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.policy import Machine, Tenant, for_host  # noqa: E402

RDID = "b3f6a2c1-5d0e-4c7a-9f21-6e8d40c75001"
FLOOR, CELLAR = Tenant("Floor", 5001, RDID), Tenant("Cellar", 5002, RDID, "10.1.2.0/24")
ALPHA = Machine("alpha", FLOOR, "10.1.1.11", "00:15:5d:50:01:0b", "host1")
BETA = Machine("beta", FLOOR, "10.1.1.12", "00:15:5d:50:01:0c", "host1")
GAMMA = Machine("gamma", FLOOR, "10.1.1.13", "00:15:5d:50:01:0d", "host2")
DELTA = Machine("delta", CELLAR, "10.1.2.14", "00:15:5d:50:02:0e", "host2")
NOBODY = "00:15:5d:50:01:ff"
IDLE = 2
PORT = 7000


class OnDemand(testing.DeploymentTestCase):
    machines = (ALPHA, BETA, GAMMA, DELTA)

    @classmethod
    def build(cls):
        super().build()
        cls.alpha, cls.beta, cls.gamma, cls.delta = (cls.lab.guests[m.name] for m in cls.machines)
        cls.agent = cls.host1.agent
        for guest in cls.lab.guests.values():
            gateway = guest.ip.rpartition(".")[0] + ".1"
            guest.run("ip", "route", "replace", "default", "via", gateway)

    def setUp(self):
        if not self.agent.running:
            self.agent.start()
        self.set_host(programming="on-demand")
        # What a test before has used goes at once.
        self.set_host(programming="proactive")
        self.set_host(programming="on-demand", on_demand_idle_seconds=600)
        self.eventually(lambda: self.forget() == [], "nothing is programmed")

    def forget(self):
        """Lets all go that is idle."""
        if self.programmed():
            self.set_host(programming="on-demand", on_demand_idle_seconds=IDLE)
            self.eventually(lambda: self.programmed() == [], "what is idle goes", 8 * IDLE)
            self.set_host(programming="on-demand", on_demand_idle_seconds=600)
        return self.programmed()

    def set_host(self, **settings):
        for host in (self.host1, self.host2):
            host.agent.set_host(**settings)
            host.agent.confirm()

    def programmed(self):
        """Other hosts' MACs of the floor that host 1 has flows for; its own are always there."""
        flows = self.host1.ofctl("dump-flows", "br-hnv", "table=22,reg0=5001").splitlines()
        return sorted(m.mac for m in self.machines if m.host != "host1" and
                      any(f"dl_dst={m.mac}" in line for line in flows))

    def demand(self, name):
        return self.agent.status()["on_demand"][name]

    def talk(self, sender, receiver, count):
        """Datagrams in one go; returns what comes, in its order."""
        with receiver.socket(kind=socket.SOCK_DGRAM) as there, \
                sender.socket(kind=socket.SOCK_DGRAM) as here:
            there.bind(("0.0.0.0", PORT))
            there.settimeout(2.0)
            for number in range(count):
                here.sendto(b"%d" % number, (receiver.ip, PORT))
            return [int(there.recv(100)) for _ in range(count)]

    # --- tests -------------------------------------------------------------------------------

    def test_a_question_for_its_mac_programs_a_destination(self):
        self.alpha.forget_neighbours()
        asked = self.demand("packets")
        self.alpha.send_arp_request(self.gamma.ip)
        self.eventually(lambda: self.programmed() == [GAMMA.mac], "it is there")
        self.assertEqual(self.demand("packets"), asked)
        self.assertGreater(self.demand("announced"), 0)

    def test_first_packets_wait_and_go_on_in_their_order(self):
        self.alpha.set_neighbour(self.gamma.ip, self.gamma.mac)  # Without a question.
        self.gamma.set_neighbour(self.alpha.ip, self.alpha.mac)
        self.assertEqual(self.talk(self.alpha, self.gamma, 50), list(range(50)))
        self.assertEqual(self.programmed(), [GAMMA.mac])
        self.assertEqual(self.demand("lost"), 0)

    def test_first_packets_through_the_router_wait_too(self):
        self.assertEqual(self.talk(self.alpha, self.delta, 10), list(range(10)))
        self.assertTrue(self.delta.reaches(self.beta.ip))

    def test_what_nobody_has_is_refused_as_ever(self):
        unknown = self.demand("unknown")
        self.alpha.send(packet.udp_frame(NOBODY, self.alpha.mac, self.alpha.ip, "10.1.1.99", b"?"))
        self.eventually(lambda: self.demand("unknown") == unknown + 1, "it was asked for")
        done = self.alpha.run("ping", "-n", "-c", 1, "-W", 2, "10.1.2.99", check=False)
        self.assertIn("Destination Host Unreachable", done.stdout)
        self.assertEqual(self.programmed(), [])

    def test_what_is_idle_goes_and_what_is_used_stays(self):
        self.set_host(programming="on-demand", on_demand_idle_seconds=IDLE)
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        begin = time.monotonic()
        while time.monotonic() - begin < 3 * IDLE:
            self.assertTrue(self.alpha.ping(self.gamma.ip, count=1).received)
            self.assertEqual(self.programmed(), [GAMMA.mac])
        self.eventually(lambda: self.programmed() == [], "it goes", 8 * IDLE)
        self.assertGreater(self.demand("aged_out"), 0)
        self.assertTrue(self.alpha.ping(self.gamma.ip, count=3, interval=0.02).lost == 0)

    def test_a_mapping_that_changes_or_goes_is_followed_at_once(self):
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        content = for_host("host1", self.machines)
        for each in content["mappings"]:
            if each["mac"] == GAMMA.mac:
                each["pa"] = "192.168.3.30"
        self.agent.apply(content)
        self.assertIn("192.168.3.30", self.host1.ofctl("dump-flows", "br-hnv", "table=22"))
        content["mappings"] = [m for m in content["mappings"] if m["mac"] != GAMMA.mac]
        self.agent.apply(content)
        self.assertEqual(self.programmed(), [])
        self.addCleanup(self.deployment.apply)

    def test_a_restart_of_the_agent_keeps_what_is_used(self):
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        self.assertTrue(self.alpha.reaches(self.delta.ip))
        self.agent.confirm()
        ping = self.lab.spawn(["ping", "-n", "-i", "0.02", "-c", "150", self.gamma.ip],
                              namespace=self.alpha.namespace, log="restart-ping.out")
        self.agent.kill()
        self.agent.start()
        self.eventually(lambda: (s := self.agent.status()["switch"])["state"] == "idle" and
                        s["read_backs"] > 0, "the agent has read the switch back")
        status = self.agent.status()["switch"]
        self.assertEqual((status["repaired"], status["stray"]), (0, 0))
        self.assertIn(GAMMA.mac, self.programmed())
        ping.wait_gone(20.0)
        with open(ping.log, encoding="utf-8") as log:
            self.assertIn(" 0% packet loss", log.read())

    def test_a_restart_of_the_switch_forgets_and_asks_again(self):
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        self.host1.restart_vswitchd(signal.SIGKILL)
        self.assertTrue(self.alpha.reaches(self.gamma.ip))

    def test_programming_can_change_under_traffic(self):
        self.assertTrue(self.alpha.reaches(self.gamma.ip))
        ping = self.lab.spawn(["ping", "-n", "-i", "0.01", "-c", "200", self.gamma.ip],
                              namespace=self.alpha.namespace, log="change-ping.out")
        for programming in ("proactive", "on-demand", "proactive", "on-demand"):
            self.set_host(programming=programming)
        ping.wait_gone(20.0)
        with open(ping.log, encoding="utf-8") as log:
            self.assertIn(" 0% packet loss", log.read())

    def test_a_subnet_may_say_for_itself(self):
        self.agent.transact("ms_vtep", {
            "op": "update", "table": "Logical_Switch", "where": [["tunnel_key", "==", 5001]],
            "row": {"other_config": ["map", [["programming", "proactive"]]]}})
        self.addCleanup(self.agent.transact, "ms_vtep", {
            "op": "update", "table": "Logical_Switch", "where": [["tunnel_key", "==", 5001]],
            "row": {"other_config": ["map", []]}})
        self.agent.confirm()
        self.assertIn(GAMMA.mac, self.programmed())


if __name__ == "__main__":
    testing.main()
