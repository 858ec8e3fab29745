"""The firewall part of the reference model: which rules match a packet, and what they decide.

Written from the policy contract, section "Firewall". A connection stands and falls with its first
packet, so that is what rules are asked about.
"""

from policy import address, interface

TCP, UDP, SCTP = 6, 17, 132
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": 1, "icmpv6": 58, "ipv6-icmp": 58,
             "igmp": 2, "gre": 47, "esp": 50, "vrrp": 112}


def has_acl(policy, port):
    """Contract: a port with no enabled rule in either layer is blocked."""
    return any(rule.port == port.name and rule.enabled for rule in policy.rules)


def passes(policy, direction, port, packet):
    """Contract: a packet passes only if each layer that has an enabled rule for the port lets it
    pass. In a layer the lowest priority number that matches decides; no match: outbound allowed,
    inbound blocked.
    """
    for layer in ("admin", "controller"):
        rules = [rule for rule in policy.rules
                 if rule.port == port.name and rule.enabled and rule.layer == layer]
        matching = [rule for rule in rules
                    if rule.direction == direction and matches(rule, packet)]
        if matching:
            allowed = min(matching, key=lambda rule: rule.priority).allow
        else:
            allowed = direction == "outbound" or not rules
        if not allowed:
            return False
    return True


def matches(rule, packet):
    """Whether all five strings of a rule match.

    A fragment other than the first carries no ports. No Block that names ports matches it, and an
    Allow does whatever the ports: without the first fragment nobody can make use of it.
    """
    has_ports = packet.proto in (TCP, UDP, SCTP)
    src_ports, dst_ports = rule.src_ports, rule.dst_ports
    if packet.frag == "later" and has_ports:
        has_ports = False
        src_ports, dst_ports = ("*", "*") if rule.allow else (src_ports, dst_ports)
    return (_any_of(rule.protocols, lambda item: packet.proto == _protocol(item))
            and _any_of(rule.src, lambda item: _is_within(packet.src, item))
            and _any_of(rule.dst, lambda item: _is_within(packet.dst, item))
            and _any_of(src_ports, lambda item: has_ports and _in_range(packet.sport, item))
            and _any_of(dst_ports, lambda item: has_ports and _in_range(packet.dport, item)))


def _any_of(text, test):
    """Contract: `*` or empty = any; otherwise a comma-separated list."""
    return text.strip() in ("", "*") or any(test(item.strip()) for item in text.split(","))


def _protocol(item):
    """Contract: names (TCP, UDP, …, any IANA keyword) or numbers."""
    return int(item) if item.isdigit() else PROTOCOLS[item.lower()]


def _is_within(text, item):
    """Contract: IPv4/IPv6 address, CIDR, or a-b."""
    here = address(text)
    if "-" in item:
        low, high = (address(end) for end in item.split("-"))
        return here.version == low.version and low <= here <= high
    return here in interface(item).network


def _in_range(port, item):
    """Contract: n or a-b."""
    low, _, high = item.partition("-")
    return int(low) <= port <= int(high or low)
