"""Truth values in order, and casts to bool, against numpy."""

import numpy as np
import pytest

from uol.ir import Library, instantiate, interpret, parse

TEXT = """
op compared(a: bool[N], b: bool[N]) -> (lt: bool[N], le: bool[N], gt: bool[N], ge: bool[N], eq: bool[N], ne: bool[N]) {
  lt[n] = a[n] < b[n]
  le[n] = a[n] <= b[n]
  gt[n] = a[n] > b[n]
  ge[n] = a[n] >= b[n]
  eq[n] = a[n] == b[n]
  ne[n] = a[n] != b[n]
}
op extrema(a: bool[N], b: bool[N]) -> (greater: bool[N], lesser: bool[N]) {
  greater[n] = max(a[n], b[n])
  lesser[n]  = min(a[n], b[n])
}
op reduced(a: bool[N, M]) -> (greatest: bool[N], least: bool[N]) {
  greatest[n] = max[m](a[n, m])
  least[n]    = min[m](a[n, m])
}
op truth(x: T[N]) -> (y: bool[N]) for T in (f32, i32) { y[n] = bool(x[n]) }
op sorted_pair(a: bool[N], b: bool[N]) -> (y: bool[N]) { y[n] = a[n] <= false or max(b[n], true) }
"""
LIBRARY = Library(parse(TEXT, "truth.uol"))
A, B = np.array([False, False, True, True]), np.array([False, True, False, True])


def results(name: str, types: dict[str, str] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    op = LIBRARY.get(name)
    dims = dict(zip("NM", next(iter(inputs.values())).shape, strict=False))
    return interpret(instantiate(op, LIBRARY, types=types or {}, ranks={}, dims=dims, attrs={}), inputs, {})


def test_comparisons_put_false_before_true() -> None:
    wanted = {"lt": A < B, "le": A <= B, "gt": A > B, "ge": A >= B, "eq": A == B, "ne": A != B}
    found = results("compared", a=A, b=B)
    assert {name: list(values) for name, values in found.items()} == {name: list(values) for name, values in wanted.items()}


def test_the_greater_truth_value_is_true() -> None:
    found = results("extrema", a=A, b=B)
    assert list(found["greater"]) == list(np.maximum(A, B))
    assert list(found["lesser"]) == list(np.minimum(A, B))


def test_a_literal_compares_in_order() -> None:
    assert list(results("sorted_pair", a=A, b=B)["y"]) == [True] * 4


@pytest.mark.parametrize("width", [0, 1, 3])
def test_extrema_of_rows_begin_with_the_least_and_the_greatest_value(width: int) -> None:
    a = np.random.default_rng(width).random((5, width)) < 0.5
    found = results("reduced", a=a)
    assert list(found["greatest"]) == list(a.max(-1, initial=False))
    assert list(found["least"]) == list(a.min(-1, initial=True))


def test_a_number_is_true_unless_it_is_zero() -> None:
    x = np.array([0.0, -0.0, 1.0, -3.5, np.nan, np.inf, 1e-40])
    assert list(results("truth", {"T": "f32"}, x=x)["y"]) == list(x.astype(bool))
    whole = np.array([0, 1, -1, 2**31 - 1])
    assert list(results("truth", {"T": "i32"}, x=whole)["y"]) == list(whole.astype(bool))
