"""A path trained from several seeds: do uol's operators reach what PyTorch's reach?

    python -m uol.conformance.paths.training.seeds resnet50 [--seeds 5] [--most 30] [--first 0] [--steps 3840] [--dtype f32]
                                                            [-o DIR]

Both sides start from one seed's parameters and see the same batches; what differs is the order of sums. A path's task names its
rule: that the 90 % interval (Student's t) of the mean difference of the figures lies within one point, or that the mean of ours
lies within the spread of PyTorch's own seeds. An interval that reaches from within one point to beyond it decides nothing: then
all of `--most` seeds are trained, and looked at once more. A seed whose training has ended in DIR is not trained again; one
that was stopped goes on. Exit status 1 where the rule does not hold, or a training was stopped by its loss.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from uol.conformance.command import run_command
from uol.conformance.paths import task_of
from uol.conformance.paths.task import Agreement, Task
from uol.conformance.paths.training import checkpoint
from uol.conformance.paths.training.record import TrainingRecord
from uol.conformance.paths.training.run import RunOptions, run
from uol.ir.errors import UolError

EVERY = 100
"""Steps from one checkpoint to the next."""
POINT = 0.01
"""The furthest that an end of the interval may be from 0, of a figure between 0 and 1."""
STUDENT = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812),
    *(1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725),
    *(1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699),
)
"""The 0.95 quantile of Student's t for 1, 2, ... degrees of freedom (any table of it): 90 % lie within it on both sides."""


Verdict = Literal["agrees", "is undecided", "does not agree"]


@dataclass(frozen=True, slots=True)
class Paired:
    """The last figures of both sides, seed by seed."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """In which the mean of ours - theirs lies with 90 %.

        >>> low, high = Paired((0.98, 0.97, 0.99), (0.98, 0.98, 0.98)).interval
        >>> f"{low:.4f} {high:.4f}"
        '-0.0169 0.0169'
        """
        differences = [a - b for a, b in zip(self.ours, self.theirs, strict=True)]
        half = STUDENT[len(differences) - 2] * stdev(differences) / len(differences) ** 0.5
        return fmean(differences) - half, fmean(differences) + half

    @property
    def spread(self) -> tuple[float, float]:
        """Of PyTorch's seeds."""
        return min(self.theirs), max(self.theirs)

    def verdict(self, rule: Agreement) -> Verdict:
        """A figure that is not a number agrees with nothing.

        >>> Paired((2.0, 2.2, 2.4), (2.1, 2.2, 2.3)).verdict("spread")
        'agrees'
        """
        if not all(map(isfinite, (*self.ours, *self.theirs))):
            return "does not agree"
        if rule == "spread":
            return "agrees" if self.spread[0] <= fmean(self.ours) <= self.spread[1] else "does not agree"
        low, high = self.interval
        if max(-low, high) <= POINT:
            return "agrees"
        return "does not agree" if low > POINT or high < -POINT else "is undecided"


def trained(task: Task, seeds: Iterable[int], steps: int, folder: Path) -> list[TrainingRecord]:
    """Each seed's training, both sides in turns, in a folder of its own."""
    records = []
    for seed in seeds:
        place = folder / f"seed{seed}"
        place.mkdir(parents=True, exist_ok=True)
        options = RunOptions(task.recipe, steps, seed, ("uol", "pytorch"), place, EVERY, resume=checkpoint.exists(place))
        records.append(run(task, options, lambda record: None))
        print(shown(records[-1]), flush=True)
    return records


def shown(record: TrainingRecord) -> str:
    """A seed's line."""
    figures = ", ".join(f"{side} {course.last_figure:.4f}" for side, course in record.courses.items())
    ratio = "" if record.time_ratio is None else f"; PyTorch's time / uol's {record.time_ratio:.2f}"
    return f"seed {record.seed}: {record.metric} {figures}{ratio}{f'; stopped: {record.stopped}' if record.stopped else ''}"


def paired(records: Sequence[TrainingRecord]) -> Paired:
    """The figures of both sides."""
    ours, theirs = (tuple(r.courses[side].last_figure for r in records) for side in ("uol", "pytorch"))
    return Paired(ours, theirs)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.paths.training.seeds", description=__doc__)
    parser.add_argument("path", help="resnet50, moe or cmap")
    parser.add_argument("--seeds", type=int, default=5, help=f"how many, 2 to {len(STUDENT) + 1} (default 5)")
    parser.add_argument("--most", type=int, help="how many where these decide nothing (default: as --seeds)")
    parser.add_argument("--first", type=int, default=0, help="the first of them; others follow it (default 0)")
    parser.add_argument("--steps", type=int, help="steps of each training; the path's own number else")
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), default="f32")
    parser.add_argument("-o", "--output", type=Path, help="a folder for the checkpoints")
    chosen = parser.parse_args(arguments)
    task = task_of(chosen.path)
    most = chosen.most or chosen.seeds
    if not 2 <= chosen.seeds <= most <= len(STUDENT) + 1:
        raise UolError(f"--seeds is {chosen.seeds}, --most {most}", hint=f"they are 2 to {len(STUDENT) + 1}")
    if chosen.first < 0:
        raise UolError(f"--first is {chosen.first}", hint="a seed is 0 or more")
    task = replace(task, recipe=replace(task.recipe, dtype=chosen.dtype))
    folder = chosen.output or Path("train") / f"{chosen.path}-seeds"
    steps = chosen.steps or task.steps
    records = trained(task, range(chosen.first, chosen.first + chosen.seeds), steps, folder)
    verdict = _judged(task, records)
    if verdict == "is undecided" and most > chosen.seeds:
        records += trained(task, range(chosen.first + chosen.seeds, chosen.first + most), steps, folder)
        verdict = _judged(task, records)
    return 0 if verdict == "agrees" else 1


def _judged(task: Task, records: Sequence[TrainingRecord]) -> Verdict:
    """Of all seeds so far, which it prints."""
    found = paired(records)
    verdict = "does not agree" if any(r.stopped for r in records) else found.verdict(task.agreement)
    print(f"90 % interval of the mean difference: {found.interval[0]:+.4f} to {found.interval[1]:+.4f}")
    print(f"PyTorch's seeds: {found.spread[0]:.4f} to {found.spread[1]:.4f}, mean of uol's {fmean(found.ours):.4f}")
    print(f"{task.name}: {verdict} by the {task.agreement} of {len(records)} seeds", flush=True)
    return verdict


if __name__ == "__main__":
    run_command(main)
