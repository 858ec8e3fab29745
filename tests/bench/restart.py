#!/usr/bin/python3
"""Restarts with many mappings: the agent beside a stock ovsdb-server with a copy of its database.

    HNV_BIN_DIR=build/bin tests/bench/restart.py [MAPPINGS [ROUNDS]]

Each round starts a stock ovsdb-server with the agent's ms_vtep file, until it answers a select;
then kills and starts the agent, while one guest sends another 10,000 packets a second, until it has
read the switch back. At the end ovs-vswitchd is killed and started, until all flows are back.
Prints a line of JSON for each and one with the ratio; asserts nothing. Quote ratios of one run.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from arp import policy  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

GUESTS = [("sender", "02:bb:00:00:00:01", "10.200.0.1"),
          ("receiver", "02:bb:00:00:00:02", "10.200.0.2")]
PACKETS_A_SECOND = 10_000
BURST = 10
PORT = 4000
POLL = 0.002
SO_RCVBUFFORCE = 33
ASK = {"op": "select", "table": "Global", "where": [], "columns": ["next_cfg"]}


class Stream:
    """UDP between two guests while the `with` block runs; then `sent` and `lost`."""

    def __init__(self, sender, receiver):
        self._target = (receiver.ip, PORT)
        self._out = sender.socket(kind=socket.SOCK_DGRAM)
        self._in = receiver.socket(kind=socket.SOCK_DGRAM)
        self._in.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._in.bind(("0.0.0.0", PORT))
        self._in.settimeout(0.5)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._send, self._receive)]
        self.sent = self.lost = 0
        self._received = 0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.lost = self.sent - self._received
        self._out.close()
        self._in.close()

    def _send(self):
        begin = time.monotonic()
        while not self._stopping.is_set():
            due = int((time.monotonic() - begin) * PACKETS_A_SECOND) - self.sent
            if due < BURST:
                time.sleep(BURST / PACKETS_A_SECOND)
                continue
            for _ in range(BURST):
                self._out.sendto(struct.pack("!I", self.sent), self._target)
                self.sent += 1

    def _receive(self):
        while True:
            try:
                self._in.recv(64)
                self._received += 1
            except socket.timeout:
                if self._stopping.is_set():
                    return


def switch_status(path):
    """The agent's switch, by its control socket itself: no process for each question."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        control.connect(path)
        control.sendall(json.dumps({"method": "hnv/status", "params": [], "id": 0}).encode())
        text = b""
        while True:
            chunk = control.recv(1 << 16)
            if not chunk:
                raise ConnectionError("closed")
            text += chunk
            try:
                return json.loads(json.loads(text)["result"])["switch"]
            except ValueError:
                continue


def answers(path):
    client = Client(path)
    try:
        return client.transact("ms_vtep", ASK)[0]["rows"]
    finally:
        client.close()


def restart_stock(lab, host, turn):
    base = os.path.join(host.directory, f"stock{turn}")
    shutil.copyfile(os.path.join(host.agent.db_dir, "ms_vtep.db"), base + ".db")
    begin = time.monotonic()
    server = lab.spawn(["ovsdb-server", f"--remote=punix:{base}.sock", f"--unixctl={base}.ctl",
                        base + ".db"], namespace=host.namespace, log="stock.log")
    wait_until(lambda: answers(base + ".sock"), "the stock server answers", 60, POLL)
    took = time.monotonic() - begin
    server.end()
    return took


def restart_agent(host, guests, flows):
    agent = host.agent
    control = f"{agent.run_dir}/hnv-agent.ctl"

    def agreed():
        status = switch_status(control)
        return status["state"] == "idle" and status["read_backs"] > 0 and status

    oldest = min(flow.duration for flow in host.flows())
    before = time.monotonic()
    with Stream(*guests) as stream:
        agent.kill()
        begin = time.monotonic()
        agent.launch()
        wait_until(lambda: answers(agent.socket.removeprefix("unix:")), "it answers", 120, POLL)
        answered = time.monotonic() - begin
        status = wait_until(agreed, "it agrees with the switch", 120, POLL)
        took = time.monotonic() - begin
    youngest = min(flow.duration for flow in host.flows())
    return {"answers_s": round(answered, 3), "agreed_s": round(took, 3), "sent": stream.sent,
            "lost": stream.lost, "kept": status["kept"], "repaired": status["repaired"],
            "stray": status["stray"], "flows": flows,
            "none_rewritten": youngest >= oldest + (time.monotonic() - before) * 0.5}


def restart_switch(host, flows):
    host.vswitchd.signal(signal.SIGKILL)
    host.vswitchd.wait_gone(5.0)
    begin = time.monotonic()
    host.restart_vswitchd(signal.SIGKILL)
    up = time.monotonic() - begin

    def back():
        status = switch_status(f"{host.agent.run_dir}/hnv-agent.ctl")
        return status["state"] == "idle" and status["flows"] >= flows and status["repaired"]

    wait_until(back, "all flows are back", 120, POLL)
    return {"vswitchd_up_s": round(up, 3), "flows_back_s": round(time.monotonic() - begin, 3)}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with Lab() as lab:
        host = lab.add_host("host1", "192.168.1.10/24")
        host.agent.start()
        host.agent.set_host(programming="proactive")
        guests = [host.add_guest(name, mac, f"{ca}/8") for name, mac, ca in GUESTS]
        host.agent.apply(policy(count, host.pa, GUESTS), timeout=120)
        wait_until(lambda: guests[0].reaches(guests[1].ip), "the guests reach each other")
        flows = host.agent.status()["switch"]["flows"]
        stock, agent = [], []
        for turn in range(rounds):
            stock.append(restart_stock(lab, host, turn))
            print(json.dumps({"who": "stock", "answers_s": round(stock[-1], 3)}), flush=True)
            said = restart_agent(host, guests, flows)
            print(json.dumps({"who": "agent", **said}), flush=True)
            agent.append(said)
        middle = statistics.median
        print(json.dumps({"mappings": count, "agreed_ratio": round(
            middle(s["agreed_s"] for s in agent) / middle(stock), 2),
            "lost": sum(s["lost"] for s in agent)}), flush=True)
        print(json.dumps({"who": "vswitchd", **restart_switch(host, flows)}), flush=True)


if __name__ == "__main__":
    main()
