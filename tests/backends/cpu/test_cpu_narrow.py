"""f16, bf16 and f8: widening of every bit pattern, rounding of every kind of f32, in the oracle and in kernels."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_cases import graph_of, program_of, run_compiled

from uol.backends.cpu.oracle import oracle
from uol.ir.program.rounding import round_to

NARROW = ["f16", "bf16", "f8e4m3", "f8e5m2"]
WIDEN = (
    "op widen(x: T[N]) -> (y: f32[N], z: f64[N]) for T in (f16, bf16, f8e4m3, f8e5m2) { y[n] = f32(x[n])  z[n] = f64(x[n]) }"
)
NARROWING = "op narrow(x: S[N]) -> (y: T[N]) for S in (f32, f64), T in (f16, bf16, f8e4m3, f8e5m2) { y[n] = T(x[n]) }"


def every_pattern(dtype: str) -> np.ndarray:
    if dtype.startswith("f8"):
        return np.arange(256, dtype=np.uint8)
    patterns = np.arange(65536, dtype=np.uint16)
    return patterns.view(np.float16) if dtype == "f16" else patterns


def meaning(patterns: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers that bit patterns stand for, from the formats' definitions."""
    if dtype == "f16":
        return patterns.astype(np.float64)
    digits, bias = {"bf16": (7, 127), "f8e4m3": (3, 7), "f8e5m2": (2, 15)}[dtype]
    bits = patterns.astype(np.int64)
    width = 8 * patterns.itemsize
    sign, rest = np.where(bits >> (width - 1), -1.0, 1.0), bits & ((1 << (width - 1)) - 1)
    exponent, fraction = rest >> digits, (rest & ((1 << digits) - 1)) / (1 << digits)
    value = np.where(exponent == 0, fraction * 2.0 ** (1 - bias), (1 + fraction) * 2.0 ** (exponent.astype(np.float64) - bias))
    top = (1 << (width - 1 - digits)) - 1
    if dtype == "f8e4m3":  # no infinities; one NaN
        return sign * np.where(rest == 0x7F, np.nan, value)
    return sign * np.where(exponent == top, np.where(fraction == 0, np.inf, np.nan), value)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_bit_pattern_widens(dtype: str) -> None:
    patterns = every_pattern(dtype)
    graph = graph_of(program_of(WIDEN, types={"T": dtype}, dims={"N": patterns.size}))
    for results in (run_compiled(graph, {"x": patterns}), oracle.run(graph, {"x": patterns})):
        for values in results.values():
            with np.errstate(invalid="ignore"):  # signalling NaNs
                np.testing.assert_array_equal(values.astype(np.float64), meaning(patterns, dtype))


def f32_samples() -> np.ndarray:
    """Patterns all over f32, and the ties and their neighbours of every narrow type."""
    patterns = np.random.default_rng(0).integers(0, 2**32, 50_000, dtype=np.uint64).astype(np.uint32)
    ties = (np.arange(0, 2**32, 2**15, dtype=np.uint64) + 2**14).astype(np.uint32)
    coarse = (np.arange(0, 2**32, 2**19, dtype=np.uint64)).astype(np.uint32)
    around = [ties - 1, ties, ties + 1, coarse - 1, coarse, coarse + 1]
    halves = np.arange(2**11, dtype=np.float32) * np.float32(2.0**-25)  # ties of the subnormal f16
    return np.concatenate([np.concatenate([patterns, *around]).view(np.float32), halves, -halves])


@pytest.mark.parametrize("source", ["f32", "f64"])
@pytest.mark.parametrize("target", NARROW)
def test_rounding_to_nearest_even(source: str, target: str) -> None:
    x = f32_samples()
    if source == "f64":  # beside the ties of f32 itself: rounding twice would show
        with np.errstate(invalid="ignore"):
            wide = x.astype(np.float64)
        x = np.concatenate([wide, wide * (1 + 2.0**-40), wide * (1 - 2.0**-40)])
    graph = graph_of(program_of(NARROWING, types={"S": source, "T": target}, dims={"N": x.size}))
    with np.errstate(invalid="ignore"):
        expected = round_to(x, target)
    for results in (run_compiled(graph, {"x": x}), oracle.run(graph, {"x": x})):
        np.testing.assert_array_equal(meaning(results["y"], target), expected)


def test_f16_arithmetic_rounds_after_every_operation() -> None:
    text = "op steps(x: f16[N], y: f16[N]) -> (z: f16[N]) { z[n] = x[n] * y[n] + x[n] / y[n] - sqrt(abs(x[n])) }"
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(2000).astype(np.float16) for _ in range(2))
    with np.errstate(over="ignore", divide="ignore"):
        expected = x * y + x / y - np.sqrt(np.abs(x))  # numpy's f16 rounds after every operation, too
    graph = graph_of(program_of(text, types={}, dims={"N": 2000}))
    for results in (run_compiled(graph, {"x": x, "y": y}), oracle.run(graph, {"x": x, "y": y})):
        np.testing.assert_array_equal(results["z"], expected)


@pytest.mark.parametrize("target", ["f8e4m3", "f8e5m2"])
def test_f8_of_other_types(target: str) -> None:
    text = """op cast8(h: f16[N], b: bf16[N], l: i64[N], i: i32[N]) -> (y: T[N], z: T[N], v: T[N], w: T[N])
        for T in (f8e4m3, f8e5m2) {
      y[n] = T(h[n])
      z[n] = T(b[n])
      v[n] = T(l[n])
      w[n] = T(i[n])
    }"""
    patterns = np.arange(65536, dtype=np.uint16)
    near = np.arange(65536) * 5 - 160_000  # ties and overflow of both types
    given = {"h": patterns.view(np.float16), "b": patterns, "l": near << np.arange(65536) % 3 * 20, "i": near.astype(np.int32)}
    graph = graph_of(program_of(text, types={"T": target}, dims={"N": 65536}))
    with np.errstate(invalid="ignore"):
        values = {
            "y": given["h"].astype(np.float64),
            "z": meaning(patterns, "bf16"),
            "v": given["l"].astype(np.float64),
            "w": near * 1.0,
        }
        for results in (run_compiled(graph, given), oracle.run(graph, given)):
            for name, value in values.items():
                np.testing.assert_array_equal(meaning(results[name], target), round_to(value, target))
