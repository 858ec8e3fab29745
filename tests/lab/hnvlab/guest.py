"""A guest: a namespace behind a veth, as good as a virtual machine for the switch."""

import json
import os
import re
import socket
from dataclasses import dataclass

from . import netns, packet
from .capture import Capture, send_frame
from .shell import Timeout, wait_until

NIC = "eth0"
_SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "identity_server.py")


@dataclass(frozen=True)
class PingResult:
    sent: int
    received: int
    output: str

    @property
    def lost(self):
        return self.sent - self.received


def parse_ping(output):
    found = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    return PingResult(int(found[1]), int(found[2]), output) if found else PingResult(0, 0, output)


class Guest:
    """Made by `Host.add_guest`."""

    def __init__(self, host, name, mac, address, *, ipv6=False, vm_name=None, attached_mac=True):
        self.host = host
        self.lab = host.lab
        self.name = name
        self.mac = mac
        self.address = address  # CIDR
        self.ip = address.partition("/")[0]
        self.ipv6 = ipv6
        self.vm_name = vm_name or name
        self.attached_mac = attached_mac
        self.interface = name[:15]  # the host's end
        self.namespace = None

    def raise_(self):
        self.namespace = self.lab.add_namespace(self.name, ipv6=self.ipv6)
        home = self.host.namespace
        netns.ip_batch(home, [
            f"link add {self.interface} mtu 1500 type veth peer name {NIC} mtu 1500 "
            f"address {self.mac} netns {self.namespace}",
            f"link set {self.interface} up"])
        netns.ip_batch(self.namespace, [
            f"addr add {self.address} broadcast + dev {NIC}",
            f"link set {NIC} up"])
        netns.no_offloads(self.namespace, NIC)
        self._prepare_host_end()
        self.plug()

    def _prepare_host_end(self):
        home = self.host.namespace
        netns.no_offloads(home, self.interface)
        # A host end with an address family of its own would talk on the guest's wire.
        netns.write_sysctls(home, {f"net/ipv6/conf/{self.interface}/disable_ipv6": 1})

    def move(self, host):
        """To another host, as a live migration does it: the guest runs on, with its MAC, its
        addresses and its connections; its port goes here and comes there."""
        self.unplug()
        netns.ip_batch(self.host.namespace, [
            f"link set {self.interface} netns {host.namespace}"])
        self.host = host
        self._prepare_host_end()
        netns.ip_batch(host.namespace, [f"link set {self.interface} up"])
        self.plug()

    def plug(self):
        ids = [f"external_ids:iface-id={self.name}", f'external_ids:vm-name="{self.vm_name}"']
        if self.attached_mac:
            ids.append(f'external_ids:attached-mac="{self.mac}"')
        self.host.vsctl("--may-exist", "add-port", "br-hnv", self.interface, "--",
                        "set", "interface", self.interface, *ids)

    def unplug(self):
        self.host.vsctl("--if-exists", "del-port", "br-hnv", self.interface)

    # --- as an operator of the machine would -------------------------------------------------

    def run(self, *argv, **options):
        return self.lab.run_in(self.namespace, argv, **options)

    def ping(self, address, count=3, interval=0.2, wait=1):
        """Pings and counts; never raises for a loss."""
        limit = count * interval + wait + 10
        done = self.run("ping", "-n", "-c", count, "-i", interval, "-W", wait, address,
                        check=False, timeout=limit)
        return parse_ping(done.stdout)

    def reaches(self, address, timeout=10.0):
        """True as soon as one ping is answered; false when none was within the time."""
        try:
            return wait_until(lambda: self.ping(address, count=1).received == 1,
                              f"{self.name} reaches {address}", timeout)
        except Timeout:
            return False

    def neighbour(self, address):
        """The neighbour entry for an address: (state, MAC or None); ("NONE", None) without one."""
        entries = json.loads(self.run("ip", "-j", "neigh", "show", address).stdout or "[]")
        if not entries:
            return "NONE", None
        return entries[0]["state"][0], entries[0].get("lladdr")

    def forget_neighbours(self):
        self.run("ip", "neigh", "flush", "dev", NIC, check=False)

    def set_neighbour(self, address, mac):
        """A permanent entry: traffic without any ARP."""
        self.run("ip", "neigh", "replace", address, "lladdr", mac, "nud", "permanent", "dev", NIC)

    # --- sockets and frames ------------------------------------------------------------------

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A socket that lives in this guest."""
        return netns.open_socket(self.namespace, family, kind)

    def capture(self):
        """A capture of what the guest itself sends and receives."""
        return Capture(self.namespace, NIC)

    def send(self, raw):
        """Puts a raw frame on the guest's wire."""
        send_frame(self.namespace, NIC, raw)

    def send_arp_request(self, target, **changes):
        self.send(packet.arp_frame(1, changes.pop("sender_mac", self.mac),
                                   changes.pop("sender_ip", self.ip), target, **changes))

    def serve(self, port, says=None):
        """Starts a TCP server that tells every caller who it is and who called.

        The listening socket exists when this returns.
        """
        listener = self.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(64)
        with listener:
            return self.lab.spawn(
                ["/usr/bin/python3", _SERVER, str(listener.fileno()), says or self.vm_name],
                namespace=self.namespace, log=f"{self.name}-server-{port}.out",
                pass_fds=[listener.fileno()])

    def ask(self, address, port, timeout=5.0):
        """What the server at address:port says; None if it doesn't answer in time."""
        with self.socket() as caller:
            caller.settimeout(timeout)
            try:
                caller.connect((address, port))
                answer = b""
                while chunk := caller.recv(4096):
                    answer += chunk
            except OSError:
                return None
        return answer.decode().strip()
