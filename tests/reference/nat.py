"""NAT at gateway ports: which rows count, and what they make of a packet's addresses.

What a connection keeps, a trace can't show: here every packet begins one. So a pool gives the first
of its addresses, which is the one that the trace takes for it.
"""

import ipaddress

from policy import address, interface


def first_and_last(external):
    first, _, last = external.partition("-")
    return address(first), address(last or first)


def _has(nat, candidate):
    first, last = first_and_last(nat.external)
    return candidate.version == first.version and first <= candidate <= last


def in_force(model, port, vsid):
    """The rows that count for a port in one of its subnets.

    Documented in NAT: the port must be in a routed subnet, and may send for others; an external
    address is no CA, nor a gateway, of the same virtual network.
    """
    router = model.router_of(vsid)
    if not router or not model.forwards(port):
        return []
    bindings = model.bindings[router.name]
    network = [v for v in bindings.values() if v in model.policy.subnets]
    taken = [address(m.ca) for m in model.policy.mappings if m.vsid in network and m.ca]
    taken += [model.gateway(key) for key, v in bindings.items() if v in network]
    vlan = max(model.tag_in(port, vsid), 0)
    return [nat for nat in model.policy.nats if nat.port == port.name and nat.vlan == vlan
            and not any(_has(nat, ca) for ca in taken)]


def answers_for(nats, target):
    """The agent answers ARP requests and neighbour solicitations for external addresses that come
    in by the gateway port."""
    return any(_has(nat, address(target)) for nat in nats)


def outwards(nats, packet, own):
    """The packet as it leaves by the port. Documented: packets to the port's own CAs, multicast and
    broadcast are left as they are, and so are those of CAs that no row has. The longest prefix
    serves, and a static row before a dynamic one."""
    destination, source = address(packet.dst), address(packet.src)
    if packet.dst in own or destination.is_multicast or packet.dst == "255.255.255.255":
        return packet
    serving = [(interface(prefix).network.prefixlen, nat.static, nat.external)
               for nat in nats for prefix in nat.internal
               if source.version == interface(prefix).version
               and source in interface(prefix).network]
    if not serving:
        return packet
    return packet.changed(src=str(first_and_last(max(serving)[2])[0]))


def inwards(nats, packet):
    """The packet as it goes on from the port; None: it is dropped. Documented: from outside, a
    packet to an external address that belongs to no connection, and to no static row, is dropped
    and counted."""
    to = [nat for nat in nats if _has(nat, address(packet.dst))]
    if not to:
        return packet
    pair = next((nat for nat in to if nat.static), None)
    if pair is None:
        return None
    return packet.changed(dst=str(ipaddress.ip_interface(pair.internal[0]).ip))
