"""Literals of narrow and unsigned types, and accesses through data, on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.cpu.oracle import oracle
from uol.compiler import compile as compile_for
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.program.dtype_encoding import STORAGE, decode
from uol.ir.types import integer_range


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


WRAPPING = """op wrapping(a: T[N], b: T[N]) -> (y: bool[N], z: T[N], w: bool[N], u: T[N], v: T[N], p: T[N], s: T[], q: T[])
    for T in (i32, i64, i8) {
  y[n] = a[n] + 1 > a[n]
  z[n] = abs(a[n])
  w[n] = abs(a[n]) >= 0 and -a[n] != a[n]
  u[n] = a[n]*2 / 2
  v[n] = max(a[n] + b[n], a[n]) - a[n]
  p[n] = a[n] * b[n] - b[n]
  s[] = T(sum[n](acc(a[n] + b[n])))
  q[] = T(prod[n](acc(a[n] - 3)))
}"""


@pytest.mark.parametrize("dtype", ["i32", "i64", "i8"])
def test_integers_wrap_and_nothing_is_concluded_from_their_not_doing_so(dtype: str) -> None:
    (op,) = parse(WRAPPING)
    low, high = integer_range(dtype)
    a = np.array([high, low, 5, high // 2 + 1, high, low, 0, high, -7, 2**30 % high, -1, low] * 3)
    b = np.array([1, 1, 1, 1, 1, -1, 2, high, low, high // 3, low, low] * 3)
    arrays = {"a": a.astype(STORAGE[dtype]), "b": b.astype(STORAGE[dtype])}
    program = instantiate(op, Library(), types={"T": dtype}, dims={"N": 36})
    compiled = compile_for(op, "cpu", dtype, {"N": 36})
    kernels, plain = compiled.run(arrays), oracle.run(compiled.module.graph, arrays)
    for name, golden in interpret(program, {"a": a, "b": b}).items():
        np.testing.assert_array_equal(kernels[name], golden, name)
        np.testing.assert_array_equal(plain[name], golden, name)


def test_axes_join_beside_accesses_through_data() -> None:
    text = """op beside_data(x: f32[N, M], at: i32[K], v: f32[K]) -> (y: f32[N, M]) {
      y[n, m] = x[n, m] + (v[at[at[0] else 0] else 0] else 7)
    }"""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = run(text, {"N": 2, "M": 3, "K": 4}, x=x, at=np.array([1, 3, 0, 0], np.int32), v=np.array([0, 1, 2, 9], np.float32))
    np.testing.assert_array_equal(found, x + 9)
