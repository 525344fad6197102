"""Division of integers, and random bits, on the vector unit: exact for every value, in the checked twin."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import parse
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.program.threefry import random_bits

RNG = np.random.default_rng(0)
WORDS = np.array([0, -1, 1, 2**31, 2**32 - 1, 2**32, -(2**32), 2**63 - 1, -(2**63), *RNG.integers(-(2**63), 2**63, 200)])


def run(text: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    (op,) = parse(text)
    dims = {d.id: n for p in op.params for d, n in zip(p.dims, arrays[p.name].shape, strict=True)}
    found = execute(compile_for(op, "ascendc", None, dims).module, arrays)
    assert not found.findings
    return found.outputs


def floored(a: np.ndarray, b: np.ndarray | int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Quotient and remainder as the language has them, in wide integers, then wrapped."""
    a, b = a.astype(np.int64), np.asarray(b, np.int64)
    divisor = np.where(b == 0, 1, b)
    quotient = np.where(b == 0, 0, a // divisor)
    return quotient.astype(STORAGE[dtype]), np.where(b == 0, 0, a - divisor * (a // divisor)).astype(STORAGE[dtype])


def dividends(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of anything, of limits, of multiples and their neighbours."""
    low, high = np.iinfo(STORAGE[dtype]).min, np.iinfo(STORAGE[dtype]).max
    limits = np.array([low, low + 1, low // 2, -3, -2, -1, 0, 1, 2, 3, high // 2, high // 2 + 1, high - 1, high])
    limits = limits[limits >= low]
    a, b = (side.ravel() for side in np.meshgrid(limits, limits))
    a = np.concatenate([a, RNG.integers(low, high, 2000, endpoint=True)])
    small, any_ = RNG.integers(max(low, -50), 50, 1000), RNG.integers(low, high, 1000, endpoint=True)
    b = np.concatenate([b, small, any_])
    near = a // np.where(b == 0, 1, b) * b + RNG.integers(-1, 2, len(a))
    pairs = np.concatenate([a, np.clip(near, low, high)]), np.concatenate([b, b])
    return pairs[0].astype(STORAGE[dtype]), pairs[1].astype(STORAGE[dtype])


@pytest.mark.parametrize("dtype", ["i32", "i16", "i8", "u8"])
def test_quotients_and_remainders(dtype: str) -> None:
    a, b = dividends(dtype)
    text = f"op f(a: {dtype}[N], b: {dtype}[N]) -> (q: {dtype}[N], r: {dtype}[N]) {{ q[n] = a[n] / b[n]  r[n] = a[n] % b[n] }}"
    found = run(text, a=a, b=b)
    quotient, rest = floored(a, b, dtype)
    np.testing.assert_array_equal(found["q"], quotient)
    np.testing.assert_array_equal(found["r"], rest)


@pytest.mark.parametrize("divisor", [1, 3, 8, 65537, 2**30, 2**30 + 1, 2**31 - 1, -3, -(2**31), 0])
def test_by_a_constant(divisor: int) -> None:
    a, _ = dividends("i32")
    found = run(f"op f(a: i32[N]) -> (q: i32[N], r: i32[N]) {{ q[n] = a[n] / {divisor}  r[n] = a[n] % {divisor} }}", a=a)
    quotient, rest = floored(a, divisor, "i32")
    np.testing.assert_array_equal(found["q"], quotient)
    np.testing.assert_array_equal(found["r"], rest)


def test_a_constant_by_lanes() -> None:
    _, b = dividends("i32")
    found = run("op f(b: i32[N]) -> (q: i32[N]) { q[n] = 1000003 / b[n] }", b=b)
    np.testing.assert_array_equal(found["q"], floored(np.full(b.shape, 1000003), b, "i32")[0])


def test_random_bits_of_counters_that_are_read() -> None:
    n = np.arange(len(WORDS))
    found = run("op f(a: i64[N]) -> (y: i32[N]) { y[n] = random_bits(-7, a[n]) }", a=WORDS)
    np.testing.assert_array_equal(found["y"], random_bits(np.array(-7), WORDS))
    short = WORDS.astype(np.int32)
    text = """op f(b: i32[N]) -> (y: i32[N], z: i32[N]) {
      y[n] = random_bits(-9223372036854775807, b[n])
      z[n] = random_bits(3, n / 3 - 9)
    }"""
    found = run(text, b=short)
    np.testing.assert_array_equal(found["y"], random_bits(np.array(-(2**63) + 1), short.astype(np.int64)))
    np.testing.assert_array_equal(found["z"], random_bits(np.array(3), n // 3 - 9))


def test_random_bits_of_one_number() -> None:
    """A literal counter, an attribute, an axis that is no lane; and a single value."""
    text = """op f(x: i32[N]; a: int) -> (y: i32[N], z: i32[N], s: i32[]) {
      y[n] = random_bits(1, -5000000000)
      z[n] = random_bits(a, a) + x[n]
      s[] = random_bits(4, 0)
    }"""
    (op,) = parse(text)
    for a in (-1, 2**40 + 3):
        compiled = compile_for(op, "ascendc", None, {"N": 70}, {"a": a})
        found = execute(compiled.module, {"x": np.zeros(70, np.int32)}, {"a": a})
        assert not found.findings
        assert (found.outputs["y"] == random_bits(np.array(1), np.array(-5000000000))).all()
        assert (found.outputs["z"] == random_bits(np.array(a), np.array(a))).all()
        assert found.outputs["s"] == random_bits(np.array(4), np.array(0))


def test_random_bits_of_seeds_that_are_read() -> None:
    """Counters beyond what f32 holds, several tiles, a seed a row."""
    text = "op f(s: i64[M], x: f32[M, N]) -> (y: i32[M, N]) { y[m, n] = random_bits(s[m], m * N + n + 2000000000) }"
    found = run(text, s=WORDS[:20], x=np.zeros((20, 300), np.float32))
    counter = np.arange(6000).reshape(20, 300) + 2_000_000_000
    np.testing.assert_array_equal(found["y"], random_bits(WORDS[:20, None], counter))
