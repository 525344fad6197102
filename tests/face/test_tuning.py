"""`UOL_TUNE=1`: schedules that are chosen by timing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from turns import by_turns

import uol
from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.host import PROCESSOR
from uol.bundle.hold import hold
from uol.codegen.backend import Schedule
from uol.codegen.schedule import schedule_text
from uol.codegen.specs.nodes import KernelSpec
from uol.compilation import tuning
from uol.ir.errors import UolError
from uol.ops.workloads import workloads_of

SIZES = {"S": (), "M": 30, "K": 40, "N": 50}


@pytest.fixture
def timed(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many candidates were timed, choice by choice. Of each the second is the fastest; each is run."""
    counts: list[int] = []

    def second_is_fastest(calls: Sequence[Callable[[], None]]) -> list[float]:
        counts.append(len(calls))
        for call in calls:
            call()
        return [1.0 if number == 1 else 2.0 + number for number in range(len(calls))]

    monkeypatch.setenv("UOL_TUNE", "1")
    monkeypatch.delenv(PROCESSOR, raising=False)
    monkeypatch.setattr(tuning, "times_us", second_is_fastest)
    return counts


def compiled() -> uol.Compiled:
    return uol.compile("matmul", "cpu", "f32", SIZES)


def candidates_of(spec: KernelSpec) -> list[Schedule]:
    return list(BACKEND.schedules(spec, BACKEND.devices["host"]))


def chosen(kernel: uol.Compiled) -> Schedule:
    (found,) = kernel.module.kernels
    return found.schedule


def test_the_fastest_is_taken_kept_and_not_timed_again(timed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled()
    (spec,) = kernel.module.graph.specs
    known = candidates_of(spec)
    assert chosen(kernel) == known[1] != known[0]
    assert timed == [3]
    a, b = (np.random.default_rng(n).standard_normal(shape) for n, shape in enumerate(((30, 40), (40, 50))))
    assert np.allclose(kernel(a.astype(np.float32), b.astype(np.float32)), a @ b, atol=1e-4)
    assert chosen(compiled()) == known[1]
    with monkeypatch.context() as anew:  # no module is kept, as after a change of another kernel's request
        anew.setenv("UOL_DUMP", str(Path(tuning.open_cache().root) / "dump"))
        assert chosen(compiled()) == known[1]
    assert timed == [3]


def test_without_the_variable_nothing_is_timed(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(calls: object) -> list[float]:
        raise AssertionError("timed")

    monkeypatch.setattr(tuning, "times_us", never)
    for off in (None, "", "0"):
        monkeypatch.delenv("UOL_TUNE", raising=False)
        if off is not None:
            monkeypatch.setenv("UOL_TUNE", off)
        kernel = compiled()
        assert chosen(kernel) == candidates_of(kernel.module.graph.specs[0])[0]


def test_what_was_tuned_is_not_what_is_taken_without(timed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = compiled()
    monkeypatch.setenv("UOL_TUNE", "0")
    assert chosen(compiled()) != chosen(tuned)


@pytest.mark.parametrize("text", ["2", "yes", "true", " 1"])
def test_the_variable_says_yes_or_no(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_TUNE", text)
    with pytest.raises(UolError, match=f"UOL_TUNE is '{text}'") as raised:
        compiled()
    assert raised.value.hint == "it is 1, and kernels are timed, or 0, or unset"


def test_a_gain_that_is_noise_changes_nothing(timed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "times_us", lambda calls: [100.0, 98.0, 99.0])
    kernel = compiled()
    assert chosen(kernel) == candidates_of(kernel.module.graph.specs[0])[0]


def test_what_is_given_and_what_is_for_another_machine_is_not_timed(timed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    given = uol.compile("matmul", "cpu", "f32", SIZES, schedule="rows=2,vectors=1")
    assert schedule_text(chosen(given)).startswith("kind=tiles,rows=2,vectors=1,")
    uol.compile("matmul", "cuda", "f32", SIZES)
    uol.compile("matmul", next(f"cpu:{name}" for name in BACKEND.devices if name != "host"), "f32", SIZES)
    uol.compile("matmul", "cpu", "f32", {"K": 40, "N": 50})  # with open dims
    monkeypatch.setenv(PROCESSOR, next(name for name in BACKEND.devices if name != "host"))
    compiled()
    assert timed == []


def test_explain_says_what_was_measured(timed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled()
    known = list(map(schedule_text, candidates_of(kernel.module.graph.specs[0])))
    lines = [line for line in str(kernel.explain(schedules=True)).splitlines() if "kind=" in line]
    ends = ["; measured 2.0 us", "; measured 1.0 us", "; measured 4.0 us"]
    assert [line[4:].partition(":")[0] for line in lines] == known
    assert [line.partition("buffers")[2] for line in lines] == [*ends, ""]
    assert [line[2] for line in lines] == [" ", "*", " ", " "]
    (found,) = cast(list[dict[str, list[dict[str, object]]]], kernel.explain(schedules=True).as_json()["kernels"])
    assert [each["measured_us"] for each in found["schedules"]] == [2.0, 1.0, 4.0, None]
    monkeypatch.setattr(tuning, "generator_hash", lambda: "another")
    assert "measured" not in str(kernel.explain(schedules=True))


def test_a_bundle_holds_what_was_chosen(timed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled()
    folder = kernel.bundle(tmp_path)
    monkeypatch.setenv("UOL_TUNE", "0")
    plain = compiled().bundle(tmp_path / "plain")
    assert (folder / "matmul.s").read_bytes() != (plain / "matmul.s").read_bytes()
    for variable in ("0", "1"):
        monkeypatch.setenv("UOL_TUNE", variable)
        for each in (folder, plain):
            with hold(each) as held:
                assert [f for f in held.held if f.state != "ok"] == []
    assert len(timed) == 1


@pytest.mark.parametrize(
    "op", by_turns(2, ["embedding", "softmax", "grouped_matmul", "attention", "topk", "layer_norm", "linear"])
)
def test_kernels_of_every_kind_run_alone(op: str, timed: list[int]) -> None:
    """With indices, segments, run-time attributes, and what lies between kernels."""
    workload = workloads_of(op)[0]
    tuned = uol.compile(op, "cpu", "f32", workload.dims, workload.attrs)
    for kernel in tuned.module.kernels:
        known = [s for s in candidates_of(kernel.spec) if type(s) is type(kernel.schedule)]
        assert kernel.schedule == known[min(1, len(known) - 1)]


def test_a_clock_tells_a_long_call_from_a_short_one() -> None:
    x = np.zeros(1 << 20)
    short, long = tuning.times_us([lambda: x[:10].sum(), lambda: x.sum()])  # type: ignore[list-item]
    assert 0 < short < long
