"""What dims that are arguments are taken to be where a kernel is chosen by sizes. What is written is right for all of them."""

from __future__ import annotations

from uol.backends.cpu.operands.buffer_span import span_of
from uol.codegen.indexing.arithmetic import size, value_at
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.program.nodes import Axis, Expr

TYPICAL_SIZE = 256


def typical(spec: KernelSpec, expr: Expr) -> int:
    """A size over the dims of a spec."""
    return value_at(expr, dict.fromkeys(spec.dims, TYPICAL_SIZE))


def typical_size(spec: KernelSpec, axes: tuple[Axis, ...]) -> int:
    """How many points the axes span."""
    return typical(spec, size(axes))


def typical_span(spec: KernelSpec, arg: Arg) -> int:
    """How far a buffer reaches, in elements."""
    shape, strides = ([typical(spec, e) for e in exprs] for exprs in (arg.shape, arg.strides))
    return span_of(shape, strides)
