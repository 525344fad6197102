"""Attention: a few rows with all their cols in a strip that stays in cache.

    dots    register tiles of rows x cols, stored to the strip
    row     what becomes of them: passes along the cols of each row, in the strip
    sums    register tiles of rows x width from the strip, then the epilogue

A strip is a task; those that follow each other share the operands of their cols.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import lcm

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.attention_buffers import at_row, held, read_of, row_of, row_value, store_of
from uol.backends.cpu.operands.attention_packing import STRIP_BYTES, row_bytes
from uol.backends.cpu.operands.typical import typical_size
from uol.backends.cpu.schedules.along_cols import Row
from uol.backends.cpu.schedules.contraction import MOST_ROWS, PARALLEL_FROM_PRODUCTS
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.kinds import Reduction, Strips, Tiles
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.reduction import col_lanes
from uol.backends.cpu.schedules.register_tiles import Tile
from uol.backends.cpu.schedules.tile_axes import Side
from uol.backends.cpu.statements import run_steps
from uol.codegen.attention.parts import WidthPart, behind_maximum, row_steps, weights_of, width_parts
from uol.codegen.attention.reach import Reach, reach
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Attention, Contract, Dot, Fold, Let, Step
from uol.codegen.specs.steps import used_variables
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX

FIRST, AT = "first row", "row of strip"
"""Names that no op has."""
MOST_TILES = 4
"""Register tiles of a strip, which follow each other on the same columns."""


def candidates(spec: Attention, host: Host) -> tuple[Strips, ...]:
    """Register tiles of two vectors a row and of as many rows as registers hold; as many of them as stay in cache."""
    cols, inner = size(spec.cols) or 1, int(getattr(spec.rows[-1].extent, "value", 1)) if spec.rows else 1
    lanes = host.vector_bytes // (8 if any("64" in d.dtype for d in spec.dots) else 4)
    pitch = -(-cols // lanes) * lanes + lanes  # never a power of two: rows of a tile fall into different sets of a cache
    vectors = 2
    most = max(1, min(MOST_ROWS, (host.vector_registers - 4) // vectors, STRIP_BYTES // row_bytes(spec, pitch)))
    tile_rows = -(-inner // -(-inner // most))
    rows = tile_rows * _tiles_of_strip(-(-inner // tile_rows), tile_rows * row_bytes(spec, pitch), host)
    products = typical_size(spec, spec.batch) * (size(spec.rows) or 1) * cols * sum(size(d.depth) or 1 for d in spec.dots)
    row_lanes = col_lanes(row_of(spec), host)
    return (Strips(rows, tile_rows, pitch, vectors, lanes, row_lanes, host.cores > 1 and products >= PARALLEL_FROM_PRODUCTS),)


def _tiles_of_strip(tiles: int, tile_bytes: int, host: Host) -> int:
    """As many as stay in the second level, all strips about as many."""
    most = max(1, min(MOST_TILES, host.caches.block_bytes // tile_bytes))
    return -(-tiles // -(-tiles // most))


def scheduled(spec: Attention, schedule: Strips) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    rows = Side.of(spec.rows, schedule.rows)
    nest = (*spec.batch, *rows.outer, rows.tiles)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        for first, height in rows.pieces(frame, scope):
            _Strip(frame, spec, schedule, rows.axis, height).write(scope.with_values({FIRST: first}))
    return frame.close()


@dataclass(frozen=True, slots=True)
class _Strip:
    """`height` rows along `axis`, from `FIRST` on."""

    frame: Frame
    spec: Attention
    schedule: Strips
    axis: Axis
    height: int

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
        code, extent = self.frame.code, static(col.extent) or 0
        width = self.schedule.vectors * self.schedule.lanes
        step = lcm(width, self.schedule.row_lanes)
        first, end = (self._extreme(bound, scope, is_end=is_end) for bound, is_end in ((seen.first, False), (seen.end, True)))
        start: Term = index(0)
        if first is not None:
            start = code.bind(
                "start", tirx.FloorDiv(tirx.Min(tirx.Max(first, index(0)), index(extent)), index(step)) * index(step)
            )
        stop: Term = index(extent)
        if end is not None:
            whole = tirx.FloorDiv(tirx.Max(end, index(0)) + index(step - 1), index(step)) * index(step)
            stop = code.bind("stop", tirx.Min(whole, index(extent)))
        tiles = (tirx.FloorDiv(start, index(width)), tirx.FloorDiv(stop + index(width - 1), index(width)))
        return replace(scope, limits={col.name: (start, stop), f"{col.name}_tile": tiles})

    def _extreme(self, bound: Expr | None, scope: Scope, *, is_end: bool) -> Term | None:
        """The least first col, or the greatest end, of the strip's rows."""
        if bound is None:
            return None
        factor = coefficient(bound, self.axis.name)
        if factor is None:
            return None
        row = self.height - 1 if (factor > 0) == is_end else 0
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
        return at_row(self._row, self.schedule.pitch)

    def _with_arrays(self, scope: Scope) -> Scope:
        """The strip of every dot, in which weights take the dots' places, and an array for every value of a row."""
        length, weights = self.height * self.schedule.pitch, weights_of(self.spec)
        arrays = {d.name: self._array(d.name, d.dtype, length) for d in self.spec.dots}
        places = list(arrays.values())
        arrays |= {let.name: places[-1] for let in behind_maximum(self.spec)[-1:]}
        for number, weight in enumerate(weights):
            is_free = number < len(places) and self.spec.dots[number].dtype == weight.dtype
            arrays[weight.name] = places[number] if is_free else self._array(weight.name, weight.dtype, length)
        for step in self._row_values():
            arrays[step.name] = self._array(step.name, step.dtype, self.height)
        for part in width_parts(self.spec):
            for total in part.sums[:-1]:
                arrays[total.name] = self._array(total.name, total.dtype, self.height * (size(part.width) or 1))
        at = Axis(AT, Const(self.height))
        facts = Facts((*self.spec.facts, *(b for a in (*self.spec.axes, at) for b in in_range(a))))
        return held(replace(scope, facts=facts), arrays)

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
        work = row_of(self.spec, at_row(Var(AT), self.schedule.pitch), behind_maximum(self.spec)[-1:])
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
                begin = at_row(self._row, pitch)
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
        tiles = Tiles(self.schedule.tile_rows, self.schedule.vectors, self.schedule.lanes, 1, False)
        columns = Side.of(n, tiles.vectors * tiles.lanes)
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, (*columns.outer, columns.tiles), 0, scope)
            for column, width in columns.pieces(self.frame, scope):
                for first, height in self._row_tiles(scope):
                    Tile(self.frame, contract, tiles, (self.axis, first, height), (columns.axis, column, width)).write(scope)

    def _row_tiles(self, scope: Scope) -> Iterator[tuple[Term, int]]:
        """(first row, length) of a register tile of the strip: whole ones in a loop, then the last one."""
        step, first = self.schedule.tile_rows, scope.values[FIRST]
        whole, rest = divmod(self.height, step)
        if whole:
            with self.frame.code.loop("row_tile", whole) as number:
                yield first + number * index(step), step
        if rest:
            yield first + index(whole * step), rest
