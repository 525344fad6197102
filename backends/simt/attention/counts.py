"""What tiles of an attention move and compute, in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.attention.tiles import row_blocks, thread_width
from uol.backends.simt.c_text.counters import typical
from uol.backends.simt.products.counts import Product, issued_of
from uol.codegen.attention.parts import weights_of
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Attention
from uol.codegen.work import Issued


def attention_counts(spec: Attention, tile: RowTile, device: Device) -> Issued:
    """The counts of an attention whose rows all meet all cols. The weights of a tile lie in shared memory, too."""
    return issued_of([*_products(spec, tile)], typical(row_blocks(spec, tile)), tile.threads, device)


def _products(spec: Attention, tile: RowTile) -> Iterator[Product]:
    cols = typical(size(spec.cols))
    tiles = -(-cols // tile.cols)
    rows, columns = tile.thread_rows, tile.thread_cols
    for dot in spec.dots:
        split = tile.rows * len(spec.rows) + tile.cols * len(spec.cols)
        yield Product(tiles * typical(size(dot.depth)), tile.rows + tile.cols, split, rows + columns, rows * columns, dot.dtype)
    for weight in weights_of(spec):
        yield Product(tiles, tile.rows * tile.cols, 0, 0, 0, weight.dtype)
    for total in spec.sums:
        width = thread_width(spec, total)
        staged = width * LANES_A_ROW
        yield Product(cols, staged, staged * len(total.width), rows + width, rows * width, total.dtype)
