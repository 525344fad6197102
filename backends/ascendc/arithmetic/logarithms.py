"""log1p and log2 from the bits of an exponent and a polynomial of what is left, without the machine's Ln.

    log2(x)  = e + f + f * Q(f),                       x = 2**e * (1 + f),      sqrt(1/2) <= 1 + f < sqrt(2)
    log1p(x) = e * log(2) + f + f**2 * P(f),       1 + x = 2**e * (1 + f),      f = x * 2**-e + (2**-e - 1)

so that log1p rounds 1 + x nowhere but in e. Outside of the open domain, and at its ends, Ln says what comes out: infinities
and NaN. Largest errors by comparison with float64: log2 1.1 ulp, log1p 1.4 ulp.
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.polynomials import FRACTION_BITS, LN2_HIGH, LN2_LOW, polynomial, power_of_two
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Mask, real, reinterpreted

SQRT_HALF_BITS = 0x3F3504F3
"""The f32 bits of sqrt(1/2), where the exponent of 1 + f starts."""
LEAST_NORMAL = 2.0**-126
SUBNORMAL_SHIFT = 24
"""Subnormal numbers are multiplied by 2**24 first."""
GREATEST_SHIFT = 126
"""2**-126 is the least power that power_of_two makes; beyond 2**-25 it is lost beside 1 anyway."""

LOG2_EXCESS = (
    0.44269505, -0.72134733, 0.4808979, -0.36069646, 0.28858542, -0.2396355, 0.2042922, -0.1906187, 0.18785428, -0.112992845,
)  # fmt: skip
"""log2(1 + f) / f - 1 in f, for sqrt(1/2) <= 1 + f <= sqrt(2): log2 off by 2**-27."""
LOG1P_SQUARE = (
    -0.49999988, 0.33333308, -0.25001526, 0.20003027, -0.16611078, 0.14163212, -0.13209201, 0.13006714, -0.07824624,
)  # fmt: skip
"""(log(1 + f) - f) / f**2 in f, for the same: log1p off by 2**-27."""
LOG1P_TINY = 2.0**-25
"""Below this log1p(x) is x in f32, subnormal numbers and both zeros too."""


def log2(unit: VectorUnit, x: Lanes) -> Lanes:
    """The binary logarithm."""
    x = x.kept()
    part, whole = normalised(unit, x)
    part = part.kept()
    value = unit.binary("Add", unit.binary("Mul", polynomial(unit, LOG2_EXCESS, part), part), part)
    return unit.select(between(unit, x, 0.0), unit.binary("Add", value, whole), unit.unary("Ln", x))


def log1p(unit: VectorUnit, x: Lanes) -> Lanes:
    """log(1 + x)."""
    x = x.kept()
    tiny = unit.compare("LT", unit.unary("Abs", x), real(LOG1P_TINY))
    shifted = unit.unary("Adds", x, "1.0f").kept()
    exponent = _exponent(unit, shifted).kept()
    down = unit.unary("Muls", unit.unary("Mins", exponent, str(GREATEST_SHIFT)), "-1")
    gap = unit.unary("Adds", power_of_two(unit, down), "-1.0f")
    part = unit.binary("Add", _scaled_down(unit, x, exponent), gap).kept()
    square = unit.binary("Mul", part, part)
    value = unit.binary("Mul", polynomial(unit, LOG1P_SQUARE, part), square)
    whole = unit.cast(exponent, "f32", "RINT").kept()
    value = unit.binary("Add", value, unit.unary("Muls", whole, real(LN2_LOW).text))
    value = unit.binary("Add", value, part)
    value = unit.binary("Add", value, unit.unary("Muls", whole, real(LN2_HIGH).text))
    return unit.select(tiny, x, unit.select(between(unit, x, -1.0), value, unit.unary("Ln", shifted)))


def normalised(unit: VectorUnit, x: Lanes) -> tuple[Lanes, Lanes]:
    """f and e in f32, where x = 2**e * (1 + f) is positive and finite."""
    x = x.kept()
    normal = unit.bits("Not", unit.compare("LT", x, real(LEAST_NORMAL)))
    scaled = unit.select(normal, x, unit.unary("Muls", x, real(2.0**SUBNORMAL_SHIFT).text)).kept()
    exponent = _exponent(unit, scaled).kept()
    part = unit.unary("Adds", _scaled_down(unit, scaled, exponent), "-1.0f")
    whole = unit.cast(exponent, "f32", "RINT").kept()
    return part, unit.select(normal, whole, unit.unary("Adds", whole, real(-float(SUBNORMAL_SHIFT)).text))


def _exponent(unit: VectorUnit, x: Lanes) -> Lanes:
    """e as i32, where x = 2**e * (1 + f)."""
    moved = unit.unary("Adds", reinterpreted(x, "i32"), str(-SQRT_HALF_BITS))
    return unit.unary("ShiftRight", moved, str(FRACTION_BITS))


def _scaled_down(unit: VectorUnit, x: Lanes, exponent: Lanes) -> Lanes:
    """x * 2**-exponent, exactly, where that is a normal number or the exponent is 0."""
    moved = unit.unary("ShiftLeft", exponent, str(FRACTION_BITS))
    return reinterpreted(unit.binary("Sub", reinterpreted(x, "i32"), moved), "f32")


def between(unit: VectorUnit, x: Lanes, low: float) -> Mask:
    """Where low < x < infinity: not where x is NaN."""
    return unit.bits("And", unit.compare("GT", x, real(low)), unit.compare("LT", x, real(float("inf"))))
