"""A host behind the lab's router that sends what it likes: frames made byte by byte with scapy.

It has no network stack of its own: nothing in it answers, so what is seen on its interface is what
the test sent, and what others sent to it.
"""

import ipaddress
import json
import logging

from . import netns
from .capture import Capture, send_frame
from .packet import VXLAN_PORT, write_pcap
from .shell import run

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # It looks for routes and finds none.

# Which layer is inside which: scapy knows it once the modules are loaded.
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Raw  # noqa: E402

__all__ = ["ARP", "Dot1Q", "Ether", "ForeignHost", "GRE", "IP", "IPv6", "Raw", "UDP", "VXLAN",
           "nvgre", "tshark", "vxlan"]

NIC = "nic0"
_MAC = "02:0f:00:00:00:01"


class ForeignHost:
    """A host in provider subnet `network` for which the router takes each address of `addresses`
    to be there."""

    def __init__(self, lab, name, network, addresses):
        network = ipaddress.ip_network(network)
        self.namespace = lab.add_namespace(name)
        segment = lab.attach(self.namespace, NIC, f"to-{name}"[:15], network)
        self._router_mac = json.loads(run(
            ["ip", "-n", lab.router, "-j", "link", "show", segment]).stdout)[0]["address"]
        netns.ip_batch(lab.router, [
            f"neigh replace {address} lladdr {_MAC} dev {segment} nud permanent"
            for address in addresses])

    def send(self, packet):
        """Sends an IP packet by way of the router."""
        send_frame(self.namespace, NIC, bytes(Ether(src=_MAC, dst=self._router_mac) / packet))

    def capture(self):
        return Capture(self.namespace, NIC)


def vxlan(source, destination, vni, inner, **fields):
    """An IP packet; `fields` are of VXLAN's header."""
    return (IP(src=source, dst=destination) / UDP(sport=54321, dport=VXLAN_PORT, chksum=0) /
            VXLAN(vni=vni, **{"flags": "Instance", **fields}) / inner)


def nvgre(source, destination, key, inner, **fields):
    """An IP packet; `fields` are of GRE's header."""
    return (IP(src=source, dst=destination) /
            GRE(**{"key_present": 1, "key": key, "proto": 0x6558, **fields}) / inner)


def tshark(path, frames, *fields):
    """Writes `frames` to a capture file and has tshark name those fields of each.

    A field that occurs in the outer and in the inner headers has both values, outermost first.
    """
    write_pcap(path, frames)
    options = [word for name in fields for word in ("-e", name)]
    text = run(["tshark", "-n", "-r", path, "-T", "json", *options], timeout=30).stdout
    return [frame["_source"]["layers"] for frame in json.loads(text)]
