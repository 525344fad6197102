"""How far a buffer reaches: from its first element to one past its last."""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Arg
from uol.ir.program.nodes import Expr


def static_span(arg: Arg) -> int | None:
    """1 + sum of (dim - 1) * stride, in elements; 0 for an empty tensor; None where a dim or stride is symbolic."""
    shape, strides = static_values(arg.shape), static_values(arg.strides)
    return None if shape is None or strides is None else span_of(shape, strides)


def span_of(shape: Iterable[int], strides: Iterable[int]) -> int:
    """The same for numbers."""
    shape = tuple(shape)
    return 0 if 0 in shape else 1 + sum((d - 1) * s for d, s in zip(shape, strides, strict=True))


def static_values(exprs: Iterable[Expr]) -> tuple[int, ...] | None:
    """The numbers, or None where one is symbolic."""
    values = [static(e) for e in exprs]
    return None if None in values else tuple(v for v in values if v is not None)
