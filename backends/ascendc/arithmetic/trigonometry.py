"""sin and cos of every finite number, by the reduction of Payne and Hanek in i32 lanes.

    |x| = m * 2**e,   |x| * 2/pi = n + t  modulo 4,   |t| <= 1/2,   m whole, of 24 bits
    sin(x), cos(x) = +-sin(pi/2 * t) or +-cos(pi/2 * t), by n

Only the bits of 2/pi * 2**e below 4 matter, and of them the first 84: seven words of 12 bits, whose products with the two
halves of m are exact in i32. They come by Gather from one table of the bits of 2/pi. Largest error by comparison with
float64: 1.6 ulp. Source: M. Payne and R. Hanek, "Radian reduction for trigonometric functions", SIGNUM Newsletter 18, 1983.
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.polynomials import BIAS, FRACTION_BITS, polynomial
from uol.backends.ascendc.helpers import TWO_OVER_PI
from uol.backends.ascendc.instructions import Buffer, View
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, real, reinterpreted

LEAST_EXPONENT = -14
"""Below 2**-14 sin(x) is x, and cos(x) is 1, in f32."""
GREATEST_EXPONENT = 127
WORD_BITS = 12
WORDS = 7
PLACES = GREATEST_EXPONENT - LEAST_EXPONENT + WORD_BITS * (WORDS - 1) + 1
"""Places in the bits of 2/pi at which a word may start."""
QUARTER_BITS = 22
"""The first two sums of products, as one, count 2**-22 of a quarter turn."""

QUARTER_HIGH, QUARTER_LOW = 1.5707964, -4.3711390e-08
"""pi/2 in two parts."""
SIN_EXCESS = (-0.6459641, 0.07969259, -0.0046812966, 0.00015825994)
"""(sin(pi/2 * t) / t - pi/2) / t**2 in t**2, for |t| <= 0.5: sin off by 2**-37."""
COS_SQUARE = (-1.2337005, 0.25366923, -0.02086028, 0.0009040035)
"""(cos(pi/2 * t) - 1) / t**2 in t**2, for the same: cos off by 2**-34."""


def sin(unit: VectorUnit, x: Lanes) -> Lanes:
    """The sine of radians; NaN for an infinity."""
    x = x.kept()
    tiny = unit.compare("LT", unit.unary("Abs", x), real(2.0**LEAST_EXPONENT))
    negative = unit.unary("ShiftRight", reinterpreted(x, "u32"), "uint32_t(31)")
    turn = unit.unary("ShiftLeft", reinterpreted(negative, "i32"), "1")  # sin(-x) = sin(x + pi)
    quarters, high, low = _reduced(unit, x)
    return unit.select(tiny, x, _of_quarters(unit, x, unit.binary("Add", quarters, turn), high, low))


def cos(unit: VectorUnit, x: Lanes) -> Lanes:
    """The cosine of radians, which is the sine a quarter turn on; NaN for an infinity."""
    x = x.kept()
    quarters, high, low = _reduced(unit, x)
    return _of_quarters(unit, x, unit.unary("Adds", quarters, "1"), high, low)


def _reduced(unit: VectorUnit, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """n as i32, whose two low bits count, and t in two parts, the second half an ulp of the first at most."""
    sums = _carried(unit, _products(unit, x))
    turns = unit.binary("Add", unit.unary("ShiftLeft", sums[0], str(WORD_BITS)), sums[1]).kept()  # wraps at 2**10 quarters
    whole = unit.unary("Adds", turns, str(1 << (QUARTER_BITS - 1)))
    quarters = unit.unary("ShiftRight", whole, str(QUARTER_BITS)).kept()
    rest = unit.binary("Sub", turns, unit.unary("ShiftLeft", quarters, str(QUARTER_BITS)))
    middle = unit.binary("Add", unit.unary("ShiftLeft", sums[2], str(WORD_BITS)), sums[3])
    scales = (QUARTER_BITS, QUARTER_BITS + 2 * WORD_BITS, QUARTER_BITS + 3 * WORD_BITS)
    first, second, third = (
        unit.unary("Muls", unit.cast(part, "f32", "RINT"), real(2.0**-scale).text)
        for part, scale in zip((rest, middle, sums[4]), scales, strict=True)
    )
    first, second = first.kept(), second.kept()
    high = unit.binary("Add", first, second).kept()
    low = unit.binary("Add", unit.binary("Sub", first, high), second)  # exactly what the sum has lost
    return quarters, high, unit.binary("Add", low, third)


def _products(unit: VectorUnit, x: Lanes) -> list[Lanes]:
    """Sums of the products of equal weight, from 2**-10 of a quarter turn downwards by 2**-12: what the upper half of m makes
    of the first word is whole turns."""
    bits = reinterpreted(unit.unary("Abs", x), "i32").kept()
    exponent = unit.unary("ShiftRight", bits, str(FRACTION_BITS)).kept()
    fraction = unit.binary("Sub", bits, unit.unary("ShiftLeft", exponent, str(FRACTION_BITS)))
    digits = unit.unary("Adds", fraction, str(1 << FRACTION_BITS)).kept()
    upper = unit.unary("ShiftRight", digits, str(WORD_BITS)).kept()
    lower = unit.binary("Sub", digits, unit.unary("ShiftLeft", upper, str(WORD_BITS))).kept()
    bounded = unit.unary("Maxs", exponent, str(BIAS + LEAST_EXPONENT))
    bounded = unit.unary("Mins", bounded, str(BIAS + GREATEST_EXPONENT))
    place = unit.unary("ShiftLeft", unit.unary("Adds", bounded, str(-BIAS - LEAST_EXPONENT)), "2")  # bytes
    table, sums = _bits_of_two_over_pi(unit), list[Lanes]()
    for number in range(WORDS):
        word = _gathered(unit, table, place.view.of_type("u32"), place, number * WORD_BITS * 4).kept()
        if sums:
            sums[-1] = unit.binary("Add", sums[-1], unit.binary("Mul", word, upper))
        if number + 1 < WORDS:
            sums.append(unit.binary("Mul", word, lower))
    return sums


def _carried(unit: VectorUnit, sums: list[Lanes]) -> list[Lanes]:
    """The sums with all but the first below 2**12."""
    sums = [s.kept() for s in sums]
    for number in range(len(sums) - 1, 0, -1):
        carry = unit.unary("ShiftRight", sums[number], str(WORD_BITS)).kept()
        sums[number - 1] = unit.binary("Add", sums[number - 1], carry).kept()
        sums[number] = unit.binary("Sub", sums[number], unit.unary("ShiftLeft", carry, str(WORD_BITS))).kept()
    return sums


def _gathered(unit: VectorUnit, table: View, offsets: View, like: Lanes, first: int) -> Lanes:
    dst = unit.new(like.span, "i32", "word")
    unit.emit(f"Gather({dst}, {table}, {offsets}, {first}, {unit.count(like.span)});", (table, offsets), (dst,))
    return Lanes(dst, like.span)


def _bits_of_two_over_pi(unit: VectorUnit) -> View:
    """Twelve bits of 2/pi from each place on, made once before all loops, and after what CreateVecIndex makes: it sets flags
    from the scalar to the vector unit of its own."""
    name = "bits_of_two_over_pi"
    if name in unit.builder.buffers:
        return unit.builder.buffers[name].view()
    with unit.builder.prologue():
        table = unit.builder.buffer(Buffer(name, "i32", PLACES))
        with unit.builder.loop("place", str(PLACES), ctype="int", least=PLACES):
            text = f"{table}.SetValue(place, {TWO_OVER_PI}(place));"
            unit.builder.emit("S", text, writes=(table.at("", per="place"),), amount=("1",))
    return table


def _of_quarters(unit: VectorUnit, x: Lanes, quarters: Lanes, high: Lanes, low: Lanes) -> Lanes:
    """sin(pi/2 * (n + t)); the difference of x with itself is NaN where x has no sine."""
    quarters, high = quarters.kept(), high.kept()
    halves = unit.unary("ShiftRight", quarters, "1").kept()
    odd = unit.binary("Sub", quarters, unit.unary("ShiftLeft", halves, "1"))
    even = unit.compare("EQ", unit.cast(odd, "f32", "RINT"), real(0.0))
    square = unit.binary("Mul", high, high).kept()
    excess = unit.binary("Mul", polynomial(unit, SIN_EXCESS, square), square)
    excess = unit.binary("Mul", unit.unary("Adds", excess, real(QUARTER_LOW).text), high)
    excess = unit.binary("Add", excess, unit.unary("Muls", low, real(QUARTER_HIGH).text))
    sine = unit.binary("Add", excess, unit.unary("Muls", high, real(QUARTER_HIGH).text))
    cosine = unit.unary("Adds", unit.binary("Mul", polynomial(unit, COS_SQUARE, square), square), "1.0f")
    value = reinterpreted(unit.select(even, sine, cosine), "i32")
    flipped = unit.binary("Add", value, unit.unary("ShiftLeft", halves, "31"))
    return unit.binary("Add", reinterpreted(flipped, "f32"), unit.binary("Sub", x, x))
