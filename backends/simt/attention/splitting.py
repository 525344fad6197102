"""Few rows of an attention and many cols, as decoding has them: where there are fewer blocks than cores want, each has a part
of the cols, and a second kernel merges the parts in one order: a result is the same from run to run.

    y[rows] = attention over all cols   ->   hi, z, y of each part of the cols;   y[rows] = what these come to
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.products.splitting import BLOCKS_A_CORE
from uol.codegen.attention.parts import with_rows
from uol.codegen.attention.split_cols import may_be_split, split_cols
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.nodes import Attention, KernelSpec

MOST_ROWS = 64
"""Of a tile. Of more rows there are more tiles, and what parts sum is as much as keys and values."""
LEAST_COLS = 128
"""Of a part: its sums are written and read again, by a further launch."""
WHOLE_COLS = 64
"""What the cols of a part are a multiple of: those of the widest tile."""


def split_attentions(spec: Attention, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of an attention of known sizes in parts, as many as cores have blocks for, twice and four times as many;
    none where its tiles of rows are enough, or its cols are few."""
    if spec.dims or not spec.rows or not may_be_split(spec):
        return
    spec = with_rows_joined(spec)
    batch, rows, cols = (static(size(axes)) or 0 for axes in (spec.batch, spec.rows[-1:], spec.cols))
    tiles = batch * (static(size(spec.rows[:-1])) or 0)
    if not tiles * cols or rows > MOST_ROWS:
        return
    found = dict.fromkeys(_numbers(tiles, cols, device))
    yield from (split_cols(spec, number, WHOLE_COLS) for number in found)


def _numbers(tiles: int, cols: int, device: Device) -> Iterator[int]:
    """How many parts there may be, each number as that of parts which are alike but for the last."""
    wanted = -(-BLOCKS_A_CORE * device.cores // tiles)
    for number in (wanted, 2 * wanted, 4 * wanted) if wanted > 1 else ():
        most = min(number, cols // LEAST_COLS)
        if most > 1:
            length = -(-cols // (most * WHOLE_COLS)) * WHOLE_COLS
            yield -(-cols // length)


def with_rows_joined(spec: Attention) -> Attention:
    """The attention with the rows of heads that share a key as one axis, where all that it reads steps over them as one: one
    block reads the key for all of them."""
    spec = with_rows(spec)
    while len(spec.rows) > 1 and are_joinable(spec, spec.rows[-2], spec.rows[-1]):
        spec = joined(spec, spec.rows[-2], spec.rows[-1])
    return spec
