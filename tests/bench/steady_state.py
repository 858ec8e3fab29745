#!/usr/bin/python3
"""What the agent asks of the switch when nothing changes, and what that costs.

    HNV_BIN_DIR=build/bin tests/bench/steady_state.py [MAPPINGS [SECONDS]]

One host with two ports of hardware_vtep, which are counted and learned from: idle with no mapping,
then with all. Prints the requests that ovs-vswitchd got, what they were for, the flows that it
answered with, and the CPU of both programs. Exits with 1 if any request was for all flows of all
tables, or if more flows were told of than without mappings.
"""

import collections
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bulk_mappings import confirm, load  # noqa: E402
from datapath_meter import cpu_of  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

REQUEST = re.compile(r"received: (OFP\w+)(?: request)?(?: \([^)]*\))*:? ?(.*)")
TOLD = re.compile(r"sent \(Success\): OFPST_FLOW reply")


def watch(host, seconds):
    """(requests by what they are for, flows told of, CPU of the switch, CPU of the agent)."""
    log = os.path.join(host.lab.log_dir, f"{host.name}-ovs-vswitchd.log")
    host.appctl("vlog/set", "vconn:file:dbg")
    host.appctl("vlog/disable-rate-limit", "vconn")
    start = os.path.getsize(log)
    pids = host.vswitchd.pid, host.agent.process.pid
    before = [cpu_of(pid) for pid in pids]
    time.sleep(seconds)  # What happens in this time is what is measured.
    spent = [(cpu_of(pid) - was) / seconds for pid, was in zip(pids, before)]
    host.appctl("vlog/set", "vconn:file:info")
    requests, told, answering = collections.Counter(), 0, False
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(start)
        for line in file:
            if line[:4].isdigit():
                answering = bool(TOLD.search(line))
            elif answering and "actions=" in line:
                told += 1
            found = REQUEST.search(line)
            if found and "ECHO" not in line:
                requests[f"{found[1]} {found[2].strip()}"] += 1
    return requests, told, spent


def show(name, seen, seconds):
    requests, told, (switch, agent) = seen
    print(f"{name}: {sum(requests.values())} requests in {seconds} s, {told} flows told of; "
          f"ovs-vswitchd {switch * 100:.2f} % of a CPU, hnv-agent {agent * 100:.2f} %")
    for request, count in sorted(requests.items()):
        print(f"  {count:4} {request}")


def bind(lab, host):
    run(["vtep-ctl", "--timeout=10", f"--db={host.agent.socket}", "add-ls", "floor"])
    for number, name in enumerate(("desk", "lamp")):
        host.add_guest(name, f"02:00:00:00:00:0{number}", f"10.1.1.{11 + number}/24",
                       attached_mac=False)
        run(["vtep-ctl", "--timeout=10", f"--db={host.agent.socket}", "add-port", "host1", name,
             "--", "bind-ls", "host1", name, "0", "floor", "--", "set", "Logical_Switch", "floor",
             "tunnel_key=77"])
    wait_until(lambda: host.agent.port("lamp")["state"] == "active", "the ports are active")
    # A MAC of each to be learned.
    wait_until(lambda: lab.guests["desk"].ping("10.1.1.12", count=1).received, "they meet", 20)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        host.agent.set_host(programming="proactive")
        bind(lab, host)
        few = watch(host, seconds)
        show("no mapping", few, seconds)
        client = Client(host.agent.socket.removeprefix("unix:"))
        load(client, count)
        confirm(client)
        flows = host.agent.status()["switch"]["flows"]
        many = watch(host, seconds)
        show(f"{count} mappings, {flows} flows", many, seconds)
    whole = [r for r in many[0] if r.startswith("OFPST_FLOW") and r.split(" ", 1)[1] in ("", "any")]
    return 1 if whole or many[1] > few[1] * 1.5 + 16 else 0


if __name__ == "__main__":
    sys.exit(main())
