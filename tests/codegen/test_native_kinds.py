"""Scans, scatters and orders: as kernels of their own kind for a machine that takes them, as reductions for any other.

Every lowering is run over all its points by the spec interpreter, against the golden value.
"""

from __future__ import annotations

import pytest
from middle import lowered, run
from spec_interpreter import EVERY_KIND

from uol.codegen.specs.nodes import KernelSpec, Map, Reduce, Scan, Scatter, Select

SCAN = "op f(x: T[N, M]) -> (y: T[N, M]) for T in (f64, f32, i32) {{ y[n, i] = {value} }}"
ADD = "op f(x: f32[N, D], at: i32[N]; S: int) -> (y: f32[S, D]) where S > 0 { y[at[n], d] += exp(x[n, d]) }"
TOPK = """op f(x: f32[N, D]; K: int) -> (v: f32[N, K], a: i32[N, K]) where K > 0, D >= K {
  (v[n, k], a[n, k]) = topk[d](x[n, d] * 2, K)
}"""
KINDS = pytest.mark.parametrize("kinds", [frozenset(), EVERY_KIND], ids=["plain", "native"])
SIZES = pytest.mark.parametrize("sizes", [(3, 5), (2, 1), (2, 0), (0, 3)])


def kinds_of(text: str, **given: object) -> list[type[KernelSpec]]:
    return [type(s) for s in lowered(text, kinds=EVERY_KIND, **given).specs]  # type: ignore[arg-type]


@KINDS
@SIZES
@pytest.mark.parametrize("bound", ["j <= i", "j < i", "j >= i", "j > i"])
@pytest.mark.parametrize("op", ["sum", "max", "prod"])
def test_a_bounded_reduction_is_right(op: str, bound: str, sizes: tuple[int, int], kinds: frozenset[type[KernelSpec]]) -> None:
    dims = dict(zip("NM", sizes, strict=True))
    run(SCAN.format(value=f"{op}[{bound}](x[n, j] * 2) + x[n, i]"), dims=dims, kinds=kinds)
    run(SCAN.format(value=f"{op}[{bound}](x[n, j])"), types={"T": "i32"}, dims=dims, kinds=kinds)


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("sum[j <= i](x[n, j] * 2) + x[n, i]", [Scan]),
        ("sum[j < i](x[n, j]) + max[j < i](x[n, j])", [Scan]),  # one pass for both
        ("sum[j < i](x[n, j]) + max[j <= i](x[n, j])", [Scan, Scan]),
        ("sum[j <= i](x[n, j] * x[n, i])", [Reduce]),  # not free of i
        ("sum[j > i - 2, j <= i](x[n, j])", [Reduce]),  # a window
        ("sum[j < i](x[n, j + 1])", [Scan]),  # the body at the last position would be out of range
    ],
)
def test_what_is_a_scan(value: str, kinds: list[type[KernelSpec]]) -> None:
    text = SCAN.format(value=value)
    assert kinds_of(text, dims={"N": 3, "M": 5}) == kinds
    run(text, dims={"N": 3, "M": 5}, kinds=EVERY_KIND)


def test_direction_and_ends_of_a_scan() -> None:
    for bound, reverse, exclusive in (("<=", False, False), ("<", False, True), (">=", True, False), (">", True, True)):
        (spec,) = lowered(SCAN.format(value=f"sum[j {bound} i](x[n, j])"), dims={"N": 3, "M": 5}, kinds=EVERY_KIND).specs
        assert isinstance(spec, Scan)
        assert (spec.along.name, spec.reverse, spec.exclusive) == ("i", reverse, exclusive)


def test_an_axis_that_is_scanned_may_be_any() -> None:
    text = "op f(x: T[M, N]) -> (y: T[M, N]) for T in (f32, f64) { e[i, n] = exp(x[i, n]) y[i, n] = sum[j <= i](e[j, n]) / 2 }"
    assert kinds_of(text, dims={"N": 3, "M": 5}) == [Scan]
    run(text, dims={"N": 3, "M": 5}, kinds=EVERY_KIND)


@KINDS
@pytest.mark.parametrize("at", [[0, 2, -1, 5, 2, 2, 3], [1, 1, 1], []])
def test_a_scatter_drops_what_lies_outside(at: list[int], kinds: frozenset[type[KernelSpec]]) -> None:
    run(ADD, {"at": at}, types={}, dims={"N": len(at), "D": 3}, attrs={"S": 4}, kinds=kinds)


def test_a_scatter_says_where_it_adds() -> None:
    (spec,) = lowered(ADD, types={}, dims={"N": 7, "D": 3}, attrs={"S": 4}, kinds=EVERY_KIND).specs
    assert isinstance(spec, Scatter)
    assert len(spec.guard) == 2
    assert getattr(spec.place[1], "name", "") == "d"


def test_a_scatter_of_reductions_and_one_that_is_read_on() -> None:
    text = """op f(x: f32[N, D], at: i32[N]) -> (y: f32[D]) {
      a[at[n]] += sum[d](x[n, d] * x[n, d])
      y[d] = a[d] + 1
    }"""
    assert kinds_of(text, types={}, dims={"N": 7, "D": 3}) == [Reduce, Scatter, Map]
    run(text, {"at": [0, 2, -1, 5, 2, 2, 1]}, types={}, dims={"N": 7, "D": 3}, kinds=EVERY_KIND)


@KINDS
def test_the_first_places_and_their_values(kinds: frozenset[type[KernelSpec]]) -> None:
    run(TOPK, types={}, dims={"N": 7, "D": 9}, attrs={"K": 4}, kinds=kinds)


def test_values_are_fetched_by_the_kernel_that_orders() -> None:
    assert kinds_of(TOPK, types={}, dims={"N": 7, "D": 9}, attrs={"K": 4}) == [Map, Select]


@KINDS
@pytest.mark.parametrize("sizes", [(4, 9), (4, 0), (0, 4), (1, 1)])
def test_sorts_along_any_axis(sizes: tuple[int, int], kinds: frozenset[type[KernelSpec]]) -> None:
    dims = dict(zip("ND", sizes, strict=True))
    run("op f(x: f32[N, D]) -> (v: f32[N, D]) { v[n, k] = sort[d](x[n, d]) }", types={}, dims=dims, kinds=kinds)
    run("op f(x: f32[D, N]) -> (v: i64[D, N]) { v[k, n] = argsort[d](x[d, n]) }", types={}, dims=dims, kinds=kinds)
