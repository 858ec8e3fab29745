"""Connections that were allowed once: what their later packets meet under the policies after.

The switch is told by `ofproto/trace` what connection tracking would say of a packet: its state, and
the mark that the connection got when its first packet was let through. Only connections of which
one port of this host knows are remembered, those with other hosts.
"""

import re
from dataclasses import dataclass

from generate import OWN_PAS
from policy import Packet, is_group_mac

REMEMBERED = 60
ECHOES = {8: 0, 128: 129}
_COMMIT = re.compile(r"ct\(commit,[^)]*mark=(0x[0-9a-f]+)")


def is_shared(model, packet):
    """Whether an address of the packet is one that several machines share: the switch keeps the
    connections to it as well, so that the trace's one state and mark would be taken for those."""
    return any(m.kind == "load_balanced" and m.ca in (packet.src, packet.dst)
               for m in model.mappings)


@dataclass(frozen=True)
class Connection:
    opener: Packet
    port: str  # the port that remembers it
    number: int  # its OpenFlow port: another number is another interface
    vsid: int
    reply: Packet


class Connections:
    def __init__(self, random):
        self.random = random
        self.known = []

    def learn(self, model, packet, verdict, openflow_ports):
        """Remembers the connection that a packet has opened, if it has."""
        marks = _COMMIT.findall(str(verdict.text))
        if len(marks) != 1 or len(verdict.got) != 1 or packet.frag != "no":
            return
        if "nat(" in str(verdict.text):
            return  # Whose address is another's afterwards.
        [out] = verdict.got
        if packet.port and out.to == "tunnel":
            name, reply = packet.port, self._reply_by_tunnel(packet, out)
        elif packet.tunnel and out.to == "port":
            name, reply = out.name, packet.changed(
                tunnel="", key=0, outer_src="", outer_dst="", port=out.name, vlan=out.vlan,
                eth_src=packet.eth_dst, eth_dst=packet.eth_src)
        else:
            return
        reply = self._turned(packet, reply)
        if reply is None:
            return
        policy_port = model.policy.ports[name]
        vlan = packet.vlan if packet.port else out.vlan
        vsid = model.subnet_of(policy_port, vlan)
        if reply.tunnel:
            reply = reply.changed(key=vsid if reply.tunnel == "vxlan" else vsid << 8)
        state = {"tracked_by": name, "mark": int(marks[0], 16)}
        self.known.append(Connection(packet.changed(state="established", **state), name,
                                     openflow_ports[name], vsid,
                                     reply.changed(state="reply", **state)))
        if len(self.known) > REMEMBERED:
            del self.known[self.random.randrange(len(self.known))]

    def _reply_by_tunnel(self, packet, out):
        own = [address.partition("/")[0] for address in OWN_PAS]
        return packet.changed(
            port="", vlan=-1, pcp=0, tunnel=self.random.choice(["vxlan", "nvgre"]),
            outer_src=out.pa, outer_dst=own[":" in out.pa], eth_src=out.eth_dst,
            eth_dst=packet.eth_src)

    @staticmethod
    def _turned(packet, reply):
        """The reply with addresses and ports turned round; None: the protocol has no replies."""
        reply = reply.changed(src=packet.dst, dst=packet.src, ttl=64)
        if packet.proto in (6, 17, 132):
            return reply.changed(sport=packet.dport, dport=packet.sport)
        if packet.is_icmp and packet.sport in ECHOES:
            return reply.changed(sport=ECHOES[packet.sport])
        return None

    def packets(self, model, openflow_ports, count):
        """Packets of some connections that still are what they were: same interface and subnet."""
        self.known = [c for c in self.known if self._lives(c, model, openflow_ports)]
        chosen = self.random.sample(self.known, min(count, len(self.known)))
        packets = [self.random.choice([c.opener, c.reply, c.reply]) for c in chosen]
        return [packet for packet in packets if self._is_one_ports_matter(model, packet)]

    @staticmethod
    def _lives(connection, model, openflow_ports):
        port = model.policy.ports.get(connection.port)
        packet = connection.opener if connection.opener.port else connection.reply
        translates = any(nat.port == connection.port for nat in model.policy.nats)
        return port is not None and not translates and openflow_ports.get(connection.port) == connection.number \
            and model.subnet_of(port, packet.vlan) == connection.vsid

    @staticmethod
    def _is_one_ports_matter(model, packet):
        """Whether no other port's rules have a say: of them the trace would claim this state."""
        if is_group_mac(packet.eth_dst) or is_shared(model, packet):
            return False
        outs = [out for way in model.alternatives(packet) for out in way]
        if packet.tunnel:
            vsid = packet.key if packet.tunnel == "vxlan" else packet.key >> 8
            return all(port.name == packet.tracked_by for port in model.members(vsid)
                       if port.attached_mac == packet.eth_dst)
        return not {"to a local port", "dropped: inbound rules", "replicated"} & set(model.notes) \
            and all(out.to == "tunnel" for out in outs)
