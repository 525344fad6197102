"""Contract: register tiles of a (implicit) matrix product.

    tile    `rows` x `vectors` accumulators: each step along k loads the vectors of b once and broadcasts one element of a
            for every row, so that all work is fused multiply-adds from registers
    panels  the same over a copy of b, where that serves rows enough: see `panels.py`
    dot     where b is contiguous along k and there are few rows: lanes hold partial sums along k

Rows run along the innermost m axis (the pixels of a row of an image), vectors along the innermost n axis, where the
result and b are contiguous. Tiles are the parallel tasks, in an order that reads memory little: see `_block`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.cpu.dots.words import has_words, lies_in_rows, unit_of, words_of
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.extents import ceil_div
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.factors import accumulator_bytes, epilogue_rows, rows_are_far, sliding_axis, the_read
from uol.backends.cpu.operands.panels import LEAST_COLUMNS, LEAST_DEPTH, LONG_K, WIDEST_PANEL, feeds_lanes, takes_panels
from uol.backends.cpu.operands.pixel_lines import has_channels_on_lanes
from uol.backends.cpu.operands.typical import typical, typical_size, typical_span
from uol.backends.cpu.schedules.cost import CHAINS, size
from uol.backends.cpu.schedules.dot_products import DOT_COLUMNS, DOT_ROWS, dot_products
from uol.backends.cpu.schedules.kinds import Dots, Panels, Tiles, Unit
from uol.backends.cpu.schedules.legality import TILE_REGISTERS
from uol.backends.cpu.schedules.panels import product_of_panels
from uol.backends.cpu.schedules.register_tiles import register_tiles
from uol.backends.cpu.schedules.segments import within_segments
from uol.backends.cpu.schedules.tasks import FEWEST_REGISTER_TILES, FEWEST_TILES, TILES_SPEED, Product, tiles_of_fewest_columns
from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import ONE, static
from uol.codegen.specs.nodes import Contract, Read, Store
from uol.ir.program.nodes import Axis
from uol.ir.types import DTYPES

SUMS_BYTES = 1 << 20
"""What the tiles of a task may take of a thread's stack between blocks of k."""
ALL_REGISTERS_COST = 1.05
"""Of a tile that leaves no register free: where another is nearly as good, as 6 x 16 of AVX2 beside 4 x 24, that is taken."""
PARALLEL_FROM_PRODUCTS = 1 << 18
"""Multiply-adds from which a second thread pays: 256 k take a core some 5 us."""
FEW_ROWS, SOME_ROWS = 8, 128
"""Up to so many rows (the larger number where k is long), dot products on b where it lies beat tiles on a transposed
copy of it."""
WAY_BYTES = 4096
"""Addresses that are this far apart share a set of the first-level cache, which has as many ways as it has of these: of 32 KB
8, of 48 KB 12."""
MOST_ROWS = 14
SLIVER_ROWS = 16
"""Rows of a sliver that the depth of a block allows for: the power of two above `MOST_ROWS`."""
MOST_DEPTH = 1024
"""Steps along k that are summed one after another in a block, at the most: the error grows with them."""
MOST_PIECES = 48
"""Pieces in which the terms of a block lie in a row of a, at the most: each may be on a page of its own, of which a first-level
TLB knows some 64."""
ROWS_OF_A_SET = 6
"""Rows of a tile that fall into one set of the first level, through which the panels pass: of 12 ways, tiles of 8 rows and more
took 1.07 times as long as those of 6."""
NEAR_ROWS = 128
"""Rows up to which panels are in the first level. The copy is a large part of the work then: of 32 channels of a 3-D image, a
product took 1.3 times as long by panels in the second level, of 64 of 56 x 56 pixels 1.1 times; of 256 as long."""
WIDEST_BLOCK = 1 << 10
"""More tiles of columns than there are in a block."""
NEAR_VECTORS = 3
"""Vectors of a usual tile over such panels."""
NEAR_LOAD, FAR_LOAD = 1.0, 1.5
"""What a vector of a panel takes, in multiply-adds, from the first level and from the second."""
ROWS_OF_A_VECTOR = 8
"""Pixels of a tile of one vector of channels: as many sums as are under way. 28 and 16 of them, of which LLVM spills some, took
1.2 and 1.3 times as long as 7 and 8."""
ROWS_OF_ANY_NUMBER = 12
"""Rows of a tile where their number is an argument, or half of them where registers are few: more would be too many for more
sizes, and with `FEW_ROWS` at the end powers of two lack little."""
ADDRESSED_ROWS = 6
"""Rows that have an address each, of the 16 registers that the processor has for all."""
COLUMNS_OF_ANY_NUMBER = 1 << 10


def candidates(spec: Contract, host: Host) -> tuple[Tiles | Dots | Panels, ...]:
    """Best first."""
    unit = unit_of(spec, host) if has_words(spec) else ""
    if has_channels_on_lanes(spec):
        return (_lines_of_channels(spec, host),)
    if unit or takes_panels(spec):
        return (_word_panels(spec, host, unit) if unit else _panels(spec, host),)
    spec = _at_hand(spec)
    lanes = host.vector_bytes // accumulator_bytes(spec)
    rows = _extent(spec, "m")
    products = size(spec.axes)
    parallel = host.cores > 1 and (products is None or products >= PARALLEL_FROM_PRODUCTS)
    if prefers_dot(spec):
        tile_rows = min(rows, DOT_ROWS)
        columns = min(DOT_COLUMNS, accumulators(host) // tile_rows) if tile_rows > 1 else 2 * DOT_COLUMNS
        return (Dots(tile_rows, columns, lanes, parallel),)
    if products is None:
        return (_tiles_of_any_size(spec, lanes, host),)
    tile_rows, vectors = _tile(spec, rows, lanes, host)
    if not spec.m and len(spec.n) > 1 and not the_read(spec.b).guard:
        tile_rows, vectors = _lines(spec, vectors, lanes, host)
    far = _results_are_far(spec, host)
    if spec.segments is not None and spec.segments.over == "rows":
        return (Tiles(tile_rows, vectors, lanes, 1, parallel, _b_is_far(spec), far),)
    block = _block(spec, tile_rows, host)
    return (Tiles(tile_rows, vectors, lanes, block, parallel, block > 1 and _b_is_far(spec), far),)


def _lines_of_channels(spec: Contract, host: Host) -> Tiles:
    """Tiles of as many pixels as the registers hold, cut evenly out of a line, with up to three vectors of channels."""
    lanes, pixels = host.vector_bytes // accumulator_bytes(spec), _extent(spec, "n")
    channels = ceil_div(_extent(spec, "m"), lanes)
    most = NEAR_VECTORS if host.vector_registers > 16 and channels % NEAR_VECTORS == 0 else 2
    vectors = min(channels, most)
    most = (host.vector_registers - vectors - 1) // vectors
    pieces = ceil_div(pixels, min(most, ROWS_OF_A_VECTOR) if vectors == 1 else most)
    block = WIDEST_BLOCK if vectors * lanes < _extent(spec, "m") else 1
    return Tiles(ceil_div(pixels, pieces), vectors, lanes, block, host.cores > 1, channels=True)


def _panels(spec: Contract, host: Host) -> Panels:
    """The tile that keeps the processor's units busiest, blocks that stay in its caches, tasks enough for its cores."""
    lanes = host.vector_bytes // accumulator_bytes(spec)
    rows, columns = (typical_size(spec, axes) for axes in (spec.m[-1:], spec.n[-1:]))
    near = _is_near(spec, lanes, host)
    height, vectors = _busiest(rows, columns, lanes, host, _heights(spec, lanes), NEAR_LOAD if near else FAR_LOAD)
    block = _block_of_panels(spec, vectors * lanes, host, near)
    depth, far = _even_depth(spec, block.depth), _results_are_far(spec, host)
    return _in_tasks(spec, Panels(height, vectors, lanes, depth, 1, 1, host.cores > 1, far), host, block)


def _even_depth(spec: Contract, most: int) -> int:
    """That of blocks of k which are about as long as each other; the most where k is an argument."""
    depth = typical_size(spec, spec.k)
    return most if size(spec.k) is None else ceil_div(depth, ceil_div(depth, most))


def _word_panels(spec: Contract, host: Host, unit: Unit) -> Panels:
    """The same for the processor's instructions for words. Dot instructions broadcast each element of the rows of a tile, for
    which the first level has room. Tile registers are loaded by lines: the second level feeds them, and a block is as deep as
    it holds the panels that must read the rows."""
    words = words_of(spec)
    word = words.steps if words else 1
    lanes = host.vector_bytes // accumulator_bytes(spec)
    rows, columns = (typical_size(spec, axes) for axes in (spec.m[-1:], spec.n[-1:]))
    height, vectors = TILE_REGISTERS if unit == "tiles" else _busiest(rows, columns, lanes, host)
    fewest = FEWEST_REGISTER_TILES if unit == "tiles" else FEWEST_TILES
    line_bytes = accumulator_bytes(spec) * (fewest * vectors * lanes if unit == "tiles" else SLIVER_ROWS)
    kept_bytes = host.caches.block_bytes if unit == "tiles" else host.caches.sliver_bytes
    depth = _even_depth(spec, word * max(LEAST_DEPTH, kept_bytes // line_bytes))
    tile = Panels(height, vectors, lanes, depth, 1, 1, host.cores > 1, _results_are_far(spec, host), unit=unit, word=word)
    return _in_tasks(spec, tile, host, _Block(depth, fewest, host.caches.block_bytes))


@dataclass(frozen=True, slots=True)
class _Block:
    """Panels of a block of k: how deep they are at the most, of how many tiles of columns at the least, what they may take, and
    whether each is copied where its tiles begin."""

    depth: int
    fewest: int
    bytes: int
    near: bool = False


def _is_near(spec: Contract, lanes: int, host: Host) -> bool:
    """Are panels for few rows, and too deep for the first level as they are? Of one block alone they gain nothing there."""
    if feeds_lanes(spec) or rows_are_far(spec) or typical_size(spec, spec.m) > NEAR_ROWS:
        return False
    return typical_size(spec, spec.k) * NEAR_VECTORS * lanes * accumulator_bytes(spec) > host.caches.panel_bytes


def _block_of_panels(spec: Contract, width: int, host: Host, near: bool) -> _Block:
    """Panels that few rows read are in the first-level cache from their copy on, half of what there is room for: rows and sums
    pass by. Those of others are in the second, as deep as it allows: the fewer blocks, the fewer sums wait. A sliver is copied
    for all columns that the second level has room for."""
    caches, line_bytes = host.caches, width * accumulator_bytes(spec)
    if rows_are_far(spec):
        return _Block(LEAST_DEPTH, WIDEST_BLOCK, 5 * caches.second // 8)
    fewest = tiles_of_fewest_columns(width)
    if near:
        depth = caches.panel_bytes // (2 * line_bytes)
        return _Block(depth, fewest, fewest * depth * line_bytes, near=True)
    depth = min(caches.block_bytes // (fewest * line_bytes), MOST_DEPTH, MOST_PIECES * _length_of_pieces(spec))
    return _Block(max(LEAST_DEPTH, depth), fewest, caches.block_bytes)


def _length_of_pieces(spec: Contract) -> int:
    """How many terms of a row lie contiguously: all, those of a filter's taps, those of an image."""
    offset, length = the_read(spec.a).offset, 1
    for axis in reversed(spec.k):
        if coefficient(offset, axis.name) != length:
            return length
        length *= typical(spec, axis.extent)
    return length


def _heights(spec: Contract, lanes: int) -> range:
    """How many rows a tile may have: rows that are copied are so by half a vector."""
    if rows_are_far(spec):
        return range(lanes // 2, MOST_ROWS + 1, lanes // 2)
    if static(spec.m[-1].extent) is None:
        return range(ROWS_OF_ANY_NUMBER // 2, 1 + ROWS_OF_ANY_NUMBER, ROWS_OF_ANY_NUMBER // 2)
    if _rows_lie_apart_by_argument(spec):
        return range(1, 1 + ADDRESSED_ROWS)
    return range(1, 1 + (ROWS_OF_A_SET if _rows_share_sets(spec) else MOST_ROWS))


def _in_tasks(spec: Contract, tile: Panels, host: Host, block: _Block) -> Panels:
    """The schedule of a tile, with so many of them in a task as the sizes and the cores ask for, and with copies of rows where
    these pay."""
    width = tile.vectors * tile.lanes
    row_tiles = typical_size(spec, spec.m[:-1]) * ceil_div(typical_size(spec, spec.m[-1:]), tile.rows)
    column_tiles = typical_size(spec, spec.n[:-1]) * ceil_div(typical_size(spec, spec.n[-1:]), width)
    speed = TILES_SPEED if tile.unit == "tiles" else 1
    batches, is_copied = typical_size(spec, spec.batch), rows_are_far(spec) and not tile.unit
    last = _part_of_a_tile(typical_size(spec, spec.n[-1:]), tile) if len(spec.n) == 1 else 1.0
    product = Product(row_tiles, column_tiles, batches, tile.rows, host.cores, speed=speed, copies_rows=is_copied, last=last)
    line_bytes = width * accumulator_bytes(spec)
    tiles = SUMS_BYTES // (tile.rows * line_bytes)
    widest = min(tiles, max(1, block.bytes // (ceil_div(tile.depth, tile.word) * line_bytes)))
    tall, wide = product.task(widest, tiles, block.fewest)
    slivers, cores = rows_are_far(spec) and wide >= FEWEST_TILES, 0
    if tile.unit:
        slivers = tile.unit == "dots" or not lies_in_rows(spec)
    if size((*spec.batch, *spec.m, *spec.n)) is None:
        tall, wide, cores = tiles // widest, widest, host.cores
    return replace(tile, row_tiles=tall, column_tiles=wide, slivers=slivers, near=block.near, cores=cores)


def _part_of_a_tile(columns: int, tile: Panels) -> float:
    """How much of a tile the last one of so many columns is, by whole vectors."""
    vectors = ceil_div(columns, tile.lanes) % tile.vectors
    return (vectors or tile.vectors) / tile.vectors


def _busiest(
    rows: int, columns: int, lanes: int, host: Host, heights: range = range(1, 1 + MOST_ROWS), load: float = FAR_LOAD
) -> tuple[int, int]:
    """Rows and vectors of the tile that takes least for all rows and columns. A step along k takes its multiply-adds, two a
    cycle and never fewer than the ten that hide their latency, and what its loads take, which compete with them: a vector of
    a panel `load` multiply-adds, an element of a row a quarter."""
    found = []
    for vectors in range(1, WIDEST_PANEL // lanes + 1):
        for most in heights:
            height = -(-rows // -(-rows // most)) if heights.step == 1 else most
            products, loads = height * vectors, height + vectors
            if products + vectors + 1 > host.vector_registers:
                continue
            tiles = -(-rows // height) * -(-columns // (vectors * lanes))
            room = ALL_REGISTERS_COST if products + vectors + 1 == host.vector_registers else 1.0
            found.append((room * tiles * (max(products, loads, 10) + load * vectors + height / 4), height, vectors))
    _, height, vectors = min(found)
    return height, vectors


def _tiles_of_any_size(spec: Contract, lanes: int, host: Host) -> Tiles:
    """Tiles where some extent is an argument."""
    rows = static(spec.m[-1].extent) if spec.m else 1
    tile_rows, vectors = _tile(spec, ROWS_OF_ANY_NUMBER if rows is None else rows, lanes, host)
    return Tiles(tile_rows, vectors, lanes, 1, host.cores > 1)


def _at_hand(spec: Contract) -> Contract:
    """What a tile of one segment computes."""
    return within_segments(spec) if spec.segments is not None and spec.segments.over == "rows" else spec


def _block(spec: Contract, tile_rows: int, host: Host) -> int:
    """Row tiles a block. A b that stays in cache as a whole may be read again for every row tile, so that a is read
    once. Any other b is read once a block: as many tiles of a as stay in cache."""
    if _bytes(spec, the_read(spec.b)) <= host.caches.second:
        return 1
    outer = size(spec.m[:-1]) or 1
    row_tiles = max(1, outer * -(-_extent(spec, "m") // tile_rows))
    tile_bytes = max(1, _bytes(spec, the_read(spec.a)) // row_tiles)
    return min(row_tiles, max(1, host.caches.second // tile_bytes))


def _b_is_far(spec: Contract) -> bool:
    """Weights in [k, n] order are read in short runs, far apart: what the processor does not foresee."""
    read = the_read(spec.b)
    return bool(spec.n) and not read.guard and coefficient(read.offset, spec.n[-1].name) == 1


def _results_are_far(spec: Contract, host: Host) -> bool:
    """Is what the epilogue reads and writes too large to stay in a second-level cache?"""
    return any(_bytes(spec, access) > host.caches.second for access in epilogue_rows(spec))


def _bytes(spec: Contract, access: Read | Store) -> int:
    """The memory that an operand takes in one batch."""
    batches = max(1, typical_size(spec, spec.batch))
    return typical_span(spec, spec.arg(access.tensor)) * DTYPES[access.dtype].bytes // batches


def _extent(spec: Contract, group: str) -> int:
    return max(1, typical_size(spec, getattr(spec, group)[-1:]))


def _tile(spec: Contract, rows: int, lanes: int, host: Host) -> tuple[int, int]:
    """The largest tile that the registers hold, cut evenly out of the rows."""
    columns = COLUMNS_OF_ANY_NUMBER if any(static(a.extent) is None for a in spec.n[-1:]) else _extent(spec, "n")
    is_apart = _rows_lie_apart_by_argument(spec)
    vectors = 8 if rows == 1 else 4 if rows <= 3 or is_apart else 2
    vectors = max(1, min(vectors, -(-columns // lanes), accumulators(host)))
    most = max(1, accumulators(host) // vectors)
    if spec.segments is None and _rows_share_sets(spec):  # of a segment, each row of b comes from memory for all that there are
        most = min(most, max(1, host.caches.first // WAY_BYTES - 1))
    if is_apart and vectors > 2:
        most = min(most, ADDRESSED_ROWS)
    pieces = -(-rows // min(most, MOST_ROWS))
    return -(-rows // pieces), vectors


def _lines(spec: Contract, vectors: int, lanes: int, host: Host) -> tuple[int, int]:
    """Lines of columns and vectors of a tile without rows: as many as have additions in flight, about as many in each tile.
    Where lines slide, what they read is in registers beside their sums."""
    most = CHAINS
    if sliding_axis(spec) is not None:
        vectors, most = min(vectors, 2), accumulators(host) // 2
    lines, columns = typical_size(spec, spec.n[-2:-1]), min(vectors * lanes, typical(spec, spec.n[-1].extent))
    registers = columns // lanes + (columns % lanes).bit_count()  # LLVM cuts a vector into powers of two
    return ceil_div(lines, max(1, ceil_div(lines, max(1, most // registers)))), vectors


def accumulators(host: Host) -> int:
    """Registers that sums may stay in: not those of vectors of b and of an element of a."""
    return host.vector_registers - 4


def _rows_share_sets(spec: Contract) -> bool:
    """Do the rows of a tile fall into one set of the first-level cache?"""
    read = the_read(spec.a)
    step = coefficient(read.offset, spec.m[-1].name) if spec.m else None
    pitch = (step or 0) * (8 if "64" in representation(read.dtype).storage else 4)
    return pitch > 0 and pitch % WAY_BYTES == 0


def _rows_lie_apart_by_argument(spec: Contract) -> bool:
    """Is the pitch of the rows no number? The address of each is in a register of its own then."""
    offset = affine(the_read(spec.a).offset, [a.name for a in spec.axes])
    return bool(spec.m) and offset is not None and static(offset.factor(spec.m[-1].name)) is None


def prefers_dot(spec: Contract) -> bool:
    """Few rows, and both operands contiguous along k where b is not along n. The rows of a segment are
    few, and its b is not worth a copy."""
    spec = _at_hand(spec)
    a, b = the_read(spec.a), the_read(spec.b)
    if spec.segments is not None and spec.segments.over == "terms":
        return False
    if not spec.k or (spec.segments is None and size(spec.m) is None) or a.guard or b.guard:
        return False
    inner = spec.k[-1]
    along_k = _steps_by_one(spec, a, inner) and _steps_by_one(spec, b, inner)
    along_n = not spec.n or (_steps_by_one(spec, b, spec.n[-1]) and typical(spec, spec.n[-1].extent) >= LEAST_COLUMNS)
    length = static(inner.extent)
    rows = SOME_ROWS if length is None or length >= LONG_K else FEW_ROWS
    return along_k and not along_n and (spec.segments is not None or (size(spec.m) or 1) <= rows)


def _steps_by_one(spec: Contract, read: Read, axis: Axis) -> bool:
    """Are neighbours along the axis neighbours in memory?"""
    offset = affine(read.offset, [a.name for a in spec.axes])
    return offset is not None and offset.factor(axis.name) == ONE


def scheduled(spec: Contract, schedule: Tiles | Dots | Panels) -> Term:
    """The kernel as a PrimFunc."""
    if isinstance(schedule, Panels):
        return product_of_panels(spec, schedule)
    return dot_products(spec, schedule) if isinstance(schedule, Dots) else register_tiles(spec, schedule)
