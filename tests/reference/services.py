"""The reference model of ms_service_insertion: what is copied, what goes through an appliance, and
which copies come in.

Written from schema/ms_service_insertion.xml, which the comments cite as "Page".
"""

import firewall
from policy import address, is_local_pa, sent
from spelling import known_as

UNTAGGED = -1


def _ordered(policy, port, kind):
    """Page: of several rows that match a packet the one with the lowest priority number decides;
    of equal ones the first rule_id."""
    return sorted((rule for rule in policy.services if rule.port == port and rule.kind == kind),
                  key=lambda rule: (rule.priority, rule.ident))


def _is_key(policy, key):
    """Page: the VSID of a Logical_Switch makes fault mirror-target."""
    return key not in policy.subnets


def _is_open(text):
    return text.strip() in ("", "*")


def matches(rule, packet):
    """Page: fragments do not show their ports, and the later ones of IPv6 not even their protocol:
    a filter takes the fragments of all that its other columns match."""
    has_ports = packet.proto in (firewall.TCP, firewall.UDP, firewall.SCTP)
    names_ports = not (_is_open(rule.src_ports) and _is_open(rule.dst_ports))
    shown = rule
    if packet.frag == "later" and ":" in packet.src:
        shown = shown.changed(protocols="*", src_ports="*", dst_ports="*")
    elif packet.frag != "no":
        if names_ports and not has_ports:
            return False
        shown = shown.changed(src_ports="*", dst_ports="*")
    return firewall.matches(shown, packet.changed(frag="no"))


# --- mirrors -------------------------------------------------------------------------------------


def _is_in_force(policy, rule):
    if rule.analyzer:
        analyzer = policy.ports.get(rule.analyzer)
        return rule.analyzer != rule.port and bool(analyzer and analyzer.plugged)
    return not is_local_pa(policy, rule.locator.pa) and _is_key(policy, rule.key)


def copies(policy, port, packet, direction):
    """Page: of a packet there is one copy for each direction at most. Its VLAN tag is kept on the
    way to a port of this host and taken off on the way to another host.

    Open vSwitch tunnels nothing to the address that the packet came to by a tunnel.
    """
    for rule in _ordered(policy, port.name, "mirror"):
        if direction in rule.directions and _is_in_force(policy, rule) and matches(rule, packet):
            if rule.analyzer:
                return [sent(packet, "port", rule.analyzer)]
            if packet.outer_dst == rule.locator.pa:
                return []
            return [sent(packet.changed(vlan=UNTAGGED, pcp=0), "tunnel", rule.locator.encapsulation,
                         pa=rule.locator.pa, vsid=rule.key)]
    return []


def arrival(policy, key):
    """The row that has the key, or None.

    Page: one row of a host has it: of several, the one with the lowest priority number, then with
    the first rule_id, then of the port whose name is first.
    """
    rules = [rule for rule in policy.services if rule.kind == "arrival" and rule.key == key]
    if not rules or not _is_key(policy, key):
        return None
    return min(rules, key=lambda rule: (rule.priority, rule.ident, known_as(rule.port)))


def arrived(policy, rule, packet):
    """Page: a copy goes straight out of the analyzer's port. The provider addresses from which
    copies are taken; all others are dropped."""
    analyzer = policy.ports.get(rule.port)
    if not (analyzer and analyzer.plugged) or packet.outer_src not in rule.sources:
        return []
    return [sent(packet, "port", rule.port)]


def is_a_copy(policy, out):
    """Whether it may be one, as far as its destination tells."""
    return any(rule.kind == "mirror" and
               (out.to == "port" and out.name == rule.analyzer or
                out.to == "tunnel" and not rule.analyzer and out.vsid == rule.key)
               for rule in policy.services)


# --- insertion -----------------------------------------------------------------------------------


def insertion(policy, port, packet):
    """The row that decides, or None."""
    return next((rule for rule in _ordered(policy, port.name, "insertion")
                 if matches(rule, packet)), None)


def next_hop(model, rule, port, vsid):
    """(VSID, MAC) of the appliance, or None.

    Page: a port with a CA in the same virtual network, in any of its subnets; no gateway's address
    and not the port's own.
    """
    ca, router = address(rule.next_hop), model.router_of(vsid)
    if router:
        if ca in [model.gateway(key) for key in model.bindings[router.name]]:
            return None
        found = model.mapped_in_network(router, ca)
    else:
        mac = model.mapped_mac(vsid, ca)
        found = mac and (vsid, mac)
    return found if found and found != (vsid, port.attached_mac) else None
