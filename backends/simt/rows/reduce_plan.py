"""Reduce: one row a thread, or threads of a block that share one, or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from uol.backends.c_text.names import Names, kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.pieces import ELEMENT
from uol.backends.simt.c_text.printer import PRIMARY, Printer
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.elements.transposed import Array
from uol.backends.simt.elements.vectors import VECTOR, Vectors
from uol.backends.simt.rows.column_loops import END, Loop, end_of_row, loops_over, row_major
from uol.backends.simt.rows.folds import FoldText, Scratch, fold_text, take
from uol.backends.simt.rows.kept_reads import NOTHING, Kept, kept_reads, with_rows
from uol.backends.simt.rows.staging import Staging
from uol.backends.simt.schedules import BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.target import Target
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static
from uol.codegen.specs.ends import End, until_end
from uol.codegen.specs.nodes import Fold, Let, Read, Reduce, Store, guard_operands
from uol.codegen.specs.runs import Run, run_of
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import PICKS, Pass, Passes, passes_of, used_variables
from uol.codegen.specs.traverse import mapped, reads, step_expressions, steps_of
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables

ROW, COLUMN, LANE = "$row", "$col", "lane"
BEGIN = "begin"
"""Of the run of a row."""
LEAST_THREADS = 512
"""On a core, of a kernel of any size or of blocks as wide: a thread then has up to 128 registers of 65,536. Left to themselves
compilers keep some kernels to 32 or 64, and the rest of what those need in memory (`build_check --any-size --resources`)."""
A = TypeVar("A", Read, Store)


@dataclass(frozen=True, slots=True)
class PassPlan:
    """One run over the columns: `start` before the loops, `body` in them, `after` behind them."""

    start: tuple[str, ...]
    loops: tuple[Loop, ...]
    body: tuple[str, ...]
    after: tuple[str, ...]
    unrolled: bool = False


@dataclass(frozen=True, slots=True)
class ReducePlan:
    """What `reduce.j2` reads. `guard` is the number of rows where threads may lie beyond it."""

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    row: str
    row_value: str
    guard: str | None
    scratch: tuple[Scratch, ...]
    before: tuple[str, ...]
    passes: tuple[PassPlan, ...]
    staged: tuple[Array, ...] = ()


def plan_reduce(spec: Reduce, schedule: RowSchedule, target: Target) -> ReducePlan:
    """The kernel of a Reduce: each pass over the columns computes what it needs of every element anew, from what the threads
    of a block have kept of their rows."""
    threads = schedule.threads
    shared = schedule if isinstance(schedule, BlockPerRow) else None
    rows, columns = size(spec.rows), size(spec.cols)
    of_block = threads if shared is None else shared.rows
    blocks = parts_of(rows, of_block)
    each = 1 if shared is None else shared.each
    index = index_type(spec, [mul(blocks, Const(of_block)), add(columns, Const(threads * each))], data_apart=True)
    scratch = (f"scratch{n}" for n in range(len(steps_of(spec))))
    names = legalise(spec, ["row", "col", LANE, "turn", VECTOR, BEGIN, END, "scratch", *scratch])
    row = Counter.over(spec.rows, ROW)
    own_signature = row_signature(spec, names, threads, index)
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
    printer = staging.known(row.known(Printer(names, Proofs.of(spec), index.ctype)))
    printer = vectors.known(printer) if each > 1 else printer
    spec, printer = mapped(spec, expr=lambda expr: rewrite(expr, kept.rule)), with_rows(printer, kept)
    spec = spec if run is None else run.without_condition(spec)
    writer = _Writer(spec, passes_of(spec), shared, Scope(printer), kept, vectors, run or end)
    staging.write(writer.row_scope)
    before = writer.before(row)
    passes = tuple(writer.run(number, part) for number, part in enumerate(writer.passes.passes))
    return ReducePlan(
        title=f"{printer.value(rows)} rows of {printer.value(columns)}, {schedule.describe().split(',')[0]}",
        signature=own_signature,
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        row=printer.names.variable(row.name),
        row_value=_row_value(schedule, index.cast),
        guard=None if staging.reads or is_multiple(rows, of_block) else printer.value(rows),
        scratch=tuple(Scratch(ctype, name) for ctype, name in writer.scratch.items()),
        before=before,
        passes=passes,
        staged=staging.arrays(printer),
    )


def row_signature(spec: Reduce, names: Names, threads: int, index: Index) -> Signature:
    """Where sizes are arguments a row's loops end anywhere, and a thread of the widest blocks keeps up to 32 columns: what that
    takes goes to registers, not to memory."""
    least = LEAST_THREADS if spec.dims or threads >= LEAST_THREADS else 0
    return signature(spec, kernel_symbol(spec), names, threads, index, least_threads=least)


def _in_vectors(spec: Reduce, each: int) -> tuple[Reduce, Vectors]:
    """The spec over single columns with vectors of `each` of them in place of what lies side by side; 1: as it is."""
    vectors = Vectors(spec.cols[-1] if spec.cols else Axis("", Const(1)), each, known_multiples(spec.where))
    return (mapped(spec, step=vectors.taken) if each > 1 else spec), vectors


def _row_value(schedule: RowSchedule, wide: str) -> str:
    """The row of a thread."""
    if isinstance(schedule, ThreadPerRow):
        return f"{wide}blockIdx.x * {schedule.threads} + threadIdx.x"
    if schedule.rows == 1:
        return "blockIdx.x"
    return f"{wide}blockIdx.x * {schedule.rows} + threadIdx.x / {schedule.lanes}"


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
        self.scratch: dict[str, str] = {}
        self.columns = Counter.over(spec.cols, COLUMN) if spec.cols else None

    @property
    def each(self) -> int:
        return 1 if self.shared is None else self.shared.each

    @property
    def lane(self) -> str:
        """Which of the threads of its row a thread is."""
        return "threadIdx.x" if self.shared is None or self.shared.rows == 1 else LANE

    def before(self, row: Counter) -> tuple[str, ...]:
        """The axes of the row, then the steps that need no fold."""
        offsets = [e for read in self.vectors.loads.values() for e in (row.offset(read), *guard_operands(read.guard))]
        offsets += [row.offset(store) for store in self.vectors.stores.values()]
        held = () if self.each > 1 else self.kept.reads.values()
        held = (*held, *((self.run_of_row.first, self.run_of_row.key) if self.run_of_row else ()))
        held = (*held, *((self.end.count,) if self.end else ()))
        used = used_variables(steps_of(self.spec)).union(*map(variables, (*offsets, *held)))
        for line in row.declarations(self.row_scope.printer, used):
            self.row_scope.add(line)
        printer = self.row_scope.printer
        if self.shared is not None and self.shared.rows > 1:
            self.row_scope.add(f"const {printer.index_type} {LANE} = threadIdx.x % {self.shared.lanes};")
        self._row_steps(self.passes.before)
        self._bounds()
        if self.each > 1:
            workspaces = frozenset(a.name for a in self.spec.args if a.role == "workspace")
            self.row_scope.add(self.vectors.aligned(printer, workspaces))
        for name, read in self.kept.reads.items():
            ctype = self.vectors.type_of(read.dtype) if self.each > 1 else printer.ctype(read.dtype)
            extent = f"[{self.kept.turns}]" if self.kept.turns > 1 else ""
            self.row_scope.add(f"{ctype} {printer.names.variables[name]}{extent};")
        return tuple(self.row_scope.lines)

    def _bounds(self) -> None:
        """Where the run of a row begins and ends, or its columns end."""
        run, printer = self.run_of_row, self.row_scope.printer
        if self.end is not None:
            self.row_scope.add(end_of_row(self.end, printer))
        if run is None:
            return
        keys = printer.names.tensor(run.keys.tensor)
        if run.first != ZERO:
            keys += f" + {printer.value(run.first)}"
        sizes = f"{printer.value(run.keys.stride(run.along.name) or ZERO)}, {printer.value(run.along.extent)}"
        for name, key in ((BEGIN, run.key), (END, add(run.key, Const(1)))):
            found = f"uol::lower_bound<{printer.index_type}>({keys}, {sizes}, {printer.value(key)})"
            self.row_scope.add(f"const {printer.index_type} {name} = {found};")

    def run(self, number: int, part: Pass) -> PassPlan:
        printer = self.row_scope.printer
        texts = {f.name: fold_text(f, printer) for f in part.folds}
        needed = self._needed(number, part)
        named = self._is_named(part, needed)
        loops, scope, position = self._loops(needed, named=named)
        if self.each == 1:
            self._elements(number, part, texts, scope, position)
        else:
            self._vectors(number, part, texts, scope, position)
        after = Scope(self.row_scope.printer)
        for fold in part.folds:
            self._finish(texts[fold.name], after)
        rest = self._row_steps(part.row_steps)
        start = Scope(printer)
        for fold in part.folds:
            start.add(texts[fold.name].declaration(), fold.line)
        body, behind = self._inside(scope.lines, named=named), (*after.lines, *rest)
        return PassPlan(tuple(start.lines), loops, body, behind, bool(self.kept.turns))

    def _elements(self, number: int, part: Pass, texts: dict[str, FoldText], scope: Scope, position: Expr) -> None:
        """The statements of one column."""
        for name in self.kept.begun_by(number):
            scope.add(f"{scope.printer.names.variable(name)} = {scope.expression(self.kept.reads[name])};")
        for step in part.elements:
            self._element(step, texts, scope, position)

    def _vectors(self, number: int, part: Pass, texts: dict[str, FoldText], scope: Scope, position: Expr) -> None:
        """The statements of the columns that a thread has side by side: loads, a loop over them, stores."""
        printer, stored = scope.printer, self._stored(part)
        for name in self._loaded(number, part):
            into = printer.names.variable(name) if name in self.kept.reads else None
            self.vectors.load(name, self._moved(self.vectors.loads[name]), scope, into)
        for name in stored:
            scope.add(self.vectors.declaration(name, printer))
        self.vectors.read_once(part.steps, scope)
        inner = scope.inner()
        for step in part.elements:
            self._element(step, texts, inner, add(position, Var(ELEMENT)))
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

    def _inside(self, body: list[str], *, named: bool) -> tuple[str, ...]:
        """The body of a turn, whose column is one where the last turn is whole."""
        if not self.kept.turns or self.shared is None or self.columns is None:
            return tuple(body)
        printer, lanes = self.row_scope.printer, self.shared.lanes
        column = self.columns.known(printer).names.variable(self.columns.name)
        counter, count = (column if self.each == 1 else VECTOR), parts_of(self.columns.count, self.each)
        if is_multiple(count, lanes) and not named:
            return tuple(body)
        scope = Scope(printer)
        place = self.lane if self.kept.turns == 1 else f"turn * {lanes} + {self.lane}"
        scope.add(f"const {printer.index_type} {counter} = {place};")
        if is_multiple(count, lanes):
            return (*scope.lines, *body)
        if self.kept.turns > 1 and static(count) is None:  # no row may need all turns
            scope.lines.insert(0, f"if (turn * {lanes} >= {printer.value(count)}) break;")
        scope.under(f"{counter} < {printer.value(count)}", body)
        return tuple(scope.lines)

    def _loops(self, needed: frozenset[str], *, named: bool) -> tuple[tuple[Loop, ...], Scope, Expr]:
        """The loops over the columns, a scope within them that has what is needed, and the column's row-major number."""
        scope = self.row_scope.inner()
        if self.shared is None or self.columns is None:
            names = scope.printer.names
            cols = self.spec.cols
            if self.run_of_row is not None:
                (v,) = (names.variable(axis.name) for axis in cols)
                return (Loop(v, BEGIN, END, f"++{v}"),), scope, row_major(cols)
            named_cols = [(names.variable(axis.name), axis) for axis in cols]
            return loops_over(named_cols, self.end, scope.printer), scope, row_major(cols)
        counter = self.columns
        scope.printer = counter.known(scope.printer)
        name = scope.printer.names.variable(counter.name)
        if self.each > 1 and named:
            scope.add(f"const {scope.printer.index_type} {name} = {VECTOR} * {self.each};")
        for line in counter.declarations(scope.printer, needed):
            scope.add(line)
        if self.kept.turns:
            loops = (Loop("turn", "0", str(self.kept.turns), "++turn"),) if self.kept.turns > 1 else ()
            return loops, scope, Var(counter.name)
        if self.run_of_row is not None:
            return (Loop(name, f"{BEGIN} + {self.lane}", END, f"{name} += {self.shared.lanes}"),), scope, Var(counter.name)
        name, count = (name if self.each == 1 else VECTOR), self._turns(counter, scope.printer)
        return (Loop(name, self.lane, count, f"{name} += {self.shared.lanes}"),), scope, Var(counter.name)

    def _turns(self, counter: Counter, printer: Printer) -> str:
        """Columns of a row, or vectors of them, which are whole up to an end."""
        if self.end is None:
            return printer.value(parts_of(counter.count, self.each))
        inner = size(counter.axes[1:])
        columns = END if inner == ONE else f"{END} * {printer.value(inner, PRIMARY)}"
        return columns if self.each == 1 else f"{columns} / {self.each}"

    def _names(self, step: Fold | Store) -> frozenset[str]:
        names = used_variables([step])
        return names | used_variables(self.passes.needed(names))

    def _element(self, step: Fold | Store, texts: dict[str, FoldText], scope: Scope, position: Expr) -> None:
        match step:
            case Store():
                self._lets(used_variables([step]), scope)
                scope.store(step)
            case Fold(where=()):
                self._take(step, texts[step.name], scope, position)
            case Fold(where=where):
                self._lets(frozenset().union(*map(variables, where)), scope)
                condition = scope.condition(where)
                inner = scope.inner()
                self._take(step, texts[step.name], inner, position)
                scope.under(condition, inner.lines)

    def _take(self, fold: Fold, text: FoldText, scope: Scope, position: Expr) -> None:
        self._lets(variables(fold.value), scope)
        value = scope.positioned(fold.value)
        scope.add(take(fold, text, scope.printer, value, scope.printer.value(position)), fold.line)

    def _lets(self, names: frozenset[str], scope: Scope) -> None:
        for let in self.passes.needed(names):
            if not scope.declares(let.name):
                scope.let(let)

    def _finish(self, text: FoldText, scope: Scope) -> None:
        if self.shared is not None and self.shared.rows > 1:
            scope.add(text.grouped(self.shared.lanes))
        elif self.shared is not None:
            scope.add(text.shared(self.shared.threads, self.scratch.setdefault(text.ctype, self._scratch_name())))
        if text.result:
            scope.add(text.result)

    def _scratch_name(self) -> str:
        return f"scratch{len(self.scratch) or ''}"

    def _row_steps(self, steps: tuple[Let | Store, ...]) -> tuple[str, ...]:
        first = len(self.row_scope.lines)
        self.row_scope.write(steps, f"if ({self.lane} == 0) " if self.shared is not None else "")
        return tuple(self.row_scope.lines[first:])
