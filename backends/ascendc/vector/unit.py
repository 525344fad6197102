"""The vector unit's instructions, typed: each method emits one (or the few that the machine needs for one) and returns
the lanes that it makes.

Count forms only, but for broadcasts: they process a tail in hardware and reset the mask. A result goes into the buffer of
an operand that nobody else refers to, else into a new one. Words are taken apart, and lanes permuted, by Gather with tables of
byte offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.ascendc.instructions import Buffer, Builder, View
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, MAX_REPEATS, ceil_div, round_up
from uol.backends.ascendc.vector.tile import LANES, TILE, UNIFORM, Frame, Span
from uol.backends.ascendc.vector.values import Lanes, Mask, Uniform, Unsupported

BLOCK_OF_F32 = 8
REPEAT_OF_F32 = 64
BITWISE = frozenset({"And", "Or", "Not"})
"""Instructions on 16 bits (asc-devkit, And.md, Or.md, Not.md). Their count forms take 32-bit tensors too, cast them to int16_t
and leave the count as it is, so that half of the elements stay untouched (dav_c220/kernel_operator_vec_binary_impl.h)."""


@dataclass(slots=True)
class VectorUnit:
    """Emits into a builder, for tiles of a frame."""

    builder: Builder
    frame: Frame

    def new(self, span: Span, dtype: str, name: str = "t") -> View:
        """A buffer for a value: whole blocks, which is what the vendor's debug builds ask of a source of DataCopyPad."""
        return self.builder.buffer(Buffer(name, dtype, round_up(self.frame.capacity(span), BLOCK_BYTES // BYTES[dtype])))

    def emit(self, text: str, reads: tuple[View, ...], writes: tuple[View, ...], amount: tuple[str, ...] = ()) -> None:
        """An instruction on as many elements as its last argument says, unless the amount is given."""
        count = text.removesuffix(");").rpartition(", ")[2]
        self.builder.emit("V", text, reads=reads, writes=writes, amount=amount or (count,))

    def spread_blocks(self, dst: View, src: View, groups: int | str) -> None:
        """Brcb: a block of each of the first 8 * groups elements."""
        self.emit(f"Brcb({dst}, {src}, {groups}, BrcbRepeatParams(1, 8));", (src,), (dst,), (str(groups),))

    def spread_repeats(self, dst: View, src: View, source: View, lanes: int, repeats: str, strides: str) -> None:
        """Copy of some lanes a repeat; `source` is where they are read within `src`."""
        text = f"Copy({dst}, {source}, {lanes}, {repeats}, CopyRepeatParams({strides}));"
        self.emit(text, (src,), (dst,), (str(lanes), repeats))

    def count(self, span: Span) -> str:
        return self.frame.count(span)

    def unary(self, call: str, a: Lanes, argument: str = "") -> Lanes:
        """call(dst, a[, argument], count): same type, lane by lane."""
        dst = a.view if a.spare else self.new(a.span, a.dtype)
        extra = f", {argument}" if argument else ""
        self.emit(f"{call}({dst}, {a.view}{extra}, {self.count(a.span)});", (a.view,), (dst,))
        return Lanes(dst, a.span)

    def binary(self, call: str, a: Lanes, b: Lanes) -> Lanes:
        """call(dst, a, b, count): same type, lane by lane, after both have been spread over the wider span."""
        a, b = self.alike(a, b)
        dst = a.view if a.spare else b.view if b.spare else self.new(a.span, a.dtype)
        self.lanewise(call, dst, a.view, b.view, span=a.span)
        return Lanes(dst, a.span)

    def lanewise(self, call: str, dst: View, *operands: View, span: Span, argument: str = "") -> None:
        """call(dst, operands...[, argument], count), whatever the buffers. And, Or and Not see each 32 bits as two elements."""
        views, count = [dst, *operands], self.count(span)
        if call in BITWISE and BYTES[dst.dtype] > BYTES["u16"]:
            halves = BYTES[dst.dtype] // BYTES["u16"]
            views, count = [v.of_type("u16") for v in views], times(count, halves)
        arguments = [*map(str, views), *([argument] if argument else []), count]
        self.emit(f"{call}({', '.join(arguments)});", operands, (dst,))

    def alike(self, a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
        span = a.span | b.span
        return self.broadcast(a, span), self.broadcast(b, span)

    def duplicate(self, value: Uniform, span: Span, dtype: str, name: str = "t") -> Lanes:
        dst = self.new(span, dtype, name)
        self.emit(f"Duplicate({dst}, {scalar_text(value, dtype)}, {self.count(span)});", (), (dst,))
        return Lanes(dst, span)

    def copy(self, a: Lanes, name: str = "t") -> Lanes:
        """The same lanes in a buffer of their own."""
        dst = self.new(a.span, a.dtype, name)
        self.copy_into(dst, a)
        return Lanes(dst, a.span)

    def copy_into(self, dst: View, a: Lanes) -> None:
        call = f"Muls({dst}, {a.view}, 1.0f" if a.dtype == "f32" else f"Adds({dst}, {a.view}, 0"
        self.emit(f"{call}, {self.count(a.span)});", (a.view,), (dst,))

    def cast(self, a: Lanes, dtype: str, mode: str) -> Lanes:
        """One conversion that the machine has; widening takes CAST_NONE."""
        stem = a.view.buffer.name
        for suffix in ("_ub", "_all", "_lanes", f"_{a.dtype}"):
            stem = stem.removesuffix(suffix)
        dst = self.new(a.span, dtype, f"{stem}_{dtype}")
        self.emit(f"Cast({dst}, {a.view}, RoundMode::CAST_{mode}, {self.count(a.span)});", (a.view,), (dst,))
        return Lanes(dst, a.span)

    def round(self, a: Lanes, mode: str) -> Lanes:
        """f32 to whole f32."""
        dst = a.view if a.spare else self.new(a.span, "f32")
        self.emit(f"Cast({dst}, {a.view}, RoundMode::CAST_{mode}, {self.count(a.span)});", (a.view,), (dst,))
        return Lanes(dst, a.span)

    def compare(self, mode: str, a: Lanes, b: Lanes | Uniform) -> Mask:
        """Bits of a (mode) b. A Compare takes whole repeats: uniform values are spread over the lanes first, and the first
        bits of what comes out are theirs."""
        if isinstance(b, Lanes):
            a, b = self.alike(a, b)
        span = a.span
        if self.frame.lane and span == UNIFORM:
            a = self.broadcast(a, LANES)
            b = self.broadcast(b, LANES) if isinstance(b, Lanes) else b
        dst = self.mask(a.span)
        if isinstance(b, Lanes):
            self.emit(f"Compare({dst}, {a.view}, {b.view}, CMPMODE::{mode}, {self.count(a.span)});", (a.view, b.view), (dst,))
        else:
            number = scalar_text(b, a.dtype)
            self.emit(f"CompareScalar({dst}, {a.view}, {number}, CMPMODE::{mode}, {self.count(a.span)});", (a.view,), (dst,))
        return Mask(dst, span)

    def mask(self, span: Span) -> View:
        """A buffer for bits, at least of one repeat."""
        return self.builder.buffer(Buffer("mask", "u8", max(self.frame.capacity(span), self.frame.room) // 8))

    def bits(self, call: str, *masks: Mask) -> Mask:
        """And, Or, Not of masks, 16 lanes an element."""
        span = masks[0].span
        dst = self.mask(span)
        words = [m.view.of_type("u16") for m in masks]
        sources = ", ".join(str(w) for w in words)
        count = self.count(span)
        elements = str(ceil_div(int(count), 16)) if count.isdigit() else f"{count} / 16"
        self.emit(f"{call}({dst.of_type('u16')}, {sources}, {elements});", tuple(m.view for m in masks), (dst,))
        return Mask(dst, span)

    def select(self, mask: Mask, a: Lanes, b: Lanes | Uniform) -> Lanes:
        """a where the bit is set, else b. Bits are moved as they are, whatever the type; a scalar is one of floats."""
        if isinstance(b, Uniform) and a.dtype not in ("f16", "f32"):
            b = self.duplicate(b, a.span, a.dtype)
        if isinstance(b, Lanes):
            a, b = self.alike(a, b)
        if mask.span != a.span:
            raise Unsupported(
                "a select whose condition and values vary over different axes",
                "store the one that varies over fewer axes to a tensor first",
            )
        other = b if isinstance(b, Lanes) else None
        dst = a.view if a.spare else other.view if other is not None and other.spare else self.new(a.span, a.dtype)
        kind = "f16" if BYTES[a.dtype] == 2 else "f32"
        reads = (mask.view, a.view) + ((other.view,) if other is not None else ())
        second = scalar_text(b, kind) if isinstance(b, Uniform) else str(b.view.of_type(kind))
        mode = "TENSOR_TENSOR" if other is not None else "TENSOR_SCALAR"
        operands = f"{dst.of_type(kind)}, {mask.view}, {a.view.of_type(kind)}, {second}"
        self.emit(f"Select({operands}, SELMODE::VSEL_{mode}_MODE, {self.count(a.span)});", reads, (dst,))
        return Lanes(dst, a.span)

    def broadcast(self, a: Lanes, span: Span) -> Lanes:
        """The value spread over a wider span."""
        span = self.frame.span(span)
        if a.span == span:
            return a
        if BYTES[a.dtype] != 4:
            raise Unsupported(f"a broadcast of {a.dtype}: the vector unit spreads 32 bits", "cast to f32 or i32 first")
        dst = self.new(span, a.dtype)
        if a.span == UNIFORM:
            self._spread_uniform(dst, a.view, span)
        elif span == TILE and "row" in a.span:
            self._spread_rows(dst, a.view)
        else:
            self._spread_lanes(dst, a.view)
        return Lanes(dst, span)

    def _spread_uniform(self, dst: View, src: View, span: Span) -> None:
        """Eight equal lanes are one block, read again and again."""
        count = self.count(span)
        repeats = str(ceil_div(int(count), REPEAT_OF_F32)) if count.isdigit() else f"({count} + 63) / 64"
        self.spread_repeats(dst, src, src, REPEAT_OF_F32, repeats, "1, 0, 8, 0")

    def _spread_rows(self, dst: View, src: View) -> None:
        """Brcb makes a block of each row's value; the blocks are then repeated along the rows."""
        frame = self.frame
        groups = ceil_div(frame.rows, 8)
        blocks = self.builder.buffer(Buffer("blocks", src.dtype, groups * 64))
        self.spread_blocks(blocks, src, groups)
        for start, width in self._chunks():
            piece, strides = dst.at(start, part=start), f"1, 0, {frame.pitch // 8}, 1"
            self.spread_repeats(piece, blocks, blocks, width, str(frame.rows), strides)

    def _spread_lanes(self, dst: View, src: View) -> None:
        frame = self.frame
        for start, width in self._chunks():
            piece, strides = dst.at(start, part=start), f"1, 1, {frame.pitch // 8}, 0"
            self.spread_repeats(piece, src, src.at(start), width, str(frame.rows), strides)

    def _chunks(self) -> list[tuple[str, int]]:
        """A row in pieces of one repeat: where each starts, and how many lanes it has."""
        pitch = self.frame.pitch
        return [(str(s), min(REPEAT_OF_F32, pitch - s)) for s in range(0, pitch, REPEAT_OF_F32)]


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


def times(count: str, factor: int) -> str:
    """C text of a count, a number or a variable, times a factor."""
    return str(int(count) * factor) if count.isdigit() else f"{count} * {factor}"


def scalar_text(value: Uniform, dtype: str) -> str:
    """A uniform value as a scalar operand: of f16, a constant of its own type."""
    return f"half({value.text})" if dtype == "f16" and value.dtype != "f16" else value.text


assert MAX_REPEATS * REPEAT_OF_F32 >= 16000  # a uniform value spreads over a tile in one instruction
