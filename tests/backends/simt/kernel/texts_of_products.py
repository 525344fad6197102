"""Texts whose last kernel is a product, for tests: plain, of rows in segments, and over terms in segments."""

from __future__ import annotations

PRODUCT = """op f(x: f16[M, D], w: f16[C, D], b: f16[C]) -> (y: f16[M, C]) {
  y[m, c] = f16(sum[d](acc(x[m, d]) * acc(w[c, d])) + acc(b[c]))
}"""
WHOLE_NUMBERS = "op f(x: i32[M, D], w: i32[C, D]) -> (y: i32[M, C]) { y[m, c] = sum[d](x[m, d] * w[c, d]) }"
ROWS = """op f(x: f32[M, D], key: i32[M], w: f32[E, C, D]) -> (y: f32[M, C]) where sorted(key) {
  y[m, c] = sum[d](x[m, d] * w[key[m], c, d] else 0)
}"""
TERMS = """op f(x: f32[M, D], z: f32[M, C], key: i32[M], scale: f32[E]) -> (y: f32[E, C, D]) where sorted(key) {
  a[key[m], c, d] += x[m, d] * z[m, c]
  y[e, c, d] = a[e, c, d] * scale[e]
}"""
PRODUCTS = {"plain": PRODUCT, "whole numbers": WHOLE_NUMBERS, "rows": ROWS, "terms": TERMS}
SIZES = {"M": 128, "D": 64, "C": 20}


def sizes_of(name: str) -> dict[str, int]:
    """Sizes for the dims of a text."""
    return {**SIZES, "E": 4} if name in ("rows", "terms") else SIZES
