"""f16, bf16 and f8 as f32 numbers: widening from storage, rounding, and narrowing to storage.

Rounding is to nearest, ties to even. bf16 and f8 are done on the bits, so that no type of TVM or LLVM is needed; the
steps are those of the formats' definitions (bfloat16; OCP 8-bit floating point, e4m3 and e5m2).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.arithmetic import is_nan
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term


def widen(share: Share, stored: Term, dtype: str) -> Term:
    """The f32 number that a stored f16, bf16 or f8 stands for."""
    match dtype:
        case "f16":
            return tirx.Cast("float32", stored)
        case "bf16":
            return _as_float(_int(stored) << _i32(16))
        case "f8e5m2":  # the upper half of an f16
            return tirx.Cast("float32", tirx.reinterpret("float16", tirx.Cast("uint16", stored) << tirx.const(8, "uint16")))
        case "f8e4m3":
            return _widen_e4m3(share, stored)
    raise ValueError(f"{dtype} is not a narrow float")


def pack(share: Share, value: Term, dtype: str) -> Term:
    """The stored form of a number of the type: nothing is left to round."""
    if dtype == "bf16":
        return tirx.Cast("uint16", _bits(value) >> _i32(16))
    return narrow(share, value, dtype)


def narrow(share: Share, value: Term, dtype: str) -> Term:
    """The stored form of the nearest number of the type."""
    match dtype:
        case "f16":
            return tirx.Cast("float16", value)
        case "bf16":
            return tirx.Cast("uint16", _bf16_bits(share, value) >> _i32(16))
        case "f8e4m3":
            return _narrow_f8(share, value, E4M3)
        case "f8e5m2":
            return _narrow_f8(share, value, E5M2)
    raise ValueError(f"{dtype} is not a narrow float")


def round_to(share: Share, value: Term, dtype: str) -> Term:
    """The nearest number of the type, as f32."""
    match dtype:
        case "f16":
            return tirx.Cast("float32", tirx.Cast("float16", value))
        case "bf16":
            return _as_float(_bf16_bits(share, value))
    return widen(share, narrow(share, value, dtype), dtype)


def round_to_odd(share: Share, value: Term) -> Term:
    """f64 -> f32 such that a further rounding to a type of at most 22 digits is as if done in one step: the
    truncated significand, its last bit set where anything was cut off."""
    value = share(value)
    nearest = share(tirx.Cast("float32", value))
    back = share(tirx.Cast("float64", nearest))
    bits = share(_bits(nearest))
    even = tirx.EQ(bits & _i32(1), _i32(0))
    too_far = tirx.GT(tirx.abs(back), tirx.abs(value))
    odd = tirx.Select(too_far, bits - _i32(1), bits + _i32(1))
    inexact = tirx.And(tirx.EQ(value, value), tirx.Not(tirx.EQ(back, value)))
    return _as_float(tirx.Select(tirx.And(inexact, even), odd, bits))


def _i32(value: int) -> Term:
    return tirx.const(value, "int32")


def _int(stored: Term) -> Term:
    return tirx.Cast("int32", stored)


def _bits(value: Term) -> Term:
    return tirx.reinterpret("int32", value)


def _as_float(bits: Term) -> Term:
    return tirx.reinterpret("float32", bits)


def _bf16_bits(share: Share, value: Term) -> Term:
    """The f32 bits of the nearest bf16: half a unit less one is added, plus the last kept bit for ties."""
    value = share(value)
    bits = share(_bits(value))
    rounded = (bits + _i32(0x7FFF) + ((bits >> _i32(16)) & _i32(1))) & _i32(-0x10000)
    return tirx.Select(is_nan(share, value), _i32(0x7FC00000), rounded)


def _widen_e4m3(share: Share, stored: Term) -> Term:
    """The exponent's bias goes from 7 to 127 by a multiplication, which takes subnormals along."""
    wide = share(_int(stored))
    magnitude = share(wide & _i32(0x7F))
    number = tirx.Mul(_as_float(magnitude << _i32(20)), tirx.const(2.0**120, "float32"))
    bits = tirx.Select(tirx.EQ(magnitude, _i32(0x7F)), _i32(0x7FC00000), _bits(number))
    return _as_float(bits | ((wide & _i32(0x80)) << _i32(24)))


@dataclass(frozen=True, slots=True)
class _F8:
    """`bias` of the exponent, `fraction` bits, and the stored magnitudes for overflow and NaN."""

    bias: int
    fraction: int
    overflow: int
    nan: int


E4M3 = _F8(bias=7, fraction=3, overflow=0x7E, nan=0x7F)
E5M2 = _F8(bias=15, fraction=2, overflow=0x7C, nan=0x7F)


def _narrow_f8(share: Share, value: Term, kind: _F8) -> Term:
    value = share(value)
    bits = share(_bits(value))
    magnitude = share(bits & _i32(0x7FFFFFFF))
    dropped = 23 - kind.fraction
    # normal results: rebias the exponent and round on the bits
    odd = (magnitude >> _i32(dropped)) & _i32(1)
    normal = (magnitude + _i32(((kind.bias - 127) << 23) + (1 << (dropped - 1)) - 1) + odd) >> _i32(dropped)
    # subnormal results: the adder rounds when a number with the right unit in the last place is added
    shift = (127 - kind.bias + dropped + 1) << 23
    subnormal = _bits(tirx.Add(_as_float(magnitude), _as_float(_i32(shift)))) - _i32(shift)
    result = share(tirx.Select(tirx.LT(magnitude, _i32((128 - kind.bias) << 23)), subnormal, normal))
    result = tirx.Select(tirx.GT(result, _i32(kind.overflow)), _i32(kind.overflow), result)
    result = tirx.Select(tirx.GE(magnitude, _i32(0x7F800000)), _i32(kind.overflow), result)
    result = tirx.Select(is_nan(share, value), _i32(kind.nan), result)
    return tirx.Cast("uint8", result | ((bits >> _i32(24)) & _i32(0x80)))
