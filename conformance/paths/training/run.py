"""Both sides of a path in training, in turns: a step of uol's, the same step of PyTorch's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from uol.conformance.paths.task import Side, Task
from uol.conformance.paths.training import checkpoint
from uol.conformance.paths.training.recipe import Recipe
from uol.conformance.paths.training.record import Course, TrainingRecord, courses_of
from uol.conformance.paths.training.training import Training

Progress = Callable[[TrainingRecord], None]
MOST_SKIPS = 10
"""Losses in a row that are not finite before a training with a scaled loss ends: each halves the scale."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """steps    how many there are to be in all
    seed     of parameters and batches
    sides    which networks are trained
    folder   where the checkpoint is kept
    every    steps from one validation and checkpoint to the next
    resume   whether to go on from the folder's checkpoint
    """

    recipe: Recipe
    steps: int
    seed: int
    sides: Sequence[Side]
    folder: Path
    every: int
    resume: bool = False


def run(task: Task, options: RunOptions, progress: Progress) -> TrainingRecord:
    """Trains up to the last step, or to a loss that is not finite. A checkpoint that was written before stays. Raises UolError
    for one that does not fit, and ResourceError where none can be written."""
    identity = {"path": task.name, "seed": options.seed, "recipe": asdict(options.recipe), "sides": list(options.sides)}
    sides = {side: Training(task, task.build(options.seed, side), side, options.recipe) for side in options.sides}
    record = TrainingRecord(task.name, task.metric, options.seed, options.recipe, {side: Course() for side in sides})
    if options.resume:
        state = checkpoint.load(options.folder, identity)
        record.courses = courses_of(state["record"])
        for side, training in sides.items():
            training.load_state_dict(state["trainings"][side])
    for step in range(record.steps, options.steps):
        record.stopped = _step(task, sides, record, options.seed, step)
        if record.stopped:
            break
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            for side, training in sides.items():
                record.courses[side].figures[step + 1] = task.validate(training.module)
            checkpoint.save(options.folder, _state(identity, sides, record))
        progress(record)
    return record


def _step(task: Task, sides: dict[Side, Training], record: TrainingRecord, seed: int, step: int) -> str:
    """One step of each side; why the training cannot go on, or nothing."""
    batch = task.batch(seed, step)
    for side, training in sides.items():
        start = time.perf_counter()
        loss = training.step(batch)
        record.courses[side].seconds += time.perf_counter() - start
        losses = record.courses[side].losses
        losses.append(loss)
        skips = MOST_SKIPS if training.scaler.is_enabled() else 0
        if not any(map(isfinite, losses[-1 - skips :])):
            kept = f"the checkpoint of {record.kept[-1]} steps is kept" if record.kept else "there is no checkpoint yet"
            return f"the loss of {side} is {loss} at step {step}; {kept}"
    return ""


def _state(identity: dict[str, Any], sides: dict[Side, Training], record: TrainingRecord) -> dict[str, Any]:
    return {**identity, "record": record.record(), "trainings": {side: t.state_dict() for side, t in sides.items()}}
