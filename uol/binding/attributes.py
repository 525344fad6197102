"""The attributes of a call: what was given, and the defaults, which may name other attributes."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real

from uol.binding.dim_arithmetic import value_of
from uol.ir.errors import ShapeError
from uol.ir.syntax.surface import Attribute, Op
from uol.operators.did_you_mean import nearest


def bind_attributes(op: Op, given: Mapping[str, object]) -> dict[str, int | float]:
    """Every attribute of `op`. Raises ShapeError for one that is unknown, missing, or of the wrong type."""
    known = [a.name for a in op.attributes]
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"its attributes are {', '.join(known) or 'none'}"
            raise ShapeError(f"{op.name} has no attribute {name!r}", hint=hint)
    values: dict[str, int | float] = {}
    for attribute in op.attributes:
        values[attribute.name] = _value(op, attribute, given, values)
    return values


def _value(op: Op, attribute: Attribute, given: Mapping[str, object], earlier: Mapping[str, int | float]) -> int | float:
    if attribute.name in given:
        return typed_attribute(op, attribute, given[attribute.name])
    if attribute.default is None:
        raise ShapeError(
            f"{op.name} needs the attribute {attribute.name!r}",
            span=attribute.span,
            text=op.source,
            hint=f"give it: {attribute.name}={'3' if attribute.type == 'int' else '0.5'}",
        )
    return typed_attribute(op, attribute, value_of(attribute.default, earlier, {}, op.source))


def typed_attribute(op: Op, attribute: Attribute, value: object) -> int | float:
    """The value as a number of the attribute's type. Raises ShapeError where it is none."""
    if attribute.type == "int" and isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ShapeError(f"{op.name}: the attribute {attribute.name} is {number}", hint="an int has 64 bits")
        return number
    if attribute.type == "float" and isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise ShapeError(
        f"{op.name}: the attribute {attribute.name} is {attribute.type}, not {value!r}",
        hint=f"write {attribute.name}={'2' if attribute.type == 'int' else '0.5'}",
    )
