"""Filling buffers with one value: what a clipped read gives outside of its guards, and what padding holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uol.backends.ascendc.instructions import Builder
from uol.backends.ascendc.machine import BYTES, C_TYPE
from uol.backends.ascendc.memory.buffers import View
from uol.backends.ascendc.transfers.computed_fills import attribute_of
from uol.backends.ascendc.vector.values import Unsupported, float_text, int_text
from uol.codegen.specs.nodes import Read
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Const

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
    if (name := attribute_of(read, frozenset(names))) is not None:
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
    builder.emit("V", f"Duplicate({view.of_type(dtype)}, {element_text(dtype, number)}, {count});", writes=(view,))
