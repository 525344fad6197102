"""Taking words apart, and permuting lanes: Gather with tables of byte offsets."""

from __future__ import annotations

from uol.backends.ascendc.machine import BYTES
from uol.backends.ascendc.memory.buffers import Buffer, View
from uol.backends.ascendc.vector.tile import Span
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes


def offset_table(unit: VectorUnit, step_bytes: int, span: Span) -> View:
    """Byte offsets 0, step, 2*step, ... for Gather, made once before all loops."""
    elements = unit.frame.capacity(span)
    name = f"every_{step_bytes}_bytes"
    known = unit.builder.buffers.get(name)
    if known is not None and known.elements >= elements:
        return known.view()
    with unit.builder.first():
        table = unit.builder.buffer(Buffer(name, "u32", elements))
        signed = table.of_type("i32")
        unit.emit(f"CreateVecIndex({signed}, 0, {elements});", (), (table,))
        unit.emit(f"Muls({signed}, {signed}, {step_bytes}, {elements});", (table,), (table,))
    return table


def halves(unit: VectorUnit, value: Lanes, dtype: str, *, upper: bool = False) -> Lanes:
    """The low half of each word, which is how integers wrap, or the upper one (memory is little-endian)."""
    table = offset_table(unit, BYTES[value.dtype], value.span)
    dst = unit.new(value.span, dtype)
    source = value.view.of_type(dtype)
    first = BYTES[dtype] if upper else 0
    unit.emit(f"Gather({dst}, {source}, {table}, {first}, {unit.count(value.span)});", (value.view, table), (dst,))
    return Lanes(dst, value.span)


def positions(unit: VectorUnit, span: Span, dtype: str = "f32") -> Lanes:
    """0, 1, 2, ... over the lanes or the rows of a tile, in f32 or i32; made once before all loops."""
    elements = unit.frame.capacity(span)
    name = ("lane" if "lane" in span else "row") + ("_positions" if dtype == "f32" else "_numbers")
    if name in unit.builder.buffers:
        return Lanes(unit.builder.buffers[name].view(), span, spare=False)
    with unit.builder.first():
        view = unit.builder.buffer(Buffer(name, dtype, elements))
        unit.emit(f"CreateVecIndex({view}, {'0.0f' if dtype == 'f32' else '0'}, {elements});", (), (view,))
    return Lanes(view, span, spare=False)
