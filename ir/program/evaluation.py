"""Expressions of a program evaluated over a block of indices, in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir.functions import FUNCTIONS
from uol.ir.integers.terms import COMPARISONS
from uol.ir.program import matrix_products
from uol.ir.program.index_blocks import Block, whole
from uol.ir.program.nodes import Call, Const, Expr, Load, Order, Reduce, Var
from uol.ir.program.rounding import round_to, wrap
from uol.ir.program.threefry import random_bits
from uol.ir.program.walk import axes_of, bound, variables, walk
from uol.ir.types import INDEX, NARROW, integer_range, is_float

Array = NDArray[Any]
_WORD = np.uint64(2**32 - 1)


def storage(dtype: str) -> type[np.generic]:
    """The numpy type that values of a type are evaluated in."""
    if is_float(dtype):
        return np.float64
    return np.bool_ if dtype == "bool" else np.int64


@dataclass(slots=True)
class Evaluation:
    """`symbols`: dims and scalars by name. `memory`: the tensors that are known so far."""

    symbols: Mapping[str, float | int]
    memory: dict[str, Array]

    def integer(self, expr: Expr) -> int:
        """An expression of dims alone."""
        return int(self.value(expr, whole((), ())))

    def condition(self, expr: Expr) -> bool:
        """A condition on dims and scalars alone."""
        return bool(self.value(expr, whole((), ())))

    def value(self, expr: Expr, block: Block) -> Array:
        """The expression over the block: an array that broadcasts to the block's shape."""
        match expr:
            case Const(value=value, dtype=dtype):
                return np.asarray(value, storage(dtype))
            case Var(name=name, dtype=dtype):
                return block.index(name) if name in block.names else np.asarray(self.symbols[name], storage(dtype))
            case Load():
                return self.load(expr, block)
            case Reduce():
                return self.reduce(expr, block)
            case Order():
                return self.order(expr, block)
            case Call(fn="select", args=(c, a, b)):
                return np.where(self.value(c, block), self.value(a, block), self.value(b, block))
            case Call(fn="cast", args=(a,), dtype=dtype):
                return cast(self.value(a, block), dtype)
            case Call(fn="random_bits", args=(seed, counter)):
                return random_bits(self.value(seed, block), self.value(counter, block))
            case Call(fn=fn, args=args, dtype=dtype):
                return apply(fn, [self.value(a, block) for a in args], dtype)
        raise AssertionError(f"no rule for {type(expr).__name__}")

    def load(self, expr: Load, block: Block) -> Array:
        """A gather; where a guard is false the address is replaced by 0 and the value by the fill."""
        data = self.memory[expr.tensor]
        view = _view(expr, data, block)
        if view is not None:
            return view
        index = [self.value(i, block) for i in expr.index]
        if not expr.guard:
            return data[tuple(index)] if index else data
        inside = np.asarray(True)
        for guard in expr.guard:
            inside = inside & self.value(guard, block)
        assert expr.fill is not None
        fill = self.value(expr.fill, block)
        if 0 in data.shape:
            return np.broadcast_to(fill, np.broadcast_shapes(fill.shape, inside.shape))
        return np.where(inside, data[tuple(np.where(inside, i, 0) for i in index)], fill)

    def reduce(self, expr: Reduce, block: Block) -> Array:
        """A reduction over its axes, which follow the block's."""
        extents = tuple(self.integer(a.extent) for a in expr.axes)
        inner = block.extend(tuple(a.name for a in expr.axes), extents)
        if 0 in inner.shape:
            return np.broadcast_to(np.asarray(identity(expr.op, expr.dtype)), block.shape)
        factors = matrix_products.factors(expr)
        if factors is not None:
            left, right = (self.value(f, inner) for f in factors)
            product = matrix_products.contract(left, right, inner.shape, len(block.names))
            if product is not None:
                return product
        body = self.value(expr.body, inner)
        keep = np.asarray(True)
        for condition in expr.where:
            keep = keep & self.value(condition, inner)
        if expr.where and expr.op not in ("argmax", "argmin"):
            body = np.where(keep, body, identity(expr.op, expr.dtype))
        rank = len(block.names)
        full = np.broadcast_shapes(body.shape, keep.shape, (1,) * rank + extents)
        body, keep = np.broadcast_to(body, full), np.broadcast_to(keep, full)
        return fold(expr.op, body.reshape(*full[:rank], -1), keep.reshape(*full[:rank], -1), expr.dtype)

    def order(self, expr: Order, block: Block) -> Array:
        """The places of a sort: the whole axis is sorted for every row, and the block's part of the order taken."""
        rows = block.without(expr.place.name)
        inner = rows.extend((expr.axis.name,), (self.integer(expr.axis.extent),))
        body = np.broadcast_to(self.value(expr.body, inner), inner.shape)
        at = block.names.index(expr.place.name)
        return np.moveaxis(sorted_places(body, expr.descending)[..., block.slices[at]], -1, at)

    def fits(self, expr: Expr, block: Block, most: int) -> bool:
        """Whether evaluating over the block builds no array of more elements. The box of all axes is looked at first: it holds
        every array, and costs little to know."""
        box = prod(block.shape)
        for node in walk(expr):
            for axis in axes_of(node):
                box *= max(self.integer(axis.extent), 1)
        return box <= most or self.elements(expr, block) <= most

    def elements(self, expr: Expr, block: Block) -> int:
        """The largest array that evaluating over the block builds."""
        if isinstance(expr, Order):
            rows = block.without(expr.place.name)
            return self.elements(expr.body, rows.extend((expr.axis.name,), (self.integer(expr.axis.extent),)))
        if not isinstance(expr, Reduce):
            used = variables(expr) - bound(expr)
            own = prod(n for name, n in zip(block.names, block.shape, strict=True) if name in used)
            return max(own, *(self.elements(e, block) for e in expr.children), 1)
        inner = block.extend(tuple(a.name for a in expr.axes), tuple(self.integer(a.extent) for a in expr.axes))
        factors = matrix_products.factors(expr)
        if factors is not None:
            return max(self.elements(f, inner) for f in factors)
        return max(prod(inner.shape), self.elements(expr.body, inner))


def apply(fn: str, args: list[Array], dtype: str) -> Array:
    """A built-in or an operator of the language on evaluated operands."""
    if fn in ("/", "%") and not is_float(dtype):
        return _integer_division(fn, args[0], args[1], dtype)
    if fn == "pow" and not is_float(dtype):
        return wrap(_integer_power(args[0], args[1]), dtype)
    result = _OPERATORS[fn](*args) if fn in _OPERATORS else FUNCTIONS[fn].reference(*args)
    if fn in COMPARISONS or dtype in ("bool", INDEX):
        return np.asarray(result)
    return np.asarray(result) if is_float(dtype) else wrap(np.asarray(result), dtype)


def _integer_power(base: Array, power: Array) -> Array:
    """base ** power modulo 2**32. A negative power is the reciprocal, which truncates to 0 but of 1 and -1."""
    result, factor = np.ones(np.broadcast_shapes(base.shape, power.shape), np.uint64), base.astype(np.uint64) & _WORD
    for bit in range(31):
        result = np.where(power >> bit & 1, result * factor & _WORD, result)
        factor = factor * factor & _WORD
    of_one = np.where(base == -1, 1 - 2 * (power & 1), base == 1)
    return np.where(power < 0, of_one, result.astype(np.int64))


def cast(value: Array, dtype: str) -> Array:
    """A cast of the language, with f32 and f64 left as they are."""
    if dtype == INDEX:
        return value.astype(np.int64)
    if is_float(dtype) and dtype not in NARROW:
        return value.astype(np.float64)
    return round_to(value, dtype)


def identity(op: str, dtype: str) -> Any:
    """What an empty reduction gives."""
    match op:
        case "sum":
            return storage(dtype)(0)
        case "prod":
            return storage(dtype)(1)
        case "any" | "all":
            return np.bool_(op == "all")
    if is_float(dtype):
        return np.float64(-np.inf if op == "max" else np.inf)
    low, high = integer_range(dtype)
    return np.int64(low if op == "max" else high)


def fold(op: str, body: Array, keep: Array, dtype: str) -> Array:
    """Reduces the last dimension. max and min propagate NaN; argmax and argmin take the first NaN, else the first
    extremum, among what is kept."""
    match op:
        case "sum" | "prod":
            total = body.sum(-1) if op == "sum" else body.prod(-1)
            return np.asarray(total) if is_float(dtype) else wrap(np.asarray(total), dtype)
        case "max":
            return np.asarray(body.max(-1))
        case "min":
            return np.asarray(body.min(-1))
        case "any":
            return np.asarray(body.any(-1))
        case "all":
            return np.asarray(body.all(-1))
    return _first_extremum(body, keep, op == "argmax")


def sorted_places(body: Array, descending: bool) -> Array:
    """Where the elements of the last dimension stood before they were sorted, stably. NaN is greater than every number."""
    if not descending:
        return np.argsort(body, axis=-1, kind="stable")
    # Descending and stable: the ascending order of the reversed row, reversed.
    last = body.shape[-1] - 1
    return np.asarray(last - np.argsort(body[..., ::-1], axis=-1, kind="stable")[..., ::-1])


def _first_extremum(body: Array, keep: Array, largest: bool) -> Array:
    if body.dtype.kind == "f":
        kept_nan = np.isnan(body) & keep
        ordered = np.where(keep & ~kept_nan, body, -np.inf if largest else np.inf)
        best = ordered.max(-1) if largest else ordered.min(-1)
        hit = np.where(kept_nan.any(-1, keepdims=True), kept_nan, (ordered == best[..., None]) & keep)
        return np.asarray(hit.argmax(-1), np.int64)
    bounds = np.iinfo(np.int64)
    ordered = np.where(keep, body, bounds.min if largest else bounds.max)
    best = ordered.max(-1) if largest else ordered.min(-1)
    return np.asarray(((ordered == best[..., None]) & keep).argmax(-1), np.int64)


def _integer_division(fn: str, a: Array, b: Array, dtype: str) -> Array:
    """Floored; a division by zero gives 0."""
    safe = np.where(b == 0, 1, b)
    result = np.where(b == 0, 0, a // safe if fn == "/" else a % safe)
    return result if dtype == INDEX else wrap(np.asarray(result), dtype)


def _view(expr: Load, data: Array, block: Block) -> Array | None:
    """A read at distinct plain indices is a transposed view, not a gather."""
    names = [i.name for i in expr.index if isinstance(i, Var) and i.name in block.names]
    if expr.guard or len(names) != len(expr.index) or len(set(names)) != len(names) or not names:
        return None
    at = [block.names.index(n) for n in names]
    part = data[tuple(block.slices[n] for n in at)]
    ordered = part.transpose(sorted(range(len(at)), key=at.__getitem__))
    shape = [1] * len(block.names)
    for n in at:
        shape[n] = block.shape[n]
    return ordered.reshape(shape)


_OPERATORS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "neg": np.negative,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}
