"""Figures: what one run of a scenario yields, and what several runs say together."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. `limit` is what the same costs at the least, measured in the same run.

    A point of a cost curve has `curve` (what it is a curve of) and `x` (how many) besides; the
    point at x = 0 is the constant cost, which a fit leaves out.
    """
    name: str
    value: float
    unit: str
    limit: float | None = None
    better: str = "lower"  # or "higher"
    curve: str | None = None
    x: float | None = None

    def __post_init__(self):
        if self.better not in ("lower", "higher"):
            raise ValueError(f"{self.name}: better is {self.better}")

    def text(self):
        ratio = f"  x{self.value / self.limit:.2f} of {self.limit:,.4g}" if self.limit else ""
        return f"{self.name}: {self.value:,.4g} {self.unit}{ratio}"


def spread(values):
    """(greatest - least) / median; 0 when there is but one."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0


def together(runs):
    """One entry of results.json for each figure: medians of the runs (lists of figures).

    The ratio is the median of the runs' own ratios, since value and limit of one run met the same
    machine. `spread` is that of what is to be compared: of the ratios, else of the values.
    """
    by_name = {}
    for figures in runs:
        for figure in figures:
            by_name.setdefault(figure.name, []).append(figure)
    entries = []
    for name, seen in by_name.items():
        first = seen[0]
        values = [figure.value for figure in seen]
        limits = [figure.limit for figure in seen if figure.limit]
        ratios = [figure.value / figure.limit for figure in seen if figure.limit]
        entry = {"name": name, "unit": first.unit, "better": first.better,
                 "value": statistics.median(values), "values": values,
                 "limit": statistics.median(limits) if limits else None,
                 "ratio": statistics.median(ratios) if ratios else None,
                 "spread": spread(ratios or values)}
        if first.curve is not None:
            entry |= {"curve": first.curve, "x": first.x}
        entries.append(entry)
    return entries


def percentiles(times):
    """p50 and p99."""
    times = sorted(times)
    return statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
