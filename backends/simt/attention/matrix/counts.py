"""What tiles of an attention on matrix units move and compute, in closed form."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.place import filled, grid_of
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.c_text.counters import typical
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.traverse import main_read
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

ELEMENT = 5
"""Instructions of the vector unit for a score: its maximum, its exponent, its sum; the sums that it is rescaled with."""


def matrix_attention_counts(spec: Attention, tile: MatrixRows, device: Device) -> Issued:
    """The counts of an attention whose rows all meet all cols."""
    (dot,), (total,) = spec.dots, spec.sums
    dtype = main_read(dot.b).dtype
    depth, width = filled(typical(size(dot.depth))), filled(typical(size(total.width)))
    blocks = typical(grid_of(spec, tile))
    tiles = -(-typical(size(spec.cols)) // tile.cols)
    moved = tile.cols * (depth + width) * DTYPES[dtype].bytes
    scratch = moved * (1 + tile.warps)
    scores = tile.rows * tile.cols
    return Issued(
        0,
        exactly(blocks * tiles * moved),
        exactly(0),
        exactly(blocks * tiles * scratch),
        operations={
            f"{dtype}-matrix": exactly(blocks * tiles * 2 * scores * (depth + width)),
            "f32-vector": exactly(blocks * tiles * ELEMENT * scores),
            "special": exactly(blocks * tiles * scores),
        },
        blocks=blocks,
        waves=-(-blocks // device.cores),
        waits=tiles,
    )
