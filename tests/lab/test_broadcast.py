#!/usr/bin/python3
"""Broadcast and multicast of a subnet: every member once, nobody else, the sender not at all."""

import contextlib
import secrets
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import packet, testing  # noqa: E402
from hnvlab.policy import CONTOSO, MACHINES, Machine, Tenant  # noqa: E402

APP = Machine("contoso-app", CONTOSO, "10.1.1.13", "00:15:5d:50:01:0d", "host2")
MAIL = Machine("contoso-mail", CONTOSO, "10.1.1.14", "00:15:5d:50:01:0e", "host1")
# Another subnet of the same virtual network.
BACKEND = Tenant("Contoso's backend", 5002, CONTOSO.rdid, "10.1.2.0/24")
STORE = Machine("contoso-store", BACKEND, "10.1.2.11", "00:15:5d:50:02:0b", "host2")
ARCHIVE = Machine("contoso-archive", BACKEND, "10.1.2.12", "00:15:5d:50:02:0c", "host1")
VRRP_PROTOCOL, VRRP_GROUP = 112, ("01:00:5e:00:00:12", "224.0.0.18")
MULTICAST = ("01:00:5e:00:00:fb", "224.0.0.251")
SUBNET = (packet.BROADCAST, "10.1.1.255")
LIMITED = (packet.BROADCAST, "255.255.255.255")


class Broadcast(testing.DeploymentTestCase):
    machines = (*MACHINES, APP, MAIL, STORE, ARCHIVE)

    def spread(self, sender, destination, make_frame=packet.udp_frame):
        """({guest: copies that came in}, copies on the wire as (src, dst, VNI))."""
        token = secrets.token_bytes(16)
        mac, address = destination
        members = [m.name for m in self.machines if m.tenant is CONTOSO and m.name != sender.name]
        with contextlib.ExitStack() as stack:
            nics = {name: stack.enter_context(guest.capture())
                    for name, guest in self.lab.guests.items()}
            wire = stack.enter_context(self.lab.capture_underlay(self.host1))
            sender.send(make_frame(mac, sender.mac, sender.ip, address, token))
            for name in members:
                nics[name].wait_for(lambda f: token in f.raw, f"the broadcast at {name}")
            for capture in (*nics.values(), wire):
                capture.sync()
            came_in = {name: len(nic.select(lambda f: token in f.raw and not f.outgoing))
                       for name, nic in nics.items()}
            carried = [(f.ip.src, f.ip.dst, f.vni)
                       for f in wire.select(lambda f: f.vni and token in f.raw)]
        return came_in, carried

    def check_spread(self, sender, destination, *make_frame):
        came_in, carried = self.spread(sender, destination, *make_frame)
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

    def test_vrrp(self):
        """Advertisements of RFC 5798, by which appliances agree on who is in charge."""
        def advertisement(mac, source_mac, source, address, token):
            return packet.ipv4_frame(mac, source_mac, source, address, VRRP_PROTOCOL, token,
                                     ttl=255)

        for name in ("contoso-web", "contoso-mail"):
            self.check_spread(self.guest(name), VRRP_GROUP, advertisement)


class Dhcp(testing.DeploymentTestCase):
    """A tenant's own DHCP server, on another host than the guest that asks."""

    def test_a_guest_without_an_address_gets_one(self):
        server, client = self.guest("contoso-sql"), self.guest("contoso-web")
        address = client.ip
        self.start_server(server, client.mac, address)
        client.run("ip", "addr", "flush", "dev", "eth0")
        self.addCleanup(client.run, "ip", "addr", "replace", client.address, "dev", "eth0")
        others = [self.guest(f"fabrikam-{role}") for role in ("sql", "web")]
        with contextlib.ExitStack() as stack:
            nics = [stack.enter_context(other.capture()) for other in others]
            done = client.run("busybox", "udhcpc", "-f", "-q", "-n", "-t", "8", "-T", "1",
                              "-i", "eth0", "-s", "/bin/true", check=False, timeout=20)
            self.assertIn(f"lease of {address} obtained from {server.ip}", done.stderr)
            for nic in nics:
                self.assertEqual(nic.sync().select(lambda f: f.ip and f.ip.dport in (67, 68)), [])

    def start_server(self, server, mac, address):
        directory = os.path.join(self.lab.state_dir, "udhcpd")
        os.makedirs(directory)
        leases, config = (os.path.join(directory, name) for name in ("leases", "udhcpd.conf"))
        with open(leases, "w", encoding="ascii"):
            pass
        # By MAC: a server that looks for a free address asks by ARP whether somebody has it, and
        # of an address that is mapped the agent says yes.
        with open(config, "w", encoding="ascii") as file:
            file.write(f"start {address}\nend {address}\ninterface eth0\nlease_file {leases}\n"
                       f"pidfile {directory}/pid\nstatic_lease {mac} {address}\n"
                       f"option subnet 255.255.255.0\n")
        self.lab.spawn(["busybox", "udhcpd", "-f", config], namespace=server.namespace,
                       log="udhcpd.out")
        self.eventually(lambda: ":67 " in server.run("ss", "-lun").stdout, "the server listens")


if __name__ == "__main__":
    testing.main()
