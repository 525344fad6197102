"""And, or, exclusive or, not and shifts of integers are Python's at the edges of every type, on every target.

Each edge stands beside each other one, as an operand of its own lane and of its row; literals and attributes stand beside each,
and what generators of random bits and packed data do: shifts of a local, and what is computed of several.
"""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import parse
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.types import integer_range

BITS = {"i64": 64, "i32": 32, "i16": 16, "i8": 8, "u8": 8}
TEXT = """op bits(a: T[N], b: T[M, N], c: T[M]; k: int) -> (p: T[M, N], o: T[M, N], x: T[M, N], v: T[N], l: T[M, N], r: T[M, N],
  lr: T[M, N], rr: T[M, N], l3: T[N], r3: T[N], lk: T[N], rk: T[N], o1: T[N], h: T[M, N], w: bool[M, N]) {
  p[m, n] = bit_and(a[n], b[m, n])
  o[m, n] = bit_or(a[n], b[m, n])
  x[m, n] = bit_xor(a[n], b[m, n])
  v[n] = bit_not(a[n])
  l[m, n] = shift_left(a[n], b[m, n])
  r[m, n] = shift_right(a[n], b[m, n])
  lr[m, n] = shift_left(a[n], c[m])
  rr[m, n] = shift_right(a[n], c[m])
  l3[n] = shift_left(a[n], 3)
  r3[n] = shift_right(a[n], 3)
  lk[n] = shift_left(a[n], k)
  rk[n] = shift_right(k, a[n])
  o1[n] = shift_left(1, a[n])
  u[n] = bit_xor(a[n], shift_left(a[n], 5))
  h[m, n] = bit_xor(u[n], shift_right(bit_or(u[n], c[m]), 2))
  w[m, n] = bit_and(u[n], shift_left(1, c[m])) != 0
}"""


K = 7


def literal(text: str) -> str:
    """With a number for the attribute: one of a short type is no argument of a kernel for Ascend."""
    return text.replace("; k: int", "").replace("k)", f"{K})").replace("(k,", f"({K},")


def edges(dtype: str) -> list[int]:
    """Of the type, of its places, of words within it."""
    least, greatest = integer_range(dtype)
    bits = BITS[dtype]
    near = [0, 1, 2, 3, 5, 7, 8, 15, 31, 32, 33, 63, 64, 65, bits - 1, bits, bits + 1, 2 * bits, 2**31, 2**32, 2**32 + 1, 2**62]
    return sorted({v for e in (*near, greatest) for v in (e, -e, ~e) if least <= v <= greatest})


def left(bits: int, a: int, by: int) -> int:
    return a << by if 0 <= by < bits else 0


def right(bits: int, a: int, by: int) -> int:
    return a >> (by if 0 <= by < bits else bits)


def owed(dtype: str, a: int, b: int, c: int, k: int) -> dict[str, int | bool]:
    """What Python's unbounded integers give, and where they wrap."""
    bits, (least, greatest) = BITS[dtype], integer_range(dtype)

    def wrapped(v: int) -> int:
        return (v - least) % (greatest - least + 1) + least

    u = wrapped(a ^ wrapped(left(bits, a, 5)))
    found = {
        "p": a & b, "o": a | b, "x": a ^ b, "v": ~a, "l": left(bits, a, b), "r": right(bits, a, b), "lr": left(bits, a, c),
        "rr": right(bits, a, c), "l3": left(bits, a, 3), "r3": right(bits, a, 3), "lk": left(bits, a, k),
        "rk": right(bits, k, a), "o1": left(bits, 1, a), "h": u ^ right(bits, u | c, 2),
    }  # fmt: skip
    return {**{name: wrapped(v) for name, v in found.items()}, "w": u & wrapped(left(bits, 1, c)) != 0}


@pytest.mark.parametrize("dtype", BITS)
@pytest.mark.parametrize("target", ["cpu", "cuda", "hip", "ascendc"])
def test_bits_at_the_edges(target: str, dtype: str) -> None:
    values = edges(dtype)
    (op,) = parse((TEXT if BITS[dtype] >= 32 else literal(TEXT)).replace("T[", f"{dtype}["))
    b = [values[m:] + values[:m] for m in range(len(values))]
    arrays = {name: np.array(v, STORAGE[dtype]) for name, v in (("a", values), ("b", b), ("c", values))}
    attrs = {a.name: K for a in op.attributes}
    compiled = compile_for(op, target, None, {"M": len(values), "N": len(values)}, attrs)
    if target == "cpu":
        found = dict(zip((p.name for p in op.results), compiled(*arrays.values()), strict=True))
    else:
        run = execute(compiled.module, arrays, attrs)
        assert not run.findings
        found = run.outputs
    for m, (row, c) in enumerate(zip(b, values, strict=True)):
        for n, a in enumerate(values):
            for name, value in owed(dtype, a, row[n], c, K).items():
                at = (m, n)[2 - found[name].ndim :]
                assert found[name][at] == value, f"{name}: a={a} b={row[n]} c={c}"
