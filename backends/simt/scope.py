"""Statements of one C scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.backends.simt.c_printer import Printer
from uol.codegen.spec import Holds, Let, Read, Store, Within, reads
from uol.codegen.traverse import rewrite
from uol.ir.nodes import Const, Expr, Var

WIDTH = 110
"""Longer statements break at their `?` and `:`."""


class Scope:
    """Collects the statements of a scope, in order.

    Where a read is guarded, the guarded positions become variables of their own: `const int x_at0 = p * 2 + r - 1;`
    is computed once and reads better than the same sum in a guard and an offset.
    """

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.lines: list[str] = []
        self._declared: set[str] = set()
        self._positions: dict[Expr, Var] = {}

    def inner(self) -> Scope:
        """A scope within this one: it sees the variables and collects its own statements."""
        scope = Scope(self.printer)
        scope._declared = set(self._declared)
        scope._positions = dict(self._positions)
        return scope

    def add(self, text: str, line: int | None = None) -> None:
        """One statement, with a reference to its line of the op."""
        self.lines += broken(text, f"  // line {line}" if line else "")

    def declares(self, name: str) -> bool:
        return name in self._declared

    def let(self, step: Let) -> None:
        """`const float e = ...;`"""
        value = self.expression(step.value)
        self.add(f"const {self.printer.ctype(step.dtype)} {self.printer.names.variable(step.name)} = {value};", step.line)
        self._declared.add(step.name)

    def store(self, step: Store, prefix: str = "") -> None:
        """`y[offset] = ...;`"""
        value = self.positioned(step.value)
        target = f"{self.printer.names.tensor(step.tensor)}[{self.printer.value(step.offset)}]"
        self.add(f"{prefix}{target} = {self.printer.stored(value)};", step.line)

    def expression(self, expr: Expr) -> str:
        """C text of a value, after statements for the positions it reads at."""
        return self.printer.value(self.positioned(expr))

    def condition(self, conditions: Iterable[Expr]) -> str:
        return self.printer.condition(Holds(self.positioned(c)) for c in conditions)

    def positioned(self, expr: Expr) -> Expr:
        """The expression with guarded positions as variables, which are declared here."""
        for read in reads(expr):
            for guard in read.guard:
                if isinstance(guard, Within):
                    self._declare_position(read, guard.value)
        return rewrite(expr, lambda e: self._positions.get(e))

    def _declare_position(self, read: Read, value: Expr) -> None:
        # A position that reads data stays where it is: that read may be valid under the guard's condition only.
        if value in self._positions or isinstance(value, Var | Const) or any(True for _ in reads(value)):
            return
        name = f"${read.tensor}_at{len(self._positions)}"
        printer = self.printer
        text = printer.value(value)
        names = printer.names.with_locals([name])
        ranges = replace(printer.ranges, variables={**printer.ranges.variables, name: printer.ranges.of(value)})
        self.printer = replace(printer, names=names, proofs=replace(printer.proofs, ranges=ranges))
        self._positions[value] = Var(name)
        self.add(f"const {printer.index_type} {names.variable(name)} = {text};")


def broken(text: str, comment: str) -> list[str]:
    """A statement in one line, or with its outermost `?` and `:` on lines of their own."""
    if len(text) <= WIDTH:
        return [text + comment]
    cuts = _outermost_ternary(text)
    if not cuts:
        return [text + comment]
    question, colon = cuts
    return [text[: question - 1] + comment, "    " + text[question : colon - 1], "    " + text[colon:]]


def _outermost_ternary(text: str) -> tuple[int, int] | None:
    depth = 0
    question: int | None = None
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and text.startswith(" ? ", place - 1) and question is None:
            question = place
        if depth == 0 and question is not None and text.startswith(" : ", place - 1):
            return question, place
    return None
