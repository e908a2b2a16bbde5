"""The results as two SVG pictures that need nothing else, for light and dark pages."""

import math
from xml.sax.saxutils import escape

from results import ORDER, WRONG

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #222 } .small { font-size: 10px; fill: #666 } .head { font-weight: bold }
.axis { stroke: #bbb } .grid { stroke: #ddd } .one { stroke: #888; stroke-dasharray: 4 3 }
.aim { fill: #2a8f4f } .must { fill: #3b75c4 } .missed { fill: #c8442f } .plain { fill: #888 }
.bound { stroke: #222; stroke-width: 2 } .whisker { stroke-width: 2; opacity: 0.5 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .small { fill: #999 } .axis { stroke: #666 } .grid { stroke: #3a3a3a } .bound { stroke: #eee } }
</style>"""
WIDTH, LEFT, RIGHT, LINE, TOP = 900, 330, 40, 22, 46
COLOURS = dict(zip(ORDER, ("#c8442f", "#e8917f", "#c8442f", "#1f5fae", "#7fa8dc", "#2a8f4f", "#7cc496", "#8a5fb0",
                           "#bfa3d8", "#999999", "#666666", "#b08968", "#b08968", "#e0a53a", "#111111", "#bbbbbb"), strict=True))
CLASSES = {"aim met": "aim", "must met": "must", "MISSED": "missed", WRONG: "missed"}


class Picture:
    def __init__(self, title, lines, scale, more=0):
        self._parts, self._scale = [], scale
        self._height = TOP + lines * LINE + 34 + more
        self._bottom = TOP + lines * LINE
        self.text(10, 20, title, "head")

    def add(self, form, *words):
        self._parts.append(form % words)

    def text(self, x, y, words, kind="", anchor="start"):
        self.add('<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>', x, y, kind, anchor, escape(words))

    def x(self, value):
        return LEFT + self._scale(value) * (WIDTH - LEFT - RIGHT)

    def rule(self, value, words, kind="grid"):
        self.add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="%s"/>', self.x(value), TOP - 6, self.x(value),
                 self._bottom, kind)
        self.text(self.x(value), self._bottom + 14, words, "small", "middle")

    def svg(self):
        return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">\n%s\n%s\n</svg>\n' % (
            WIDTH, self._height, STYLE, "\n".join(self._parts)))


def logarithmic(low, high):
    low, high = math.log10(low), math.log10(high)
    return lambda value: min(1.0, max(0.0, (math.log10(value) - low) / (high - low)))


def label(row):
    return "%s (%s)" % (row["title"].replace(", durable, steady state", ""), row["row"])


def ratios(found):
    """Bars: porter-admin's time as part of the baseline's; ticks: must (long) and aim (short)."""
    rows = [row for row in found["rows"] if row.get("ratios", {}).get("baseline")]
    if not rows:
        return None
    values = [row["ratios"]["baseline"] for row in rows]
    low, high = min(0.04, min(values) / 1.5), max(1.5, max(values) * 1.3)
    picture = Picture("Wall time as part of the baseline's (left is quicker; ticks: must, aim)", len(rows),
                      logarithmic(low, high))
    for mark in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if low <= mark <= high:
            picture.rule(mark, "%g" % mark, "one" if mark == 1 else "grid")
    for number, row in enumerate(rows):
        ratio_bar(picture, TOP + number * LINE, row, low)
    return picture.svg()


def ratio_bar(picture, y, row, low):
    value = row["ratios"]["baseline"]
    picture.text(LEFT - 8, y + 12, label(row), anchor="end")
    picture.add('<rect x="%.1f" y="%d" width="%.1f" height="12" class="%s"/>', picture.x(low), y + 2,
                max(1.0, picture.x(value) - picture.x(low)), CLASSES.get(row["verdict"], "plain"))
    for bound, grow in ((row["must"], 4), (row["aim"], 1)):
        if bound is not None:
            picture.add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="bound"/>', picture.x(bound), y + 2 - grow,
                        picture.x(bound), y + 14 + grow)
    picture.text(picture.x(value) + 6, y + 12, "%.2f%s" % (value, " WRONG" if row["verdict"] == WRONG else ""), "small")


def seconds(found):
    """Dots: each contestant's median; lines: from its quickest run to its slowest."""
    rows = [row for row in found["rows"] if row.get("medians")]
    if not rows:
        return None
    names = [name for name in ORDER if any(name in row["medians"] for row in rows)]
    values = [run["seconds"] for row in rows for runs in row["runs"].values() for run in runs]
    low, high = max(0.001, min(values)) / 1.2, max(values) * 1.2
    picture = Picture("Wall time, seconds (dots: medians; lines: quickest to slowest)", len(rows),
                      logarithmic(low, high), more=20 * math.ceil(len(names) / 4))
    for mark in (base * 10.0**power for power in range(-3, 4) for base in (1, 3)):
        if low <= mark <= high:
            picture.rule(mark, "%g" % mark)
    for number, row in enumerate(rows):
        picture.text(LEFT - 8, TOP + number * LINE + 12, label(row), anchor="end")
        for name in row["medians"]:
            dot(picture, TOP + number * LINE + 8, row, name, COLOURS[name])
    legend(picture, names, TOP + len(rows) * LINE + 38)
    return picture.svg()


def dot(picture, y, row, name, colour):
    times = [run["seconds"] for run in row["runs"][name]]
    picture.add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="whisker" stroke="%s"/>', picture.x(min(times)), y,
                picture.x(max(times)), y, colour)
    picture.add('<circle cx="%.1f" cy="%d" r="4" fill="%s"><title>%s</title></circle>', picture.x(row["medians"][name]), y,
                colour, escape("%s: %.3f s" % (name, row["medians"][name])))


def legend(picture, names, y):
    for number, name in enumerate(names):
        x, line = 30 + 210 * (number % 4), y + 20 * (number // 4)
        picture.add('<circle cx="%d" cy="%d" r="4" fill="%s"/>', x, line - 4, COLOURS[name])
        picture.text(x + 10, line, name)
