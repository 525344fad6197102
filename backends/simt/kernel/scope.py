"""Builds the statements of one scope of a kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from uol.backends.c_text.index_intervals import NATURAL
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Element, Known, Pointer, Scalar
from uol.backends.simt.kernel.nodes import Declare, If, Statement, Written
from uol.backends.simt.kernel.nodes import Store as StoreElement
from uol.backends.simt.kernel.printing import broken, indented, printed
from uol.codegen.specs.nodes import Guard, Holds, Let, Read, Step, Store, Within
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, walk
from uol.ir.types import INDEX


class Scope:
    """Collects the statements of a scope, in order.

    Where a read is guarded, the guarded positions become variables of their own: `const int x_at0 = p * 2 + r - 1;`
    is computed once and reads better than the same sum in a guard and an offset.
    """

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.body: list[Statement] = []
        self._declared: set[str] = set()
        self._positions: dict[Expr, Var] = {}

    def inner(self) -> Scope:
        """A scope within this one: it sees the variables and collects its own statements."""
        scope = Scope(self.printer)
        scope._declared = set(self._declared)
        scope._positions = dict(self._positions)
        return scope

    @property
    def lines(self) -> list[str]:
        """The statements as C."""
        return printed(self.body, self.printer.index_type)

    def put(self, *statements: Statement) -> None:
        """Further statements."""
        self.body += statements

    def known(self, expr: Expr, *, stored: bool = False) -> Known:
        """An expression as it is understood here."""
        return Known(expr, self.printer, stored)

    def add(self, text: str, line: int | None = None) -> None:
        """One statement of a kind of kernel that still writes text, with a reference to its line of the op."""
        self.body += map(Written, broken(text, f"  // line {line}" if line else ""))

    def declares(self, name: str) -> bool:
        return name in self._declared

    def axes(self, counter: Counter, needed: frozenset[str]) -> None:
        """`const int h = i / 56 % 56;` for every axis that is needed and is not the counter itself."""
        for name, value in counter.values(needed):
            self.put(Declare(self.printer.names.variable(name), Scalar(INDEX), self.known(value)))

    def let(self, step: Let) -> None:
        """`const float e = ...;`"""
        value = self.value(step.value)
        self.put(Declare(self.printer.names.variable(step.name), Scalar(step.dtype), value, line=step.line))
        self._declared.add(step.name)

    def store(self, step: Store, when: Expr | None = None) -> None:
        """`y[offset] = ...;`, perhaps under a condition."""
        value = self.known(self.positioned(step.value), stored=True)
        target = Element(Pointer(step.tensor), step.offset, Scalar(step.value.type, stored=True))
        self.put(StoreElement(self.known(target), value, when, step.line))

    def add_to(self, step: Store, place: Iterable[Expr], guards: tuple[Guard, ...]) -> None:
        """`if (0 <= at && at < 8) uol::atomic_add(y, at, ...);`, with places that are read from data as variables."""
        for at in place:
            if reads_at_once(at):
                self._declare(step.tensor, at)
        condition = self.condition(c for guard in guards for c in guard.conditions)
        inner = self.inner()
        inner.printer = self.printer.where(guard.map_children(self.positioned) for guard in guards)
        value = inner.expression(step.value)
        offset = inner.expression(step.offset)
        call = f"uol::atomic_add({self.printer.names.tensor(step.tensor)}, {offset}, {value});"
        if not condition:
            self.put(*inner.body)
            return self.add(call, step.line)
        inner.add(call, step.line)
        self.under(condition, inner.lines)

    def under(self, condition: str, lines: Iterable[str]) -> None:
        """Statements that a condition guards."""
        self.block(f"if ({condition})", lines)

    def block(self, head: str, lines: Iterable[str]) -> None:
        """Statements in braces behind a head. Lines of the preprocessor stand where a line begins."""
        self.body += map(Written, [f"{head} {{", *indented(lines), "}"])

    def where(self, condition: Expr | None, inner: Scope) -> None:
        """The statements of an inner scope, where a condition holds; None: always."""
        self.put(*inner.body) if condition is None else self.put(If(condition, tuple(inner.body)))

    def write(self, steps: Iterable[Step], when: Expr | None = None) -> None:
        """The steps, in order. A fold is none of one scope: it has a beginning, a loop and an end."""
        for step in steps:
            match step:
                case Let():
                    self.let(step)
                case Store():
                    self.store(step, when)

    def value(self, expr: Expr) -> Known:
        """A value, after statements for the positions it reads at."""
        positioned = self.positioned(expr)  # first: it may declare variables, which changes the printer
        return self.known(positioned)

    def expression(self, expr: Expr) -> str:
        """The same as C text."""
        return self.printer.value(self.value(expr))

    def condition(self, conditions: Iterable[Expr]) -> str:
        """The conjunction as C text; empty where there are none."""
        positioned = [Holds(self.positioned(c)) for c in conditions]
        return self.printer.condition(positioned)

    def conjunction(self, conditions: Iterable[Expr]) -> Known | None:
        """The conjunction; None where there are none."""
        positioned = [self.positioned(c) for c in conditions]
        return self.known(all_of(positioned)) if positioned else None

    def declare_looked_up(self, read: Read) -> None:
        """What is read for the place of a read, and for its guards, as variables."""
        for part in read.children:
            for node in walk(part):
                if isinstance(node, Call) and node.fn == "cast" and node.dtype == INDEX and reads_at_once(node):
                    self._declare(read.tensor, node)

    def read_once(self, read: Read) -> None:
        """`const float gamma_here0 = gamma[c];`: what is read there is that from now on."""
        if read in self._positions:
            return
        value = self.value(read)
        name = f"${read.tensor}_here{len(self._positions)}"
        self.printer = replace(self.printer, names=self.printer.names.with_locals([name]))
        self._positions[read] = Var(name, read.dtype)
        self.put(Declare(self.printer.names.variable(name), Scalar(read.dtype), value))

    def positioned(self, expr: Expr) -> Expr:
        """The expression with guarded positions as variables, which are declared here."""
        for read in reads(expr):
            for guard in read.guard:
                if isinstance(guard, Within):
                    self._declare_position(read, guard.value)
        return rewrite(expr, lambda e: self._positions.get(e))

    def _declare_position(self, read: Read, value: Expr) -> None:
        # A position that reads data stays where it is: that read may be valid under the guard's condition only.
        if not any(True for _ in reads(value)):
            self._declare(read.tensor, value)

    def _declare(self, tensor: str, value: Expr) -> None:
        """A position as a variable."""
        if value in self._positions or isinstance(value, Var | Const):
            return
        name = f"${tensor}_at{len(self._positions)}"
        printer = self.printer
        names = printer.names.with_locals([name])
        ranges = replace(printer.ranges, variables={**printer.ranges.variables, name: printer.ranges.of(value)})
        wide = printer.wide | {name} if printer.is_wide(value) else printer.wide
        self.printer = replace(printer, names=names, proofs=replace(printer.proofs, ranges=ranges), wide=wide)
        self._positions[value] = Var(name)
        kind = Scalar("i64") if printer.is_wide(value) else Scalar(INDEX)
        self.put(Declare(names.variable(name), kind, Known(value, printer)))


def where_natural(printer: Printer, *exprs: Expr) -> Printer:
    """A printer that knows of expressions that they are never negative: which thread one is, where a row ends."""
    narrowed = {**printer.ranges.narrowed, **dict.fromkeys(exprs, NATURAL)}
    ranges = replace(printer.ranges, narrowed=narrowed)
    return replace(printer, proofs=replace(printer.proofs, ranges=ranges))


def reads_at_once(expr: Expr) -> bool:
    """Is data read for the value, at a place that no other data says and that no condition guards?"""
    found = list(reads(expr))
    return bool(found) and not any(read.guard or any(True for _ in reads(read.offset)) for read in found)


def all_of(conditions: Iterable[Expr]) -> Expr:
    """The conjunction of conditions."""
    return reduce(lambda found, each: Call("and", (found, each), "bool"), conditions)
