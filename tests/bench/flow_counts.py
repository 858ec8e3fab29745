#!/usr/bin/python3
"""How many flows a policy becomes, and how many megaflows and masks its traffic makes of them.

    HNV_BIN_DIR=build/bin tests/bench/flow_counts.py [MAPPINGS]

First the quick start's deployment with traffic between its guests, each way. Then one host in a
virtual network of ten routed subnets with MAPPINGS (1,000) mappings each at twenty provider
addresses, by VXLAN and by NVGRE; four guests send UDP and pings to many of them, in their own
subnet and in all others, and hear from some. Prints counts; asserts nothing.

A megaflow is looked up among those of the port that its packets come in by: in one hash table for
each distinct mask (a subtable). What a packet pays for is the number of masks of its own port.
Both bridges of a host are one datapath; the masks of the underlay's own ports are in the total.
"""

import collections
import ipaddress
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from hnvlab import netns, packet, policy, quickstart, steps_forwarding  # noqa: E402
from hnvlab.foreign_host import IP, UDP, Ether, ForeignHost, nvgre, vxlan  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.shell import wait_until  # noqa: E402

TABLES = ("classify", "tunnel guard", "guard", "ARP and ND", "track out", "admin out",
          "controller out", "commit out", "router", "route", "resolve", "balance", "affinity",
          "select", "returning", "local", "mapping", "replicate", "track in", "admin in",
          "controller in", "commit in", "deliver", "tunnel", "encapsulate", "ICMP errors")
SUBNETS = 10
PEERS = [f"192.168.2.{number}" for number in range(1, 21)]
HOST = "192.168.1.10"
FIRST_VSID = 5001
DESTINATIONS = 50  # of each subnet, for each guest
PACE = 0.0005      # seconds between packets: a burst would overflow the upcalls' sockets
# Name: subnet; each has the lowest mapping there that no other has.
GUESTS = {"app": 0, "web": 0, "db": 1, "store": 2}


# --- counting ------------------------------------------------------------------------------------

def outside_brackets(text, separator):
    """`text`, split where `separator` is in no parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def mask_of(field):
    """A field of a datapath flow without its values: what of it is looked at; empty if nothing is.

    `ipv4(src=10.1.1.11,dst=10.1.0.0/255.255.0.0,ttl=64/0)` → `ipv4(src,dst/255.255.0.0)`
    """
    name, bracket, inside = field.partition("(")
    if not bracket:
        name, _, value = field.rpartition("=")
        _, slash, mask = value.partition("/")
        if slash and not mask.strip("0x.:"):
            return ""
        return name + slash + mask or "all"
    if name == "flags":
        return name  # Of a tunnel: letters, which have no mask.
    members = filter(None, map(mask_of, outside_brackets(inside.removesuffix(")"), ",")))
    looked_at = ",".join(members)
    return f"{name}({looked_at})" if looked_at else ""


def megaflows(host):
    """[(port that the packets come in by, its mask as text)]."""
    flows = []
    for line in host.appctl("dpctl/dump-flows", "-m", "--names").splitlines():
        fields = [field.strip() for field in outside_brackets(line, ",")]
        fields = fields[:next((at for at, field in enumerate(fields)
                               if field.startswith("packets:")), 0)]
        for port in (field[len("in_port("):-1] for field in fields if field.startswith("in_port(")):
            masks = sorted(mask_of(field) for field in fields if not field.startswith("ufid:"))
            flows.append((port, " ".join(filter(None, masks))))
    return flows


def subtables(host):
    """The datapath's own count of them, of all its ports; None where it is not told."""
    counts = re.findall(r"Use count: (\d+)", host.appctl("dpif-netdev/subtable-lookup-info-get"))
    return sum(map(int, counts)) if counts else None


def keep_megaflows(host):
    """What has once been made is still there to be counted."""
    host.vsctl("set", "open_vswitch", ".", "other_config:max-idle=600000")


def tell(host):
    by_table = collections.Counter(flow.table for flow in host.flows())
    print(f"{host.name}: {sum(by_table.values())} flows in br-hnv")
    names = len(TABLES) == max(by_table) + 1  # Another version has other tables.
    print("   " + ", ".join(f"{table} {TABLES[table]}: {count}" if names else f"{table}: {count}"
                            for table, count in sorted(by_table.items())))
    flows = megaflows(host)
    print(f"   {len(flows)} megaflows with {len({mask for _, mask in flows})} distinct masks; "
          f"subtables, one for each mask of each port: {len(set(flows))} by the flows, "
          f"{subtables(host)} by the datapath's count")
    for port in sorted({port for port, _ in flows}):
        masks = [mask for of, mask in flows if of == port]
        print(f"     in by {port}: {len(set(masks))} masks, {len(masks)} megaflows")
    sys.stdout.flush()


# --- the quick start -----------------------------------------------------------------------------

def quick_start():
    with Lab() as lab:
        scene = quickstart.TwoTenants(lab).raise_()
        for host in lab.hosts.values():
            keep_megaflows(host)
        steps_forwarding.start_servers(scene)
        for tenant in ("contoso", "fabrikam"):
            sql, web = scene[f"{tenant}-sql"], scene[f"{tenant}-web"]
            sql.reaches(web.ip)
            for source, target in ((sql, web), (web, sql)):
                source.ping(target.ip)
                source.ping("10.1.1.1")
            for _ in range(10):
                web.ask(sql.ip, steps_forwarding.SQL_PORT)
        print("\nThe quick start's deployment, after pings and TCP connections", flush=True)
        for host in lab.hosts.values():
            tell(host)


# --- ten subnets ---------------------------------------------------------------------------------

def prefix_of(subnet):
    return ipaddress.ip_network(f"10.{1 + subnet}.0.0/16")


def ca_of(subnet, number):
    return str(prefix_of(subnet)[256 + number])


def mac_of(subnet, number):
    return f"00:15:5d:{subnet:02x}:{number >> 8:02x}:{number & 255:02x}"


def guest_numbers():
    """Name: (subnet, number of its mapping there)."""
    taken = collections.Counter()
    numbers = {}
    for name, subnet in GUESTS.items():
        numbers[name] = subnet, taken[subnet]
        taken[subnet] += 1
    return numbers


def ten_subnets_policy(count):
    local = set(guest_numbers().values())
    mappings = []
    for subnet in range(SUBNETS):
        for number in range(count):
            peer = number % len(PEERS)
            mappings.append({
                "vsid": FIRST_VSID + subnet, "ca": ca_of(subnet, number),
                "mac": mac_of(subnet, number),
                "pa": HOST if (subnet, number) in local else PEERS[peer],
                "encapsulation": "nvgre" if peer % 2 else "vxlan"})
    # One port has a rule with ports, and so connection state; the others allow everything.
    acls = [policy.rule("web", "in", "inbound", protocols="UDP", destination_ports="4000-4099")]
    acls += [rule for name in GUESTS if name != "web" for rule in policy.allow_all(name)]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOST}/24", "uplink": "br-pa"}],
        "virtual_networks": [{"id": "contoso", "routed": True, "subnets": [
            {"vsid": FIRST_VSID + subnet, "prefix": str(prefix_of(subnet))}
            for subnet in range(SUBNETS)]}],
        "mappings": mappings,
        "ports": [{"name": name, "vsid": FIRST_VSID + subnet} for name, subnet in GUESTS.items()],
        "acls": acls,
    }


def add_guests(host):
    for name, (subnet, number) in guest_numbers().items():
        guest = host.add_guest(name, mac_of(subnet, number), f"{ca_of(subnet, number)}/16")
        netns.ip_batch(guest.namespace, [f"route add default via {prefix_of(subnet)[1]}"])


def send_to_many(guest, count):
    """UDP, each destination once, and a ping to every fifth; a guest's kernel resolves its own."""
    step = max(1, count // DESTINATIONS)
    echo = b"\x08\x00" + packet.checksum(b"\x08\x00\0\0\0\1\0\1").to_bytes(2, "big") + b"\0\1\0\1"
    with guest.socket(kind=socket.SOCK_DGRAM) as udp, \
            netns.open_socket(guest.namespace, socket.AF_INET, socket.SOCK_RAW,
                              socket.IPPROTO_ICMP) as icmp:
        for subnet in range(SUBNETS):
            for index, number in enumerate(range(0, count, step)):
                address = ca_of(subnet, number)
                udp.sendto(b"count", (address, 4000 + index % 10))
                if index % 5 == 0:
                    icmp.sendto(echo, (address, 0))
                time.sleep(PACE)
    for subnet in range(SUBNETS):
        guest.ping(str(prefix_of(subnet)[1]), count=1)


def send_from_peers(peers, count):
    """Each provider address sends to each guest, as a mapping behind it."""
    for subnet, number in guest_numbers().values():
        for peer, pa in enumerate(PEERS):
            sender = 20 + peer  # Beyond the guests, and at this address.
            if sender >= count:
                continue
            inner = (Ether(src=mac_of(subnet, sender), dst=mac_of(subnet, number)) /
                     IP(src=ca_of(subnet, sender), dst=ca_of(subnet, number)) /
                     UDP(sport=4000, dport=4001) / b"count")
            vsid = FIRST_VSID + subnet
            peers.send(nvgre(pa, HOST, vsid << 8 | peer, inner) if peer % 2 else
                       vxlan(pa, HOST, vsid, inner))
            time.sleep(PACE)


def ten_subnets(count):
    with Lab() as lab:
        host = lab.add_host("host1", f"{HOST}/24")
        peers = ForeignHost(lab, "peers", "192.168.2.0/24", PEERS)
        keep_megaflows(host)
        host.agent.start()
        host.agent.set_host(programming="proactive")
        add_guests(host)
        host.agent.apply(ten_subnets_policy(count))
        wait_until(host.resolves_router, "the switch knows its router")
        for guest in lab.guests.values():
            send_to_many(guest, count)
        for one in lab.guests.values():
            for other in lab.guests.values():
                if one is not other:
                    one.ping(other.ip, count=1)
        send_from_peers(peers, count)
        host.appctl("revalidator/wait")
        print(f"\n{SUBNETS} routed subnets of one virtual network, {count} mappings each, at "
              f"{len(PEERS)} provider addresses", flush=True)
        tell(host)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    quick_start()
    ten_subnets(count)


if __name__ == "__main__":
    main()
