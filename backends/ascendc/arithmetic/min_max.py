"""max and min that propagate NaN. What the card's Max and Min give for a NaN is not documented, so they are not used where
a NaN may come in: a comparison with a NaN is false, which says all that is needed.

    max(a, b) = b if b is NaN else (b if a < b else a)
"""

from __future__ import annotations

from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Mask, Uniform, Value

RELATION = {"max": "LT", "min": "GT"}
INTEGER_CALL = {"max": "Max", "min": "Min"}


def extremum(unit: VectorUnit, fn: str, a: Value, b: Value) -> Lanes:
    """max or min of two values of one type, at least one of them lanes."""
    if isinstance(a, Uniform):
        a, b = b, a
    assert isinstance(a, Lanes)
    if a.dtype not in ("f32", "f16"):
        return _of_integers(unit, fn, a, b)
    if isinstance(b, Uniform) and b.number is not None and b.number == b.number:
        return _with_constant(unit, fn, a, b)
    if isinstance(b, Uniform):
        b = unit.duplicate(b, a.span, a.dtype)
    a, b = unit.alike(a, b)
    b = b.kept()
    a = a.kept()
    larger = unit.select(unit.compare(RELATION[fn], a, b), b, a)
    return unit.select(is_number(unit, b), larger, b)


def _of_integers(unit: VectorUnit, fn: str, a: Lanes, b: Value) -> Lanes:
    if isinstance(b, Uniform):
        return unit.unary(INTEGER_CALL[fn] + "s", a, b.text)
    return unit.binary(INTEGER_CALL[fn], a, b)


def _with_constant(unit: VectorUnit, fn: str, a: Lanes, b: Uniform) -> Lanes:
    """The constant only where the comparison says so: a NaN stays."""
    stays = unit.bits("Not", unit.compare(RELATION[fn], a, b))
    return unit.select(stays, a, b)


def is_number(unit: VectorUnit, a: Lanes) -> Mask:
    """Bits where a is not NaN."""
    return unit.compare("EQ", a, a)
