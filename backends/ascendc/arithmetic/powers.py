"""pow(x, y) = 2**(y * log2|x|), the logarithm and the product in two parts of f32 each, and a sign.

    |x| = 2**e * (1 + f),   s = f / (2 + f),   log2|x| = e + C * s + s**3 * Q(s**2),   C = 2 / log(2)

A number's upper 12 bits are split off so that products of such parts are exact. Largest error by comparison with float64:
2.6 ulp, where the result is near the ends of the range of f32. Zeros, infinities, NaN and whole y of negative x are those of
C's pow.
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.exponentials import EXP2_GREATEST, EXP2_LEAST, of_parts
from uol.backends.ascendc.arithmetic.logarithms import between, normalised
from uol.backends.ascendc.arithmetic.polynomials import clamped, polynomial
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Mask, Uniform, real, reinterpreted

LOW_BITS = 12
FACTOR, FACTOR_HIGH = 2.8853900817779268, 2.884765625
"""C, and its upper 12 bits."""
ATANH_EXCESS = (0.9617967, 0.5770798, 0.41189882, 0.3366489)
"""(log2((1 + s) / (1 - s)) - C * s) / s**3 in s**2, for s**2 <= 0.0295: Q off by 2**-29."""
FAR = 160.0
"""Beyond this a power of two is 0 or infinite in f32."""


def power(unit: VectorUnit, x: Lanes, y: Lanes) -> Lanes:
    """x to the power of y."""
    x, y = (lanes.kept() for lanes in unit.alike(x, y))
    size = unit.unary("Abs", x).kept()
    ordinary = between(unit, size, 0.0)
    high, low = _logarithm(unit, size)
    high = unit.select(ordinary, high, unit.unary("Ln", size)).kept()  # of 0, infinities and NaN
    value = _power_of_product(unit, y, high, low)
    value = unit.select(unit.bits("Not", unit.compare("EQ", size, real(1.0))), value, real(1.0))
    return _signed(unit, x, y, value, ordinary)


def _logarithm(unit: VectorUnit, size: Lanes) -> tuple[Lanes, Lanes]:
    """log2 in two parts, off by 2**-30 of it."""
    part, whole = normalised(unit, size)
    part, whole = part.kept(), whole.kept()
    bottom = unit.unary("Adds", part, "2.0f").kept()
    lost = unit.binary("Sub", part, unit.unary("Adds", bottom, "-2.0f"))
    ratio = unit.binary("Div", part, bottom).kept()
    upper, _ = _split(unit, ratio)
    bottom_high, bottom_low = _split(unit, bottom)
    rest = unit.binary("Sub", part, unit.binary("Mul", upper, bottom_high))
    rest = unit.binary("Sub", rest, unit.binary("Mul", upper, bottom_low))
    rest = unit.binary("Sub", rest, unit.binary("Mul", lost, upper))
    lower = unit.binary("Div", rest, bottom)  # upper + lower = f / (2 + f)
    square = unit.binary("Mul", ratio, ratio).kept()
    small = unit.binary("Mul", unit.binary("Mul", polynomial(unit, ATANH_EXCESS, square), square), ratio)
    small = unit.binary("Add", small, unit.unary("Muls", upper, real(FACTOR - FACTOR_HIGH).text))
    small = unit.binary("Add", small, unit.unary("Muls", lower, real(FACTOR).text))
    large = unit.unary("Muls", upper, real(FACTOR_HIGH).text)  # exactly
    return _sum(unit, *_sum(unit, whole, large), small)


def _sum(unit: VectorUnit, a: Lanes, b: Lanes, c: Lanes | None = None) -> tuple[Lanes, Lanes]:
    """a + b (+ c) as a rounded number and what that has lost, where a is the larger, or 0."""
    a, b = a.kept(), (b if c is None else unit.binary("Add", b, c)).kept()
    high = unit.binary("Add", a, b).kept()
    return high, unit.binary("Sub", b, unit.binary("Sub", high, a)).kept()


def _power_of_product(unit: VectorUnit, y: Lanes, high: Lanes, low: Lanes) -> Lanes:
    """2**(y * (high + low))."""
    product = unit.binary("Mul", y, high).kept()
    near = unit.compare("LE", unit.unary("Abs", product), real(FAR))
    y_high, y_low = _split(unit, y)
    upper, lower = _split(unit, high)
    rest = unit.binary("Add", unit.binary("Mul", y_high, lower), unit.binary("Mul", y_low, upper))
    rest = unit.binary("Add", rest, unit.binary("Mul", y_low, lower))
    rest = unit.binary("Add", rest, unit.binary("Mul", y, low))
    rest = unit.select(near, rest, real(0.0)).kept()
    first = unit.select(near, unit.binary("Mul", y_high, upper), product)
    first = clamped(unit, first, EXP2_LEAST, EXP2_GREATEST).kept()
    turns = unit.round(unit.binary("Add", first, rest), "RINT").kept()
    return of_parts(unit, turns, unit.binary("Add", unit.binary("Sub", first, turns), rest))


def _split(unit: VectorUnit, x: Lanes) -> tuple[Lanes, Lanes]:
    """The upper 12 bits of a number, and what is left: 12 bits."""
    bits = unit.unary("ShiftRight", reinterpreted(x.kept(), "i32"), str(LOW_BITS))
    high = reinterpreted(unit.unary("ShiftLeft", bits, str(LOW_BITS)), "f32").kept()
    return high, unit.binary("Sub", x.kept(), high).kept()


def _signed(unit: VectorUnit, x: Lanes, y: Lanes, value: Lanes, ordinary: Mask) -> Lanes:
    """The sign of x where y is odd; NaN of a negative number where y is not whole; 1 where y is 0, or x is 1."""
    whole = unit.compare("EQ", unit.round(y, "RINT"), y)
    half = unit.unary("Muls", y, "0.5f").kept()
    odd = unit.bits("And", whole, unit.compare("NE", unit.round(half, "RINT"), half))
    sign = unit.unary("ShiftRight", reinterpreted(x, "u32"), "uint32_t(31)")
    sign = unit.unary("ShiftLeft", reinterpreted(sign, "i32"), "31")
    sign = unit.select(odd, sign, Uniform("0", "i32", 0))
    value = reinterpreted(unit.binary("Add", reinterpreted(value, "i32"), sign), "f32")
    undefined = unit.bits("And", ordinary, unit.compare("LT", x, real(0.0)))
    undefined = unit.bits("And", undefined, unit.bits("Not", whole))
    value = unit.select(unit.bits("Not", undefined), value, real(float("nan")))
    one = unit.bits("Or", unit.compare("EQ", y, real(0.0)), unit.compare("EQ", x, real(1.0)))
    return unit.select(unit.bits("Not", one), value, real(1.0))
