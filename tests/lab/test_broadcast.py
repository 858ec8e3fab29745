#!/usr/bin/python3
"""Broadcast and multicast of a subnet: every member once, nobody else, the sender not at all."""

import contextlib
import secrets
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.policy import CONTOSO, MACHINES, Machine  # noqa: E402

APP = Machine("contoso-app", CONTOSO, "10.1.1.13", "00:15:5d:50:01:0d", "host2")
MAIL = Machine("contoso-mail", CONTOSO, "10.1.1.14", "00:15:5d:50:01:0e", "host1")
MULTICAST = ("01:00:5e:00:00:fb", "224.0.0.251")
SUBNET = (packet.BROADCAST, "10.1.1.255")
LIMITED = (packet.BROADCAST, "255.255.255.255")


class Broadcast(testing.DeploymentTestCase):
    machines = (*MACHINES, APP, MAIL)

    def spread(self, sender, destination):
        """({guest: copies that came in}, copies on the wire as (src, dst, VNI))."""
        token = secrets.token_bytes(16)
        mac, address = destination
        members = [m.name for m in self.machines if m.tenant is CONTOSO and m.name != sender.name]
        with contextlib.ExitStack() as stack:
            nics = {name: stack.enter_context(guest.capture())
                    for name, guest in self.lab.guests.items()}
            wire = stack.enter_context(self.lab.capture_underlay(self.host1))
            sender.send(packet.udp_frame(mac, sender.mac, sender.ip, address, token))
            for name in members:
                nics[name].wait_for(lambda f: token in f.raw, f"the broadcast at {name}")
            for capture in (*nics.values(), wire):
                capture.sync()
            came_in = {name: len(nic.select(lambda f: token in f.raw and not f.outgoing))
                       for name, nic in nics.items()}
            carried = [(f.ip.src, f.ip.dst, f.vni)
                       for f in wire.select(lambda f: f.vni and token in f.raw)]
        return came_in, carried

    def check_spread(self, sender, destination):
        came_in, carried = self.spread(sender, destination)
        wanted = {m.name: int(m.tenant is CONTOSO and m.name != sender.name)
                  for m in self.machines}
        self.assertEqual(came_in, wanted)
        here, there = ((self.host2, self.host1) if sender.host is self.host2
                       else (self.host1, self.host2))
        self.assertEqual(carried, [(here.pa, there.pa, CONTOSO.vsid)])

    def test_subnet_broadcast(self):
        self.check_spread(self.guest("contoso-web"), SUBNET)

    def test_limited_broadcast_from_the_other_host(self):
        self.check_spread(self.guest("contoso-mail"), LIMITED)

    def test_multicast(self):
        self.check_spread(self.guest("contoso-app"), MULTICAST)


if __name__ == "__main__":
    testing.main()
