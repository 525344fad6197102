"""Short integers and the rarer functions in emitted text: run in the twin, and taken by the device headers."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.conformance.accuracy.comparison import compare
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.ir import Library, instantiate, parse
from uol.ir.program.dtype_encoding import STORAGE, encode

RARE = """op rare(x: T[N]) -> (a: T[N], b: T[N], c: T[N], d: T[N]) for T in (f64, f32) {
  a[n] = exp2(x[n])
  b[n] = expm1(x[n])
  c[n] = log2(abs(x[n]) + 0.5)
  d[n] = log1p(abs(x[n]))
}"""


def run(text: str, target: str, dims: dict[str, int], dtype: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    compiled = compile_for(parse(text)[0], target, dtype, dims)
    found = execute(compiled.module, arrays)
    assert not found.findings
    return found.outputs


@pytest.mark.parametrize("dtype", ["u8", "i8", "i16", "bool"])
def test_short_integers_become_halves(dtype: str) -> None:
    text = f"op to_half(q: {dtype}[N]) -> (y: f16[N], z: bf16[N]) {{ y[n] = f16(q[n])\n z[n] = bf16(q[n]) }}"
    q = np.array([0, 1, 100, 7]).astype(STORAGE[dtype])
    found = run(text, "cuda", {"N": 4}, "f32", q=q)
    np.testing.assert_array_equal(found["y"], q.astype(np.float16))
    np.testing.assert_array_equal(found["z"], encode(q.astype(np.float64), "bf16"))


def test_the_negative_of_a_short_integer_wraps_before_it_is_compared() -> None:
    text = "op negative(q: u8[N], r: i8[N]) -> (y: u8[N], z: i8[N]) { y[n] = min(-q[n], 9)\n z[n] = max(abs(r[n]), -r[n]) }"
    q, r = np.array([0, 1, 250], np.uint8), np.array([-128, 5, -5], np.int8)
    found = run(text, "hip", {"N": 3}, "f32", q=q, r=r)
    assert (found["y"].tolist(), found["z"].tolist()) == ([0, 9, 6], [-128, 5, 5])


def test_an_index_wraps_where_it_becomes_a_short_integer() -> None:
    text = "op short_index(x: f32[N]) -> (y: i8[N], z: u8[N]) { y[n] = abs(i8(n))\n z[n] = u8(n) / 2 }"
    found = run(text, "cuda", {"N": 300}, "f32", x=np.zeros(300, np.float32))
    n = np.arange(300)
    assert found["y"].tolist() == np.abs(n.astype(np.int8)).tolist()
    assert found["z"].tolist() == (n.astype(np.uint8) // 2).tolist()


@pytest.mark.parametrize("value", ["f32(f16(x[n]))", "f32(f16(f32(h[n])))", "f32(f16(q[n]))", "f32(q[n])"])
def test_a_comparison_that_begins_with_conversions(value: str) -> None:
    """`(float(uol::f16(x[n])) < ...` begins like the type of a function that takes an array."""
    text = f"""op conversions(x: f32[N], h: f16[N], q: i16[N]) -> (y: f32[N]) {{
      y[n] = x[n] * select({value} < x[n] + 1, {value}, 0)
    }}"""
    x = np.array([1.0, 2.0, 3.0], np.float32)
    found = run(text, "cuda", {"N": 3}, "f32", x=x, h=x.astype(np.float16), q=x.astype(np.int16))
    assert found["y"].tolist() == [1, 4, 9]


def test_a_tensor_called_as_what_a_kernel_declares() -> None:
    text = "op declared(scratch: f32[N, row]) -> (y: f32[N]) { y[n] = sum[r < row](scratch[n, r]) }"
    found = run(text, "cuda", {"N": 3, "row": 700}, "f32", scratch=np.ones((3, 700), np.float32))
    assert found["y"].tolist() == [700, 700, 700]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_the_rarer_functions_meet_their_bounds(dtype: str) -> None:
    x = np.concatenate([np.linspace(-4, 4, 57), [0.0, 2.0**-30, np.inf, np.nan]])
    x = x.astype(STORAGE[dtype]).astype(np.float64)
    program = instantiate(parse(RARE)[0], Library(), types={"T": dtype}, dims={"N": len(x)})
    owed = enclose(program, {"x": x}, {}, contract("cuda"))
    for name, actual in run(RARE, "cuda", {"N": len(x)}, dtype, x=encode(x, dtype)).items():
        comparison = compare(actual, owed[name], dtype)
        assert comparison.ok, comparison.reason


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_vendor_s_compiler_knows_the_rarer_functions(target: str) -> None:
    compiled = compile_for(parse(RARE)[0], target, "f64", {"N": 64})
    backend = compiled.request.target.backend
    compilers = {"cuda": ("NVRTC", "nvcc"), "hip": ("hipcc",)}[target]
    if not any(tool.found for tool in backend.doctor() if tool.name in compilers):
        pytest.skip(f"no compiler of {target}: {' or '.join(compilers)}")
    assert backend.build(compiled.module).binary
