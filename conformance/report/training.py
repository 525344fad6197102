"""A training as a page: the losses of both sides in one plot. HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from uol.conformance.paths.training.record import TrainingRecord
from uol.conformance.report.page import environment

WIDTH, HEIGHT = 900.0, 320.0
"""Of the plot, in its own units."""
POINTS = 300
"""Of a line, at the most: each is the mean of as many steps as that takes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A side's losses as the points of an SVG polyline."""

    side: str
    points: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over the numbers of steps, from `low` at the bottom to `high` at the top."""

    lines: tuple[Line, ...]
    low: float
    high: float
    width: float = WIDTH
    height: float = HEIGHT


def training_page(record: TrainingRecord) -> str:
    """The page as text."""
    return environment().get_template("training.html.j2").render(record=record, plot=plot_of(record))


def plot_of(record: TrainingRecord) -> Plot:
    """Means of neighbouring steps, to one scale."""
    means = {side: list(_means(course.losses)) for side, course in record.courses.items()}
    values = [loss for each in means.values() for loss in each]
    low, high = min(values, default=0.0), max(values, default=1.0)
    spread = (high - low) or 1.0
    lines = []
    for side, each in means.items():
        across = WIDTH / max(len(each) - 1, 1)
        points = (f"{n * across:.1f},{HEIGHT * (high - loss) / spread:.1f}" for n, loss in enumerate(each))
        lines.append(Line(side, " ".join(points)))
    return Plot(tuple(lines), low, high)


def _means(losses: Sequence[float]) -> Iterator[float]:
    width = max(1, -(-len(losses) // POINTS))
    for start in range(0, len(losses), width):
        part = [loss for loss in losses[start : start + width] if isfinite(loss)]
        if part:
            yield sum(part) / len(part)
