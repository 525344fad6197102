"""Expressions of a program at points, in float64 and int64.

Rules of the language that PyTorch's functions do not have by themselves: `max` and `min` of a value and a constant give no
cotangent where both are equal (PyTorch's rule, a half to each, holds between two values); integers wrap; `/` and `%` of
integers floor, and are 0 for a divisor of 0; a cast to a narrow type rounds, and so does its cotangent, which has that type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from uol.conformance.autograd import reductions
from uol.conformance.autograd.dtypes import cast, storage, wrapped
from uol.conformance.autograd.points import Points, merged, spread
from uol.ir.program.nodes import Call, Const, Expr, Load, Order, Reduce, Var
from uol.ir.program.threefry import random_bits
from uol.ir.types import is_float


@dataclass(slots=True)
class Evaluation:
    """`symbols` are dims and attributes by name, `memory` the tensors that are known so far."""

    symbols: Mapping[str, Tensor]
    memory: dict[str, Tensor]

    def integer(self, expr: Expr) -> int:
        """An expression of dims alone."""
        return int(self.value(expr, Points(1, {})))

    def value(self, expr: Expr, points: Points) -> Tensor:
        """The expression at each point: a tensor of one element a point, or of no dim where it is the same at all."""
        match expr:
            case Const(value=value, dtype=dtype):
                return torch.tensor(value, dtype=storage(dtype))
            case Var(name=name):
                return points.indices[name] if name in points.indices else self.symbols[name]
            case Load():
                return self.read(expr, points)
            case Reduce():
                return reductions.reduce(self, expr, points)
            case Order():
                return reductions.order(self, expr, points)
            case Call(fn="select", args=(condition, a, b)):
                return self.choice(self.value(condition, points), a, b, points)
            case Call(fn="cast", args=(a,), dtype=dtype):
                return cast(self.value(a, points), dtype)
            case Call(fn="random_bits", args=(seed, counter)):
                bits = random_bits(self.value(seed, points).numpy(), self.value(counter, points).numpy())
                return torch.as_tensor(bits)
            case Call(fn="max" | "min" as fn, args=(a, b), dtype=dtype):
                return self.extremum(fn, a, b, points)
            case Call(fn=fn, args=args, dtype=dtype):
                return wrapped(FUNCTIONS[fn](*(self.value(a, points) for a in args)), dtype)
        raise AssertionError(f"no rule for {type(expr).__name__}")

    def holds(self, conditions: tuple[Expr, ...], points: Points) -> Tensor:
        """The numbers of the points at which all conditions hold. A condition is asked where those before it hold."""
        kept = torch.arange(points.count)
        for condition in conditions:
            truth = spread(self.value(condition, points.at(kept)), len(kept))
            kept = kept[truth]
        return kept

    def read(self, expr: Load, points: Points) -> Tensor:
        """An advanced index where the read lies inside, and its `else` at the other points."""
        if not expr.guard:
            return self.element(expr, points)
        assert expr.fill is not None
        return self.either(self.holds(expr.guard, points), replace(expr, guard=(), fill=None), expr.fill, points)

    def element(self, expr: Load, points: Points) -> Tensor:
        """The read itself, at points where it lies inside."""
        data = self.memory[expr.tensor]
        if not expr.index:
            return data
        return data[tuple(spread(self.value(i, points), points.count) for i in expr.index)]

    def choice(self, truth: Tensor, a: Expr, b: Expr, points: Points) -> Tensor:
        """`a` where the condition holds, evaluated there alone, and `b` elsewhere."""
        if truth.dim() == 0:
            return self.value(a if truth else b, points)
        return self.either(truth.nonzero()[:, 0], a, b, points)

    def either(self, first: Tensor, a: Expr, b: Expr, points: Points) -> Tensor:
        """`a` at the points of the given numbers, `b` at the others."""
        is_other = torch.ones(points.count, dtype=torch.bool)
        is_other[first] = False
        second = is_other.nonzero()[:, 0]
        parts = [(kept, self.value(expr, points.at(kept))) for kept, expr in ((first, a), (second, b)) if len(kept)]
        return merged(points.count, parts) if parts else self.value(b, points)

    def extremum(self, fn: str, a: Expr, b: Expr, points: Points) -> Tensor:
        """Of two values."""
        left, right = self.value(a, points), self.value(b, points)
        if is_float(a.type) and self.is_constant(a, points) != self.is_constant(b, points):
            value, bound = (right, left) if self.is_constant(a, points) else (left, right)
            bound = bound.detach()
            beyond = (value > bound) if fn == "max" else (value < bound)
            return torch.where(beyond | value.isnan(), value, bound)
        return torch.maximum(left, right) if fn == "max" else torch.minimum(left, right)

    def is_constant(self, expr: Expr, points: Points) -> bool:
        """Whether an expression is made of literals, dims and attributes."""
        match expr:
            case Const():
                return True
            case Var(name=name):
                return name not in points.indices
            case Call(args=args):
                return expr.fn != "random_bits" and all(self.is_constant(a, points) for a in args)
        return False


def _divided(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    return torch.where(b == 0, 0, torch.div(a, torch.where(b == 0, 1, b), rounding_mode="floor"))


def _absolute(a: Tensor) -> Tensor:
    """`torch.abs`, whose second gradient loads torch's compiler: seconds of a process."""
    return a * a.detach().sign()


def _remainder(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b == 0, 0, torch.remainder(a, torch.where(b == 0, 1, b)))


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": _divided,
    "%": _remainder,
    "neg": torch.neg,
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
    "==": torch.eq,
    "!=": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log2": torch.log2,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "pow": torch.pow,
    "abs": _absolute,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "bit_and": torch.bitwise_and,
    "bit_or": torch.bitwise_or,
    "bit_xor": torch.bitwise_xor,
    "bit_not": torch.bitwise_not,
    "shift_left": torch.bitwise_left_shift,
    "shift_right": torch.bitwise_right_shift,
}
"""PyTorch's function for each of the language; `max`, `min`, `select`, casts and random bits have rules of their own."""
