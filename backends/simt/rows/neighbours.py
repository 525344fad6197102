"""Reduce where a thread has several rows side by side: a column of each at once, in accesses of 16 bytes.

Where a read steps from row to row by a window of columns that touch, a thread loads the windows of all its rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from uol.backends.c_text.names import legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.terms import THREAD, Element, Primitive, Record, Vector, block_index, plus, times
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.spans import Group
from uol.backends.simt.elements.vectors import Vectors
from uol.backends.simt.kernel.nodes import Declare, Kernel, Loop, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.rows.column_loops import END, end_of_row, loops_over, nested, row_major
from uol.backends.simt.rows.folds import Folding, folding, take
from uol.backends.simt.rows.head import ROW, Head
from uol.backends.simt.rows.row_schedules import window_axis
from uol.backends.simt.rows.schedule import ThreadPerRow
from uol.backends.simt.rows.stored_once import asked_of, when_first
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ZERO, mul, size
from uol.codegen.specs.ends import End, until_end
from uol.codegen.specs.nodes import Let, Read, Reduce, Step, Store, guard_operands
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import PICKS, Pass, Passes, passes_of, used_variables
from uol.codegen.specs.traverse import mapped, reads, step_expressions, steps_of
from uol.ir.program.nodes import Const, Var
from uol.ir.program.walk import variables

A = TypeVar("A", Read, Store)


def neighbours_kernel(spec: Reduce, schedule: ThreadPerRow) -> Kernel:
    """The kernel of a Reduce of one pass, `schedule.each` rows a thread."""
    threads, each = schedule.threads, schedule.each
    rows, columns = size(spec.rows), size(spec.cols)
    blocks = parts_of(rows, threads * each)
    index = index_type(spec, [mul(blocks, Const(threads * each)), columns], data_apart=True)
    row = Counter.over(spec.rows, ROW)
    head = Head(spec, legalise(spec, ["row", END]), schedule, index, row)
    spec, end = until_end(spec)
    axis, within = spec.rows[-1], window_axis(spec)
    group = Group.of(spec, axis, each, within)
    vectors = Vectors(axis, each, known_multiples(spec.where), within=within, group=group)
    spec = mapped(spec, step=lambda step: vectors.at_element(row.shortened(vectors.taken(step)), row.name))
    printer = vectors.known(row.known(head.printer(Proofs.of(spec))))
    writer = _Writer(spec, end, vectors, row, Scope(printer))
    before, run = writer.before(), writer.run()
    first = times(plus(times(block_index(printer), threads), THREAD), each)
    start = head.row(printer, first, None if is_multiple(rows, threads * each) else rows)
    return head.kernel(printer, Launch((as_count(blocks), 1, 1), (threads, 1, 1)), (), (*start, *before, *run))


class _Writer:
    """Writes the one pass of a kernel, and what follows it."""

    def __init__(self, spec: Reduce, end: End | None, vectors: Vectors, row: Counter, scope: Scope) -> None:
        self.spec, self.end, self.vectors, self.row, self.scope = spec, end, vectors, row, scope
        self.passes: Passes = passes_of(spec)
        (self.part,) = self.passes.passes
        self.loaded = set[str]()  # vectors that are there for the pass and what follows it
        element = scope.printer.names.variable(ELEMENT)
        self.foldings = {fold.name: folding(fold, scope.printer) for fold in self.part.folds}
        totals = {name: f"{each.target.name}.at[{element}]" for name, each in self.foldings.items()}
        places = {fold.name: f"(long long){totals[fold.name]}.index" for fold in self.part.folds if fold.op in PICKS}
        self.bound = scope.printer.names.bound(**totals | places)

    def before(self) -> tuple[Statement, ...]:
        """Where the rows of a thread are."""
        vectors = self.vectors
        places = [self._moved(read).offset for read in (*vectors.loads.values(), *vectors.windows.values())]
        places += [part for span in vectors.spans.values() for part in span.vector.children]
        places += [self._moved(store).offset for store in vectors.stores.values()]
        places += [each for read in vectors.loads.values() for each in guard_operands(read.guard)]
        places += [self.end.count] if self.end else []
        used = used_variables(steps_of(self.spec)).union(asked_of(self.spec.steps, self.spec.rows), *map(variables, places))
        self.scope.axes(self.row, vectors.needed(used))
        workspaces = frozenset(a.name for a in self.spec.args if a.role == "workspace")
        self.scope.put(self.vectors.aligned(self.scope.printer, workspaces))
        if self.end is not None:
            self.scope.put(end_of_row(self.end, self.scope))
        return tuple(self.scope.body)

    def run(self) -> tuple[Statement, ...]:
        """The pass: what folds start with, the loops, what follows."""
        ahead = self._ahead()
        body, after = ahead.inner(), ahead.inner()
        start = [self._first(found) for found in self.foldings.values()]
        self._columns(self.part, body)
        self._rows(self.part.row_steps, after)
        columns = self.spec.cols if self.vectors.unrolled is None else self.spec.cols[:-1]
        names = [self.scope.printer.names.variable(axis.name) for axis in columns]
        loops = loops_over(zip(names, columns, strict=True), self.end, body)
        return (*ahead.body, *start, nested(loops, body.body), *after.body)

    def _ahead(self) -> Scope:
        """What the pass reads of rows alone, before the loops."""
        scope, columns = self.scope.inner(), {axis.name for axis in self.spec.cols}
        steps = (*self._row_lets(used_variables(self.part.steps)), *self.part.steps)
        used = {read.tensor for step in steps for expr in step_expressions(step) for read in reads(expr)}
        for name, read in self.vectors.loads.items():
            if name in used and not any(variables(each) & columns for each in read.children):
                self.vectors.load(name, self._moved(read), scope)
                self.loaded.add(name)
        return scope

    def _first(self, found: Folding) -> Declare:
        """What folds start with, for each of the rows."""
        width, start = self.vectors.width, found.start
        start = replace(start, named=True) if isinstance(start, Record) else start
        value = Primitive("filled_vector", (width, found.kind), (start,), Vector(found.kind, width))
        return replace(found.declared(), kind=Vector(found.kind, width), value=value)

    def _columns(self, part: Pass, scope: Scope) -> None:
        """The statements of a column; of the last axis of them, where a thread loads whole windows."""
        steps = (*self._row_lets(used_variables(part.steps)), *part.steps)
        self._load(steps, scope)
        self.vectors.read_once(steps, scope)
        inner = self._of_element(scope)
        for fold in part.folds:
            self._lets(variables(fold.value), inner)
            value = inner.positioned(fold.value)
            found = self.foldings[fold.name]
            totals = replace(found.target, kind=Vector(found.kind, self.vectors.width))
            total = Element(totals, Var(ELEMENT), found.kind, vector=True)
            inner.put(take(found, inner, value, row_major(self.spec.cols), total))
        within = self.vectors.unrolled
        if within is None:
            return self.vectors.loop(inner, scope)
        across, column = scope.inner(), scope.printer.names.variable(within.name)
        self.vectors.loop(inner, across)
        return scope.put(Loop(column, ZERO, scope.known(within.extent), tuple(across.body), unrolled=True))

    def _rows(self, steps: Iterable[Let | Store], scope: Scope) -> None:
        """What is known of the rows then."""
        steps = tuple(steps)
        steps = (*self._row_lets(used_variables(steps)), *steps)
        self._load(steps, scope)
        for name in self.vectors.stores:
            scope.put(self.vectors.declaration(name, scope.printer))
        self.vectors.read_once(steps, scope)
        inner = self._of_element(scope)
        for step in steps:
            first = when_first(step, self.spec.rows)
            inner.write((step,), None if first is None else inner.known(self.vectors.at(first, self.row.name)))
        self.vectors.loop(inner, scope)
        for name, store in self.vectors.stores.items():
            self.vectors.store(name, self._moved(store).offset, scope)

    def _load(self, steps: Iterable[Step], scope: Scope) -> None:
        """The vectors that steps use."""
        used = {read.tensor for step in steps for expr in step_expressions(step) for read in reads(expr)}
        for name, read in self.vectors.loads.items():
            if name in used and name not in self.loaded:
                self.vectors.load(name, self._moved(read), scope)
        for name, read in self.vectors.windows.items():
            if name in used:
                self.vectors.load_window(name, self._moved(read), scope)
        for name in self.vectors.spans:
            if name in used:
                self.vectors.load_span(name, scope)

    def _of_element(self, scope: Scope) -> Scope:
        """A scope for one row of the thread's: a fold is that row's."""
        inner = scope.inner()
        inner.printer = replace(inner.printer, names=replace(inner.printer.names, text=self.bound.text))
        return inner

    def _moved(self, access: A) -> A:
        """An access with the counter in place of the rows' axes, where it is dense over them."""
        return replace(access, offset=self.row.offset(access))

    def _lets(self, names: frozenset[str], scope: Scope) -> None:
        """What values are made of: of the row, then of the column."""
        of_column = self.passes.needed(names)
        for let in (*self._row_lets(names | used_variables(of_column)), *of_column):
            if not scope.declares(let.name):
                scope.let(let)

    def _row_lets(self, names: frozenset[str]) -> tuple[Let, ...]:
        """The values of the row behind some names that need no fold."""
        lets = [step for step in self.passes.before if isinstance(step, Let)]
        for let in reversed(lets):
            names |= variables(let.value) if let.name in names else frozenset()
        return tuple(let for let in lets if let.name in names)
