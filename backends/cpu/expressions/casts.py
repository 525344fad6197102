"""The casts of the language, on values in registers."""

from __future__ import annotations

from tvm import tirx

from uol.backends.cpu.expressions.arithmetic import constant, is_nan, not_equal
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term, integer_range, representation
from uol.backends.cpu.expressions.narrow import round_to, round_to_odd
from uol.ir.types import DTYPES, INDEX, is_float


def cast(share: Share, value: Term, source: str, target: str) -> Term:
    """float -> float to nearest even; float -> integer truncates and saturates, NaN gives 0; integers wrap."""
    if source == target or {source, target} == {INDEX, "i64"}:
        return value
    if target == "bool":
        return not_equal(value, constant(0, source))
    if is_float(target):
        return _to_float(share, value, source, target)
    if is_float(source):
        return _float_to_integer(share, value, source, target)
    to = representation(target).compute
    if source == "bool":
        return tirx.Select(value, tirx.const(1, to), tirx.const(0, to))
    return tirx.Cast(to, _wrapped(value, source, target))


def _wrapped(value: Term, source: str, target: str) -> Term:
    """An integer modulo 2**bits of the target, as that. A cast alone wraps too, and LLVM drops the rest; but TVM refuses the
    cast of a literal that is out of range, which an index becomes where a loop is unrolled."""
    low, high = integer_range(target)
    source_low, source_high = integer_range(source)
    if low <= source_low and source_high <= high:
        return value
    wide = "int64" if source_high >= 2**31 else "int32"
    rest = tirx.Cast(wide, value) & tirx.const(high - low, wide)
    sign = tirx.const(-low, wide)
    return rest if low == 0 else (rest ^ sign) - sign


def _to_float(share: Share, value: Term, source: str, target: str) -> Term:
    to = representation(target)
    if source == "bool":
        return tirx.Select(value, tirx.const(1.0, to.compute), tirx.const(0.0, to.compute))
    if not to.is_narrow_float:
        return value if representation(source).compute == to.compute else tirx.Cast(to.compute, value)
    if representation(source).compute == "float64":
        return round_to(share, round_to_odd(share, value), target)
    if not is_float(source):
        exact = DTYPES["i64" if source == INDEX else source].bits <= 16
        wide = tirx.Cast("float32", value) if exact else round_to_odd(share, _integer_to_f64(share, value, source))
        return round_to(share, wide, target)
    if source in ("f8e4m3", "f8e5m2") and target in ("f16", "bf16"):
        return value
    return round_to(share, value, target)


def _integer_to_f64(share: Share, value: Term, source: str) -> Term:
    """The f64 nearest to an integer; one beyond 2**53 gets its last kept bit set where digits are cut off, so that a
    second rounding does no harm."""
    if DTYPES["i64" if source == INDEX else source].bits < 64:
        return tirx.Cast("float64", value)
    value = share(value)
    kept, low = tirx.const(-2048, "int64"), tirx.const(2047, "int64")
    sticky = tirx.Select(tirx.EQ(value & low, tirx.const(0, "int64")), value & kept, (value & kept) | tirx.const(2048, "int64"))
    large = tirx.GE(tirx.abs(tirx.Cast("float64", value)), tirx.const(2.0**53, "float64"))
    return tirx.Cast("float64", tirx.Select(large, sticky, value))


def _float_to_integer(share: Share, value: Term, source: str, target: str) -> Term:
    """The conversion is done only where it is defined; elsewhere a limit, or 0 for NaN, is taken."""
    low, high = integer_range(target)
    to = representation(target).compute
    value = share(value)
    below = tirx.LE(value, constant(float(low), source))
    above = tirx.GE(value, constant(float(high), source))  # 2**63 - 1 and 2**31 - 1 are rounded up, and so excluded
    outside = tirx.Or(tirx.Or(below, above), is_nan(share, value))
    inside = tirx.Select(outside, constant(0.0, source), value)
    limit = tirx.Select(below, tirx.const(low, to), tirx.Select(above, tirx.const(high, to), tirx.const(0, to)))
    return tirx.Select(outside, limit, tirx.Cast(to, inside))
