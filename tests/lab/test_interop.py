#!/usr/bin/python3
"""The other end of the tunnel is not ours: Linux's own VXLAN and GRE devices, and frames made byte
by byte; what leaves is read by somebody else's decoder.
"""

import os
import secrets
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import foreign_host, linux_peer, policy, testing  # noqa: E402
from hnvlab.foreign_host import IP, UDP, Dot1Q, Ether, Raw, nvgre, vxlan  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

HOST_PA, PEER_PA = "192.168.1.10", "192.168.3.30"
HOST_PA6, PEER_PA6 = "fd00:0:0:1::10", "fd00:0:0:3::30"
# Encapsulation: VSID, prefix, our guest's CA and MAC, the peer's CA and MAC.
NETWORKS = {
    "vxlan": (5001, "10.1.1.0/24", "10.1.1.11", "00:15:5d:50:01:0b", "10.1.1.30",
              "00:15:5d:50:01:1e"),
    "nvgre": (5002, "10.1.2.0/24", "10.1.2.11", "00:15:5d:50:02:0b", "10.1.2.30",
              "00:15:5d:50:02:1e"),
}
# The same, over provider addresses of IPv6.
OVER_IPV6 = {
    "vxlan6": (5003, "10.1.3.0/24", "10.1.3.11", "00:15:5d:50:03:0b", "10.1.3.30",
               "00:15:5d:50:03:1e"),
}
FLOW_ID = 0x5a
STRANGER = "192.168.3.66"  # no policy has this provider address
# Of another tenant, on the same host; the peer is not in this network.
OTHER = ("other", 6001, "10.1.1.11", "00:15:5d:60:01:0b")


def host_policy():
    subnets = [(name, network, (HOST_PA, PEER_PA)) for name, network in NETWORKS.items()]
    subnets += [(name, network, (HOST_PA6, PEER_PA6)) for name, network in OVER_IPV6.items()]
    name, vsid, ca, mac = OTHER
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOST_PA}/24"}, {"address": f"{HOST_PA6}/64"}],
        "virtual_networks": [
            {"id": "contoso", "routed": False, "subnets": [
                {"vsid": network[0], "prefix": network[1]} for _, network, _ in subnets]},
            {"id": "fabrikam", "routed": False, "subnets": [
                {"vsid": vsid, "prefix": "10.1.1.0/24"}]}],
        "mappings": [
            {"vsid": network[0], "ca": network[2 + 2 * end], "mac": network[3 + 2 * end],
             "pa": pas[end], "encapsulation": "nvgre" if port == "nvgre" else "vxlan"}
            for port, network, pas in subnets for end in (0, 1)
        ] + [{"vsid": vsid, "ca": ca, "mac": mac, "pa": HOST_PA}],
        "ports": [{"name": port, "vsid": network[0]} for port, network, _ in subnets] +
                 [{"name": name, "vsid": vsid}],
        "acls": [rule for port in (*NETWORKS, *OVER_IPV6, name) for rule in policy.allow_all(port)],
    }


def raise_host(lab):
    """The host with a guest in each network."""
    host = lab.add_host("host1", f"{HOST_PA}/24")
    host.add_ipv6(f"{HOST_PA6}/64")
    host.agent.start()
    for name, (_, _, ca, mac, _, _) in (NETWORKS | OVER_IPV6).items():
        host.add_guest(name, mac, f"{ca}/24")
    host.add_guest(OTHER[0], OTHER[3], f"{OTHER[2]}/24")
    host.agent.apply(host_policy())
    for gateway in (host.gateway, host.gateway6):
        wait_until(lambda: host.resolves_router(gateway), f"the switch knows {gateway}")
    return host


@unittest.skipIf(reason := linux_peer.why_not(), reason)
class LinuxDevices(testing.LabTestCase):
    """A Linux host without any agent, its forwarding database and neighbours set by hand."""

    @classmethod
    def build(cls):
        raise_host(cls.lab)
        cls.peer = linux_peer.LinuxPeer(cls.lab, "peer", f"{PEER_PA}/24", f"{PEER_PA6}/64")
        vsid, _, ca, mac, peer_ca, peer_mac = NETWORKS["vxlan"]
        cls.peer.add_vxlan("vx0", vsid, peer_mac, f"{peer_ca}/24", [(mac, ca, HOST_PA)])
        vsid, _, ca, mac, peer_ca, peer_mac = NETWORKS["nvgre"]
        # It sends with a FlowID, as another vendor's switch would: that must not matter.
        cls.peer.add_gre("nvgre0", (vsid << 8, vsid << 8 | FLOW_ID), HOST_PA, peer_mac,
                         f"{peer_ca}/24", [(mac, ca, HOST_PA)])
        vsid, _, ca, mac, peer_ca, peer_mac = OVER_IPV6["vxlan6"]
        cls.peer.add_vxlan("vx6", vsid, peer_mac, f"{peer_ca}/24", [(mac, ca, HOST_PA6)], version=6)
        cls.peer.start(*(network[2] for network in (NETWORKS | OVER_IPV6).values()))
        cls.results = cls.peer.ping_results()

    def check(self, encapsulation):
        _, _, ca, _, peer_ca, _ = (NETWORKS | OVER_IPV6)[encapsulation]
        result = self.results[ca]
        self.assertEqual((result.sent, result.lost), (5, 0), self.peer.output())
        guest = self.lab.guests[encapsulation]
        self.assertTrue(guest.reaches(peer_ca))
        result = guest.ping(peer_ca, count=5)
        self.assertEqual(result.lost, 0, result.output)

    def test_vxlan(self):
        self.check("vxlan")

    def test_gre_with_the_key_of_nvgre(self):
        self.check("nvgre")
    def test_vxlan_over_ipv6(self):
        """Where a UDP checksum of zero is refused, unless the other end is told otherwise."""
        self.check("vxlan6")


class ForgedFrames(testing.LabTestCase):
    """Frames made byte by byte, from a host that has no switch and no agent."""

    @classmethod
    def build(cls):
        cls.host = raise_host(cls.lab)
        cls.peer = foreign_host.ForeignHost(cls.lab, "peer", "192.168.3.0/24",
                                            [PEER_PA, STRANGER])

    @staticmethod
    def inner(network, token, tag=None):
        _, _, ca, mac, peer_ca, peer_mac = NETWORKS[network]
        head = Ether(src=peer_mac, dst=mac)
        return (head / Dot1Q(vlan=tag) if tag is not None else head) / \
            IP(src=peer_ca, dst=ca) / UDP(sport=4000, dport=5000) / Raw(token)

    def honest(self, network, token):
        vsid, inner = NETWORKS[network][0], self.inner(network, token)
        return vxlan(PEER_PA, HOST_PA, vsid, inner) if network == "vxlan" else \
            nvgre(PEER_PA, HOST_PA, vsid << 8, inner)

    def delivered(self, network, *packets):
        """What the guests got between them of `packets`, as raw bytes; an honest frame, sent by
        the same road after them, has arrived by then."""
        last = secrets.token_bytes(16)
        senders = {other[5] for other in NETWORKS.values()}
        with self.lab.guests[network].capture() as nic, \
                self.lab.guests[OTHER[0]].capture() as other:
            for packet in packets:
                self.peer.send(packet)
            self.peer.send(self.honest(network, last))
            nic.wait_for(lambda f: last in f.raw, "the honest frame")
            return [f.raw for capture in (nic, other) for f in capture.sync().frames
                    if f.src in senders and not f.arp and last not in f.raw]

    def drops(self):
        """Packets that the first tables refused, and those that Open vSwitch's tunnels did."""
        flows = sum(flow.packets for flow in self.host.flows()
                    if flow.table <= 1 and flow.actions == "drop")
        return flows + sum(int(self.host.appctl("coverage/read-counter", f"datapath_drop_{name}"))
                           for name in ("tunnel_pop_error", "upcall_error", "rx_invalid_packet"))

    def check_refused(self, network, packets, counted=None):
        counted = counted or len(packets)
        before = self.drops()
        self.assertEqual(self.delivered(network, *packets), [])
        self.eventually(lambda: self.drops() >= before + counted,
                        f"{counted} drops are counted", 5)

    # --- towards the guest ------------------------------------------------------------------

    def test_frames_arrive_as_they_were_made(self):
        for network, (vsid, *_) in NETWORKS.items():
            inner = self.inner(network, secrets.token_bytes(64))
            packet = vxlan(PEER_PA, HOST_PA, vsid, inner) if network == "vxlan" else \
                nvgre(PEER_PA, HOST_PA, vsid << 8, inner)
            self.assertEqual(self.delivered(network, packet), [bytes(inner)])

    def test_any_flow_id_is_accepted(self):
        vsid, token = NETWORKS["nvgre"][0], secrets.token_bytes(16)
        inner = self.inner("nvgre", token)
        packets = [nvgre(PEER_PA, HOST_PA, vsid << 8 | flow, inner)
                   for flow in (0, 1, 0x7f, 0x80, 0xff)]
        self.assertEqual(self.delivered("nvgre", *packets), [bytes(inner)] * len(packets))

    def test_by_the_other_encapsulation(self):
        """Which one a mapping names is about what is sent to it."""
        vsid = NETWORKS["nvgre"][0]
        inner = self.inner("nvgre", secrets.token_bytes(16))
        self.assertEqual(self.delivered("nvgre", vxlan(PEER_PA, HOST_PA, vsid, inner)),
                         [bytes(inner)])

    # --- refused ----------------------------------------------------------------------------

    def test_unknown_provider_address(self):
        for network, encapsulate, key in (("vxlan", vxlan, NETWORKS["vxlan"][0]),
                                          ("nvgre", nvgre, NETWORKS["nvgre"][0] << 8)):
            inner = self.inner(network, secrets.token_bytes(16))
            self.check_refused(network, [encapsulate(STRANGER, HOST_PA, key, inner)])

    def test_virtual_subnet_of_another_tenant(self):
        """The provider address is known, but not for that network; nor is a VSID nobody has."""
        _, _, ca, _, peer_ca, peer_mac = NETWORKS["vxlan"]
        inner = Ether(src=peer_mac, dst=OTHER[3]) / IP(src=peer_ca, dst=ca) / UDP() / Raw(b"x" * 16)
        self.check_refused("vxlan", [
            encapsulated for vsid in (OTHER[1], 0, 7777, 0xffffff) for encapsulated in (
                vxlan(PEER_PA, HOST_PA, vsid, inner), nvgre(PEER_PA, HOST_PA, vsid << 8, inner))])

    def test_inner_vlan_tag(self):
        for tag in (0, 1, 100):
            for network, encapsulate, key in (("vxlan", vxlan, NETWORKS["vxlan"][0]),
                                              ("nvgre", nvgre, NETWORKS["nvgre"][0] << 8)):
                with self.subTest(tag=tag, network=network):
                    inner = self.inner(network, secrets.token_bytes(16), tag)
                    self.check_refused(network, [encapsulate(PEER_PA, HOST_PA, key, inner)])

    def test_gre_without_a_key(self):
        inner = self.inner("nvgre", secrets.token_bytes(16))
        self.check_refused("nvgre", [nvgre(PEER_PA, HOST_PA, None, inner, key_present=0)])

    def test_gre_with_another_protocol(self):
        key, inner = NETWORKS["nvgre"][0] << 8, self.inner("nvgre", secrets.token_bytes(16))
        self.check_refused("nvgre", [
            nvgre(PEER_PA, HOST_PA, key, inner if protocol != 0x0800 else inner[IP],
                  proto=protocol) for protocol in (0x0800, 0x86dd, 0x8847, 0x880b, 0x0000)])

    def test_vxlan_without_a_valid_vni(self):
        inner = self.inner("vxlan", secrets.token_bytes(16))
        self.check_refused("vxlan", [vxlan(PEER_PA, HOST_PA, NETWORKS["vxlan"][0], inner, flags=0)])

    def test_truncated_anywhere(self):
        """Up to the end of the inner Ethernet header: after it, the frame is the guest's matter."""
        for network in NETWORKS:
            whole = bytes(self.honest(network, secrets.token_bytes(16)))
            inner = len(whole) - len(self.inner(network, bytes(16)))
            packets = []
            for length in range(20, inner + 14):
                head = IP(whole[:20])
                del head.len, head.chksum
                packets.append(head / Raw(whole[20:length]))
            # Without a whole UDP header it is no tunnel packet for the switch, and the kernel's.
            self.check_refused(network, packets, counted=14)

    # --- from the guest ---------------------------------------------------------------------

    def sent(self, network):
        """The one tunnel packet that the guest's frame to the peer becomes, and that frame."""
        _, _, ca, mac, peer_ca, peer_mac = NETWORKS[network]
        token = secrets.token_bytes(64)
        frame = bytes(Ether(src=mac, dst=peer_mac) / IP(src=ca, dst=peer_ca) /
                      UDP(sport=4000, dport=5000) / Raw(token))
        with self.peer.capture() as wire:
            self.lab.guests[network].send(frame)
            wire.wait_for(lambda f: token in f.raw, "the guest's frame in a tunnel")
            [packet] = wire.sync().select(lambda f: token in f.raw)
        return packet, frame

    def decoded(self, network, *fields):
        """What tshark makes of it, as far as all encapsulations have it, and of `fields`."""
        packet, frame = self.sent(network)
        common = ("ip.src", "ip.dst", "ip.ttl", "eth.src",
                  "eth.dst", "frame.protocols", "_ws.malformed")
        [layers] = foreign_host.tshark(os.path.join(self.lab.log_dir, f"{network}.pcap"),
                                       [packet], *common, *fields)
        _, _, ca, mac, peer_ca, peer_mac = NETWORKS[network]
        self.assertEqual(layers["ip.src"], [HOST_PA, ca])
        self.assertEqual(layers["ip.dst"], [PEER_PA, peer_ca])
        self.assertEqual((layers["eth.src"][1], layers["eth.dst"][1]), (mac, peer_mac))
        self.assertEqual(layers["ip.ttl"], ["63", "64"])  # The router took one.
        self.assertNotIn("_ws.malformed", layers)
        self.assertEqual(packet.inner.raw, frame)
        return layers

    def test_vxlan_as_tshark_reads_it(self):
        layers = self.decoded("vxlan", "vxlan.vni", "vxlan.flags", "udp.dstport", "udp.srcport",
                              "udp.checksum")
        self.assertEqual(layers["vxlan.vni"], [str(NETWORKS["vxlan"][0])])
        self.assertEqual(int(layers["vxlan.flags"][0], 16), 0x0800)
        self.assertEqual(layers["udp.dstport"], ["4789", "5000"])
        self.assertGreaterEqual(int(layers["udp.srcport"][0]), 32768)  # RFC 7348: of the flow.
        self.assertIn("eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:udp",
                      layers["frame.protocols"][0])

    def test_nvgre_as_tshark_reads_it(self):
        layers = self.decoded("nvgre", "gre.key", "gre.proto", "gre.flags_and_version")
        self.assertEqual(int(layers["gre.key"][0], 16) >> 8, NETWORKS["nvgre"][0])
        self.assertEqual(int(layers["gre.proto"][0], 16), 0x6558)
        self.assertEqual(int(layers["gre.flags_and_version"][0], 16), 0x2000)
        self.assertIn("eth:ethertype:ip:gre:eth:ethertype:ip:udp", layers["frame.protocols"][0])

    def test_scapy_reads_the_same(self):
        packet, frame = self.sent("vxlan")
        layers = Ether(packet.raw)[foreign_host.VXLAN]
        self.assertEqual((layers.vni, bytes(layers.payload)), (NETWORKS["vxlan"][0], frame))
        packet, frame = self.sent("nvgre")
        layers = Ether(packet.raw)[foreign_host.GRE]
        self.assertEqual((layers.key >> 8, layers.proto, bytes(layers.payload)),
                         (NETWORKS["nvgre"][0], 0x6558, frame))


if __name__ == "__main__":
    testing.main()
