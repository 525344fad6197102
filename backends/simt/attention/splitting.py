"""Few rows of an attention and many cols, as decoding has them: where there are fewer blocks than cores want, each has a part
of the cols, and a second kernel merges the parts in one order: a result is the same from run to run.

    y[rows] = attention over all cols   ->   hi, z, y of each part of the cols;   y[rows] = what these come to
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod

from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.splitting import BLOCKS_A_CORE
from uol.codegen.attention.parts import with_rows
from uol.codegen.attention.split_cols import may_be_split, split_cols
from uol.codegen.backend import Device
from uol.codegen.cost import time_of
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.nodes import Attention, KernelSpec
from uol.codegen.work import compulsory

MOST_ROWS = 64
"""Of a tile. Of more rows there are more tiles, and what parts sum is as much as keys and values."""
LEAST_COLS = 64
"""Of a part: its sums are written and read again, by a further launch."""
WHOLE_COLS = 32
"""What the cols of a part are a multiple of: those of the narrowest tile."""
MANY_COLS = 8192
"""For so many cols there are parts where a dim says how many there are, of a tile of few rows (`FEW_ROWS`)."""
FEW_ROWS = 16
MOST_LONGER = 1.05
"""What parts may take of the time of the whole, by what both must move, so that all cores have blocks. The model takes memory
to give all of its bandwidth to however few blocks, and the counts in closed form leave out how long these wait."""


def split_for_cores(spec: Attention, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    """The kernels of an attention: itself, where its tiles are blocks enough for all cores, or where parts of its cols would
    take longer by the time of their launches. Else there are parts for two blocks a core. Of rows and heads of known numbers
    that is so for as many cols as a dim says, too; the last parts are without any where these are few."""
    if spec.dims:
        return _open_parts(spec, device) or (spec,)
    fewest = next(split_attentions(spec, device), None)
    if fewest is None or _least_seconds(fewest, device) > MOST_LONGER * _least_seconds((spec,), device):
        return (spec,)
    return fewest


def split_attentions(spec: Attention, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of an attention of known sizes in parts, as many as cores have blocks for, twice and four times as many;
    none where its tiles of rows are enough, or its cols are few."""
    if spec.dims or not spec.rows or not may_be_split(spec):
        return
    spec = with_rows_joined(spec)
    rows, cols = (static(size(axes)) or 0 for axes in (spec.rows[-1:], spec.cols))
    tiles = static(size((*spec.batch, *spec.rows[:-1]))) or 0
    if not tiles * cols or rows > MOST_ROWS:
        return
    found = dict.fromkeys(_numbers(tiles, cols, device))
    yield from (split_cols(spec, number, WHOLE_COLS) for number in found)


def _open_parts(spec: Attention, device: Device) -> tuple[KernelSpec, ...]:
    """The same of sizes of which some are arguments: cols are, and there may be any number of batches. None where rows are."""
    if not spec.rows or not may_be_split(spec) or static(size(spec.cols)) is not None:
        return ()
    spec = with_rows_joined(spec)
    rows = static(size(spec.rows[-1:]))
    if rows is None or rows > FEW_ROWS:
        return ()
    known = [extent for axis in (*spec.batch, *spec.rows[:-1]) if (extent := static(axis.extent)) is not None]
    number = next(iter(_numbers(max(prod(known), 1), MANY_COLS, device)), 1)
    return split_cols(spec, number, WHOLE_COLS) if number > 1 else ()


def _numbers(tiles: int, cols: int, device: Device) -> Iterator[int]:
    """How many parts there may be, each number as that of parts which are alike but for the last."""
    wanted = -(-BLOCKS_A_CORE * device.cores // tiles)
    for number in (wanted, 2 * wanted, 4 * wanted) if wanted > 1 else ():
        most = min(number, cols // LEAST_COLS)
        if most > 1:
            yield _alike(most, cols)


def _alike(number: int, cols: int) -> int:
    """As many parts or more, of a length that is a multiple of a tile's cols."""
    length = max(cols // number // WHOLE_COLS, 1) * WHOLE_COLS
    return -(-cols // length)


def _least_seconds(way: Iterable[KernelSpec], device: Device) -> float:
    """What kernels take for what they must move and their launches, with no core idle."""
    return sum(time_of(replace(compulsory(spec), blocks=device.cores), device).seconds for spec in way)


def with_rows_joined(spec: Attention) -> Attention:
    """The attention with the rows of heads that share a key as one axis, where all that it reads steps over them as one: one
    block reads the key for all of them."""
    spec = with_rows(spec)
    while len(spec.rows) > 1 and are_joinable(spec, spec.rows[-2], spec.rows[-1]):
        spec = joined(spec, spec.rows[-2], spec.rows[-1])
    return spec
