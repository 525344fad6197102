"""A product whose rows or terms choose by a sorted key is one contraction in segments."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.partition.grouped_contraction import as_segments

ROWS = """op product(x: T[M, D], g: i64[M], w: T[E, F, D]) -> (y: T[M, F]) for T in (f32) where sorted(g) {
  y[m, f] = sum[d](x[m, d] * (w[g[m], f, d] else 0))
}"""
TERMS = """op product(x: T[M, F], z: T[M, D], g: i32[M]; E: int) -> (y: T[E, F, D]) for T in (f32) where E > 0, sorted(g) {
  y[g[m], f, d] += x[m, f] * z[m, d]
}"""


def test_rows() -> None:
    program = program_of(ROWS, dims={"M": 4, "D": 3, "E": 2, "F": 5})
    agree(
        program,
        """
        line 2   y[m, f]: f32 = sum[d](x[m, d] * (w[idx(g[m]), f, d] if idx(g[m]) >= 0 and idx(g[m]) < 2 else 0))
        """,
    )
    agree(
        as_segments(program, frozenset({"rows"})),
        """
    line 2   y[m, f]: f32 = sum[d](x[m, d] * (w[g_of_m, f, d] if g_of_m >= 0 and g_of_m < 2 else 0)) where g_of_m = idx(g[m])
        """,
    )


def test_terms() -> None:
    program = program_of(TERMS, dims={"M": 4, "D": 3, "F": 5}, attrs={"E": 2})
    agree(
        program,
        """
        line 5   y[idx(g[m]), f, d]: f32 += x[m, f] * z[m, d] over m, f, d if idx(g[m]) >= 0 and idx(g[m]) < 2
        """,
    )
    agree(
        as_segments(program, frozenset({"terms"})),
        """
        line 5   y[g_segment, f, d]: f32 = sum[m](x[m, f] * z[m, d]) where idx(g[m]) == g_segment
        """,
    )
