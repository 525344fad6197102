"""Dot products: lanes hold partial sums along k, a few rows and columns at a time.

For few rows and a b that is contiguous along k (`linear` on a single row): b streams through once, as it lies.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce

from tvm import tirx

from uol.backends.cpu.expressions.builder import UNROLLED, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.kinds import Dots
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.prefetch import prefetch
from uol.backends.cpu.schedules.segments import is_in_runs, lengths_to, tiles_of_runs
from uol.backends.cpu.schedules.tile_axes import Side
from uol.backends.cpu.statements import enter, run_steps
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis

ZERO = index(0)
DOT_ROWS, DOT_COLUMNS = 4, 4
"""Rows and columns whose products are summed side by side."""
Sums = tuple[Term, int]
"""An array of partial sums, and how many lanes each product has in it."""


def dot_products(spec: Contract, schedule: Dots) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed."""
    frame = open_frame(spec, FAST)
    write_dots(frame, spec, schedule)
    return frame.close()


def write_dots(frame: Frame, spec: Contract, schedule: Dots) -> None:
    """All dot products."""
    overlaps = size(spec.m + spec.n) is None
    columns = Side.of(spec.n, schedule.columns, 1, overlaps=overlaps)
    if is_in_runs(spec):
        for part, here, (row, height), (column, width) in tiles_of_runs(
            frame, spec, lengths_to(schedule.rows), columns, parallel=schedule.parallel
        ):
            firsts = (spec.m[-1].name if spec.m else "", row), (columns.axis.name, column)
            _Block(frame, part, schedule.lanes, firsts, (height, width)).write(here)
        return
    rows = Side.of(spec.m, schedule.rows, 1, overlaps=overlaps)
    nest = spec.batch + (*columns.outer, columns.tiles, *rows.outer, rows.tiles)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        for row, height in rows.pieces(frame, scope):
            for column, width in columns.pieces(frame, scope):
                firsts = (rows.axis.name, row), (columns.axis.name, column)
                _Block(frame, spec, schedule.lanes, firsts, (height, width)).write(scope)


@dataclass(frozen=True, slots=True)
class _Block:
    """`shape` dot products from the `firsts` (row and column: axis and index) on."""

    frame: Frame
    spec: Contract
    lanes: int
    firsts: tuple[tuple[str, Term], tuple[str, Term]]
    shape: tuple[int, int]

    def write(self, scope: Scope) -> None:
        spec, inner = self.spec, self.spec.k[-1]
        with ExitStack() as loops:
            sums = [self._sums(lanes) for lanes in self._lengths(inner)]
            point = enter(self.frame, loops, spec.k[:-1], scope)
            self._along(sums, point, inner)
        for total in sums:
            self._join(total)
        self._epilogue(sums, scope)

    def _epilogue(self, sums: list[Sums], scope: Scope) -> None:
        """The products side by side, and the results of a row as a vector."""
        code, spec, (height, width) = self.frame.code, self.spec, self.shape
        whole = code.local(f"{spec.acc}_whole", height * width, representation(spec.acc_dtype).compute)
        with code.loop("product", height * width, UNROLLED) as product:
            held = [tirx.BufferLoad(total, [product * index(lanes)]) for total, lanes in sums]
            code.add(tirx.BufferStore(whole, reduce(tirx.Add, held), [product]))
        kind = lane_loop(spec.epilogue, (self.firsts[1][0], spec.acc), scope)
        with code.loop("row", height, UNROLLED) as row, code.loop("column", width, kind) as column:
            product = tirx.BufferLoad(whole, [row * index(width) + column])
            run_steps(code, spec.epilogue, self._at(scope, row, column).with_values({spec.acc: product}))

    def _lengths(self, inner: Axis) -> tuple[int, ...]:
        """Lanes along k: vectors alone, and one shorter vector at the end; where k is an argument, a few, then one."""
        if static(inner.extent) is not None:
            return (self.lanes,)
        return tuple(dict.fromkeys((self.lanes, max(1, self.lanes // 4), 1)))

    def _sums(self, lanes: int) -> Sums:
        """Partial sums of all products, `lanes` each, at 0."""
        code = self.frame.code
        compute, products = representation(self.spec.acc_dtype).compute, self.shape[0] * self.shape[1]
        partial = code.local(self.spec.acc, products * lanes, compute)
        with code.loop("product", products, UNROLLED) as product, code.loop("lane", lanes, VECTORIZED) as lane:
            code.add(tirx.BufferStore(partial, tirx.const(0, compute), [product * index(lanes) + lane]))
        return partial, lanes

    def _along(self, sums: list[Sums], point: Scope, inner: Axis) -> None:
        """All products along k. Every length has sums of its own: an array that is read by one length stays in registers."""
        code, extent = self.frame.code, self.frame.extent(inner.extent)
        if isinstance(extent, int):
            whole, rest = divmod(extent, self.lanes)
            with code.loop(f"{inner.name}_vector", whole) as vector:
                self._add(sums[0], point, inner.name, vector * index(self.lanes), self.lanes)
            if rest:
                self._add(sums[0], point, inner.name, index(whole * self.lanes), rest)
            return
        end, done = code.bind("end", extent), ZERO
        for total, lanes in sums:
            count = code.bind("count", tirx.FloorDiv(end - done, index(lanes)))
            with code.loop(f"{inner.name}_vector", count) as vector:
                self._add((total, lanes), point, inner.name, done + vector * index(lanes), lanes)
            done = code.bind("done", done + count * index(lanes))

    def _add(self, sums: Sums, point: Scope, axis: str, first: Term, count: int) -> None:
        """The products of `count` elements along k."""
        (partial, lanes), code, spec = sums, self.frame.code, self.spec
        height, width = self.shape
        if is_in_runs(spec):
            self._prefetch_b(point, axis, first)
        with code.loop("row", height, UNROLLED) as row, code.loop("column", width, UNROLLED) as column:  # noqa: SIM117
            with code.loop("lane", count, VECTORIZED) as lane:
                here = self._at(point, row, column).with_values({axis: first + lane})
                place = (row * index(width) + column) * index(lanes) + lane
                product = tirx.Mul(evaluate(spec.a, here), evaluate(spec.b, here))
                code.add(tirx.BufferStore(partial, tirx.Add(tirx.BufferLoad(partial, [place]), product), [place]))

    def _prefetch_b(self, point: Scope, axis: str, first: Term) -> None:
        """Asks for what the next columns have of b at this step: each column is another stretch of memory, of few pages."""
        width = self.shape[1]
        for read in reads(self.spec.b):  # none where b is the fill of a segment that does not exist
            places = [self._at(point, ZERO, index(width + column)).with_values({axis: first}) for column in range(width)]
            prefetch(self.frame, read, places)

    def _join(self, sums: Sums) -> None:
        """All lanes of a product into its first, by halves."""
        (partial, lanes), code = sums, self.frame.code
        with code.loop("product", self.shape[0] * self.shape[1], UNROLLED) as product:
            width = lanes
            while width > 1:
                width //= 2
                with code.loop("lane", width, VECTORIZED) as lane:
                    place = product * index(lanes) + lane
                    other = tirx.BufferLoad(partial, [place + index(width)])
                    code.add(tirx.BufferStore(partial, tirx.Add(tirx.BufferLoad(partial, [place]), other), [place]))

    def _at(self, scope: Scope, row: Term, column: Term) -> Scope:
        (m, first_row), (n, first_column) = self.firsts
        return scope.with_values({m: first_row + row, n: first_column + column})
