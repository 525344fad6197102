"""What a pass has to do at least: operations on floats, and bytes of what is read of its inputs and written of its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Axis, Call, Expr, Load, Program, Reduce, Tensor
from uol.ir.program.walk import stage_expressions
from uol.ir.types import DTYPES, is_float

FREE = frozenset({"cast", "select"})
"""Calls that are no operation."""


@dataclass(frozen=True, slots=True)
class Work:
    """Operations, a multiply-add being two and a function one, and bytes that are read and written once."""

    operations: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.bytes + other.bytes)


def work_of(program: Program) -> Work:
    """Of a program whose dims are numbers: every term of every sum counts, those beyond an edge, too.

    >>> from uol.ir import instantiate, parse
    >>> (op,) = parse("op f(x: f32[N, K], w: f32[K]) -> (y: f32[N]) { y[n] = sum[k](x[n, k] * w[k]) }")
    >>> work_of(instantiate(op, {}, types={}, dims={"N": 10, "K": 8}))
    Work(operations=160, bytes=392)
    """
    operations = sum(_points(stage.axes) * _operations(stage.value) for stage in program.stages)
    reads: Counter[str] = Counter()
    for stage in program.stages:
        for part in stage_expressions(stage):
            _count_reads(part, _points(stage.axes), reads)
    read = sum(min(_elements(t), reads[t.name]) * DTYPES[t.dtype].bytes for t in program.by_role("in"))
    return Work(operations, read + sum(_elements(t) * DTYPES[t.dtype].bytes for t in program.by_role("out")))


def with_backward(forward: Work, backward: Work, inputs: int) -> Work:
    """Both passes. A product has as many operations in the gradient of each of its operands as it has itself: a gradient's text
    that names more, as of taps that a stride leaves out, is not credited with them."""
    return forward + Work(min(backward.operations, inputs * forward.operations), backward.bytes)


def _operations(expr: Expr) -> int:
    match expr:
        case Load():
            return 0
        case Reduce(axes=axes, body=body):
            return _terms(expr, axes) * (_operations(body) + 1)
        case Call(fn=fn, dtype=dtype):
            return sum(map(_operations, expr.children)) + (is_float(dtype) and fn not in FREE)
    return sum(map(_operations, expr.children))


def _count_reads(expr: Expr, times: int, reads: Counter[str]) -> None:
    """Adds up how often each tensor is read: of a table that is looked up in, fewer elements than there are."""
    if isinstance(expr, Load):
        reads[expr.tensor] += times
    if isinstance(expr, Reduce):
        times *= _terms(expr, expr.axes)
    for child in expr.children:
        _count_reads(child, times, reads)


def _terms(sum_: Reduce, axes: Iterable[Axis]) -> int:
    """Terms for an element. Where they are those up to it, each takes one operation of the one before."""
    is_product = isinstance(sum_.body, Call) and sum_.body.fn == "*"
    return _points(axes) if is_product or not sum_.where else 1


def _points(axes: Iterable[Axis]) -> int:
    return prod(static(axis.extent) or 0 for axis in axes)


def _elements(tensor: Tensor) -> int:
    return prod(static(extent) or 0 for extent in tensor.shape)
