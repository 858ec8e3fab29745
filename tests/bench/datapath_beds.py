"""Two hosts with guests on them, raised once for each policy that datapath.py compares.

    near (host1) ── local (host1)      one subnet
      │       └──── far (host2)        the same, by the tunnel
      └──────────── routed (host2)     another subnet, by the distributed router

Hand-written flows know near and far alone. All beds of a run stay raised: what is not measured is
idle. The first host's ovs-vswitchd runs on CPU 0, the other's on CPU 1.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from hnvlab import ovn  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.policy import rule  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# Name: host, VSID, address, MAC.
GUESTS = {
    "near": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b"),
    "local": ("host1", 5001, "10.1.1.12", "00:15:5d:50:01:0c"),
    "far": ("host2", 5001, "10.1.1.13", "00:15:5d:50:01:0d"),
    "routed": ("host2", 5002, "10.1.2.14", "00:15:5d:50:02:0e"),
}
SUBNETS = {5001: "10.1.1", 5002: "10.1.2"}
# What the guests serve: the last rules of the hundred allow it.
TCP_PORTS, UDP_PORTS = "5000-5999", "5000-5999"


def hundred():
    """(direction, action, protocol, remote prefix, local or remote ports), by falling precedence:
    what is forbidden, services for single sources, what anybody may, and what is left is blocked."""
    yield from (("inbound", "block", "TCP", f"172.16.{i}.0/24", "1-65535") for i in range(20))
    yield from (("inbound", "allow", "TCP", f"10.{20 + i}.0.0/16", str(8000 + i))
                for i in range(30))
    yield from (("outbound", "block", "TCP", f"198.51.{i}.0/24", "25") for i in range(20))
    yield from (("outbound", "allow", "UDP", f"192.0.2.{i}/32", "53") for i in range(22))
    yield ("inbound", "allow", "ICMP", "10.1.0.0/16", "1-65535")
    yield ("outbound", "allow", "ICMP", "10.1.0.0/16", "1-65535")
    yield ("inbound", "allow", "TCP", "10.1.0.0/16", TCP_PORTS)
    yield ("inbound", "allow", "UDP", "10.1.0.0/16", UDP_PORTS)
    yield ("outbound", "allow", "TCP", "10.1.0.0/16", TCP_PORTS)
    yield ("outbound", "allow", "UDP", "10.1.0.0/16", UDP_PORTS)
    yield ("inbound", "block", None, None, None)
    yield ("outbound", "block", None, None, None)


def agent_rules(port, rules):
    if not rules:
        return [rule(port, f"all-{way}", way) for way in ("inbound", "outbound")]
    made = []
    for number, (way, action, protocol, prefix, ports) in enumerate(hundred()):
        fields = {}
        if protocol:
            side = "source" if way == "inbound" else "destination"
            fields = {"protocols": protocol, f"{side}_addresses": prefix}
            if ports != "1-65535":
                fields["destination_ports"] = ports
        made.append(rule(port, f"rule-{number}", way, action, priority=100 + number, **fields))
    return made


def ovn_match(way, protocol, prefix, ports):
    match = ["outport == @all" if way == "inbound" else "inport == @all", "ip4"]
    if protocol:
        name = {"ICMP": "icmp4"}.get(protocol, protocol.lower())
        match.append(f"ip4.{'src' if way == 'inbound' else 'dst'} == {prefix}")
        first, _, last = ports.partition("-")
        match.append(name if ports == "1-65535" else
                     f"{name}.dst >= {first} && {name}.dst <= {last or first}")
    return " && ".join(match)


class Bed:
    """`mend` has the flows or the policy; the rest is the same for all."""

    tunnel = None  # Interface of the tunnel port on host1.
    guests = tuple(GUESTS)

    def __init__(self, name):
        self.name = name
        self.lab = Lab()
        try:
            for host, pa in HOSTS.items():
                self.lab.add_host(host, f"{pa}/24")
            self.prepare()
            for guest in self.guests:
                self._plug(guest)
            self.mend()
            self._join()
        except BaseException:
            self.lab.close(keep_logs=True)
            raise
        for cpu, host in enumerate(self.hosts):
            run(["taskset", "-a", "-p", "-c", cpu % os.cpu_count(), host.vswitchd.pid])

    @property
    def hosts(self):
        return list(self.lab.hosts.values())

    def __getitem__(self, name):
        return self.lab.guests[name]

    def close(self):
        self.lab.close()

    def prepare(self):
        """Before the guests are plugged."""

    def mend(self):
        """After it."""

    def _plug(self, name):
        host, vsid, address, mac = GUESTS[name]
        guest = self.lab.hosts[host].add_guest(name, mac, f"{address}/24")
        guest.run("ip", "route", "add", "default", "via", f"{SUBNETS[vsid]}.1")

    def _join(self):
        for host in self.hosts:
            wait_until(host.resolves_router, f"the switch of {host.name} knows its router")
        one, other = self.hosts
        wait_until(lambda: one.ping_host(other) and other.ping_host(one), "the hosts are joined")
        for name in self.guests[1:]:
            if not self["near"].reaches(GUESTS[name][2], 60):
                raise RuntimeError(f"{self.name}: near doesn't reach {name}")

    def bridge(self, host):
        return f"unix:{host.ovs_dir}/br-hnv.mgmt"


class HandWritten(Bed):
    """A flow into the tunnel and a flow out of it, on either host."""

    tunnel = "vx0"
    guests = ("near", "far")

    def mend(self):
        for host, other, guest in ((*self.hosts, "near"), (*reversed(self.hosts), "far")):
            host.vsctl("add-port", "br-hnv", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
                       "options:remote_ip=flow", "options:key=flow", "ofport_request=100")
            number = host.vsctl("get", "interface", guest, "ofport")
            for flow in (f"in_port={number},actions=set_field:5001->tun_id,"
                         f"set_field:{other.pa}->tun_dst,output:100",
                         f"in_port=100,tun_id=5001,actions=output:{number}"):
                host.ofctl("add-flow", self.bridge(host), flow)


class Agent(Bed):
    def __init__(self, name, *, rules):
        self.rules = rules
        super().__init__(name)

    def prepare(self):
        for host in self.hosts:
            host.agent.launch()
        for host in self.hosts:
            host.agent.wait_ready()

    def mend(self):
        for host in self.hosts:
            host.agent.apply(self._policy(host.name))
        host = self.hosts[0]
        [self.tunnel] = (name for name in host.vsctl("list-ports", "br-hnv").split()
                         if host.vsctl("get", "interface", name, "type") == "vxlan")

    def _policy(self, host):
        here = [name for name, guest in GUESTS.items() if guest[0] == host]
        return {
            "version": 1,
            "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
            "virtual_networks": [{"id": "tenant", "routed": True, "subnets": [
                {"vsid": vsid, "prefix": f"{start}.0/24"} for vsid, start in SUBNETS.items()]}],
            "mappings": [{"vsid": vsid, "ca": address, "mac": mac, "pa": HOSTS[place]}
                         for place, vsid, address, mac in GUESTS.values()],
            "ports": [{"name": name, "vsid": GUESTS[name][1]} for name in here],
            "acls": [r for name in here for r in agent_rules(name, self.rules)],
        }


class Ovn(Bed):
    """The same by OVN: port security for what the agent's Guard does, Geneve as its hypervisors
    use among each other."""

    def __init__(self, name, *, rules):
        self.rules = rules
        super().__init__(name)

    def prepare(self):
        self.central = ovn.Central(self.lab, "192.168.3.30/24")
        for host in self.hosts:
            ovn.make_hypervisor(host, self.central)
        nbctl = self.central.nbctl
        nbctl("lr-add", "router")
        for vsid, start in SUBNETS.items():
            nbctl("ls-add", f"net{vsid}", "--", "lrp-add", "router", f"gw{vsid}",
                  f"00:00:5e:00:52:{vsid & 0xf:02x}", f"{start}.1/24", "--",
                  "lsp-add", f"net{vsid}", f"up{vsid}", "--", "lsp-set-type", f"up{vsid}", "router",
                  "--", "lsp-set-addresses", f"up{vsid}", "router", "--",
                  "lsp-set-options", f"up{vsid}", f"router-port=gw{vsid}")
        for name, (_, vsid, address, mac) in GUESTS.items():
            self.central.add_port(f"net{vsid}", name, f"{mac} {address}")
            nbctl("lsp-set-port-security", name, f"{mac} {address}")
        if self.rules:
            self._add_rules()

    def _add_rules(self):
        self.central.nbctl("pg-add", "all", *GUESTS)
        words = []
        for number, (way, action, protocol, prefix, ports) in enumerate(hundred()):
            words += ["--", "acl-add", "all", "to-lport" if way == "inbound" else "from-lport",
                      str(2000 - number), ovn_match(way, protocol, prefix, ports),
                      "drop" if action == "block" else "allow-related"]
        self.central.nbctl(*words[1:])

    def mend(self):
        self.central.nbctl("--wait=hv", "--timeout=60", "sync")
        host = self.hosts[0]
        self.tunnel = next(name for name in host.vsctl("list-ports", "br-hnv").split()
                           if host.vsctl("get", "interface", name, "type") == "geneve")


BEDS = {
    "hand": lambda: HandWritten("hand"),
    "agent": lambda: Agent("agent", rules=False),
    "agent-100": lambda: Agent("agent-100", rules=True),
    "ovn": lambda: Ovn("ovn", rules=False),
    "ovn-100": lambda: Ovn("ovn-100", rules=True),
}
