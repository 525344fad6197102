"""Literals of narrow and unsigned types, and accesses through data, on the CPU."""

from __future__ import annotations

import numpy as np

from uol.compiler import compile as compile_for
from uol.conformance.storage import decode
from uol.ir import parse


def run(text: str, dims: dict[str, int], dtype: str = "f32", **arrays: np.ndarray) -> np.ndarray:
    (op,) = parse(text)
    compiled = compile_for(op, "cpu", dtype, dims)
    return compiled.run(arrays)["y"]


def test_a_literal_is_rounded_to_the_type_that_it_has() -> None:
    text = "op literal_of_a_type(x: T[N]) -> (y: T[N]) for T in (f32, bf16) { y[n] = T(log(1 + sqrt(3))) }"
    found = run(text, {"N": 3}, "bf16", x=np.zeros(3, np.uint16))
    assert decode(found, "bf16").tolist() == [1.0078125] * 3


def test_literals_of_unsigned_types_wrap() -> None:
    text = "op negative_literal(x: u8[N]) -> (y: u8[N]) { y[n] = max(x[n], 0) + select(x[n] > 2, -u8(4), u8(2) - u8(3)) }"
    assert run(text, {"N": 2}, x=np.array([0, 3], np.uint8)).tolist() == [255, 255]


def test_an_index_wraps_where_it_becomes_a_short_integer() -> None:
    """The last index of 257 stands outside of the vector loop, as a literal."""
    text = "op short_index(x: f32[N]) -> (y: i8[N]) { y[n] = i8(n) + i8(u8(n)) + i8(i32(n * 1000)) }"
    n = np.arange(257)
    wanted = n.astype(np.int8) + n.astype(np.int8) + (n * 1000).astype(np.int8)
    assert run(text, {"N": 257}, x=np.zeros(257, np.float32)).tolist() == wanted.tolist()


def test_axes_join_beside_accesses_through_data() -> None:
    text = """op beside_data(x: f32[N, M], at: i32[K], v: f32[K]) -> (y: f32[N, M]) {
      y[n, m] = x[n, m] + (v[at[at[0] else 0] else 0] else 7)
    }"""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = run(text, {"N": 2, "M": 3, "K": 4}, x=x, at=np.array([1, 3, 0, 0], np.int32), v=np.array([0, 1, 2, 9], np.float32))
    np.testing.assert_array_equal(found, x + 9)
