#!/usr/bin/python3
"""A change of a port's rule set is one step: no packet meets half of the old and half of the new.

Two sets follow each other many times, as fast as the switch confirms them. Both allow one UDP port
and block another, by quite different rules: any mixture of the two would let the blocked one pass,
or stop the allowed one. Each datagram is a connection of its own.
"""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import testing  # noqa: E402
from hnvlab.rpc import Client  # noqa: E402

SQL = "contoso-sql"
ALLOWED, BLOCKED = 7000, 7001
SWAPS = 1000
SENDERS = 50


def row(ident, layer, direction, action, priority, ports="*"):
    return {"vnic_id": SQL, "rule_id": ident, "rule_type": f"RuleWith{layer}Priority",
            "rule_state": "Enabled", "logging_state": "Disabled", "action": action,
            "direction": direction, "priority": priority,
            "protocols": "UDP" if ports != "*" else "*", "src_ip_addresses": "*",
            "dst_ip_addresses": "*", "src_ports": "*", "dst_ports": ports}


SETS = [
    # Only what is listed comes in.
    [row("listed", "Controller", "Inbound", "Allow", 500, str(ALLOWED))],
    # Everything comes in that neither layer blocks, and each layer blocks it by another rule.
    [row("all", "Controller", "Inbound", "Allow", 60000),
     row("out", "Controller", "Outbound", "Allow", 60000),
     row("not-that", "Admin", "Inbound", "Block", 10, f"{BLOCKED}-{BLOCKED + 8}"),
     row("else", "Admin", "Inbound", "Allow", 60000)],
]


class Probes:
    """Datagrams to both ports, each pair from another source port; what arrived of them."""

    def __init__(self, source, target):
        self._address = target.ip
        self._sockets = [source.socket(kind=socket.SOCK_DGRAM) for _ in range(SENDERS)]
        self._servers = {port: target.socket(kind=socket.SOCK_DGRAM) for port in (ALLOWED, BLOCKED)}
        for port, server in self._servers.items():
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            server.bind((target.ip, port))
            server.settimeout(0.2)
        self.sent = 0
        self.arrived = {ALLOWED: set(), BLOCKED: set()}
        self._stopping = threading.Event()
        self._sending = threading.Thread(target=self._send, daemon=True)
        self._receiving = [threading.Thread(target=self._receive, args=[port], daemon=True)
                           for port in self._servers]

    def __enter__(self):
        for thread in [*self._receiving, self._sending]:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in [self._sending, *self._receiving]:
            thread.join(10)
        for each in [*self._sockets, *self._servers.values()]:
            each.close()

    def _send(self):
        while not self._stopping.wait(0.001):
            sender = self._sockets[self.sent % SENDERS]
            for port in (BLOCKED, ALLOWED):
                sender.sendto(str(self.sent).encode(), (self._address, port))
            self.sent += 1

    def _receive(self, port):
        idle_after_stop = False
        while not idle_after_stop:
            try:
                self.arrived[port].add(int(self._servers[port].recv(100)))
            except TimeoutError:
                idle_after_stop = self._stopping.is_set()


class Swaps(testing.DeploymentTestCase):
    def swap(self, client, rows):
        number = client.transact(
            "ms_firewall",
            {"op": "delete", "table": "FW_Rules", "where": [["vnic_id", "==", SQL]]},
            *({"op": "insert", "table": "FW_Rules", "row": each} for each in rows),
            {"op": "mutate", "table": "FW_Global", "where": [],
             "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": "FW_Global", "where": [], "columns": ["next_cfg"]},
        )[-1]["rows"][0]["next_cfg"]
        client.transact("ms_firewall", {
            "op": "wait", "table": "FW_Global", "where": [], "columns": ["cur_cfg"],
            "until": "==", "timeout": 20000, "rows": [{"cur_cfg": number}]})

    def test_no_packet_meets_half_of_a_rule_set(self):
        sql, web = self.guest(SQL), self.guest("contoso-web")
        self.assertTrue(web.reaches(sql.ip))
        client = Client(self.host1.agent.socket.removeprefix("unix:"))
        self.addCleanup(client.close)
        self.swap(client, SETS[0])
        # What the datapath remembers of the policy before, which allowed all, goes a little later.
        self.host1.appctl("revalidator/wait")
        begin = time.monotonic()
        with Probes(web, sql) as probes:
            self.eventually(lambda: len(probes.arrived[ALLOWED]) > 100, "datagrams arrive")
            first = max(probes.arrived[ALLOWED])  # The first of a switch that is cold may be lost.
            for number in range(SWAPS):
                self.swap(client, SETS[(number + 1) % 2])
            last = probes.sent
            self.eventually(lambda: probes.sent > last + 100, "some more are sent")
        lost = set(range(first, last)) - probes.arrived[ALLOWED]
        print(f"{SWAPS} swaps in {time.monotonic() - begin:.1f} s, {probes.sent} datagrams to each "
              f"port: {sorted(probes.arrived[BLOCKED])} slipped, {len(lost)} of the allowed ones lost",
              file=sys.stderr)
        self.assertEqual(probes.arrived[BLOCKED], set())
        self.assertLessEqual(len(lost), (last - first) // 1000)  # By a busy machine, not by a swap.


if __name__ == "__main__":
    testing.main()
