"""Scan: running folds along an axis, one row a block, or one row a thread.

Where a thread of a block has several positions side by side, it folds them twice: the first time for what all of them come
to, over which the block scans; then again, behind what that leaves before them, for what is stored. A fold of what another
leaves at each position goes over them once more in between. Steps of a recurrence are maps, which compose before it is known
what they are maps of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.terms import Local, ctype_of
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.vectors import VECTOR, Vectors
from uol.backends.simt.kernel.nodes import Assign, Declare
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.rows.folds import Folding, folding, take
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, add, mul, size, sub
from uol.codegen.specs.nodes import Fold, Let, Scan, Step, Store, guard_operands
from uol.codegen.specs.scan_ends import is_at_end
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import RECURRENCE, names_behind, split_lets, used_variables
from uol.codegen.specs.traverse import mapped, steps_of
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.program.walk import variables

ROW = "$row"


@dataclass(frozen=True, slots=True)
class Scratch:
    """Shared memory of block scans, one array a type."""

    ctype: str
    name: str


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What `scan.j2` reads: `before` are statements of the row; every turn of the loop computes `body`, and `after` is behind
    the last. `guard` is the number
    of rows where threads may lie beyond it."""

    template: ClassVar[str] = "scan.j2"

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
    after: tuple[str, ...]


def plan_scan(spec: Scan, schedule: RowSchedule) -> ScanPlan:
    """The kernel of a Scan: every value is computed once, and folds go on from turn to turn."""
    threads, by_block = schedule.threads, isinstance(schedule, BlockPerRow)
    each = schedule.each if isinstance(schedule, BlockPerRow) else 1
    rows, extent = size(spec.rows), spec.along.extent
    blocks = rows if by_block else parts_of(rows, threads)
    counts = [blocks if by_block else mul(blocks, Const(threads)), add(extent, Const(threads * each))]
    index = index_type(spec, counts, data_apart=True)
    scratch = (f"scratch{n or ''}" for n in range(len(spec.steps)))
    names = legalise(spec, ["row", "turn", *([VECTOR] if each > 1 else []), *scratch])
    row = Counter.over(spec.rows, ROW)
    own_signature = signature(spec, kernel_symbol(spec), names, threads, index)
    spec, vectors = _in_vectors(spec, each, row)
    printer = row.known(Printer(names, Proofs.of(spec), index.ctype))
    scope = Scope(vectors.known(printer) if each > 1 else printer)
    scope.axes(row, used_variables(steps_of(spec)).union(*map(variables, _places(vectors))))
    of_row, steps = split_lets(spec.steps, {spec.along.name})
    scope.write(of_row)
    if each > 1:
        scope.put(vectors.aligned(scope.printer, frozenset(a.name for a in spec.args if a.role == "workspace")))
    writer = _Writer(spec, steps, threads if by_block else None, scope, vectors)
    body = writer.body()
    printer = scope.printer
    return ScanPlan(
        title=f"{printer.value(rows)} rows of {printer.value(extent)}, {schedule.describe().split(',')[0]}",
        signature=own_signature,
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        row=printer.names.variable(row.name),
        row_value="blockIdx.x" if by_block else f"{index.cast}blockIdx.x * {threads} + threadIdx.x",
        guard=None if by_block or is_multiple(rows, threads) else printer.value(rows),
        scratch=tuple(Scratch(ctype, name) for ctype, name in writer.scratch.items()),
        before=tuple(scope.lines),
        turn=writer.turn,
        extent=printer.value(parts_of(extent, each)),
        step=f"{writer.turn} += {threads}" if by_block else f"++{writer.turn}",
        body=body,
        after=writer.after(),
    )


def _in_vectors(spec: Scan, each: int, row: Counter) -> tuple[Scan, Vectors]:
    """The spec over single positions, with vectors of `each` of them in place of what lies side by side; 1: as it is."""
    vectors = Vectors(spec.along, each, known_multiples(spec.where), spec.reverse)
    if each == 1:
        return mapped(spec, step=row.shortened), vectors
    spec = mapped(spec, step=lambda step: vectors.at_element(row.shortened(vectors.taken(step)), spec.along.name))
    vectors.loads = {name: replace(read, offset=row.offset(read)) for name, read in vectors.loads.items()}
    vectors.stores = {name: replace(store, offset=row.offset(store)) for name, store in vectors.stores.items()}
    return spec, vectors


def _places(vectors: Vectors) -> tuple[Expr, ...]:
    """What says where vectors lie, and whether they are read."""
    guards = (operand for read in vectors.loads.values() for operand in guard_operands(read.guard))
    loads, stores = (read.offset for read in vectors.loads.values()), (store.offset for store in vectors.stores.values())
    return (*loads, *stores, *guards)


class _Writer:
    """Writes one turn. `block` is the number of threads that share a row, None where one has it alone."""

    def __init__(self, spec: Scan, steps: Iterable[Step], block: int | None, row_scope: Scope, vectors: Vectors) -> None:
        self.spec = spec
        self.vectors = vectors
        self.steps = tuple(step for step in steps if not is_at_end(spec, step))
        self.at_end = tuple(step for step in spec.steps if isinstance(step, Store) and is_at_end(spec, step))
        self.block = block
        self.row_scope = row_scope
        self.extent = spec.along.extent
        self.position = row_scope.printer.names.variable(spec.along.name)
        self.turn = self.position if block is None and not spec.reverse else "turn"
        self.foldings = {s.name: folding(s, row_scope.printer) for s in self.steps if isinstance(s, Fold)}
        folds = [s for s in self.steps if isinstance(s, Fold)]
        self.carries = self._named(row_scope, folds, "carry")
        self.maps = self._named(row_scope, (s for s in folds if s.op == RECURRENCE), "map")
        self.begins = self._named(row_scope, (s for s in folds if needed_by_folds(self.steps, s)), "begin")
        self.lets = {s.name: s for s in self.steps if isinstance(s, Let)}
        self.scratch: dict[str, str] = {}

    def _named(self, scope: Scope, folds: Iterable[Fold], what: str) -> dict[str, str]:
        """A further variable of each fold."""
        wanted = {fold.name: f"${fold.name}_{what}" for fold in folds}
        names = scope.printer.names.with_locals(wanted.values())
        scope.printer = replace(scope.printer, names=names)
        return {fold: names.variable(name) for fold, name in wanted.items()}

    def body(self) -> tuple[str, ...]:
        """The statements of a turn; what folds start with is declared in front of the loop."""
        scope = self.row_scope.inner()
        if self.turn != self.position:
            last = scope.printer.value(sub(parts_of(self.extent, each := self.vectors.width), ONE))
            way = f"{last} - turn" if self.spec.reverse else "turn"
            lane = "" if self.block is None else f" {'-' if self.spec.reverse else '+'} threadIdx.x"
            scope.add(f"const {scope.printer.index_type} {self.position if each == 1 else VECTOR} = {way}{lane};")
            if each > 1:
                scope.add(f"const {scope.printer.index_type} {self.position} = {VECTOR} * {each};")
        if self.block is None:
            self._alone(scope)
        elif self.vectors.width == 1:
            self._shared(scope, self.block)
        else:
            self._side_by_side(scope, self.block)
        return tuple(scope.lines)

    def after(self) -> tuple[str, ...]:
        """The stores of what folds come to over the row, by one of its threads."""
        scope = self.row_scope.inner()
        scope.body = []
        inner = scope if self.block is None else scope.inner()
        for fold in (step for step in self.steps if isinstance(step, Fold) and self.at_end and self.block is not None):
            inner.put(self._held(fold, self.foldings[fold.name].target.name, self.carries[fold.name]))
        for step in self.at_end:
            inner.store(step)
        if self.at_end:
            _within(None if self.block is None else "threadIdx.x == 0", inner, scope)
        return tuple(scope.lines)

    def _alone(self, scope: Scope) -> None:
        """A fold takes in the value at hand when its name is due; one without it, when all that use the name are done."""
        exclusive, folds = self.spec.exclusive, [s for s in self.steps if isinstance(s, Fold)]
        for fold in folds:
            self.row_scope.put(self.foldings[fold.name].declared())
        for step in self.steps:
            match step:
                case Store():
                    self._store(step, scope)
                case Fold():
                    found = self.foldings[step.name]
                    if not exclusive:
                        self._take(step, found, scope)
                    if found.result:
                        scope.put(found.result)
        if exclusive:
            inner = scope.inner()
            for fold in reversed(folds):  # a later one may use the name of an earlier one
                self._take(fold, self.foldings[fold.name], inner)
            _within(self._before_last(), inner, scope)

    def _shared(self, scope: Scope, threads: int) -> None:
        """Every thread has a position; a fold goes over the block's, behind what the turns before have left."""
        exclusive, inside = self.spec.exclusive, self._inside(threads)
        counts = self._before_last() if exclusive else inside
        scan = "block_scan_before" if exclusive else "block_scan"
        for step in self.steps:
            inner = scope if inside is None else scope.inner()
            match step:
                case Store():
                    self._store(step, inner)
                    _within(inside, inner, scope)
                case Fold():
                    found = self.foldings[step.name]
                    self._declare_carry(step, scope)
                    inner = scope.inner() if exclusive else inner
                    if step.op == RECURRENCE:
                        self._map(step, inner, "true")
                    else:
                        self._take(step, found, inner)
                    _within(counts, inner, scope)
                    scope.add(self._block_scan(scan, step, threads))
                    if step.op == RECURRENCE and not exclusive:
                        inner = scope if inside is None else scope.inner()
                        self._take(step, found, inner)
                        _within(inside, inner, scope)
                    if found.result:
                        scope.put(found.result)

    def _side_by_side(self, scope: Scope, threads: int) -> None:
        """Every thread has several positions. Those of a thread are all within the row, or none is."""
        inside = self._inside(threads)
        inner = scope if inside is None else scope.inner()
        for name, read in self.vectors.loads.items():
            variable = scope.printer.names.variable(name)
            if inside is not None:
                scope.put(Declare(variable, self.vectors.kind_of(read.dtype)))
            self.vectors.load(name, read, inner, None if inside is None else Local(variable, self.vectors.kind_of(read.dtype)))
        known: list[Fold] = []
        for folds in folds_in_turn(self.steps):
            for fold in folds:
                self._declare_carry(fold, scope)
            again = [fold for fold in known if fold.name in names_behind(self.steps, folds)]
            for fold in again:
                scope.put(self._held(fold, self.begins[fold.name], self.foldings[fold.name].target.name))
            self._elements((*again, *folds), inner, folds)
            _within(inside, inner, scope)
            for fold in again:
                scope.put(Assign(self.foldings[fold.name].target, Local(self.begins[fold.name])))
            for fold in folds:
                scope.add(self._block_scan("block_scan_before", fold, threads))
            known += folds
            inner = scope if inside is None else scope.inner()
        for name in self.vectors.stores:
            inner.put(self.vectors.declaration(name, scope.printer))
        if any(isinstance(step, Store) for step in self.steps):
            self._elements(self.steps, inner)
        for name, store in self.vectors.stores.items():
            self.vectors.store(name, store.offset, inner)
        _within(inside, inner, scope)

    def _elements(self, steps: Iterable[Step], scope: Scope, new: Collection[Fold] = ()) -> None:
        """Folds take in the thread's positions one by one; where there are stores, these are written. Of `new` folds it is not
        known what stands before the first position."""
        steps = tuple(steps)
        folds = [step for step in steps if isinstance(step, Fold)]
        if not new:
            self.vectors.read_once(steps, scope)
        inner = scope.inner()
        for step in steps:
            match step:
                case Store():
                    self._store(step, inner)
                case Fold() if step in new and step.op == RECURRENCE:
                    self._map(step, inner, f"{inner.printer.names.variable(ELEMENT)} == 0")
                case Fold():
                    found = self.foldings[step.name]
                    if step in new or not self.spec.exclusive:
                        self._take(step, found, inner)
                    if found.result and step not in new:
                        inner.put(found.result)
        if self.spec.exclusive:
            for fold in reversed([fold for fold in folds if fold not in new]):
                self._take(fold, self.foldings[fold.name], inner)
        self.vectors.loop(inner, scope)

    def _declare_carry(self, fold: Fold, scope: Scope) -> None:
        """What the turns before have left, and what a thread's positions come to."""
        found = self.foldings[fold.name]
        self.row_scope.put(found.declared(self.carries[fold.name]))
        if fold.op == RECURRENCE:
            first = literal(Const(1.0, fold.dtype)), scope.printer.value(found.start)
            scope.add(f"{self._ctype(found)} {self.maps[fold.name]} = {{{', '.join(first)}}};")
        else:
            scope.put(replace(found.declared(), line=None))

    def _held(self, fold: Fold, name: str, value: str) -> Declare:
        """A further variable of a fold's type, with the value of another."""
        kind = self.foldings[fold.name].kind
        return Declare(name, kind, Local(value, kind))

    def _ctype(self, found: Folding) -> str:
        """The C type that a block scans."""
        ctype = ctype_of(found.kind, self.row_scope.printer.index_type)
        return f"uol::Affine<{ctype}>" if found.op == RECURRENCE else ctype

    def _map(self, fold: Fold, scope: Scope, is_first: str) -> None:
        """One more step of a recurrence behind a thread's others."""
        self._declare(variables(fold.value), scope)
        map_type, map_ = self._ctype(self.foldings[fold.name]), self.maps[fold.name]
        maps = scope.positioned(fold.value)  # first: it may declare variables, which changes the printer
        by, plus = map(scope.printer.value, maps.children)
        step = f"{map_type}{{{by if by.isidentifier() else f'({by})'}, {plus}}}"
        scope.add(f"{map_} = {step if is_first == 'true' else f'uol::composed({map_}, {step}, {is_first})'};", fold.line)

    def _block_scan(self, scan: str, fold: Fold, threads: int) -> str:
        """The fold over the threads of a block, up to each, behind what the turns before have left."""
        found, carry = self.foldings[fold.name], self.carries[fold.name]
        scratch = self.scratch.setdefault(self._ctype(found), f"scratch{len(self.scratch) or ''}")
        variable = found.target.name
        if fold.op == RECURRENCE:
            call = f"uol::block_recurrence<{threads}>({self.maps[fold.name]}, {carry}, {self.turn} == 0, {scratch})"
            return f"{self.row_scope.printer.ctype(fold.dtype)} {variable} = {call};"
        functor = self.row_scope.printer.value(found.functor)
        return f"{variable} = uol::{scan}<{threads}>({variable}, {carry}, {scratch}, {functor});"

    def _inside(self, threads: int) -> str | None:
        """Where a thread's position is one of the row; None where all are."""
        if is_multiple(self.extent, threads * self.vectors.width):
            return None
        each = self.vectors.width
        place, extent = self.position if each == 1 else VECTOR, self.row_scope.printer.value(parts_of(self.extent, each))
        return f"{place} >= 0" if self.spec.reverse else f"{place} < {extent}"

    def _before_last(self) -> str:
        """Where a value counts for any position: not at the last one."""
        last = self.row_scope.printer.value(sub(self.extent, ONE))
        return f"{self.position} > 0" if self.spec.reverse else f"{self.position} < {last}"

    def _store(self, step: Store, scope: Scope) -> None:
        self._declare(used_variables([step]), scope)
        scope.store(step)

    def _take(self, fold: Fold, found: Folding, scope: Scope) -> None:
        self._declare(variables(fold.value), scope)
        value = scope.positioned(fold.value)
        place = add(Var(self.spec.along.name), self.vectors.element) if self.vectors.width > 1 else Var(self.spec.along.name)
        scope.put(take(found, scope, value, place))

    def _declare(self, names: frozenset[str], scope: Scope) -> None:
        """The element values behind some names, where they are not known yet."""
        for name, let in self.lets.items():
            if name in names and not scope.declares(name):
                self._declare(variables(let.value), scope)
                scope.let(let)


def needed_by_folds(steps: Iterable[Step], fold: Fold) -> bool:
    """Is a fold of what this one leaves at each position?"""
    steps = tuple(steps)
    return fold.name in names_behind(steps, (s for s in steps if isinstance(s, Fold)))


def folds_in_turn(steps: Iterable[Step]) -> list[list[Fold]]:
    """Folds that need no other, those that need these, and so on."""
    steps, turns = tuple(steps), dict[str, int]()
    for fold in (step for step in steps if isinstance(step, Fold)):
        turns[fold.name] = 1 + max((turns[name] for name in names_behind(steps, (fold,)) & turns.keys()), default=-1)
    folds = [step for step in steps if isinstance(step, Fold)]
    return [[f for f in folds if turns[f.name] == turn] for turn in range(1 + max(turns.values(), default=-1))]


def _within(condition: str | None, inner: Scope, outer: Scope) -> None:
    """The statements of an inner scope under a condition; None where the scopes are one."""
    if condition is not None:
        outer.under(condition, inner.lines)
