"""Hosts with several uplinks, and no provider address until somebody makes one."""

import ipaddress
import os
import struct

from . import netns
from .host import Host

SEGMENT = "team"
MTU = 1600


class TeamHost(Host):
    """A host with the NICs eth1, eth2, ... on one segment, and nothing on them.

    `wire_of(nic)` is the router's end of a NIC.
    """

    def __init__(self, lab, name, nics):
        nothing = ipaddress.IPv4Interface("0.0.0.0/0")
        super().__init__(lab, name, nothing, gateway=None)
        self.nics = nics

    def wire_of(self, nic):
        return f"{self.name}-{nic}"[:15]

    def _add_uplink(self):
        router = self.lab.router
        for nic in self.nics:
            wire = self.wire_of(nic)
            netns.ip_batch(self.namespace, [
                f"link add {nic} mtu {MTU} type veth peer name {wire} netns {router}"])
            netns.ip_batch(router, [f"link set {wire} mtu {MTU} master {SEGMENT} up"])
            netns.no_offloads(self.namespace, nic)
            netns.no_offloads(router, wire)

    def _add_underlay_bridge(self):
        pass

    # --- what a test asks --------------------------------------------------------------------

    def routes(self):
        """The main routing table, IPv4 and IPv6."""
        return (netns.ip(self.namespace, "route", "show").stdout +
                netns.ip(self.namespace, "-6", "route", "show").stdout)

    def addresses(self):
        """{address with prefix length: (interface, its index)}, loopback and link-local left out."""
        found = {}
        for line in netns.ip(self.namespace, "-o", "addr", "show").stdout.splitlines():
            index, interface, _, address = line.split()[:4]
            if interface != "lo" and not address.startswith("fe80:"):
                found[address] = (interface, int(index.rstrip(":")))
        return found

    def mac_of(self, interface):
        words = netns.ip(self.namespace, "-o", "link", "show", interface).stdout.split()
        return words[words.index("link/ether") + 1]

    def bridges(self):
        return set(self.vsctl("list-br").split())


def add_segment(lab):
    netns.ip_batch(lab.router, [f"link add {SEGMENT} type bridge",
                                f"link set {SEGMENT} mtu {MTU} up"])


def add_team_host(lab, name, nics=("eth1", "eth2")):
    host = TeamHost(lab, name, nics)
    lab.hosts[name] = host
    host.raise_()
    return host


def add_gateway(lab, name, vlan, addresses):
    """A router of the provider network on a VLAN: (host, interface that has the addresses)."""
    host = add_team_host(lab, name, ("eth1",))
    netns.ip_batch(host.namespace, ["link set eth1 up"])
    netns.write_sysctls(host.namespace, {"net/ipv4/conf/eth1/arp_ignore": 8})
    host.vsctl("add-br", "br-gw", "--", "set", "bridge", "br-gw", "datapath_type=netdev", "--",
               "add-port", "br-gw", "eth1", "--",
               "add-port", "br-gw", "gw", f"tag={vlan}", "--",
               "set", "interface", "gw", "type=internal", f"mtu_request={MTU}")
    netns.write_sysctls(host.namespace, {"net/ipv6/conf/gw/disable_ipv6": 0,
                                         "net/ipv6/conf/gw/accept_dad": 0})
    netns.ip_batch(host.namespace, [f"addr add {address} dev gw" for address in addresses] +
                   ["link set gw up"])
    return host, "gw"


def restart_switch(host, number):
    """Ends ovs-vswitchd by a signal and starts it again; nobody mends anything by hand."""
    host.vswitchd.signal(number)
    host.vswitchd.wait_gone(5.0)
    for leftover in ("ovs-vswitchd.pid", "ovs-vswitchd.ctl"):
        path = os.path.join(host.ovs_dir, leftover)
        if os.path.lexists(path):
            os.remove(path)
    host.start_vswitchd()


def solicitation(mac, own, target):
    """A neighbour solicitation (RFC 4861 section 4.3) to the solicited-node address."""
    own, target = (ipaddress.IPv6Address(address).packed for address in (own, target))
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    octets = bytes.fromhex(mac.replace(":", ""))
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + octets
    pseudo = own + group + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    return (b"\x33\x33\xff" + target[13:] + octets + b"\x86\xdd" +
            struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + own + group + body)
