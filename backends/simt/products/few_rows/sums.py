"""The end of a product of few rows: sums of parts meet in shared memory, and a thread a result adds them up in order."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.terms import THREAD, Element, Local, Pointer, Scalar, less
from uol.backends.simt.kernel.nodes import Assign, Buffer, Declare, If, Loop, Statement, Store
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.few_rows.schedule import Shape
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, static
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX, is_float

RESULT, SLOT = Local("result"), Local("slot")


@dataclass(frozen=True, slots=True)
class Sums:
    """The array `name`, of `shape`, in shared memory. `origin` is the first of the block's columns."""

    name: str
    kind: Scalar
    shape: Shape
    origin: Expr
    threads: int

    @property
    def buffer(self) -> Buffer:
        return Buffer(self.name, self.kind, "shared", self.shape.elements)

    def store(self, slot: Expr, row: Expr, column: Expr, value: Expr, scope: Scope, when: Expr | None = None) -> Store:
        """A thread's sum goes to its place."""
        place = add(mul(slot, Const(self.shape.pitch)), self.place(row, column))
        return Store(scope.known(Element(Pointer(self.name), place, self.kind)), scope.known(value), when)

    def place(self, row: Expr, column: Expr) -> Expr:
        """Of a sum among those of its part: what lies side by side in the result does here."""
        shape = self.shape
        if shape.of == "rows":
            return add(mul(row, Const(shape.block)), column)
        return add(mul(column, Const(shape.few)), row)

    def results(self, outer: Scope, spec: Contract, short: Counter, long: Counter) -> tuple[Statement, ...]:
        """A thread a result, or several: the sums of their parts, and the epilogue. The counters are those of the few rows, and
        of what has sums of its own beside them."""
        shape, scope = self.shape, outer.inner()
        few = min(static(short.count) or shape.few, shape.few)
        by_rows = shape.of == "rows"
        slow, fast = (folded(idx(fn, RESULT, Const(shape.block if by_rows else few))) for fn in ("/", "%"))
        row, column = (slow, fast) if by_rows else (fast, slow)
        row = row if few > 1 else ZERO
        conditions: list[Expr] = []
        for counter, place, most in ((short, row, few), (long, add(self.origin, column), shape.block)):
            at: Expr = place
            if counter.axes:
                name, at = scope.printer.names.variables[counter.name], Var(counter.name)
                scope.put(Declare(name, Scalar(INDEX), scope.known(place)))
            conditions += [] if is_multiple(counter.count, most) else [less(at, counter.count)]
        inside, needed = scope.inner(), used_variables(spec.epilogue)
        for counter in (short, long):
            inside.axes(counter, needed)
        self._total(inside, spec, RESULT if by_rows or few == shape.few else self.place(row, column))
        inside.write(mapped(spec, step=lambda step: short.shortened(long.shortened(step))).epilogue)
        scope.where(scope.conjunction(conditions), inside)
        return self._of_threads(few * shape.block, tuple(scope.body), outer)

    def _of_threads(self, count: int, body: tuple[Statement, ...], scope: Scope) -> tuple[Statement, ...]:
        """Statements for each of so many results."""
        if count > self.threads:
            return (Loop(RESULT.name, THREAD, Const(count), body, self.threads),)
        result = Declare(RESULT.name, Scalar(INDEX), THREAD)
        return (result, *body) if count == self.threads else (result, If(scope.known(less(RESULT, Const(count))), body))

    def _total(self, scope: Scope, spec: Contract, place: Expr) -> None:
        """The sum of all parts, by its name in the spec."""
        shape, array = self.shape, Pointer(self.name)
        total = Local(scope.printer.names.variable(spec.acc), self.kind)
        scope.put(Declare(total.name, self.kind, scope.known(Element(array, place, self.kind)), constant=shape.slots == 1))
        if shape.slots > 1:
            part = Element(array, add(mul(SLOT, Const(shape.pitch)), place), self.kind)
            scope.put(Loop(SLOT.name, ONE, Const(shape.slots), (added(scope, total, part, spec.line),)))


def added(scope: Scope, total: Expr, value: Expr, line: int) -> Assign:
    """`total += value`, or of integers `total = total + value`, which wraps."""
    if is_float(value.type):
        return Assign(scope.known(total), scope.known(value), "+=", line)
    return Assign(scope.known(total), scope.known(Call("+", (total, value), value.type)), line=line)
