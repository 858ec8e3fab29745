#!/usr/bin/python3
"""The quick start's seven steps, each with everything it claims."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import policy, quickstart, steps_forwarding, steps_operation, testing  # noqa: E402
from hnvlab.report import perform  # noqa: E402


class QuickStart(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.scene = quickstart.TwoTenants(cls.lab).raise_()
        steps_forwarding.start_servers(cls.scene)

    def holds(self, step):
        report = perform(0, step, self.scene)
        self.assertEqual(report.failures, [])
        self.assertTrue(report.passed)

    def test_1_arp_is_answered(self):
        self.holds(steps_forwarding.arp_is_answered)

    def test_2_unknown_stays_unanswered(self):
        self.holds(steps_forwarding.unknown_stays_unanswered)

    def test_3_each_reaches_its_own(self):
        self.holds(steps_forwarding.each_reaches_its_own)

    def test_4_encapsulation_is_right(self):
        self.holds(steps_forwarding.encapsulation_is_right)

    def test_5_tenants_are_apart(self):
        self.holds(steps_operation.tenants_are_apart)

    def test_6_policy_can_be_seen(self):
        self.holds(steps_operation.policy_can_be_seen)

    def test_7_crash_changes_nothing(self):
        self.holds(steps_operation.crash_changes_nothing)

    def test_8_agents_are_healthy_at_the_end(self):
        for host in self.lab.hosts.values():
            status = host.agent.status()
            self.assertTrue(status["healthy"], status["problems"])
            self.assertEqual(host.agent.report("faults"), [])

    def test_packaged_policies_are_this_deployment(self):
        for host in policy.HOSTS:
            path = os.path.join(quickstart.POLICIES, f"two-tenants-{host}.json")
            with open(path, encoding="utf-8") as file:
                packaged = json.load(file)
            keys = ("vsid", "ca", "mac", "pa")
            seen = {tuple(m[key] for key in keys) for m in packaged["mappings"]}
            wanted = {tuple(m[key] for key in keys)
                      for m in policy.for_host(host)["mappings"]}
            self.assertEqual(seen, wanted)
            self.assertEqual({p["name"] for p in packaged["ports"]},
                             {m.name for m in policy.MACHINES if m.host == host})


if __name__ == "__main__":
    testing.main()
