"""Rows that come to shared memory first: where short ones lie one behind the other, a block loads all of its own as one piece,
in accesses of 16 bytes, wherever in it each begins; its threads read them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import THREAD, Element, Local, Pointer, Primitive, Scalar, Vector, block_index, plus, times
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.vectors import ALIGNED, FLAG, VECTOR, are_aligned
from uol.backends.simt.kernel.nodes import Barrier, Buffer, Declare, Loop, Store
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.limits import WHOLE_BYTES
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, dense_strides, flat_offset, mul, size, static, substituted
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Read, Reduce
from uol.codegen.specs.nodes import Store as StoreStep
from uol.codegen.specs.sizes import known_bound, known_multiples
from uol.codegen.specs.traverse import accesses, mapped, steps_of
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import DTYPES, INDEX

PLACE = "$place"
"""Which of the rows of its block a thread has."""


def staged_reads(spec: Reduce) -> tuple[Read, ...]:
    """What is read along the columns, each element once and in the order of memory; nothing where not all of it is, or elements
    of rows are written."""
    columns = {axis.name for axis in spec.cols}
    if any(isinstance(step, StoreStep) and columns & set(step.axes) for step in steps_of(spec)):
        return ()
    whole = Counter.over((*spec.rows, *spec.cols), "$whole")
    found = dict.fromkeys(a for a in accesses(spec) if isinstance(a, Read) and columns & variables(a.offset))
    return tuple(found) if all(_is_dense(read, whole) for read in found) else ()


def _is_dense(read: Read, whole: Counter) -> bool:
    at_first = substituted(read.offset, {axis.name: ZERO for axis in whole.axes})
    return not read.guard and whole.step(read) == ONE and at_first == ZERO


def most_columns(spec: Reduce) -> int | None:
    """Of a row, at most; None where there is no bound."""
    columns = size(spec.cols)
    known = static(columns)
    return known if known is not None else known_bound(spec.where, columns)


def staged_bytes(spec: Reduce, rows: int) -> int | None:
    """Shared memory for the rows of a block; None where they are no piece that accesses of 16 bytes make up."""
    found, most = staged_reads(without_unit_axes(spec)), most_columns(spec)
    if not found or most is None or not is_multiple_of(size(spec.rows), rows, known_multiples(spec.where)):
        return None
    each = static(size(spec.cols)) or 1  # whatever it is, if it is not known
    pieces = [rows * DTYPES[read.dtype].bytes for read in found]
    return None if any(piece * each % WHOLE_BYTES for piece in pieces) else sum(pieces) * most


@dataclass(frozen=True, slots=True)
class Staging:
    """What a block has in shared memory of its rows: reads by the names of the arrays for them."""

    spec: Reduce
    schedule: BlockPerRow
    reads: Mapping[str, Read] = field(default_factory=dict)

    @staticmethod
    def of(spec: Reduce, schedule: RowSchedule) -> Staging:
        """Nothing where the schedule does not say so."""
        if not isinstance(schedule, BlockPerRow) or not schedule.staged:
            return Staging(spec, BlockPerRow())
        found = enumerate(staged_reads(spec))
        return Staging(spec, schedule, {f"${read.tensor}_rows{n or ''}": read for n, read in found})

    @property
    def columns(self) -> Expr:
        return size(self.spec.cols)

    def taken(self) -> Reduce:
        """The spec with arrays in place of what they hold."""
        if not self.reads:
            return self.spec
        names = {read: name for name, read in self.reads.items()}
        shape = tuple(axis.extent for axis in self.spec.cols)
        inner = flat_offset([Var(axis.name) for axis in self.spec.cols], shape, dense_strides(shape))
        offset = add(mul(Var(PLACE), self.columns), inner)
        strides = tuple(zip((axis.name for axis in self.spec.cols), dense_strides(shape), strict=True))

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Read) or node not in names:
                return None
            return replace(node, tensor=names[node], offset=offset, strides=strides)

        return mapped(self.spec, expr=lambda expr: rewrite(expr, rule))

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the arrays, and which row a thread has."""
        if not self.reads:
            return printer
        vectors = (f"{name}_vec" for name in self.reads)
        names = printer.names.with_locals([PLACE, ALIGNED, ELEMENT, *self.reads, *vectors])
        arrays = {name: names.variables[name] for name in self.reads}
        ranges = printer.ranges
        bounds = {**ranges.variables, PLACE: Interval(0, self.schedule.rows - 1)}
        names = replace(names, tensors={**names.tensors, **arrays})
        return replace(printer, names=names, proofs=replace(printer.proofs, ranges=replace(ranges, variables=bounds)))

    def arrays(self, printer: Printer) -> tuple[Buffer, ...]:
        """The shared memory of a block."""
        elements = self.schedule.rows * (most_columns(self.spec) or 0)
        found = ((printer.names.tensor(name), Scalar(read.dtype, stored=True)) for name, read in self.reads.items())
        return tuple(Buffer(name, kind, "shared", elements) for name, kind in found)

    def write(self, scope: Scope) -> None:
        """The statements that fill the arrays, and the thread's row in them."""
        if not self.reads:
            return
        variables = scope.printer.names.variables
        buffers = {arg.name for arg in self.spec.args if arg.role == "workspace"}
        tensors = dict.fromkeys(read.tensor for read in self.reads.values() if read.tensor not in buffers)
        scope.put(Declare(variables[ALIGNED], Scalar("bool"), scope.known(are_aligned(tensors))))
        for name, read in self.reads.items():
            self._fill(name, read, scope)
        scope.put(Barrier())
        place = Call("/", (THREAD, Const(self.schedule.lanes)), INDEX)
        scope.put(Declare(variables[PLACE], Scalar(INDEX), scope.known(place)))

    def _fill(self, name: str, read: Read, scope: Scope) -> None:
        variables, kind = scope.printer.names.variables, Scalar(read.dtype, stored=True)
        width, threads = WHOLE_BYTES // DTYPES[read.dtype].bytes, self.schedule.threads
        elements, rows = mul(Const(self.schedule.rows), self.columns), self.schedule.rows
        vectors = Const(count // width) if (count := static(elements)) is not None else mul(Const(rows // width), self.columns)
        first = Call("*", (block_index(scope.printer), scope.known(elements)), INDEX)
        place = plus(first, times(Local(VECTOR), width))
        value = Primitive("load_vector", (width,), (Pointer(read.tensor), place, FLAG), Vector(kind, width))
        vector = Local(variables[f"{name}_vec"], Vector(kind, width))
        inner = scope.inner()
        inner.put(Declare(vector.name, vector.kind, scope.known(value)))
        target = Element(Pointer(name), plus(times(Local(VECTOR), width), Var(ELEMENT)), kind)
        move = Store(scope.known(target), scope.known(Element(vector, Var(ELEMENT), kind, vector=True)))
        inner.put(Loop(variables[ELEMENT], ZERO, Const(width), (move,), unrolled=True))
        scope.put(Loop(VECTOR, THREAD, scope.known(vectors), tuple(inner.body), threads))
