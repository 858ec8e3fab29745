"""What `ofproto/trace` says, as the outcomes that the reference model speaks of.

The datapath actions decide: they are what a real packet would get. The text around them is read
only for what they don't tell, which is what a packet-in asks of the agent.
"""

import ipaddress
import re

from policy import sent, Out

PACKET_IN_KINDS = {1: "arp", 2: "nd", 3: "icmp", 4: "dhcp", 5: "dhcpv6",
                   6: "router"}  # PacketInKind, agent/pipeline/layout.h
ICMP = 3
AUDIT = 0x41  # Of the same.
ICMP_REASONS = {1: "ttl", 2: "no-route", 3: "host-unknown", 4: "too-big"}  # IcmpReason
SOURCE, SOURCE_VLAN, REASON = "reg1", "reg6", "reg8"  # Reg
NVGRE_KEY_SHIFT = 8

_WITH_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}

# Actions without effect on what comes out where.
_SILENT = {"ct_clear", "meter", "drop", "hash", "trunc"}


class TraceError(ValueError):
    """The trace says something that this reader doesn't know."""


_STATES = {"new": "trk|new", "established": "trk|est", "reply": "trk|est|rpl"}


def request(packet, ports):
    """The arguments of ofproto/trace but for the bridge; `ports`: {name: OpenFlow port}."""
    flow = flow_text(packet, ports)
    if packet.state == "new" and packet.frag == "no":
        return [], flow
    # Mark and first packet of a connection are fields of their own, the latter with the ports that
    # connection tracking finds when it puts fragments together. The trace doesn't know them; given
    # with the flow, they stay until the first ct() has been.
    first = packet.turned if packet.state == "reply" else packet
    family = "ct_nw" if packet.eth_type == 0x0800 else "ct_ipv6"
    state = _STATES[packet.state]
    connection = (f"ct_state={state},ct_mark={packet.mark},ct_nw_proto={first.proto},"
                  f"{family}_src={first.src},{family}_dst={first.dst},"
                  f"ct_tp_src={first.sport},ct_tp_dst={first.dport}")
    return ["--ct-next", state.replace("|", ",")], f"{flow},{connection}"


def flow_text(packet, ports):
    """The packet in the syntax of ovs-ofctl."""
    name = packet.port or f"hnv-{packet.tunnel}"
    words = [f"in_port={ports[name]}"]
    if packet.tunnel:
        family = "tun_ipv6_" if ":" in packet.outer_src else "tun_"
        words += [f"tun_id={packet.key}", f"{family}src={packet.outer_src}",
                  f"{family}dst={packet.outer_dst}"]
    words += [f"dl_src={packet.eth_src}", f"dl_dst={packet.eth_dst}"]
    if packet.vlan >= 0:
        words.append(f"vlan_tci=0x{0x1000 | packet.vlan | packet.pcp << 13:04x}")
    words.append(f"dl_type=0x{packet.eth_type:04x}")
    if packet.is_ip:
        words += _ip_words(packet)
    elif packet.eth_type == 0x0806:
        words += [f"arp_op={packet.arp_op}", f"arp_sha={packet.arp_sha}",
                  f"arp_tha={packet.arp_tha}", f"arp_spa={packet.arp_spa}",
                  f"arp_tpa={packet.arp_tpa}"]
    return ",".join(words)


def _ip_words(packet):
    family = "nw" if packet.eth_type == 0x0800 else "ipv6"
    words = [f"nw_proto={packet.proto}", f"{family}_src={packet.src}", f"{family}_dst={packet.dst}",
             f"nw_ttl={packet.ttl}"]
    if packet.frag != "no":
        words.append(f"nw_frag={packet.frag}")
    if packet.frag == "later":
        return words
    if packet.proto in _WITH_PORTS:
        kind = _WITH_PORTS[packet.proto]
        words += [f"{kind}_src={packet.sport}", f"{kind}_dst={packet.dport}"]
    elif packet.is_icmp:
        kind = "icmp" if packet.eth_type == 0x0800 else "icmpv6"
        words += [f"{kind}_type={packet.sport}", f"{kind}_code={packet.dport}"]
    if packet.is_nd and packet.sport in (135, 136):
        words.append(f"nd_target={packet.nd_target}")
        if packet.nd_sll and packet.sport == 135:
            words.append(f"nd_sll={packet.nd_sll}")
    return words


_SECTION = re.compile(r"^recirc\((0x[0-9a-f]+)\) - resume", re.MULTILINE)
_ACTIONS = re.compile(r"^Datapath actions: (.*)$", re.MULTILINE)
_USERDATA = re.compile(r"controller\([^)\n]*userdata=([0-9a-f.]+)")
_FLOW = re.compile(r"^(?:Flow|Final flow): (.*)$", re.MULTILINE)


def outcomes(text, packet, datapath_ports):
    """Everything that comes of the packet, sorted.

    `datapath_ports`: {datapath port number: (name, OpenFlow port)}.
    """
    parts = _SECTION.split(text)
    reader = _Reader(datapath_ports)
    reader.read(parts[0], _State(packet))
    for recirculation, part in zip(parts[1::2], parts[2::2]):
        waiting = reader.recirculated.get(int(recirculation, 16))
        if not waiting:
            raise TraceError(f"recirc({recirculation}) was never asked for")
        reader.read(part, waiting.pop(0))
    return sorted(reader.found)


class _State:
    """The packet as the actions so far have left it, and the tunnel that is set for it."""

    def __init__(self, packet, tunnel=None):
        self.packet = packet
        self.tunnel = tunnel

    def copy(self):
        return _State(self.packet, self.tunnel)


class _Reader:
    def __init__(self, datapath_ports):
        self.ports = datapath_ports
        self.found = []
        self.recirculated = {}

    def read(self, part, state):
        actions = _ACTIONS.search(part)
        if not actions:
            raise TraceError("no datapath actions")
        self.asked = [bytes.fromhex(data.replace(".", "")) for data in _USERDATA.findall(part)]
        flow = [text for text in _FLOW.findall(part) if text != "unchanged"][-1]
        self.registers = dict(re.findall(r"\b(reg\d+)=(0x[0-9a-f]+|\d+)", flow))
        self._run(actions[1], state)

    def _run(self, text, state):
        for action in split(text):
            name, _, rest = action.partition("(")
            inner = rest[:-1]
            if action.isdigit():
                self._output(int(action), state)
            elif name == "set":
                _set(inner, state)
            elif name == "push_vlan":
                _push_vlan(inner, state)
            elif name == "pop_vlan":
                state.packet = state.packet.changed(vlan=-1, pcp=0)
            elif name == "clone":
                self._run(inner, state.copy())
            elif name == "sample":
                self._run(_argument(inner, "actions"), state.copy())
            elif name == "check_pkt_len":
                self._measured(inner, state)
            elif name == "recirc":
                self.recirculated.setdefault(int(inner, 16), []).append(state.copy())
            elif name == "userspace":
                self._packet_in(inner)
            elif name == "ct":
                _translate(inner, state)
            elif name not in _SILENT:
                raise TraceError(f"unknown action {action}")

    def _measured(self, inner, state):
        """Two ways by the packet's length; packets here are short. The other way is read as well,
        for what it asks of the agent is told in one list with the rest."""
        found = self.found
        self.found = []
        self._run(_argument(inner, "gt"), state.copy())
        self.found = found
        self._run(_argument(inner, "le"), state.copy())

    def _packet_in(self, inner):
        if "controller(" not in inner or not self.asked:
            raise TraceError(f"userspace({inner})")
        userdata = self.asked.pop(0)
        if userdata[0] == AUDIT:
            return  # A line in the audit log; the packet goes on.
        what = PACKET_IN_KINDS.get(userdata[0], "unknown")
        if what == "icmp":
            what += " " + ICMP_REASONS.get(self._register(REASON), "unknown")
        tci = self._register(SOURCE_VLAN)
        number = self._register(SOURCE)
        port = next((name for name, openflow in self.ports.values() if openflow == number), "none")
        # What comes with a question for a guest's configuration names the port, not a router.
        router = userdata[1:] if userdata[0] <= ICMP else b""
        self.found.append(Out("agent", port, vlan=tci & 0xfff if tci else -1, reason=what,
                              eth_src=router[:6].hex(":"), src=_address(router[6:])))

    def _register(self, name):
        return int(self.registers.get(name, "0"), 0)

    def _output(self, number, state):
        name, _ = self.ports[number]
        if not name.startswith("hnv-"):
            self.found.append(sent(state.packet, "port", name))
            return
        tunnel, encapsulation = state.tunnel or {}, name[4:]
        key = int(tunnel.get("tun_id", "0"), 0)
        vsid = key if encapsulation == "vxlan" else key >> NVGRE_KEY_SHIFT
        flags = tunnel.get("flags", "")
        reason = "" if "key" in flags else "without a key"
        self.found.append(sent(state.packet, "tunnel", encapsulation, vsid=vsid, reason=reason,
                               pa=tunnel.get("dst") or tunnel.get("ipv6_dst", "nowhere")))


def _address(raw):
    """The address of the router in an ICMP error's userdata; zeros: the packet's destination. Of a
    solicitation for an external address: the MAC that has it."""
    if len(raw) == 6:
        return raw.hex(":")
    return str(ipaddress.ip_address(raw)) if any(raw) else ""


def _set(inner, state):
    kind, _, rest = inner.partition("(")
    values = dict(_pair(item) for item in split(rest[:-1]))
    packet = state.packet
    if kind == "tunnel":
        state.tunnel = values
    elif kind == "eth":
        state.packet = packet.changed(eth_src=values.get("src", packet.eth_src),
                                      eth_dst=values.get("dst", packet.eth_dst))
    elif kind in ("ipv4", "ipv6"):
        ttl = values.get("ttl" if kind == "ipv4" else "hlimit", packet.ttl)
        state.packet = packet.changed(src=values.get("src", packet.src),
                                      dst=values.get("dst", packet.dst), ttl=int(ttl))
    elif kind in ("icmp", "icmpv6"):
        state.packet = packet.changed(sport=int(values.get("type", packet.sport)),
                                      dport=int(values.get("code", packet.dport)))
    elif kind != "skb_mark":
        raise TraceError(f"unknown set({inner})")


def _translate(inner, state):
    """A new connection gets the first address; so the trace goes on after a ct(nat) as well."""
    found = re.search(r"\bnat\((src|dst)=([0-9a-f.:]+)", inner)
    if found:
        state.packet = state.packet.changed(**{found[1]: found[2]})


def _push_vlan(inner, state):
    values = dict(_pair(item) for item in split(inner))
    if state.packet.vlan >= 0:
        raise TraceError("a second tag is pushed")
    state.packet = state.packet.changed(vlan=int(values["vid"]), pcp=int(values.get("pcp", "0")))


def _pair(item):
    name, equals, value = item.partition("=")
    if not equals:  # flags(df|key)
        name, _, value = item.partition("(")
        value = value.rstrip(")")
    if "/" in value:
        raise TraceError(f"a masked value: {item}")
    return name, value


def _argument(inner, name):
    """What is between the brackets of `name(…)` in a list of arguments."""
    for item in split(inner):
        if item.startswith(name + "("):
            return item[len(name) + 1:-1]
    raise TraceError(f"no {name}() in {inner}")


def split(text):
    """The items of a list, whose commas may also be within brackets of an item."""
    items, depth, begin = [], 0, 0
    for position, letter in enumerate(text):
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == "," and depth == 0:
            items.append(text[begin:position])
            begin = position + 1
    items.append(text[begin:])
    return [item.strip() for item in items if item.strip()]
