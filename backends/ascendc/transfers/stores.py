"""Stores of values from UB to global memory: bursts of exactly the bytes of the tile.

A result that is contiguous along the lanes takes one burst a row. Otherwise Brcb spreads the lanes to one a block, and each
block's first element is a burst of its own. Two cores never write one byte; neighbours within 32 bytes are no conflict for
DataCopyPad.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.ascendc.arithmetic.casts import convert
from uol.backends.ascendc.instructions import Buffer, View
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, MAX_REPEATS, ceil_div
from uol.backends.ascendc.transfers.copies import Burst, burst_out
from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.evaluate import Evaluator
from uol.backends.ascendc.vector.kernel import VectorKernel
from uol.backends.ascendc.vector.predicates import as_number, truth_of
from uol.backends.ascendc.vector.tile import Span
from uol.backends.ascendc.vector.values import Lanes, Uniform, Unsupported
from uol.codegen.indexing.arithmetic import substituted
from uol.codegen.specs.nodes import Store


def store(kernel: VectorKernel, at: Evaluator, step: Store) -> None:
    """tensor[offset] = value over the tile."""
    span = kernel.frame.span(kernel.tile_span(step.axes))
    lane, row = (_stride(step, axis, kernel.indices) for axis in (kernel.frame.lane, kernel.frame.row))
    frame = kernel.frame
    base = kernel.indices.text(substituted(step.offset, frame.origins()))
    burst = Burst(kernel.names.tensors[step.tensor], base, step.dtype, "1", 1)
    stride = 1
    if "lane" in span:
        burst = replace(burst, lanes=frame.lanes_text(), max_lanes=frame.lanes)
        stride = lane
        if "row" in span:
            burst = replace(burst, rows=frame.rows_text(), max_rows=frame.rows, row_stride=row, pitch=frame.pitch)
    elif "row" in span:
        burst = replace(burst, lanes=frame.rows_text(), max_lanes=frame.rows)
        stride = row
    direct = stride == 1 or burst.max_lanes == 1
    lanes = _stored(kernel, at, step, span, copied=direct)
    if direct:
        burst_out(kernel.builder, lanes.view, burst)
    else:
        _spread_out(kernel, lanes, burst, stride)


def _stored(kernel: VectorKernel, at: Evaluator, step: Store, span: Span, *, copied: bool) -> Lanes:
    """The value as lanes of the result's type; where it is `copied` from there, in a double buffer of its own."""
    value, dtype = step.value, step.dtype
    if value.type == "bool":
        number = as_number(at, truth_of(at, value), "f32")
        wide = number if isinstance(number, Lanes) else at.lanes(number, "f32", span)
        lanes = convert(at.unit, _spread(at, wide, span), "u8" if dtype == "bool" else dtype)
    else:
        found = at.value(value)
        if isinstance(found, Uniform):
            found = _uniform(at, found, value.type, span)
        lanes = convert(at.unit, _spread(at, found, span), dtype)
    if not copied or not lanes.spare or kernel.slots == 1:
        return lanes
    name = f"{kernel.names.parameters[step.tensor]}_ub"
    out = kernel.builder.buffer(Buffer(name, lanes.dtype, lanes.view.buffer.elements, slots=kernel.slots))
    return Lanes(out, lanes.span) if kernel.builder.retarget(lanes.view, out) else lanes


def _uniform(at: Evaluator, value: Uniform, dtype: str, span: Span) -> Lanes:
    if dtype in ("f16", "bf16", "f32"):
        return at.lanes(Uniform(value.text, "f32", value.number), "f32", span)
    if dtype in ("i32", "i64", "i16", "idx"):
        return at.lanes(value, "i32", span)
    return at.lanes(Uniform(f"static_cast<float>({value.text})", "f32"), "f32", span)


def _spread(at: Evaluator, value: Lanes, span: Span) -> Lanes:
    """Spread while it is 32 bits wide: that is what a broadcast moves."""
    if value.span == span:
        return value
    if not value.span <= span:
        raise Unsupported("a stored value that varies over more axes than its result", "fold the value first")
    if BYTES[value.dtype] > 4:
        raise Unsupported(
            f"a broadcast of {value.dtype}: the vector unit spreads 16 and 32 bits", "cast the source to i32, or store i32"
        )
    if BYTES[value.dtype] < 4:
        value = convert(at.unit, value, "f32")
    return at.unit.broadcast(value, span)


def _stride(step: Store, axis: str, indices: Indices) -> int:
    if not axis:
        return 0
    slope = indices.slope(step.offset, axis)
    if slope is None or slope < 0:
        raise Unsupported(
            f"a store of {step.tensor} whose place does not grow evenly with {axis}",
            "store in the order of the result's own axes",
        )
    return slope


def _spread_out(kernel: VectorKernel, lanes: Lanes, burst: Burst, stride: int) -> None:
    """One block a lane, one burst a block."""
    if BYTES[lanes.dtype] not in (2, 4):
        raise Unsupported(
            f"a store of {lanes.dtype} with a stride: only 16 and 32 bits are spread",
            "give the result a layout whose last axis is contiguous",
        )
    groups = ceil_div(burst.max_lanes, 8)
    if groups > MAX_REPEATS:
        raise Unsupported(
            f"{burst.max_lanes} lanes to store one by one: Brcb spreads {8 * MAX_REPEATS}",
            f"a tile of at most {8 * MAX_REPEATS} lanes",
        )
    block = BLOCK_BYTES // BYTES[lanes.dtype]
    blocks = kernel.builder.buffer(Buffer("lane_blocks", lanes.dtype, groups * 8 * block))

    def one(source: View, base: str) -> None:
        written = groups if burst.lanes.isdecimal() else f"({burst.lanes} + 7) / 8"
        kernel.unit.spread_blocks(blocks, source, written)
        column = replace(
            burst, base=base, lanes="1", max_lanes=1, rows=burst.lanes, max_rows=burst.max_lanes, row_stride=stride, pitch=block
        )
        burst_out(kernel.builder, blocks, column)

    if burst.max_rows == 1:
        one(lanes.view, burst.base)
        return
    with kernel.builder.loop("i", burst.rows, least=1):
        one(lanes.view.at(f"i * {burst.pitch}"), f"{burst.base} + i * {burst.row_stride}")
