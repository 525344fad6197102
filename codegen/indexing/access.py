"""From accesses of a program to reads and stores of a spec: flat offsets, strides, classified guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine, coefficient, stride
from uol.codegen.indexing.arithmetic import flat_offset
from uol.codegen.specs.nodes import Guard, Holds, Read, Within
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Tensor, Var
from uol.ir.program.walk import rewrite, variables, walk


@dataclass(frozen=True, slots=True)
class Accesses:
    """Lowers accesses over given axes. `strides` holds the layout of every tensor that lives in memory."""

    tensors: Mapping[str, Tensor]
    strides: Mapping[str, tuple[Expr, ...]]
    facts: tuple[Expr, ...]

    def value(self, expr: Expr, axes: Sequence[Axis], values: Mapping[str, Var]) -> Expr:
        """The expression with loads of tensors in `values` as variables, and every other load as a Read."""

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Load):
                return None
            return values[node.tensor] if node.tensor in values else self.read(node, axes, values)

        return rewrite(expr, rule)

    def read(self, load: Load, axes: Sequence[Axis], values: Mapping[str, Var]) -> Read:
        index = tuple(self.value(i, axes, values) for i in load.index)
        guard = tuple(self.value(g, axes, values) for g in load.guard)
        fill = None if load.fill is None else self.value(load.fill, axes, values)
        offset, strides = self.offset(load.tensor, index, axes)
        guards = classify(guard, {a.name for a in axes})
        return Read(load.tensor, offset, strides, guards, fill if guards else None, load.dtype)

    def offset(
        self, tensor: str, index: Sequence[Expr], axes: Sequence[Axis]
    ) -> tuple[Expr, tuple[tuple[str, Expr | None], ...]]:
        """The flat offset of an access and its stride along each axis."""
        offset = flat_offset(index, self.tensors[tensor].shape, self.strides[tensor])
        return offset, tuple((a.name, self.stride(offset, a, axes)) for a in axes)

    def stride(self, offset: Expr, axis: Axis, axes: Sequence[Axis]) -> Expr | None:
        number = coefficient(offset, axis.name)
        if number is not None:
            return Const(number)
        if axis.name not in variables(offset):
            return Const(0)
        if any(isinstance(node, Read) for node in walk(offset)):
            return None
        facts = Facts(self.facts)
        with facts.scope(*(bound for a in axes for bound in in_range(a))):
            return stride(offset, axis.name, facts)


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """The parts of a chain of `and`."""
    if isinstance(condition, Call) and condition.fn == "and":
        return tuple(part for arg in condition.args for part in conjuncts(arg))
    return (condition,)


def classify(conditions: Sequence[Expr], axes: set[str]) -> tuple[Guard, ...]:
    """Conditions as intervals of an affine value where they are, in order; both sides of one value are joined."""
    guards: list[Guard] = []
    places: dict[Expr, int] = {}
    for condition in (part for c in conditions for part in conjuncts(c)):
        side = _interval_side(condition, axes)
        if side is None:
            guards.append(Holds(condition))
            continue
        if side.value not in places:
            places[side.value] = len(guards)
            guards.append(side)
            continue
        known = guards[places[side.value]]
        assert isinstance(known, Within)
        if side.low is not None and known.low is None:
            guards[places[side.value]] = replace(known, low=side.low)
        elif side.high is not None and known.high is None:
            guards[places[side.value]] = replace(known, high=side.high)
        elif side not in guards:
            guards.append(side)
    return tuple(guards)


def _interval_side(condition: Expr, axes: set[str]) -> Within | None:
    match condition:
        case Call(fn=">=", args=(value, low)) if _bounds(value, low, axes):
            return Within(value, low, None)
        case Call(fn="<", args=(value, high)) if _bounds(value, high, axes):
            return Within(value, None, high)
    return None


def _bounds(value: Expr, bound: Expr, axes: set[str]) -> bool:
    return affine(value) is not None and not (variables(bound) & axes) and value.type == bound.type == "idx"
