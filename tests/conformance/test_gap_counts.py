"""Counts of calls in several processes, and on devices that have one kernel in common."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from uol.compilation.request import resolve_target
from uol.conformance.gap import measure
from uol.conformance.gap.measure import count_all, recorded_sizes
from uol.conformance.gap.model import CallForm, Known, counted, counted_together

TARGETS = ("cuda:a100", "cuda:h100")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is known before."""
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path))


def test_devices_of_one_backend_have_the_counts_that_each_has_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {(65536, 64): (64, 1), (512, 64): (64, 1), (512,): (1,)}
    form = CallForm("linear", tuple((torch.float16, size, strides) for size, strides in shapes.items()), ())
    targets = [resolve_target(name) for name in TARGETS]
    together = counted_together(form, targets)
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "other"))
    assert together == [counted(form, target) for target in targets]
    waves = [kernel.issued.waves for found in together for kernel in found.kernels]
    assert len(set(waves)) > 1  # the devices have other numbers of cores


def test_a_row_that_is_cut_for_the_cores_of_each_device_is_counted_so() -> None:
    form = CallForm("sum", ((torch.float32, (1, 1 << 24), (1 << 24, 1)),), ())
    small, large = counted_together(form, [resolve_target(name) for name in ("cuda:l4", "cuda:h100")])
    assert [kernels.kernels[0].issued.blocks for kernels in (small, large)] == [256, 512]  # of 4 a core, as powers of two


def test_types_that_are_alike_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (target,) = (resolve_target(name) for name in TARGETS[:1])
    wide, narrow = (CallForm("softmax", ((dtype, (64, 512), (512, 1)),), ()) for dtype in (torch.bfloat16, torch.float16))
    assert wide.alike == narrow.alike == narrow
    (alone,) = counted_together(wide, [target])
    monkeypatch.setenv("UOL_CACHE_DIR", str(Path(os.environ["UOL_CACHE_DIR"]) / "other"))
    known: Known = {}
    counted_together(narrow, [target], known)
    monkeypatch.setattr(type(target.backend), "issued", lambda *given: pytest.fail("it was counted before"))
    assert counted_together(wide, [target], known) == [alone]
    assert alone.kernels


def test_processes_know_the_gradients_that_only_a_step_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`linear_grad_w` is no operator of the library. A process that records the step takes ten seconds: it is one here."""
    (whole,) = recorded_sizes("cmap", "batch 64", "f16")
    row = "projections of words: gradient"
    words = {form.op: form for form in whole.forms[row]}
    assert list(words) == ["linear_grad_w_b", "linear_grad_w"]
    case = replace(whole, forms={row: {words["linear_grad_w"]: 1}})
    monkeypatch.setattr(measure, "FEW", 0)
    counts = count_all([case], TARGETS[:1], 2, lambda done, of: None)
    assert [bool(found.kernels) for found in counts.values()] == [True]
