"""A golden value of a scan that is made in one pass is the one that its definition gives, and its interval no wider."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy import error_analysis, running
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array
from uol.ir import Library, Program, instantiate, parse

BODIES = {
    "up to": "sum[j <= i](acc(x[r, j]))",
    "before": "sum[j < i](acc(x[r, j]))",
    "from": "sum[j >= i](acc(x[r, j]))",
    "after": "sum[j > i](acc(x[r, j]))",
    "rounded terms": "sum[j <= i](exp(acc(x[r, j])))",
    "products": "prod[j <= i](acc(x[r, j]))",
    "products of rounded terms": "prod[j >= i](exp(acc(x[r, j])))",
    "greatest": "max[j < i](acc(x[r, j]))",
    "least": "min[j >= i](acc(x[r, j]))",
    "another condition": "sum[j <= i, j > r](acc(x[r, j]))",
    "a shorter row": "sum[j < N/2, j <= i](acc(x[r, j]))",
    "a longer row": "sum[j < N + 3, j <= i](acc(x[r, j] else 1))",
    "a sum that is a term": "sum[k](acc(x[k, i])) + sum[j <= i](acc(x[r, j]))",
}


def program_of(body: str, rows: int, columns: int) -> Program:
    (op,) = parse(f"op scan(x: T[R, N]) -> (y: T[R, N]) for T in (f32, f16) {{ y[r, i] = T({body}) }}")
    return instantiate(op, Library(), types={"T": "f32"}, dims={"R": rows, "N": columns})


def enclosed(body: str, x: Array, small: int, monkeypatch: pytest.MonkeyPatch) -> Enclosed:
    monkeypatch.setattr(running, "_SMALL", small)
    return enclose(program_of(body, *x.shape), {"x": x}, {}, contract("any"))


@pytest.mark.parametrize("columns", [5, 37])
@pytest.mark.parametrize("name", BODIES)
def test_one_pass_gives_what_the_definition_gives(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    split, taken = running.split_running, []
    monkeypatch.setattr(error_analysis, "split_running", lambda *given: taken.append(split(*given)) or taken[-1])
    x = np.random.default_rng(1).standard_normal((3, columns)).astype(np.float32).astype(np.float64)
    for special in (None, np.inf, np.nan, 0.0):
        if special is not None:
            x[1, columns // 2] = special
        (fast,) = enclosed(BODIES[name], x, 0, monkeypatch).results.values()
        assert any(each is not None for each in taken), "made by its definition"
        (slow,) = enclosed(BODIES[name], x, 1 << 62, monkeypatch).results.values()
        np.testing.assert_allclose(fast.value, slow.value, 1e-12, 1e-14)
        assert np.array_equal(np.isnan(fast.low), np.isnan(slow.value))
        known = np.isfinite(slow.value)
        slack = 1e-12 * np.abs(slow.value[known]) + 1e-14
        assert np.all((slow.low[known] - slack <= fast.low[known]) & (fast.low[known] <= fast.value[known]))
        assert np.all((fast.value[known] <= fast.high[known]) & (fast.high[known] <= slow.high[known] + slack))


@pytest.mark.parametrize("dtype", ["i32", "i8"])
def test_integers_wrap_at_each_place(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (op,) = parse("op scan(x: T[N]) -> (y: T[N]) for T in (i32, i8) { y[i] = sum[j <= i](x[j]) }")
    program = instantiate(op, Library(), types={"T": dtype}, dims={"N": 50})
    x = np.random.default_rng(2).integers(-128, 127, 50) * (1 << 24 if dtype == "i32" else 1)
    monkeypatch.setattr(running, "_SMALL", 0)
    found = enclose(program, {"x": x}, {}, contract("any"))["y"]
    with np.errstate(over="ignore"):
        assert np.array_equal(found.value, np.cumsum(x.astype(dtype.replace("i", "int")), dtype=dtype.replace("i", "int")))


def test_a_long_scan_is_judged_in_seconds() -> None:
    x = np.random.default_rng(3).standard_normal((1, 1 << 20)).astype(np.float32)
    found = enclose(program_of(BODIES["up to"], *x.shape), {"x": x.astype(np.float64)}, {}, contract("any"))["y"]
    honest = np.cumsum(x, axis=-1, dtype=np.float32)
    assert np.all((found.low <= honest) & (honest <= found.high))
