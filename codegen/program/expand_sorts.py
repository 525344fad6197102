"""Sorts and scatters as reductions, for machines that have nothing better.

A place in an order is found by counting, O(E^2) a row: `rank[n, e] = sum[j](1 where x[n, j] stands before x[n, e])`, and
`at[n, k] = sum[e](e where rank[n, e] == k)`. A scatter becomes a gather: `y[s, d] = sum[n](x[n, d] where at[n] == s)`,
the same from run to run, whatever the order of the threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from uol.codegen.names import taken_names, unused
from uol.ir.checker.accesses import sides
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Order, Program, Reduce, Scatter, Stage, Tensor, Var, zero_of
from uol.ir.program.walk import substitute
from uol.ir.types import is_float


def as_reductions(program: Program, *, scatters: frozenset[str] = frozenset(), orders: bool = False) -> Program:
    """The same program with its scatters and its orders as elementwise stages and reductions, but for scatters into tensors of
    the types `scatters`, and with `orders` but for all orders."""
    plain = _Plain(program, scatters, orders, dict(program.tensors), set(taken_names(program)))
    return plain.run() if any(plain.changes(s) for s in program.stages) else program


@dataclass(slots=True)
class _Plain:
    program: Program
    scatters: frozenset[str]
    orders: bool
    tensors: dict[str, Tensor]
    taken: set[str]
    stages: list[Stage] = field(default_factory=list)

    def changes(self, stage: Stage) -> bool:
        if isinstance(stage, Scatter):
            return stage.dtype not in self.scatters
        return not self.orders and isinstance(stage.value, Order)

    def run(self) -> Program:
        for stage in self.program.stages:
            if not self.changes(stage):
                self.stages.append(stage)
            elif isinstance(stage, Scatter):
                self.stages.append(self.gather(stage))
            elif isinstance(stage.value, Order):
                self.stages += self.count(stage, stage.value)
        return replace(self.program, tensors=self.tensors, stages=tuple(self.stages))

    def name(self, stem: str) -> str:
        found = unused(stem, self.taken)
        self.taken.add(found)
        return found

    def gather(self, stage: Scatter) -> Stage:
        """Every element of the tensor looks for what is added to it. An index that stands alone in a dim is that dim's.
        That a place is the element's says that it lies inside."""
        loops = list(stage.axes)
        axes: list[Axis] = []
        shape = self.tensors[stage.name].shape
        inside = {side for place, extent in zip(stage.target, shape, strict=True) for side in sides(place, extent)}
        where = [condition for condition in stage.guard if condition not in inside]
        for place, extent in zip(stage.target, shape, strict=True):
            own = next((a for a in loops if isinstance(place, Var) and place.name == a.name and a.extent == extent), None)
            if own is not None:
                loops.remove(own)
                axes.append(own)
                continue
            axis = Axis(self.name(f"{stage.name}_i{len(axes)}"), extent)
            axes.append(axis)
            where.append(compare("==", place, Var(axis.name)))
        zero = zero_of(stage.dtype)
        value = stage.value
        if loops:
            value = Reduce("sum", tuple(loops), value, stage.dtype, tuple(where), stage.span)
        else:
            for condition in reversed(where):
                value = Call("select", (condition, value, zero), stage.dtype)
        return Stage(stage.name, tuple(axes), value, stage.dtype, stage.line, stage.span)

    def count(self, stage: Stage, order: Order) -> list[Stage]:
        """The rank of every element, and from it the element of every place."""
        rows = tuple(a for a in stage.axes if a.name != order.place.name)
        other = Axis(self.name(f"{order.axis.name}_other"), order.axis.extent)
        first, second = substitute(order.body, {order.axis.name: Var(other.name)}), order.body
        one = Const(1, "i32")
        before = Reduce(
            "sum", (other,), one, "i32", (_before(first, second, Var(other.name), Var(order.axis.name), order.descending),)
        )
        rank = self.name(f"{stage.name}_rank")
        over = (*rows, order.axis)
        self.tensors[rank] = Tensor(rank, "i32", tuple(a.extent for a in over), "local")
        ranked = Load(rank, tuple(Var(a.name) for a in over), (), None, "i32")
        here = compare("==", ranked, Call("cast", (order.place,), "i32"))
        found: Expr = Reduce("sum", (order.axis,), Call("cast", (Var(order.axis.name),), "i32"), "i32", (here,), order.span)
        if order.dtype != "i32":
            found = Call("cast", (found,), order.dtype)
        return [
            Stage(rank, over, before, "i32", stage.line, stage.span),
            Stage(stage.name, stage.axes, found, stage.dtype, stage.line, stage.span),
        ]


def _before(a: Expr, b: Expr, at: Expr, then: Expr, descending: bool) -> Expr:
    """Whether the element `a`, which stood at `at`, comes before `b`, which stood at `then`."""
    sooner, later = (_less(b, a), _less(a, b)) if descending else (_less(a, b), _less(b, a))
    tie = _all(_not(later), compare("<", at, then))
    return Call("or", (sooner, tie), "bool")


def _less(a: Expr, b: Expr) -> Expr:
    """a < b, where NaN is greater than every number."""
    if not is_float(a.type):
        return compare("<", a, b)
    return Call("or", (compare("<", a, b), _all(compare("!=", b, b), compare("==", a, a))), "bool")


def _all(a: Expr, b: Expr) -> Expr:
    return Call("and", (a, b), "bool")


def _not(a: Expr) -> Expr:
    return Call("not", (a,), "bool")
