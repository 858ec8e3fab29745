"""Random policies and packets, from a seeded generator, biased towards what is interesting.

A `World` is what a data centre looks like to one host: virtual networks with deliberately equal
prefixes, addresses, gateways and MACs, machines that live here or behind some other host, and
ports. It changes a little at a time (`mutate`), so that what an agent makes of a change is tried,
not only what it makes of a policy from scratch.
"""

import ipaddress
from dataclasses import dataclass, field, replace

import policy as p

OWN_PAS = ["192.168.1.10/24", "fd00:1::10/64"]
PEERS = ["192.168.1.20", "192.168.2.20", "192.168.3.30", "fd00:2::20", "fd00:3::30"]
STRANGERS = ["192.168.1.99", "fd00:2::99"]  # provider addresses that no mapping names
ROUTER_MACS = ["", "00:15:5d:00:00:01", "02:00:5e:00:01:01"]

# Virtual networks, their subnets by VSID, and the prefixes of each; no router for the last one.
NETWORKS = {
    "A": {5001: ("10.1.1.0/24", "fd01:1::/64"), 5002: ("10.1.2.0/24", "fd01:2::/64"),
          5003: ("10.1.3.0/26",)},
    "B": {6001: ("10.1.1.0/24", "fd01:1::/64"), 6002: ("10.1.2.0/24", "fd01:2::/64")},
    "C": {7001: ("10.1.1.254/24", "fd01:1::fe/64"), 7002: ("10.1.2.0/24",)},
    "D": {8001: ("10.1.1.0/24", "fd01:1::/64")},
}
VSIDS = {vsid: prefixes for subnets in NETWORKS.values() for vsid, prefixes in subnets.items()}
HOSTS_IN_SUBNET = range(11, 17)  # the last part of each machine's addresses
SHARED = 40  # of the address that several machines share
PORTS = [f"port{number}" for number in range(10)]
TRUNK_VLANS = [10, 20, 4094]
MIRROR_KEYS = [900001, 900002, 5001, 8001]  # two of them VSIDs, when these are there
# Nothing; no addresses; those that are mapped; one that is not; of IPv4 only.
ADAPTERS = ["", "", "bare", "mapped", "mapped", "further", "v4"]
FURTHER = 10  # between the mapped part of an address and that of one that only ms_darv names
OUTSIDE = {4: ["8.8.8.8", "172.16.1.7", "172.16.9.9", "10.9.9.9"],
           6: ["2001:db8::8", "fd99::7", "fd99:1::7"]}
ROUTED_PREFIXES = {4: ["0.0.0.0/0", "172.16.0.0/12", "172.16.1.0/24", "10.1.1.0/24",
                       "10.1.2.8/29", "10.9.9.9/32", "0.0.0.0/1"],
                   6: ["::/0", "fd99::/16", "fd99:1::/32", "fd01:1::/64", "fd01:2::8/125"]}

NAT_ROWS = 3  # of a port, at most
TRANSLATED = {4: ["10.1.1.0/24", "10.1.0.0/16", "0.0.0.0/0", "10.1.1.12/32", "10.1.2.8/29"],
              6: ["fd01:1::/64", "fd01::/16", "::/0", "fd01:1::d/128"]}
PAIRED = {4: ["10.1.1.11/32", "10.1.1.12/32", "10.1.2.13/32"],
          6: ["fd01:1::b/128", "fd01:2::c/128", "fd01:1::d/128"]}


def in_prefix(prefix, number):
    """The address with this last part."""
    return str(ipaddress.ip_interface(prefix).network[number])


@dataclass
class Machine:
    """A virtual machine's adapter in a subnet, wherever it is."""
    vsid: int
    number: int
    mac: str
    cas: list  # empty: only its MAC is mapped
    locator: p.Locator
    kind: str = "default"


@dataclass
class Slot:
    """A port of this host and whose it is."""
    machine: Machine
    plugged: bool = True
    trunk: dict = field(default_factory=dict)
    mac_spoofing: bool = False
    ip_forwarding: bool = False
    dhcp_guard: bool = False
    router_guard: bool = False
    bound: bool = True
    rules: list = field(default_factory=list)
    nats: dict = field(default_factory=dict)  # number: Nat
    adapter: str = ""  # what ms_darv says of it: one of ADAPTERS


class World:
    def __init__(self, random):
        self.random = random
        self.router_mac = random.choice(ROUTER_MACS)
        self.machines = {}
        # VSID: numbers of the machines that share its virtual address
        self.sharers = {vsid: set(random.sample(HOSTS_IN_SUBNET, random.randint(0, 4)))
                        for vsid in VSIDS}
        self.contradictions = []  # mappings that contradict one that was there before
        self.thefts = []  # (router, prefix, VSID): bindings of subnets of another network
        self.binders = {}  # VSID: routers that bind it, the first one first
        self.ages = {}  # of mappings: {what they are: when they were written}
        self.slots = {}
        self.enabled = {name: random.random() < 0.85 for name in "ABC"}
        self.router_routes = {name: {} for name in "ABC"}
        self.subnet_routes = {vsid: {} for vsid in VSIDS}
        self.bindings = {name: {prefix: vsid for vsid, prefixes in NETWORKS[name].items()
                                for prefix in prefixes} for name in "ABC"}
        self.own_pas = list(OWN_PAS)
        self.absent = set()  # VSIDs that are not there for now
        self.per_vm = set()
        self.mcast = {}
        self._rule_count = 0
        self.services = {}  # by their port and id
        for vsid in VSIDS:
            for number in random.sample(HOSTS_IN_SUBNET, random.randint(2, 5)):
                self._add_machine(vsid, number)
        for name in random.sample(PORTS, random.randint(4, len(PORTS))):
            self._add_port(name)
        for _ in range(8):
            self._change_route()
        for _ in range(random.choice([0, 10, 20])):
            self._change_service()

    # --- drawing parts -----------------------------------------------------------------------

    def _locator(self):
        if self.random.random() < 0.35:
            pa = self.random.choice(OWN_PAS).partition("/")[0]
        else:
            pa = self.random.choice(PEERS)
        return p.Locator(pa, self.random.choice(["vxlan", "vxlan", "nvgre"]))

    def _add_machine(self, vsid, number):
        # Half of the MACs are the same in every network, and within one.
        mac = f"00:15:5d:{self.random.choice([0, vsid % 10]):02x}:aa:{number:02x}"
        cas = [in_prefix(prefix, number) for prefix in VSIDS[vsid]]
        if self.random.random() < 0.25:
            cas = self.random.sample(cas, self.random.randint(0, len(cas)))
        if any(m.mac == mac for m in self.machines.values() if m.vsid == vsid):
            return
        self.machines[(vsid, number)] = Machine(
            vsid, number, mac, cas, self._locator(),
            self.random.choice(["default"] * 4 + ["learning_disabled"]))

    def _add_port(self, name):
        taken = {id(slot.machine) for slot in self.slots.values()}
        free = [m for m in self.machines.values() if id(m) not in taken]
        if not free:
            return
        slot = self.slots[name] = Slot(self.random.choice(free))
        slot.plugged = self.random.random() < 0.93
        slot.bound = self.random.random() < 0.95
        slot.mac_spoofing = self.random.random() < 0.15
        slot.ip_forwarding = self.random.random() < 0.2
        slot.dhcp_guard = self.random.random() < 0.3
        slot.router_guard = self.random.random() < 0.3
        slot.adapter = self.random.choice(ADAPTERS)
        if self.random.random() < 0.15:
            for vlan in self.random.sample(TRUNK_VLANS, self.random.randint(1, 2)):
                slot.trunk[vlan] = self.random.choice(list(VSIDS))
        slot.rules = self._rules(name)
        if self.random.random() < 0.3:
            slot.ip_forwarding = self.random.random() < 0.9
            for _ in range(self.random.randint(1, 3)):
                self._change_nat_of(name, slot)

    def _change_nat_of(self, name, slot):
        """A row comes, changes or goes. No two rows of a port contradict each other."""
        draw = self.random
        number = draw.randrange(NAT_ROWS)
        if slot.nats.pop(number, None) and draw.random() < 0.4:
            return
        vlan = draw.choice(list(slot.trunk)) if slot.trunk and draw.random() < 0.3 else 0
        static = draw.random() < 0.4
        six = draw.random() < 0.35
        index = PORTS.index(name)
        first, last = (f"2001:db8:{index}:{number}::{end}" if six else
                       f"203.0.{index}.{16 * number + end}" for end in (1, 3))
        if number == 0 and not six and draw.random() < 0.15:
            first = last = draw.choice(["10.1.1.1", "10.1.1.12", "10.1.1.13", "10.1.1.99"])
        taken = {prefix for other in slot.nats.values()
                 if (other.vlan, other.static) == (vlan, static) for prefix in other.internal}
        prefixes = PAIRED if static else TRANSLATED
        free = [prefix for prefix in prefixes[6 if six else 4] if prefix not in taken]
        if not free:
            return
        count = 1 if static else draw.randint(1, 2)
        slot.nats[number] = p.Nat(
            f"{name}-{number}", name, vlan, static, tuple(draw.sample(free, min(count, len(free)))),
            first if static or draw.random() < 0.5 else f"{first}-{last}")

    def _change_nat(self):
        if self.slots:
            name = self.random.choice(list(self.slots))
            self._change_nat_of(name, self.slots[name])

    def _rules(self, name):
        style = self.random.choices(["open", "none", "block", "out-only", "mixed", "alike"],
                                    [4, 0.6, 0.6, 0.8, 4, 2])[0]
        if style == "alike":
            # Most of another port's rules, by the same ids: the agent may state them once.
            others = [slot.rules for slot in self.slots.values() if slot.rules]
            if others:
                return [replace(rule, port=name) for rule in self.random.choice(others)
                        if self.random.random() < 0.9]
            style = "mixed"
        if style == "open":
            return [self._rule(name, "controller", direction, allow=True, plain=True)
                    for direction in ("inbound", "outbound")]
        if style == "none":
            return [self._rule(name, "controller", "inbound", enabled=False)]
        if style == "block":
            return [self._rule(name, "admin", direction, allow=False, plain=True)
                    for direction in ("inbound", "outbound")]
        if style == "out-only":
            return [self._rule(name, "controller", "outbound", allow=True, plain=True)]
        layers = self.random.choice([["admin"], ["controller"], ["admin", "controller"]])
        return [self._rule(name, layer, direction) for layer in layers
                for direction in ("inbound", "outbound")
                for _ in range(self.random.randint(0, 4))] + \
               [self._rule(name, layers[-1], "inbound", allow=True, plain=True)]

    def _rule(self, name, layer, direction, *, allow=None, plain=False, enabled=True):
        self._rule_count += 1
        priority = self._rule_count % 20000 + (40000 if plain else 10)
        if allow is None:
            allow = self.random.random() < 0.5
        if self.random.random() < 0.2:
            # Several may have one, but an Allow and a Block of the same are a fault.
            priority = self.random.choice([0, 5, 64999] if allow else [1, 6, 65000])
        fields = {} if plain else self._five_tuple()
        if not plain and self.random.random() < 0.1:
            enabled = False
        return p.Rule(name, f"r{self._rule_count}", layer, direction, allow, priority,
                      enabled=enabled, logged=self.random.random() < 0.1, **fields)

    def _five_tuple(self):
        draw, fields = self.random, {}
        with_ports = draw.random() < 0.5
        if draw.random() < 0.7:
            fields["protocols"] = draw.choice(["TCP", "udp", "6,17", "tcp, UDP", "SCTP"]) \
                if with_ports else draw.choice(["ICMP", "icmpv6", "1,58", "TCP", "17", "47", "*"])
        if with_ports:
            ports = ["80", "22,443", "1000-2000", "53", "0-1023", "*"]
            fields["dst_ports"] = draw.choice(ports)
            fields["src_ports"] = draw.choice([*ports, "*", "*", "*"])
        family = draw.choice([4, 6])
        if draw.random() < 0.15 and "icmp" not in fields.get("protocols", "").lower():
            fields["src"], fields["dst"] = self._long_list(family), self._long_list(family)
            return fields
        if draw.random() < 0.5:
            fields["src"] = self._addresses(family)
        if draw.random() < 0.4:
            fields["dst"] = self._addresses(family)
        if "icmp" in fields.get("protocols", "").lower():
            for name in ("src", "dst"):
                fields.pop(name, None)
        return fields

    def _addresses(self, family):
        one = [ca for m in self.machines.values() for ca in m.cas
               if (":" in ca) == (family == 6)]
        ranges = {4: ["10.1.1.0/24", "10.1.1.11-10.1.1.13", "10.1.0.0/16", "0.0.0.0/0"],
                  6: ["fd01:1::/64", "fd01:1::b-fd01:1::d", "fd01::/16"]}[family]
        items = [self.random.choice(ranges)] + self.random.sample(one, min(1, len(one)))
        self.random.shuffle(items)
        return ",".join(items[:self.random.randint(1, 2)])

    def _long_list(self, family):
        """So many that the combinations of two are a conjunction."""
        one = [ca for m in self.machines.values() for ca in m.cas
               if (":" in ca) == (family == 6)]
        base = {4: "10.1.{}.{}", 6: "fd01:{}::{}"}[family]
        items = self.random.sample(one, min(3, len(one))) + [
            base.format(self.random.randint(1, 3), self.random.randint(1, 99)) for _ in range(12)]
        if self.random.random() < 0.4:
            items.append({4: "0.0.0.0/0", 6: "::/0"}[family])
        return ",".join(sorted(set(items)))

    def _change_route(self):
        draw = self.random
        name = draw.choice("ABC")
        table = draw.choice([self.router_routes[name],
                             self.subnet_routes[draw.choice(list(NETWORKS[name]))]])
        family = draw.choice([4, 4, 6])
        prefix = draw.choice(ROUTED_PREFIXES[family])
        if prefix in table and draw.random() < 0.5:
            del table[prefix]
            return
        hops = [ca for m in self.machines.values() if m.vsid in NETWORKS[name] for ca in m.cas
                if (":" in ca) == (family == 6)]
        gateways = [ca for slot in self.slots.values() if slot.nats for ca in slot.machine.cas
                    if ca in hops and slot.machine.vsid in NETWORKS[name]]
        hops = gateways if gateways and draw.random() < 0.5 else hops
        unmapped = {4: ["10.1.1.99", "10.1.1.1", "8.8.8.8"], 6: ["fd01:1::99"]}[family]
        table[prefix] = draw.choice(hops if hops and draw.random() < 0.85 else unmapped)

    # --- changing ----------------------------------------------------------------------------

    def mutate(self):
        """One small change."""
        draw = self.random
        change = draw.choices(
            [self._change_machine, self._move_machine, self._change_port, self._change_route,
             self._change_rules, self._change_network, self._change_mcast, self._change_sharers,
             self._contradict, self._change_nat, self._change_service],
            [3, 4, 4, 2, 3, 1, 1, 1, 1, 2, 2])[0]
        change()

    def _change_machine(self):
        vsid = self.random.choice(list(VSIDS))
        number = self.random.choice(HOSTS_IN_SUBNET)
        old = self.machines.pop((vsid, number), None)
        if old is None or self.random.random() < 0.4:
            self._add_machine(vsid, number)
        if old is not None:
            new = self.machines.get((vsid, number))
            for name in [n for n, slot in self.slots.items() if slot.machine is old]:
                # A port whose machine's mapping has gone stays plugged in, half of the time.
                if new is None and self.random.random() < 0.5:
                    del self.slots[name]
                elif new is not None:
                    self.slots[name].machine = new

    def _move_machine(self):
        if self.machines:
            self.random.choice(list(self.machines.values())).locator = self._locator()

    def _change_port(self):
        draw = self.random
        name = draw.choice(PORTS)
        slot = self.slots.get(name)
        if slot is None:
            self._add_port(name)
            return
        what = draw.randrange(9)
        if what == 0:
            del self.slots[name]
        elif what == 6:
            slot.dhcp_guard = not slot.dhcp_guard
        elif what == 7:
            slot.router_guard = not slot.router_guard
        elif what == 1:
            slot.plugged = not slot.plugged
        elif what == 2:
            slot.mac_spoofing = not slot.mac_spoofing
        elif what == 3:
            slot.ip_forwarding = not slot.ip_forwarding
        elif what == 4:
            slot.bound = not slot.bound
        elif what == 5:
            slot.adapter = draw.choice(ADAPTERS)
        else:
            slot.trunk = {} if slot.trunk else {draw.choice(TRUNK_VLANS): draw.choice(list(VSIDS))}

    def _change_rules(self):
        if not self.slots:
            return
        name = self.random.choice(list(self.slots))
        rules = self.slots[name].rules
        if rules and self.random.random() < 0.4:
            rules.pop(self.random.randrange(len(rules)))
        elif self.random.random() < 0.6:
            rules.append(self._rule(name, self.random.choice(["admin", "controller"]),
                                    self.random.choice(["inbound", "outbound"])))
        else:
            self.slots[name].rules = self._rules(name)

    def _change_network(self):
        draw = self.random
        name = draw.choice("ABC")
        what = draw.randrange(7)
        if what < 2:
            self.enabled[name] = not self.enabled[name]
        elif what == 2:
            self.router_mac = draw.choice(ROUTER_MACS)
        elif what == 3:
            self.absent ^= {draw.choice(list(VSIDS))}
        elif what == 4:
            self._change_binding(name)
        elif what == 5 and self.thefts:
            self.thefts.pop()
        elif what == 5:
            vsid = draw.choice([v for v in VSIDS if v not in NETWORKS[name]])
            self.thefts.append((name, draw.choice(["10.1.9.0/24", "fd01:9::/64"]), vsid))
        else:
            self.own_pas = draw.choice([OWN_PAS, OWN_PAS, OWN_PAS[:1], OWN_PAS[1:]])

    def _change_binding(self, name):
        """A prefix of a subnet goes, comes back, or gets another gateway."""
        vsid = self.random.choice(list(NETWORKS[name]))
        prefix = self.random.choice(NETWORKS[name][vsid])
        network = ipaddress.ip_interface(prefix).network
        here = self.bindings[name]
        bound = [key for key in here if ipaddress.ip_interface(key).network == network]
        for key in bound:
            del here[key]
        if not bound or self.random.random() < 0.6:
            gateway = self.random.choice([network[0], network[0], network[61]])
            here[f"{gateway}/{network.prefixlen}"] = vsid

    def _change_mcast(self):
        draw = self.random
        vsid = draw.choice(list(VSIDS))
        if draw.random() < 0.4:
            self.per_vm ^= {vsid}
            return
        key = (vsid, draw.choice(["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:12", "33:33:00:00:00:05"]))
        if key in self.mcast:
            del self.mcast[key]
        else:
            self.mcast[key] = sorted({self._locator() for _ in range(draw.randint(1, 3))},
                                     key=lambda locator: (locator.pa, locator.encapsulation))

    def _change_service(self):
        draw = self.random
        key = (draw.choice(PORTS), f"s{draw.randrange(3)}")
        if key in self.services and draw.random() < 0.5:
            del self.services[key]
            return
        kind = draw.choice(["mirror", "mirror", "arrival", "insertion"])
        fields = {}
        if kind == "mirror":
            fields["directions"] = draw.choice([("in",), ("out",), ("in", "out")])
            if draw.random() < 0.5:
                fields["analyzer"] = draw.choice(PORTS)
            else:
                fields.update(locator=self._locator(), key=draw.choice(MIRROR_KEYS))
        elif kind == "arrival":
            fields.update(key=draw.choice(MIRROR_KEYS),
                          sources=tuple(draw.sample(PEERS, draw.randint(1, 3))))
        else:
            family = draw.choice([4, 4, 6])
            # An address of one network is mostly one of the others, too.
            cas = [ca for m in self.machines.values() for ca in m.cas
                   if (":" in ca) == (family == 6)]
            fields.update(next_hop=draw.choice(cas + ["10.1.1.1", "10.1.1.99"]),
                          fail_open=draw.random() < 0.5)
        if kind != "arrival" and draw.random() < 0.6:
            fields["protocols"] = draw.choice(["*", "TCP", "6,17"])
            fields["dst_ports"] = draw.choice(["*", "22,443", "1000-2000", "0-1023"])
            fields["dst"] = draw.choice(["*", self._addresses(4), self._addresses(6)])
        self.services[key] = p.Service(*key, kind, draw.choice([0, 7, 7, 65000]), **fields)

    def _change_sharers(self):
        vsid = self.random.choice(list(VSIDS))
        self.sharers.setdefault(vsid, set()).symmetric_difference_update(
            {self.random.choice(HOSTS_IN_SUBNET)})

    def _shared(self):
        """The mappings of virtual addresses."""
        return [p.Mapping(vsid, in_prefix(prefix, SHARED), m.mac,
                          m.locator, "load_balanced")
                for vsid, numbers in self.sharers.items() if vsid not in self.absent
                for number in sorted(numbers) for m in [self.machines.get((vsid, number))]
                if m and m.cas for prefix in VSIDS[vsid]]

    def _contradict(self):
        """A mapping of a CA with another MAC, or of a MAC behind another provider address."""
        if len(self.contradictions) > 2 or (self.contradictions and self.random.random() < 0.4):
            self.contradictions.pop(self.random.randrange(len(self.contradictions)))
            return
        there = [m for m in self.machines.values() if m.cas and m.vsid not in self.absent]
        if not there:
            return
        victim = self.random.choice(there)
        if self.random.random() < 0.5:
            mac, ca = f"00:15:5d:ee:aa:{self.random.randrange(16):02x}", victim.cas[0]
        else:
            mac, ca = victim.mac, in_prefix(VSIDS[victim.vsid][0], 50)
        self.contradictions.append(p.Mapping(victim.vsid, ca, mac, self._locator()))

    def _aged(self, mappings):
        """The mappings in the order in which they were first written."""
        keys = {(m.vsid, m.ca, m.mac, m.kind): m for m in mappings}
        self.ages = {key: self.ages.get(key, len(self.ages) + 10 ** 6) for key in keys}
        ordered = sorted(keys, key=self.ages.get)
        self.ages = {key: age for age, key in enumerate(ordered)}
        return [keys[key] for key in ordered]

    def _routers(self):
        routers = {}
        for name in "ABC":
            wanted = {**self.bindings[name], **{prefix: vsid for router, prefix, vsid in self.thefts
                                                if router == name}}
            bindings = {prefix: vsid for prefix, vsid in wanted.items() if vsid not in self.absent}
            routers[name] = p.Router(name, self.enabled[name], bindings,
                                     dict(self.router_routes[name]))
        for vsid in VSIDS:
            binds = [name for name in "ABC" if vsid in routers[name].bindings.values()]
            before = [name for name in self.binders.get(vsid, []) if name in binds]
            # Of those that come at once the subnet's own network is first.
            new = sorted(set(binds) - set(before), key=lambda name: vsid not in NETWORKS[name])
            self.binders[vsid] = before + new
        return routers

    # --- as a policy -------------------------------------------------------------------------

    def policy(self):
        routers = self._routers()
        machines = [m for m in self.machines.values() if m.vsid not in self.absent]
        ports = self._ports()
        return p.Policy(
            router_mac=self.router_mac, own_pas=list(self.own_pas),
            subnets={vsid: p.Subnet(vsid, f"network-{vsid // 1000}", dict(routes),
                                    vsid in self.per_vm)
                     for vsid, routes in self.subnet_routes.items() if vsid not in self.absent},
            routers=routers, binders={vsid: list(names) for vsid, names in self.binders.items()},
            mappings=self._aged(
                [p.Mapping(m.vsid, ca, m.mac, m.locator, m.kind)
                 for m in machines for ca in (m.cas or [""])] + self._shared() +
                [m for m in self.contradictions if m.vsid not in self.absent]),
            ports=ports, adapters=self._adapters(ports),
            nats=[nat for slot in self.slots.values() for nat in slot.nats.values()],
            services=list(self.services.values()),
            rules=[rule for slot in self.slots.values() for rule in slot.rules],
            mcast={key: list(locators) for key, locators in self.mcast.items()
                   if key[0] not in self.absent})

    def _adapters(self, ports):
        adapters, taken = {}, set()
        for name, slot in self.slots.items():
            if not slot.adapter:
                continue
            prefixes = [prefix for prefix in VSIDS[slot.machine.vsid]
                        if ":" not in prefix or slot.adapter != "v4"]
            number = slot.machine.number + (FURTHER if slot.adapter == "further" else 0)
            addresses = [f"{in_prefix(prefix, number)}/{prefix.partition('/')[2]}"
                         for prefix in prefixes] if slot.adapter != "bare" else []
            # Who of two is first is not told by the policy. What a trunk has in other subnets is
            # theirs as well that have the prefix.
            free = [text for text in addresses
                    if not any((vsid, text) in taken for vsid in ports[name].bindings.values())]
            taken.update((vsid, text) for text in free for vsid in ports[name].bindings.values())
            adapters[name] = p.Adapter(
                slot.machine.mac if slot.machine.number % 2 else "",
                slot.machine.number == HOSTS_IN_SUBNET[0], tuple(free))
        return adapters

    def _ports(self):
        ports, taken = {}, set()
        for name, slot in self.slots.items():
            bindings = {0: slot.machine.vsid} if slot.bound else {}
            for vlan, vsid in {**bindings, **slot.trunk}.items():
                # A MAC is one port's in a subnet.
                if vsid not in self.absent and (vsid, slot.machine.mac) not in taken:
                    taken.add((vsid, slot.machine.mac))
                    bindings[vlan] = vsid
                else:
                    bindings.pop(vlan, None)
            ports[name] = p.Port(name, slot.plugged, slot.machine.mac, bindings,
                                 slot.mac_spoofing, slot.ip_forwarding, slot.dhcp_guard,
                                 slot.router_guard)
        return ports
