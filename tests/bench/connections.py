#!/usr/bin/python3
"""TCP connections a second between two guests of one host: plain forwarding beside rules.

    HNV_BIN_DIR=build/bin tests/bench/connections.py [SECONDS [ROUNDS]]

    plain    all allowed: no connection state
    rule     one inbound rule allows the port
    rules    it is the last of 4,000

Each connection is opened, answered by a byte and closed. The three take turns; compare medians of
one run, on a quiet machine. CPU is ovs-vswitchd's, for each connection.
"""

import contextlib
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import time
from dataclasses import replace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from hnvlab.lab import Lab  # noqa: E402
from hnvlab.policy import CONTOSO, MACHINES, Deployment, rule  # noqa: E402

PORT = 80
SQL = "contoso-sql"
LINGER = struct.pack("ii", 1, 0)  # Closed by a reset: no port is left waiting.


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"x")
            connection.recv(1)
        connection.close()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect_for(seconds, guest, address):
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with guest.socket() as caller:
            caller.settimeout(5)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            caller.connect((address, PORT))
            caller.recv(1)
        count += 1
    return count / seconds


def acls():
    allowed = rule(SQL, "allowed", "inbound", priority=60000, protocols="TCP",
                   destination_ports=str(PORT))
    others = [rule(SQL, f"other-{i}", "inbound", "block", priority=100 + i, protocols="TCP",
                   source_addresses=f"172.{16 + i // 256}.{i % 256}.0/24",
                   destination_ports=str(10000 + i)) for i in range(3999)]
    return {"plain": None, "rule": [allowed], "rules": [*others, allowed]}


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    machines = [replace(m, host="host1") for m in MACHINES if m.tenant is CONTOSO]
    with Lab() as lab:
        deployment = Deployment(lab, machines)
        deployment.raise_()
        sql, web = lab.guests[SQL], lab.guests["contoso-web"]
        listener = sql.socket()
        listener.bind((sql.ip, PORT))
        listener.listen(1024)
        server = multiprocessing.Process(target=serve, args=[listener], daemon=True)
        server.start()
        seen = {name: [] for name in acls()}
        for _ in range(rounds):
            for name, rules in acls().items():
                deployment.acls = {} if rules is None else {SQL: rules}
                deployment.apply()
                connect_for(0.5, web, sql.ip)
                before = cpu_seconds(lab.hosts["host1"].vswitchd.pid)
                rate = connect_for(seconds, web, sql.ip)
                cpu = cpu_seconds(lab.hosts["host1"].vswitchd.pid) - before
                seen[name].append((rate, cpu / (rate * seconds) * 1e6))
        server.terminate()
    plain = statistics.median(rate for rate, _ in seen["plain"])
    for name, runs in seen.items():
        rate = statistics.median(rate for rate, _ in runs)
        cpu = statistics.median(cpu for _, cpu in runs)
        print(f"{name:6} {rate:7.0f} connections/s (x{rate / plain:.2f} of plain), "
              f"{cpu:.0f} us of ovs-vswitchd each")


if __name__ == "__main__":
    main()
