"""What tiles of an attention on matrix units move and compute, in closed form."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.form import form_of
from uol.backends.simt.attention.matrix.lanes import filled
from uol.backends.simt.attention.matrix.place import grid_of, rows_apart
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.seen import bounds_of, mean_tiles
from uol.backends.simt.attention.matrix.tiles import Staged
from uol.backends.simt.c_text.counters import TYPICAL_SIZE, typical
from uol.codegen.attention.batch_numbers import with_batch_numbers
from uol.codegen.attention.parts import with_rows
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.traverse import main_read
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

OF_A_SCORE, INTEGER = 3, 1
"""Instructions of the vector unit for a score, its exponent, its sum, its weight; and of the integer unit, its maximum."""
SCALED = 1
"""The same for each of a lane's sums and tile: it is multiplied by what the maximum has grown."""
LANES = 32
"""How many lanes a warp has, of those that tiles are laid on."""
REGISTERS = 224
"""How many registers a thread takes: about as many as nvcc gives it for the largest tiles."""


def matrix_attention_counts(spec: Attention, tile: MatrixRows, device: Device) -> Issued:
    """The counts of an attention. Of cols that grow with the row a block visits as many tiles as the first and the last do on
    an average. Waits are not counted, as they are not of tiles of threads, beside which these stand."""
    spec = with_rows(spec)
    (dot,), (total,) = spec.dots, spec.sums
    dtype = main_read(dot.b).dtype
    element = DTYPES[dtype].bytes
    depth, width = filled(typical(size(dot.depth))), filled(typical(size(total.width)))
    blocks, tiles = typical(grid_of(rows_apart(spec), tile)), tiles_of_cols(spec, tile)
    moved = tile.cols * (depth + width) * element
    scores, sums = tile.rows * tile.cols, tile.rows * width
    staged = Staged.of(tile, depth, width, element, apart=False).bytes
    taken = {
        "core-threads": tile.warps * LANES,
        "core-registers": tile.warps * LANES * REGISTERS,
        "core-scratch": staged,
    }
    most = (int(device.rates[name].si) // of_block for name, of_block in taken.items() if name in device.rates)
    return Issued(
        0,
        exactly(round(blocks * tiles * moved)),
        exactly(0),
        exactly(round(blocks * tiles * moved * (1 + tile.warps))),
        operations={
            f"{dtype}-matrix": exactly(round(blocks * tiles * 2 * scores * (depth + width))),
            "f32-vector": exactly(round(blocks * tiles * (OF_A_SCORE * scores + SCALED * sums))),
            "integer": exactly(round(blocks * tiles * INTEGER * scores)),
            "special": exactly(round(blocks * tiles * scores)),
        },
        blocks=blocks,
        waves=-(-blocks // device.cores),
        resident=max(1, min(most, default=1)),
    )


def tiles_of_cols(spec: Attention, tile: MatrixRows) -> float:
    """How many tiles of cols a block visits, at typical sizes; of parts of the cols, the first. Cols whose number memory
    says are taken to be all."""
    numbers = {each.name for each in with_batch_numbers(spec)[1]}
    spec = rows_apart(spec)
    form = form_of(spec)
    rows, cols = typical(size(spec.rows)), typical(size(spec.cols))
    bounds = () if form is None else bounds_of(form.asked, spec)[0]
    return mean_tiles(bounds, rows, cols, tile, {**dict.fromkeys(spec.dims, TYPICAL_SIZE), **dict.fromkeys(numbers, cols)})
