"""Statements of one C scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.backends.simt.c_text.printer import Printer
from uol.codegen.specs.nodes import Guard, Holds, Let, Read, Step, Store, Within
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, walk
from uol.ir.types import INDEX

WIDTH = 100
"""Longer statements break."""


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
            self.lines += inner.lines
            return self.add(call, step.line)
        inner.add(call, step.line)
        self.under(condition, inner.lines)

    def under(self, condition: str, lines: Iterable[str]) -> None:
        """Statements that a condition guards."""
        self.block(f"if ({condition})", lines)

    def block(self, head: str, lines: Iterable[str]) -> None:
        """Statements in braces behind a head. Lines of the preprocessor stand where a line begins."""
        self.lines += [f"{head} {{", *(line if line.startswith("#") else f"  {line}" for line in lines), "}"]

    def write(self, steps: Iterable[Step], store_prefix: str = "") -> None:
        """The steps, in order. A fold is none of one scope: it has a beginning, a loop and an end."""
        for step in steps:
            match step:
                case Let():
                    self.let(step)
                case Store():
                    self.store(step, store_prefix)

    def expression(self, expr: Expr) -> str:
        """C text of a value, after statements for the positions it reads at."""
        positioned = self.positioned(expr)  # first: it may declare variables, which changes the printer
        return self.printer.value(positioned)

    def condition(self, conditions: Iterable[Expr]) -> str:
        positioned = [Holds(self.positioned(c)) for c in conditions]
        return self.printer.condition(positioned)

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
        value = self.expression(read)
        name = f"${read.tensor}_here{len(self._positions)}"
        self.printer = replace(self.printer, names=self.printer.names.with_locals([name]))
        self._positions[read] = Var(name, read.dtype)
        self.add(f"const {self.printer.ctype(read.dtype)} {self.printer.names.variable(name)} = {value};")

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
        text = printer.value(value)
        names = printer.names.with_locals([name])
        ranges = replace(printer.ranges, variables={**printer.ranges.variables, name: printer.ranges.of(value)})
        wide = printer.wide | {name} if printer.is_wide(value) else printer.wide
        self.printer = replace(printer, names=names, proofs=replace(printer.proofs, ranges=ranges), wide=wide)
        self._positions[value] = Var(name)
        self.add(f"const {printer.index_ctype(value)} {names.variable(name)} = {text};")


def reads_at_once(expr: Expr) -> bool:
    """Is data read for the value, at a place that no other data says and that no condition guards?"""
    found = list(reads(expr))
    return bool(found) and not any(read.guard or any(True for _ in reads(read.offset)) for read in found)


def broken(text: str, comment: str) -> list[str]:
    """A statement in one line; or with the `?` and `:` of its first choice on lines of their own; or its value on one."""
    if len(text) <= WIDTH:
        return [text + comment]
    cuts = _first_choice(text)
    if cuts is None:
        target, equals, value = text.partition(" = ")
        return [f"{target} ={comment}", f"    {value}"] if equals else [text + comment]
    question, colon = cuts
    return [text[:question] + comment, "    " + text[question + 1 : colon], "    " + text[colon + 1 :]]


def _first_choice(text: str) -> tuple[int, int] | None:
    """Where the first ` ? ` and its ` : ` stand."""
    question = text.find(" ? ")
    depth = 0
    for place in range(question, len(text)) if question >= 0 else ():
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0 and text.startswith(" : ", place):
            return question, place
    return None
