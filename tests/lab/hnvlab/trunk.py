"""A guest that is in several VLANs: a network stack of its own for each of them.

The stacks are namespaces with a TAP device each, so that subnets with the same addresses don't
meet in one kernel. A thread puts the tags on and takes them off, as the guest's own VLAN devices
would: not every kernel that this runs on has those.
"""

import fcntl
import os
import select
import socket
import struct
import threading

from . import netns, packet
from .capture import keep_tags, receive
from .guest import NIC, Guest

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_ETH_P_ALL = 0x0003


def _open_tap(namespace, name):
    with netns.entered(namespace):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return fd


class VlanStack(Guest):
    """What the trunking guest is in one VLAN: used as a guest, without a port of its own."""

    def __init__(self, trunk, vlan, address, ipv6_address=None):
        super().__init__(trunk.host, f"{trunk.name}-{vlan}", trunk.mac, address, ipv6=True)
        self.vlan = vlan
        self.namespace = self.lab.add_namespace(self.name, ipv6=True)
        self.tap = _open_tap(self.namespace, NIC)
        netns.write_sysctls(self.namespace, {f"net/ipv6/conf/{NIC}/accept_ra": 0})
        netns.ip_batch(self.namespace, [
            f"link set {NIC} address {self.mac} mtu 1500 up",
            f"addr add {address} broadcast + dev {NIC}",
            *([f"addr add {ipv6_address} dev {NIC}"] if ipv6_address else [])])


class Trunk:
    """Splits the traffic of a guest's NIC to `stacks`, {VLAN: VlanStack}, until it is closed."""

    def __init__(self, guest, stacks):
        self.stacks = {stack.vlan: stack for stack in stacks}
        self._wire = netns.open_socket(guest.namespace, socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._wire.bind((NIC, _ETH_P_ALL))
        keep_tags(self._wire)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self):
        self._stopping.set()
        self._thread.join()
        self._wire.close()
        for stack in self.stacks.values():
            os.close(stack.tap)

    def _work(self):
        by_fd = {stack.tap: stack for stack in self.stacks.values()}
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._wire, *by_fd], [], [], 0.2)
            for source in ready:
                if source is self._wire:
                    self._from_wire()
                else:
                    self._wire.send(packet.tagged(os.read(source, 65536), by_fd[source].vlan))

    def _from_wire(self):
        raw, outgoing, _ = receive(self._wire)
        stack = self.stacks.get(packet.parse(raw).vlan)
        if stack and not outgoing:
            os.write(stack.tap, raw[:12] + raw[16:])
