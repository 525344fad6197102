"""f8e4m3 and f8e5m2 of the device header: every pattern, every kind of rounding, against the formats' tables and NVIDIA's
own header."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from device_maps import Mapped, cuda_include, run_all
from f8_samples import F8, PATTERNS, floats, same

from uol.ir.program.dtype_encoding import f8_values


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
