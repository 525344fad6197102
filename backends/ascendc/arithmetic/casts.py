"""Casts of the language by the conversions that the machine has.

    float -> float    to nearest even, one rounding
    float -> integer  truncates and saturates, NaN to 0
    integer -> integer wraps, integer -> float to nearest even

The vector unit converts between few pairs of types; the others are chains whose inner steps are exact (the pairs: asc-devkit,
impl/basic_api/dav_c220/kernel_operator_vec_vconv_impl.h). Integers wrap by taking the low half of each word with Gather or And.
"""

from __future__ import annotations

from collections.abc import Callable

from uol.backends.ascendc.arithmetic.f8 import F8, narrowed, widened
from uol.backends.ascendc.vector.unit import VectorUnit, halves
from uol.backends.ascendc.vector.values import Lanes, Unsupported

FLOATS = ("f32", "f16", "bf16", *F8)
BYTE_RANGE = {"i8": (-128, 127), "u8": (0, 255)}

Rule = Callable[[VectorUnit, Lanes], Lanes]


def convert(unit: VectorUnit, value: Lanes, dtype: str) -> Lanes:
    """The lanes as another element type."""
    source = value.dtype
    if source == dtype:
        return value
    if source in FLOATS and dtype in FLOATS:
        return _between_floats(unit, value, dtype)
    if source in FLOATS:
        return _to_integer(unit, _between_floats(unit, value, "f32"), dtype)
    if dtype in FLOATS:
        return _between_floats(unit, _integer_to_f32(unit, value), dtype)
    return _between_integers(unit, value, dtype)


def _between_floats(unit: VectorUnit, value: Lanes, dtype: str) -> Lanes:
    if value.dtype == dtype:
        return value
    wide = _to_f32(unit, value)
    if dtype in F8:
        return narrowed(unit, wide, dtype)
    return wide if dtype == "f32" else unit.cast(wide, dtype, "RINT")


def _to_f32(unit: VectorUnit, value: Lanes) -> Lanes:
    if value.dtype in F8:
        return widened(unit, value)
    return value if value.dtype == "f32" else unit.cast(value, "f32", "NONE")


def _to_integer(unit: VectorUnit, value: Lanes, dtype: str) -> Lanes:
    if dtype in ("i64", "i32", "i16"):
        return unit.cast(value, dtype, "TRUNC")
    if dtype not in BYTE_RANGE:
        raise Unsupported(f"a cast from a float to {dtype}: there is no such instruction", "cast to i64, i32, i16, i8 or u8")
    low, high = BYTE_RANGE[dtype]
    word = unit.cast(value, "i16", "TRUNC")
    clamped = unit.unary("Mins", unit.unary("Maxs", word, f"int16_t({low})"), f"int16_t({high})")
    return _word_to_byte(unit, clamped, dtype)


def _integer_to_f32(unit: VectorUnit, value: Lanes) -> Lanes:
    match value.dtype:
        case "i64":
            return unit.cast(value, "f32", "RINT")
        case "i32":
            return unit.cast(value, "f32", "RINT")
        case "i16":
            return unit.cast(value, "f32", "NONE")
        case "i8" | "u8" | "bool":
            return unit.cast(unit.cast(value, "f16", "NONE"), "f32", "NONE")
    raise Unsupported(f"a cast from {value.dtype} to a float: there is no such instruction", "cast to i32 first")


def _between_integers(unit: VectorUnit, value: Lanes, dtype: str) -> Lanes:
    """By way of i32: narrower sources are exact there, wider ones are cut to their low half."""
    source = value.dtype
    if source == "i64":
        return _between_integers(unit, halves(unit, value, "i32"), dtype)
    if dtype == "i64":
        return unit.cast(_between_integers(unit, value, "i32"), "i64", "NONE")
    if source in BYTE_RANGE and dtype in BYTE_RANGE:
        return _wrap_to_byte(unit, _byte_to_word(unit, value), dtype)
    if source in BYTE_RANGE:
        word = _byte_to_word(unit, value)
        return word if dtype == "i16" else unit.cast(unit.cast(word, "f32", "NONE"), "i32", "RINT")
    if source == "i16":
        if dtype == "i32":
            return unit.cast(unit.cast(value, "f32", "NONE"), "i32", "RINT")
        return _wrap_to_byte(unit, value, dtype)
    if source == "i32" and dtype == "i32":
        return value
    if source == "i32":
        word = halves(unit, value, "i16")
        return word if dtype == "i16" else _wrap_to_byte(unit, word, dtype)
    raise Unsupported(f"a cast from {source} to {dtype}: there is no such instruction", "cast by way of i32 or f32")


def _byte_to_word(unit: VectorUnit, value: Lanes) -> Lanes:
    return unit.cast(unit.cast(value, "f16", "NONE"), "i16", "RINT")


def _wrap_to_byte(unit: VectorUnit, word: Lanes, dtype: str) -> Lanes:
    """The low byte of i16: cut by And, or by shifting up and (with sign) down again."""
    if dtype == "u8":
        mask = unit.new(word.span, "i16", "low_byte")
        unit.emit(f"Duplicate({mask}, int16_t(255), {unit.count(word.span)});", (), (mask,))
        return _word_to_byte(unit, unit.binary("And", word, Lanes(mask, word.span)), dtype)
    if dtype == "i8":
        up = unit.unary("ShiftLeft", word, "int16_t(8)")
        return _word_to_byte(unit, unit.unary("ShiftRight", up, "int16_t(8)"), dtype)
    raise Unsupported(f"a cast to {dtype}: there is no such instruction", "cast to i8, u8 or i16")


def _word_to_byte(unit: VectorUnit, word: Lanes, dtype: str) -> Lanes:
    """i16 within the range of a byte: exact in f16 on the way."""
    return unit.cast(unit.cast(word, "f16", "RINT"), dtype, "RINT")
