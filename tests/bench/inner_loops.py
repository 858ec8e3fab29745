#!/usr/bin/python3
"""The inner loops: the programs of Google Benchmark (*_bench) that have been built, as figures.

    HNV_BIN_DIR=build/bin tests/bench/inner_loops.py [--quick]

CPU time of one turn. `ninja tests/bench/all` builds them.
"""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from harness.figures import Figure  # noqa: E402
from harness.scenario import main  # noqa: E402
from hnvlab.agent import binary  # noqa: E402
from hnvlab.shell import run  # noqa: E402

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def scenario(arguments):
    shortest = ["--benchmark_min_time=0.001"] if arguments.quick else []
    for program in sorted(glob.glob(binary("*_bench"))):
        done = run([program, "--benchmark_format=json", *shortest], timeout=600)
        for loop in json.loads(done.stdout)["benchmarks"]:
            if loop.get("error_occurred"):
                raise RuntimeError(f"{program}: {loop['name']}: {loop['error_message']}")
            yield Figure(f"loop {os.path.basename(program)[:-len('_bench')]}: {loop['name']}",
                         loop["cpu_time"] * NANOSECONDS[loop["time_unit"]], "ns")


if __name__ == "__main__":
    main(__doc__, scenario)
