"""Reduce: one row a thread, or threads of a block that share one, or several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from uol.backends.c_text.names import legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.terms import (
    BLOCK,
    RECORD,
    THREAD,
    Known,
    Local,
    Pick,
    Pointer,
    Primitive,
    Scalar,
    block_index,
    ctype_of,
    less,
    plus,
    times,
)
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.vectors import VECTOR, Vectors
from uol.backends.simt.kernel.keep_values import with_kept_values
from uol.backends.simt.kernel.nodes import Assign, Buffer, Declare, If, Kernel, Leave, Loop, PerWarp, Statement
from uol.backends.simt.kernel.scope import Scope, all_of, where_natural
from uol.backends.simt.rows.column_loops import END, ROW_END, end_of_row, loops_over, nested, row_major
from uol.backends.simt.rows.folds import Folding, folding, take
from uol.backends.simt.rows.head import BEGIN, ROW, ROW_BEGIN, Head
from uol.backends.simt.rows.kept_reads import BLOCK_BYTES, NOTHING, Kept, kept_reads, with_rows
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.rows.staging import Staging
from uol.backends.simt.rows.stored_once import asked_of, when_first
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static
from uol.codegen.specs.ends import End, until_end
from uol.codegen.specs.nodes import Fold, Let, Read, Reduce, Store, guard_operands
from uol.codegen.specs.reciprocals import with_reciprocals
from uol.codegen.specs.runs import Run, run_of
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import PICKS, Pass, Passes, passes_of, used_variables
from uol.codegen.specs.traverse import mapped, reads, step_expressions, steps_of
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX

COLUMN, LANE = "$col", "lane"
TURN = Local("turn")
A = TypeVar("A", Read, Store)


def reduce_kernel(spec: Reduce, schedule: RowSchedule) -> Kernel:
    """The kernel of a Reduce: each pass over the columns computes what it needs of every element anew, from what the threads
    of a block have kept of their rows."""
    spec, threads = with_reciprocals(spec), schedule.threads
    shared = schedule if isinstance(schedule, BlockPerRow) else None
    rows, columns = size(spec.rows), size(spec.cols)
    of_block = threads if shared is None else shared.rows
    blocks = parts_of(rows, of_block)
    each = 1 if shared is None else shared.each
    index = index_type(spec, [mul(blocks, Const(of_block)), add(columns, Const(threads * each))], data_apart=True)
    scratch = (f"scratch{n}" for n in range(len(steps_of(spec))))
    names = legalise(spec, ["row", "col", LANE, "turn", VECTOR, BEGIN, END, "scratch", *scratch])
    row = Counter.over(spec.rows, ROW)
    head = Head(spec, names, schedule, index, row)
    staging = Staging.of(spec, schedule)
    taken, end = (staging.taken(), None) if staging.reads else until_end(spec)
    spec, vectors = _in_vectors(taken, each)
    spec = mapped(spec, step=row.shortened)
    if shared is not None:
        col = Counter.over(spec.cols, COLUMN)
        spec = mapped(spec, step=col.shortened)
        if each > 1:
            spec = mapped(spec, step=lambda step: vectors.at_element(step, col.name))
    run = run_of(spec)
    kept = NOTHING if shared is None or run or end else kept_reads(spec, shared, vectors)
    printer = staging.known(row.known(head.printer(Proofs.of(spec))))
    printer = vectors.known(printer) if each > 1 else printer
    spec, printer = mapped(spec, expr=lambda expr: rewrite(expr, kept.rule)), with_rows(printer, kept)
    spec = spec if run is None else run.without_condition(spec)
    writer = _Writer(spec, passes_of(spec), shared, Scope(printer), kept, vectors, run or end)
    staging.write(writer.row_scope)
    before = writer.before(row)
    passes = [statement for number, part in enumerate(writer.passes.passes) for statement in writer.run(number, part)]
    is_whole = staging.reads or is_multiple(rows, of_block)
    start = head.row(printer, _row_value(schedule, printer), None if is_whole else rows)
    arrays = (*staging.arrays(printer), *writer.scratch.values())
    kernel = head.kernel(printer, Launch((as_count(blocks), 1, 1), (threads, 1, 1)), arrays, (*start, *before, *passes))
    return with_kept_values(kernel, BLOCK_BYTES // threads) if kept.turns else kernel


def _in_vectors(spec: Reduce, each: int) -> tuple[Reduce, Vectors]:
    """The spec over single columns with vectors of `each` of them in place of what lies side by side; 1: as it is."""
    vectors = Vectors(spec.cols[-1] if spec.cols else Axis("", Const(1)), each, known_multiples(spec.where))
    return (mapped(spec, step=vectors.taken) if each > 1 else spec), vectors


def _row_value(schedule: RowSchedule, printer: Printer) -> Expr:
    """The row of a thread."""
    block = block_index(printer)
    if isinstance(schedule, ThreadPerRow):
        return plus(times(block, schedule.threads), THREAD)
    if schedule.rows == 1:
        return BLOCK
    return plus(times(block, schedule.rows), Call("/", (THREAD, Const(schedule.lanes)), INDEX))


class _Writer:
    """Writes the passes of one kernel. `shared`: how threads share rows; None where each has one alone."""

    def __init__(
        self,
        spec: Reduce,
        passes: Passes,
        shared: BlockPerRow | None,
        row_scope: Scope,
        kept: Kept,
        vectors: Vectors,
        bounds: Run | End | None,
    ) -> None:
        self.spec = spec
        self.passes = passes
        self.shared = shared
        self.row_scope = row_scope
        self.kept = kept
        self.vectors = vectors
        self.run_of_row = bounds if isinstance(bounds, Run) else None
        self.end = bounds if isinstance(bounds, End) else None
        self.scratch: dict[str, Buffer] = {}
        self.columns = Counter.over(spec.cols, COLUMN) if spec.cols else None

    @property
    def each(self) -> int:
        return 1 if self.shared is None else self.shared.each

    @property
    def lane(self) -> Expr:
        """Which of the threads of its row a thread is."""
        return THREAD if self.shared is None or self.shared.rows == 1 else Local(LANE)

    def before(self, row: Counter) -> tuple[Statement, ...]:
        """The axes of the row, then the steps that need no fold."""
        offsets = [e for read in self.vectors.loads.values() for e in (row.offset(read), *guard_operands(read.guard))]
        offsets += [row.offset(store) for store in self.vectors.stores.values()]
        held = () if self.each > 1 else self.kept.reads.values()
        held = (*held, *((self.run_of_row.first, self.run_of_row.key) if self.run_of_row else ()))
        held = (*held, *((self.end.count,) if self.end else ()))
        used = used_variables(steps_of(self.spec)).union(asked_of(self.spec.steps, self.spec.rows))
        used = used.union(*map(variables, (*offsets, *held)))
        self.row_scope.axes(row, used)
        printer = self.row_scope.printer
        if self.shared is not None and self.shared.rows > 1:
            lane = Call("%", (THREAD, Const(self.shared.lanes)), INDEX)
            self.row_scope.put(Declare(LANE, Scalar(INDEX), self.row_scope.known(lane)))
        self._row_steps(self.passes.before)
        self._bounds()
        if self.each > 1:
            workspaces = frozenset(a.name for a in self.spec.args if a.role == "workspace")
            self.row_scope.put(self.vectors.aligned(printer, workspaces))
        for name, read in self.kept.reads.items():
            kind = self.vectors.kind_of(read.dtype) if self.each > 1 else Scalar(read.dtype)
            extent = self.kept.turns if self.kept.turns > 1 else None
            self.row_scope.put(Declare(printer.names.variables[name], kind, extent=extent))
        return tuple(self.row_scope.body)

    def _bounds(self) -> None:
        """Where the run of a row begins and ends, or its columns end."""
        run = self.run_of_row
        if self.end is not None:
            self.row_scope.put(end_of_row(self.end, self.row_scope))
        if run is None:
            return
        keys = Pointer(run.keys.tensor, None if run.first == ZERO else run.first)
        sizes = (run.keys.stride(run.along.name) or ZERO, run.along.extent)
        for name, key in ((BEGIN, run.key), (END, add(run.key, Const(1)))):
            found = Primitive("lower_bound", (Scalar(INDEX),), (keys, *sizes, key), Scalar(INDEX))
            self.row_scope.put(Declare(name, Scalar(INDEX), self.row_scope.known(found)))

    def run(self, number: int, part: Pass) -> tuple[Statement, ...]:
        """One run over the columns: what folds start with, the loops, what follows."""
        found = {f.name: folding(f, self.row_scope.printer) for f in part.folds}
        needed = self._needed(number, part)
        named = self._is_named(part, needed)
        loops, scope, position = self._loops(needed, named=named)
        if self.each == 1:
            self._elements(number, part, found, scope, position)
        else:
            self._vectors(number, part, found, scope, position)
        after = [statement for each in found.values() for statement in self._finish(each)]
        rest = self._row_steps(part.row_steps)
        start = (each.declared() for each in found.values())
        return (*start, nested(loops, self._inside(scope.body, named=named)), *after, *rest)

    def _elements(self, number: int, part: Pass, found: dict[str, Folding], scope: Scope, position: Expr) -> None:
        """The statements of one column."""
        for name in self.kept.begun_by(number):
            value = scope.value(self.kept.reads[name])
            scope.put(Assign(scope.known(Var(name, value.dtype)), value))
        for step in part.elements:
            self._element(step, found, scope, position)

    def _vectors(self, number: int, part: Pass, found: dict[str, Folding], scope: Scope, position: Expr) -> None:
        """The statements of the columns that a thread has side by side: loads, a loop over them, stores."""
        printer, stored = scope.printer, self._stored(part)
        for name in self._loaded(number, part):
            into = Var(name, RECORD) if name in self.kept.reads else None
            self.vectors.load(name, self._moved(self.vectors.loads[name]), scope, into)
        for name in stored:
            scope.put(self.vectors.declaration(name, printer))
        self.vectors.read_once(part.steps, scope)
        inner = scope.inner()
        for step in part.elements:
            self._element(step, found, inner, add(position, Var(ELEMENT)))
        self.vectors.loop(inner, scope)
        for name in stored:
            self.vectors.store(name, self._moved(self.vectors.stores[name]).offset, scope)

    def _loaded(self, number: int, part: Pass) -> list[str]:
        """The vectors that a pass loads: those that it is the first to keep, and what it uses of others."""
        used = {read.tensor for step in part.steps for e in step_expressions(step) for read in reads(e)}
        begun = self.kept.begun_by(number)
        return [name for name in self.vectors.loads if name in begun or (name in used and name not in self.kept.reads)]

    def _stored(self, part: Pass) -> list[str]:
        """The vectors that a pass stores."""
        return [step.tensor for step in part.elements if isinstance(step, Store) and step.tensor in self.vectors.stores]

    def _needed(self, number: int, part: Pass) -> frozenset[str]:
        """The names that the statements of a pass use, and the places of what they load and store."""
        needed = frozenset(n for step in part.elements for n in self._names(step))
        if self.each == 1:
            return needed.union(*(variables(self.kept.reads[name]) for name in self.kept.begun_by(number)))
        needed = needed.union(*(variables(self._moved(self.vectors.loads[name])) for name in self._loaded(number, part)))
        return needed.union(*(variables(self._moved(self.vectors.stores[name]).offset) for name in self._stored(part)))

    def _moved(self, access: A) -> A:
        """An access with the counters in place of the axes, where it is dense over them."""
        for counter in (Counter.over(self.spec.rows, ROW), self.columns):
            if counter is not None and counter.axes:
                access = replace(access, offset=counter.offset(access))
        return access

    def _is_named(self, part: Pass, needed: frozenset[str]) -> bool:
        """Do the statements of a pass say which column they are at?"""
        if self.columns is None:
            return False
        names = {self.columns.name, *(axis.name for axis in self.columns.axes)}
        return any(fold.op in PICKS for fold in part.folds) or bool(needed & names)

    def _inside(self, body: list[Statement], *, named: bool) -> tuple[Statement, ...]:
        """The body of a turn, whose column is one where the last turn is whole."""
        if not self.kept.turns or self.shared is None or self.columns is None:
            return tuple(body)
        printer, lanes = self.row_scope.printer, self.shared.lanes
        column = self.columns.known(printer).names.variable(self.columns.name)
        counter, count = (column if self.each == 1 else VECTOR), parts_of(self.columns.count, self.each)
        if is_multiple(count, lanes) and not named:
            return tuple(body)
        first = times(TURN, lanes)
        declared = Declare(counter, Scalar(INDEX), self.lane if self.kept.turns == 1 else plus(first, self.lane))
        if is_multiple(count, lanes):
            return (declared, *body)
        inside = If(Known(less(Local(counter), count), printer), tuple(body))
        if self.kept.turns == 1 or static(count) is not None:
            return (declared, inside)
        no_more = Known(Call(">=", (first, count), "bool"), printer)  # no row may need all turns
        return (Leave("break", no_more), declared, inside)

    def _loops(self, needed: frozenset[str], *, named: bool) -> tuple[tuple[Loop, ...], Scope, Expr]:
        """The loops over the columns, a scope within them that has what is needed, and the column's row-major number."""
        scope = self.row_scope.inner()
        if self.shared is None or self.columns is None:
            names = scope.printer.names
            cols = self.spec.cols
            if self.run_of_row is not None:
                (v,) = (names.variable(axis.name) for axis in cols)
                return (Loop(v, ROW_BEGIN, ROW_END, ()),), scope, row_major(cols)
            named_cols = [(names.variable(axis.name), axis) for axis in cols]
            return loops_over(named_cols, self.end, scope), scope, row_major(cols)
        counter = self.columns
        scope.printer = counter.known(scope.printer)
        name = scope.printer.names.variable(counter.name)
        if self.each > 1 and named:
            scope.put(Declare(name, Scalar(INDEX), times(Local(VECTOR), self.each)))
        scope.axes(counter, needed)
        if self.kept.turns:
            turns = Loop(TURN.name, ZERO, Const(self.kept.turns), (), unrolled=True)
            return (turns,) if self.kept.turns > 1 else (), scope, Var(counter.name)
        if self.run_of_row is not None:
            of_run = Loop(name, plus(ROW_BEGIN, self.lane), ROW_END, (), self.shared.lanes)
            return (of_run,), scope, Var(counter.name)
        name, count = (name if self.each == 1 else VECTOR), self._turns(counter, scope)
        return (Loop(name, self.lane, count, (), self.shared.lanes),), scope, Var(counter.name)

    def _turns(self, counter: Counter, scope: Scope) -> Expr:
        """Columns of a row, or vectors of them, which are whole up to an end."""
        if self.end is None:
            return scope.known(parts_of(counter.count, self.each))
        inner = size(counter.axes[1:])
        columns: Expr = ROW_END if inner == ONE else Call("*", (ROW_END, scope.known(inner)), INDEX)
        vectors = columns if self.each == 1 else Call("/", (columns, Const(self.each)), INDEX)
        return Known(vectors, where_natural(scope.printer, columns))

    def _names(self, step: Fold | Store) -> frozenset[str]:
        names = used_variables([step])
        return names | used_variables(self.passes.needed(names))

    def _element(self, step: Fold | Store, found: dict[str, Folding], scope: Scope, position: Expr) -> None:
        match step:
            case Store():
                self._lets(used_variables([step]), scope)
                scope.store(step)
            case Fold(where=()):
                self._take(step, found[step.name], scope, position)
            case Fold(where=where):
                self._lets(frozenset().union(*map(variables, where)), scope)
                condition = scope.conjunction(where)
                inner = scope.inner()
                self._take(step, found[step.name], inner, position)
                scope.where(condition, inner)

    def _take(self, fold: Fold, found: Folding, scope: Scope, position: Expr) -> None:
        self._lets(variables(fold.value), scope)
        value = scope.positioned(fold.value)
        scope.put(take(found, scope, value, position))

    def _lets(self, names: frozenset[str], scope: Scope) -> None:
        for let in self.passes.needed(names):
            if not scope.declares(let.name):
                scope.let(let)

    def _finish(self, found: Folding) -> Iterator[Statement]:
        """What the threads of a row have folded becomes one."""
        if self.shared is not None and self.shared.rows > 1:
            yield found.grouped(self.shared.lanes)
        elif self.shared is not None:
            yield found.shared(self.shared.threads, self._scratch(found.kind, self.shared.threads).name)
        if found.result:
            yield found.result

    def _scratch(self, kind: Scalar | Pick, threads: int) -> Buffer:
        """Shared memory of block folds, one array a type."""
        array = Buffer(f"scratch{len(self.scratch) or ''}", kind, "shared", PerWarp(threads))
        return self.scratch.setdefault(ctype_of(kind, self.row_scope.printer.index_type), array)

    def _row_steps(self, steps: tuple[Let | Store, ...]) -> tuple[Statement, ...]:
        first = len(self.row_scope.body)
        is_first_lane = () if self.shared is None else (Call("==", (self.lane, ZERO), "bool"),)
        for step in steps:
            is_first_row = when_first(step, self.spec.rows)
            conditions = (*is_first_lane, *(() if is_first_row is None else (self.row_scope.known(is_first_row),)))
            self.row_scope.write((step,), all_of(conditions) if conditions else None)
        return tuple(self.row_scope.body[first:])
