"""Attention: a few rows with all their cols in a strip that stays in cache.

    dots    register tiles of rows x cols, stored to the strip
    row     what becomes of them: passes along the cols of each row, in the strip
    sums    register tiles of rows x width from the strip, then the epilogue

A strip is a task; those that follow each other share the operands of their cols. Where a number of rows or cols is an argument,
strips are in a workspace: each core has a part of it, and goes from strip to strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import lcm

from tvm import tirx

from uol.backends.cpu.caches import STATED
from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.extents import ceil_div, greatest, least, quotient, remainder
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.attention_buffers import held, read_of, row_of, row_value, store_of
from uol.backends.cpu.operands.attention_packing import (
    STRIP_BYTES,
    STRIP_ROWS,
    leaves_place,
    row_bytes,
    strip_name,
    strip_types,
)
from uol.backends.cpu.operands.typical import typical_size
from uol.backends.cpu.schedules.along_cols import Row
from uol.backends.cpu.schedules.contraction import MOST_ROWS, PARALLEL_FROM_PRODUCTS
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.kinds import Reduction, Strips, Tiles
from uol.backends.cpu.schedules.nest import enter_nest, product, unflatten
from uol.backends.cpu.schedules.reduction import col_lanes
from uol.backends.cpu.schedules.register_tiles import FEW_ROWS, Tile, has_blocks
from uol.backends.cpu.schedules.tile_axes import Side
from uol.backends.cpu.statements import run_steps
from uol.codegen.attention.parts import WidthPart, behind_maximum, row_steps, weights_of, width_parts
from uol.codegen.attention.reach import Reach, reach
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import add, mul, static
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Arg, Attention, Contract, Dot, Fold, Let, Step
from uol.codegen.specs.steps import used_variables
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import compare, in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX

FIRST, AT, PART, PITCH = "first row", "row of strip", "part of workspace", "pitch of strip"
"""Names that no op has."""
BLOCK_BYTES = STATED.block_bytes
"""What strips of any length may have of the second level."""
ROWS_OF_ANY_NUMBER = 13
"""Of a tile where their number is an argument: in powers of two from 64 on it leaves a row in 64 over."""
MOST_TILES = 4
"""Register tiles of a strip, which follow each other on the same columns."""


def candidates(spec: Attention, host: Host) -> tuple[Strips, ...]:
    """Register tiles of two vectors a row and of as many rows as registers hold; as many of them as stay in cache."""
    if size((*spec.rows, *spec.cols)) is None:
        return (_strips_of_any_size(spec, host),)
    cols, inner = size(spec.cols) or 1, int(getattr(spec.rows[-1].extent, "value", 1)) if spec.rows else 1
    lanes = _lanes(spec, host)
    pitch = -(-cols // lanes) * lanes + lanes  # never a power of two: rows of a tile fall into different sets of a cache
    vectors = 2
    most = max(1, min(MOST_ROWS, (host.vector_registers - 4) // vectors, STRIP_BYTES // row_bytes(spec, pitch)))
    tile_rows = -(-inner // -(-inner // most))
    rows = tile_rows * _tiles_of_strip(-(-inner // tile_rows), tile_rows * row_bytes(spec, pitch), host)
    products = typical_size(spec, spec.batch) * (size(spec.rows) or 1) * cols * sum(size(d.depth) or 1 for d in spec.dots)
    row_lanes = col_lanes(row_of(spec), host)
    return (Strips(rows, tile_rows, pitch, vectors, lanes, row_lanes, host.cores > 1 and products >= PARALLEL_FROM_PRODUCTS),)


def _strips_of_any_size(spec: Attention, host: Host) -> Strips:
    """The same in a workspace."""
    lanes, vectors, (row,) = _lanes(spec, host), 2, spec.rows
    most = min(MOST_ROWS, (host.vector_registers - 4) // vectors)
    rows = static(row.extent) or min(most, ROWS_OF_ANY_NUMBER)
    tile_rows = ceil_div(rows, ceil_div(rows, most))
    row_lanes, slots = col_lanes(row_of(spec), host), static(_workspace(spec).shape[0]) or 1
    return Strips(tile_rows * MOST_TILES, tile_rows, 0, vectors, lanes, row_lanes, host.cores > 1, slots)


def _lanes(spec: Attention, host: Host) -> int:
    return host.vector_bytes // (8 if any("64" in d.dtype for d in spec.dots) else 4)


def _workspace(spec: Attention) -> Arg:
    """Of the first dot's strips; those of all others are like it."""
    return spec.arg(strip_name(spec, spec.dots[0].name))


def _tiles_of_strip(tiles: int, tile_bytes: int, host: Host) -> int:
    """As many as stay in the second level, all strips about as many."""
    most = max(1, min(MOST_TILES, host.caches.block_bytes // tile_bytes))
    return -(-tiles // -(-tiles // most))


def scheduled(spec: Attention, schedule: Strips) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    if schedule.slots:
        _AnySize(frame, spec, schedule).write()
        return frame.close()
    rows = Side.of(spec.rows, schedule.rows)
    nest = (*spec.batch, *rows.outer, rows.tiles)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        for first, height in rows.pieces(frame, scope):
            _Strip(frame, spec, schedule, rows.axis, height, schedule.tile_rows).write(scope.with_values({FIRST: first}))
    return frame.close()


@dataclass(frozen=True, slots=True)
class _AnySize:
    """Strips in a workspace, part by part."""

    frame: Frame
    spec: Attention
    schedule: Strips

    def write(self) -> None:
        """Every part takes the next strip when it is done with one. Its register tiles have as many rows as there are, at the
        most; the last of them overlaps the one before it."""
        code, schedule, (axis,) = self.frame.code, self.schedule, self.spec.rows
        rows = code.hold("rows", index(self.frame.extent(axis.extent)))
        fewer = (FEW_ROWS, 1) if static(axis.extent) is None else ()  # a number of rows has a tile of its own
        heights = (schedule.tile_rows, *(n for n in fewer if n < schedule.tile_rows))
        for height, more in zip(heights, (None, *heights), strict=False):
            fits = rows >= index(height)
            with code.when(fits if more is None else tirx.And(fits, rows < index(more))):
                self._write_strips(rows, height)

    def _write_strips(self, rows: Term, height: int) -> None:
        """All of them, in register tiles of that height."""
        code, slots, (axis,) = self.frame.code, self.schedule.slots, self.spec.rows
        pitch = code.hold("pitch", index(self.frame.extent(_workspace(self.spec).strides[1])))
        most = code.hold("strip_rows", self._most_tiles(height) * index(height))
        strips = code.hold("strips", ceil_div(rows, most))
        named = [(a.name, self.frame.extent(a.extent)) for a in self.spec.batch] + [("strip", strips)]
        count = code.hold("count", index(product([extent for _, extent in named])))
        turns = code.hold("turns", ceil_div(count, slots))
        kind = PARALLEL if self.schedule.parallel else SERIAL
        with code.loop("slot", slots, kind) as slot, code.loop("turn", turns) as turn:
            number = code.bind("number", self._strip(slot, turn, turns))
            with code.when(number < count):
                values = unflatten(self.frame, number, named)
                start = code.hold("start", values["strip"] * most)
                own = code.hold("own", tirx.Max(tirx.Min(most, rows - start), index(height)))
                first = code.hold("first", tirx.Min(start, rows - own))
                scope = self.frame.scope.with_values({**values, PART: slot, PITCH: pitch, FIRST: first})
                _Strip(self.frame, self.spec, self.schedule, axis, own, height).write(scope)

    def _strip(self, slot: Term, turn: Term, turns: Term) -> Term:
        """The one that a part takes in its turn: it has neighbours, whose cols it read before. Where each strip has more to do
        than the one before it, and parts have no whole batches, they go to and fro."""
        slots, in_order = self.schedule.slots, slot * turns + turn
        if reach(self.spec) == Reach(None, None):
            return in_order
        batches = index(product([self.frame.extent(a.extent) for a in self.spec.batch]))
        place = tirx.Select(tirx.EQ(tirx.FloorMod(turn, index(2)), index(0)), slot, index(slots - 1) - slot)
        return tirx.Select(tirx.EQ(remainder(batches, slots), index(0)), in_order, turn * index(slots) + place)

    def _most_tiles(self, height: int) -> Term:
        """How many register tiles a strip has, so that it stays in the second level."""
        tile_bytes = row_bytes(self.spec, 1) * height * index(self.frame.extent(self.spec.cols[-1].extent))
        return greatest(1, least(MOST_TILES, quotient(BLOCK_BYTES, greatest(1, tile_bytes))))


@dataclass(frozen=True, slots=True)
class _Strip:
    """`height` rows along `axis`, from `FIRST` on, in register tiles of `tile_rows`."""

    frame: Frame
    spec: Attention
    schedule: Strips
    axis: Axis
    height: Extent
    tile_rows: int

    def write(self, scope: Scope) -> None:
        scope = self._within_reach(self._with_arrays(scope))
        for dot in self.spec.dots:
            epilogue = self._to_strip(dot)
            self._product(Var(dot.name, dot.dtype), (self.spec.cols, dot.depth), (dot.a, dot.b), epilogue, scope)
        self._rows(scope)
        for part in width_parts(self.spec):
            self._sums(part, scope)

    def _within_reach(self, scope: Scope) -> Scope:
        """Limits of the cols, by what the first and the last row of the strip see, in whole vectors and tiles."""
        seen = reach(self.spec)
        if seen == Reach(None, None):
            return scope
        col = self.spec.cols[-1]
        extent = index(self.frame.extent(col.extent))
        width = self.schedule.vectors * self.schedule.lanes
        step = lcm(width, self.schedule.row_lanes)
        first, end = (self._extreme(bound, scope, is_end=is_end) for bound, is_end in ((seen.first, False), (seen.end, True)))
        start: Term = index(0)
        if first is not None:
            start = self._known("start", quotient(tirx.Min(tirx.Max(first, index(0)), extent), step) * index(step))
        stop: Term = extent
        if end is not None:
            stop = self._known("stop", tirx.Min(ceil_div(tirx.Max(end, index(0)), step) * index(step), extent))
        tiles = (quotient(start, width), ceil_div(stop, width))
        if static(col.extent) is None:  # fewer cols than a tile has are all gone over, in shorter ones
            is_whole = extent >= index(width)
            count = index(self.frame.extent(self._columns(self.spec.cols).tiles.extent))
            tiles = (tirx.Select(is_whole, tiles[0], index(0)), tirx.Select(is_whole, tiles[1], count))
        return replace(scope, limits={col.name: (start, stop), f"{col.name}_tile": tiles})

    def _known(self, name: str, value: Term) -> Term:
        """A limit, worked out once; about one over arguments TVM does not reason in all that it stands in."""
        return self.frame.code.hold(name, value) if self.schedule.slots else self.frame.code.bind(name, value)

    def _extreme(self, bound: Expr | None, scope: Scope, *, is_end: bool) -> Term | None:
        """The least first col, or the greatest end, of the strip's rows."""
        if bound is None:
            return None
        factor = coefficient(bound, self.axis.name)
        if factor is None:
            return None
        row = self.height - 1 if (factor > 0) == is_end else index(0)
        return evaluate(bound, scope.with_values({self.axis.name: scope.values[FIRST] + index(row)}))

    def _to_strip(self, dot: Dot) -> tuple[Step, ...]:
        """Stores a dot; the last of them as what the maximum is of, where that is all that it is for."""
        early = behind_maximum(self.spec) if dot is self.spec.dots[-1] else ()
        others = self.spec.dots[:-1]
        known: dict[str, Expr] = {d.name: read_of(Var(d.name, d.dtype), self.spec.cols, self._begin) for d in others}
        lets = tuple(replace(s, value=substitute(s.value, known)) for s in early)
        value = lets[-1] if lets else dot
        return (*lets, store_of(Var(value.name, value.dtype), self.spec.cols, value.line, self._begin))

    @property
    def _row(self) -> Expr:
        """The row of the strip that a row of the spec is."""
        return Call("-", (Var(self.axis.name), Var(FIRST)), INDEX)

    @property
    def _begin(self) -> Expr:
        return self._line(self._row)

    def _line(self, row: Expr) -> Expr:
        """Where a row of the strip begins: in a workspace, of the slot's part."""
        if not self.schedule.slots:
            return mul(row, Const(self.schedule.pitch))
        return mul(add(mul(Var(PART), Const(STRIP_ROWS)), row), Var(PITCH))

    @property
    def _most_rows(self) -> int:
        return self.height if isinstance(self.height, int) else self.schedule.rows

    def _with_arrays(self, scope: Scope) -> Scope:
        """The strip of every dot, in which weights take the dots' places, and an array for every value of a row."""
        arrays = {name: self._strip(name, dtype, scope) for name, dtype in strip_types(self.spec).items()}
        places = [arrays[d.name] for d in self.spec.dots]
        arrays |= {let.name: places[-1] for let in behind_maximum(self.spec)[-1:]}
        for number, weight in enumerate(weights_of(self.spec)):
            if leaves_place(self.spec, number):
                arrays[weight.name] = places[number]
        for step in self._row_values():
            arrays[step.name] = self._array(step.name, step.dtype, self._most_rows)
        for part in width_parts(self.spec):
            for total in part.sums[:-1]:
                arrays[total.name] = self._array(total.name, total.dtype, self._most_rows * (size(part.width) or 1))
        axes = (*self.spec.axes, Axis(AT, Const(self._most_rows)))
        known = (*self.spec.facts, *(bound for axis in axes for bound in in_range(axis)), *self._facts_of_workspace())
        return held(replace(scope, facts=Facts(known)), arrays, mul(Const(self.schedule.slots * STRIP_ROWS), Var(PITCH)))

    def _facts_of_workspace(self) -> tuple[Expr, ...]:
        """In the rows of each part all cols have room; nothing where there is no workspace."""
        if not self.schedule.slots:
            return ()
        room = (compare("<=", extent, Var(PITCH)) for extent in (Const(0), self.spec.cols[-1].extent))
        return (*in_range(Axis(PART, Const(self.schedule.slots))), *room)

    def _strip(self, name: str, dtype: str, scope: Scope) -> Term:
        if self.schedule.slots:
            return scope.buffers[strip_name(self.spec, name)]
        return self._array(name, dtype, self._most_rows * self.schedule.pitch)

    def _array(self, name: str, dtype: str, length: int) -> Term:
        return self.frame.code.local(f"{name}_strip", length, representation(dtype).compute)

    def _row_values(self) -> tuple[Let | Fold, ...]:
        """Folds, and lets of the row, that sums are finished with."""
        used = used_variables([s for part in width_parts(self.spec) for s in part.steps])
        steps = (*(s for s in self.spec.steps if isinstance(s, Fold)), *row_steps(self.spec))
        return tuple(s for s in steps if isinstance(s, Let | Fold) and s.name in used)

    def _rows(self, scope: Scope) -> None:
        """Each row of the strip from dots to weights."""
        code = self.frame.code
        work = row_of(self.spec, self._line(Var(AT)), behind_maximum(self.spec)[-1:])
        with code.loop("row", self.height) as row:
            here = scope.with_values({AT: row, self.axis.name: scope.values[FIRST] + row})
            here = Row(self.frame, work, Reduction("cols", self.schedule.row_lanes, 0)).run(here)
            here = run_steps(code, row_steps(self.spec), here)
            for step in self._row_values():
                code.add(tirx.BufferStore(scope.buffers[step.name], here.values[step.name], [row]))

    def _sums(self, part: WidthPart, scope: Scope) -> None:
        """The sums over one width; the last of them, with the steps that use them."""
        known: dict[str, Expr] = {s.name: row_value(Var(s.name, s.dtype), self._row) for s in self._row_values()}
        pitch = size(part.width) or 1
        for number, total in enumerate(part.sums):
            value = Var(total.name, total.dtype)
            epilogue: tuple[Step, ...] = tuple(replace(s, value=substitute(s.value, known)) for s in part.steps)
            if number + 1 < len(part.sums):
                begin = mul(self._row, Const(pitch))
                known[total.name] = read_of(value, part.width, begin)
                epilogue = (store_of(value, part.width, total.line, begin),)
            weight = read_of(Var(total.weight, total.dtype), self.spec.cols, self._begin)
            self._product(value, (part.width, self.spec.cols), (weight, total.value), epilogue, scope)

    def _product(
        self,
        total: Var,
        axes: tuple[tuple[Axis, ...], tuple[Axis, ...]],
        factors: tuple[Expr, Expr],
        epilogue: tuple[Step, ...],
        scope: Scope,
    ) -> None:
        """Rows times columns, summed over k, as register tiles; `axes` are those of the columns and of k."""
        (n, k), (a, b) = axes, factors
        contract = Contract(
            **head_of(self.spec), batch=(), m=(self.axis,), n=n, k=k, a=a, b=b, acc=total.name, acc_dtype=total.dtype, line=0,
            epilogue=epilogue,
        )  # fmt: skip
        tiles, columns = Tiles(self.tile_rows, self.schedule.vectors, self.schedule.lanes, 1, False), self._columns(n)
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, (*columns.outer, columns.tiles), 0, scope)
            for column, width in columns.pieces(self.frame, scope):
                for first, height in self._row_tiles(scope):
                    rows = self.axis, first, height
                    _StripTile(self.frame, contract, tiles, rows, (columns.axis, column, width)).write(scope)

    def _columns(self, axes: tuple[Axis, ...]) -> Side:
        """The tiles of columns: of any number, those of a vector and less, too."""
        lanes = self.schedule.lanes
        return Side.of(axes, self.schedule.vectors * lanes, lanes, lanes // 4, 1)

    def _row_tiles(self, scope: Scope) -> Iterator[tuple[Term, int]]:
        """(first row, length) of a register tile of the strip: whole ones in a loop, then the last one."""
        step, first = self.tile_rows, scope.values[FIRST]
        if not isinstance(self.height, int):
            with self.frame.code.loop("row_tile", ceil_div(self.height, step)) as number:
                last = self.height - index(step)
                yield self.frame.code.hold("first", first + tirx.Min(number * index(step), last)), step
            return
        whole, rest = divmod(self.height, step)
        if whole:
            with self.frame.code.loop("row_tile", whole) as number:
                yield first + number * index(step), step
        if rest:
            yield first + index(whole * step), rest


class _StripTile(Tile):
    """A register tile, whose sums over any number of cols are of blocks."""

    @property
    def has_blocks(self) -> bool:
        return size(self.spec.k) is None or has_blocks(self.spec)
