"""What a training leaves behind: losses, figures and times of each side."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from uol.conformance.paths.training.recipe import Recipe

LAST = 20
"""Steps of which the loss at the end is the mean."""


@dataclass(slots=True)
class Course:
    """One side's: the loss of each step, the figure on data kept apart by the number of steps before it, and the seconds that
    the steps took."""

    losses: list[float] = field(default_factory=list)
    figures: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def last_loss(self) -> float:
        """The mean of the last steps; NaN before the first."""
        return fmean(self.losses[-LAST:]) if self.losses else float("nan")

    @property
    def last_figure(self) -> float:
        """The figure when it was last taken; NaN before that."""
        return self.figures[max(self.figures)] if self.figures else float("nan")


@dataclass(slots=True)
class TrainingRecord:
    """`stopped`: why a training ended early; empty where it did not."""

    path: str
    metric: str
    seed: int
    recipe: Recipe
    courses: dict[str, Course]
    stopped: str = ""

    @property
    def steps(self) -> int:
        """How many steps all sides have taken."""
        return min((len(course.losses) for course in self.courses.values()), default=0)

    @property
    def kept(self) -> tuple[int, ...]:
        """The numbers of steps after which a checkpoint was written."""
        return tuple(next(iter(self.courses.values())).figures)

    @property
    def time_ratio(self) -> float | None:
        """PyTorch's time for its steps / uol's; None where one of them did not run."""
        ours, theirs = (self.courses.get(side) for side in ("uol", "pytorch"))
        return theirs.seconds / ours.seconds if ours and theirs and ours.seconds else None

    def record(self) -> dict[str, Any]:
        """As plain data, for JSON and for a checkpoint."""
        return {"kind": "training", "steps": self.steps, **asdict(self)}


def courses_of(record: dict[str, Any]) -> dict[str, Course]:
    """The courses of a record's plain data."""
    return {side: Course(**course) for side, course in record["courses"].items()}
