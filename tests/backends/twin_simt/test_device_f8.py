"""f8e4m3 and f8e5m2 of the device header: every pattern, every kind of rounding, against the formats' tables and NVIDIA's
own header."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from device_maps import Mapped, cuda_include, run_all
from numpy.typing import NDArray

from uol.ir.storage import encode, f8_values

F8 = ("f8e4m3", "f8e5m2")
PATTERNS = np.arange(256, dtype=np.uint8)


def floats() -> NDArray[np.float32]:
    """Every value of both formats, the midpoints between neighbours, one bit to either side; beyond the greatest and below
    the least; anything else."""
    values = np.concatenate([f8_values(dtype) for dtype in F8])
    ordered = np.unique(values[np.isfinite(values)])
    around = np.concatenate([ordered, (ordered[1:] + ordered[:-1]) / 2, ordered * 1.25, [0.0, -0.0]]).astype(np.float32)
    near = [around, np.nextafter(around, np.float32(np.inf)), np.nextafter(around, np.float32(-np.inf))]
    anything = np.random.default_rng(5).integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    special = np.array([np.inf, -np.inf, np.nan, 449, 464, 465, 480, 57344, 61439, 61440, 61441, 1e-45, -1e-45], np.float32)
    return np.concatenate([*near, special, anything])


def same(got: NDArray[np.uint8], values: NDArray[np.float64], dtype: str) -> bool:
    """Equal patterns; any NaN is as good as another."""
    expected = encode(values, dtype)
    number = ~np.isnan(values)
    return bool((got[number] == expected[number]).all() and np.isnan(f8_values(dtype)[got[~number]]).all())


@pytest.mark.parametrize("dtype", F8)
def test_conversions_are_exact(dtype: str) -> None:
    x = floats()
    with np.errstate(invalid="ignore"):
        doubles = np.concatenate([x.astype(np.float64) * (1 + k * 2.0**-40) for k in (-1, 0, 1)])
    longs = np.arange(-600, 600) * 97
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    c = f"uol::{dtype}"
    to_float, to_double, rounded, from_double, from_long, from_half, again = run_all(
        [
            Mapped("float(a)", dtype, "f32", PATTERNS),
            Mapped("double(a)", dtype, "f64", PATTERNS),
            Mapped(f"{c}(a)", "f32", dtype, x),
            Mapped(f"{c}(a)", "f64", dtype, doubles),
            Mapped(f"uol::cast<{c}>(a)", "i64", dtype, longs),
            Mapped(f"uol::cast<{c}>(a)", "f16", dtype, halves),
            Mapped(f"{c}(float(a))", dtype, dtype, PATTERNS),
        ]
    )
    values = f8_values(dtype)
    np.testing.assert_array_equal(to_float, values)
    np.testing.assert_array_equal(np.signbit(to_float[~np.isnan(values)]), np.signbit(values[~np.isnan(values)]))
    np.testing.assert_array_equal(to_double, values)
    with np.errstate(invalid="ignore"):
        assert same(rounded, x.astype(np.float64), dtype)
        assert same(from_double, doubles, dtype)
        assert same(from_long, longs.astype(np.float64), dtype)
        assert same(from_half, halves.astype(np.float64), dtype)
    assert (again == PATTERNS)[~np.isnan(values)].all()


ORACLE = """
#include <cuda_fp8.h>
#include <cstdio>
#include <cstdlib>
#include <vector>
int main(int, char** argv) {
  std::vector<float> x(std::atol(argv[2]));
  if (std::fread(x.data(), 4, x.size(), std::fopen(argv[1], "rb")) != x.size()) return 1;
  for (float v : x) std::fputc(__nv_cvt_float_to_fp8(v, __NV_SATFINITE, __NV_E4M3), stdout);
  for (float v : x) std::fputc(__nv_cvt_float_to_fp8(v, __NV_NOSAT, __NV_E5M2), stdout);
}
"""


def test_conversions_equal_those_of_cuda_fp8(tmp_path: Path) -> None:
    include = cuda_include()
    if include is None or not (include / "cuda_fp8.h").exists():
        pytest.skip("cuda_fp8.h is not installed")
    x = floats()
    x.tofile(tmp_path / "floats")
    (tmp_path / "oracle.cpp").write_text(ORACLE)
    subprocess.run(["g++", "-O1", "-w", f"-I{include}", "oracle.cpp", "-o", "oracle"], cwd=tmp_path, check=True)
    result = subprocess.run([tmp_path / "oracle", "floats", str(len(x))], cwd=tmp_path, check=True, capture_output=True)
    theirs = np.frombuffer(result.stdout, np.uint8).reshape(2, -1)
    number = ~np.isnan(x)
    for dtype, expected in zip(F8, theirs, strict=True):
        (ours,) = run_all([Mapped(f"uol::{dtype}(a)", "f32", dtype, x)])
        assert np.array_equal(ours[number], expected[number])
