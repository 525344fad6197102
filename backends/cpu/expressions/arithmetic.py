"""Arithmetic in TensorIR, exact to the language.

TVM's operators fold floats as if NaN and infinity did not exist (`x * 0` is 0, `x != x` is false), and its `!=` is
false for NaN. Float nodes are therefore built by their constructors, and no simplifier runs over values
(`compile.LOWERING`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tvm import tirx

from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term, integer_range, representation
from uol.backends.cpu.expressions.wrapping import wrapping
from uol.ir.program.rounding import round_to
from uol.ir.types import INDEX, is_float


def constant(value: int | float | bool, dtype: str) -> Term:
    """A literal of a type of the language; inf and nan are float values, and one of f16, bf16 or f8 is a number of it."""
    kind = representation(dtype)
    return tirx.const(round_to(value, dtype).item() if kind.is_narrow_float else value, kind.compute)


def is_nan(share: Share, x: Term) -> Term:
    x = share(x)
    return tirx.Not(tirx.EQ(x, x))


def not_equal(x: Term, y: Term) -> Term:
    """x != y, true where either is NaN."""
    return tirx.Not(tirx.EQ(x, y))


def maximum(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """The greater; NaN if either is."""
    return _chosen(share, tirx.GT, x, y, dtype)


def minimum(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """The lesser; NaN if either is."""
    return _chosen(share, tirx.LT, x, y, dtype)


def _chosen(share: Share, compare: Callable[[Term, Term], Term], x: Term, y: Term, dtype: str) -> Term:
    """x where it compares, or is NaN; else y, which may be NaN itself."""
    x, y = share(x), share(y)
    first = compare(x, y)
    return tirx.Select(tirx.Or(first, is_nan(share, x)) if is_float(dtype) else first, x, y)


def extremum_so_far(share: Share, op: str, held: Term, y: Term, dtype: str) -> Term:
    """`max` or `min` of what is held and of a later value; NaN if either is. The processor's maximum gives what is held where
    that is NaN, and the later value alone is asked whether it is: what is held is waited for once. The NaN is a constant, since
    LLVM would make one choice of two between the same values, by a condition that waits longer."""
    y = share(y)
    compare = tirx.GT if op == "max" else tirx.LT
    better = tirx.Select(compare(y, held), y, held)
    return tirx.Select(is_nan(share, y), constant(math.nan, dtype), better) if is_float(dtype) else better


def floor_divide(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """floor(x / y); 0 where y is 0. The least integer over -1 wraps to itself (the processor would trap)."""
    if _is_positive(y):
        return tirx.FloorDiv(x, y)
    zero, one = constant(0, dtype), constant(1, dtype)
    x, y = share(x), share(y)
    if integer_range(dtype)[0] == 0:
        quotient = tirx.FloorDiv(x, tirx.Select(tirx.EQ(y, zero), one, y))
        return tirx.Select(tirx.EQ(y, zero), zero, quotient)
    unsafe = tirx.Or(tirx.EQ(y, zero), tirx.EQ(y, constant(-1, dtype)))
    quotient = tirx.FloorDiv(x, tirx.Select(unsafe, one, y))
    return tirx.Select(unsafe, tirx.Select(tirx.EQ(y, zero), zero, negate(share, x, dtype)), quotient)


def integer_power(share: Share, x: Term, y: Term) -> Term:
    """x ** y of int32, modulo 2**32, by squaring. A negative power is the reciprocal, which truncates to 0 but of 1 and -1."""
    x, y = share(x), share(y)
    zero, one, minus_one = (constant(value, "i32") for value in (0, 1, -1))
    result, factor = one, x
    for bit in range(31):
        is_set = tirx.EQ((y >> constant(bit, "i32")) & one, one)
        result = share(tirx.Select(is_set, wrapping(share, "*", result, factor, "i32"), result))
        factor = share(wrapping(share, "*", factor, factor, "i32"))
    sign = tirx.Select(tirx.EQ(y & one, one), minus_one, one)
    reciprocal = tirx.Select(tirx.EQ(x, one), one, tirx.Select(tirx.EQ(x, minus_one), sign, zero))
    return tirx.Select(tirx.LT(y, zero), reciprocal, result)


def shift_left(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """x moved left by y bits; 0 by less than 0 or by as many bits as there are, for which LLVM's shift has no value."""
    y, zero = share(y), constant(0, dtype)
    inside = share(_is_place(y, dtype))
    return tirx.Select(inside, tirx.shift_left(x, tirx.Select(inside, y, zero)), zero)


def shift_right(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """x moved right by y bits, its sign in from the left; the sign alone where y is no place of a bit."""
    y, zero = share(y), constant(0, dtype)
    inside = share(_is_place(y, dtype))
    if integer_range(dtype)[0] < 0:
        return tirx.shift_right(x, tirx.Select(inside, y, constant(_bits(dtype) - 1, dtype)))
    return tirx.Select(inside, tirx.shift_right(x, tirx.Select(inside, y, zero)), zero)


def _is_place(y: Term, dtype: str) -> Term:
    return tirx.And(tirx.GE(y, constant(0, dtype)), tirx.LT(y, constant(_bits(dtype), dtype)))


def _bits(dtype: str) -> int:
    low, high = integer_range(dtype)
    return (high - low).bit_length()


def natural_quotient(share: Share, fn: str, x: Term, y: Term) -> Term:
    """`x / y` or `x % y` of integers that are not negative, 0 where y is 0, by the processor's own division. Where TVM knows no
    sign it rounds down by conditions that take it a hundred times as long to compile."""
    own = tirx.Div if fn == "/" else tirx.Mod
    return share(tirx.Select(tirx.EQ(y, constant(0, INDEX)), constant(0, INDEX), own(x, tirx.Max(y, constant(1, INDEX)))))


def floor_modulo(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """x - y * floor(x / y), with the sign of y; 0 where y is 0."""
    if _is_positive(y):
        return tirx.FloorMod(x, y)
    zero, one = constant(0, dtype), constant(1, dtype)
    y = share(y)
    unsafe = tirx.EQ(y, zero)
    if integer_range(dtype)[0] < 0:
        unsafe = tirx.Or(unsafe, tirx.EQ(y, constant(-1, dtype)))
    return tirx.Select(unsafe, zero, tirx.FloorMod(x, tirx.Select(unsafe, one, y)))


def _is_positive(y: Term) -> bool:
    return isinstance(y, tirx.IntImm) and int(y.value) > 0


_FOLDED: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}
_PLAIN: dict[str, Callable[[Term, Term], Term]] = {
    "+": tirx.Add,
    "-": tirx.Sub,
    "*": tirx.Mul,
    "<": tirx.LT,
    "<=": tirx.LE,
    ">": tirx.GT,
    ">=": tirx.GE,
    "==": tirx.EQ,
    "!=": not_equal,
    "and": tirx.And,
    "or": tirx.Or,
    "bit_and": tirx.bitwise_and,
    "bit_or": tirx.bitwise_or,
    "bit_xor": tirx.bitwise_xor,
}
_TYPED: dict[str, Callable[[Share, Term, Term, str], Term]] = {
    "max": maximum,
    "min": minimum,
    "%": floor_modulo,
    "shift_left": shift_left,
    "shift_right": shift_right,
}


def binary(share: Share, fn: str, x: Term, y: Term, dtype: str) -> Term | None:
    """`x fn y` for operands of one type (`dtype`, that of the operands); None where `fn` is no binary operator."""
    if fn == "/":
        return _divide(x, y) if is_float(dtype) else floor_divide(share, x, y, dtype)
    if fn in _TYPED:
        return _TYPED[fn](share, x, y, dtype)
    if dtype == "bool" and fn in ("==", "!="):  # LLVM's backend of TVM compares truths as floats, and fails
        x, y = tirx.Cast("int8", x), tirx.Cast("int8", y)
    if dtype == INDEX and fn in _FOLDED:
        return _FOLDED[fn](x, y)
    if fn in _FOLDED and isinstance(x, tirx.IntImm) and isinstance(y, tirx.IntImm):
        return _wrapped(_FOLDED[fn](int(x.value), int(y.value)), dtype)
    if fn in _FOLDED and not is_float(dtype):
        return wrapping(share, fn, x, y, dtype)
    return _PLAIN[fn](x, y) if fn in _PLAIN else None


def _divide(x: Term, y: Term) -> Term:
    """x / y. TVM refuses a literal 0 as a divisor (the mean of nothing); a product with infinity is the same."""
    if isinstance(y, tirx.FloatImm) and float(y.value) == 0:
        return tirx.Mul(x, tirx.const(math.copysign(math.inf, float(y.value)), str(y.ty)))
    return tirx.Div(x, y)


def negate(share: Share, x: Term, dtype: str) -> Term:
    """-x. For floats a change of sign: 0 - x would turn -0 into 0."""
    if is_float(dtype):
        return tirx.Mul(x, constant(-1.0, dtype))
    if isinstance(x, tirx.IntImm):
        return _wrapped(-int(x.value), dtype)
    return wrapping(share, "-", constant(0, dtype), x, dtype)


def absolute(share: Share, x: Term, dtype: str) -> Term:
    """|x| of an integer; the least one stays."""
    x = share(x)
    return tirx.Select(tirx.LT(x, constant(0, dtype)), negate(share, x, dtype), x)


def _wrapped(value: int, dtype: str) -> Term:
    """A literal modulo 2**bits. TVM folds one that leaves its type to an error."""
    low, high = integer_range(dtype)
    return constant((value - low) % (high - low + 1) + low, dtype)
