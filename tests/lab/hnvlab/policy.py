"""Policies for `hnvctl apply`, and the deployment that most tests raise.

Two tenants with the same addresses on two hosts: Contoso (VSID 5001) and Fabrikam (VSID 6001) both
own 10.1.1.0/24, run SQL at .11 on host 1 and Web at .12 on host 2.
"""

from dataclasses import dataclass

from .shell import wait_until

PREFIX = "10.1.1.0/24"


@dataclass(frozen=True)
class Tenant:
    """A virtual subnet; those with the same rdid are one virtual network."""
    name: str
    vsid: int
    rdid: str
    prefix: str = PREFIX


@dataclass(frozen=True)
class Machine:
    name: str  # of its port
    tenant: Tenant
    ca: str
    mac: str
    host: str


CONTOSO = Tenant("Contoso", 5001, "b3f6a2c1-5d0e-4c7a-9f21-6e8d40c75001")
FABRIKAM = Tenant("Fabrikam", 6001, "e81c97d4-2b6f-4a38-8c05-1f7b93a26001")

HOSTS = {"host1": "192.168.1.10/24", "host2": "192.168.2.20/24"}

MACHINES = (
    Machine("contoso-sql", CONTOSO, "10.1.1.11", "00:15:5d:50:01:0b", "host1"),
    Machine("fabrikam-sql", FABRIKAM, "10.1.1.11", "00:15:5d:60:01:0b", "host1"),
    Machine("contoso-web", CONTOSO, "10.1.1.12", "00:15:5d:50:01:0c", "host2"),
    Machine("fabrikam-web", FABRIKAM, "10.1.1.12", "00:15:5d:60:01:0c", "host2"),
)


def rule(port, identity, direction, action="allow", *, priority=1000, **fields):
    """One firewall rule; the rest of the 5-tuple is open unless given."""
    return {"port": port, "id": identity, "layer": "controller", "direction": direction,
            "action": action, "priority": priority, **fields}


def allow_all(port):
    return [rule(port, "allow-all-in", "inbound"), rule(port, "allow-all-out", "outbound")]


def mapping(machine, **changes):
    pa = HOSTS[machine.host].partition("/")[0]
    return {"vsid": machine.tenant.vsid, "ca": machine.ca, "mac": machine.mac, "pa": pa, **changes}


def for_host(host, machines=MACHINES, acls=None):
    """The policy of one host: every mapping, and the ports and the address that are its own.

    `acls` replaces the rules of the ports that it names: {port: [rule, …]}.
    """
    tenants = sorted({m.tenant for m in machines}, key=lambda tenant: tenant.vsid)
    networks = {}
    for tenant in tenants:
        networks.setdefault(tenant.rdid, []).append(tenant)
    local = [m for m in machines if m.host == host]
    acls = acls or {}
    rules = [r for m in local for r in acls.get(m.name, allow_all(m.name))]
    return {
        "version": 1,
        "provider_addresses": [{"address": HOSTS[host], "uplink": "br-pa"}],
        "virtual_networks": [
            {"id": network[0].rdid, "description": network[0].name, "routed": True,
             "subnets": [{"vsid": t.vsid, "prefix": t.prefix} for t in network]}
            for network in networks.values()],
        "mappings": [mapping(m) for m in machines],
        "ports": [{"name": m.name, "vsid": m.tenant.vsid} for m in local],
        "acls": rules,
    }


class Deployment:
    """The hosts, agents and guests of a set of machines in a lab."""

    def __init__(self, lab, machines=MACHINES, acls=None):
        self.lab = lab
        self.machines = machines
        self.acls = acls or {}

    def raise_(self):
        """Hosts, agents, guests, policy; returns when the switches have confirmed the policy."""
        for name, address in HOSTS.items():
            self.lab.add_host(name, address).agent.launch()
        for host in self.lab.hosts.values():
            host.agent.wait_ready()
        for machine in self.machines:
            self.plug(machine)
        self.apply()
        self.prime_underlay()
        return self

    def prime_underlay(self):
        """Lets the hosts resolve their router, so that what a test sees is only what it caused.

        A switch in user space hears of its next hop only from ARP replies that come in while it
        has a tunnel port, and drops what it would send until then. So each host asks afresh, and
        first of all for its router: once that has asked for the host, the kernel knows its MAC
        without a reply.
        """
        hosts = list(self.lab.hosts.values())
        for host in hosts:
            wait_until(host.resolves_router, f"the switch of {host.name} knows its router")
        wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                               if one is not other), "the hosts reach each other over the router")

    def plug(self, machine):
        return self.lab.hosts[machine.host].add_guest(
            machine.name, machine.mac, f"{machine.ca}/24",
            vm_name=machine.name.replace("-", " ").title())

    def apply(self):
        for name, host in self.lab.hosts.items():
            host.agent.apply(for_host(name, self.machines, self.acls))

    def __getitem__(self, name):
        return self.lab.guests[name]
