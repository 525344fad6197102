"""Right kernels give right numbers, the same checked and unchecked, without a finding; for both warp widths."""

from __future__ import annotations

import numpy as np
import pytest
from clean import CLEAN, Clean
from hand_written import MACHINES, module
from numpy.typing import NDArray

from uol.backends.twin import Job, TwinRun, execute_many
from uol.ir.program.nodes import Const

TOLERANCE = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-6}
NUMPY = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i8": np.int8, "bool": np.bool_}


def inputs(case: Clean) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(7)
    arrays: dict[str, NDArray[np.generic]] = {}
    for arg in case.args:
        if arg.role != "in":
            continue
        shape = tuple(int(d.value) for d in arg.shape if isinstance(d, Const))
        values = rng.integers(-99, 99, shape) if arg.dtype in ("i8", "bool") else rng.standard_normal(shape)
        arrays[arg.name] = values.astype(NUMPY[arg.dtype])
    if case.name.startswith("argmax"):
        arrays["x"][0] = 1
        arrays["x"][1, [200, 30, 31]] = np.nan
        arrays["x"][2] = -np.inf
        arrays["x"][3] = np.inf
    return arrays


def job(case: Clean, backend: str, checked: bool) -> Job:
    built = module(backend, case.text, case.args, case.launches(MACHINES[backend].lanes))
    return Job(built, inputs(case), {}, checked, capability=MACHINES[backend])


@pytest.fixture(scope="module", params=["cuda", "hip"])
def runs(request: pytest.FixtureRequest) -> tuple[int, dict[tuple[str, bool], TwinRun]]:
    keys = [(case, checked) for case in CLEAN for checked in (True, False)]
    results = execute_many([job(case, request.param, checked) for case, checked in keys])
    return MACHINES[request.param].lanes, {(case.name, checked): r for (case, checked), r in zip(keys, results, strict=True)}


def close(got: NDArray[np.generic], want: NDArray[np.generic]) -> bool:
    if got.dtype not in TOLERANCE:
        return bool(np.array_equal(got, want))
    error = np.abs(got.astype(np.float64) - want)
    return not bool((~(error <= TOLERANCE[got.dtype] * np.maximum(1, np.abs(want)))).any())


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "unchecked"])
@pytest.mark.parametrize("case", CLEAN, ids=lambda c: c.name)
def test_a_right_kernel_is_right(runs: tuple[int, dict[tuple[str, bool], TwinRun]], case: Clean, checked: bool) -> None:
    lanes, results = runs
    run = results[case.name, checked]
    assert not run.findings, [str(f) for f in run.findings]
    expected = dict(case.expected(inputs(case)))
    if case.name.startswith("a row a warp"):
        rows = np.roll(inputs(case)["x"].reshape(-1, lanes), -1, axis=1)
        expected = {"turned": 2 * rows.reshape(-1), "total": rows.reshape(-1, 8).sum(-1)}
    assert run.outputs.keys() == expected.keys()
    for name, want in expected.items():
        got = run.outputs[name]
        assert got.shape == np.shape(want)
        assert close(got, np.asarray(want)), name


def test_counts_are_those_of_the_text(runs: tuple[int, dict[tuple[str, bool], TwinRun]]) -> None:
    lanes, results = runs
    mapped = results["map with a tail", True].counts
    assert mapped["global_loads"] == 2002
    assert mapped["global_load_bytes"] == 8008
    assert mapped["global_stores"] == 1001
    assert mapped["barriers"] == mapped["shuffles"] == mapped["shared_loads"] == 0
    assert (mapped["launches"], mapped["blocks"]) == (1, 8)
    softmax = results["block softmax", True].counts
    warps = 128 // lanes
    steps = lanes.bit_length() - 1
    assert softmax["barriers"] == 5 * 4
    assert softmax["shuffles"] == 5 * 2 * warps * steps
    assert softmax["shared_stores"] == 5 * 2 * warps
    assert softmax["shared_loads"] == 5 * 2 * 128 * warps
    copies = results["vector copies of halves, through dynamic shared memory", True].counts
    assert copies["global_load_bytes"] == copies["shared_store_bytes"] == 3 * 1024
    assert copies["global_loads"] == 3 * 64
