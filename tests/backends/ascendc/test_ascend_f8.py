"""f8 on the vector unit: every pattern, every kind of rounding, and where elements of a byte lie; in the checked twin."""

from __future__ import annotations

import numpy as np
import pytest
from f8_samples import F8, PATTERNS, floats, same

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import parse
from uol.ir.program.dtype_encoding import f8_values


def run(text: str, dims: dict[str, int], **arrays: np.ndarray) -> dict[str, np.ndarray]:
    found = execute(compile_for(parse(text)[0], "ascendc", None, dims).module, arrays)
    assert not found.findings
    return found.outputs


@pytest.mark.parametrize("dtype", F8)
def test_every_pattern_widens(dtype: str) -> None:
    text = f"op f(x: {dtype}[N]) -> (y: f32[N], z: f16[N], w: {dtype}[N]) {{ y[n] = f32(x[n])  z[n] = f16(x[n])  w[n] = x[n] }}"
    found, values = run(text, {"N": 256}, x=PATTERNS), f8_values(dtype)
    number = ~np.isnan(values)
    np.testing.assert_array_equal(found["y"], values)
    np.testing.assert_array_equal(np.signbit(found["y"])[number], np.signbit(values)[number])
    np.testing.assert_array_equal(found["z"].astype(np.float64), values)
    np.testing.assert_array_equal(found["w"], PATTERNS)


@pytest.mark.parametrize("dtype", F8)
def test_rounding_is_to_nearest_even(dtype: str) -> None:
    x, halves = floats()[:-180_000], np.arange(65536, dtype=np.uint16).view(np.float16)
    integers = np.arange(-70000, 70000, 11).astype(np.int32)
    text = "op f(x: {t}[N]) -> (y: {u}[N], z: f32[N]) {{ y[n] = {u}(x[n])  z[n] = f32({u}(x[n])) }}"
    for source, array in (("f32", x), ("f16", halves), ("i32", integers)):
        found = run(text.format(t=source, u=dtype), {"N": len(array)}, x=array)
        with np.errstate(invalid="ignore"):
            assert same(found["y"], array.astype(np.float64), dtype)
        np.testing.assert_array_equal(found["z"], f8_values(dtype)[found["y"]])
