"""The quick start: raises the two-tenant deployment, plays its controller, shows what happens.

`python3 -m hnvlab.quickstart` raises it and leaves it up; `--down` takes it down. The build is
packaging/quickstart's part.
"""

import argparse
import json
import os
import shutil
import sys
import time

from . import policy, steps_forwarding, steps_operation
from .agent import SOURCE_DIR, binary
from .lab import Lab, leftovers, take_down
from .report import paint, perform
from .shell import CommandError, Timeout

STATE_DIR = "/run/hnv-quickstart"
PREFIX = "hnv-"
POLICIES = os.path.join(SOURCE_DIR, "packaging", "policies")

STEPS = (
    steps_forwarding.arp_is_answered,
    steps_forwarding.unknown_stays_unanswered,
    steps_forwarding.each_reaches_its_own,
    steps_forwarding.encapsulation_is_right,
    steps_operation.tenants_are_apart,
    steps_operation.policy_can_be_seen,
    steps_operation.crash_changes_nothing,
)


class TwoTenants(policy.Deployment):
    """The deployment as its policy files have it.

    The files that were applied last lie in the lab's state directory, for a user to edit and apply
    again.
    """

    def __init__(self, lab, say=lambda line: None):
        super().__init__(lab)
        self._say = say

    def policy_path(self, host):
        return os.path.join(self.lab.state_dir, f"policy-{host}.json")

    def apply(self):
        for name, host in self.lab.hosts.items():
            self._write_policy(name)
            for line in host.agent.apply(self.policy_path(name)).splitlines():
                self._say(f"    {name}: {line}")

    def _write_policy(self, host):
        """The packaged file, and whatever machines were added since."""
        with open(os.path.join(POLICIES, f"two-tenants-{host}.json"), encoding="utf-8") as file:
            content = json.load(file)
        added = [m for m in self.machines if m not in policy.MACHINES]
        content["mappings"] += [policy.mapping(machine) for machine in added]
        local = [machine for machine in added if machine.host == host]
        content["ports"] += [{"name": m.name, "vsid": m.tenant.vsid} for m in local]
        content["acls"] += [r for m in local for r in policy.allow_all(m.name)]
        with open(self.policy_path(host), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)


PICTURE = """\
      host1  PA 192.168.1.10            router            host2  PA 192.168.2.20
   contoso-sql   10.1.1.11  VSID 5001     |      VSID 5001  10.1.1.12   contoso-web
   fabrikam-sql  10.1.1.11  VSID 6001  ---+---   VSID 6001  10.1.1.12   fabrikam-web"""


def raise_deployment():
    print(paint("\nThe deployment", "1"))
    print(PICTURE, flush=True)
    begin = time.monotonic()
    if take_down(STATE_DIR):
        print("  (the one that was up has been taken down first)", flush=True)
    lab = Lab(PREFIX, STATE_DIR, outlive=True)
    scene = TwoTenants(lab, lambda line: print(line, flush=True)).raise_()
    steps_forwarding.start_servers(scene)
    print(f"  up in {time.monotonic() - begin:.1f} s: each host has its own ovsdb-server, "
          "ovs-vswitchd and hnv-agent; the policy went in over OVSDB", flush=True)
    return scene


def summarise(reports, seconds):
    print(paint("\nSummary", "1"))
    for report in reports:
        verdict = paint("PASS", "32") if report.passed else paint("FAIL", "31;1")
        print(f"  {verdict}  {report.number}. {report.title}  ({report.seconds:.1f} s)")
        for failure in report.failures:
            print(f"        not so: {failure}")
    passed = sum(report.passed for report in reports)
    print(f"\n  {passed} of {len(reports)} steps passed in {seconds:.0f} s; "
          f"logs and captures: {STATE_DIR}")


def suggest():
    run_dir = os.path.join(STATE_DIR, "host1", "agent")
    hnvctl = binary("hnvctl")
    if hnvctl.startswith(SOURCE_DIR + "/"):
        hnvctl = os.path.relpath(hnvctl, SOURCE_DIR)
    print(paint("\nWhat to try next (the lab is up)", "1"))
    print(f"""\
  a shell in a guest          ip netns exec {PREFIX}contoso-web bash
  the agent's own view        {hnvctl} --run-dir={run_dir} status
  edit the policy, apply it   {hnvctl} --run-dir={run_dir} apply \\
                                {STATE_DIR}/policy-host1.json --wait
  watch changes as a client   ovsdb-client monitor unix:{run_dir}/db.sock ms_vtep
  the flows on host1          ovs-ofctl dump-flows {STATE_DIR}/host1/ovs/br-hnv.mgmt
  the wire, decoded           ip netns exec {PREFIX}host1 tcpdump -n -i nic0 udp port 4789
  take it down                packaging/quickstart --down""", flush=True)


def up():
    begin = time.monotonic()
    try:
        scene = raise_deployment()
    except (CommandError, Timeout, OSError, AssertionError) as trouble:
        print(f"quickstart: the deployment does not come up: {trouble}\n"
              f"logs: {STATE_DIR}/log; `packaging/quickstart --down` takes the rest down",
              file=sys.stderr)
        return 1
    reports = [perform(number, step, scene, sys.stdout)
               for number, step in enumerate(STEPS, start=1)]
    summarise(reports, time.monotonic() - begin)
    suggest()
    return 0 if all(report.passed for report in reports) else 1


def down():
    """Takes the lab down and looks whether anything of it is left."""
    record = take_down(STATE_DIR)
    shutil.rmtree(STATE_DIR, ignore_errors=True)
    left = leftovers(record) if record else []
    if left or os.path.exists(STATE_DIR):
        print(f"quickstart: still there: {', '.join(left) or STATE_DIR}", file=sys.stderr)
        return 1
    print(f"the lab is down: {len(record['processes'])} processes, {len(record['namespaces'])} "
          "namespaces and their directory are gone" if record else "no lab was up")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--down", action="store_true", help="take the lab down")
    return down() if parser.parse_args().down else up()


if __name__ == "__main__":
    sys.exit(main())
