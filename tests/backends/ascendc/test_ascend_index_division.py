"""Floored quotients and remainders of indices, on the scalar unit: what is provably natural, what is bounded, what is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ascend_forms import Form, job_of, module_of

from uol.backends.twin import TwinRun, execute_many

N = 150
X = np.arange(N, dtype=np.float32) * 3 - 70
AT = np.random.default_rng(5).integers(-400, 400, N).astype(np.int32)
AT[:4] = (-(2**31), 2**31 - 1, -1, 0)


def form(name: str, index: str, place: Callable[[np.ndarray], np.ndarray]) -> Form:
    """y[n] = x[index] where that is in range, else -5."""
    text = f"op f(x: f32[N], at: i32[N]) -> (y: f32[N]) {{ y[n] = (x[{index}] else -5) + 0 * f32(at[n]) }}"
    places = place(np.arange(N, dtype=np.int64))
    wanted = np.where((places >= 0) & (places < N), X[np.clip(places, 0, N - 1)], np.float32(-5))
    return Form(name, text, {"x": X, "at": AT}, lambda _: wanted, {"N": N})


WIDE = AT.astype(np.int64)
NATURAL = [
    form("of a remainder", "(n % 5) / 2", lambda n: n % 5 // 2),
    form("of a quotient", "(n / 3) % 4", lambda n: n // 3 % 4),
    form("of a product", "(n * n) / 7", lambda n: n * n // 7),
    form("of a minimum", "min(n, 20) / 7", lambda n: np.minimum(n, 20) // 7),
    form("of a maximum", "max(n - 3, 0) / 7", lambda n: np.maximum(n - 3, 0) // 7),
]
SIGNED = [
    form("below zero", "(2 * (n % 9) - 11) / 3", lambda n: (2 * (n % 9) - 11) // 3),
    form("below zero, the rest", "((n % 9) * n - 11) % 7", lambda n: (n % 9 * n - 11) % 7),
    form("of a value that is read", "at[n] / 7", lambda n: WIDE // 7),
    form("of a value that is read, the rest", "at[n] % 7", lambda n: WIDE % 7),
    form("of a sum with what is read", "(at[n] + n) / 5 + 3", lambda n: (WIDE + n) // 5 + 3),
]


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    forms = NATURAL + SIGNED
    return dict(zip((f.name for f in forms), execute_many([job_of(f) for f in forms]), strict=True))


@pytest.mark.parametrize("case", NATURAL + SIGNED, ids=str)
def test_a_quotient_is_floored(runs: dict[str, TwinRun], case: Form) -> None:
    run = runs[case.name]
    assert not run.findings, [str(f) for f in run.findings]
    assert np.array_equal(run.outputs["y"], case.expected(case.inputs))


@pytest.mark.parametrize("case", NATURAL, ids=str)
def test_an_index_that_is_never_negative_is_divided_as_it_is(case: Form) -> None:
    assert "floor_" not in module_of(case).device.text


def test_names_of_an_op_are_apart_from_tile_starts_tensors_and_loop_variables() -> None:
    x, at = np.arange(4000, dtype=np.float32), np.array([0, 7, 30], np.int32)
    text = """op f(x: f32[L], at: i32[K], x_gm: f32[A], v: f32[B], w: f32[I, J]) -> (y: f32[I, J, K], z: f32[A, B]) {
  y[i, j, k] = (x[at[k] + i * 100 + j * 10] else 0) + w[i, j]
  z[n_start, n] = x_gm[n_start] + v[n]
}"""
    few, many = np.arange(3, dtype=np.float32), np.arange(20000, dtype=np.float32)
    dims = {"L": 4000, "I": 5, "J": 70, "K": 3, "A": 3, "B": 20000}
    w = np.arange(350, dtype=np.float32).reshape(5, 70)
    inputs = {"x": x, "at": at, "x_gm": few, "v": many, "w": w}
    (run,) = execute_many([job_of(Form("names", text, inputs, lambda i: i["x"], dims))])
    assert not run.findings, [str(f) for f in run.findings]
    places = at[None, None, :] + np.arange(5)[:, None, None] * 100 + np.arange(70)[None, :, None] * 10
    assert np.array_equal(run.outputs["y"], x[places] + w[:, :, None])
    assert np.array_equal(run.outputs["z"], few[:, None] + many)
