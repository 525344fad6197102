"""What goes over a few places beside rows is written out, and is of the kernel that goes over the rows."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import lowered, program_of, run

from uol.codegen.program.few_terms import few_terms
from uol.codegen.program.isolate_reductions import hoist_reductions
from uol.codegen.program.small_orders import small_orders
from uol.codegen.specs.nodes import Map, Reduce, Scatter, Select

KINDS = frozenset({Scatter, Select})
DOT = """op f(x: f32[N, C], p: f32[N, K], at: i64[N, K]) -> (y: f32[N, C]) {
  total[n] = sum[c](x[n, c])
  dot[n] = sum[k](p[n, k] * p[n, k])
  y[n, c] = x[n, c] / total[n] + dot[n] * sum[k](select(at[n, k] == c, p[n, k], 0))
}"""
WEIGHTS = """op f(x: f32[N, C]; top: int) -> (w: f32[N, top], at: i64[N, top]) where top >= 1, C >= top {
  (best[n, k], at[n, k]) = topk[c](x[n, c], top)
  e[n, k] = exp(best[n, k] - best[n, 0])
  w[n, k] = e[n, k] / sum[j](e[n, j])
}"""
LOADS = """op f(x: f32[N, C], at: i32[N, K]) -> (y: f32[C]) {
  counts[at[n, k]] += f32(1)
  y[c] = counts[c] * sum[n](x[n, c])
}"""
PRODUCT = """op f(x: f32[N, C], a: f32[N, K], b: f32[C, K]) -> (y: f32[N, C], z: f32[N]) {
  y[n, c] = sum[k](a[n, k] * b[c, k])
  z[n] = sum[c](x[n, c])
}"""
DIMS = {"N": 5, "C": 16, "K": 3}


def test_sums_of_few_terms() -> None:
    agree(
        few_terms(hoist_reductions(program_of(DOT, types={}, dims={**DIMS, "K": 2}))),
        """
        line 2   total[n]: f32 = sum[c](x[n, c])
        line 3   dot[n]: f32 = p[n, 0] * p[n, 0] + p[n, 1] * p[n, 1]
        line 4   y_sum[n, c]: f32 = select(idx(at[n, 0]) == c, p[n, 0], 0) + select(idx(at[n, 1]) == c, p[n, 1], 0)
        line 4   y[n, c]: f32 = x[n, c] / total[n] + dot[n] * y_sum[n, c]
        """,
    )


def test_results_of_few_places() -> None:
    agree(
        few_terms(hoist_reductions(small_orders(program_of(WEIGHTS, types={}, dims={"N": 5, "C": 16}, attrs={"top": 2})))),
        """
        line 2   at_0[n]: i32 = argmax[c](x[n, c])
        line 2   at_1[n]: i32 = argmax[c, c != idx(at_0[n])](x[n, c])
        line 2   at[n, 0]: i64 = i64(at_0[n]) over n
        line 2   at[n, 1]: i64 = i64(at_1[n]) over n
        line 2   best_0[n]: f32 = x[n, idx(at_0[n])]
        line 3   e_0[n]: f32 = exp(best_0[n] - best_0[n])
        line 2   best_1[n]: f32 = x[n, idx(at_1[n])]
        line 3   e_1[n]: f32 = exp(best_1[n] - best_0[n])
        line 4   w_sum[n]: f32 = e_0[n] + e_1[n]
        line 4   w[n, 0]: f32 = e_0[n] / w_sum[n] over n
        line 4   w[n, 1]: f32 = e_1[n] / w_sum[n] over n
        """,
    )


def test_points_that_few_places_of_a_row_have_are_looked_for() -> None:
    agree(
        few_terms(hoist_reductions(program_of(LOADS, types={}, dims={**DIMS, "N": 12, "K": 2}))),
        """
        line 2   counts[c]: f32 = sum[n](select(idx(at[n, 0]) == c, 1, 0) + select(idx(at[n, 1]) == c, 1, 0))
        line 3   y_sum[c]: f32 = sum[n](x[n, c])
        line 3   y[c]: f32 = counts[c] * y_sum[c]
        """,
    )


@pytest.mark.parametrize(("text", "dims"), [(PRODUCT, DIMS), (DOT, {**DIMS, "K": 9}), (LOADS, DIMS), (DOT, {**DIMS, "C": 8})])
def test_products_many_terms_and_rows_of_few_stay(text: str, dims: dict[str, int]) -> None:
    program = hoist_reductions(program_of(text, types={}, dims=dims))
    assert few_terms(program) == program


@pytest.mark.parametrize(("text", "attrs"), [(DOT, {}), (WEIGHTS, {"top": 4}), (LOADS, {})])
def test_values(text: str, attrs: dict[str, int]) -> None:
    at = np.random.default_rng(1).integers(-1, 17, (12, 3))
    given = {} if attrs else {"at": at}
    dims = {name: size for name, size in {**DIMS, "N": 12}.items() if name != "K" or not attrs}
    run(text, given, kinds=KINDS, puts=True, types={}, dims=dims, attrs=attrs)


@pytest.mark.parametrize(("text", "attrs"), [(DOT, {}), (WEIGHTS, {"top": 4}), (LOADS, {})])
def test_one_kernel_goes_over_the_rows(text: str, attrs: dict[str, int]) -> None:
    dims = {name: size for name, size in {**DIMS, "N": 12}.items() if name != "K" or not attrs}
    graph = lowered(text, kinds=KINDS, puts=True, types={}, dims=dims, attrs=attrs)
    assert [type(spec) for spec in graph.specs] == [Reduce]


def test_a_machine_that_stores_at_no_places_of_data_keeps_its_kernels() -> None:
    graph = lowered(WEIGHTS, types={}, dims={"N": 12, "C": 16}, attrs={"top": 4})
    assert Map in map(type, graph.specs)
