"""Frames: taking apart what was captured, and building what is sent.

Only what the lab looks at: Ethernet, ARP (RFC 826), IPv4 (RFC 791) and IPv6 (RFC 8200) without
extension headers, ICMP, UDP, TCP ports, VXLAN (RFC 7348) and NVGRE (RFC 7637). Addresses are text,
in the spelling that the agent writes.
"""

import ipaddress
import struct
from dataclasses import dataclass, field

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ETH_VLAN = 0x8100
ETH_IPV6 = 0x86DD
ETH_EXPERIMENTAL = 0x88B5  # IEEE 802 local experimental: the capture's own markers
ICMP, TCP, UDP, GRE, ICMPV6 = 1, 6, 17, 47, 58
ETH_BRIDGED = 0x6558  # in GRE: an Ethernet frame
VXLAN_PORT = 4789
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_text(octets):
    return ":".join(f"{octet:02x}" for octet in octets)


def mac_octets(text):
    return bytes.fromhex(text.replace(":", "").replace("-", ""))


def ip_text(octets):
    return str(ipaddress.ip_address(octets))


def ip_octets(text):
    return ipaddress.ip_address(text).packed


@dataclass(frozen=True)
class Arp:
    operation: int  # 1 request, 2 reply
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str


@dataclass(frozen=True)
class Ip:
    """Of either version."""
    src: str
    dst: str
    protocol: int
    ttl: int  # IPv6: the hop limit
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None  # ICMP and ICMPv6
    icmp_code: int | None = None
    payload: bytes = b""  # of UDP and ICMP; of TCP the segment with its header

    @property
    def version(self):
        return ipaddress.ip_address(self.src).version


@dataclass(frozen=True)
class Frame:
    raw: bytes
    dst: str
    src: str
    ethertype: int
    arp: Arp | None = None
    ip: Ip | None = None
    vni: int | None = None  # VXLAN
    gre_key: int | None = None  # NVGRE: VSID and FlowID
    inner: "Frame | None" = None
    vlan: int | None = None  # of its first tag; all else is of what is behind the tags
    priority: int | None = None  # the tag's
    time: float = field(default=0.0, compare=False)
    outgoing: bool = field(default=False, compare=False)


def parse(raw, time=0.0, outgoing=False):
    """Never fails: what can't be read is left None."""
    if len(raw) < 14:
        return Frame(raw, "", "", 0, time=time, outgoing=outgoing)
    ethertype = struct.unpack_from("!H", raw, 12)[0]
    parts, body = {}, raw[14:]
    while ethertype == ETH_VLAN and len(body) >= 4:
        tci, ethertype = struct.unpack_from("!HH", body)
        body = body[4:]
        parts.setdefault("vlan", tci & 0xFFF)
        parts.setdefault("priority", tci >> 13)
    if ethertype == ETH_ARP:
        parts["arp"] = _parse_arp(body)
    elif ethertype in (ETH_IPV4, ETH_IPV6):
        parts["ip"] = ip = (_parse_ipv4 if ethertype == ETH_IPV4 else _parse_ipv6)(body)
        field_name, key, carried = _parse_tunnel(ip) if ip else (None, None, None)
        if field_name:
            parts[field_name] = key
            parts["inner"] = parse(carried, time, outgoing)
    return Frame(raw, mac_text(raw[0:6]), mac_text(raw[6:12]), ethertype, time=time,
                 outgoing=outgoing, **parts)


def _parse_arp(body):
    if len(body) < 28:
        return None
    hardware, protocol, hlen, plen, operation = struct.unpack_from("!HHBBH", body)
    if (hardware, protocol, hlen, plen) != (1, ETH_IPV4, 6, 4):
        return None
    return Arp(operation, mac_text(body[8:14]), ip_text(body[14:18]), mac_text(body[18:24]),
               ip_text(body[24:28]))


def _parse_ipv4(body):
    if len(body) < 20 or body[0] >> 4 != 4:
        return None
    header = (body[0] & 0xF) * 4
    total = struct.unpack_from("!H", body, 2)[0]
    first_fragment = struct.unpack_from("!H", body, 6)[0] & 0x1FFF == 0
    base = {"src": ip_text(body[12:16]), "dst": ip_text(body[16:20]), "protocol": body[9],
            "ttl": body[8]}
    return _parse_transport(base, body[header:total], first_fragment)


def _parse_ipv6(body):
    if len(body) < 40 or body[0] >> 4 != 6:
        return None
    length = struct.unpack_from("!H", body, 4)[0]
    base = {"src": ip_text(body[8:24]), "dst": ip_text(body[24:40]), "protocol": body[6],
            "ttl": body[7]}
    return _parse_transport(base, body[40:40 + length], True)


def _parse_transport(base, payload, readable):
    if readable and base["protocol"] in (TCP, UDP) and len(payload) >= 8:
        sport, dport = struct.unpack_from("!HH", payload)
        rest = payload[8:] if base["protocol"] == UDP else payload
        return Ip(**base, sport=sport, dport=dport, payload=rest)
    if readable and base["protocol"] in (ICMP, ICMPV6) and len(payload) >= 8:
        return Ip(**base, icmp_type=payload[0], icmp_code=payload[1], payload=payload[8:])
    return Ip(**base, payload=payload)


def _parse_tunnel(ip):
    """(the Frame's field, the key, the frame that is carried), or three times None."""
    body = ip.payload
    if ip.protocol == UDP and ip.dport == VXLAN_PORT and len(body) >= 8 and body[0] & 0x08:
        return "vni", int.from_bytes(body[4:7], "big"), body[8:]
    if ip.protocol == GRE and len(body) >= 8 and body[:4] == struct.pack("!HH", 0x2000,
                                                                         ETH_BRIDGED):
        return "gre_key", int.from_bytes(body[4:8], "big"), body[8:]
    return None, None, None


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(dst, src, ethertype, body):
    frame = mac_octets(dst) + mac_octets(src) + struct.pack("!H", ethertype) + body
    return frame.ljust(60, b"\0")


def tagged(raw, vlan, priority=0):
    """The frame with an 802.1Q tag, before those that it has."""
    return raw[:12] + struct.pack("!HH", ETH_VLAN, priority << 13 | vlan) + raw[12:]


def arp_frame(operation, sender_mac, sender_ip, target_ip, *, target_mac="00:00:00:00:00:00",
              eth_src=None, eth_dst=BROADCAST):
    body = struct.pack("!HHBBH", 1, ETH_IPV4, 6, 4, operation)
    body += mac_octets(sender_mac) + ip_octets(sender_ip)
    body += mac_octets(target_mac) + ip_octets(target_ip)
    return ethernet(eth_dst, eth_src or sender_mac, ETH_ARP, body)


def udp_frame(eth_dst, eth_src, ip_src, ip_dst, payload, *, sport=40000, dport=40001, ttl=64):
    """`payload` is bytes; the UDP checksum is left out, as IPv4 permits."""
    udp = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return ipv4_frame(eth_dst, eth_src, ip_src, ip_dst, UDP, udp, ttl=ttl)


def ipv4_frame(eth_dst, eth_src, ip_src, ip_dst, protocol, payload, *, ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, 0,
                       ip_octets(ip_src), ip_octets(ip_dst))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(eth_dst, eth_src, ETH_IPV4, head + payload)


def write_pcap(path, frames):
    """A capture file (microseconds, Ethernet) for tcpdump and the like."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for frame in frames:
            seconds = int(frame.time)
            file.write(struct.pack("<IIII", seconds, int((frame.time - seconds) * 1e6),
                                   len(frame.raw), len(frame.raw)))
            file.write(frame.raw)
