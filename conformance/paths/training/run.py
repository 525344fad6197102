"""Both sides of a path in training, in turns: a step of uol's, the same step of PyTorch's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from uol.conformance.paths.task import Batch, Side, Task
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
    """Trains up to the last step, or to a number that is not finite: a NaN in a batch, a loss, a gradient, a parameter or a
    figure. A checkpoint that was written before stays. Raises UolError for one that does not fit, and ResourceError where none
    can be written."""
    identity = {"path": task.name, "seed": options.seed, "recipe": asdict(options.recipe), "sides": list(options.sides)}
    sides = {side: Training(task, task.build(options.seed, side), side, options.recipe) for side in options.sides}
    record = TrainingRecord(task.name, task.metric, options.seed, options.recipe, {side: Course() for side in sides})
    if options.resume:
        state = checkpoint.load(options.folder, identity)
        record.courses = courses_of(state["record"])
        for side, training in sides.items():
            training.load_state_dict(state["trainings"][side])
    for step in range(record.steps, options.steps):
        found = _step(task, sides, record, options.seed, step)
        if not found and ((step + 1) % options.every == 0 or step + 1 == options.steps):
            found = _validate(task, sides, record, step, is_last=step + 1 == options.steps)
            if not found:
                checkpoint.save(options.folder, _state(identity, sides, record))
        if found:
            kept = f"the checkpoint of {record.kept[-1]} steps is kept" if record.kept else "there is no checkpoint yet"
            record.stopped = f"{found}; {kept}"
            break
        progress(record)
    return record


def _step(task: Task, sides: dict[Side, Training], record: TrainingRecord, seed: int, step: int) -> str:
    """One step of each side; why the training cannot go on, or nothing."""
    batch = task.batch(seed, step)
    if place := _nan_in(batch):
        return f"the batch of step {step}, which both sides are given, holds NaN in {place}"
    for side, training in sides.items():
        start = time.perf_counter()
        loss = training.step(batch)
        record.courses[side].seconds += time.perf_counter() - start
        losses = record.courses[side].losses
        losses.append(loss)
        skips = MOST_SKIPS if training.scaler.is_enabled() else 0
        if not any(map(isfinite, losses[-1 - skips :])):
            return f"the loss of {side} is {loss} at step {step}"
        if broken := training.not_finite():
            return f"the {broken} of {side} is not finite after step {step}"
    return ""


def _validate(task: Task, sides: dict[Side, Training], record: TrainingRecord, step: int, *, is_last: bool) -> str:
    """The figures of all sides into the record; nothing, or why they are none, which leaves the record as it was."""
    figures = {side: task.validate(training.module) for side, training in sides.items()}
    for side, figure in figures.items():
        loss = record.courses[side].losses[-1]
        if is_last and not isfinite(loss):  # one that a scaler has skipped
            return f"the loss of {side} is {loss} at step {step}, the last one"
        if not isfinite(figure):
            return f"the {task.metric} of {side} is {figure} after step {step}"
    for side, figure in figures.items():
        record.courses[side].figures[step + 1] = figure
    return ""


def _nan_in(batch: Batch) -> str:
    """The first tensor of a batch with a NaN in it, and how many it has; empty where there is none."""
    for number, tensor in enumerate(batch):
        if tensor.is_floating_point() and (count := int(tensor.isnan().sum())):
            return f"its tensor {number} ({count} of {tensor.numel()} values)"
    return ""


def _state(identity: dict[str, Any], sides: dict[Side, Training], record: TrainingRecord) -> dict[str, Any]:
    return {**identity, "record": record.record(), "trainings": {side: t.state_dict() for side, t in sides.items()}}
