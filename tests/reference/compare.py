#!/usr/bin/python3
"""Compares the reference model with what a real ovs-vswitchd decides under a real hnv-agent.

    compare.py [--seed N] [--packets N] [--policies N]
    compare.py --again FILE

Draws policies that change a little at a time, writes each into the agent's databases, waits for
cur_cfg, and asks the switch by `ofproto/trace` about packets; each answer must be the model's. A
mismatch is shrunk, printed, and saved with all that is needed to repeat it (`--again`). Needs root,
for its network namespace.
"""

import argparse
import collections
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import policy as values
import oftrace
from connections import Connections, is_shared
from generate import OWN_PAS, World
from hnvlab.lab import take_down_orphans
from model import Model
from packets import Packets
from shrink import shrink
from switch import Switch
from verdict import Mismatch, Verdict, told, texts
from writer import Writer

MUTATIONS_AT_ONCE = 4  # at most, in one change of the policy
POLICIES_IN_A_WORLD = 40  # then everything is replaced by another world
POLICIES_BETWEEN_RESTARTS = 75  # of the agent, by kill -9, with one table's flows lost meanwhile
TABLES = 40  # of the pipeline
FEWEST_PACKETS_A_POLICY = 20
CONNECTIONS_A_POLICY = 6
SECONDS_TO_SHRINK = 10


class Comparison:
    def __init__(self, switch, chosen):
        self.switch = switch
        self.chosen = chosen
        self.random = random.Random(chosen.seed)
        self.writer = Writer(switch, random.Random(chosen.seed))
        self.connections = Connections(self.random)
        self.world = None
        self.policies = self.packets = self.mismatches = self.crossed = 0
        self.cases = collections.Counter()

    def run(self):
        share = max(FEWEST_PACKETS_A_POLICY, self.chosen.packets // self.chosen.policies)
        before = None
        while self.packets < self.chosen.packets and self.mismatches < self.chosen.mismatches:
            policy = self._next_policy()
            self.writer.write(policy)
            self.policies += 1
            if self.policies % POLICIES_BETWEEN_RESTARTS == 0:
                self.switch.restart_agent(self.random.choice([None, *range(TABLES)]))
                self.writer.wait_confirmed()
            self._compare(policy, before, share)
            before = policy

    def _compare(self, policy, before, count):
        model = Model(policy)
        source = Packets(self.random, policy)
        openflow_ports = dict(self.switch.datapath_ports().values())
        packets = self.connections.packets(model, openflow_ports, CONNECTIONS_A_POLICY)
        packets += [askable(model, source.draw()) for _ in range(count - len(packets))]
        for packet, verdict in self.verdicts(policy, packets):
            self._count(packet, verdict)
            if verdict.wrong:
                self.report(before, policy, packet, verdict)
                return  # the databases don't say `policy` any more
            if packet.state == "new":
                self.connections.learn(model, packet, verdict, openflow_ports)

    def _next_policy(self):
        if self.policies % POLICIES_IN_A_WORLD == 0:
            self.world = World(self.random)
        else:
            for _ in range(self.random.randint(1, MUTATIONS_AT_ONCE)):
                self.world.mutate()
        return self.world.policy()

    # --- comparing ---------------------------------------------------------------------------

    def verdicts(self, policy, packets):
        """(packet, Verdict) of each packet, the policy being in force."""
        model = Model(policy)
        datapath_ports = self.switch.datapath_ports()
        openflow_ports = dict(datapath_ports.values())
        requests = [oftrace.request(packet, openflow_ports) for packet in packets]
        for packet, (words, flow), text in zip(packets, requests, self.switch.trace(requests)):
            ways = model.alternatives(packet)
            verdict = Verdict(" ".join([*words, flow]), text, ways, model.notes)
            verdict.read(policy, packet, datapath_ports)
            yield packet, verdict

    def _count(self, packet, verdict):
        self.packets += 1
        entry = "guest" if packet.port else packet.tunnel
        if packet.state != "new":
            entry = f"{packet.state} {entry}"
        for note in set(verdict.notes):
            self.cases[f"{entry} {note}"] += 1
        if len(verdict.alternatives) > 1 and verdict.got in verdict.alternatives:
            self.cases[f"{entry} shared, way {verdict.alternatives.index(verdict.got)}"] += 1
        for name in {out.name for out in verdict.alternatives[0] if out.to == "tunnel"}:
            self.cases[f"{entry} to {name}"] += 1

    def verdict(self, policy, packet):
        """The verdict on one packet once the policy is written; None: it can't be asked about."""
        if packet.port and not (packet.port in policy.ports and policy.ports[packet.port].plugged):
            return None
        self.writer.write(policy)
        [(_, verdict)] = self.verdicts(policy, [packet])
        return verdict

    # --- telling -----------------------------------------------------------------------------

    def report(self, before, policy, packet, verdict):
        """Prints a mismatch, makes its policy small, and saves it."""
        self.mismatches += 1
        self.crossed += verdict.crossed
        self.tell(packet, verdict)
        saved = Mismatch(packet, policy)
        self.writer.write(values.Policy())
        afresh = self.verdict(policy, packet)
        if afresh and afresh.wrong:
            saved.policy = shrink(policy, lambda small: self._still_wrong(small, packet),
                                  SECONDS_TO_SHRINK)
            verdict = self.verdict(saved.policy, packet)
        elif self._wrong_after_restart(policy, packet):
            print("  The policy makes no mismatch before the agent is restarted.")
            saved.restarted = True
        else:
            print("  The policy written afresh makes no mismatch: the change to it does.")
            saved.before = before
        saved.told = told(verdict)
        name = os.path.join(self.chosen.save,
                            f"mismatch-{self.chosen.seed}-{self.mismatches}.json")
        saved.save(name)
        print(f"  policy   {json.dumps(saved.policy.as_json())}\n  repeat   --again={name}")

    def _wrong_after_restart(self, policy, packet):
        self.switch.restart_agent(None)
        return self._still_wrong(policy, packet)

    def _still_wrong(self, policy, packet):
        verdict = self.verdict(policy, packet)
        return bool(verdict and verdict.wrong)

    def repeat(self, saved):
        """The verdict on a mismatch that was saved."""
        if saved.before:
            self.writer.write(saved.before)
        if saved.restarted:
            self.writer.write(saved.policy)
            self.switch.restart_agent(None)
        return self.verdict(saved.policy, saved.packet)

    def tell(self, packet, verdict):
        crossed = "A PACKET CROSSES VIRTUAL NETWORKS, " if verdict.crossed else ""
        print(f"\n{crossed}MISMATCH {self.mismatches}, seed {self.chosen.seed}, policy "
              f"{self.policies}\n  packet   {json.dumps(packet.as_json())}\n"
              f"  trace    {verdict.request}")
        ways = [("expected", way) for way in verdict.alternatives]
        for word, outs in (*ways, ("got", verdict.got)):
            for text in texts(outs):
                print(f"  {word:8} {text}")

    def summary(self, seconds):
        print(f"\nseed {self.chosen.seed}: {self.packets} packets on {self.policies} policies in "
              f"{seconds:.0f} s; {self.mismatches} mismatches, {self.crossed} of them between "
              "virtual networks")
        for case, count in sorted(self.cases.items()):
            print(f"  {count:8} {case}")


def askable(model, packet):
    """The packet, or one like it that a trace can tell about.

    Of a fragment connection tracking alone knows the connection, and the trace can be told of one
    port's connections, not of two.
    """
    model.alternatives(packet)
    at_two = is_shared(model, packet) or "replicated" in model.notes or (
        packet.port and {"to a local port", "dropped: inbound rules"} & set(model.notes))
    translated = {"translated in", "translated out"} & set(model.notes)
    return packet.changed(frag="no") if packet.frag != "no" and (at_two or translated) else packet


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packets", type=int, default=5000)
    parser.add_argument("--policies", type=int, default=60)
    parser.add_argument("--mismatches", type=int, default=3, help="stop after so many")
    parser.add_argument("--save", default="/tmp", help="directory for reproductions")
    parser.add_argument("--again", metavar="FILE", help="repeat a saved mismatch")
    return parser.parse_args()


def main():
    chosen = options()
    begin = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to end"))  # and so takes the lab down
    take_down_orphans()
    with Switch(OWN_PAS) as switch:
        comparison = Comparison(switch, chosen)
        if chosen.again:
            saved = Mismatch.load(chosen.again)
            verdict = comparison.repeat(saved)
            print(verdict.text)
            comparison.tell(saved.packet, verdict)
            comparison.mismatches = int(verdict.wrong)
        else:
            comparison.run()
            comparison.summary(time.monotonic() - begin)
    sys.exit(1 if comparison.mismatches else 0)


if __name__ == "__main__":
    main()
