#!/usr/bin/python3
"""The harness of the benchmarks: a run leaves complete results, and a comparison sees what is worse.

It measures nothing that anyone should quote: the sizes are tiny.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from harness import compare, figures, fit  # noqa: E402
from harness.figures import Figure  # noqa: E402

RUN = os.path.join(HERE, "run")


def call(*words):
    return subprocess.run([sys.executable, RUN, *words], capture_output=True, text=True,
                          timeout=200, check=False)


def results_of(*runs):
    return {"figures": figures.together(runs)}


class Arithmetic(unittest.TestCase):
    def test_a_ratio_is_of_one_run(self):
        [entry] = figures.together([[Figure("a", 2, "s", 1)], [Figure("a", 30, "s", 10)],
                                    [Figure("a", 4, "s", 1)]])
        self.assertEqual(entry["ratio"], 3)
        self.assertAlmostEqual(entry["spread"], 2 / 3)

    def test_an_exponent_is_of_the_cost_above_the_constant(self):
        points = [(0, 7.0)] + [(x, 7 + 3 * x ** 1.5) for x in (10, 100, 1000)]
        self.assertAlmostEqual(fit.exponent(points), 1.5)
        self.assertIsNone(fit.exponent(points[:2]))

    def test_worse_beyond_the_spread_is_marked_and_within_it_is_not(self):
        then = results_of([Figure("a", 10, "s", 10), Figure("b", 100, "rows/s", better="higher")])
        within = results_of([Figure("a", 10.5, "s", 10),
                             Figure("b", 96, "rows/s", better="higher")])
        beyond = results_of([Figure("a", 13, "s", 10), Figure("b", 50, "rows/s", better="higher")])
        self.assertEqual(compare.table(within, then)[1], [])
        self.assertEqual(compare.table(beyond, then)[1], ["a", "b"])
        self.assertEqual(compare.table(then, beyond)[1], [])


class QuickRun(unittest.TestCase):
    def test_results_are_complete_and_a_regression_is_found(self):
        with tempfile.TemporaryDirectory() as directory:
            done = call("--quick", "--repeat", "1", "--only", "bulk_mappings", "cost_curves",
                        "--out", directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            path = os.path.join(directory, "results.json")
            with open(path, encoding="utf-8") as file:
                results = json.load(file)
            self.check_complete(results)
            for name in os.listdir(directory):
                if name.endswith(".svg"):
                    xml.etree.ElementTree.parse(os.path.join(directory, name))
            self.assertIn("ratios.svg", os.listdir(directory))
            self.assertEqual(call("--compare", path, path).returncode, 0)
            slower = copy.deepcopy(results)
            slower["figures"][0]["ratio"] *= 2
            worse = os.path.join(directory, "worse.json")
            with open(worse, "w", encoding="utf-8") as file:
                json.dump(slower, file)
            said = call("--compare", worse, path)
            self.assertEqual(said.returncode, 1)
            marked = [line for line in said.stdout.splitlines() if "WORSE" in line]
            self.assertEqual(len(marked), 1)
            self.assertTrue(marked[0].startswith(results["figures"][0]["name"]))

    def check_complete(self, results):
        self.assertEqual(results["failures"], {})
        for key in ("machine", "versions", "commit"):
            self.assertTrue(results[key], key)
        names = [entry["name"] for entry in results["figures"]]
        self.assertEqual(len(names), len(set(names)))
        for entry in results["figures"]:
            self.assertGreater(entry["value"], 0, entry["name"])
            self.assertTrue(entry["unit"])
            self.assertIn("spread", entry)
        for what in ("mappings", "ports", "subnets"):
            self.assertGreater(len(results["curves"][f"{what}, confirmed"]["points"]), 1)


if __name__ == "__main__":
    unittest.main()
