"""The kernel of a product of few rows: threads go along the terms, meet each weight that they load with all of the few, and
fold their sums at the end.

    own = origin + group * many                      the first column of a thread
    for first: w_part = w[own .., first ..]          in accesses of 16 bytes
               for i: a_part[i] += x[i, first ..] * w_part
    a_parts[slot] = a_part                           by shuffles within warps, where lanes share a sum
    barrier
    a = a_parts[0] + a_parts[1] + ..., epilogue      a thread a sum
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.c_text.names import Names, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.terms import (
    BLOCK,
    THREAD,
    Element,
    Functor,
    Local,
    Pointer,
    Primitive,
    Scalar,
    Vector,
    block_index,
    less,
)
from uol.backends.simt.elements.vectors import ALIGNED, FLAG, are_aligned
from uol.backends.simt.kernel.nodes import Assign, Barrier, Block, Declare, If, Kernel, Loop, Statement
from uol.backends.simt.kernel.scope import Scope, all_of, where_natural
from uol.backends.simt.products.few_rows.operands import Operand, blocks_of, operands_of
from uol.backends.simt.products.few_rows.schedule import Along, FewRows
from uol.backends.simt.products.few_rows.sums import RESULT, SLOT, Sums, added
from uol.backends.simt.products.few_rows.whole import kernel_of_product
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, static, sub
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.sizes import multiple_of
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped, reads
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX

GROUP, PART, ORIGIN, OWN, FIRST = map(Local, ("group", "part", "origin", "own", "first"))
"""Which columns, and which terms, a thread has; where those of its block, and its own, begin; the first of its terms."""
ROW, COLUMN, TERM = map(Local, ("i", "j", "t"))
WORDS = tuple(each.name for each in (GROUP, PART, ORIGIN, OWN, FIRST, ROW, COLUMN, TERM, RESULT, SLOT))
NATURAL = (THREAD, BLOCK, GROUP, PART, ORIGIN, OWN, FIRST, RESULT)
"""What is never negative."""
BATCH = "$batch"
MOST_TOGETHER = 8
"""Rows whose terms a thread has at the same time."""


def few_rows_kernel(spec: Contract, schedule: FewRows, lanes: int) -> Kernel:
    """The kernel of a product without axes of extent 1, on warps of so many lanes."""
    short, long = operands_of(spec, schedule.of)
    batch, per_batch = Counter.over(spec.batch, BATCH), parts_of(long.outer.count, schedule.block)
    blocks = blocks_of(short, long, schedule.block, batch.count)
    reach = (blocks, mul(per_batch, Const(schedule.block)), add(long.terms.count, Const(schedule.terms * schedule.shares)))
    index = index_type(spec, reach)
    names = _names(spec, short, long)
    printer = where_natural(Printer(names, Proofs.of(spec), index.ctype), *NATURAL)
    for counter in (batch, short.outer, long.outer, long.terms):
        printer = counter.known(printer)
    spec = mapped(spec, step=lambda step: batch.shortened(step))
    writer = _Writer(spec, schedule, lanes, short, long, batch, per_batch, Scope(printer))
    body = writer.body()
    launch = Launch((as_count(blocks), 1, 1), (schedule.threads, 1, 1))
    return kernel_of_product(spec, schedule.describe(), printer, index, launch, (writer.sums.buffer,), body)


def _names(spec: Contract, short: Operand, long: Operand) -> Names:
    tensors = (short.read.tensor, long.read.tensor)
    loaded = (f"${tensors[0]}_vec", f"${tensors[0]}_here", f"${tensors[1]}_vecs", f"${tensors[1]}_part")
    return legalise(spec, WORDS).with_locals([ALIGNED, *loaded, f"${spec.acc}_part", f"${spec.acc}_parts"])


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the kernel. `per_batch`: blocks for each of the batch."""

    spec: Contract
    schedule: FewRows
    lanes: int
    short: Operand
    long: Operand
    batch: Counter
    per_batch: Expr
    scope: Scope

    @property
    def kind(self) -> Scalar:
        """Of sums."""
        return Scalar(self.spec.acc_dtype)

    @property
    def sums(self) -> Sums:
        """What the parts of a block have come to."""
        name = self.scope.printer.names.variables[f"${self.spec.acc}_parts"]
        return Sums(name, self.kind, self.schedule.shape(self.lanes), ORIGIN, self.schedule.threads)

    def local(self, name: str, kind: Scalar | Vector | None = None) -> Local:
        """A variable of the kernel's own."""
        return Local(self.scope.printer.names.variables[name], kind or self.kind)

    def part(self, row: Expr, column: Expr) -> Element:
        """A thread's own sum."""
        return Element(self.local(f"${self.spec.acc}_part"), add(mul(row, Const(self.schedule.many)), column), self.kind)

    def weight(self, term: Expr, column: Expr) -> Element:
        """A value of the long operand that a thread has."""
        array = self.local(f"${self.long.read.tensor}_part")
        return Element(array, add(mul(term, Const(self.schedule.many)), column), self.kind)

    @property
    def group(self) -> Expr:
        """Which columns of its block a thread has."""
        return _one_of(GROUP, self.schedule.groups)

    @property
    def share(self) -> Expr:
        """Which of their terms."""
        return _one_of(PART, self.schedule.shares)

    @property
    def row(self) -> Expr:
        """Which of the few."""
        return ROW if self.schedule.few > 1 else ZERO

    @property
    def column(self) -> Expr:
        """Which of a thread's own columns."""
        return COLUMN if self.schedule.many > 1 else ZERO

    def body(self) -> tuple[Statement, ...]:
        """All statements."""
        self._places()
        self._aligned()
        schedule, scope = self.schedule, self.scope
        count, step = self.long.terms.count, schedule.terms
        whole = count if is_multiple(count, step) else mul(folded(idx("/", count, Const(step))), Const(step))
        clear = scope.inner()
        clear.put(Assign(self.part(self.row, self.column), Const(0, self.spec.acc_dtype)))
        part = Declare(self.local(f"${self.spec.acc}_part").name, self.kind, extent=schedule.few * schedule.many)
        scope.put(part, *self._each(clear, rows=True))
        scope.put(self._turns(mul(self.share, Const(step)), whole, step))
        if whole != count:
            scope.put(self._rest(whole, count))
        self._fold()
        scope.put(Barrier(), *self.sums.results(scope, self.spec, self.short.outer, self.long.outer))
        return tuple(scope.body)

    def _places(self) -> None:
        """Which part of the product a block, and a thread, has."""
        schedule, scope = self.schedule, self.scope
        by_shares = schedule.along == "terms"
        inner = Const(schedule.shares if by_shares else schedule.groups)
        slow, fast = folded(idx("/", THREAD, inner)), folded(idx("%", THREAD, inner))
        fast = THREAD if inner == Const(schedule.threads) else fast
        group, part = (slow, fast) if by_shares else (fast, slow)
        if schedule.groups > 1:
            scope.put(Declare(GROUP.name, Scalar(INDEX), scope.known(group)))
        if schedule.shares > 1:
            scope.put(Declare(PART.name, Scalar(INDEX), scope.known(part)))
        block = block_index(scope.printer)
        if self.batch.axes:
            used = used_variables(self.spec.epilogue) | variables(self.short.shorter) | variables(self.long.shorter)
            name = scope.printer.names.variable(self.batch.name)
            scope.put(Declare(name, Scalar(INDEX), scope.known(folded(idx("/", block, self.per_batch)))))
            scope.axes(self.batch, used)
            block = folded(idx("%", block, self.per_batch))
        first = ZERO if self.per_batch == ONE else mul(block, Const(schedule.block))
        scope.put(Declare(ORIGIN.name, Scalar(INDEX), scope.known(first)))
        scope.put(Declare(OWN.name, Scalar(INDEX), scope.known(add(ORIGIN, mul(self.group, Const(schedule.many))))))

    def _aligned(self) -> None:
        """May accesses of several elements be, by where tensors begin, and by sizes that are arguments?"""
        moved: list[tuple[Operand, Along, int]] = []
        if self.schedule.each > 1:
            moved.append((self.long, self.schedule.along, self.schedule.each))
        if self._short_in_vectors:
            moved.append((self.short, "terms", self.schedule.terms))
        if not moved:
            return
        workspaces = {arg.name for arg in self.spec.args if arg.role == "workspace"}
        tensors = dict.fromkeys(each.read.tensor for each, _, _ in moved if each.read.tensor not in workspaces)
        sizes = [multiple_of(pitch, width) for each, along, width in moved for pitch in each.pitches(along, width)]
        if self._is_chosen:
            sizes.append(multiple_of(self.long.outer.count, self.schedule.many))
        value = all_of((are_aligned(tensors), *dict.fromkeys(sizes)))
        self.scope.put(Declare(self.local(ALIGNED).name, Scalar("bool"), self.scope.known(value)))

    @property
    def _short_in_vectors(self) -> bool:
        """Does a thread load the terms of a short row at once?"""
        return self.schedule.terms > 1 and self.short.width("terms") >= self.schedule.terms

    @property
    def _is_chosen(self) -> bool:
        """May the last access along the columns go beyond them? Where it does, all are of single elements."""
        schedule = self.schedule
        return schedule.along == "outer" and schedule.each > 1 and not is_multiple(self.long.outer.count, schedule.many)

    def _rest(self, whole: Expr, count: Expr) -> Statement:
        """The last terms, one by one: where as many threads share a sum, one of each at the most."""
        first, schedule = add(whole, self.share), self.schedule
        if schedule.shares < schedule.terms:
            return self._turns(first, count, 1)
        scope = self.scope.inner()
        scope.put(Declare(FIRST.name, Scalar(INDEX), scope.known(first)))
        term = scope.inner()
        self._terms(term, 1)
        scope.put(If(scope.known(less(FIRST, count)), tuple(term.body)))
        return Block(tuple(scope.body))

    def _turns(self, first: Expr, end: Expr, terms: int) -> Loop:
        """The loop of a thread over its terms, so many at a time."""
        scope = self.scope.inner()
        self._terms(scope, terms)
        step = self.schedule.shares * terms
        return Loop(FIRST.name, self.scope.known(first), self.scope.known(end), tuple(scope.body), step)

    def _terms(self, scope: Scope, terms: int) -> None:
        """So many terms of the long operand, met by the few rows."""
        schedule = self.schedule
        scope.put(Declare(self.local(f"${self.long.read.tensor}_part").name, self.kind, extent=terms * schedule.many))
        if terms < schedule.terms or schedule.each == 1:
            self._elements(scope, terms)
        elif self._is_chosen:
            whole, single = scope.inner(), scope.inner()
            self._vectors(whole)
            self._elements(single, terms)
            scope.put(If(scope.known(FLAG), tuple(whole.body)))
            scope.put(If(scope.known(Call("not", (FLAG,), "bool")), tuple(single.body)))
        else:
            self._vectors(scope)
        self._rows(scope, terms)

    def _vectors(self, scope: Scope) -> None:
        """The terms of the long operand, in accesses of several."""
        schedule, long, read = self.schedule, self.long, self.long.read
        kind = Vector(Scalar(read.dtype, stored=True), schedule.each)
        vectors = self.local(f"${read.tensor}_vecs", kind)
        load, take = scope.inner(), scope.inner()
        if schedule.along == "terms":
            number, of_access, within = schedule.many, self.column, TERM
            self._at(load, long, self._within(self.column), FIRST)
        else:
            number, of_access, within = schedule.terms, _one_of(TERM, schedule.terms), COLUMN
            last = sub(long.outer.count, Const(schedule.many))
            own = OWN if is_multiple(long.outer.count, schedule.block) else idx("min", OWN, last)
            self._at(load, long, own, add(FIRST, of_access))
        value = Primitive("load_vector", (schedule.each,), (Pointer(read.tensor), read.offset, FLAG), kind)
        load.put(Assign(Element(vectors, of_access, kind), load.known(value)))
        at = f"{vectors.name}[{load.printer.value(of_access)}]"
        term = _one_of(TERM, schedule.terms)
        factor = self._of_vector(take, long, at, within, (self._within(self.column), add(FIRST, term)))
        take.put(Assign(self.weight(term, self.column), factor))
        scope.put(Declare(vectors.name, kind, extent=number))
        scope.put(*_apart(_loops(load, (of_access, number))), *_apart(self._each(take, terms=schedule.terms)))

    def _elements(self, scope: Scope, terms: int) -> None:
        """So many terms of the long operand, one by one. Beyond its last column that one is read again."""
        take, term = scope.inner(), _one_of(TERM, terms)
        self._at(take, self.long, self._within(self.column), add(FIRST, term))
        take.put(Assign(self.weight(term, self.column), take.value(self.long.shorter)))
        scope.put(*self._each(take, terms=terms))

    def _rows(self, scope: Scope, terms: int) -> None:
        """The few rows meet what a thread has of the long operand, so many at a time that their terms stay in registers."""
        few = self.schedule.few
        parts = -(-few // MOST_TOGETHER)
        each = -(-few // parts)
        for first in range(0, few, each):
            inner = scope.inner()
            self._some_rows(inner, terms, first, min(each, few - first))
            scope.put(*inner.body) if parts == 1 else scope.put(Block(tuple(inner.body)))

    def _some_rows(self, scope: Scope, terms: int, first: int, count: int) -> None:
        """`count` rows from `first` on."""
        short, term, own = self.short, _one_of(TERM, terms), _one_of(ROW, count)
        row, few = add(own, Const(first)), scope.inner()
        inner = few.inner()
        if terms == self.schedule.terms and self._short_in_vectors:
            vectors = self._short_vectors(scope, terms, row, count)
            at = f"{vectors.name}[{ROW.name}]" if count > 1 else vectors.name
            here = self._of_vector(inner, short, at, TERM, (self._clamped(row), add(FIRST, term)))
        else:
            self._at(inner, short, self._clamped(row), add(FIRST, term))
            here = inner.value(short.shorter)
        value_here, columns = self.local(f"${short.read.tensor}_here"), inner.inner()
        product = Call("*", (value_here, self.weight(term, self.column)), self.spec.acc_dtype)
        columns.put(added(columns, self.part(row, self.column), product, self.spec.line))
        inner.put(Declare(value_here.name, self.kind, here), *self._each(columns))
        few.put(*_loops(inner, (term, terms)))
        scope.put(*_loops(few, (own, count)))

    def _clamped(self, row: Expr) -> Expr:
        """One of the few rows: the last there is, where there may be fewer."""
        few, count = self.schedule.few, self.short.outer.count
        return row if few in (1, static(count)) else idx("min", row, sub(count, ONE))

    def _short_vectors(self, scope: Scope, terms: int, row: Expr, count: int) -> Local:
        """The terms of rows, all on their way before the first of them is used."""
        read, load = self.short.read, scope.inner()
        kind = Vector(Scalar(read.dtype, stored=True), terms)
        vectors = self.local(f"${read.tensor}_vec", kind)
        self._at(load, self.short, self._clamped(row), FIRST)
        value = load.known(Primitive("load_vector", (terms,), (Pointer(read.tensor), read.offset, FLAG), kind))
        if count == 1 and sum(1 for _ in reads(self.short.shorter)) > 1:  # whose places are declared once more, for the others
            scope.put(Declare(vectors.name, kind), Block((*load.body, Assign(vectors, value))))
            return vectors
        if count == 1:
            scope.put(*load.body, Declare(vectors.name, kind, value))
            return vectors
        load.put(Assign(Element(vectors, ROW, kind), value))
        scope.put(Declare(vectors.name, kind, extent=count), *_loops(load, (ROW, count)))
        return vectors

    def _each(self, body: Scope, *, rows: bool = False, terms: int = 1) -> tuple[Statement, ...]:
        """Statements for each of a thread's columns, and rows or terms."""
        few = self.schedule.few if rows else 1
        return _loops(body, (ROW, few), (TERM, terms), (COLUMN, self.schedule.many))

    def _within(self, column: Expr) -> Expr:
        """The place of one of a thread's columns: the last there is, where it lies behind that."""
        place, count = add(OWN, column), self.long.outer.count
        return place if is_multiple(count, self.schedule.block) else idx("min", place, sub(count, ONE))

    def _at(self, scope: Scope, operand: Operand, outer: Expr, term: Expr, expr: Expr | None = None) -> None:
        """Variables for where an operand is read, or those that an expression needs."""
        needed = variables(operand.shorter if expr is None else expr)
        for counter, place in ((operand.outer, outer), (operand.terms, term)):
            if counter.name in needed or (len(counter.axes) > 1 and needed & {axis.name for axis in counter.axes}):
                self._declare(scope, counter, place)
                scope.axes(counter, needed)

    def _declare(self, scope: Scope, counter: Counter, place: Expr) -> None:
        """`const int n = own + j;`, or another name of a variable."""
        if isinstance(place, Local):
            scope.printer = scope.printer.bound(**{counter.name: place.name})
        else:
            name = scope.printer.names.variables[counter.name]
            scope.put(Declare(name, Scalar(INDEX), scope.known(place)))

    def _of_vector(self, scope: Scope, operand: Operand, vector: str, element: Expr, at: tuple[Expr, Expr]) -> Expr:
        """A factor whose tensor is read in a vector, which the scope then knows; what else it reads is at these places."""
        names, key = scope.printer.names, "$of_vector"
        scope.printer = replace(scope.printer, names=replace(names, tensors={**names.tensors, key: f"{vector}.at"}))
        read = operand.read
        loaded = Read(key, element, (), (), None, read.dtype)
        factor = rewrite(operand.shorter, lambda node: loaded if node == read else None)
        self._at(scope, operand, *at, factor)
        return scope.value(factor)

    def _fold(self) -> None:
        """What threads have summed goes to shared memory; lanes that have the same sums fold them before."""
        schedule, scope = self.schedule, self.scope.inner()
        column = add(mul(self.group, Const(schedule.many)), self.column)
        total, when, slot = self.part(self.row, self.column), None, self.share
        if schedule.along == "terms":
            together = min(schedule.shares, self.lanes)
            slot = ZERO if self.sums.shape.slots == 1 else folded(idx("/", PART, Const(together)))
            if together > 1:
                folded_sum = Primitive("group_fold", (together,), (total, Functor("Sum")), self.kind)
                scope.put(Assign(total, folded_sum))
                lane = PART if together == schedule.shares else idx("%", PART, Const(together))
                when = scope.known(Call("==", (lane, ZERO), "bool"))
        scope.put(self.sums.store(slot, self.row, column, total, scope, when))
        self.scope.put(*self._each(scope, rows=True))


def _apart(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Statements with names of their own."""
    return (Block(body),) if any(isinstance(statement, Declare) for statement in body) else body


def _one_of(counter: Local, count: int) -> Expr:
    """A counter of so many; of one that is 0."""
    return counter if count > 1 else ZERO


def _loops(body: Scope, *loops: tuple[Expr, int]) -> tuple[Statement, ...]:
    """Unrolled loops around statements, outer ones first; what goes round once is no loop."""
    found: tuple[Statement, ...] = tuple(body.body)
    for counter, count in reversed(loops):
        if count > 1:
            assert isinstance(counter, Local)
            found = (Loop(counter.name, ZERO, Const(count), found, unrolled=True),)
    return found
