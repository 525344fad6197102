"""Scan: running folds along an axis, one row a block, or one row a thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.rows.folds import FoldText, Scratch, fold_text, take
from uol.backends.simt.schedules import BlockPerRow, RowSchedule
from uol.backends.simt.target import Target
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, add, mul, size, sub
from uol.codegen.specs.nodes import Fold, Let, Scan, Step, Store
from uol.codegen.specs.steps import split_lets, used_variables
from uol.codegen.specs.traverse import mapped, steps_of
from uol.ir.program.nodes import Const
from uol.ir.program.walk import variables

ROW = "$row"


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What `scan.j2` reads: `before` are statements of the row; every turn of the loop computes `body`. `guard` is the number
    of rows where threads may lie beyond it."""

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    row: str
    row_value: str
    guard: str | None
    scratch: tuple[Scratch, ...]
    before: tuple[str, ...]
    turn: str
    extent: str
    step: str
    body: tuple[str, ...]


def plan_scan(spec: Scan, schedule: RowSchedule, target: Target) -> ScanPlan:
    """The kernel of a Scan: every value is computed once, and folds go on from turn to turn."""
    threads, by_block = schedule.threads, isinstance(schedule, BlockPerRow)
    rows, extent = size(spec.rows), spec.along.extent
    blocks = rows if by_block else parts_of(rows, threads)
    index = index_type(spec, [blocks if by_block else mul(blocks, Const(threads)), add(extent, Const(threads))])
    names = legalise(spec, ["row", "turn", *(f"scratch{n or ''}" for n in range(len(spec.steps)))])
    row = Counter.over(spec.rows, ROW)
    spec = mapped(spec, step=row.shortened)
    scope = Scope(row.known(Printer(names, Proofs.of(spec), index.ctype)))
    for line in row.declarations(scope.printer, used_variables(steps_of(spec))):
        scope.add(line)
    of_row, steps = split_lets(spec.steps, {spec.along.name})
    scope.write(of_row)
    writer = _Writer(spec, steps, threads if by_block else None, scope)
    body = writer.body()
    printer = scope.printer
    return ScanPlan(
        title=f"{printer.value(rows)} rows of {printer.value(extent)}, {schedule.describe().split(',')[0]}",
        signature=signature(spec, kernel_symbol(spec), names, threads, index),
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        row=printer.names.variable(row.name),
        row_value="blockIdx.x" if by_block else f"{index.cast}blockIdx.x * {threads} + threadIdx.x",
        guard=None if by_block or is_multiple(rows, threads) else printer.value(rows),
        scratch=tuple(Scratch(ctype, name) for ctype, name in writer.scratch.items()),
        before=tuple(scope.lines),
        turn=writer.turn,
        extent=printer.value(extent),
        step=f"{writer.turn} += {threads}" if by_block else f"++{writer.turn}",
        body=body,
    )


class _Writer:
    """Writes one turn. `block` is the number of threads that share a row, None where one has it alone."""

    def __init__(self, spec: Scan, steps: Iterable[Step], block: int | None, row_scope: Scope) -> None:
        self.spec = spec
        self.steps = tuple(steps)
        self.block = block
        self.row_scope = row_scope
        self.extent = spec.along.extent
        self.position = row_scope.printer.names.variable(spec.along.name)
        self.turn = self.position if block is None and not spec.reverse else "turn"
        self.texts = {s.name: fold_text(s, row_scope.printer) for s in self.steps if isinstance(s, Fold)}
        carries = {name: f"${name}_carry" for name in self.texts}
        names = row_scope.printer.names.with_locals(carries.values())
        row_scope.printer = replace(row_scope.printer, names=names)
        self.carries = {name: names.variable(carry) for name, carry in carries.items()}
        self.lets = {s.name: s for s in self.steps if isinstance(s, Let)}
        self.scratch: dict[str, str] = {}

    def body(self) -> tuple[str, ...]:
        """The statements of a turn; what folds start with is declared in front of the loop."""
        scope = self.row_scope.inner()
        if self.turn != self.position:
            last = scope.printer.value(sub(self.extent, ONE))
            way = f"{last} - turn" if self.spec.reverse else "turn"
            lane = "" if self.block is None else f" {'-' if self.spec.reverse else '+'} threadIdx.x"
            scope.add(f"const {scope.printer.index_type} {self.position} = {way}{lane};")
        if self.block is None:
            self._alone(scope)
        else:
            self._shared(scope, self.block)
        return tuple(scope.lines)

    def _alone(self, scope: Scope) -> None:
        """A fold takes in the value at hand when its name is due; one without it, when all that use the name are done."""
        exclusive, folds = self.spec.exclusive, [s for s in self.steps if isinstance(s, Fold)]
        for fold in folds:
            self.row_scope.add(self.texts[fold.name].declaration(), fold.line)
        for step in self.steps:
            match step:
                case Store():
                    self._store(step, scope)
                case Fold():
                    text = self.texts[step.name]
                    if not exclusive:
                        self._take(step, text, scope)
                    if text.result:
                        scope.add(text.result)
        if exclusive:
            inner = scope.inner()
            for fold in reversed(folds):  # a later one may use the name of an earlier one
                self._take(fold, self.texts[fold.name], inner)
            _within(self._before_last(), inner, scope)

    def _shared(self, scope: Scope, threads: int) -> None:
        """Every thread has a position; a fold goes over the block's, behind what the turns before have left."""
        exclusive, inside = self.spec.exclusive, self._inside(threads)
        scan = "block_scan_before" if exclusive else "block_scan"
        for step in self.steps:
            inner = scope if inside is None else scope.inner()
            match step:
                case Store():
                    self._store(step, inner)
                    _within(inside, inner, scope)
                case Fold():
                    text, carry = self.texts[step.name], self.carries[step.name]
                    self.row_scope.add(text.declaration(carry), step.line)
                    scope.add(text.declaration())
                    inner = scope.inner() if exclusive else inner
                    self._take(step, text, inner)
                    _within(self._before_last() if exclusive else inside, inner, scope)
                    scratch = self.scratch.setdefault(text.ctype, f"scratch{len(self.scratch) or ''}")
                    arguments = f"{text.variable}, {carry}, {scratch}, {text.functor}{{}}"
                    scope.add(f"{text.variable} = uol::{scan}<{threads}>({arguments});")
                    if text.result:
                        scope.add(text.result)

    def _inside(self, threads: int) -> str | None:
        """Where a thread's position is one of the row; None where all are."""
        if is_multiple(self.extent, threads):
            return None
        extent = self.row_scope.printer.value(self.extent)
        return f"{self.position} >= 0" if self.spec.reverse else f"{self.position} < {extent}"

    def _before_last(self) -> str:
        """Where a value counts for any position: not at the last one."""
        last = self.row_scope.printer.value(sub(self.extent, ONE))
        return f"{self.position} > 0" if self.spec.reverse else f"{self.position} < {last}"

    def _store(self, step: Store, scope: Scope) -> None:
        self._declare(used_variables([step]), scope)
        scope.store(step)

    def _take(self, fold: Fold, text: FoldText, scope: Scope) -> None:
        self._declare(variables(fold.value), scope)
        value = scope.positioned(fold.value)
        scope.add(take(fold, text, scope.printer, value, self.position), fold.line)

    def _declare(self, names: frozenset[str], scope: Scope) -> None:
        """The element values behind some names, where they are not known yet."""
        for name, let in self.lets.items():
            if name in names and not scope.declares(name):
                self._declare(variables(let.value), scope)
                scope.let(let)


def _within(condition: str | None, inner: Scope, outer: Scope) -> None:
    """The statements of an inner scope under a condition; None where the scopes are one."""
    if condition is not None:
        outer.under(condition, inner.lines)
