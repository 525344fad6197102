"""f8e4m3 and f8e5m2 by integer instructions on bit patterns: the 910B has no conversions of them.

Widening goes through f16, of which e5m2 is the upper half; e4m3 moves to its place there, and a factor mends the exponent's
bias. Narrowing rounds to nearest even on the bits of f32 where the result is normal, and by the adder where it is subnormal:
both parts are clamped to meet at the least normal number, and are added. Source: OCP 8-bit Floating Point Specification.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, real, reinterpreted

INFINITY_BITS = 0x7F800000


@dataclass(frozen=True, slots=True)
class _Format:
    """Bits of the fraction, bias of the exponent, and the magnitude that stands for what is too large; NaN is 0x7f."""

    digits: int
    bias: int
    overflow: int


F8 = {"f8e4m3": _Format(3, 7, 0x7E), "f8e5m2": _Format(2, 15, 0x7C)}


def widened(unit: VectorUnit, value: Lanes) -> Lanes:
    """Bytes as f32 lanes."""
    word = unit.cast(unit.cast(value, "f16", "NONE"), "i16", "RINT").kept()
    if value.dtype == "f8e5m2":
        return unit.cast(reinterpreted(unit.unary("ShiftLeft", word, "int16_t(8)"), "f16"), "f32", "NONE")
    sign = unit.unary("ShiftRight", word, "int16_t(7)").kept()
    magnitude = unit.binary("Sub", word, unit.unary("ShiftLeft", sign, "int16_t(7)")).kept()
    nan = unit.unary("ShiftRight", unit.unary("Adds", magnitude, "int16_t(1)"), "int16_t(7)")
    pattern = unit.binary("Add", unit.unary("ShiftLeft", magnitude, "int16_t(7)"), _times(unit, nan, 0x7E00 - 0x3F80))
    pattern = unit.binary("Add", pattern, unit.unary("ShiftLeft", sign, "int16_t(15)"))
    return unit.unary("Muls", unit.cast(reinterpreted(pattern, "f16"), "f32", "NONE"), "256.0f")


def _times(unit: VectorUnit, value: Lanes, factor: int) -> Lanes:
    return unit.unary("Muls", value, f"int16_t({factor})")


def narrowed(unit: VectorUnit, value: Lanes, dtype: str) -> Lanes:
    """f32 lanes as bytes."""
    form = F8[dtype]
    dropped = 23 - form.digits
    bits = reinterpreted(value.kept(), "u32")
    sign = reinterpreted(unit.unary("ShiftRight", bits, "uint32_t(31)"), "i32")
    doubled = unit.unary("ShiftLeft", bits, "uint32_t(1)")
    magnitude = reinterpreted(unit.unary("ShiftRight", doubled, "uint32_t(1)"), "i32").kept()
    nan = unit.unary("Mins", unit.unary("Maxs", unit.unary("Adds", magnitude, f"-{INFINITY_BITS}"), "0"), "1")
    finite = unit.unary("Mins", magnitude, str(INFINITY_BITS)).kept()
    code = unit.binary("Add", _normal(unit, finite, form, dropped), _subnormal(unit, finite, form, dropped))
    code = unit.binary("Add", code, unit.unary("Muls", nan, str(0x7F - form.overflow)))
    code = unit.binary("Add", code, unit.unary("ShiftLeft", sign, "7"))
    return unit.cast(unit.cast(unit.cast(code, "f32", "RINT"), "f16", "RINT"), dtype, "RINT")


def _least(form: _Format) -> int:
    """The f32 bits of the least normal number."""
    return (128 - form.bias) << 23


def _normal(unit: VectorUnit, finite: Lanes, form: _Format, dropped: int) -> Lanes:
    """Half a unit less one is added, and the last kept bit for ties; of what is less than normal, the least normal number."""
    normal = unit.unary("Maxs", finite, str(_least(form))).kept()
    last = unit.unary("ShiftLeft", reinterpreted(normal, "u32"), f"uint32_t({31 - dropped})")
    odd = reinterpreted(unit.unary("ShiftRight", last, "uint32_t(31)"), "i32")
    rounded = unit.unary("Adds", unit.binary("Add", odd, normal), str((1 << (dropped - 1)) - 1))
    code = unit.unary("Adds", unit.unary("ShiftRight", rounded, str(dropped)), f"-{(127 - form.bias) << form.digits}")
    return unit.unary("Mins", code, str(form.overflow))


def _subnormal(unit: VectorUnit, finite: Lanes, form: _Format, dropped: int) -> Lanes:
    """What is less than normal, in units of the least subnormal number, less the least normal one: the adder rounds."""
    low = reinterpreted(unit.unary("Mins", finite, str(_least(form))), "f32")
    exponent = 128 - form.bias + dropped
    units = reinterpreted(unit.unary("Adds", low, real(2.0 ** (exponent - 127)).text), "i32")
    return unit.unary("Adds", units, f"-{(exponent << 23) + (1 << form.digits)}")
