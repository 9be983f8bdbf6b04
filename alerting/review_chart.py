"""A small line chart as SVG text that needs nothing else: no script, no font, no other file. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from alerting.incident_plot import Plot
from alerting.review import Drawn

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 26
WORD_WIDTH = 64
COLOURS = 4
"""So many colours there are: classes line-0 to line-3."""


def svg(drawn: Drawn, marks: Sequence[tuple[float, str]] = ()) -> str:
    """Return a chart.

    Args:
        marks: moments to point out, each with a word: `opened`, `resolved`.
    """
    values = [value for _, points in drawn.series for _, value in points if math.isfinite(value)]
    if drawn.plot.threshold is not None and math.isfinite(drawn.plot.threshold):
        values.append(drawn.plot.threshold)
    low, high = _bounds(values)
    scale = _Scale(drawn.start, max(drawn.end, drawn.start + 1), low, high)
    parts = [
        *_grid(scale),
        *_marks(scale, marks),
        *_threshold(scale, drawn.plot),
        *(_line(scale, index, points) for index, (_, points) in enumerate(drawn.series)),
    ]
    label = escape(f"{drawn.plot.title}: {drawn.plot.query}", quote=True)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


class _Scale:
    def __init__(self, start: float, end: float, low: float, high: float) -> None:
        self.start, self.end, self.low, self.high = start, end, low, high

    def x(self, time: float) -> float:
        share = (time - self.start) / (self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(TOP + (1 - min(1.0, max(0.0, share))) * (HEIGHT - TOP - BOTTOM), 1)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return a range that begins at 0 where that costs little, and ends at a number that reads well."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if low >= 0:
        low = 0.0
    if high <= low:
        high = low + 1.0
    step = 10 ** math.floor(math.log10(high - low)) / 2
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _grid(scale: _Scale) -> Iterable[str]:
    for share in (0.0, 0.5, 1.0):
        value = scale.low + share * (scale.high - scale.low)
        y = scale.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{number(value)}</text>'
    for part, anchor in enumerate(("start", "middle", "middle", "end")):
        time = scale.start + part * (scale.end - scale.start) / 3
        shown = f"{datetime.fromtimestamp(time, UTC):%H:%M:%S}"
        yield f'<text class="tick" x="{scale.x(time)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{shown}</text>'


def _marks(scale: _Scale, marks: Sequence[tuple[float, str]]) -> Iterable[str]:
    shown: list[float] = []
    for time, word in sorted(marks):
        if scale.start <= time <= scale.end:
            x = scale.x(time)
            level = sum(abs(x - other) < WORD_WIDTH for other in shown)
            shown.append(x)
            anchor, text_x = ("end", x - 4) if x > WIDTH * 0.8 else ("start", x + 4)
            yield f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            y = TOP + 9 + 13 * level
            yield f'<text class="mark-word" x="{text_x}" y="{y}" text-anchor="{anchor}">{escape(word)}</text>'


def _threshold(scale: _Scale, plot: Plot) -> Iterable[str]:
    if plot.threshold is not None and math.isfinite(plot.threshold):
        y = scale.y(plot.threshold)
        yield f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'


def _line(scale: _Scale, index: int, points: Sequence[tuple[float, float]]) -> str:
    path, pen = [], "M"
    for time, value in points:
        if not math.isfinite(value):
            pen = "M"  # a gap is shown as a gap
            continue
        path.append(f"{pen}{scale.x(time)} {scale.y(value)}")
        pen = "L"
    return f'<path class="line line-{index % COLOURS}" d="{"".join(path)}"/>'


def number(value: float) -> str:
    """Return a value in at most four digits."""
    if value == 0:
        return "0"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
