"""The policy and the packet as plain values, and what can come of a packet.

A policy says what the rows of the databases say, one class a table. A packet is its header fields.
MAC addresses are lower case with colons, IP addresses are canonical text.
"""

import dataclasses
import functools
import ipaddress
from dataclasses import dataclass, field

# "distributed_router_mac (or a fixed default)": this one.
DEFAULT_ROUTER_MAC = "00:15:5d:ff:ff:fe"


# --- policy --------------------------------------------------------------------------------------


@dataclass
class Subnet:
    """Logical_Switch."""
    vsid: int
    rdid: str = ""
    routes: dict = field(default_factory=dict)  # prefix: next hop
    per_vm: bool = False  # other_config:replication=per-vm


@dataclass
class Router:
    """Logical_Router."""
    name: str
    enabled: bool = True
    bindings: dict = field(default_factory=dict)  # prefix text, as written: VSID
    routes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Locator:
    """Physical_Locator: a provider address and the way to send to it."""
    pa: str
    encapsulation: str  # "vxlan" or "nvgre"


@dataclass(frozen=True)
class Mapping:
    """Ucast_Macs_Remote. `ca` is empty in a mapping of the MAC alone."""
    vsid: int
    ca: str
    mac: str
    locator: Locator
    kind: str = "default"


@dataclass
class Port:
    """Physical_Port, its interface and its Port_Settings."""
    name: str
    plugged: bool = True
    attached_mac: str = ""
    bindings: dict = field(default_factory=dict)  # VLAN, 0 for untagged: VSID
    mac_spoofing: bool = False
    ip_forwarding: bool = False
    dhcp_guard: bool = False
    router_guard: bool = False


@dataclass(frozen=True)
class Adapter:
    """ms_darv's Ports, for the port of its name. `mac` is empty or the port's."""
    mac: str = ""
    ip_forwarding: bool = False
    addresses: tuple = ()  # with prefix lengths; no two adapters have one in a subnet


@dataclass(frozen=True)
class Rule:
    """FW_Rules; the strings as they are written."""
    port: str
    ident: str
    layer: str  # "admin" or "controller"
    direction: str  # "outbound" or "inbound"
    allow: bool
    priority: int
    protocols: str = "*"
    src: str = "*"
    dst: str = "*"
    src_ports: str = "*"
    dst_ports: str = "*"
    enabled: bool = True
    logged: bool = False


@dataclass(frozen=True)
class Nat:
    """A row of NAT."""
    name: str
    port: str
    vlan: int  # 0: untagged
    static: bool
    internal: tuple  # prefixes; of a static row one address
    external: str  # an address, or first-last


@dataclass(frozen=True)
class Service:
    """SI_Rule; the strings of its filter as they are written."""
    port: str
    ident: str
    kind: str  # "mirror", "arrival" or "insertion"
    priority: int = 0
    # Of a mirror; without an analyzer it leads to another host.
    directions: tuple = ("in", "out")
    analyzer: str = ""
    locator: Locator = None
    key: int = 0  # of an arrival too
    sources: tuple = ()  # of an arrival
    next_hop: str = ""  # of an insertion
    fail_open: bool = False
    protocols: str = "*"
    src: str = "*"
    dst: str = "*"
    src_ports: str = "*"
    dst_ports: str = "*"
    allow: bool = False  # As a rule's that names ports.

    def changed(self, **fields):
        return dataclasses.replace(self, **fields)


@dataclass
class Policy:
    router_mac: str = ""  # empty: the default
    own_pas: list = field(default_factory=list)  # Provider_Address
    subnets: dict = field(default_factory=dict)  # VSID: Subnet
    routers: dict = field(default_factory=dict)  # name: Router
    binders: dict = field(default_factory=dict)  # VSID: names of its routers, the first one first
    mappings: list = field(default_factory=list)  # the oldest first
    ports: dict = field(default_factory=dict)  # name: Port
    adapters: dict = field(default_factory=dict)  # name: Adapter
    rules: list = field(default_factory=list)
    mcast: dict = field(default_factory=dict)  # (VSID, MAC): [Locator], Mcast_Macs_Remote
    nats: list = field(default_factory=list)
    services: list = field(default_factory=list)

    def as_json(self):
        """Everything in it, in JSON's types."""
        plain = dataclasses.asdict(self)
        plain["mcast"] = [[*key, value] for key, value in plain["mcast"].items()]
        return plain


def from_json(plain):
    """The policy that `as_json` told."""
    def mapping(row):
        return Mapping(**{**row, "locator": Locator(**row["locator"])})

    def service(row):
        locator = row["locator"] and Locator(**row["locator"])
        return Service(**{**row, "locator": locator, "directions": tuple(row["directions"]),
                          "sources": tuple(row["sources"])})

    def port(row):
        return Port(**{**row, "bindings": {int(k): v for k, v in row["bindings"].items()}})

    def adapter(row):
        return Adapter(**{**row, "addresses": tuple(row["addresses"])})

    return Policy(
        router_mac=plain["router_mac"], own_pas=plain["own_pas"],
        subnets={int(k): Subnet(**row) for k, row in plain["subnets"].items()},
        routers={k: Router(**row) for k, row in plain["routers"].items()},
        binders={int(k): names for k, names in plain["binders"].items()},
        mappings=[mapping(row) for row in plain["mappings"]],
        ports={k: port(row) for k, row in plain["ports"].items()},
        adapters={k: adapter(row) for k, row in plain.get("adapters", {}).items()},
        rules=[Rule(**row) for row in plain["rules"]],
        services=[service(row) for row in plain.get("services", [])],
        mcast={(v, m): [Locator(**row) for row in rows] for v, m, rows in plain["mcast"]},
        nats=[Nat(**{**row, "internal": tuple(row["internal"])}) for row in plain.get("nats", [])])


def in_force(mappings):
    """The mappings without those that contradict one that was there before; `mappings` is in the
    order of their age.

    Contradictions are one CA with two MACs that do not share its load, and one MAC behind two
    locators.
    """
    def contradict(old, new):
        if old.vsid != new.vsid:
            return False
        if old.mac == new.mac:
            return old.locator != new.locator
        return new.ca and old.ca == new.ca and not old.kind == new.kind == "load_balanced"

    kept = []
    for new in mappings:
        if not any(contradict(old, new) for old in kept):
            kept.append(new)
    return kept


def bindings_in_force(policy, router):
    """What a router binds but for subnets that another router had first.

    Contract: a subnet belongs to one router.
    """
    def is_its_own(vsid):
        binders = [name for name in policy.binders.get(vsid, [])
                   if name in policy.routers and vsid in policy.routers[name].bindings.values()]
        return not binders or binders[0] == router.name

    return {key: vsid for key, vsid in router.bindings.items() if is_its_own(vsid)}


# --- packets -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Packet:
    """A frame and where it enters: at a port, or out of a tunnel."""
    port: str = ""  # empty: from a tunnel
    tunnel: str = ""  # "vxlan" or "nvgre"
    key: int = 0  # VNI, or the whole GRE key: VSID and FlowID
    outer_src: str = ""
    outer_dst: str = ""

    eth_src: str = ""
    eth_dst: str = ""
    vlan: int = -1  # -1: untagged; else the VLAN id of its tag
    pcp: int = 0
    eth_type: int = 0x0800  # 0x0800, 0x86dd, 0x0806, or what is none of these

    src: str = ""  # IP
    dst: str = ""
    proto: int = 0
    ttl: int = 64
    sport: int = 0  # ICMP: type
    dport: int = 0  # ICMP: code
    frag: str = "no"  # "no", "first", "later"

    arp_op: int = 0
    arp_sha: str = ""
    arp_tha: str = ""
    arp_spa: str = ""
    arp_tpa: str = ""

    nd_target: str = ""
    nd_sll: str = ""

    # What connection tracking says of it: "new", or of a connection that was allowed once
    # "established" (its opener's way) or "reply"; whose connections they are; the mark.
    state: str = "new"
    tracked_by: str = ""
    mark: int = 0

    @property
    def is_ip(self):
        return self.eth_type in (0x0800, 0x86dd)

    @property
    def is_icmp(self):
        return (self.eth_type, self.proto) in ((0x0800, 1), (0x86dd, 58))

    @property
    def is_nd(self):
        """ICMPv6 of RFC 4861: solicitations, advertisements, redirect."""
        return self.eth_type == 0x86dd and self.proto == 58 and self.frag != "later" \
            and 133 <= self.sport <= 137

    @property
    def turned(self):
        """The packet that it answers, as far as rules look at it."""
        if self.is_icmp:
            request = {0: 8, 129: 128}.get(self.sport, self.sport)
            return self.changed(src=self.dst, dst=self.src, sport=request)
        return self.changed(src=self.dst, dst=self.src, sport=self.dport, dport=self.sport)

    def changed(self, **fields):
        return dataclasses.replace(self, **fields)

    def as_json(self):
        """What differs from the defaults."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)
                if getattr(self, f.name) != f.default}


# --- what comes of a packet ----------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Out:
    """One thing that comes of a packet; nothing at all is an empty list of them."""
    to: str  # "port", "tunnel", "agent"
    name: str  # the port that gets it, the encapsulation, the port that the agent answers
    eth_src: str = ""
    eth_dst: str = ""
    vlan: int = -1
    src: str = ""
    dst: str = ""
    ttl: int = -1
    sport: int = -1  # of ICMP the type, so that an echo is seen
    pa: str = ""
    vsid: int = 0
    reason: str = ""  # what the agent is asked for

    def __str__(self):
        return " ".join(f"{f.name}={getattr(self, f.name)}" for f in dataclasses.fields(self)
                        if getattr(self, f.name) != f.default)


def sent(packet, to, name, **fields):
    """The packet going out as its fields are now."""
    is_ip = packet.is_ip
    return Out(to, name, packet.eth_src, packet.eth_dst, packet.vlan,
               packet.src if is_ip else "", packet.dst if is_ip else "",
               packet.ttl if is_ip else -1,
               packet.sport if packet.is_icmp and packet.frag != "later" else -1, **fields)


# --- addresses -----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def address(text):
    return ipaddress.ip_address(text)


def address_order(text):
    """For sorting: IPv4 before IPv6, each by value."""
    return address(text).version, int(address(text))


@functools.lru_cache(maxsize=None)
def interface(text):
    return ipaddress.ip_interface(text)


def is_group_mac(mac):
    return bool(int(mac[:2], 16) & 1)


def is_local_pa(policy, pa):
    return any(interface(own).ip == address(pa) for own in policy.own_pas)
