"""Scatters in one order: sums over the runs of sorted places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from before_after import agree
from middle import lowered, program_of, run

from uol.codegen.program import sums_in_order as module
from uol.codegen.program.sums_in_order import sums_in_order
from uol.codegen.specs.nodes import Reduce, Select
from uol.codegen.specs.runs import run_of

FLOATS = frozenset({"f32"})
SCATTER = "op f(x: f32[N, D], at: i64[N]; M: int) -> (y: f32[M, D]) where M > 0 { y[at[n], d] += x[n, d] }"
ROWS = "op f(x: f32[R, A, B], at: i64[R, A, B]; M: int) -> (y: f32[R, M]) where M > 0 { y[r, at[r, a, b]] += x[r, a, b] }"
PAIRS = """op f(x: f32[N, D], at: i64[N], to: i32[N]; M: int) -> (y: f32[M, D, M]) where M > 0 {
  y[at[n], d, to[n] + 1] += 2 * x[n, d]
}"""
COUNTED = "op f(x: f32[N]; M: int) -> (y: f32[N / 2 + M]) where M > 0 { y[n / 2] += x[n] }"
PROMISED = SCATTER.replace("where M > 0", "where M > 0, sorted(at)")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 2)


def test_places_are_sorted_and_every_element_sums_its_run() -> None:
    program = program_of(SCATTER, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2})
    agree(
        sums_in_order(program, FLOATS),
        """
        line 2   y_key[n]: i32 = select(idx(at[n]) >= 0, select(idx(at[n]) < 2, i32(idx(at[n])), i32(2)), i32(2))
        line 2   y_from[y_term]: i32 = the y_element of the y_term-th smallest y_key[y_element]
        line 2   y_run[y_term]: i32 = y_key[idx(y_from[y_term])]
        line 2   y[y_i0, d]: f32 = sum[y_term, idx(y_run[y_term]) == y_i0](x[idx(y_from[y_term]), d])
        """,
    )
    assert sums_in_order(program, FLOATS).sorted == ("y_run",)


def test_rows_have_orders_of_their_own_and_terms_one_number() -> None:
    program = program_of(ROWS, types={}, dims={"R": 2, "A": 3, "B": 5}, attrs={"M": 4})
    *_, order, run_, whole = sums_in_order(program, FLOATS).stages
    assert [axis.name for axis in order.axes] == ["r", "y_term"]
    assert [axis.name for axis in run_.axes] == ["r", "y_term"]
    assert [axis.name for axis in whole.axes] == ["r", "y_i1"]


def test_what_is_added_at_once_or_to_few_stays() -> None:
    program = program_of(SCATTER, types={}, dims={"N": 2, "D": 3}, attrs={"M": 2})
    assert sums_in_order(program, FLOATS) is program
    assert sums_in_order(program_of(SCATTER, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2}), frozenset({"f64"})).sorted == ()


@pytest.mark.parametrize(
    ("text", "dims"),
    [(SCATTER, {"N": 9, "D": 2}), (ROWS, {"R": 2, "A": 3, "B": 4}), (PAIRS, {"N": 8, "D": 2}), (COUNTED, {"N": 7})],
)
def test_they_mean_what_the_text_means(text: str, dims: dict[str, int]) -> None:
    """Places beyond both ends, and several terms for one, among them."""
    run(text, kinds=frozenset({Select}), dims=dims, types={}, attrs={"M": 3})


def test_places_that_are_promised_to_ascend_are_not_sorted() -> None:
    at = [-2, 0, 0, 0, 2, 2, 3, 3, 9]
    run(PROMISED, {"at": at}, kinds=frozenset({Select}), dims={"N": 9, "D": 2}, types={}, attrs={"M": 4})
    program = program_of(PROMISED, types={}, dims={"N": 9, "D": 3}, attrs={"M": 2})
    agree(
        sums_in_order(program, FLOATS),
        """
        line 2   y[y_i0, d]: f32 = sum[n, idx(at[n]) == y_i0](x[n, d])
        """,
    )


def test_terms_of_which_more_is_asked_are_sorted() -> None:
    """A place along a second dim, which may be none."""
    text = """op f(x: f32[N], at: i64[N], to: i64[N]; M: int) -> (y: f32[M, M]) where M > 0, sorted(at) {
      y[at[n], to[n]] += x[n]
    }"""
    given: dict[str, Any] = {"dims": {"N": 9}, "types": {}, "attrs": {"M": 4}}
    assert len(sums_in_order(program_of(text, **given), FLOATS).stages) == 4
    run(text, {"at": [-2, 0, 0, 0, 2, 2, 3, 3, 9]}, kinds=frozenset({Select}), **given)


def test_a_sum_over_keys_that_ascend_is_over_a_run() -> None:
    (spec,) = lowered(PROMISED, kinds=frozenset({Select}), dims={"N": 9, "D": 2}, types={}, attrs={"M": 3}).specs
    assert isinstance(spec, Reduce)
    found = run_of(spec)
    assert found is not None
    assert found.keys.tensor == "at"
    agree(
        found.without_condition(spec),
        """
        Reduce f: rows y_i0 < 3, d < 2; cols n < 9; at ascending
          line 2   y_value = sum over n of x[n * 2 + d]
          line 2   y[y_i0 * 2 + d] = y_value
        """,
    )
    assert run_of(replace(spec, ascending=())) is None
