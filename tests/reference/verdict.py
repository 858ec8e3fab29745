"""What was expected of a packet, what the switch does with it, and the two side by side."""

import json
from dataclasses import asdict, dataclass, field

import oftrace
import services
import policy as values
from rpc import RpcError


class Verdict:
    def __init__(self, request, text, alternatives, notes):
        self.request = request  # for ofproto/trace
        self.text = text  # its answer, or RpcError
        self.alternatives = alternatives  # any of which is right
        self.notes = notes  # of the model
        self.got = None  # as one of them, or why the answer can't be read
        self.crossed = False  # from one virtual network into another

    def read(self, policy, packet, datapath_ports):
        if isinstance(self.text, RpcError):
            self.got = f"refused: {self.text}"
            return
        try:
            self.got = oftrace.outcomes(self.text, packet, datapath_ports)
            self.crossed = not stays_in_network(policy, packet, self.got)
        except oftrace.TraceError as error:
            self.got = f"unreadable: {error}"

    @property
    def wrong(self):
        return self.crossed or self.got not in self.alternatives


def texts(outs):
    if isinstance(outs, list):
        return [str(out) for out in outs] or ["nothing"]
    return [outs]


def stays_in_network(policy, packet, outs):
    """The one property above all, asked without the model: what enters in a virtual network comes
    out in the same one; but for copies, which go where a mirror says."""
    if packet.port:
        entered = set(policy.ports[packet.port].bindings.values())
    else:
        entered = {packet.key if packet.tunnel == "vxlan" else packet.key >> 8}
        if services.arrival(policy, *entered):
            return True
    allowed = set(entered)
    for router in policy.routers.values():
        bindings = values.bindings_in_force(policy, router)
        if entered.intersection(bindings.values()):
            allowed.update(bindings.values())

    def stays(out):
        if out.to == "port":
            return out.name in policy.ports and \
                allowed.intersection(policy.ports[out.name].bindings.values())
        return out.to == "agent" or out.vsid in allowed
    return all(stays(out) or services.is_a_copy(policy, out) for out in outs)


@dataclass
class Mismatch:
    """All that is needed to repeat one: the policy before, or a restart of the agent, if the policy
    alone is not enough."""
    packet: values.Packet
    policy: values.Policy
    before: values.Policy = None
    restarted: bool = False
    told: dict = field(default_factory=dict)  # for people

    def save(self, name):
        with open(name, "w", encoding="utf-8") as file:
            json.dump({**self.told, "packet": asdict(self.packet), "restarted": self.restarted,
                       "policy": self.policy.as_json(),
                       "before": self.before.as_json() if self.before else None}, file, indent=1)

    @classmethod
    def load(cls, name):
        with open(name, encoding="utf-8") as file:
            saved = json.load(file)
        before = saved["before"]
        return cls(values.Packet(**saved["packet"]), values.from_json(saved["policy"]),
                   values.from_json(before) if before else None, saved["restarted"])


def told(verdict):
    return {"request": verdict.request, "expected": [texts(way) for way in verdict.alternatives],
            "got": texts(verdict.got), "trace": str(verdict.text)}
