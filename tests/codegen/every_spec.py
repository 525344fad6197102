"""A spec of every kind, small, with all that the kind may have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from middle import lowered
from middle_texts import LINEAR, NORM
from spec_interpreter import EVERY_KIND

from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.rewrites import as_reduce, pack_operand

KINDS = ("map", "reduce", "contract", "pack", "folds", "scan", "scatter", "select", "rows", "terms", "attention", "search")
SHIFT = "op shift(x: T[N]) -> (y: T[N]) for T in (f32, f16) { y[n] = T(acc(x[n - 2] else 0) * 2) }"
SCAN = "op scan(x: T[R, N]) -> (y: T[R, N]) for T in (f32, f16) { y[r, n] = T(sum[j <= n](acc(x[r, j]))) }"
SCATTER = """op scatter(x: T[N], at: i64[N]; M: int) -> (y: T[M]) for T in (f32, f16) where M > 0 {
  s[at[n]] += acc(x[n])
  y[m] = T(s[m])
}"""
TOP = "op top(x: T[N]) -> (y: i64[N]) for T in (f32, f16) { y[q] = argsort[n](x[n]) }"
ROWS = """op product(x: T[M, D], key: i64[M], w: T[E, F, D]) -> (y: T[M, F]) for T in (f32, f16) where sorted(key) {
  y[m, f] = T(sum[d](acc(x[m, d]) * acc(w[key[m], f, d] else 0)))
}"""
TERMS = """op product(x: T[M, F], z: T[M, D], key: i32[M]; E: int) -> (y: T[E, F, D]) for T in (f32, f16)
    where E > 0, sorted(key) {
  s[key[m], f, d] += acc(x[m, f]) * acc(z[m, d])
  y[e, f, d] = T(s[e, f, d])
}"""
SEARCH = """op ranks(x: T[N], keys: T[E]) -> (y: i32[N]) for T in (f32, f16) where sorted(keys) {
  y[n] = sum[e](i32(keys[e] <= x[n]))
}"""
ATTENTION = """op attend(q: T[L, D], k: T[M, D], v: T[M, E]) -> (y: T[L, E]) for T in (f32, f16) {
  s[i, j] = sum[d](acc(q[i, d]) * acc(k[j, d]))
  hi[i]   = max[j](s[i, j])
  p[i, j] = exp(s[i, j] - hi[i])
  z[i]    = sum[j](p[i, j])
  y[i, e] = T(sum[j](p[i, j] * acc(v[j, e])) / z[i])
}"""


@cache
def graph_of(name: str) -> KernelGraph:
    half = {"types": {"T": "f16"}, "kinds": EVERY_KIND}
    made: dict[str, Callable[[], KernelGraph]] = {
        "map": lambda: lowered(SHIFT, dims={"N": 8}, **half),
        "reduce": lambda: lowered(NORM, dims={"R": 3, "C": 8}, **half),
        "contract": lambda: lowered(LINEAR, dims={"M": 3, "K": 4, "N": 5}, **half),
        "scan": lambda: lowered(SCAN, dims={"R": 3, "N": 4}, **half),
        "scatter": lambda: lowered(SCATTER, dims={"N": 4}, attrs={"M": 3}, **half),
        "select": lambda: lowered(TOP, dims={"N": 4}, **half),
        "rows": lambda: lowered(ROWS, dims={"M": 4, "D": 3, "E": 2, "F": 5}, **half),
        "terms": lambda: lowered(TERMS, dims={"M": 4, "D": 3, "F": 5}, attrs={"E": 2}, **half),
        "search": lambda: lowered(SEARCH, dims={"N": 4, "E": 5}, **half),
        "attention": lambda: lowered(ATTENTION, dims={"L": 3, "M": 4, "D": 5, "E": 6}, **half),
    }
    return made[name]()


@cache
def spec_of(name: str) -> Any:
    """The first kernel of its graph; of the rest the operand packed, and the folds, of the contraction."""
    if name == "pack":
        return pack_operand(spec_of("contract"), "a", k_last=True, dtype="f16")[0]
    return as_reduce(spec_of("contract")) if name == "folds" else graph_of(name).specs[0]
