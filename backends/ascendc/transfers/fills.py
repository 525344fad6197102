"""What a guarded read gives outside of its guards, and what padding holds: buffers are filled with one value.

    x[n - 2] else value        the copy fills with the attribute: the scalar unit has it, in the type that is read
    x[n - 2] else w[n] * 3     select(0 <= n - 2 < N, x[n - 2] else 0, w[n] * 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from uol.backends.ascendc.instructions import Builder, View
from uol.backends.ascendc.machine import BYTES, C_TYPE
from uol.backends.ascendc.vector.predicates import MODES
from uol.backends.ascendc.vector.values import Unsupported, float_text, int_text
from uol.codegen.specs.nodes import Fold, Guard, Holds, KernelSpec, Read, Step, Within
from uol.codegen.specs.traverse import mapped
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite
from uol.ir.types import is_float

COPIED = frozenset({"f32", "f16", "bf16"})
"""Types of elements that a copy fills with a value of run time."""


def with_fills_of_copies(spec: KernelSpec) -> KernelSpec:
    """The spec with selections where no copy can fill; offsets of stores and reads are left as they are."""
    scalars = frozenset(s.name for s in spec.scalars)

    def rule(expr: Expr) -> Expr | None:
        if not isinstance(expr, Read):
            return None
        if not expr.guard or expr.fill is None or isinstance(expr.fill, Const) or _attribute_of(expr, scalars):
            return expr
        inside = replace(expr, fill=Const(0, expr.dtype))
        return Call("select", (_conjunction(expr.guard), inside, rewrite(expr.fill, rule)), expr.dtype)

    def changed(step: Step) -> Step:
        if isinstance(step, Fold):
            return replace(step, value=rewrite(step.value, rule), where=tuple(rewrite(w, rule) for w in step.where))
        return replace(step, value=rewrite(step.value, rule))

    return mapped(spec, step=changed)


def _attribute_of(read: Read, scalars: frozenset[str]) -> str | None:
    """The attribute, by name, that a read is filled with: of its own type, or of f32 and rounded to it."""
    if read.dtype not in COPIED:
        return None
    match read.fill:
        case Var(name=name, dtype=dtype) if name in scalars and dtype == read.dtype:
            return name
        case Call(fn="cast", args=(Var(name=name, dtype="f32"),), dtype=dtype) if name in scalars and dtype == read.dtype:
            return name
    return None


def _conjunction(guards: tuple[Guard, ...]) -> Expr:
    """All guards as one condition."""
    parts: list[Expr] = []
    for guard in guards:
        match guard:
            case Within(value, low, high):
                parts += [Call(">=", (value, low), "bool")] if low is not None else []
                parts += [Call("<", (value, high), "bool")] if high is not None else []
            case Holds(condition):
                parts.append(rewrite(condition, _of_data))
    whole = parts[0]
    for part in parts[1:]:
        whole = Call("and", (whole, part), "bool")
    return whole


def _of_data(expr: Expr) -> Expr | None:
    """Data that stands for an index is compared in its own type: lanes hold no other."""
    match expr:
        case Call(fn=fn, args=(Call(fn="cast", args=(data,), dtype="idx"), Const(value=limit))) if fn in MODES:
            return None if is_float(data.type) else Call(fn, (data, Const(limit, data.type)), "bool")
    return None


Fill = float | int | str
"""A constant, or the C text of an attribute of f32."""


def element_text(dtype: str, number: Fill) -> str:
    """A fill as an element of a type: 0.5f, half(0.5f), int16_t(7), ToBfloat16(value)."""
    if isinstance(number, str):
        return {"f32": number, "f16": f"half({number})", "bf16": f"ToBfloat16({number})"}[dtype]
    match dtype:
        case "f8e4m3" | "f8e5m2":
            return f"uint8_t({_byte(dtype, number)})"
        case "f32":
            return float_text(float(number))
        case "bf16":
            return f"ToBfloat16({float_text(float(number))})"
        case "f16":
            return f"half({float_text(float(number))})"
        case "i32":
            return int_text(int(number))
    return f"{C_TYPE[dtype]}({int_text(int(number))})"


def fill_of(read: Read, names: Mapping[str, str]) -> Fill:
    """The value of a read outside of its guards; `names` gives the C text of attributes."""
    if not read.guard:
        return 0
    if isinstance(read.fill, Const):
        return read.fill.value
    if (name := _attribute_of(read, frozenset(names))) is not None:
        return names[name]
    raise Unsupported(
        f"a fill of {read.tensor} that is computed: copies fill with a constant or an attribute",
        "use a constant after `else`, and `select`",
    )


def _byte(dtype: str, number: float | int) -> int:
    """A constant of a type of one byte, as its bits."""
    return int(encode(np.asarray(number), dtype).view(np.uint8))


def fill_buffer(builder: Builder, view: View, number: Fill) -> None:
    """Duplicate over the whole view. Duplicate knows 16 and 32 bits: bytes go two at a time, long words by their halves."""
    size = BYTES[view.dtype]
    slots = view.buffer.slots if view.whole else 1
    count = view.buffer.slot_elements * slots
    if size == 1 and not isinstance(number, str):
        byte = _byte(view.dtype, number)
        _duplicate(builder, view, "u16", byte * 257, count // 2)
    elif size == 8:
        if number:
            raise Unsupported("a fill of 64 bits other than zero: copies pad i64 with 0 only", "use `else 0`, or i32")
        _duplicate(builder, view, "i32", 0, count * 2)
    else:
        _duplicate(builder, view, view.dtype, number, count)


def _duplicate(builder: Builder, view: View, dtype: str, number: Fill, count: int) -> None:
    text = f"Duplicate({view.of_type(dtype)}, {element_text(dtype, number)}, {count});"
    builder.emit("V", text, writes=(view,), amount=(str(count),))
