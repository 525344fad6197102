"""Map and Pack whose result lies along one axis, and something that it reads along another: tiles through shared memory.

Lanes load along the axis that the read lies along, and compute and store along the result's: both move whole sectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.schedule import TransposedTile
from uol.backends.simt.elements.vectors import Vectors, is_side_by_side, stride_along
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.limits import SECTOR_BYTES, WHOLE_BYTES
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import add, mul, size, static, sub
from uol.codegen.specs.nodes import Map, Pack, Read, Step, Store
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import accesses, map_step, reads
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import DTYPES

LEAST = 16
"""Extent of an axis from which on a tile is worth it: half of the smallest."""
TILE = "$tile"


@dataclass(frozen=True, slots=True)
class Crossing:
    """The axis `along` that the result lies along, the one `across` it, and the reads that lie along that."""

    along: Axis
    across: Axis
    reads: tuple[Read, ...]


def crossing_of(spec: Map | Pack) -> Crossing | None:
    """None where nothing lies across the result, or anything lies in a way of its own."""
    if not spec.axes:
        return None
    *others, along = spec.axes
    found = [each for each in accesses(spec) if isinstance(each, Read)]
    crossing = tuple(dict.fromkeys(read for read in found if _is_far(read, along)))
    across = next((axis for axis in others if crossing and all(_lies_along(read, axis) for read in crossing)), None)
    if across is None or any((known := static(axis.extent)) is not None and known < LEAST for axis in (along, across)):
        return None
    rest = [each for each in accesses(spec) if each not in crossing]
    return Crossing(along, across, crossing) if all(_stride(each, along) in (0, 1) for each in rest) else None


def _stride(access: Read | Store, axis: Axis) -> int | None:
    stride = stride_along(access, axis)
    return None if stride is None else static(stride)


def _is_far(read: Read, along: Axis) -> bool:
    stride = stride_along(read, along)
    if stride is None:
        return False
    step = static(stride)
    return step is None or step * DTYPES[read.dtype].bytes >= SECTOR_BYTES  # what is an argument is taken to be long


def _lies_along(read: Read, axis: Axis) -> bool:
    return _stride(read, axis) == 1 and not read.guard and not any(True for _ in reads(read.offset))


def tile_across(spec: Map | Pack, crossing: Crossing) -> TransposedTile:
    """As many elements side by side as make 16 bytes, where everything lies so on both axes; eight threads for a side then."""
    across, along = crossing.across, crossing.along
    moved = [each for each in accesses(spec) if each not in crossing.reads and _stride(each, along) == 1]
    each = WHOLE_BYTES // max(DTYPES[a.dtype].bytes for a in (*moved, *crossing.reads))
    multiples = known_multiples(spec.where)
    while each > 1 and not (
        all(is_multiple_of(axis.extent, each, multiples) for axis in (along, across))
        and all(is_side_by_side(access, along, each, multiples) for access in moved)
        and all(is_side_by_side(read, across, each, multiples) for read in crossing.reads)
    ):
        each //= 2
    return TransposedTile(max(32, 8 * each), each)


def tiled_bytes(crossing: Crossing, tile: TransposedTile) -> int:
    """Shared memory of a block."""
    return sum(tile.elements * DTYPES[read.dtype].bytes for read in crossing.reads)


def blocks_of(spec: Map | Pack, crossing: Crossing, tile: TransposedTile) -> Expr:
    """Tiles of the whole result."""
    return size(_tiles(spec, crossing, tile))


def _tiles(spec: Map | Pack, crossing: Crossing, tile: TransposedTile) -> tuple[Axis, ...]:
    """The axes of the grid: what is neither along nor across, then tiles across, then tiles along."""
    rest = tuple(axis for axis in spec.axes if axis not in (crossing.along, crossing.across))
    both = (crossing.across, crossing.along)
    return (*rest, *(Axis(f"{TILE}_{a.name}", parts_of(a.extent, tile.side)) for a in both))


@dataclass(frozen=True, slots=True)
class Array:
    """Shared memory for a tile of a tensor."""

    ctype: str
    name: str
    elements: int


@dataclass(frozen=True, slots=True)
class TransposedPlan:
    """What `transposed.j2` reads. `loads` fill the tiles, `body` computes from them, both in so many turns."""

    template: ClassVar[str] = "transposed.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    tile: str
    arrays: tuple[Array, ...]
    before: tuple[str, ...]
    turns: int
    loads: tuple[str, ...]
    body: tuple[str, ...]


def plan_transposed(spec: Map | Pack, tile: TransposedTile) -> TransposedPlan:
    """The kernel `y[.., i] = f(x[i, ..])`."""
    crossing = crossing_of(spec)
    assert crossing is not None
    tiles = Counter.over(_tiles(spec, crossing, tile), TILE)
    reach = [mul(tiles.count, Const(tile.threads)), *(add(a.extent, Const(tile.side)) for a in spec.axes)]
    index = index_type(spec, reach)
    writer = _Writer(spec, crossing, tile, tiles, Printer(legalise(spec, ["tile", "turn"]), Proofs.of(spec), index.ctype))
    before, loads, body = writer.before(), writer.loads(), writer.body()
    printer = writer.printer
    return TransposedPlan(
        title=f"{printer.value(size(spec.axes))} elements, {tile.describe().split(',')[0]}",
        signature=signature(spec, kernel_symbol(spec), printer.names, tile.threads, index),
        launch=Launch((as_count(tiles.count), 1, 1), (tile.threads, 1, 1)),
        index_type=index.ctype,
        tile=printer.names.variable(TILE),
        arrays=tuple(Array(STORAGE[r.dtype], printer.names.tensor(n), tile.elements) for n, r in writer.tiled.items()),
        before=tuple(before),
        turns=tile.side // tile.rows_a_turn,
        loads=tuple(loads),
        body=tuple(body),
    )


class _Writer:
    """Writes the two halves of a tile's way."""

    def __init__(self, spec: Map | Pack, crossing: Crossing, tile: TransposedTile, tiles: Counter, printer: Printer) -> None:
        self.spec, self.crossing, self.tile, self.tiles = spec, crossing, tile, tiles
        self.tiled = {f"${read.tensor}_tile{n or ''}": read for n, read in enumerate(crossing.reads)}
        multiples = known_multiples(spec.where)
        self.vectors, self.loaded = (Vectors(axis, tile.each, multiples) for axis in (crossing.along, crossing.across))
        if tile.each > 1:
            for read in crossing.reads:
                self.loaded.taken_read(read)
        self.steps = [self._step(step) for step in spec.steps]
        firsts = [self._first(axis) for axis in (crossing.along, crossing.across)]
        printer = self.vectors.known(tiles.known(printer)) if tile.each > 1 else tiles.known(printer)
        printer = self.loaded.known(printer) if tile.each > 1 else printer
        names = printer.names.with_locals([TILE, *(axis.name for axis in tiles.axes), *firsts, *self.tiled])
        arrays = {name: names.variables[name] for name in self.tiled}
        self.printer = replace(printer, names=replace(names, tensors={**names.tensors, **arrays}))

    def _first(self, axis: Axis) -> str:
        """The variable for where a tile begins."""
        return f"${axis.name}_first"

    def _place(self) -> Expr:
        """Of the element at hand in a tile."""
        along, across = (sub(Var(a.name), Var(self._first(a))) for a in (self.crossing.along, self.crossing.across))
        return add(mul(along, Const(self.tile.pitch)), across)

    def _step(self, step: Step) -> Step:
        """The step of one element, with tiles in place of what lies across, and vectors of what lies along."""
        names = {read: name for name, read in self.tiled.items()}

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Read) or node not in names:
                return None
            return replace(node, tensor=names[node], offset=self._place(), strides=())

        if self.tile.each > 1:
            step = self.vectors.taken(step)
        step = map_step(step, lambda expr: rewrite(expr, rule))
        return self.vectors.at_element(step, self.crossing.along.name) if self.tile.each > 1 else step

    def before(self) -> list[str]:
        """Where the tile is."""
        scope = Scope(self.printer)
        axes = (self.crossing.across, self.crossing.along)
        outer = frozenset(axis.name for axis in self.tiles.axes)
        scope.axes(self.tiles, outer & self._used() | {a.name for a in self.tiles.axes[-2:]})
        names, index = self.printer.names, self.printer.index_type
        for axis, tiles in zip(axes, self.tiles.axes[-2:], strict=True):
            scope.add(f"const {index} {names.variable(self._first(axis))} = {names.variable(tiles.name)} * {self.tile.side};")
        if self.tile.each > 1:
            workspaces = frozenset(a.name for a in self.spec.args if a.role == "workspace")
            scope.put(self.vectors.aligned(self.printer, workspaces, self.loaded.loads.values()))
        return scope.lines

    def _used(self) -> frozenset[str]:
        parts = (*self.crossing.reads, *self.vectors.loads.values(), *(store.offset for store in self.vectors.stores.values()))
        return used_variables(self.steps).union(*map(variables, parts))

    def loads(self) -> list[str]:
        """A turn of what fills the tiles."""
        scope = Scope(self.printer)
        place = self.printer.value(self._place())
        for name, read in self.tiled.items():
            array = self.printer.names.tensor(name)
            if self.tile.each == 1:
                scope.add(f"{array}[{place}] = {self.printer.stored(read)};")
                continue
            (vector,) = (n for n, each in self.loaded.loads.items() if each == read)
            self.loaded.load(vector, read, scope)
            inner = scope.inner()
            element = self.printer.names.variable(ELEMENT)
            inner.add(f"{array}[{place} + {element}] = {self.printer.names.tensor(vector)}[{element}];")
            self.loaded.loop(inner, scope)
        return self._turn(self.crossing.along, self.crossing.across, scope)

    def body(self) -> list[str]:
        """A turn of what is computed from them."""
        scope = Scope(self.printer)
        for name, read in self.vectors.loads.items():
            self.vectors.load(name, read, scope)
        for name in self.vectors.stores:
            scope.put(self.vectors.declaration(name, self.printer))
        if self.tile.each > 1:
            self.vectors.read_once(self.steps, scope)
        inner = scope.inner() if self.tile.each > 1 else scope
        inner.write(self.steps)
        if self.tile.each > 1:
            self.vectors.loop(inner, scope)
        for name, store in self.vectors.stores.items():
            self.vectors.store(name, store.offset, scope)
        return self._turn(self.crossing.across, self.crossing.along, scope)

    def _turn(self, slow: Axis, fast: Axis, body: Scope) -> list[str]:
        """Threads along `fast`, rows of them along `slow`."""
        names, tile = self.printer.names, self.tile
        scope, lanes = Scope(self.printer), tile.side // tile.each
        row, column = f"threadIdx.x / {lanes}", f"threadIdx.x % {lanes}"
        row = row if tile.rows_a_turn == tile.side else f"turn * {tile.rows_a_turn} + {row}"
        column = column if tile.each == 1 else f"{column} * {tile.each}"
        for axis, place in ((slow, row), (fast, column)):
            variable, first = names.variable(axis.name), names.variable(self._first(axis))
            scope.add(f"const {self.printer.index_type} {variable} = {first} + {place};")
        whole = [axis for axis in (slow, fast) if not is_multiple(axis.extent, tile.side)]
        inside = " && ".join(f"{names.variable(axis.name)} < {self.printer.value(axis.extent)}" for axis in whole)
        if inside:
            scope.under(inside, body.lines)
        else:
            scope.put(*body.body)
        return scope.lines
