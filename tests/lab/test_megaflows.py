#!/usr/bin/python3
"""How wide the datapath's flows are: what a port's policy doesn't ask for, its packets don't pay."""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab.policy import Deployment  # noqa: E402
from hnvlab.testing import LabTestCase, main  # noqa: E402

SQL, WEB = "contoso-sql", "contoso-web"
PORTS = range(6000, 6040)


class Megaflows(LabTestCase):
    @classmethod
    def build(cls):
        Deployment(cls.lab).raise_()
        cls.sql, cls.web = cls.lab.guests[SQL], cls.lab.guests[WEB]

    def flows_of_many_connections(self):
        """The datapath's flows on Sql's host of its IPv4, after datagrams to many ports of Web."""
        self.assertTrue(self.sql.reaches(self.web.ip))
        self.sql.host.forget_flow_cache()
        with self.sql.socket(kind=socket.SOCK_DGRAM) as sender, \
                self.web.socket(kind=socket.SOCK_DGRAM) as last:
            last.bind((self.web.ip, PORTS[-1]))
            last.settimeout(5)
            for port in PORTS:
                sender.sendto(b"x", (self.web.ip, port))
            last.recv(8)
        text = self.sql.host.appctl("dpctl/dump-flows", "--names")
        return [line for line in text.splitlines()
                if f"in_port({SQL})" in line and "eth_type(0x0800)" in line and
                "proto=1," not in line]

    def test_connections_of_a_port_that_may_all_share_one_flow(self):
        self.assertEqual(len(self.flows_of_many_connections()), 1)

    def test_connections_of_a_port_that_may_all_are_not_tracked(self):
        for flow in self.flows_of_many_connections():
            match, _, actions = flow.partition("actions:")
            self.assertNotRegex(match, r"ct_state|udp\(")
            self.assertNotRegex(actions, r"\bct\(|\brecirc\(")
            self.assertNotIn("drop", flow)


if __name__ == "__main__":
    main()
