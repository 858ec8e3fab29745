"""Plots as SVG (W3C SVG 1.1): cost curves, both axes logarithmic, and bars of ratios."""

import math
from html import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 40, 50
COLOURS = ("#1f5fa8", "#c0392b", "#27803b", "#8e44ad", "#b9770e", "#117a8b")


def _document(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) +
            "\n</svg>\n")


def _text(x, y, text, anchor="middle", size=12, fill="black"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{fill}">{escape(text)}</text>')


def _line(x1, y1, x2, y2, stroke="#ddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'


def _decades(values):
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def curves(title, unit, series):
    """`series` is name → [(x, y)…]; what is not positive has no place on a logarithmic axis."""
    series = {name: [(x, y) for x, y in points if x > 0 and y > 0]
              for name, points in series.items()}
    points = [point for line in series.values() for point in line]
    if not points:
        return _document(WIDTH, HEIGHT, [_text(WIDTH / 2, HEIGHT / 2, f"{title}: no points")])
    (x0, x1), (y0, y1) = _decades([x for x, _ in points]), _decades([y for _, y in points])

    def across(x):
        return LEFT + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def down(y):
        return HEIGHT - BOTTOM - (math.log10(y) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(WIDTH / 2, 20, title, size=15), _text(LEFT - 8, 34, unit, "end")]
    for power in range(x0, x1 + 1):
        x = across(10.0 ** power)
        parts += [_line(x, TOP, x, HEIGHT - BOTTOM),
                  _text(x, HEIGHT - BOTTOM + 18, f"{10.0 ** power:,.6g}")]
    for power in range(y0, y1 + 1):
        y = down(10.0 ** power)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y),
                  _text(LEFT - 8, y + 4, f"{10.0 ** power:,.6g}", "end")]
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3.5" fill="{colour}"/>'
                  for x, y in line]
        parts.append(_text(LEFT + 10, TOP + 16 + 16 * number, name, "start", fill=colour))
    return _document(WIDTH, HEIGHT, parts)


def bars(title, ratios):
    """`ratios` is name → ratio to the limit; the line at 1 is the limit itself."""
    left, row, width = 340, 22, 760
    height = TOP + row * len(ratios) + 20
    most = max([*ratios.values(), 1.0]) * 1.1
    scale = (width - left - 60) / most
    parts = [_text(width / 2, 20, title, size=15)]
    for number, (name, ratio) in enumerate(ratios.items()):
        y = TOP + row * number
        parts += [_text(left - 8, y + 14, name, "end"),
                  f'<rect x="{left}" y="{y + 3}" width="{ratio * scale:.1f}" height="{row - 8}" '
                  f'fill="{COLOURS[0]}"/>',
                  _text(left + ratio * scale + 6, y + 14, f"x{ratio:.2f}", "start")]
    one = left + scale
    parts.append(_line(one, TOP - 4, one, height - 16, COLOURS[1]))
    return _document(width, height, parts)
