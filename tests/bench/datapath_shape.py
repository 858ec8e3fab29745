"""What a packet meets in the switch, counted: the same on every machine, however busy.

The traffic runs with an empty datapath; then the megaflows that it made are followed from the port
that it came in by, over each recirculation, to its end.
"""

import re
import time

from datapath_beds import GUESTS

UDP = 5100  # What the counted traffic is sent to.
SENT = 12

_FIELD = re.compile(r"([\w.]+)\(((?:[^()]|\([^()]*\))*)\)|([\w]+)=([^,]+)")
_FLOW = re.compile(r"^(?P<match>.*?), packets:(?P<packets>\d+), .*?actions:(?P<actions>.*)$")
_RECIRC = re.compile(r"recirc\((0x[0-9a-f]+)\)")


def mask_of(match):
    """The match without its values: flows of one subtable have the same."""
    def wildcards(words):
        parts = []
        for word in re.split(r",(?![^(]*\))", words):
            name, equals, value = word.partition("=")
            if not equals:
                name, value = "", word
            if name.endswith("flags") or value[:1] in "+-":
                parts.append(name + re.sub(r"[+-]", "", value))
            else:
                parts.append(f"{name}/{value.partition('/')[2] or 'all'}")
        return ",".join(sorted(parts))
    return ";".join(f"{name}({wildcards(words)})" for name, words, *_ in _FIELD.findall(match)
                    if name)


def split_actions(text):
    """Of an action list, its actions; what is in brackets is one."""
    depth, start, found = 0, 0, []
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


class Flow:
    def __init__(self, line):
        found = _FLOW.match(line)
        self.match, self.packets = found["match"], int(found["packets"])
        self.actions = split_actions(found["actions"])
        self.recirc_id = (re.search(r"recirc_id\((0x[0-9a-f]+|0)\)", self.match) or [0, "0"])[1]
        self.in_port = re.search(r"in_port\(([^)]*)\)", self.match)[1]
        self.mask = mask_of(self.match)
        self.next = _RECIRC.findall(found["actions"])


def dump(host):
    text = host.appctl("dpctl/dump-flows", "--names", "-m")
    text = re.sub(r"ufid:\S+, |, dp-extra-info:\S+", "", text)
    return [Flow(line) for line in text.splitlines() if _FLOW.match(line)]


def udp(bed, to, port=UDP, source=0, count=1):
    """Packets from near, and each answered."""
    with bed["near"].socket(kind=2) as one, bed[to].socket(kind=2) as other:
        one.bind((GUESTS["near"][2], source))
        other.bind((GUESTS[to][2], port))
        one.settimeout(1)
        other.settimeout(1)
        for _ in range(count):
            one.sendto(b"x" * 22, (GUESTS[to][2], port))
            _, back = other.recvfrom(64)
            other.sendto(b"y" * 22, back)
            one.recvfrom(64)


def chain(flows, port):
    """The flows that most packets from `port` met, in their order."""
    found = []
    todo = ["0"]
    while todo:
        wanted = todo.pop(0)
        here = [f for f in flows if f.recirc_id == wanted and f.in_port == port and
                "eth_type(0x0800)" in f.match and f not in found]
        if here:
            flow = max(here, key=lambda f: f.packets)
            found.append(flow)
            todo += flow.next
    return found


def executed(actions):
    """How many actions a packet that fits the underlay has done to it: of a check_pkt_len those of
    its second branch, and itself; a tunnel's header goes on in one and out in the next."""
    total = 0
    for action in actions:
        if action.startswith("clone("):
            total += executed(split_actions(action[6:-1]))
        elif action.startswith("check_pkt_len("):
            fits = action[action.index(",le(") + 4:-2]
            total += 1 + executed(split_actions(fits))
        else:
            total += 1
    return total


def shape(bed, to):
    """{what: number} of unicast from near to a guest, in the switch of host1."""
    host = bed.hosts[0]
    udp(bed, to)  # Neighbours are known from here on.
    for each in bed.hosts:
        each.forget_flow_cache()
    udp(bed, to, source=41000, count=SENT)
    flows = dump(host)
    out = chain(flows, "near")
    from_port = "local" if to == "local" else next(
        (f.in_port for f in flows if f.in_port not in ("near", "nic0", "br-pa")), "none")
    back = chain(flows, from_port)
    ours = [f for f in flows if f.in_port in ("near", from_port) and
            "eth_type(0x0800)" in f.match]
    return {
        "recirculations out": len(out) - 1, "recirculations back": len(back) - 1,
        "actions out": sum(executed(f.actions) for f in out),
        "actions back": sum(executed(f.actions) for f in back),
        "megaflows": len(ours),
        "masks": len({(f.in_port, f.mask) for f in ours}),
        **tables(bed, to),
        "detail": [f"{f.match} -> {','.join(f.actions)}" for f in out + back],
    }


def tables(bed, to):
    """OpenFlow tables that a first packet is looked up in, and one of a known connection."""
    host = bed.hosts[0]
    mac = GUESTS[to][3]
    if to == "routed":
        mac = bed["near"].neighbour("10.1.1.1")[1]
    flow = (f"in_port=near,dl_src={GUESTS['near'][3]},dl_dst={mac},udp,nw_src={GUESTS['near'][2]},"
            f"nw_dst={GUESTS[to][2]},nw_ttl=64,udp_src=41000,udp_dst={UDP}")
    counts = {}
    for name, state in (("first", "trk,new"), ("established", "trk,est")):
        words = [w for _ in range(4) for w in ("--ct-next", state)]
        text = host.appctl("ofproto/trace", "br-hnv", flow, *words)
        counts[f"tables {name}"] = len(re.findall(r"^\s*\d+\. ", text, re.M))
    return counts


def subtables(bed):
    """Datapath passes and subtables a packet of a long run: what the switch itself counts."""
    host = bed.hosts[0]
    host.appctl("dpif-netdev/pmd-stats-clear")
    udp(bed, "far", source=42000, count=200)
    text = host.appctl("dpif-netdev/pmd-stats-show")
    return {name: float(value) for name, value in re.findall(
        r"(avg\. datapath passes per packet|avg\. subtable lookups per megaflow hit): ([\d.]+)",
        text)}


def upcall_cost(bed, cpu_of, packets=4000):
    """CPU microseconds of ovs-vswitchd for a packet that nothing in its datapath matches, on the
    sending host. Megaflows are off for this, so that every source port is a miss."""
    host = bed.hosts[0]
    host.appctl("upcall/disable-megaflows")
    try:
        host.forget_flow_cache()
        misses = missed(host)
        before = cpu_of(host.vswitchd.pid)
        with bed["near"].socket(kind=2) as sender:
            sender.connect((GUESTS["far"][2], UDP))
            sender.send(b"x")
        for first in range(0, packets, 500):
            for number in range(first, first + 500):
                with bed["near"].socket(kind=2) as sender:
                    sender.bind((GUESTS["near"][2], 20000 + number))
                    sender.sendto(b"x", (GUESTS["far"][2], UDP))
            time.sleep(0.05)  # No queue is to overflow; the CPU time is counted, not this.
        spent = cpu_of(host.vswitchd.pid) - before
        return {"us a packet": spent * 1e6 / packets,
                "misses a packet": (missed(host) - misses) / packets}
    finally:
        host.appctl("upcall/enable-megaflows")
        host.forget_flow_cache()


def missed(host):
    found = re.search(r"missed:(\d+)", host.appctl("dpctl/show"))
    return int(found[1])
