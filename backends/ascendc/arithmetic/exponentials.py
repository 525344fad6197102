"""expm1 and exp2 by reduction to |r| <= 1/2, without the machine's Exp.

    expm1(x) = 2 * (2**(n-1) * expm1(r) + (2**(n-1) - 1/2)),    x = n * log(2) + r
    exp2(x)  = 2**n * 2**r,                                     x = n + r

The products with powers of two are exact. Largest errors by comparison with float64: expm1 1.1 ulp, exp2 1.2 ulp.
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.polynomials import LN2_HIGH, LN2_LOW, clamped, polynomial, power_of_two
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, real

EXPM1_SQUARE = (0.50000006, 0.16666669, 0.041665312, 0.008333072, 0.0013997675, 0.00019993202)
"""(expm1(r) - r) / r**2 in r, for |r| < 0.5: expm1 off by 2**-28."""
EXPM1_NEAR = 0.5
"""Below this nothing is reduced: n = 0. Above, no digits are lost where the two terms differ in sign."""
EXPM1_TINY = 2.0**-24
"""Below this expm1(x) is x in f32, subnormal numbers and both zeros too."""
EXPM1_LEAST, EXPM1_GREATEST = -30.0, 89.0
"""Beyond these expm1 is -1 and infinite in f32."""
LOG2_E = 1.4426950408889634

EXP2_LINEAR = (0.6931472, 0.2402265, 0.05550328, 0.009618006, 0.0013400284, 0.00015475898)
"""(2**r - 1) / r in r, for |r| <= 0.5: exp2 off by 2**-29."""
EXP2_LEAST, EXP2_GREATEST = -151.0, 129.0
"""Beyond these exp2 is 0 and infinite in f32."""


def expm1(unit: VectorUnit, x: Lanes) -> Lanes:
    """exp(x) - 1."""
    x = x.kept()
    size = unit.unary("Abs", x).kept()
    tiny = unit.compare("LT", size, real(EXPM1_TINY))
    far = unit.bits("Not", unit.compare("LT", size, real(EXPM1_NEAR)))
    bounded = clamped(unit, x, EXPM1_LEAST, EXPM1_GREATEST)
    turns = unit.round(unit.unary("Muls", bounded.kept(), real(LOG2_E).text), "RINT")
    turns = unit.select(far, turns, real(0.0)).kept()
    rest = unit.binary("Sub", bounded, unit.unary("Muls", turns, real(LN2_HIGH).text))
    rest = unit.binary("Sub", rest, unit.unary("Muls", turns, real(LN2_LOW).text)).kept()
    square = unit.binary("Mul", rest, rest)
    value = unit.binary("Add", unit.binary("Mul", polynomial(unit, EXPM1_SQUARE, rest), square), rest)
    half_power = power_of_two(unit, unit.cast(turns, "i32", "RINT"), -1).kept()
    half = unit.binary("Add", unit.binary("Mul", value, half_power), unit.unary("Adds", half_power, "-0.5f"))
    return unit.select(tiny, x, unit.unary("Muls", half, "2.0f"))


def exp2(unit: VectorUnit, x: Lanes) -> Lanes:
    """2**x."""
    bounded = clamped(unit, x, EXP2_LEAST, EXP2_GREATEST).kept()
    turns = unit.round(bounded, "RINT").kept()
    return of_parts(unit, turns, unit.binary("Sub", bounded, turns))


def of_parts(unit: VectorUnit, turns: Lanes, rest: Lanes) -> Lanes:
    """2**(turns + rest), |rest| <= 0.5, turns whole and bounded. The power comes in two factors, so that a subnormal result is
    rounded once."""
    rest = rest.kept()
    value = unit.unary("Adds", unit.binary("Mul", polynomial(unit, EXP2_LINEAR, rest), rest), "1.0f")
    exponent = unit.cast(turns, "i32", "RINT").kept()
    first = unit.unary("ShiftRight", exponent, "1").kept()
    second = unit.binary("Sub", exponent, first)
    value = unit.binary("Mul", value, power_of_two(unit, first))
    return unit.binary("Mul", value, power_of_two(unit, second))
