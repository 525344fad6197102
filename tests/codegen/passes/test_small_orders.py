"""The first places of short rows become extrema, one after another."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import program_of, run

from uol.codegen.program.small_orders import small_orders
from uol.codegen.specs.nodes import Scatter, Select

TOP = """op f(x: T[N, C]; top: int) -> (y: T[N, top], at: i64[N, top]) for T in (f32, i32) where top >= 0, C >= top {
  (y[n, k], at[n, k]) = topk[c](x[n, c], top)
}"""
FIRST = """op f(x: T[N, C]) -> (at: i64[N, 2]) for T in (f32, i32) where C >= 2 {
  order[n, i] = argsort[c](x[n, c])
  at[n, k] = order[n, k + C - 2]
}"""
KINDS = frozenset({Scatter, Select})


def test_two_places() -> None:
    agree(
        small_orders(program_of(TOP, dims={"N": 3, "C": 9}, attrs={"top": 2})),
        """
        line 5   at_0[n]: i32 = argmax[c](x[n, c])
        line 5   at_1[n]: i32 = argmax[c, c != idx(at_0[n])](x[n, c])
        line 5   at[n, k]: i64 = i64(select(k == 0, at_0[n], at_1[n]))
        line 5   y[n, k]: f32 = x[n, idx(at[n, k])]
        """,
    )


@pytest.mark.parametrize(("text", "columns", "top"), [(TOP, 9, 9), (TOP, 8, 2), (TOP, 2048, 2), (TOP, 9, 0), (FIRST, 9, None)])
def test_many_places_long_rows_and_whole_orders_stay(text: str, columns: int, top: int | None) -> None:
    program = program_of(text, dims={"N": 3, "C": columns}, attrs={} if top is None else {"top": top})
    assert small_orders(program) == program


@pytest.mark.parametrize("dtype", ["f32", "i32"])
def test_values_with_ties_and_what_is_no_number(dtype: str) -> None:
    x = np.asarray([[1, 3, 3, 1, 3, -2, 0, 3, 2], [0] * 9, [5, 4, 3, 2, 1, 0, -1, -2, -3]])
    if dtype == "f32":
        sunk = [[-np.inf] * 8 + [1], [-np.inf] * 9]
        none = [[np.nan, 1, np.inf, np.nan, -np.inf, 0, 2, 0, 0], [0.0, -0.0, 0.0, 1, -1, np.nan, 3, 0, 1]]
        x = np.concatenate([x, sunk, none])
    run(TOP, {"x": x}, kinds=KINDS, puts=True, types={"T": dtype}, dims={"N": len(x), "C": 9}, attrs={"top": 4})
