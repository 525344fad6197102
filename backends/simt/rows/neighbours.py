"""Reduce where a thread has several rows side by side: a column of each at once, in accesses of 16 bytes.

Where a read steps from row to row by a window of columns that touch, a thread loads the windows of all its rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from uol.backends.c_text.names import legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.pieces import ELEMENT
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.elements.spans import Group
from uol.backends.simt.elements.vectors import Vectors
from uol.backends.simt.rows.column_loops import END, end_of_row, loops_over, row_major
from uol.backends.simt.rows.folds import fold_text, take
from uol.backends.simt.rows.reduce_plan import ROW, PassPlan, ReducePlan, row_signature
from uol.backends.simt.rows.row_schedules import window_axis
from uol.backends.simt.schedules import ThreadPerRow
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import mul, size
from uol.codegen.specs.ends import End, until_end
from uol.codegen.specs.nodes import Let, Read, Reduce, Step, Store, guard_operands
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import PICKS, Pass, Passes, passes_of, used_variables
from uol.codegen.specs.traverse import mapped, reads, step_expressions, steps_of
from uol.ir.program.nodes import Const
from uol.ir.program.walk import variables

A = TypeVar("A", Read, Store)


def plan_neighbours(spec: Reduce, schedule: ThreadPerRow) -> ReducePlan:
    """The kernel of a Reduce of one pass, `schedule.each` rows a thread."""
    threads, each = schedule.threads, schedule.each
    rows, columns = size(spec.rows), size(spec.cols)
    blocks = parts_of(rows, threads * each)
    index = index_type(spec, [mul(blocks, Const(threads * each)), columns], data_apart=True)
    names = legalise(spec, ["row", END])
    row = Counter.over(spec.rows, ROW)
    own_signature = row_signature(spec, names, threads, index)
    spec, end = until_end(spec)
    axis, within = spec.rows[-1], window_axis(spec)
    group = Group.of(spec, axis, each, within)
    vectors = Vectors(axis, each, known_multiples(spec.where), within=within, group=group)
    spec = mapped(spec, step=lambda step: vectors.at_element(row.shortened(vectors.taken(step)), row.name))
    writer = _Writer(spec, end, vectors, row, Scope(vectors.known(row.known(Printer(names, Proofs.of(spec), index.ctype)))))
    printer = writer.scope.printer
    return ReducePlan(
        title=f"{printer.value(rows)} rows of {printer.value(columns)}, {schedule.describe().split(',')[0]}",
        signature=own_signature,
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        row=printer.names.variable(row.name),
        row_value=f"({index.cast}blockIdx.x * {threads} + threadIdx.x) * {each}",
        guard=None if is_multiple(rows, threads * each) else printer.value(rows),
        scratch=(),
        before=writer.before(),
        passes=(writer.run(),),
    )


class _Writer:
    """Writes the one pass of a kernel, and what follows it."""

    def __init__(self, spec: Reduce, end: End | None, vectors: Vectors, row: Counter, scope: Scope) -> None:
        self.spec, self.end, self.vectors, self.row, self.scope = spec, end, vectors, row, scope
        self.passes: Passes = passes_of(spec)
        (self.part,) = self.passes.passes
        element = scope.printer.names.variable(ELEMENT)
        self.texts = {fold.name: fold_text(fold, scope.printer) for fold in self.part.folds}
        totals = {name: f"{text.variable}.at[{element}]" for name, text in self.texts.items()}
        places = {fold.name: f"(long long){totals[fold.name]}.index" for fold in self.part.folds if fold.op in PICKS}
        self.totals, self.bound = totals, scope.printer.names.bound(**totals | places)

    def before(self) -> tuple[str, ...]:
        """Where the rows of a thread are."""
        vectors = self.vectors
        places = [self._moved(read).offset for read in (*vectors.loads.values(), *vectors.windows.values())]
        places += [part for span in vectors.spans.values() for part in span.vector.children]
        places += [self._moved(store).offset for store in vectors.stores.values()]
        places += [each for read in vectors.loads.values() for each in guard_operands(read.guard)]
        places += [self.end.count] if self.end else []
        used = used_variables(steps_of(self.spec)).union(*map(variables, places))
        for line in self.row.declarations(self.scope.printer, vectors.needed(used)):
            self.scope.add(line)
        workspaces = frozenset(a.name for a in self.spec.args if a.role == "workspace")
        self.scope.add(self.vectors.aligned(self.scope.printer, workspaces))
        if self.end is not None:
            self.scope.add(end_of_row(self.end, self.scope.printer))
        return tuple(self.scope.lines)

    def run(self) -> PassPlan:
        start, body, after = Scope(self.scope.printer), self.scope.inner(), self.scope.inner()
        for fold in self.part.folds:
            text, each = self.texts[fold.name], self.vectors.width
            first = f"{text.ctype}{text.start}" if fold.op in PICKS else text.start
            value = f"uol::filled_vector<{each}, {text.ctype}>({first})"
            start.add(f"uol::Vector<{text.ctype}, {each}> {text.variable} = {value};", fold.line)
        self._columns(self.part, body)
        self._rows(self.part.row_steps, after)
        columns = self.spec.cols if self.vectors.unrolled is None else self.spec.cols[:-1]
        names = [self.scope.printer.names.variable(axis.name) for axis in columns]
        loops = loops_over(zip(names, columns, strict=True), self.end, body.printer)
        return PassPlan(tuple(start.lines), loops, tuple(body.lines), tuple(after.lines))

    def _columns(self, part: Pass, scope: Scope) -> None:
        """The statements of a column; of the last axis of them, where a thread loads whole windows."""
        steps = (*self._row_lets(used_variables(part.steps)), *part.steps)
        self._load(steps, scope)
        self.vectors.read_once(steps, scope)
        inner = self._of_element(scope)
        for fold in part.folds:
            self._lets(variables(fold.value), inner)
            value = inner.positioned(fold.value)
            text = replace(self.texts[fold.name], variable=self.totals[fold.name])
            inner.add(take(fold, text, inner.printer, value, inner.printer.value(row_major(self.spec.cols))), fold.line)
        within = self.vectors.unrolled
        if within is None:
            return self.vectors.loop(inner, scope)
        across, column = scope.inner(), scope.printer.names.variable(within.name)
        self.vectors.loop(inner, across)
        scope.lines.append("#pragma unroll")
        extent = scope.printer.value(within.extent)
        return scope.block(f"for ({scope.printer.index_type} {column} = 0; {column} < {extent}; ++{column})", across.lines)

    def _rows(self, steps: Iterable[Let | Store], scope: Scope) -> None:
        """What is known of the rows then."""
        steps = tuple(steps)
        steps = (*self._row_lets(used_variables(steps)), *steps)
        self._load(steps, scope)
        for name in self.vectors.stores:
            scope.add(self.vectors.declaration(name, scope.printer))
        self.vectors.read_once(steps, scope)
        inner = self._of_element(scope)
        inner.write(steps)
        self.vectors.loop(inner, scope)
        for name, store in self.vectors.stores.items():
            self.vectors.store(name, self._moved(store).offset, scope)

    def _load(self, steps: Iterable[Step], scope: Scope) -> None:
        """The vectors that steps use."""
        used = {read.tensor for step in steps for expr in step_expressions(step) for read in reads(expr)}
        for name, read in self.vectors.loads.items():
            if name in used:
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
