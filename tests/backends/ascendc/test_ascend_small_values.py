"""Conditions, bytes, 64-bit integers and single values on the vector unit, in the checked twin, against the golden value."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.errors import ResourceError
from uol.ir.program.dtype_encoding import STORAGE, decode

FORMS = {
    "a condition that varies over one axis": "op a(x: f32[N, M]) -> (y: bool[N, M]) { y[n, m] = m > 0 }",
    "a condition that is the same for all": "op b(x: f32[N, M]) -> (y: bool[N, M]) { y[n, m] = not (n < 9) }",
    "a condition over rows": "op c(x: f32[N], w: f32[M]) -> (y: bool[M, N]) { y[m, n] = x[n] <= 0 or w[m] > x[n] }",
    "a flag for all lanes": "op d(f: bool[N], x: f32[M]) -> (y: bool[M]) { y[m] = m % 2 == 0 or f[1] }",
    "a select of an integer": "op e(x: f32[N]) -> (y: i32[N]) { y[n] = select(n > 0, i32(5), i32(x[n])) }",
    "a byte for all lanes": "op g(q: i8[N], x: f32[M]) -> (y: i16[M]) { y[m] = i16(q[2]) * i16(m) }",
    "a byte that wraps": "op h(q: i8[N], x: f32[M]) -> (y: u8[M]) { y[m] = u8(q[0]) }",
    "a long integer for all lanes": "op i(l: i64[N], x: f32[M]) -> (y: i32[M]) { y[m] = i32(l[1]) + i32(m) }",
    "single values": "op j(l: i64[N], x: f32[M]) -> (y: i32[]) { y[] = max(-i32(l[1]), i32(l[0])) * i32(l[2]) }",
    "an index that wraps": "op wrapped(x: f32[K]) -> (y: i8[K]) { y[k] = abs(i8(k)) }",
    "a read as value and as index": "op r(at: i32[N], x: f32[M]) -> (y: f32[N]) { y[n] = f32(at[n]) + (x[at[n]] else 7) }",
    "an index that is computed": """op s(at: i32[N], x: f32[M]) -> (y: f32[N]) {
      t[n] = at[n] + 1
      y[n] = f32(t[n]) + (x[t[n]] else 7)
    }""",
    "an index that is reduced": "op t(x: f32[M]) -> (y: f32[]) where M > 0 { a[] = argmax[m](x[m])\n y[] = x[a[]] else 9 }",
}
SIZES = {"N": 3, "M": 19, "K": 257}


def values_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Small numbers of both signs, exact in every type."""
    return np.asarray(np.arange(int(np.prod(shape))).reshape(shape) * 5 % 11 - 3).astype(STORAGE[dtype])


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_the_golden_value(text: str) -> None:
    (op,) = parse(text)
    dims = {d: n for d, n in SIZES.items() if any(d in (i.id for i in p.dims) for p in op.params)}
    program = instantiate(op, Library(), types={}, dims=dims)
    arrays = {t.name: values_of(t.dtype, tuple(d.value for d in t.shape)) for t in program.by_role("in")}
    found = execute(compile_for(op, "ascendc", None, dims).module, arrays)
    assert not found.findings
    golden = interpret(program, {t.name: decode(arrays[t.name], t.dtype) for t in program.by_role("in")})["y"]
    np.testing.assert_array_equal(found.outputs["y"], golden)


def test_arithmetic_of_64_bits_is_refused_with_a_reason() -> None:
    (op,) = parse("op f(l: i64[N]) -> (y: i64[N]) { y[n] = max(l[n], i64(n)) * 3 }")
    with pytest.raises(ResourceError, match="arithmetic on i64"):
        compile_for(op, "ascendc", None, {"N": 4})
