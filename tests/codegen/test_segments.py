"""Contractions whose rows or terms belong to segments by a sorted key: recognised, and right at every point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from middle import lowered, run
from spec_interpreter import EVERY_KIND

from uol.codegen.contractions import segment_bounds as bounds
from uol.codegen.specs.nodes import Contract, KernelSpec, Map, Scatter

ROWS = """op product(x: T[N, D], src: i64[M], key: i64[M], w: T[E, F, D]) -> (y: T[M, F]) for T in (f64, f32, f16)
    where sorted(key) {
  y[m, f] = T(max(sum[d](acc(x[src[m], d] else 0) * acc(w[key[m], f, d] else 0)), 0))
}"""
TERMS = """op product(x: T[M, F], z: T[N, D], src: i32[M], key: i32[M]; E: int) -> (y: T[E, F, D]) for T in (f64, f32, f16)
    where E > 0, sorted(key) {
  s[key[m], f, d] += acc(x[m, f]) * acc(z[src[m], d] else 0)
  y[e, f, d] = T(s[e, f, d] * 2)
}"""
BOTH = """op product(dy: T[M, F], key: i64[M], src: i64[M], w: T[E, F, D]; N: int) -> (dx: T[N, D]) for T in (f64, f32)
    where N > 0, sorted(key) {
  dx[src[m], d] += dy[m, f] * w[key[m], f, d] else 0
}"""
SIZES = [dict(N=4, D=3, M=7, E=3, F=5), dict(N=1, D=1, M=1, E=1, F=1), dict(N=2, D=0, M=3, E=2, F=2),
         dict(N=2, D=2, M=0, E=2, F=2), dict(N=2, D=2, M=4, E=5, F=0)]  # fmt: skip


def keys(count: int, segments: int, *, outside: bool = True) -> np.ndarray:
    """Ascending, some of them outside of the segments."""
    low, high = (-1, segments + 1) if outside else (0, segments)
    return np.sort(np.random.default_rng(count).integers(low, high, count))


def segments_of(text: str, **given: object) -> list[tuple[type[KernelSpec], str]]:
    specs = lowered(text, kinds=EVERY_KIND, **given).specs  # type: ignore[arg-type]
    return [(type(s), s.segments.over if isinstance(s, Contract) and s.segments else "") for s in specs]


@pytest.mark.parametrize("text", [ROWS, TERMS, BOTH], ids=["rows", "terms", "both"])
@pytest.mark.parametrize("kinds", [frozenset(), EVERY_KIND], ids=["plain", "native"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_segments_are_right(text: str, sizes: dict[str, int], kinds: frozenset[type[KernelSpec]]) -> None:
    own = {n: s for n, s in sizes.items() if n in text.partition("->")[0]}
    attrs = {n: own.pop(n) for n in ("E", "N") if f"{n}: int" in text}
    inputs = {"key": keys(sizes["M"], sizes["E"]), "src": np.random.default_rng(1).integers(-1, sizes["N"] + 1, sizes["M"])}
    run(text, inputs, dims=own, attrs=attrs, kinds=kinds)


def test_rows_and_terms_are_contractions() -> None:
    rows = dict(N=4, D=3, M=7, E=3, F=5)
    assert segments_of(ROWS, dims=rows) == [(Contract, "rows")]
    assert segments_of(TERMS, dims=dict(N=4, D=3, M=7, F=5), attrs={"E": 3}) == [(Contract, "terms")]
    # The sum over f is a product of groups, and what it gives is scattered; before, every product of it was.
    assert segments_of(BOTH, dims=dict(D=3, M=7, E=3, F=5), attrs={"N": 4}) == [(Contract, "rows"), (Scatter, "")]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (ROWS.replace("where sorted(key)", ""), "not sorted"),
        (ROWS.replace("key[m]", "src[m]"), "sorted, but not what it is read by"),
        (ROWS.replace("w[key[m], f, d]", "w[key[m], (f + m) % F, d]"), "w varies over rows"),
    ],
)
def test_other_sums_are_not(text: str, kept: str) -> None:
    found = segments_of(text, dims=dict(N=4, D=3, M=7, E=3, F=5))
    assert all(mode == "" for _, mode in found), kept


def test_terms_of_no_product_stay_a_scatter() -> None:
    text = "op f(x: f32[M, D], key: i64[M]; E: int) -> (y: f32[E, D]) where E > 0, sorted(key) { y[key[m], d] += x[m, d] }"
    assert segments_of(text, types={}, dims=dict(M=5, D=3), attrs={"E": 2})[0][0] is Scatter


def test_nothing_to_sum_is_a_map() -> None:
    assert segments_of(ROWS, dims=dict(N=2, D=2, M=0, E=2, F=2))[0][0] is Map


@pytest.mark.parametrize("order", [[2, 0, 1, 0], [1, 1, 0, 0]], ids=str)
def test_rows_are_right_in_any_order_of_the_keys(order: Sequence[int]) -> None:
    run(ROWS, {"key": np.array(order), "src": np.zeros(4, int)}, dims=dict(N=1, D=3, M=4, E=3, F=2), kinds=EVERY_KIND)


def test_bounds_that_several_products_ask_for_are_looked_for_once() -> None:
    """Of one key: two products by rows and one over terms. Of another key they are others."""
    graph = lowered(
        """op products(x: T[M, D], key: i64[M], other: i64[M], a: T[E, F, D], b: T[E, F, D])
    -> (y: T[M, F], z: T[M, F], u: T[M, F], t: T[E, D, F]) for T in (f64, f32) where sorted(key), sorted(other) {
  y[m, f] = sum[d](x[m, d] * a[key[m], f, d] else 0)
  z[m, f] = sum[d](x[m, d] * b[key[m], f, d] else 0)
  u[m, f] = sum[d](x[m, d] * b[other[m], f, d] else 0)
  s[key[m], d, f] += x[m, d] * y[m, f]
  t[e, d, f] = s[e, d, f]
}""",
        dims=dict(M=9, D=3, E=4, F=5),
        kinds=EVERY_KIND,
    )
    bounded: list[KernelSpec] = []
    for spec in graph.specs:
        count = bounds.segments_of(spec) if isinstance(spec, Contract) else None
        bounded += bounds.with_bounds(spec, count) if isinstance(spec, Contract) and count is not None else (spec,)
    shared = bounds.with_shared_bounds(bounded)
    searches = [spec.name for spec in shared if isinstance(spec, Map)]
    assert len(shared) == len(bounded) - 2 and len(searches) == 2
    used = {spec.name: spec.segments.bounds for spec in shared if isinstance(spec, Contract) and spec.segments is not None}
    assert list(used.values()) == [searches[0], searches[0], searches[1], searches[0]]
    for spec in shared:
        if isinstance(spec, Contract) and spec.segments is not None:
            assert [arg.name for arg in spec.args if arg.dtype == "i64"][1:] == [spec.segments.bounds]
