"""The exponent of a cost curve: b of cost = constant + a * x^b."""

import math


def exponent(points):
    """Least squares in log-log of what lies above the cost at x = 0; None with too few points.

    `points` is (x, cost). Without a point at x = 0 nothing is taken off: a curve that is flat then
    has an exponent about zero.
    """
    constant = next((cost for x, cost in points if x == 0), 0.0)
    logs = [(math.log(x), math.log(cost - constant)) for x, cost in points
            if x > 0 and cost > constant]
    if len(logs) < 2:
        return None
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    variance = sum((x - middle_x) ** 2 for x, _ in logs)
    if variance == 0:
        return None
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / variance


def curves(entries):
    """Of the entries of results.json: curve → {"unit", "points", "exponent"}."""
    found = {}
    for entry in entries:
        if "curve" in entry:
            curve = found.setdefault(entry["curve"], {"unit": entry["unit"], "points": []})
            curve["points"].append((entry["x"], entry["value"]))
    for curve in found.values():
        curve["points"].sort()
        curve["exponent"] = exponent(curve["points"])
    return found
