"""Dot products: lanes hold partial sums along k, a few rows and columns at a time.

For few rows and a b that is contiguous along k (`linear` on a single row): b streams through once, as it lies.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.builder import UNROLLED, VECTORIZED, index
from uol.backends.cpu.dtypes import Term, representation
from uol.backends.cpu.expressions import Scope, evaluate
from uol.backends.cpu.fast_functions import FAST
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.primfunc import enter, run_steps
from uol.backends.cpu.schedules.kinds import Dots
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.segments import by_segment
from uol.backends.cpu.schedules.sides import Side
from uol.codegen.spec import Contract

ZERO = index(0)


def dot_products(spec: Contract, schedule: Dots) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed."""
    frame = open_frame(spec, FAST)
    rows, columns = Side.of(spec.m, schedule.rows, 1), Side.of(spec.n, schedule.columns, 1)
    nest = spec.batch + (*columns.outer, columns.tiles, *rows.outer, rows.tiles)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        for row, height in rows.pieces(frame, scope):
            for column, width in columns.pieces(frame, scope):
                for part, here, first, count in by_segment(frame, spec, scope, row, height):
                    firsts = (rows.axis.name, first), (columns.axis.name, column)
                    _Block(frame, part, schedule.lanes, firsts, (count, width)).write(here)
    return frame.close()


@dataclass(frozen=True, slots=True)
class _Block:
    """`shape` dot products from the `firsts` (row and column: axis and index) on."""

    frame: Frame
    spec: Contract
    lanes: int
    firsts: tuple[tuple[str, Term], tuple[str, Term]]
    shape: tuple[int, int]

    def write(self, scope: Scope) -> None:
        code, spec, lanes = self.frame.code, self.spec, self.lanes
        compute = representation(spec.acc_dtype).compute
        height, width = self.shape
        partial = code.local(spec.acc, height * width * lanes, compute)
        with code.loop("product", height * width, UNROLLED) as product, code.loop("lane", lanes, VECTORIZED) as lane:
            code.add(tirx.BufferStore(partial, tirx.const(0, compute), [product * index(lanes) + lane]))
        inner = spec.k[-1]
        extent = self.frame.extent(inner.extent)
        assert isinstance(extent, int)
        with ExitStack() as loops:
            point = enter(self.frame, loops, spec.k[:-1], scope)
            whole, rest = divmod(extent, lanes)
            with code.loop(f"{inner.name}_vector", whole) as vector:
                self._add(partial, point, inner.name, vector * index(lanes), lanes)
            if rest:
                self._add(partial, point, inner.name, index(whole * lanes), rest)
        self._join(partial)
        with code.loop("row", height) as row, code.loop("column", width) as column:
            held = tirx.BufferLoad(partial, [(row * index(width) + column) * index(lanes)])
            run_steps(code, spec.epilogue, self._at(scope, row, column).with_values({spec.acc: held}))

    def _add(self, partial: Term, point: Scope, axis: str, first: Term, count: int) -> None:
        """The products of `count` elements along k."""
        code, spec = self.frame.code, self.spec
        height, width = self.shape
        with code.loop("row", height, UNROLLED) as row, code.loop("column", width, UNROLLED) as column:  # noqa: SIM117
            with code.loop("lane", count, VECTORIZED) as lane:
                here = self._at(point, row, column).with_values({axis: first + lane})
                place = (row * index(width) + column) * index(self.lanes) + lane
                product = tirx.Mul(evaluate(spec.a, here), evaluate(spec.b, here))
                code.add(tirx.BufferStore(partial, tirx.Add(tirx.BufferLoad(partial, [place]), product), [place]))

    def _join(self, partial: Term) -> None:
        """All lanes of a product into its first, by halves."""
        code, width = self.frame.code, self.lanes
        with code.loop("product", self.shape[0] * self.shape[1], UNROLLED) as product:
            while width > 1:
                width //= 2
                with code.loop("lane", width, VECTORIZED) as lane:
                    place = product * index(self.lanes) + lane
                    other = tirx.BufferLoad(partial, [place + index(width)])
                    code.add(tirx.BufferStore(partial, tirx.Add(tirx.BufferLoad(partial, [place]), other), [place]))

    def _at(self, scope: Scope, row: Term, column: Term) -> Scope:
        (m, first_row), (n, first_column) = self.firsts
        return scope.with_values({m: first_row + row, n: first_column + column})
