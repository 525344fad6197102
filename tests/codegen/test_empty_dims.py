"""Over an empty index anything can be proven: nothing that a proof about it allows may run."""

from __future__ import annotations

import pytest
from middle import lowered, run

from uol.codegen.specs.nodes import Map

REDUCTION_INSIDE = """op f(x: T[M], e: T[N]) -> (y: T[N]) for T in (f32, f64) {
  y[n] = e[n] + sum[m < M](x[m + 5 + n] else 0)
}"""
ELSEWHERE = """op f(x: T[M], e: T[N]) -> (y: T[N]) for T in (f32, f64) {
  y[n] = e[n] + sum[m < M](x[m + 5] else 0)
}"""
RAGGED = """op f(x: T[M], q: i32[N]) -> (y: T[N]) for T in (f32, f64) { y[n] = sum[j < q[n]](x[j]) }"""
RUNNING = """op f(x: T[M], e: T[N]) -> (y: T[N]) for T in (f32, f64) { y[n] = e[n] + sum[j < n](x[j]) }"""
PRODUCT = """op f(x: T[M, K], w: T[N, K]) -> (y: T[M, N]) for T in (f32, f64) {
  y[m, n] = sum[k](x[m + 9, k] * w[n, k])
}"""


@pytest.mark.parametrize("text", [REDUCTION_INSIDE, ELSEWHERE, RAGGED, RUNNING])
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_reduction_within_an_empty_statement(text: str, size: int) -> None:
    run(text, dims={"N": size, "M": 3}, types={"T": "f64"})


def test_a_bound_is_not_wider_than_its_dim_in_an_empty_statement() -> None:
    (spec,) = lowered(RAGGED, dims={"N": 0, "M": 3}).specs
    assert [a.extent.value for a in spec.axes] == [0, 3]


def test_an_extent_is_never_negative() -> None:
    assert all(a.extent.value >= 0 for spec in lowered(RUNNING, dims={"N": 0, "M": 3}).specs for a in spec.axes)


def test_a_contraction_without_a_result_touches_no_operand() -> None:
    (spec,) = lowered(PRODUCT, dims={"M": 2, "N": 0, "K": 3}).specs
    assert isinstance(spec, Map)
    run(PRODUCT, dims={"M": 2, "N": 0, "K": 3}, types={"T": "f64"})
