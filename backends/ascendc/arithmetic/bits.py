"""And, Or, exclusive or, Not and shifts of integers, of 32 bits as i32 lanes, of 64 bits as they lie in memory.

There is no Xor: x ^ y = (x | y) - (x & y), in which no bit borrows. Lanes are shifted by scalars alone; by a number that each
lane has of its own they move by 16, 8, 4, 2 and 1 places, where the number has that bit. A value of 64 bits that moves is two
words, of which one takes in what leaves the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from uol.backends.ascendc.arithmetic.int64_pairs import interleaved, words_of
from uol.backends.ascendc.arithmetic.integer_division import SIGN
from uol.backends.ascendc.instructions import View
from uol.backends.ascendc.machine import BYTES
from uol.backends.ascendc.vector.evaluation import Evaluation
from uol.backends.ascendc.vector.tile import UNIFORM
from uol.backends.ascendc.vector.unit import VectorUnit, times
from uol.backends.ascendc.vector.values import Lanes, Mask, Uniform, Value, reinterpreted
from uol.ir.program.nodes import Expr

WORD_BITS = 32
WITHIN_WORD = (16, 8, 4, 2, 1)
INSTRUCTION = {"bit_and": "And", "bit_or": "Or", "shift_left": "ShiftLeft", "shift_right": "ShiftRight"}

Words = tuple[Lanes, Lanes]
"""The low and the high words."""


def of_words(unit: VectorUnit, fn: str, args: list[Value]) -> Lanes:
    """A function of bits of i32, of which one argument at least is lanes."""
    span = reduce(frozenset.union, (a.span for a in args if isinstance(a, Lanes)), UNIFORM)
    if fn.startswith("shift") and isinstance(args[1], Uniform) and args[1].number is not None and isinstance(args[0], Lanes):
        return _by_number(unit, fn, args[0], int(args[1].number))
    lanes = [a if isinstance(a, Lanes) else unit.duplicate(a, span, "i32") for a in args]
    if not fn.startswith("shift"):
        return _bitwise(unit, fn, lanes)
    value, by = unit.alike(*lanes)
    by = by.kept()
    inside = _has(unit, unit.unary("ShiftRight", by, "5"), 0)
    if fn == "shift_right":
        by = unit.select(inside, by, Uniform(SIGN, "i32", int(SIGN))).kept()
    for places in WITHIN_WORD:
        value = value.kept()
        moved = unit.unary(INSTRUCTION[fn], value, str(places))
        value = unit.select(_has_bit(unit, by, places), moved, value)
    return value if fn == "shift_right" else unit.select(inside, value, Uniform("0", "i32", 0))


def of_longs(at: Evaluation, fn: str, args: tuple[Expr, ...]) -> Lanes:
    """A function of bits of i64."""
    if fn.startswith("shift"):
        return interleaved(at.unit, *_shifted(at.unit, fn, words_of(at, args[0]), words_of(at, args[1])))
    values = [at.value(a) for a in args]
    whole = [v for v in values if isinstance(v, Lanes) and v.dtype == "i64"]
    if len(whole) == len(values) and len({v.span for v in whole}) == 1:
        return _bitwise(at.unit, fn, whole)
    low, high = zip(*(words_of(at, a) for a in args), strict=True)
    return interleaved(at.unit, _bitwise(at.unit, fn, list(low)), _bitwise(at.unit, fn, list(high)))


def _by_number(unit: VectorUnit, fn: str, value: Lanes, by: int) -> Lanes:
    if by == 0:
        return value
    if 0 < by < WORD_BITS:
        return unit.unary(INSTRUCTION[fn], value, str(by))
    if fn == "shift_right":
        return unit.unary("ShiftRight", value, SIGN)
    return unit.duplicate(Uniform("0", "i32", 0), value.span, "i32")


def _bitwise(unit: VectorUnit, fn: str, args: list[Lanes]) -> Lanes:
    """The function of lanes of one type. Its instructions take 16-bit words, so that the width of the type does not matter."""
    if fn == "bit_not":
        (value,) = args
        dst = value.view if value.spare else unit.new(value.span, value.dtype)
        unit.lanewise("Not", dst, value.view, span=value.span)
        return Lanes(dst, value.span)
    if fn in INSTRUCTION:
        return unit.binary(INSTRUCTION[fn], *args)
    a, b = (x.kept() for x in unit.alike(*args))
    either, both = unit.binary("Or", a, b), unit.binary("And", a, b)
    _subtract_words(unit, either.view, both.view, times(unit.count(a.span), BYTES[a.dtype] // BYTES["i32"]))
    return either


def _subtract_words(unit: VectorUnit, value: View, other: View, count: str) -> None:
    words = value.of_type("i32"), other.of_type("i32")
    unit.emit(f"Sub({words[0]}, {words[0]}, {words[1]}, {count});", words, (words[0],))


def _shifted(unit: VectorUnit, fn: str, value: Words, by: Words) -> Words:
    """Words by numbers of 64 bits, of which the low word says all where it is 0 to 63 and the high one is 0."""
    span = reduce(frozenset.union, (w.span for w in (*value, *by)))
    low, high, by_low, by_high = (unit.broadcast(w, span) for w in (*value, *by))
    by_low = by_low.kept()
    inside = _has(unit, unit.binary("Or", unit.unary("ShiftRight", by_low, "6"), by_high), 0)
    if fn == "shift_right":
        by_low = unit.select(inside, by_low, Uniform("63", "i32", 63)).kept()
    moves: Callable[[VectorUnit, Lanes, Lanes, int], Words] = _left if fn == "shift_left" else _right
    for places in (WORD_BITS, *WITHIN_WORD):
        low, high = low.kept(), high.kept()
        chosen = _has_bit(unit, by_low, places)
        moved_low, moved_high = moves(unit, low, high, places)
        low, high = unit.select(chosen, moved_low, low), unit.select(chosen, moved_high, high)
    if fn == "shift_right":
        return low, high
    nothing = Uniform("0", "i32", 0)
    return unit.select(inside, low, nothing), unit.select(inside, high, nothing)


def _left(unit: VectorUnit, low: Lanes, high: Lanes, places: int) -> Words:
    if places == WORD_BITS:
        return unit.duplicate(Uniform("0", "i32", 0), low.span, "i32"), low
    carried = _unsigned(unit, "ShiftRight", low, WORD_BITS - places)
    return unit.unary("ShiftLeft", low, str(places)), unit.binary("Or", unit.unary("ShiftLeft", high, str(places)), carried)


def _right(unit: VectorUnit, low: Lanes, high: Lanes, places: int) -> Words:
    if places == WORD_BITS:
        return high, unit.unary("ShiftRight", high, SIGN)
    carried = unit.unary("ShiftLeft", high, str(WORD_BITS - places))
    return unit.binary("Or", _unsigned(unit, "ShiftRight", low, places), carried), unit.unary("ShiftRight", high, str(places))


def _unsigned(unit: VectorUnit, call: str, word: Lanes, places: int) -> Lanes:
    """The shift of a word that has no sign."""
    return reinterpreted(unit.unary(call, reinterpreted(word, "u32"), f"uint32_t({places})"), "i32")


def _has_bit(unit: VectorUnit, value: Lanes, bit: int) -> Mask:
    """The lanes whose number has a bit, which is given as the power of two that it stands for."""
    wanted = unit.duplicate(Uniform(str(bit), "i32", bit), value.span, "i32").kept()
    return unit.compare("EQ", unit.binary("And", value, wanted), wanted)


def _has(unit: VectorUnit, value: Lanes, number: int) -> Mask:
    """The lanes that are a number. They are compared with lanes: the comparison with a scalar is one of floats."""
    return unit.compare("EQ", value, unit.duplicate(Uniform(str(number), "i32", number), value.span, "i32"))
