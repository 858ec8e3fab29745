"""Results of now beside those of then."""

LEAST_TOLERANCE = 0.10  # What a quiet machine's runs differ by without a cause.


def verdict(now, then):
    """(factor, tolerance, word) of two entries of one figure; word: "", "WORSE" or "better".

    Ratios to the limit are compared where both have one: they bear another machine; else values.
    """
    what = "ratio" if now.get("ratio") and then.get("ratio") else "value"
    if not then[what]:
        return None, 0.0, ""
    factor = now[what] / then[what]
    tolerance = max(now["spread"], then["spread"], LEAST_TOLERANCE)
    if 1 / (1 + tolerance) <= factor <= 1 + tolerance:
        return factor, tolerance, ""
    worse = (factor > 1) == (now["better"] == "lower")
    return factor, tolerance, "WORSE" if worse else "better"


def _number(entry):
    if entry.get("ratio"):
        return f"x{entry['ratio']:.2f}"
    return f"{entry['value']:,.4g} {entry['unit']}"


def table(now, then):
    """Lines of text, and the names of figures that are worse beyond the spread."""
    before = {entry["name"]: entry for entry in then["figures"]}
    lines, worse = [], []
    width = max((len(entry["name"]) for entry in now["figures"]), default=0)
    for entry in now["figures"]:
        name = entry["name"]
        if name not in before:
            lines.append(f"{name:{width}}  {_number(entry):>16}  (not in the baseline)")
            continue
        factor, tolerance, word = verdict(entry, before[name])
        if word == "WORSE":
            worse.append(name)
        shown = "-" if factor is None else f"{factor:.2f}"
        lines.append(f"{name:{width}}  {_number(entry):>16}  {_number(before[name]):>16}  "
                     f"{shown:>6}  ±{tolerance:.0%}  {word}".rstrip())
    return lines, worse
