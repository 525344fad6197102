"""Floored quotients and remainders of i32, which the vector unit has no instruction for (by zero they are 0).

    q = floor(f32(a) / f32(b));  r = a - q * b;  the same once more for r;  one step up or down where r is not in [0, b)

A first estimate is off by at most 2**31 * 2**-22, a second one by 1: sums and products wrap, and r is right modulo 2**32.
The sign of a word, spread over it by an arithmetic shift, is what a comparison would say.
"""

from __future__ import annotations

from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Uniform, Value, int_text, real

SIGN = "31"
"""The shift that leaves -1 of a negative word, else 0."""


def divided(unit: VectorUnit, fn: str, a: Lanes, b: Value) -> Lanes:
    """floor(a / b), or with fn `%` what is left: a - b * floor(a / b)."""
    if isinstance(b, Lanes):
        return _by_lanes(unit, fn, a, b)
    if b.number is None or b.number < 0:
        return _by_lanes(unit, fn, a, unit.duplicate(b, a.span, "i32"))
    divisor = int(b.number)
    if divisor == 0:
        return unit.duplicate(Uniform("0", "i32", 0), a.span, "i32")
    if divisor & (divisor - 1) == 0:
        return _by_power_of_two(unit, fn, a, divisor)
    return _by_constant(unit, fn, a, divisor)


def _by_power_of_two(unit: VectorUnit, fn: str, a: Lanes, divisor: int) -> Lanes:
    """An arithmetic shift floors."""
    places = str(divisor.bit_length() - 1)
    if fn == "/":
        return unit.unary("ShiftRight", a, places)
    whole = unit.unary("ShiftLeft", unit.unary("ShiftRight", a.kept(), places), places)
    return unit.binary("Sub", a, whole)


def _by_constant(unit: VectorUnit, fn: str, a: Lanes, divisor: int) -> Lanes:
    """By a constant above 1."""

    def estimate(rest: Lanes) -> Lanes:
        ratio = unit.unary("Muls", unit.cast(rest, "f32", "RINT"), real(1.0 / divisor).text)
        return unit.cast(ratio, "i32", "FLOOR").kept()

    def less(rest: Lanes, times: Lanes) -> Lanes:
        return unit.binary("Add", rest, unit.unary("Muls", times, int_text(-divisor)))

    quotient = estimate(a)
    rest = less(a, quotient).kept()
    more = estimate(rest)
    quotient, rest = unit.binary("Add", quotient, more).kept(), less(rest, more).kept()
    below = unit.unary("ShiftRight", rest, SIGN).kept()
    quotient, rest = unit.binary("Add", quotient, below).kept(), less(rest, below).kept()
    room = unit.unary("Adds", unit.unary("Muls", rest, "-1"), int_text(divisor - 1))
    above = unit.unary("ShiftRight", room, SIGN).kept()
    if fn == "/":
        return unit.binary("Sub", quotient, above)
    return unit.binary("Add", rest, unit.unary("Muls", above, int_text(divisor)))


def _by_lanes(unit: VectorUnit, fn: str, a: Lanes, b: Lanes) -> Lanes:
    a, b = unit.alike(a, b)
    a, b = a.kept(), b.kept()
    wide = unit.cast(b, "f32", "RINT").kept()

    def estimate(rest: Lanes) -> Lanes:
        return unit.cast(unit.binary("Div", unit.cast(rest, "f32", "RINT"), wide), "i32", "FLOOR").kept()

    def less(rest: Lanes, times: Lanes) -> Lanes:
        return unit.binary("Sub", rest, unit.binary("Mul", times, b))

    quotient = estimate(a)
    rest = less(a, quotient).kept()
    more = estimate(rest)
    quotient, rest = unit.binary("Add", quotient, more).kept(), less(rest, more).kept()
    # 1 or -1, as b; then all is as if b were positive
    sign = unit.unary("Adds", unit.unary("ShiftLeft", unit.unary("ShiftRight", b, SIGN), "1"), "1").kept()
    below = unit.unary("ShiftRight", unit.binary("Mul", rest, sign), SIGN).kept()
    quotient, rest = unit.binary("Add", quotient, below).kept(), less(rest, below).kept()
    last = unit.unary("Adds", unit.binary("Mul", b, sign), "-1")
    above = unit.unary("ShiftRight", unit.binary("Sub", last, unit.binary("Mul", rest, sign)), SIGN).kept()
    divides = unit.unary("ShiftRight", unit.binary("Or", unit.unary("Muls", b, "-1"), b), SIGN)  # -1 where b is not 0
    result = unit.binary("Sub", quotient, above) if fn == "/" else unit.binary("Add", rest, unit.binary("Mul", above, b))
    return unit.binary("And", result, divides)
