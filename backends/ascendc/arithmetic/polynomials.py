"""What sequences of f32 instructions share: polynomials, clamping, and powers of two made of their bits."""

from __future__ import annotations

from collections.abc import Sequence

from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, real, reinterpreted

FRACTION_BITS = 23
BIAS = 127

LN2_HIGH = 0.693145751953125
"""log(2) to 16 bits, so that its products with whole numbers below 2**8 are exact in f32."""
LN2_LOW = 1.42860677e-06
"""What is left of log(2)."""


def polynomial(unit: VectorUnit, coefficients: Sequence[float], x: Lanes) -> Lanes:
    """sum of coefficients[i] * x**i by Horner's rule."""
    x = x.kept()
    value = unit.unary("Muls", x, real(coefficients[-1]).text)
    for coefficient in coefficients[-2:0:-1]:
        value = unit.unary("Adds", value, real(coefficient).text)
        value = unit.binary("Mul", value, x)
    return unit.unary("Adds", value, real(coefficients[0]).text)


def clamped(unit: VectorUnit, x: Lanes, low: float, high: float) -> Lanes:
    """min(max(x, low), high); NaN stays, since every comparison with it is false."""
    x = x.kept()
    above = unit.bits("Not", unit.compare("LT", x, real(low)))
    raised = unit.select(above, x, real(low)).kept()
    below = unit.bits("Not", unit.compare("GT", raised, real(high)))
    return unit.select(below, raised, real(high))


def power_of_two(unit: VectorUnit, exponent: Lanes, added: int = 0) -> Lanes:
    """2**(exponent + added) in f32, of i32 lanes for which it is a normal number."""
    biased = unit.unary("Adds", exponent, str(BIAS + added))
    return reinterpreted(unit.unary("ShiftLeft", biased, str(FRACTION_BITS)), "f32")
