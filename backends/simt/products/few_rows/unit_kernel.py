"""The kernel of a product of few rows on matrix units: fragments of both operands come from memory into registers.

    for first: w_in = w[own + position .., first + group ..]      an access of 16 bytes, of each row that a lane has
               x_in = x[few, first + group ..]
               a_part += w_part x_in                              matrix units; w_part is w_in, in the order of a fragment
    a_parts[slot] = a_part; barrier; a = the sum of parts, epilogue

Where a tensor begins at no multiple of 16 bytes, lanes sum the same elements one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.c_text.names import Names, legalise
from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.terms import BLOCK, THREAD, Element, Local, Offset, Pointer, Primitive, Scalar, Word, block_index
from uol.backends.simt.elements.vectors import ALIGNED, FLAG, are_aligned
from uol.backends.simt.kernel.nodes import Assign, Barrier, Block, Body, Declare, Do, If, Kernel, Loop, Multiply, Statement
from uol.backends.simt.kernel.rewrite import substituted
from uol.backends.simt.kernel.scope import Scope, where_natural
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.few_rows.fragments import HALVES, LANE, LANE_TERMS, Fragments
from uol.backends.simt.products.few_rows.operands import Operand, blocks_of, operands_of
from uol.backends.simt.products.few_rows.schedule import FewRowsByUnits
from uol.backends.simt.products.few_rows.sums import RESULT, SLOT, Sums
from uol.backends.simt.products.few_rows.whole import kernel_of_product
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, sub
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, INDEX

WARP, GROUP, PART, ORIGIN, OWN, FIRST = map(Local, ("warp", "group", "part", "origin", "own", "first"))
AT, VALID = Local("at"), Local("valid", Scalar("bool"))
"""The first of a lane's terms in a step of its warp, and whether they are there."""
FRAGMENT, ROW, INSTRUCTION, ELEMENT, TERM, REGISTER = map(Local, ("f", "j", "h", "e", "t", "r"))
WORDS = (
    *("lane", "warp", "group", "part", "origin", "own", "first", "at", "valid"),
    *("f", "j", "h", "e", "t", "r", RESULT.name, SLOT.name),
)
NATURAL = (THREAD, BLOCK, LANE, WARP, GROUP, PART, ORIGIN, OWN, FIRST, AT, RESULT)
BATCH = "$batch"
TURNS = 4
"""Of the loop over terms that are written out, so that their loads are on their way together."""


def unit_kernel(spec: Contract, schedule: FewRowsByUnits, unit: MatrixUnit) -> Kernel:
    """The kernel of a product without axes of extent 1."""
    short, long = operands_of(spec, schedule.of)
    fragments = Fragments(unit, schedule)
    batch, per_batch = Counter.over(spec.batch, BATCH), parts_of(long.outer.count, fragments.block)
    blocks, threads = blocks_of(short, long, fragments.block, batch.count), schedule.warps * unit.lanes
    reach = (blocks, mul(per_batch, Const(fragments.block)), add(long.terms.count, Const(fragments.step * schedule.shares)))
    index = index_type(spec, reach)
    names = _names(spec, short, long)
    printer = where_natural(Printer(names, Proofs.of(spec), index.ctype), *NATURAL)
    for counter in (batch, short.outer, long.outer, long.terms):
        printer = counter.known(printer)
    spec = mapped(spec, step=lambda step: batch.shortened(step))
    writer = _Writer(spec, fragments, short, long, batch, per_batch, Scope(printer))
    body = writer.body()
    launch = Launch((as_count(blocks), 1, 1), (threads, 1, 1))
    return kernel_of_product(spec, schedule.describe(), printer, index, launch, (writer.sums.buffer,), body)


def _names(spec: Contract, short: Operand, long: Operand) -> Names:
    loaded = (f"${short.read.tensor}_in", f"${_called(short, long)}_in", f"${_called(short, long)}_part")
    return legalise(spec, WORDS).with_locals([ALIGNED, *loaded, f"${spec.acc}_part", f"${spec.acc}_parts"])


def _called(short: Operand, long: Operand) -> str:
    """What the long operand's fragments are called by: its tensor, so that a reader knows what is in them."""
    tensor = long.read.tensor
    return tensor if tensor != short.read.tensor else f"{tensor}_long"


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the kernel. `per_batch`: blocks for each of the batch."""

    spec: Contract
    fragments: Fragments
    short: Operand
    long: Operand
    batch: Counter
    per_batch: Expr
    scope: Scope

    @property
    def kind(self) -> Scalar:
        return Scalar(self.spec.acc_dtype)

    @property
    def schedule(self) -> FewRowsByUnits:
        return self.fragments.schedule

    @property
    def sums(self) -> Sums:
        """What the warps of a block have come to."""
        name = self.scope.printer.names.variables[f"${self.spec.acc}_parts"]
        return Sums(name, self.kind, self.fragments.shape, ORIGIN, self.schedule.warps * self.fragments.unit.lanes)

    def local(self, name: str) -> Local:
        """An array of registers, or a variable."""
        return Local(self.scope.printer.names.variables[name], Word())

    def long_words(self, what: str) -> Local:
        """Registers of the long operand."""
        return self.local(f"${_called(self.short, self.long)}_{what}")

    def part(self, fragment: Expr, instruction: Expr) -> Element:
        """The sums of an instruction."""
        array = Local(self.scope.printer.names.variables[f"${self.spec.acc}_part"], self.kind)
        return Element(Element(array, fragment, self.kind), instruction, self.kind)

    def body(self) -> tuple[Statement, ...]:
        """All statements."""
        fragments, schedule, scope = self.fragments, self.schedule, self.scope
        self._places()
        extent = (schedule.fragments, fragments.instructions, fragments.unit.d.registers)
        name = scope.printer.names.variables[f"${self.spec.acc}_part"]
        scope.put(Declare(name, self.kind, extent=extent, zeroed=True, line=self.spec.line))
        scope.put(*self._summed())
        scope.put(*self._stored(), Barrier())
        scope.put(*self.sums.results(scope, self.spec, self.short.outer, self.long.outer))
        return tuple(scope.body)

    def _places(self) -> None:
        """Which part of the product a block, a warp and a lane has."""
        fragments, schedule, scope = self.fragments, self.schedule, self.scope
        lanes = Const(fragments.unit.lanes)
        scope.put(Declare(LANE.name, Scalar(INDEX), scope.known(idx("%", THREAD, lanes))))
        scope.put(Declare(WARP.name, Scalar(INDEX), scope.known(idx("/", THREAD, lanes))))
        if schedule.groups > 1:
            scope.put(Declare(GROUP.name, Scalar(INDEX), scope.known(quotient(WARP, schedule.shares))))
        part = remainder(WARP, schedule.shares) if schedule.groups > 1 else WARP
        scope.put(Declare(PART.name, Scalar(INDEX), scope.known(ZERO if schedule.shares == 1 else part)))
        block = block_index(scope.printer)
        if self.batch.axes:
            used = used_variables(self.spec.epilogue) | variables(self.short.shorter) | variables(self.long.shorter)
            name = scope.printer.names.variable(self.batch.name)
            scope.put(Declare(name, Scalar(INDEX), scope.known(folded(idx("/", block, self.per_batch)))))
            scope.axes(self.batch, used)
            block = folded(idx("%", block, self.per_batch))
        first = ZERO if self.per_batch == ONE else mul(block, Const(fragments.block))
        scope.put(Declare(ORIGIN.name, Scalar(INDEX), scope.known(first)))
        own = add(ORIGIN, mul(GROUP, Const(fragments.columns))) if schedule.groups > 1 else ORIGIN
        scope.put(Declare(OWN.name, Scalar(INDEX), scope.known(own)))

    def _summed(self) -> Body:
        """The sums by whole accesses, where both operands begin at multiples of them; workspaces do."""
        workspaces = {arg.name for arg in self.spec.args if arg.role == "workspace"}
        asked = [name for name in dict.fromkeys((self.long.read.tensor, self.short.read.tensor)) if name not in workspaces]
        whole = self._turns()
        if not asked:
            return (whole,)
        aligned = Declare(self.local(ALIGNED).name, Scalar("bool"), self.scope.known(are_aligned(asked)))
        known = self.scope.known
        return (aligned, If(known(FLAG), (whole,)), If(known(Call("not", (FLAG,), "bool")), (self._one_by_one(),)))

    def _turns(self) -> Loop:
        """The loop of a warp over its terms."""
        scope, step = self.scope.inner(), self.fragments.step
        terms = total(FIRST, scaled(self.fragments.group, self.fragments.lane_terms))
        scope.put(Declare(AT.name, Scalar(INDEX), scope.known(terms)))
        if not self._is_whole:
            scope.put(Declare(VALID.name, VALID.kind, scope.known(compare("<", AT, self.long.terms.count))))
        if self.schedule.along == "terms":
            self._along_terms(scope)
        else:
            self._along_columns(scope)
        first, turn = self.scope.known(scaled(PART, step)), self.schedule.shares * step
        end = self.scope.known(self.long.terms.count)
        return Loop(FIRST.name, first, end, tuple(scope.body), turn, times=TURNS)

    @property
    def _is_whole(self) -> bool:
        """Are all terms of a lane there in every step?"""
        return is_multiple(self.long.terms.count, self.fragments.step)

    def _few_in(self, scope: Scope) -> Local:
        """The short operand's fragments: a lane's terms of a row of each."""
        read, words = self.short.read, self.fragments.lane_terms // HALVES
        into = self.local(f"${read.tensor}_in")
        scope.put(Declare(into.name, Word(), extent=(self.schedule.fragments, words)))
        load, few = scope.inner(), total(scaled(FRAGMENT, self.fragments.unit.n), self.fragments.few)
        at = self._clamped(few, self.short.outer, self.schedule.fragments * self.fragments.unit.n)
        self._load(load, self.short, Element(into, FRAGMENT, Word()), at, AT)
        scope.put(*_apart(load.body, (FRAGMENT, self.schedule.fragments)))
        return into

    def _along_terms(self, scope: Scope) -> None:
        """A step of accesses along the terms."""
        fragments, unit = self.fragments, self.fragments.unit
        words, rows = fragments.lane_terms // HALVES, fragments.lane_rows
        into = self.long_words("in")
        scope.put(Declare(into.name, Word(), extent=(rows, words)))
        load, column = scope.inner(), total(OWN, fragments.position, scaled(ROW, fragments.positions))
        at = self._clamped(column, self.long.outer, fragments.block)
        self._load(load, self.long, Element(into, ROW, Word()), at, AT)
        scope.put(*_apart(load.body, (ROW, rows)))
        few = self._few_in(scope)
        part = self.long_words("part")
        word = total(scaled(INSTRUCTION, HALVES), quotient(REGISTER, rows))
        value = Element(Element(into, remainder(REGISTER, rows), Word()), word, Word())
        of_fragment = Element(few, FRAGMENT, Word())
        multiply = Multiply(unit, self.part(FRAGMENT, ZERO), part, Offset(of_fragment, scaled(INSTRUCTION, HALVES)))
        body: Body = (
            Declare(part.name, Word(), extent=(unit.a.registers,)),
            *_nest((Assign(Element(part, REGISTER, Word()), value),), (REGISTER, unit.a.registers)),
            *_nest((multiply,), (FRAGMENT, self.schedule.fragments)),
        )
        scope.put(*_nest(body, (INSTRUCTION, fragments.lane_terms // LANE_TERMS)))

    def _along_columns(self, scope: Scope) -> None:
        """A step of accesses along the columns, of which pairs of terms become registers of fragments."""
        fragments, unit, each = self.fragments, self.fragments.unit, self.schedule.each
        into, part = self.long_words("in"), self.long_words("part")
        scope.put(Declare(into.name, Word(), extent=(LANE_TERMS, each // HALVES)))
        load, column = scope.inner(), total(OWN, scaled(fragments.position, each))
        at = self._clamped(column, self.long.outer, fragments.block, each)
        self._load(load, self.long, Element(into, TERM, Word()), at, total(AT, TERM))
        scope.put(*_apart(load.body, (TERM, LANE_TERMS)))
        few = self._few_in(scope)
        rows = fragments.lane_rows
        body: list[Statement] = [Declare(part.name, Word(), extent=(unit.a.registers,))]
        for first in range(0, HALVES, rows):
            for register in range(unit.a.registers):
                pair, half = register // rows * 2, first + register % rows
                values = tuple(Element(Element(into, Const(pair + n), Word()), ROW, Word()) for n in (0, 1))
                joined = Primitive("high_halves" if half else "low_halves", (), values, Word())
                body.append(Assign(Element(part, Const(register), Word()), joined))
            instruction = total(scaled(ROW, HALVES // rows), first // rows)
            multiply = Multiply(unit, self.part(FRAGMENT, instruction), part, Element(few, FRAGMENT, Word()))
            body += _nest((multiply,), (FRAGMENT, self.schedule.fragments))
        scope.put(*_nest(tuple(body), (ROW, each // HALVES)))

    def _load(self, scope: Scope, operand: Operand, to: Expr, outer: Expr, term: Expr) -> None:
        """`uol::load_words<16>(w_in[j], w + n * 4096 + k);`"""
        self._at(scope, operand, outer, term)
        along_terms = operand is self.short or self.schedule.along == "terms"
        elements = self.fragments.lane_terms if along_terms else self.schedule.each
        read, valid = operand.read, () if self._is_whole else (VALID,)
        args = (to, scope.known(Pointer(read.tensor, read.offset)), *valid)
        scope.put(Do(Primitive("load_words", (elements * DTYPES[read.dtype].bytes,), args)))

    def _at(self, scope: Scope, operand: Operand, outer: Expr, term: Expr) -> None:
        """Variables for where an operand is read."""
        needed = variables(operand.shorter)
        for counter, place in ((operand.outer, outer), (operand.terms, term)):
            if counter.axes and isinstance(place, Local):
                scope.printer = scope.printer.bound(**{counter.name: place.name})
            elif counter.axes:
                scope.put(Declare(scope.printer.names.variables[counter.name], Scalar(INDEX), scope.known(place)))
            scope.axes(counter, needed)

    def _clamped(self, place: Expr, counter: Counter, whole: int, several: int = 1) -> Expr:
        """A place, or that of the last `several` where some lie behind them."""
        if is_multiple(counter.count, whole):
            return place
        return idx("min", place, sub(counter.count, Const(several)))

    def _one_by_one(self) -> Loop:
        """The same sums, of elements that are read one by one."""
        fragments, schedule, unit = self.fragments, self.schedule, self.fragments.unit
        scope = self.scope.inner()
        column = total(OWN, fragments.row_of_sum(ELEMENT, INSTRUCTION))
        few = total(scaled(FRAGMENT, unit.n), fragments.few_of_sum(ELEMENT))
        product = Call("*", (self.short.shorter, self.long.shorter), self.spec.acc_dtype)
        self._at(scope, self.long, self._clamped(column, self.long.outer, fragments.block), FIRST)
        if self.short.outer.axes:
            place = self._clamped(few, self.short.outer, schedule.fragments * unit.n)
            scope.put(Declare(scope.printer.names.variables[self.short.outer.name], Scalar(INDEX), scope.known(place)))
            scope.axes(self.short.outer, variables(self.short.shorter))
        target = Element(self.part(FRAGMENT, INSTRUCTION), ELEMENT, self.kind)
        scope.put(Assign(target, scope.value(product), "+=", self.spec.line))
        body = self._each_sum(scope.body)
        return Loop(FIRST.name, PART, self.scope.known(self.long.terms.count), body, schedule.shares, times=1)

    def _stored(self) -> Body:
        """What a warp has summed goes to shared memory."""
        fragments, schedule, unit = self.fragments, self.schedule, self.fragments.unit
        group = scaled(GROUP, fragments.columns) if schedule.groups > 1 else ZERO
        column = total(group, fragments.row_of_sum(ELEMENT, INSTRUCTION))
        few = total(scaled(FRAGMENT, unit.n), fragments.few_of_sum(ELEMENT))
        value = Element(self.part(FRAGMENT, INSTRUCTION), ELEMENT, self.kind)
        store = self.sums.store(PART if schedule.shares > 1 else ZERO, few, column, value, self.scope)
        return self._each_sum((store,))

    def _each_sum(self, body: Iterable[Statement]) -> Body:
        """Statements for each of a lane's sums."""
        fragments = self.fragments
        counts = (self.schedule.fragments, fragments.instructions, fragments.unit.d.registers)
        return _nest(body, *zip((FRAGMENT, INSTRUCTION, ELEMENT), counts, strict=True))


def _apart(body: Iterable[Statement], loop: tuple[Local, int]) -> Body:
    """Statements with names of their own, in an unrolled loop."""
    return _nest(body, loop) if loop[1] > 1 else (Block(_nest(body, loop)),)


def _nest(body: Iterable[Statement], *loops: tuple[Local, int]) -> Body:
    """Statements within unrolled loops, outer ones first; of a single turn, with 0 in place of the counter."""
    found = tuple(body)
    for counter, count in reversed(loops):
        if count == 1:
            found = substituted(found, {counter.name: ZERO})
        else:
            found = (Loop(counter.name, ZERO, Const(count), found, unrolled=True, few=True),)
    return found
