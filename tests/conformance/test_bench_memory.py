"""The peak memory of a model's row: what a process of a side says, and what is said where it cannot."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from uol.conformance.bench import peak_memory as measured
from uol.conformance.bench.model_row import ModelRow
from uol.conformance.bench.peak_memory import Memory, peak_memory

ROW = ModelRow("encoder layer", "inference", 1)
WEIGHTS = 4 * (4 * 512 * 512 + 2 * 512 * 2048)
"""Bytes of the layer's matrices: four of attention, two of the network behind it."""


def test_a_side_takes_its_weights_at_least() -> None:
    assert WEIGHTS < measured._measured(ROW, "PyTorch") < 20 * WEIGHTS


def said(monkeypatch: pytest.MonkeyPatch, *texts: dict[str, object]) -> Memory | str:
    """What comes of processes that say this, one after the other."""
    left = iter(texts)

    def done(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, json.dumps(next(left)), "")

    monkeypatch.setattr(subprocess, "run", done)
    return peak_memory(ROW)


def test_a_process_that_compiled_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cold, warm, theirs = ({"bytes": size, "compiled": size == 900} for size in (900, 200, 300))
    assert said(monkeypatch, cold, warm, warm, warm, theirs, theirs, theirs) == Memory(200, 300)
    assert Memory(200, 300).ratio == 1.5
    assert said(monkeypatch, cold, cold) == "uol's process compiles its kernels anew: none are in the cache"


def test_the_median_process_of_a_side_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (200, 210, 290, 300, 250, 310)
    assert said(monkeypatch, *({"bytes": size, "compiled": False} for size in sizes)) == Memory(210, 300)


def test_a_process_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    assert peak_memory(ROW) == "uol's process ended with status 1: "
