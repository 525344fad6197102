"""Reduce: one row a thread, or one row a block."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, count_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.rows.folds import FoldText, Scratch, fold_text, take
from uol.backends.simt.rows.kept_reads import NOTHING, Kept, kept_reads, with_rows
from uol.backends.simt.schedules import BlockPerRow, RowSchedule
from uol.backends.simt.target import Target
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static
from uol.codegen.specs.nodes import Fold, Let, Reduce, Store
from uol.codegen.specs.steps import Pass, Passes, passes_of, used_variables
from uol.codegen.specs.traverse import mapped, steps_of
from uol.ir.program.nodes import Axis, Expr, Var
from uol.ir.program.walk import rewrite, variables

ROW, COLUMN = "$row", "$col"


@dataclass(frozen=True, slots=True)
class Loop:
    """`for (variable = first; variable < extent; step)`"""

    variable: str
    first: str
    extent: int
    step: str


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
    guard: int | None
    scratch: tuple[Scratch, ...]
    before: tuple[str, ...]
    passes: tuple[PassPlan, ...]


def plan_reduce(spec: Reduce, schedule: RowSchedule, target: Target) -> ReducePlan:
    """The kernel of a Reduce: each pass over the columns computes what it needs of every element anew, from what the threads
    of a block have kept of their row."""
    threads = schedule.threads
    by_block = isinstance(schedule, BlockPerRow)
    rows, columns = count_of(spec.rows), count_of(spec.cols)
    blocks = rows if by_block else -(-rows // threads)
    index = index_type(spec, [blocks if by_block else blocks * threads, columns + threads])
    names = legalise(spec, ["row", "col", "thread", "turn", "scratch", *(f"scratch{n}" for n in range(len(steps_of(spec))))])
    row = Counter.over(spec.rows, ROW)
    spec = mapped(spec, step=row.shortened)
    if by_block:
        spec = mapped(spec, step=Counter.over(spec.cols, COLUMN).shortened)
    kept = kept_reads(spec, threads) if by_block else NOTHING
    printer = row.known(Printer(names, Proofs.of(spec), index))
    spec, printer = mapped(spec, expr=lambda expr: rewrite(expr, kept.rule)), with_rows(printer, kept)
    writer = _Writer(spec, passes_of(spec), threads if by_block else None, Scope(printer), kept)
    before = writer.before(row)
    passes = tuple(writer.run(number, part) for number, part in enumerate(writer.passes.passes))
    wide = "" if index == "int" else f"({index})"
    return ReducePlan(
        title=f"{rows} rows of {columns}, {schedule.describe().split(',')[0]}",
        signature=signature(spec, kernel_symbol(spec), names, threads, index),
        launch=Launch((blocks, 1, 1), (threads, 1, 1)),
        index_type=index,
        row=printer.names.variable(row.name),
        row_value="blockIdx.x" if by_block else f"{wide}blockIdx.x * {threads} + threadIdx.x",
        guard=None if by_block or rows % threads == 0 else rows,
        scratch=tuple(Scratch(ctype, name) for ctype, name in writer.scratch.items()),
        before=before,
        passes=passes,
    )


class _Writer:
    """Writes the passes of one kernel. `block` is the number of threads that share a row, None where one has it alone."""

    def __init__(self, spec: Reduce, passes: Passes, block: int | None, row_scope: Scope, kept: Kept) -> None:
        self.spec = spec
        self.passes = passes
        self.block = block
        self.row_scope = row_scope
        self.kept = kept
        self.scratch: dict[str, str] = {}

    def before(self, row: Counter) -> tuple[str, ...]:
        """The axes of the row, then the steps that need no fold."""
        for line in row.declarations(self.row_scope.printer, used_variables(steps_of(self.spec))):
            self.row_scope.add(line)
        self._row_steps(self.passes.before)
        printer = self.row_scope.printer
        for name, read in self.kept.reads.items():
            self.row_scope.add(f"{printer.ctype(read.dtype)} {printer.names.variables[name]}[{self.kept.turns}];")
        return tuple(self.row_scope.lines)

    def run(self, number: int, part: Pass) -> PassPlan:
        printer = self.row_scope.printer
        texts = {f.name: fold_text(f, printer) for f in part.folds}
        loops, body_scope, position = self._loops(number, part)
        for name in self.kept.begun_by(number):
            body_scope.add(f"{printer.names.variable(name)} = {body_scope.expression(self.kept.reads[name])};")
        for step in part.elements:
            self._element(step, texts, body_scope, position)
        after = Scope(self.row_scope.printer)
        for fold in part.folds:
            self._finish(texts[fold.name], after)
        rest = self._row_steps(part.row_steps)
        start = Scope(printer)
        for fold in part.folds:
            start.add(texts[fold.name].declaration(), fold.line)
        body, behind = self._inside(body_scope.lines), (*after.lines, *rest)
        return PassPlan(tuple(start.lines), loops if part.elements else (), body, behind, bool(self.kept.turns))

    def _inside(self, body: list[str]) -> tuple[str, ...]:
        """The body of a turn, whose column is one where the last turn is whole."""
        if not self.kept.turns or self.block is None:
            return tuple(body)
        counter, printer = Counter.over(self.spec.cols, COLUMN), self.row_scope.printer
        column = counter.known(printer).names.variable(counter.name)
        head = f"const {printer.index_type} {column} = turn * {self.block} + threadIdx.x;"
        if counter.count % self.block == 0:
            return (head, *body)
        return (head, f"if ({column} < {counter.count}) {{", *(f"  {line}" for line in body), "}")

    def _loops(self, number: int, part: Pass) -> tuple[tuple[Loop, ...], Scope, Expr]:
        """The loops over the columns, a scope within them, and the column's row-major number."""
        cols = self.spec.cols
        if self.block is None or not cols:
            scope = self.row_scope.inner()
            names = scope.printer.names
            loops = tuple(Loop(v := names.variable(a.name), "0", static(a.extent) or 0, f"++{v}") for a in cols)
            return loops, scope, row_major(cols)
        counter = Counter.over(cols, COLUMN)
        scope = self.row_scope.inner()
        scope.printer = counter.known(scope.printer)
        needed = frozenset(n for step in part.elements for n in self._names(step))
        needed |= frozenset(n for name in self.kept.begun_by(number) for n in variables(self.kept.reads[name]))
        for line in counter.declarations(scope.printer, needed):
            scope.add(line)
        name = scope.printer.names.variable(counter.name)
        if self.kept.turns:
            return (Loop("turn", "0", self.kept.turns, "++turn"),), scope, Var(counter.name)
        return (Loop(name, "threadIdx.x", counter.count, f"{name} += {self.block}"),), scope, Var(counter.name)

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
                scope.add(f"if ({condition}) {{")
                scope.lines += [f"  {line}" for line in inner.lines] + ["}"]

    def _take(self, fold: Fold, text: FoldText, scope: Scope, position: Expr) -> None:
        self._lets(variables(fold.value), scope)
        value = scope.positioned(fold.value)
        scope.add(take(fold, text, scope.printer, value, scope.printer.value(position)), fold.line)

    def _lets(self, names: frozenset[str], scope: Scope) -> None:
        for let in self.passes.needed(names):
            if not scope.declares(let.name):
                scope.let(let)

    def _finish(self, text: FoldText, scope: Scope) -> None:
        if self.block is not None:
            scope.add(text.shared(self.block, self.scratch.setdefault(text.ctype, self._scratch_name())))
        if text.result:
            scope.add(text.result)

    def _scratch_name(self) -> str:
        return f"scratch{len(self.scratch) or ''}"

    def _row_steps(self, steps: tuple[Let | Store, ...]) -> tuple[str, ...]:
        first = len(self.row_scope.lines)
        self.row_scope.write(steps, "if (threadIdx.x == 0) " if self.block is not None else "")
        return tuple(self.row_scope.lines[first:])


def row_major(axes: tuple[Axis, ...]) -> Expr:
    """The linear index over axes, the last fastest."""
    total: Expr = ZERO
    for axis in axes:
        total = add(mul(total, axis.extent), Var(axis.name))
    return total
