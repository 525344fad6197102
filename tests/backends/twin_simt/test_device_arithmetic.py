"""The header's conversions, casts and functions, as the twin runs them, against numpy and NVIDIA's own header."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from device_maps import Mapped, cuda_include, run_all
from numpy.typing import NDArray

from uol.backends.simt.c_text.types import STORAGE

Array = NDArray[np.generic]
RNG = np.random.default_rng(11)
PATTERNS = np.arange(65536, dtype=np.uint16)


def samples(bits: int, exponent: int) -> NDArray[np.float32]:
    """Floats around every value of a 16-bit format: itself, the midpoints to its neighbours, one bit to either side."""
    values = PATTERNS.astype(np.uint32) << 16 if exponent == 8 else PATTERNS.view(np.float16).astype(np.float32).view(np.uint32)
    half = np.uint32(1 << (22 - bits))
    around = [values, values + half, values + half - 1, values + half + 1, values - 1, values + 1]
    anything = RNG.integers(0, 2**32, 500_000, dtype=np.uint32)
    return np.concatenate([*around, anything]).astype(np.uint32).view(np.float32)


def nearest_bf16(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded to 8 significant bits, half to even, by its definition."""
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(x)[1] - 1, -126)
        quantum = np.ldexp(1.0, exponent - 7)
        rounded = np.rint(x / quantum) * quantum
        return np.where(np.isfinite(x), np.where(np.abs(rounded) >= 2.0**128, np.copysign(np.inf, x), rounded), x)


def bf16_value(bits: Array) -> NDArray[np.float64]:
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def same_values(got: Array, want: Array) -> bool:
    """Equal, NaN to NaN, and with equal signs of zero."""
    a, b = got.astype(np.float64), want.astype(np.float64)
    nan = np.isnan(b)
    c, d = a[~nan], b[~nan]
    return bool((np.isnan(a) == nan).all() and (c == d).all() and (np.signbit(c) == np.signbit(d)).all())


def test_half_conversions_are_exact() -> None:
    floats16, floats_bf = samples(10, 5), samples(7, 8)
    with np.errstate(invalid="ignore"):
        doubles = np.concatenate([floats16.astype(np.float64) * (1 + k * 2.0**-40) for k in (-1, 0, 1)])
    to_float, bf_to_float, from_float, bf_from_float, from_double, bf_from_double, round_trip = run_all(
        [
            Mapped("float(a)", "f16", "f32", PATTERNS.view(np.float16)),
            Mapped("float(a)", "bf16", "f32", PATTERNS),
            Mapped("uol::f16(a)", "f32", "f16", floats16),
            Mapped("uol::bf16(a)", "f32", "bf16", floats_bf),
            Mapped("uol::f16(a)", "f64", "f16", doubles),
            Mapped("uol::bf16(a)", "f64", "bf16", doubles),
            Mapped("uol::f16(float(a))", "f16", "f16", PATTERNS.view(np.float16)),
        ]
    )
    with np.errstate(all="ignore"):
        assert same_values(to_float, PATTERNS.view(np.float16))
        assert same_values(bf_to_float, bf16_value(PATTERNS))
        assert same_values(from_float, floats16.astype(np.float16))
        assert same_values(bf16_value(bf_from_float), nearest_bf16(floats_bf.astype(np.float64)))
        assert same_values(from_double, doubles.astype(np.float16))
        assert same_values(bf16_value(bf_from_double), nearest_bf16(doubles))
    finite = np.isfinite(PATTERNS.view(np.float16))
    assert np.array_equal(round_trip.view(np.uint16)[finite], PATTERNS[finite])


ORACLE = """
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdio>
#include <cstdlib>
#include <vector>
int main(int, char** argv) {
  std::vector<float> x(std::atol(argv[2]));
  if (std::fread(x.data(), 4, x.size(), std::fopen(argv[1], "rb")) != x.size()) return 1;
  for (float v : x) { const __half h = __float2half_rn(v); std::fwrite(&h, 2, 1, stdout); }
  for (float v : x) { const __nv_bfloat16 h = __float2bfloat16_rn(v); std::fwrite(&h, 2, 1, stdout); }
}
"""


def test_half_conversions_equal_those_of_cuda_fp16(tmp_path: Path) -> None:
    include = cuda_include()
    if include is None:
        pytest.skip("cuda_fp16.h is not installed")
    floats = np.concatenate([samples(10, 5), samples(7, 8)])
    floats.tofile(tmp_path / "floats")
    (tmp_path / "oracle.cpp").write_text(ORACLE)
    subprocess.run(["g++", "-O1", "-w", f"-I{include}", "oracle.cpp", "-o", "oracle"], cwd=tmp_path, check=True)
    result = subprocess.run([tmp_path / "oracle", "floats", str(len(floats))], cwd=tmp_path, check=True, capture_output=True)
    half, brain = np.frombuffer(result.stdout, np.uint16).reshape(2, -1)
    cases = [Mapped("uol::f16(a)", "f32", "f16", floats), Mapped("uol::bf16(a)", "f32", "bf16", floats)]
    ours_half, ours_brain = run_all(cases)
    number = ~np.isnan(floats)
    assert np.array_equal(ours_half.view(np.uint16)[number], half[number])
    assert np.array_equal(ours_brain[number], brain[number])
    assert np.isnan(ours_half[~number]).all()
    assert np.isnan(bf16_value(ours_brain[~number])).all()


EDGES = np.array(
    [0.0, -0.0, 0.4, -0.6, 1.5, -1.5, 126.9, 127.5, 128.0, -128.5, -129.0, 255.5, 256.0, 32767.9, 32768.0, -32769.0]
    + [2147483520.0, 2147483648.0, -2147483648.0, -2147483904.0, 9.2233715e18, 9.223372e18, -9.223372e18, -1e19, 1e30]
    + [math.inf, -math.inf, math.nan]
)


def truncated(x: Array, dtype: str) -> NDArray[np.int64]:
    """float to integer as the language casts: truncates, saturates, NaN to 0; in Python's integers."""
    info = np.iinfo({"i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8, "u8": np.uint8}[dtype])

    def one(v: float) -> int:
        if math.isnan(v):
            return 0
        return int(info.max if v == math.inf else info.min if v == -math.inf else min(max(int(v), info.min), info.max))

    return np.array([one(float(v)) for v in x], np.int64)


def test_casts_follow_the_language() -> None:
    targets = ("i64", "i32", "i16", "i8", "u8")
    floats = EDGES.astype(np.float32)
    results = run_all([Mapped(f"uol::cast<{STORAGE[t]}>(a)", "f32", t, floats) for t in targets])
    doubles = run_all([Mapped(f"uol::cast<{STORAGE[t]}>(a)", "f64", t, EDGES) for t in targets])
    for target, single, double in zip(targets, results, doubles, strict=True):
        assert np.array_equal(single.astype(np.int64), truncated(floats, target)), target
        assert np.array_equal(double.astype(np.int64), truncated(EDGES, target)), target


def test_integer_casts_wrap_and_round_once() -> None:
    wide = np.array([0, 1, -1, 127, 128, 255, 256, -129, 65535, 2**31, 2**62 + 1, -(2**63), 2**63 - 1], np.int64)
    ties = [2**24 + 1, 257, 259, (257 << 30) + 1, (257 << 30) - 1, (259 << 40) + 1, -((257 << 50) + 1), 2**63 - 1]
    brain = np.array(ties, np.int64)
    halves = np.array([2049, 2051, 65519, 65520, -65520, 4097, 4098, 10**15], np.int64)
    to_i32, to_i8, to_bool, to_f32, to_bf16, to_f16, bool_to_f16, half_to_i32 = run_all(
        [
            Mapped("uol::cast<int>(a)", "i64", "i32", wide),
            Mapped("uol::cast<signed char>(a)", "i64", "i8", wide),
            Mapped("uol::cast<bool>(a)", "i64", "bool", wide),
            Mapped("uol::cast<float>(a)", "i64", "f32", wide),
            Mapped("uol::cast<uol::bf16>(a)", "i64", "bf16", brain),
            Mapped("uol::cast<uol::f16>(a)", "i64", "f16", halves),
            Mapped("uol::cast<uol::f16>(a)", "bool", "f16", np.array([False, True])),
            Mapped("uol::cast<int>(a)", "f16", "i32", np.array([1.9, -1.9, np.inf, np.nan, 65504], np.float16)),
        ]
    )
    assert np.array_equal(to_i32, wide.astype(np.int32))
    assert np.array_equal(to_i8, wide.astype(np.int8))
    assert np.array_equal(to_bool, wide != 0)
    assert np.array_equal(to_f32, wide.astype(np.float32))
    assert bf16_value(to_bf16).tolist() == [rounded(int(v), 8) for v in brain]
    assert to_f16.tolist() == [rounded(int(v), 11) if abs(v) < 65520 else math.copysign(math.inf, v) for v in halves]
    assert bool_to_f16.tolist() == [0.0, 1.0]
    assert half_to_i32.tolist() == [1, -1, 2**31 - 1, 0, 65504]


def rounded(value: int, bits: int) -> float:
    """An integer rounded to so many significant bits, half to even."""
    shift = max(0, abs(value).bit_length() - bits)
    head, rest = divmod(abs(value), 1 << shift)
    head += rest * 2 > 1 << shift or (rest * 2 == 1 << shift and head % 2 == 1)
    return math.copysign(float(head << shift), value)


def test_division_floors() -> None:
    a = np.array([7, -7, 7, -7, 0, 5, -(2**31), 2**31 - 1, 6, -6], np.int32)
    b = np.array([2, 2, -2, -2, 3, 0, -1, -1, 3, 3], np.int32)
    quotient, rest, wide, wide_rest = run_all(
        [
            Mapped("uol::floor_div(a, b)", "i32", "i32", a, b),
            Mapped("uol::floor_mod(a, b)", "i32", "i32", a, b),
            Mapped("uol::floor_div(a, b)", "i64", "i64", a.astype(np.int64), b.astype(np.int64)),
            Mapped("uol::floor_mod(a, b)", "i64", "i64", a.astype(np.int64), b.astype(np.int64)),
        ]
    )
    pairs = [(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    assert wide.tolist() == [x // y if y else 0 for x, y in pairs]
    assert wide_rest.tolist() == [x % y if y else 0 for x, y in pairs]
    wrapped = [-(2**31) if v == 2**31 else v for v in wide.tolist()]
    assert quotient.tolist() == wrapped
    assert rest.tolist() == wide_rest.tolist()


def test_extrema_propagate_nan() -> None:
    a = np.array([1, np.nan, 2, np.nan, -np.inf, 3, -0.0], np.float32)
    b = np.array([2, 1, np.nan, np.nan, np.inf, -3, 0.0], np.float32)
    high, low, whole = run_all(
        [
            Mapped("uol::max(a, b)", "f32", "f32", a, b),
            Mapped("uol::min(a, b)", "f32", "f32", a, b),
            Mapped("uol::max(a, b)", "i32", "i32", np.array([1, -5], np.int32), np.array([0, -4], np.int32)),
        ]
    )
    assert np.array_equal(high, np.maximum(a, b), equal_nan=True)
    assert np.array_equal(low, np.minimum(a, b), equal_nan=True)
    assert whole.tolist() == [1, -4]


FUNCTIONS = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf),
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "abs": np.abs,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
ARGUMENTS = np.concatenate([np.linspace(-20, 20, 801), [0.5, 1.5, 2.5, -0.5, 1e-6, 88.0, 100.0, -100.0]])


def test_functions_are_those_of_their_names() -> None:
    single = ARGUMENTS.astype(np.float32)
    singles = run_all([Mapped(f"uol::{name}(a)", "f32", "f32", single) for name in FUNCTIONS])
    doubles = run_all([Mapped(f"uol::{name}(a)", "f64", "f64", ARGUMENTS) for name in FUNCTIONS])
    powers = run_all([Mapped("uol::pow(a, b)", "f32", "f32", np.abs(single), single / 10)])[0]
    with np.errstate(all="ignore"):
        for (name, reference), got32, got64 in zip(FUNCTIONS.items(), singles, doubles, strict=True):
            assert near(got32, reference(single.astype(np.float64)), 4 * 2.0**-23, np.float32), name
            assert near(got64, reference(ARGUMENTS), 4 * 2.0**-52, np.float64), name
        assert near(powers, np.abs(single.astype(np.float64)) ** (single / 10), 8 * 2.0**-23, np.float32)


def test_sines_of_every_magnitude() -> None:
    """The device headers' own: at most 1.6 ulp off on both sides of where the reduction changes, and to the largest float; of
    -0 it is -0, and beyond all numbers none."""
    bits = np.concatenate([np.arange(0, 0x7F800000, 98_317), 0x47800000 + np.arange(-3000, 3000), [0x7F7FFFFF]])
    size = bits.astype(np.uint32).view(np.float32)
    x = np.concatenate([size, -size, np.float32([np.inf, -np.inf, np.nan])])
    numbers = len(x) - 3
    for (name, exact), got in zip(
        [("sin", np.sin), ("cos", np.cos)],
        run_all([Mapped(f"uol::{name}(a)", "f32", "f32", x) for name in ("sin", "cos")]),
        strict=True,
    ):
        assert np.isnan(got[numbers:]).all(), name
        owed = exact(x[:numbers].astype(np.float64))
        ulp = np.spacing(np.maximum(np.abs(owed), 2.0**-126).astype(np.float32)).astype(np.float64)
        assert np.max(np.abs(got[:numbers] - owed) / ulp) < 1.6, name
        assert np.array_equal(np.signbit(got[:numbers]), np.signbit(owed)), name


def test_a_key_is_found_among_ascending_ones() -> None:
    """The first that is as large or more, from the left as numpy counts, every third element alone, too."""
    keys = np.sort(RNG.integers(-9, 9, 200).astype(np.int32))
    sought = np.arange(-11, 189, dtype=np.int32) % 23 - 11
    all_of_them, every_third = run_all(
        [
            Mapped("uol::lower_bound<int>(x, 1, 200, b)", "i32", "i32", keys, sought),
            Mapped("uol::lower_bound<int>(x, 3, 66, b)", "i32", "i32", keys, sought),
        ]
    )
    assert np.array_equal(all_of_them, np.searchsorted(keys, sought))
    assert np.array_equal(every_third, np.searchsorted(keys[: 3 * 66 : 3], sought))


@pytest.mark.parametrize(("dtype", "holds"), [("f64", np.float64), ("f32", np.float32), ("f16", np.float16)])
def test_a_value_is_found_among_ascending_floats(dtype: str, holds: type) -> None:
    """From both sides, as a comparison with every key says: NaN comes last among the keys, and is found nowhere itself."""
    keys = np.array([-np.inf, -1, -0.0, 0.0, 0.0, 2, 2, 3, np.inf, np.nan, np.nan], holds)
    sought = np.array([-np.inf, -2, -1, -0.5, 0.0, -0.0, 1, 2, 3, np.inf, np.nan], holds)
    calls = [f"uol::{name}<int>(x, 1, {n}, b)" for name in ("lower_bound", "upper_bound") for n in (len(keys), 1, 0)]
    compared = [np.less(keys, sought[:, None]), np.less_equal(keys, sought[:, None])]
    wanted = [of[:, :n].sum(1) for of in compared for n in (len(keys), 1, 0)]
    for call, found, count in zip(calls, run_all([Mapped(c, dtype, "i32", keys, sought) for c in calls]), wanted, strict=True):
        assert np.array_equal(found, count), call


def test_what_stands_before_in_an_order() -> None:
    """NaN is greater than every number, and of equal keys the first stands first, whichever way the order goes."""
    keys = np.array([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan], np.float32)
    a, b = (each.ravel() for each in np.meshgrid(keys, keys))
    ranks = np.where(np.isnan(a), np.inf, a), np.where(np.isnan(b), np.inf, b)
    less = (ranks[0] < ranks[1]) | (~np.isnan(a) & np.isnan(b))
    more = (ranks[0] > ranks[1]) | (np.isnan(a) & ~np.isnan(b))
    asked = [(way, places) for way in ("false", "true") for places in ((3, 5), (5, 3))]
    texts = [f"uol::precedes<{way}>(a, {own}, b, {other}) ? 1.0f : 0.0f" for way, (own, other) in asked]
    found = run_all([Mapped(text, "f32", "f32", a, b) for text in texts])
    for (way, (own, other)), got in zip(asked, found, strict=True):
        sooner, later = (more, less) if way == "true" else (less, more)
        assert np.array_equal(got, sooner | (~later & (own < other))), (way, own)


def near(got: Array, want: Array, relative: float, kind: type) -> bool:
    """Within a relative error, or both beyond the type's range, or both NaN."""
    info = np.finfo(kind)
    a, b = got.astype(np.float64), np.asarray(want, np.float64)
    equal = (np.isnan(a) & np.isnan(b)) | (a == b) | ((np.abs(b) > float(info.max)) & np.isinf(a))
    return bool((equal | (np.abs(a - b) <= relative * np.abs(b) + float(info.tiny))).all())
