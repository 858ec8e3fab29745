"""The reference model: for a policy and a packet, what must come out where.

Small, slow and obvious. It is written from the policy contract, whose sentences the comments cite,
and shares nothing with the agent's pipeline. It knows no tables and no flows; it looks through all
rows of the policy for each packet.
"""

import firewall
import nat
import services
from policy import (DEFAULT_ROUTER_MAC, Out, address, address_order, bindings_in_force, in_force,
                    interface, is_group_mac, is_local_pa, sent)

UDP, ICMP, ICMPV6 = 17, 1, 58
IPV4, IPV6, ARP = 0x0800, 0x86dd, 0x0806
ARP_REQUEST, SOLICITATION, ROUTER_SOLICITATION, ADVERTISED_ROUTER = 1, 135, 133, 134
DHCP_SERVER, DHCPV6_SERVER = 67, 547
DHCP_CLIENT = {IPV4: 68, IPV6: 546}
DHCPV6_SERVERS = "ff02::1:2"
NO_GATEWAY = "169.254.169.253"
ECHO_REQUEST = {IPV4: 8, IPV6: 128}
ECHO_REPLY = {IPV4: 0, IPV6: 129}
UNTAGGED = -1


class Model:
    """After `alternatives`, `notes` says which cases the packet has met: for counting them."""

    def __init__(self, policy):
        self.policy = policy
        self.mappings = in_force(policy.mappings)
        self.bindings = {router.name: bindings_in_force(policy, router)
                         for router in policy.routers.values()}
        self.router_mac = policy.router_mac or DEFAULT_ROUTER_MAC
        self.notes = []
        self.chosen, self.sharers = 0, 1  # of machines that have an address

    def alternatives(self, packet):
        """What may come of the packet, each way a sorted list; an empty one: it is dropped.

        There is more than one way only where several machines have an address.
        """
        ways, self.sharers = [], 1
        self.chosen = 0
        while self.chosen < self.sharers:
            self.notes = []
            ways.append(sorted(self._from_guest(packet) if packet.port
                               else self._from_tunnel(packet)))
            self.chosen += 1
        return ways

    def _drop(self, why):
        self.notes.append(f"dropped: {why}")
        return []

    def _to_agent(self, port, vsid, what, **fields):
        """The agent is asked to answer this port, in this subnet."""
        self.notes.append(f"agent: {what}")
        return [Out("agent", port.name, vlan=self.tag_in(port, vsid), reason=what, **fields)]

    # --- who is who --------------------------------------------------------------------------

    def subnet_of(self, port, vlan):
        """The VSID that a port's frames of this VLAN are in, or None.

        Contract: vlan_bindings binds the port to a virtual subnet: key 0 for untagged frames, other
        keys for that VLAN of a trunking guest.
        """
        vsid = port.bindings.get(max(vlan, 0))  # A tag of VLAN 0 is a priority only (802.1Q).
        return vsid if vsid in self.policy.subnets else None

    def tag_in(self, port, vsid):
        """The VLAN tag of the port's frames in a subnet that it is bound to."""
        vlan = next(vlan for vlan in port.bindings if self.subnet_of(port, vlan) == vsid)
        return vlan or UNTAGGED

    def own_addresses(self, port, vsid):
        """Contract: a port's MAC and CAs come from ms_darv.Ports (by name), else from mapping rows
        whose MAC is the attached MAC."""
        if self.named_addresses(port, vsid):
            return self.adapter_addresses(port, vsid)
        return [m.ca for m in self.mappings
                if m.vsid == vsid and m.mac == port.attached_mac and m.ca]

    def named_addresses(self, port, vsid):
        """Those that ms_darv names for the port in this subnet. Of one that is in several they are
        where the prefix is that has them."""
        adapter = self.policy.adapters.get(port.name)
        subnets = [bound for bound in port.bindings.values() if bound in self.policy.subnets]
        prefixes = [interface(key).network for bindings in self.bindings.values()
                    for key, bound in bindings.items() if bound == vsid]
        named = [str(interface(text).ip) for text in adapter.addresses] if adapter else []
        return [ca for ca in named if len(subnets) == 1
                or any(address(ca) in prefix for prefix in prefixes)]

    def adapter_addresses(self, port, vsid):
        """Those of them that are not the gateway's, nor mapped to another MAC."""
        def is_the_ports(ca):
            macs = [m.mac for m in self.mappings if m.vsid == vsid and m.ca == ca]
            return address(ca) not in self.gateways(vsid) \
                and (not macs or port.attached_mac in macs)
        return [ca for ca in self.named_addresses(port, vsid) if is_the_ports(ca)]

    def gateways(self, vsid):
        router = self.router_of(vsid)
        bindings = self.bindings[router.name] if router else {}
        return [self.gateway(key) for key, bound in bindings.items() if bound == vsid]

    def forwards(self, port):
        """Contract: unless Port_Settings (or enable_ip_forwarding) allows otherwise."""
        adapter = self.policy.adapters.get(port.name)
        return port.ip_forwarding or bool(adapter and adapter.ip_forwarding)

    def carries(self, port, vsid):
        """Whether the port is active in this subnet.

        Contract: a port whose MAC or CA is unknown sends nothing until one of them says so. Without
        any mapping it is blocked; a mapping of its MAC alone lets it receive, and send what a
        machine without an address yet sends (see `_is_honest`).
        """
        bound = vsid in [self.subnet_of(port, vlan) for vlan in port.bindings]
        known = any(m.vsid == vsid and m.mac == port.attached_mac for m in self.mappings)
        if self.named_addresses(port, vsid):
            known = bool(self.adapter_addresses(port, vsid))
        return bool(port.plugged and port.attached_mac and bound and known
                    and firewall.has_acl(self.policy, port))

    def members(self, vsid):
        """The ports of this host that are in the subnet."""
        return [port for port in self.policy.ports.values() if self.carries(port, vsid)]

    def router_of(self, vsid):
        """Contract: enable_logical_router=false leaves the subnets unrouted. A subnet belongs to
        one router."""
        return next((router for router in self.policy.routers.values()
                     if router.enabled and vsid in self.bindings[router.name].values()),
                    None)

    def network_of(self, vsid):
        """The VSIDs that exchange packets with this one.

        Contract: two routers never exchange a packet, whatever their addresses.
        """
        router = self.router_of(vsid)
        return {vsid, *self.bindings[router.name].values()} if router else {vsid}

    @staticmethod
    def gateway(key):
        """Contract: if the key's host bits are zero the gateway is the subnet's lowest address,
        otherwise the address given."""
        bound = interface(key)
        return bound.ip if bound.ip != bound.network.network_address else bound.network[1]

    def mapped_mac(self, vsid, ca):
        """The MAC of a customer address in a subnet, or None.

        Contract: load_balanced = several rows with the same ipaddr share the flows by a hash.
        """
        macs = [m.mac for m in self.mappings if m.vsid == vsid and m.ca and address(m.ca) == ca]
        if len(macs) > 1:
            self.sharers = max(self.sharers, len(macs))
            self.notes.append("shared address")
        return macs[self.chosen % len(macs)] if macs else None

    def shares(self, vsid, ca):
        """Whether the address is one that machines of the subnet share, be they one for now."""
        return any(m.vsid == vsid and m.ca == ca and m.kind == "load_balanced"
                   for m in self.mappings)

    # --- from a guest ------------------------------------------------------------------------

    def _from_guest(self, packet):
        port = self.policy.ports[packet.port]
        vsid = self.subnet_of(port, packet.vlan)
        if vsid is None or not self.carries(port, vsid):
            return self._drop("port not active")
        asked = self._asks_agent(port, vsid, packet)
        if asked:
            return self._to_agent(port, vsid, asked)
        if not self._is_honest(port, vsid, packet):
            return self._drop("spoofed")
        if packet.eth_type == ARP:
            # Contract: the switch sends every ARP request of a port to the agent. ARP never crosses
            # a tunnel. A reply has no business where the agent answers.
            if packet.arp_op != ARP_REQUEST:
                return self._drop("ARP that is no request")
            external = nat.answers_for(nat.in_force(self, port, vsid), packet.arp_tpa)
            return self._to_agent(port, vsid, "arp", eth_src=self.router_mac if external else "")
        if packet.is_nd and packet.sport == ADVERTISED_ROUTER and self._may_advertise(port, packet):
            # Port_Settings, router_guard: to the ports of its subnet on this host; like all
            # neighbour discovery, no tunnel and no rule meets it.
            self.notes.append("router advertisement")
            tagged = packet.changed(vlan=self.tag_in(port, vsid), pcp=0)
            return self._copies(port, tagged, "out") + self._to_members(
                (port, vsid), vsid, packet.changed(vlan=UNTAGGED, pcp=0))
        if packet.is_nd:
            # Contract: IPv6 neighbour solicitation likewise.
            if packet.sport != SOLICITATION:
                return self._drop("neighbour discovery of a guest")
            # So that an advertisement can say whether it is a router's.
            router_mac = self.router_mac if self.router_of(vsid) else "00:00:00:00:00:00"
            external = nat.answers_for(nat.in_force(self, port, vsid), packet.nd_target)
            return self._to_agent(port, vsid, "nd", eth_src=router_mac,
                                  src=self.router_mac if external else "")
        if not packet.is_ip:
            # No address of it could be checked, and no rule could match it.
            return self._drop("neither IP nor ARP")
        if port.dhcp_guard and packet.proto == UDP and packet.frag == "no" \
                and packet.dport == DHCP_CLIENT[packet.eth_type]:
            return self._drop("of a DHCP server")
        tagged = packet.changed(vlan=self.tag_in(port, vsid), pcp=0)
        return self._copies(port, tagged, "out") + self._out_of(port, vsid, packet)

    def _copies(self, port, packet, direction):
        found = services.copies(self.policy, port, packet, direction)
        if found:
            self.notes.append(f"mirrored {direction}")
        return found

    def _out_of(self, port, vsid, packet):
        """Past its guard."""
        translated = nat.inwards(nat.in_force(self, port, vsid), packet)
        if translated is None:
            return self._drop("external address, unsolicited")
        self._note_translation(packet, translated, "in")
        packet = translated
        if not self._passes("outbound", port, packet):
            return self._drop("outbound rules")
        packet = packet.changed(vlan=UNTAGGED, pcp=0)
        rule = services.insertion(self.policy, port, packet)
        if rule and not is_group_mac(packet.eth_dst):
            hop = services.next_hop(self, rule, port, vsid)
            if hop:
                self.notes.append("inserted")
                return self._switch((port, vsid), hop[0], packet.changed(eth_dst=hop[1]))
            if not rule.fail_open:
                return self._drop("no appliance")
        if self.shares(vsid, packet.dst):
            # Whichever of the machines' MACs the guest has found, the hash decides.
            mac = self.mapped_mac(vsid, address(packet.dst))
            return self._switch((port, vsid), vsid, packet.changed(eth_dst=mac))
        if packet.eth_dst == self.router_mac and self.router_of(vsid):
            return self._route(port, vsid, packet)
        return self._switch((port, vsid), vsid, packet)

    def _is_honest(self, port, vsid, packet):
        """Contract: source MAC, ARP sender and source IP must be the port's own, unless
        Port_Settings (or enable_ip_forwarding) allows otherwise."""
        own = self.own_addresses(port, vsid)
        if packet.eth_src != port.attached_mac and not port.mac_spoofing:
            return False
        if packet.eth_type == ARP:
            if packet.arp_sha != port.attached_mac and not port.mac_spoofing:
                return False
            # A probe (RFC 5227) has no sender address.
            return packet.arp_spa in [*own, "0.0.0.0"] or self.forwards(port)
        if packet.is_nd and (packet.src == "::" or address(packet.src).is_link_local):
            # Duplicate address detection, and the address that every IPv6 interface has (RFC 4862):
            # of a machine that may use IPv6 at all.
            return any(":" in ca for ca in own) or self.forwards(port)
        if packet.is_ip:
            # One that the agent tells its address has nobody else to ask.
            asks = self._asks_for_address(packet) and not self.is_served(port, vsid, 4)
            return packet.src in own or self.forwards(port) or asks
        return True

    def is_served(self, port, vsid, version):
        """DHCP is answered by the agent if ms_darv names an address of the family."""
        return any(address(ca).version == version for ca in self.adapter_addresses(port, vsid))

    def _asks_agent(self, port, vsid, packet):
        """Contract: the agent's DHCP; not filtered. For the port's own MAC only."""
        if (packet.eth_src != port.attached_mac and not port.mac_spoofing) or packet.frag != "no":
            return None
        if packet.eth_type == IPV4 and (packet.proto, packet.dport) == (UDP, DHCP_SERVER) \
                and self.is_served(port, vsid, 4):
            servers = [str(g) for g in sorted(g for g in self.gateways(vsid) if g.version == 4)]
            server = (servers or [NO_GATEWAY])[0]
            return "dhcp" if packet.dst in ("255.255.255.255", server) else None
        if packet.eth_type != IPV6 or not self.is_served(port, vsid, 6):
            return None
        link_local = address(packet.src).is_link_local
        if (packet.proto, packet.dport, packet.dst) == (UDP, DHCPV6_SERVER, DHCPV6_SERVERS):
            return "dhcpv6" if link_local else None
        if packet.is_nd and packet.sport == ROUTER_SOLICITATION:
            return "router" if link_local or packet.src == "::" else None
        return None

    def _may_advertise(self, port, packet):
        """Port_Settings: router_guard drops a port's router advertisements, and so does its not
        being allowed to forward. RFC 4861: from a link-local address, unasked to all nodes."""
        return self.forwards(port) and not port.router_guard and is_group_mac(packet.eth_dst) \
            and address(packet.src).is_link_local and packet.dst == "ff02::1"

    @staticmethod
    def _asks_for_address(packet):
        """A DHCP client has no address yet (RFC 2131)."""
        return packet.eth_type == IPV4 and packet.src == "0.0.0.0" and packet.proto == UDP \
            and packet.dport == DHCP_SERVER and packet.frag == "no"

    def _passes(self, direction, port, packet):
        if packet.state == "reply" and packet.tracked_by == port.name:
            # Contract: replies of an allowed connection pass. When a rule is taken away,
            # connections it allowed and that no rule now allows stop.
            direction = {"outbound": "inbound", "inbound": "outbound"}[direction]
            packet = packet.turned
        return firewall.passes(self.policy, direction, port, packet)

    # --- the distributed router --------------------------------------------------------------

    def _route(self, port, vsid, packet):
        router = self.router_of(vsid)
        destination = address(packet.dst)
        if self._stays_in_subnet(destination):
            return self._drop("not for any router")
        if destination in [self.gateway(key) for key in self.bindings[router.name]]:
            return self._echo(port, vsid, packet)
        if packet.ttl <= 1:
            return self._icmp_error(port, vsid, packet, "ttl")
        found = self._next_hop(router, vsid, destination)
        if found is None:
            return self._icmp_error(port, vsid, packet, "no-route")
        to_vsid, mac = found
        if mac is None:
            return self._icmp_error(port, vsid, packet, "host-unknown")
        # Contract: decrements TTL; VSID rewritten to the destination's.
        routed = packet.changed(eth_src=self.router_mac, eth_dst=mac, ttl=packet.ttl - 1)
        return self._switch((port, vsid), to_vsid, routed)

    @staticmethod
    def _stays_in_subnet(destination):
        """Contract: broadcast and subnet multicast: never to another subnet. Nor are loopback
        addresses and those of one IPv6 link for any router (RFC 1122 3.2.1.3, RFC 4291 2.5.6)."""
        return destination.is_multicast or str(destination) == "255.255.255.255" \
            or destination.is_loopback or (destination.version == 6 and destination.is_link_local)

    def _icmp_error(self, port, vsid, packet, reason):
        """Contract: sends ICMP time-exceeded and unreachable: from the sender's gateway."""
        bindings = self.bindings[self.router_of(vsid).name]
        gateways = [self.gateway(key) for key, bound in bindings.items() if bound == vsid]
        version = address(packet.src).version
        speaker = next((str(gateway) for gateway in gateways if gateway.version == version), "")
        return self._to_agent(port, vsid, f"icmp {reason}", eth_src=self.router_mac, src=speaker)

    def _echo(self, port, vsid, packet):
        """Contract: answers ICMP echo to the gateway. That needs no TTL: it goes no further."""
        request = packet.is_icmp and packet.sport == ECHO_REQUEST[packet.eth_type]
        if not request or packet.frag != "no":
            return self._drop("not an echo, to the gateway")
        self.notes.append("gateway echo")
        answer = packet.changed(eth_src=packet.eth_dst, eth_dst=packet.eth_src, src=packet.dst,
                                dst=packet.src, sport=ECHO_REPLY[packet.eth_type], ttl=64,
                                vlan=self.tag_in(port, vsid))
        return [sent(answer, "port", port.name)]

    def _next_hop(self, router, vsid, destination):
        """(VSID, MAC) of who has the packet next, MAC None if nobody has the address; or None.

        Contract: longest prefix wins; router, or subnet: the subnet's table wins on an equal
        prefix. A subnet's own prefix wins over both.
        """
        found = []  # (prefix length, rank, note, hop)
        tables = ((1, "router's", router.routes),
                  (2, "subnet's", self.policy.subnets[vsid].routes))
        for rank, whose, routes in tables:
            for prefix, via in routes.items():
                network = interface(prefix).network
                hop = self.mapped_in_network(router, address(via))
                # A next hop that isn't mapped is a fault, and its route is not there.
                if destination in network and hop:
                    found.append((network.prefixlen, rank, f"routed: {whose} static route", hop))
        for key, to_vsid in self.bindings[router.name].items():
            network = interface(key).network
            if destination in network and to_vsid in self.policy.subnets:
                hop = (to_vsid, self.mapped_mac(to_vsid, destination))
                found.append((network.prefixlen, 3, "routed: to a subnet of the network", hop))
        if not found:
            return None
        best = max(found, key=lambda entry: entry[:2])
        self.notes.append(best[2])
        return best[3]

    def mapped_in_network(self, router, ca):
        """Contract: the next hop is a CA of the same virtual network. Should several of its subnets
        have the address, then it is in the one with its prefix, or in any if none has it."""
        bindings = [(interface(key).network, vsid)
                    for key, vsid in self.bindings[router.name].items()
                    if vsid in self.policy.subnets and self.mapped_mac(vsid, ca)]
        with_prefix = [vsid for network, vsid in bindings if ca in network]
        vsids = with_prefix or sorted({vsid for _, vsid in bindings})
        if not vsids:
            return None
        self.sharers = max(self.sharers, len(vsids))
        vsid = vsids[self.chosen % len(vsids)]
        return vsid, self.mapped_mac(vsid, ca)

    # --- within a subnet ---------------------------------------------------------------------

    def _switch(self, source, vsid, packet):
        """To whom the destination MAC says; `source`: (port, VSID) that sent it. A trunking guest
        may send to itself in another subnet."""
        if is_group_mac(packet.eth_dst):
            self.notes.append("replicated")
            return self._to_members(source, vsid, packet) + self._to_peers(vsid, packet)
        # Contract: a port that is active here wins over a mapping that says elsewhere.
        for port in self.members(vsid):
            if port.attached_mac == packet.eth_dst:
                return self._into(source, port, vsid, packet)
        for mapping in self.mappings:
            if mapping.vsid == vsid and mapping.mac == packet.eth_dst:
                # Contract: a mapping that says here with no such port is dropped and counted.
                if is_local_pa(self.policy, mapping.locator.pa):
                    return self._drop("mapped here, no such port")
                self.notes.append("to a mapping")
                return [self._tunnelled(vsid, packet, mapping.locator)]
        # Contract: a unicast frame to an unknown MAC or CA is dropped and counted.
        return self._drop("unknown MAC")

    def _into(self, source, port, vsid, packet):
        """Through the port's inbound rules into its guest."""
        if source == (port, vsid):
            return self._drop("back to its sender")
        # Contract: ARP/ND and the agent's DHCP are not filtered.
        if not packet.is_ip or not (packet.is_nd or self._passes("inbound", port, packet)):
            return self._drop("inbound rules")
        self.notes.append("to a local port")
        translated = nat.outwards(nat.in_force(self, port, vsid), packet,
                                  self.own_addresses(port, vsid))
        self._note_translation(packet, translated, "out")
        packet = translated.changed(vlan=self.tag_in(port, vsid))
        return [sent(packet, "port", port.name), *self._copies(port, packet, "in")]

    def _note_translation(self, before, after, way):
        if before != after:
            self.notes.append(f"translated {way}")

    def _to_members(self, source, vsid, packet):
        """Contract: one copy to each local port, never back to the sender."""
        return [out for port in self.members(vsid) if source != (port, vsid)
                for out in self._into(source, port, vsid, packet)]

    def _to_peers(self, vsid, packet):
        """Contract: one to each distinct PA of the subnet (or to the set in Mcast_Macs_Remote if
        there is one). A PA that is known by both encapsulations gets it by VXLAN."""
        elsewhere = [m for m in self.mappings
                     if m.vsid == vsid and not is_local_pa(self.policy, m.locator.pa)]
        chosen = self.policy.mcast.get((vsid, packet.eth_dst))
        if chosen is None and self.policy.subnets[vsid].per_vm:
            # Contract: one copy for each mapping, with that VM's MAC as the inner destination.
            return [self._tunnelled(vsid, packet.changed(eth_dst=mac), locator)
                    for mac, locator in {(m.mac, m.locator) for m in elsewhere}]
        by_pa = {}
        for locator in [m.locator for m in elsewhere] if chosen is None else chosen:
            known = by_pa.get(locator.pa)
            if known is None or known.encapsulation == "nvgre":
                by_pa[locator.pa] = locator
        return [self._tunnelled(vsid, packet, locator) for locator in by_pa.values()
                if not is_local_pa(self.policy, locator.pa)]

    @staticmethod
    def _tunnelled(vsid, packet, locator):
        """Contract: the encapsulation of a destination is its locator's encapsulation_type."""
        return sent(packet, "tunnel", locator.encapsulation, pa=locator.pa, vsid=vsid)

    # --- from a tunnel -----------------------------------------------------------------------

    def _from_tunnel(self, packet):
        # Contract: VNI = VSID; VSID in the key's upper 24 bits, FlowID in the lower 8.
        vsid = packet.key if packet.tunnel == "vxlan" else packet.key >> 8
        arrival = services.arrival(self.policy, vsid)
        if arrival:
            self.notes.append("another host's copy")
            return services.arrived(self.policy, arrival, packet)
        if vsid not in self.policy.subnets:
            return self._drop("unknown VSID")
        if packet.vlan != UNTAGGED:
            return self._drop("tagged in the tunnel")
        # Contract: a packet is decapsulated only if its outer source is a PA that the policy knows
        # for that VSID. A peer routes by itself, so it may be known from any subnet of the network.
        network = self.network_of(vsid)
        known = [m.locator.pa for m in self.mappings if m.vsid in network]
        known += [locator.pa for (of, _), locators in self.policy.mcast.items()
                  for locator in locators if of in network]
        if packet.outer_src not in known or is_local_pa(self.policy, packet.outer_src):
            return self._drop("unknown outer source")
        # Contract: ARP never crosses a tunnel in an ms_* subnet; IPv6 likewise.
        if packet.eth_type == ARP or packet.is_nd:
            return self._drop("ARP or neighbour discovery in the tunnel")
        # Contract: never out of a tunnel it came in by. The sender's host has routed it already.
        if is_group_mac(packet.eth_dst):
            self.notes.append("replicated")
            return [out for port in self.members(vsid)
                    if self._copy_is_for(port, vsid, packet)
                    for out in self._into(None, port, vsid, packet)]
        for port in self.members(vsid):
            if port.attached_mac == packet.eth_dst:
                return self._into(None, port, vsid, packet)
        return self._drop("not a MAC of this host")

    def _copy_is_for(self, port, vsid, packet):
        """Contract: one copy to each distinct PA of the subnet (or to the set in Mcast_Macs_Remote
        if there is one). Where several of them are this host's, each member has the copy for the PA
        of its own mapping; one whose mapping says none of them, the first."""
        chosen = self.policy.mcast.get((vsid, packet.eth_dst))
        if chosen is None:
            chosen = [m.locator for m in self.mappings if m.vsid == vsid]
        here = sorted({locator.pa for locator in chosen if is_local_pa(self.policy, locator.pa)},
                      key=address_order)
        if len(here) < 2:
            return True
        own = [m.locator.pa for m in self.mappings
               if m.vsid == vsid and m.mac == port.attached_mac and m.locator.pa in here]
        return packet.outer_dst == (own or here)[0]
