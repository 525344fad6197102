"""Rows that come to shared memory first: where short ones lie one behind the other, a block loads all of its own as one piece,
in accesses of 16 bytes, wherever in it each begins; its threads read them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.pieces import ELEMENT
from uol.backends.simt.c_text.printer import RELATION, UNARY, Printer
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.elements.transposed import Array
from uol.backends.simt.elements.vectors import ALIGNED, VECTOR
from uol.backends.simt.schedules import WHOLE_BYTES, BlockPerRow, RowSchedule
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, dense_strides, flat_offset, mul, size, static, substituted
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Read, Reduce, Store
from uol.codegen.specs.sizes import known_bound, known_multiples
from uol.codegen.specs.traverse import accesses, mapped, steps_of
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import DTYPES

PLACE = "$place"
"""Which of the rows of its block a thread has."""


def staged_reads(spec: Reduce) -> tuple[Read, ...]:
    """What is read along the columns, each element once and in the order of memory; nothing where not all of it is, or elements
    of rows are written."""
    columns = {axis.name for axis in spec.cols}
    if any(isinstance(step, Store) and columns & set(step.axes) for step in steps_of(spec)):
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

    def arrays(self, printer: Printer) -> tuple[Array, ...]:
        """The shared memory of a block."""
        elements = self.schedule.rows * (most_columns(self.spec) or 0)
        return tuple(Array(STORAGE[r.dtype], printer.names.tensor(name), elements) for name, r in self.reads.items())

    def write(self, scope: Scope) -> None:
        """The statements that fill the arrays, and the thread's row in them."""
        if not self.reads:
            return
        printer = scope.printer
        names, index = printer.names, printer.index_type
        buffers = {arg.name for arg in self.spec.args if arg.role == "workspace"}
        tensors = dict.fromkeys(read.tensor for read in self.reads.values() if read.tensor not in buffers)
        aligned = f"uol::is_aligned({', '.join(map(names.tensor, tensors))})" if tensors else "true"
        scope.add(f"const bool {names.variables[ALIGNED]} = {aligned};")
        for name, read in self.reads.items():
            self._fill(name, read, scope)
        scope.add("__syncthreads();")
        scope.add(f"const {index} {names.variables[PLACE]} = threadIdx.x / {self.schedule.lanes};")

    def _fill(self, name: str, read: Read, scope: Scope) -> None:
        names, index = scope.printer.names, scope.printer.index_type
        width, threads = WHOLE_BYTES // DTYPES[read.dtype].bytes, self.schedule.threads
        vector, element = names.variables[f"{name}_vec"], names.variables[ELEMENT]
        wide = "" if index == "int" else f"({index})"
        elements, rows = mul(Const(self.schedule.rows), self.columns), self.schedule.rows
        vectors = Const(count // width) if (count := static(elements)) is not None else mul(Const(rows // width), self.columns)
        place = f"{wide}blockIdx.x * {scope.printer.value(elements, UNARY)} + {VECTOR} * {width}"
        value = f"uol::load_vector<{width}>({names.tensor(read.tensor)}, {place}, {names.variables[ALIGNED]})"
        inner = scope.inner()
        inner.add(f"const uol::Vector<{STORAGE[read.dtype]}, {width}> {vector} = {value};")
        inner.lines.append("#pragma unroll")
        move = f"{names.tensor(name)}[{VECTOR} * {width} + {element}] = {vector}.at[{element}];"
        inner.block(f"for ({index} {element} = 0; {element} < {width}; ++{element})", [move])
        last = scope.printer.value(vectors, RELATION)
        scope.block(f"for ({index} {VECTOR} = threadIdx.x; {VECTOR} < {last}; {VECTOR} += {threads})", inner.lines)
