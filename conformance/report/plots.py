"""Plots by matplotlib, as SVG that stands in a page: its text is text, its colours are the page's, no other file is needed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log10
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, SOFT, LINE, OURS, THEIRS = "#1c2530", "#5b6775", "#dde3ea", "#2f6fb0", "#c9a24b"
COLOURS = {INK: "ink", SOFT: "soft", LINE: "line", OURS: "ours", THEIRS: "theirs"}
"""As style.css.j2 names them, which has others for a dark page."""
STYLES = {"uol": (OURS, "-", 3.0), "pytorch": (THEIRS, (0, (4, 2)), 1.5)}
"""Colour, dashes and width of a side's line: where two lines are one, the narrow one with gaps lies on the wide one."""
POINTS = 300
"""Of a line, at the most: each is the mean of as many steps as that takes."""
RC = {
    "svg.fonttype": "none",  # text, not outlines of letters
    "svg.hashsalt": "uol",  # the same plot has the same names
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "no plot: matplotlib is not installed (pip install 'uol[paths]')"


@dataclass(frozen=True, slots=True)
class Point:
    """A row on a device: its number, operations a byte, and operations a second, of T and of T_ref."""

    number: int
    operations_a_byte: float
    ours: float
    best: float


def has_library() -> bool:
    """Is matplotlib there?"""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def losses(courses: Mapping[str, Sequence[float]]) -> str:
    """The losses of each side by step and, of two sides, their difference below; empty for no losses. Losses that are not
    finite leave a gap."""
    means = {side: points for side, found in courses.items() if (points := list(_means(found)))}
    if not means:
        return ""
    with _Figure(9.0, 5.0 if len(means) == 2 else 3.6) as figure:
        upper, *lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1)) if len(means) == 2 else (figure.subplots(),)
        for side, points in means.items():
            colour, dashes, width = STYLES.get(side, (SOFT, "-", 1.5))
            across, up = zip(*points, strict=True)
            upper.plot(across, up, color=colour, linestyle=dashes, linewidth=width, label=side, gid=f"loss-{side}")
        upper.legend(frameon=False)
        _ruled(upper, "loss")
        for below in lower:
            first, second = map(dict, means.values())
            steps = [step for step in first if step in second]
            below.plot(steps, [first[n] - second[n] for n in steps], color=SOFT, linewidth=1.0, gid="difference")
            _ruled(below, " − ".join(means))
        (lower or [upper])[-1].set_xlabel("step")
        return _svg(figure)


def roofline(memory: float, matrix: float, points: Sequence[Point], limits: tuple[float, float, float, float]) -> str:
    """What a device attains by operations a byte (`memory` bytes a second, `matrix` operations a second), and rows below it,
    each by its number. `limits`: the ends of both axes."""
    left, right, low, high = limits
    with _Figure(6.0, 4.0, None) as figure:
        axes: Axes = figure.subplots(gridspec_kw={"left": 0.13, "right": 0.98, "bottom": 0.13, "top": 0.97})
        ridge = matrix / memory
        axes.plot([left, ridge, right], [left * memory, matrix, matrix], color=SOFT, linewidth=1.5, gid="roof")
        for point in points:
            axes.plot([point.operations_a_byte] * 2, [point.ours, point.best], color=LINE, linewidth=1.0)
        across = [point.operations_a_byte for point in points]
        axes.plot(across, [p.best for p in points], "o", color=THEIRS, markerfacecolor="none", label="T_ref", gid="best")
        axes.plot(across, [p.ours for p in points], "o", color=OURS, markersize=4, label="modelled", gid="ours")
        for point in points:
            place = (point.operations_a_byte, point.ours)
            axes.annotate(str(point.number), place, (4, -2), textcoords="offset points", fontsize=8)
        axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
        for axis in (axes.xaxis, axes.yaxis):
            _in_powers(axis)
        axes.set_xlabel("operations a byte")
        axes.legend(frameon=False, loc="lower right")
        _ruled(axes, "operations a second")
        return _svg(figure)


def _in_powers(axis: Axis) -> None:
    """Powers of ten as plain text: formulas take ten times as long to lay out as all the rest of a plot."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"10{str(round(log10(value))).translate(RAISED)}"))
    axis.set_minor_locator(NullLocator())


def _ruled(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.grid(True, linewidth=0.6)
    axes.set_axisbelow(True)


class _Figure:
    """A figure in the style of the pages, of so many inches; `layout` as matplotlib names them."""

    def __init__(self, width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> None:
        import matplotlib

        self._size, self._layout, self._style = (width, height), layout, matplotlib.rc_context(RC)

    def __enter__(self) -> Figure:
        from matplotlib.figure import Figure

        self._style.__enter__()
        return Figure(figsize=self._size, layout=self._layout)

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(None, None, None)


def _svg(figure: Figure) -> str:
    """The figure as an element of a page, in the page's colours."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    start, body = text.split(">", 1)
    text = re.sub(r' (?:width|height)="[^"]*"', "", start) + ">" + body
    text = re.sub(r' id="(?:figure|axes|matplotlib\.axis|patch|text|xtick|ytick|legend|line2d)_\d+"', "", text)  # once a page
    for colour, name in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    return text.strip()


def _means(found: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Steps and losses, of neighbours together where there are many."""
    width = max(1, -(-len(found) // POINTS))
    for start in range(0, len(found), width):
        part = [loss for loss in found[start : start + width] if isfinite(loss)]
        if part:
            yield start + (width - 1) / 2 + 1, sum(part) / len(part)
