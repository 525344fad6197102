"""i64 within 32 bits is computed in i32 on the vector unit, exactly; what may be larger is refused."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.errors import ResourceError
from uol.ir.program.dtype_encoding import STORAGE, decode

FITS = {
    "an order": "op f(x: f32[M, N]) -> (y: i64[M, N]) { y[m, k] = argsort[n](x[m, n]) }",
    "a running sum": "op f(x: i32[N]) -> (y: i64[N]) { y[n] = sum[j <= n](i64(x[j] % 100)) }",
    "a count": "op f(x: f32[M, N]) -> (y: i64[M]) { y[m] = sum[n](i64(x[m, n] > 0)) }",
    "a fold that is used": """op f(x: f32[M, N]) -> (y: i64[M], z: f32[M]) {
      y[m] = sum[n](select(x[m, n] > 0, i64(n), -1))
      z[m] = f32(y[m] * 2 - 7)
    }""",
    "an index": "op f(x: f32[M, N]) -> (y: i64[M, N]) { y[m, n] = m * 3 + n }",
    "a position": "op f(x: f32[M, N]) -> (y: i64[M]) where N > 0 { y[m] = argmax[n](x[m, n]) * 2 + m }",
    "an extremum": "op f(x: i16[M, N]) -> (y: i64[M]) where N > 0 { y[m] = max[n](i64(x[m, n]) * 3 - n) }",
    "a comparison": """op f(x: i16[N]) -> (y: i64[N], z: bool[N]) {
      y[n] = select(i64(x[n]) * 5 < i64(n), abs(i64(x[n])), i64(x[n]) / 7)
      z[n] = i64(x[n]) > 0
    }""",
    "parts of what is wide": "op f(x: i64[N], s: i16[N]) -> (y: i32[N]) { y[n] = i32(x[n]) + i32(i64(s[n]) * 3) }",
}
SIZES = {"M": 9, "N": 130}


@pytest.mark.parametrize("text", FITS.values(), ids=FITS)
def test_what_fits_is_exact(text: str) -> None:
    (op,) = parse(text)
    dims = {d: n for d, n in SIZES.items() if any(d in (i.id for i in p.dims) for p in op.params)}
    program = instantiate(op, Library(), types={}, dims=dims)
    rng = np.random.default_rng(3)
    arrays = {
        t.name: (rng.standard_normal([d.value for d in t.shape]) * 300).astype(STORAGE[t.dtype]) for t in program.by_role("in")
    }
    found = execute(compile_for(op, "ascendc", None, dims).module, arrays)
    assert not found.findings
    golden = interpret(program, {t.name: decode(arrays[t.name], t.dtype) for t in program.by_role("in")})
    for name, actual in found.outputs.items():
        np.testing.assert_array_equal(actual, golden[name])


@pytest.mark.parametrize(
    "text",
    [
        "op f(x: i32[N]) -> (y: i64[N]) { y[n] = i64(x[n]) * 2 }",
        "op f(x: i64[N]) -> (y: i64[N]) { y[n] = x[n] + 1 }",
        "op f(x: i32[N]) -> (y: i64[]) { y[] = sum[n](i64(x[n])) }",
        "op f(x: f32[N]) -> (y: i64[N]) { y[n] = i64(x[n]) + 1 }",
        "op f(x: i64[N]) -> (y: i64[N]) { y[n] = sum[j <= n](x[j]) }",
    ],
)
def test_what_may_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ResourceError, match="i64 that may pass 32 bits"):
        compile_for(parse(text)[0], "ascendc", None, {"N": 40})


LIMITS = np.array(
    [0, -1, 1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 - 1, 2**32, 2**32 + 1, -(2**32), 2**63 - 1, -(2**63)]
)


@pytest.mark.parametrize("relation", ["==", "!=", "<", "<=", ">", ">="])
def test_longs_of_any_size_are_compared(relation: str) -> None:
    a, b = (side.ravel() for side in np.meshgrid(LIMITS, LIMITS))
    (op,) = parse(f"op f(a: i64[N], b: i64[N]) -> (y: bool[N]) {{ y[n] = a[n] {relation} b[n] }}")
    found = execute(compile_for(op, "ascendc", None, {"N": len(a)}).module, {"a": a, "b": b})
    assert not found.findings
    expected = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[relation]
    np.testing.assert_array_equal(found.outputs["y"], expected)


@pytest.mark.parametrize("dtype", ["i64", "i32"])
def test_a_scatter_of_counts_has_conditions_over_both_axes(dtype: str) -> None:
    """Those that are the same for all lanes, and one that is not, hold together."""
    (op,) = parse(f"op f(at: {dtype}[M]; bins: int) -> (y: i64[bins]) where bins > 0 {{ y[at[m]] += 1 }}")
    at = np.random.default_rng(0).integers(-2, 12, 33).astype(STORAGE[dtype])
    at[0] = np.iinfo(at.dtype).max
    found = execute(compile_for(op, "ascendc", None, {"M": 33}, {"bins": 9}).module, {"at": at})
    assert not found.findings
    np.testing.assert_array_equal(found.outputs["y"], np.bincount(at[(at >= 0) & (at < 9)], minlength=9))
