"""`uol train`: runs that are killed, resumed, stopped by a loss, and refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from uol.conformance.paths.task import Batch, Side, Task
from uol.conformance.paths.training import checkpoint
from uol.conformance.paths.training.recipe import Recipe
from uol.conformance.paths.training.record import TrainingRecord
from uol.conformance.paths.training.run import MOST_SKIPS, RunOptions, run
from uol.conformance.report.files import write_training
from uol.ir.errors import ResourceError, UolError
from uol.ops import text as ops

RECIPE = Recipe("sgd", {"lr": 0.1, "momentum": 0.9}, accumulate=2, restart=3)


class Ours(nn.Linear):
    """A layer by uol's operators."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = ops.linear(x, self.weight, self.bias)
        return found


def build(seed: int, side: Side, width: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    theirs = nn.Linear(4, width)
    if side == "pytorch":
        return theirs
    ours = Ours(4, width)
    ours.load_state_dict(theirs.state_dict())
    return ours


def batch(seed: int, step: int) -> Batch:
    generator = torch.Generator().manual_seed(1000 * seed + step)
    return torch.randn(8, 4, generator=generator), torch.randint(3, (8,), generator=generator)


def loss(module: nn.Module, given: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(module(given[0]), given[1])


def validate(module: nn.Module) -> float:
    return float(loss(module, batch(99, 0)).detach())


TASK = Task("lines", build, loss, batch, validate, "loss kept apart", "lower", 12, RECIPE)


def options(folder: Path, steps: int = 12, *, resume: bool = False) -> RunOptions:
    return RunOptions(RECIPE, steps, 0, ("uol", "pytorch"), folder, every=3, resume=resume)


class Killed(BaseException):
    """What a signal does."""


def killed_at(step: int) -> Callable[[TrainingRecord], None]:
    def progress(record: TrainingRecord) -> None:
        if record.steps == step:
            raise Killed

    return progress


def quietly(record: TrainingRecord) -> None:
    pass


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    whole = run(TASK, options(tmp_path), quietly)
    (tmp_path / "again").mkdir()
    with pytest.raises(Killed):
        run(TASK, options(tmp_path / "again"), killed_at(8))  # the last checkpoint is of step 6
    resumed = run(TASK, options(tmp_path / "again", resume=True), quietly)
    assert {s: c.losses for s, c in resumed.courses.items()} == {s: c.losses for s, c in whole.courses.items()}
    assert {s: c.figures for s, c in resumed.courses.items()} == {s: c.figures for s, c in whole.courses.items()}
    assert len(whole.courses["uol"].losses) == 12 and list(whole.courses["uol"].figures) == [3, 6, 9, 12]
    assert whole.courses["uol"].losses == pytest.approx(whole.courses["pytorch"].losses, rel=1e-5)


@pytest.mark.parametrize(("dtype", "more"), [("f32", 0), ("f16", MOST_SKIPS)])
def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_checkpoint(dtype: str, more: int, tmp_path: Path) -> None:
    def broken(seed: int, step: int) -> Batch:
        x, t = batch(seed, step)
        return (x * float("inf") if step >= 7 else x), t

    def in_f32(module: nn.Module, given: Batch) -> torch.Tensor:
        return loss(module, (given[0].float(), given[1]))

    given = replace(options(tmp_path, 40), recipe=replace(RECIPE, dtype=dtype), every=100 if more else 3)
    record = run(replace(TASK, batch=broken, loss=in_f32), given, quietly)
    assert f"the loss of uol is nan at step {7 + more}" in record.stopped
    if not more:
        kept = torch.load(tmp_path / checkpoint.FILE, weights_only=True)
        assert kept["record"]["steps"] == 6 and "checkpoint of 6 steps is kept" in record.stopped


def test_a_nan_in_a_batch_ends_the_run_before_any_side_sees_it(tmp_path: Path) -> None:
    def broken(seed: int, step: int) -> Batch:
        x, t = batch(seed, step)
        if step == 7:
            x[3, 1] = float("nan")
        return x, t

    def blind(module: nn.Module, given: Batch) -> torch.Tensor:  # a network in which a NaN is lost, as in a maximum
        return loss(module, (given[0].nan_to_num(), given[1]))

    record = run(replace(TASK, batch=broken, loss=blind), options(tmp_path), quietly)
    said = "the batch of step 7, which both sides are given, holds NaN in its tensor 0 (1 of 32 values)"
    assert record.stopped == f"{said}; the checkpoint of 6 steps is kept"
    assert record.steps == 7 and torch.load(tmp_path / checkpoint.FILE, weights_only=True)["record"]["steps"] == 6


@pytest.mark.parametrize("side", ["uol", "pytorch"])
def test_a_nan_gradient_of_one_side_in_the_last_step_is_no_success(side: Side, tmp_path: Path) -> None:
    class Steps:
        seen = 0

    def breaks(module: nn.Module, given: Batch) -> torch.Tensor:
        found = loss(module, given)
        if (side == "uol") != isinstance(module, Ours) or not torch.is_grad_enabled() or given[0].shape[0] != 8:
            return found
        Steps.seen += 1
        nothing = module.weight.sum() * 0  # its square root is 0, and has an infinite derivative
        return found + (nothing.sqrt() * 0 if Steps.seen == 12 else 0)

    task = replace(TASK, loss=breaks, validate=lambda module: 0.5)
    record = run(task, options(tmp_path), quietly)
    assert record.stopped == f"the parameter weight of {side} is not finite after step 11; the checkpoint of 9 steps is kept"
    kept = torch.load(tmp_path / checkpoint.FILE, weights_only=True)
    assert kept["record"]["steps"] == 9
    assert all(v.isfinite().all() for v in kept["trainings"][side]["module"].values())


def test_a_scaled_run_does_not_end_in_a_loss_that_was_skipped(tmp_path: Path) -> None:
    def broken(seed: int, step: int) -> Batch:
        x, t = batch(seed, step)
        return (x * float("inf") if step == 11 else x), t

    def in_f32(module: nn.Module, given: Batch) -> torch.Tensor:
        return loss(module, (given[0].float(), given[1]))

    given = replace(options(tmp_path), recipe=replace(RECIPE, dtype="f16"))
    record = run(replace(TASK, batch=broken, loss=in_f32), given, quietly)
    assert record.stopped == "the loss of uol is nan at step 11, the last one; the checkpoint of 9 steps is kept"


def test_a_figure_that_is_nan_is_not_kept(tmp_path: Path) -> None:
    figures = iter([0.5, 0.5, 0.5, float("nan")])
    record = run(replace(TASK, validate=lambda module: next(figures)), options(tmp_path), quietly)
    assert record.stopped == "the loss kept apart of pytorch is nan after step 5; the checkpoint of 3 steps is kept"
    assert torch.load(tmp_path / checkpoint.FILE, weights_only=True)["record"]["steps"] == 3


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    run(TASK, options(tmp_path, 3), quietly)
    with pytest.raises(UolError, match="of another seed: 0, not 1"):
        run(TASK, replace(options(tmp_path, resume=True), seed=1), quietly)
    with pytest.raises(UolError, match="of another recipe"):
        run(TASK, replace(options(tmp_path, resume=True), recipe=replace(RECIPE, accumulate=1)), quietly)
    wider = replace(TASK, build=lambda seed, side: build(seed, side, 5))
    with pytest.raises(UolError, match="of another network: size mismatch for bias"):
        run(wider, options(tmp_path, resume=True), quietly)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(TASK, options(tmp_path, 3), quietly)
    before = (tmp_path / checkpoint.FILE).read_bytes()

    def full(state: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError, match="could not be written: .*No space left") as error:
        run(TASK, options(tmp_path, 6, resume=True), quietly)
    assert "--resume" in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint.FILE]
    assert (tmp_path / checkpoint.FILE).read_bytes() == before


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"], ids=["cut", "empty", "text"])
def test_a_damaged_checkpoint_is_an_error(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="there is no checkpoint"):
        run(TASK, options(tmp_path, resume=True), quietly)
    run(TASK, options(tmp_path, 3), quietly)
    file = tmp_path / checkpoint.FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ResourceError, match="cannot be read"):
        run(TASK, options(tmp_path, resume=True), quietly)


def test_the_page_needs_nothing_else_and_the_log_is_json(tmp_path: Path) -> None:
    record = run(TASK, options(tmp_path, 6), quietly)
    page = write_training(record, tmp_path).read_text()
    assert all(f'id="loss-{side}"' in page for side in ("uol", "pytorch"))
    assert not re.search(r'(src|href)="(?!#)', page)
    log = json.loads((tmp_path / "training.json").read_text())
    assert log["kind"] == "training" and len(log["courses"]["pytorch"]["losses"]) == 6 and log["recipe"]["accumulate"] == 2
