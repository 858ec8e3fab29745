#!/usr/bin/python3
"""Sends the same requests to Debian's ovsdb-server and to the agent, and compares the answers.

    compare.py [WORD…]    only the cases whose name has one of the words in it

What comes over each connection is compared step by step: replies with their errors to the letter,
notifications and their order, and the fate of the connection. differences.py lists what may
differ, each with its reason; one that is no longer there is an error too. Needs root.
"""

import collections
import sys
import time

import cases_conditions
import cases_constraints
import cases_databases
import cases_errors
import cases_locks
import cases_malformed
import cases_monitors
import cases_monitor_conditions
import cases_operations
import cases_references
import cases_schema
import differences
import testschema
from hnvlab.shell import wait_until
from normalise import normalised
from servers import Pair

BEFORE_CONVERSION = (cases_databases,)
AFTER_CONVERSION = (cases_operations, cases_conditions, cases_errors, cases_constraints,
                    cases_references, cases_locks, cases_monitors, cases_monitor_conditions,
                    cases_malformed, cases_schema)


def play(server, case):
    """The case's transcript: what came on each session, in order."""
    transcript = collections.defaultdict(list)
    for step in case.steps:
        if step.pause:
            time.sleep(step.pause)  # The protocol's own time, not a wait for a condition.
        session = server.session(step.session)
        if step.kind == "raw":
            session.send_bytes(step.message)
        elif step.kind != "await":
            session.send(step.message)
        if step.kind == "call":
            session.receive_reply(step.message["id"])
        elif step.kind == "await":
            session.receive_reply(step.message, 5.0)
        for name, other in server.sessions.items():
            other.sync()
            transcript[name] += other.take()
    server.close_sessions()
    if any(isinstance(step.message, dict) and step.message["method"] in ("lock", "steal")
           for step in case.steps):
        server.settle()
    return transcript


def clean_up(server, databases):
    for database in databases:
        tables = testschema.TABLES[database]
        if tables:
            server.transact(database, [{"op": "delete", "table": table, "where": []}
                                       for table in tables])


def shown(text, other):
    """The part of a long text where it leaves the other one."""
    same = next((i for i, (x, y) in enumerate(zip(text, other)) if x != y), min(len(text),
                                                                               len(other)))
    begin = max(0, same - 200)
    return ("…" if begin else "") + text[begin:begin + 900]


def report(case, stock, agent):
    nothing = ("", "nothing")
    length = max(len(stock), len(agent))
    padded = zip(stock + [nothing] * (length - len(stock)), agent + [nothing] * (length - len(agent)))
    at, (one, other) = next((i, pair) for i, pair in enumerate(padded) if pair[0] != pair[1])
    print(f"DIFFERENT {case.name}: event {at + 1}, session {one[0] or other[0]}\n"
          f"  ovsdb-server: {shown(one[1], other[1])}\n"
          f"  hnv-agent:    {shown(other[1], one[1])}")


class Comparison:
    """Runs cases against a pair of servers; makes a new pair when a case has ended one."""

    def __init__(self, words):
        self.pair = Pair()
        self.converted = False
        self.words = words
        self.cases = self.requests = 0
        self.wrong = []
        self.expected = dict(differences.DIFFERENCES)

    def run(self, modules):
        for module in modules:
            for case in module.CASES:
                if not self.words or any(word in case.name for word in self.words):
                    self.compare(case)

    def convert(self):
        for server in self.pair.both:
            server.ask("convert", [testschema.DATABASE, testschema.EXTENDED])
        self.converted = True

    def close(self, *, keep_logs):
        self.pair.close(keep_logs=keep_logs)

    def outcome(self, server, case):
        """What the case was to this server; None if it ended it."""
        try:
            transcript = normalised(play(server, case))
            clean_up(server, testschema.used_by(case))
        except (OSError, RuntimeError) as error:
            wait_until(lambda: not server.process.alive, f"{server.name} has ended ({error})")
            return None
        return transcript if server.process.alive else None

    def compare(self, case):
        self.cases += 1
        self.requests += len(case.steps)
        stock, agent = (self.outcome(server, case) for server in self.pair.both)
        if stock is None or agent is None:
            self.wrong.append(case.name)
            print(f"ENDED     {case.name}: ovsdb-server {'ended' if stock is None else 'goes on'}, "
                  f"hnv-agent {'ended' if agent is None else 'goes on'}")
            self.pair.close(keep_logs=True)
            self.pair = Pair()
            if self.converted:
                self.convert()
            return
        reason = self.expected.pop(case.name, None)
        if stock == agent and reason is not None:
            self.wrong.append(case.name)
            print(f"SAME      {case.name}: listed as a difference ({reason}), and there is none")
        elif stock != agent and reason is not None:
            print(f"listed    {case.name}: {reason}")
        elif stock != agent:
            self.wrong.append(case.name)
            report(case, stock, agent)


def main():
    sys.setrecursionlimit(50000)  # Some messages are nested deeply.
    begin = time.monotonic()
    comparison = Comparison(sys.argv[1:])
    try:
        comparison.run(BEFORE_CONVERSION)
        comparison.convert()
        testschema.converted()
        comparison.run(AFTER_CONVERSION)
    finally:
        comparison.close(keep_logs=bool(comparison.wrong))
    if not comparison.words:
        for name in comparison.expected:
            comparison.wrong.append(name)
            print(f"NO CASE   {name}: listed in differences.py, and there is no such case")
    print(f"{comparison.cases} cases, {comparison.requests} requests compared in "
          f"{time.monotonic() - begin:.0f} s; {len(comparison.wrong)} wrong")
    return 1 if comparison.wrong or not comparison.cases else 0


if __name__ == "__main__":
    sys.exit(main())
