#!/usr/bin/python3
"""Packets between guests: hand-written flows, hnv-agent and OVN side by side.

    HNV_BIN_DIR=build/bin tests/bench/datapath.py [--rounds N] [--seconds S] [--beds A,B]
                                                  [--parts shape,upcall,rates] [--json FILE]

    hand       flows that do no more than tunnel
    agent      all allowed                  agent-100  100 firewall rules on each port
    ovn        no ACL                       ovn-100    the same 100 as ACLs

shape   What a packet meets, counted: recirculations, actions, megaflows, masks, OpenFlow tables.
        The same on every machine. Exits with 1 if any is more than OVN's.
upcall  CPU of ovs-vswitchd for a first packet.
rates   TCP, 64-byte UDP, new connections, round trips, CPU a packet, between near and far. The beds
        take turns, each round in another order; ratios are medians of each round's ratio to `hand`.

Two hosts for each, over a routed underlay, their switches (userspace datapath) on a CPU each.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import datapath_meter as meter  # noqa: E402
import datapath_shape as shape  # noqa: E402
from datapath_beds import BEDS  # noqa: E402

PAIRS = (("agent", "ovn"), ("agent-100", "ovn-100"))


def show_shapes(shapes):
    for to in ("far", "local", "routed"):
        seen = {name: kinds[to] for name, kinds in shapes.items() if to in kinds}
        if not seen:
            continue
        print(f"\nnear to {to}:")
        print(f"{'':22}" + "".join(f"{name:>12}" for name in seen))
        for what in next(iter(seen.values())):
            if what != "detail":
                print(f"{what:22}" + "".join(f"{kind[what]:12}" for kind in seen.values()))


def worse_than_ovn(shapes):
    """(bed, traffic, what, its number, OVN's) of what is more than OVN's."""
    found = []
    for ours, theirs in PAIRS:
        for to in set(shapes.get(ours, ())) & set(shapes.get(theirs, ())):
            for what, number in shapes[ours][to].items():
                other = shapes[theirs][to][what]
                if what != "detail" and number > other:
                    found.append((ours, to, what, number, other))
    return sorted(found)


def take_rounds(beds, rounds, seconds):
    servers = {name: meter.Servers(bed) for name, bed in beds.items()}
    seen = {name: [] for name in beds}
    names = list(beds)
    for number in range(rounds):
        turn = names[number % len(names):] + names[:number % len(names)]
        for name in turn if number % 2 == 0 else reversed(turn):
            seen[name].append(meter.measure(servers[name], seconds))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return seen


def summary(seen):
    """{bed: {what: {"median", "low", "high", "ratio"}}}; low and high are quartiles, the ratio is
    to `hand`, round by round."""
    result = {}
    for name, runs in seen.items():
        result[name] = {}
        for what in runs[0]:
            values = sorted(run[what] for run in runs)
            line = {"median": statistics.median(values), "low": values[len(values) // 4],
                    "high": values[3 * len(values) // 4]}
            if "hand" in seen:
                ratios = [run[what] / hand[what] for run, hand in zip(runs, seen["hand"])
                          if hand[what]]
                line["ratio"] = statistics.median(ratios) if ratios else None
            result[name][what] = line
    return result


def show_rates(rates):
    print("\nnear to far, medians (ratio to hand-written):")
    print(f"{'':22}" + "".join(f"{name:>20}" for name in rates))
    for what in next(iter(rates.values())):
        cells = []
        for lines in rates.values():
            ratio = lines[what].get("ratio")
            tail = f" (x{ratio:.2f})" if ratio is not None else ""
            cells.append(f"{lines[what]['median']:.1f}{tail}")
        print(f"{what:22}" + "".join(f"{cell:>20}" for cell in cells))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--beds", default=",".join(BEDS))
    parser.add_argument("--parts", default="shape,upcall,rates")
    parser.add_argument("--json")
    return parser.parse_args()


def main():
    wanted = arguments()
    parts = wanted.parts.split(",")
    result = {}
    with contextlib.ExitStack() as stack:
        beds = {}
        for name in wanted.beds.split(","):
            beds[name] = BEDS[name]()
            stack.callback(beds[name].close)
        if "shape" in parts:
            result["shape"] = {name: {to: shape.shape(bed, to) for to in bed.guests[1:]}
                               for name, bed in beds.items()}
            show_shapes(result["shape"])
            result["worse than OVN"] = worse_than_ovn(result["shape"])
            for line in result["worse than OVN"]:
                print("more than OVN's: %s, to %s: %s %s, not %s" % line)
        if "upcall" in parts:
            # In turn, three times: the least is the least disturbed.
            taken = {name: [] for name in beds}
            for _ in range(3):
                for name, bed in beds.items():
                    taken[name].append(shape.upcall_cost(bed, meter.cpu_of))
            result["upcall"] = {name: min(runs, key=lambda run: run["us a packet"])
                                for name, runs in taken.items()}
            print("\nCPU of a first packet:")
            for name, run in result["upcall"].items():
                print(f"{name:12}{run['us a packet']:8.1f} us, "
                      f"{run['misses a packet']:.2f} upcalls")
        if "rates" in parts:
            result["rates"] = summary(take_rounds(beds, wanted.rounds, wanted.seconds))
            show_rates(result["rates"])
    if wanted.json:
        with open(wanted.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 1 if result.get("worse than OVN") else 0


if __name__ == "__main__":
    sys.exit(main())
