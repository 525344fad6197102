"""What tiles of a gradient of an attention on matrix units move and compute, in closed form."""

from __future__ import annotations

from uol.backends.simt.attention.gradient.form import Form, bounds_of, form_of
from uol.backends.simt.attention.gradient.place import COL_VALUE_BYTES, operands_of
from uol.backends.simt.attention.matrix.counts import LANES, REGISTERS
from uol.backends.simt.attention.matrix.lanes import filled
from uol.backends.simt.attention.matrix.place import grid_of, rows_apart
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.seen import mean_tiles
from uol.backends.simt.c_text.counters import TYPICAL_SIZE, typical
from uol.codegen.attention.parts import with_rows
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import ZERO, size
from uol.codegen.specs.nodes import Attention
from uol.codegen.work import Issued, exactly
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES

OF_A_SCORE = 8
"""Instructions of the vector unit for a score and its weights: its exponent, what is asked of it, factors, sums, roundings."""
VALUES = 3
"""What is read for each row, or for each col: a maximum, the reciprocal of a sum, delta."""


def gradient_counts(spec: Attention, tile: MatrixRows, device: Device) -> Issued:
    """The counts of a gradient. Of cols that differ from row to row a block visits as many tiles as the first and the last do
    on an average."""
    spec = rows_apart(with_rows(spec))
    form, operands = form_of(spec), operands_of(spec)
    assert form is not None and operands is not None, "legality has asked"
    element = DTYPES[form.dtype].bytes
    depths = [filled(typical(size(dot.depth))) for dot in form.dots]
    widths = [filled(typical(size(each.width))) for each in form.sums]
    of_cols = [filled(typical(operand.inner.count)) for operand in operands.cols]
    blocks = typical(grid_of(spec, tile))
    tiles = tiles_of_cols(spec, form, tile) * typical(size(spec.cols[:-1]))
    moved = tile.cols * (sum(of_cols) * element + VALUES * COL_VALUE_BYTES)
    read = tile.cols * (sum(depths) + sum(widths)) * element
    scores = tile.rows * tile.cols
    taken = {
        "core-threads": tile.warps * LANES,
        "core-registers": tile.warps * LANES * REGISTERS,
        "core-scratch": tile.stages * moved,
    }
    most = (int(device.rates[name].si) // of_block for name, of_block in taken.items() if name in device.rates)
    return Issued(
        0,
        exactly(round(blocks * (tiles * moved + tile.rows * sum(depths) * element))),
        exactly(0),
        exactly(round(blocks * tiles * (moved + tile.warps * read))),
        operations={
            f"{form.dtype}-matrix": exactly(round(blocks * tiles * 2 * scores * (sum(depths) + sum(widths)))),
            "f32-vector": exactly(round(blocks * tiles * OF_A_SCORE * scores)),
            "special": exactly(round(blocks * tiles * scores)),
        },
        blocks=blocks,
        waves=-(-blocks // device.cores),
        resident=max(1, min(most, default=1)),
    )


def tiles_of_cols(spec: Attention, form: Form, tile: MatrixRows) -> float:
    """How many tiles of cols of a head a block visits, at typical sizes; where memory says how many cols there are, all."""
    rows, cols = typical(size(spec.rows)), typical(size(spec.cols[-1:]))
    bounds, _ = bounds_of(form, spec.rows[-1], spec.cols)
    of_memory = {name for bound in bounds for name in variables(bound.of_row(ZERO))} - {*spec.dims}
    sizes = {**dict.fromkeys(spec.dims, TYPICAL_SIZE), **dict.fromkeys(of_memory, cols)}
    return mean_tiles(bounds, rows, cols, tile, sizes)
