"""Integer + - * that wrap, as the language says.

TVM's LLVM generator marks sums and products of 32 and 64 bits as ones that never overflow, and LLVM then takes
`a + 1 > a` for true. Those of 32 bits are therefore computed in 64 and cut, which LLVM narrows again; those of 64 bits are
put together from halves whose sums and products do not overflow. Shifts and casts are not marked.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx

from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term, representation

_PLAIN: dict[str, Callable[[Term, Term], Term]] = {"+": tirx.Add, "-": tirx.Sub, "*": tirx.Mul}
_HALF = 32


def wrapping(share: Share, fn: str, x: Term, y: Term, dtype: str) -> Term:
    """x fn y modulo 2**bits; fn is + - or *."""
    match representation(dtype).compute:
        case "int32":
            wide = _PLAIN[fn](tirx.Cast("int64", x), tirx.Cast("int64", y))
            return tirx.Cast("int32", wide)
        case "int64":
            return _of_halves(share, fn, share(x), share(y))
    return _PLAIN[fn](x, y)


def _of_halves(share: Share, fn: str, x: Term, y: Term) -> Term:
    match fn:
        case "+":
            low = share(_low(x) + _low(y))
            high = _high(x) + _high(y) + _high(low)
            return _up(high) | _low(low)
        case "-":
            return _of_halves(share, "+", x, share(_of_halves(share, "+", ~y, _i64(1))))
    short = _i64(0xFFFF)
    crossed = _low(_high(x) * _low(y)) + _low(_low(x) * _high(y))
    lower = share(_low(x) * (_low(y) & short))
    upper = share((_low(x) * (_low(y) >> _i64(16))) << _i64(16))
    return _of_halves(share, "+", share(_of_halves(share, "+", lower, upper)), share(_up(crossed)))


def _low(x: Term) -> Term:
    """The lower half, never negative."""
    return x & _i64(2**_HALF - 1)


def _high(x: Term) -> Term:
    """The upper half, with its sign."""
    return x >> _i64(_HALF)


def _up(x: Term) -> Term:
    return x << _i64(_HALF)


def _i64(value: int) -> Term:
    return tirx.const(value, "int64")
