"""Random packets for a policy: mostly such as guests and peers send, some as an attacker would."""

import policy as p
from generate import MIRROR_KEYS, OUTSIDE, OWN_PAS, PEERS, STRANGERS, VSIDS

GROUP_MACS = ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:12", "33:33:00:00:00:05", "01:80:c2:00:00:0e",
              "33:33:ff:00:00:0b"]
ODD_MACS = ["02:bb:bb:bb:bb:bb", "00:00:00:00:00:00", "00:15:5d:00:00:01", "02:00:5e:00:01:01"]
TTLS = [64] * 12 + [0, 1, 1, 2, 255]


class Packets:
    """Draws packets for one policy."""

    def __init__(self, random, policy):
        self.random = random
        self.policy = policy
        self.router_mac = policy.router_mac or p.DEFAULT_ROUTER_MAC
        self.machines = {}  # VSID: {MAC: [CA]}
        for m in policy.mappings:
            self.machines.setdefault(m.vsid, {}).setdefault(m.mac, []).append(m.ca)
        self.ports = [q for q in policy.ports.values() if q.plugged]
        # Most packets come from ports that may send any.
        with_rules = {rule.port for rule in policy.rules if rule.enabled}
        self.lively = [q for q in self.ports if q.name in with_rules and any(
            q.attached_mac in self.machines.get(vsid, {}) for vsid in q.bindings.values())]
        # (MAC, VSID) of ports that have NAT.
        translating = {nat.port for nat in policy.nats}
        self.leaving = [(q.attached_mac, vsid) for q in self.lively if q.name in translating
                        for vsid in q.bindings.values()]
        self.gateways = [str(self._gateway(key)) for r in policy.routers.values()
                         for key in r.bindings] + ["10.1.1.1", "fd01:1::1"]

    @staticmethod
    def _gateway(key):
        bound = p.interface(key)
        return bound.ip if bound.ip != bound.network.network_address else bound.network[1]

    def draw(self):
        draw = self.random
        if self.leaving and draw.random() < 0.06:
            return self._leaving(*draw.choice(self.leaving))
        if self.ports and draw.random() < 0.75:
            lively = self.lively and draw.random() < 0.9
            packet = self._from_guest(draw.choice(self.lively if lively else self.ports))
        else:
            packet = self._from_tunnel()
        return self._spoil(packet) if draw.random() < 0.12 else packet

    # --- where it enters ---------------------------------------------------------------------

    def _from_guest(self, port):
        draw = self.random
        vlan = draw.choice(list(port.bindings) or [0]) if draw.random() < 0.97 else \
            draw.choice([0, 10, 20, 4094])
        vsid = port.bindings.get(vlan, draw.choice(list(VSIDS)))
        base = p.Packet(port=port.name, eth_src=port.attached_mac,
                        vlan=vlan if vlan or draw.random() < 0.01 else -1,
                        pcp=0 if vlan == 0 else draw.choice([0, 0, 5]))
        # What a guest sends to itself does not get this far, mostly.
        self.not_to = port.attached_mac if draw.random() < 0.97 else ""
        nats = [nat for nat in self.policy.nats if nat.port == port.name]
        if nats and draw.random() < 0.4:
            return self._to_external(base, vsid, draw.choice(nats))
        adapter = self.policy.adapters.get(port.name)
        named = [str(p.interface(text).ip) for text in adapter.addresses] if adapter else []
        source = draw.choice(named) if named and draw.random() < 0.7 else \
            self._own_ca(vsid, port.attached_mac)
        return self._towards(base, vsid, source)

    def _to_external(self, base, vsid, nat):
        """From beyond a gateway port: to an address of its NAT, or a question who has it."""
        draw = self.random
        first, last = (p.address(end) for end in (nat.external.split("-") * 2)[:2])
        target = str(draw.choice([first, first, first + 1, last, last + 1]))
        six = ":" in target
        if draw.random() < 0.2:
            asks = self._nd(base, vsid, "fd01:1::77") if six else self._arp(base, vsid, "10.1.1.77")
            return asks.changed(nd_target=target) if six else asks.changed(arp_tpa=target)
        return self._ip(base, draw.choice(OUTSIDE[6 if six else 4]), target, self.router_mac)

    def _from_tunnel(self):
        draw = self.random
        self.not_to = ""
        here = [vsid for q in self.lively for vsid in q.bindings.values()]
        vsid = draw.choice(here if here and draw.random() < 0.7 else [*VSIDS, *MIRROR_KEYS, 4096,
                                                                       5004])
        known = [m.locator.pa for m in self.policy.mappings if m.vsid == vsid]
        own = [address.partition("/")[0] for address in OWN_PAS]
        outer = draw.choice(known if known and draw.random() < 0.7 else
                            PEERS + STRANGERS + own)
        tunnel = draw.choice(["vxlan", "nvgre"])
        key = vsid if tunnel == "vxlan" else vsid << 8 | draw.choice([0, 1, 0xff])
        src_mac = draw.choice(list(self.machines.get(vsid, {})) or ODD_MACS)
        base = p.Packet(tunnel=tunnel, key=key, outer_src=outer,
                        outer_dst=own[":" in outer], eth_src=src_mac,
                        vlan=draw.choice([-1] * 60 + [0, 10]))
        packet = self._towards(base, vsid, self._own_ca(vsid, src_mac))
        locals_here = [q.attached_mac for q in self.ports if vsid in q.bindings.values()]
        if locals_here and not p.is_group_mac(packet.eth_dst) and draw.random() < 0.7:
            mac = draw.choice(locals_here)
            packet = packet.changed(eth_dst=mac)
            cas = [ca for ca in self.machines.get(vsid, {}).get(mac, [])
                   if ca and packet.is_ip and (":" in ca) == (":" in packet.src)]
            if cas and draw.random() < 0.7:
                packet = packet.changed(dst=cas[0])
        return packet

    def _leaving(self, gateway_mac, vsid):
        """Out of the virtual network, from a neighbour or another host, by the gateway's MAC."""
        draw = self.random
        near = [q for q in self.lively for v in q.bindings.values()
                if v == vsid and q.attached_mac != gateway_mac]
        if near and draw.random() < 0.5:
            base = self._from_guest(draw.choice(near))
        else:
            base = self._from_tunnel()
            known = [m.locator.pa for m in self.policy.mappings if m.vsid == vsid]
            if known:
                own = [address.partition("/")[0] for address in OWN_PAS]
                outer = draw.choice(known)
                base = base.changed(vlan=-1, outer_src=outer, outer_dst=own[":" in outer],
                                    key=vsid if base.tunnel == "vxlan" else vsid << 8)
        network = [ca for v in self._network(vsid) for cas in self.machines.get(v, {}).values()
                   for ca in cas if ca]
        source = base.src if base.port and base.src else draw.choice(network or ["10.1.1.77"])
        return self._ip(base, source, draw.choice(OUTSIDE[6 if ":" in source else 4]), gateway_mac)

    def _own_ca(self, vsid, mac):
        """A CA of the machine, of either family."""
        cas = [ca for ca in self.machines.get(vsid, {}).get(mac, []) if ca]
        return self.random.choice(cas) if cas else self.random.choice(["10.1.1.77", "fd01:1::77"])

    # --- where it goes -----------------------------------------------------------------------

    def _towards(self, base, vsid, source):
        draw = self.random
        kinds = [self._neighbour, self._routed, self._outside, self._foreign, self._gateway_packet,
                 self._group, self._arp, self._nd, self._not_ip, self._dhcp]
        return draw.choices(kinds, [24, 24, 14, 7, 9, 10, 4, 5, 2, 3])[0](base, vsid, source)

    def _ip(self, base, source, destination, mac):
        base = base.changed(eth_type=0x86dd if ":" in source else 0x0800, src=source,
                            dst=destination, eth_dst=mac, ttl=self.random.choice(TTLS))
        return self._transport(base)

    def _transport(self, base):
        draw = self.random
        icmp = 58 if base.eth_type == 0x86dd else 1
        proto = draw.choice([6, 6, 6, 17, 17, 132, icmp, icmp, 2, 47, 50, 112])
        if proto == icmp:
            echo = 8 if icmp == 1 else 128
            kinds = [(echo, 0)] * 4 + [(echo, 1), (0 if icmp == 1 else 129, 0), (3, 1)]
            sport, dport = draw.choice(kinds)
        elif proto in (6, 17, 132):
            sport, dport = (draw.choice([22, 53, 80, 443, 1000, 1500, 2001, 40000])
                            for _ in range(2))
        else:
            sport = dport = 0
        frag = draw.choice(["no"] * 30 + ["first", "later"])
        if frag == "later":
            sport = dport = 0
        return base.changed(proto=proto, sport=sport, dport=dport, frag=frag)

    def _other(self, vsids, source):
        """(MAC, CA) of some machine in one of these subnets, of the source's family if it can."""
        found = [(mac, ca) for vsid in vsids for mac, cas in self.machines.get(vsid, {}).items()
                 for ca in cas if ca and (":" in ca) == (":" in source) and mac != self.not_to]
        if found and self.random.random() < 0.95:
            return self.random.choice(found)
        return self.random.choice(ODD_MACS), "fd01:1::63" if ":" in source else "10.1.1.99"

    def _neighbour(self, base, vsid, source):
        mac, ca = self._other([vsid], source)
        return self._ip(base, source, ca, mac)

    def _network(self, vsid):
        return [other for other in VSIDS if other // 1000 == vsid // 1000]

    def _routed(self, base, vsid, source):
        _, ca = self._other(self._network(vsid), source)
        return self._ip(base, source, ca, self.router_mac)

    def _outside(self, base, _, source):
        destination = self.random.choice(OUTSIDE[6 if ":" in source else 4])
        return self._ip(base, source, destination, self.router_mac)

    def _foreign(self, base, vsid, source):
        """By the MAC or the address of another network's machine."""
        others = [other for other in VSIDS if other // 1000 != vsid // 1000]
        mac, ca = self._other(others, source)
        return self._ip(base, source, ca, self.random.choice([mac, mac, self.router_mac]))

    def _gateway_packet(self, base, _, source):
        gateways = [g for g in self.gateways if (":" in g) == (":" in source)]
        packet = self._ip(base, source, self.random.choice(gateways), self.router_mac)
        if self.random.random() < 0.6:
            echo = (58, 128) if ":" in source else (1, 8)
            packet = packet.changed(proto=echo[0], sport=echo[1], dport=0, frag="no")
        return packet

    def _group(self, base, _, source):
        mac = self.random.choice(GROUP_MACS)
        group = self.random.choice(["ff02::5", "ff02::1"] if ":" in source else
                                   ["224.0.0.18", "255.255.255.255", "10.1.1.255", "239.1.2.3"])
        return self._ip(base, source, group, mac)

    def _arp(self, base, vsid, source):
        draw = self.random
        sender = source if ":" not in source else "10.1.1.11"
        _, target = self._other([vsid], "10.0.0.0")
        return base.changed(
            eth_type=0x0806, eth_dst=draw.choice(["ff:ff:ff:ff:ff:ff"] * 3 + [self.router_mac]),
            arp_op=draw.choice([1, 1, 1, 2, 3]), arp_sha=base.eth_src,
            arp_tha="00:00:00:00:00:00", arp_spa=draw.choice([sender] * 4 + ["0.0.0.0"]),
            arp_tpa=draw.choice([target, target, sender,
                                 *(g for g in self.gateways if ":" not in g)]))

    def _nd(self, base, vsid, source):
        draw = self.random
        sender = source if ":" in source else "fd01:1::b"
        mac, target = self._other([vsid], "::")
        kind = draw.choice([135, 135, 135, 136, 133, 134, 134, 137])
        sender_port = self.policy.ports.get(base.port)
        if sender_port and sender_port.ip_forwarding and draw.random() < 0.5:
            kind = 134
        if kind == 134 and draw.random() < 0.6:
            return base.changed(eth_type=0x86dd, proto=58, sport=kind, dport=0, ttl=255,
                                src="fe80::1", dst=draw.choice(["ff02::1"] * 4 + [target]),
                                eth_dst=draw.choice(["33:33:00:00:00:01"] * 4 + [mac]))
        return base.changed(
            eth_type=0x86dd, proto=58, sport=kind, dport=0, ttl=draw.choice([255, 255, 255, 64]),
            src=draw.choice([sender] * 3 + ["::", "fe80::1", "fe80::1"]),
            dst=draw.choice(["ff02::1:ff00:b", "ff02::1", target]),
            eth_dst=draw.choice(["33:33:ff:00:00:0b", "33:33:00:00:00:01", mac]),
            nd_target=target, nd_sll=draw.choice([base.eth_src, "", "02:bb:bb:bb:bb:bb"]))

    def _not_ip(self, base, vsid, source):
        mac, _ = self._other([vsid], source)
        kinds = [0x88cc, 0x8863, 0x22f3, 0x8847]
        if base.vlan > 0:
            kinds.append(0x8100)  # a tag within the tag
        return base.changed(eth_type=self.random.choice(kinds),
                            eth_dst=self.random.choice([mac, self.router_mac, GROUP_MACS[0]]))

    def _dhcp(self, base, vsid, source):
        draw = self.random
        if draw.random() < 0.3:
            # A server's answer to who has an address already.
            mac, ca = self._other([vsid], source)
            client = 546 if ":" in source else 68
            return self._ip(base, source, ca, mac).changed(
                proto=17, frag="no", sport=draw.choice([67, 547, 1000]), dport=client)
        what = draw.choice(["discover", "discover", "renew", "solicit", "router"])
        if what == "renew" and ":" not in source:
            return base.changed(eth_type=0x0800, src=source, dst=draw.choice(
                [g for g in self.gateways if ":" not in g] + ["169.254.169.253"]), proto=17,
                eth_dst=self.router_mac, sport=68, dport=67)
        if what in ("solicit", "router"):
            own = draw.choice(["fe80::215:5dff:fe00:b"] * 4 + ["::", "fd01:1::b"])
            six = base.changed(eth_type=0x86dd, src=own, eth_dst="33:33:00:01:00:02",
                               dst=draw.choice(["ff02::1:2"] * 4 + ["ff02::1", "fd01:1::c"]))
            return six.changed(proto=17, sport=546, dport=547) if what == "solicit" else \
                six.changed(proto=58, sport=133, dport=0, dst="ff02::2", ttl=255)
        server = draw.random() < 0.2
        return base.changed(eth_type=0x0800, src="0.0.0.0", dst="255.255.255.255", proto=17,
                            eth_dst="ff:ff:ff:ff:ff:ff", sport=67 if server else 68,
                            dport=68 if server else 67)

    # --- hostile -----------------------------------------------------------------------------

    def _spoil(self, packet):
        """One field is not what it was."""
        draw = self.random
        macs = [mac for group in self.machines.values() for mac in group] + ODD_MACS
        cas = [ca for group in self.machines.values() for known in group.values()
               for ca in known if ca]
        what = draw.choice(["eth_src", "eth_dst", "src", "dst", "vlan", "ttl", "outer", "key"])
        if what in ("eth_src", "eth_dst"):
            return packet.changed(**{what: draw.choice(macs)})
        if what in ("src", "dst") and packet.is_ip and cas:
            six = packet.eth_type == 0x86dd
            odd = ["::1", "fe80::1", "::", "ff02::1"] if six else \
                ["0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", "169.254.1.1"]
            same = [ca for ca in cas + self.gateways if (":" in ca) == six] + odd
            return packet.changed(**{what: draw.choice(same)})
        if what == "vlan":
            return packet.changed(vlan=draw.choice([0, 1, 10, 20, 4094]))
        if what == "ttl":
            return packet.changed(ttl=draw.choice([0, 1, 2]))
        if what == "outer" and packet.tunnel:
            outer = draw.choice(PEERS + STRANGERS)
            own = [address.partition("/")[0] for address in OWN_PAS]
            return packet.changed(outer_src=outer, outer_dst=own[":" in outer])
        if what == "key" and packet.tunnel:
            return packet.changed(key=draw.choice([0, 1, packet.key ^ 1, packet.key << 8 & 0xffffff,
                                                   packet.key ^ 0x100]))
        return packet
