"""A golden value of a recurrence that is made in one pass is that of its definition, and its interval about as wide."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from uol.conformance.accuracy import error_analysis, recurrences
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array
from uol.ir import Library, Program, instantiate, parse

ENDS = [
    *itertools.product(("<=", "<"), (">", ">="), ("<=", "<")),
    *itertools.product((">=", ">"), ("<", "<="), (">=", ">")),
]


def program_of(ends: tuple[str, str, str], rows: int, columns: int) -> Program:
    of_sum, of_term, of_result = ends
    value = f"sum[j {of_sum} i](exp(acc(b[r, j])) * prod[k {of_term} j, k {of_result} i](acc(a[r, k])))"
    (op,) = parse(f"op fading(a: T[R, N], b: T[R, N]) -> (y: T[R, N]) for T in (f32, f16) {{ y[r, i] = T({value}) }}")
    return instantiate(op, Library(), types={"T": "f32"}, dims={"R": rows, "N": columns})


def enclosed(ends: tuple[str, str, str], given: dict[str, Array], small: int, monkeypatch: pytest.MonkeyPatch) -> Enclosed:
    monkeypatch.setattr(recurrences, "_SMALL", small)
    return enclose(program_of(ends, *given["a"].shape), given, {}, contract("any"))


@pytest.mark.parametrize("columns", [5, 17])
@pytest.mark.parametrize("ends", ENDS, ids="".join)
def test_one_pass_gives_what_the_definition_gives(
    ends: tuple[str, str, str], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, taken = recurrences.split_fading, []
    monkeypatch.setattr(error_analysis, "split_fading", lambda *given: taken.append(split(*given)) or taken[-1])
    rng = np.random.default_rng(1)
    given = {name: rng.standard_normal((3, columns)).astype(np.float32).astype(np.float64) for name in "ab"}
    for special in (None, np.nan, 0.0):
        if special is not None:
            given["a"][1, columns // 2] = special
        (fast,) = enclosed(ends, given, 0, monkeypatch).results.values()
        if columns > 5:
            assert any(each is not None for each in taken), "made by its definition"
        (slow,) = enclosed(ends, given, 1 << 62, monkeypatch).results.values()
        np.testing.assert_allclose(fast.value, slow.value, 1e-12, 1e-14)
        known = np.isfinite(slow.value)
        assert np.array_equal(np.isnan(fast.low), ~known)
        assert np.all((fast.low[known] <= fast.value[known]) & (fast.value[known] <= fast.high[known]))
        width, wide = (each.high[known] - each.low[known] for each in (fast, slow))
        assert np.all(width <= 1.01 * wide + 1e-12)
        assert np.all(width[wide > 0] > 0), "a place has as many factors as lie between, where a definition counts the row"


def test_a_long_one_is_judged_in_seconds_and_holds_what_steps_and_maps_give() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(-1.02, 1.0, (2, 1 << 14)).astype(np.float32), rng.standard_normal((2, 1 << 14)).astype(np.float32)
    given = {"a": a.astype(np.float64), "b": b.astype(np.float64)}
    found = enclose(program_of(ENDS[0], *a.shape), given, {}, contract("any"))["y"]
    state, steps = np.zeros(2, np.float32), np.empty_like(b)
    for n in range(a.shape[1]):
        state = steps[:, n] = a[:, n] * state + np.exp(b[:, n])
    by, plus, distance = a.copy(), np.exp(b), 1
    while distance < a.shape[1]:
        plus[:, distance:] = by[:, distance:] * plus[:, :-distance] + plus[:, distance:]
        by[:, distance:] = by[:, distance:] * by[:, :-distance]
        distance *= 2
    for each in (steps, plus):
        assert np.all((found.low <= each) & (each <= found.high))
    assert not np.all((found.low <= steps * np.float32(1.001)) & (steps * np.float32(1.001) <= found.high))
